"""Training exams of the language stage: views of two breasts, combined anew at every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from amrg.birads import (
    AnswerForm,
    Assessment,
    Composition,
    Finding,
    Laterality,
    Report,
    View,
    usual_recommendation,
    worst_category,
)
from amrg.training.embedded.breasts import EncodedBreast, findings_in_views
from amrg.training.embedded.phantom_shards import VIEW_ORDER
from amrg.training.embedded.token_noise import vary_tokens
from amrg.training.embedded.wordings import (
    SENTENCES,
    Wording,
    as_dmid_states,
    instruction,
    training_text,
    without_sizes,
)

Views = tuple[tuple[Laterality, View], ...]


class Form(NamedTuple):
    """How a target text is written."""

    wording: Wording
    answer: AnswerForm
    variant: int = 0


USUAL = Form(Wording.CLINICAL, AnswerForm.FINDINGS_FIRST)  # what drafting requests
USUAL_SHARE = 0.6
VARIANTS = 12  # ways to say the same, at most


@dataclass(frozen=True)
class TrainingText:
    """A text to learn: the views it is of, their image tokens [views, tokens, width], the instruction, the text."""

    views: Views
    tokens: Tensor
    instruction: str
    text: str


@dataclass(frozen=True)
class Exam(TrainingText):
    """One training exam: its text is that of a report, which is without sizes."""

    report: Report


class BreastPool:
    """Breasts of one source, by composition and by what they show.

    Attributes:
        complete: All findings of its breasts are listed.
        with_findings: Share of breasts with findings among those drawn, 0 to 1: how readily findings are then written.
    """

    def __init__(self, breasts: Sequence[EncodedBreast], complete: bool, with_findings: float = 0.5) -> None:
        self.complete = complete
        self.with_findings = with_findings
        self._compositions = tuple(dict.fromkeys(breast.composition for breast in breasts))
        self._groups: dict[tuple[Composition, tuple[View, ...]], list[list[EncodedBreast]]] = {
            (c, views): _by_findings([b for b in breasts if b.composition is c and set(views) <= set(b.tokens)])
            for c in self._compositions
            for views in ((View.CC,), (View.MLO,), (View.CC, View.MLO))
        }

    def suited(self, needed: Mapping[Laterality, tuple[View, ...]]) -> list[Composition]:
        """Compositions of which there are breasts with the views needed."""
        return [c for c in self._compositions if all(self._groups[(c, views)] for views in needed.values())]

    def pair(
        self, needed: Mapping[Laterality, tuple[View, ...]], rng: np.random.Generator
    ) -> dict[Laterality, EncodedBreast]:
        """A breast for every side, all of one composition, that show the views needed.

        Compositions have equal chances; breasts with findings have their share where there are both.
        """
        suited = self.suited(needed)
        composition = suited[int(rng.integers(len(suited)))]
        chosen = {}
        for side, views in needed.items():
            groups = self._groups[(composition, views)]
            group = groups[0] if rng.random() < self.with_findings else groups[-1]
            chosen[side] = group[int(rng.integers(len(group)))]
        return chosen


def _by_findings(breasts: Sequence[EncodedBreast]) -> list[list[EncodedBreast]]:
    """Breasts with findings and those without; a group that is empty is omitted."""
    groups = [[b for b in breasts if bool(b.findings) is wanted] for wanted in (True, False)]
    return [group for group in groups if group]


class ExamMaker:
    """Combines two breasts of one pool to an exam, determined by `(seed, step)` only.

    All exams of a step have the same views, so none is padded. Up to step `few_views` most steps have one view or one
    breast: single images are learned at a fraction of the cost, before four are read together. A share of the texts
    are some of `sentences` one after another, without images: words that are in no report of an exam here.
    """

    def __init__(
        self,
        pools: Sequence[tuple[float, BreastPool]],
        seed: int,
        few_views: int,
        sentences: Sequence[str] = (),
        sentence_share: float = 0.0,
    ) -> None:
        self._seed = seed
        self._few_views = few_views
        shares = np.array([share for share, _ in pools])
        self._shares = shares / shares.sum()
        self._pools = [pool for _, pool in pools]
        self._sentences = sentences
        self._sentence_share = sentence_share if sentences else 0.0

    def __call__(self, step: int, count: int) -> list[TrainingText]:
        """`count` texts of one step, at least one of an exam; image tokens varied."""
        rng = np.random.default_rng((self._seed, step, 1))
        without = min(int(rng.binomial(count, self._sentence_share)), count - 1)
        exams = self.exams(step, count - without)
        none = exams[0].tokens[:0]
        written = [TrainingText((), none, SENTENCES, self._written(rng)) for _ in range(without)]
        return [*exams, *written]

    def exams(self, step: int, count: int) -> list[Exam]:
        """`count` exams of one step, their image tokens varied."""
        rng = np.random.default_rng((self._seed, step))
        views = _few(rng) if step < self._few_views and rng.random() < 0.85 else _views(rng)
        return [self._varied(self._exam(views, _form(rng), rng), rng) for _ in range(count)]

    def _written(self, rng: np.random.Generator) -> str:
        """A few sentences one after another."""
        chosen = rng.integers(len(self._sentences), size=int(rng.integers(2, 8)))
        return "".join(self._sentences[i] for i in chosen).strip()

    def full_exams(self, count: int) -> list[Exam]:
        """`count` exams with all four views in the usual form, tokens as they are, the same at every call."""
        rng = np.random.default_rng(self._seed)
        return [self._exam(VIEW_ORDER, USUAL, rng) for _ in range(count)]

    @staticmethod
    def _varied(exam: Exam, rng: np.random.Generator) -> Exam:
        """The exam with other image tokens, as of other images of the same breasts."""
        return replace(exam, tokens=torch.from_numpy(vary_tokens(exam.tokens.numpy(), rng)))

    def _exam(self, views: Views, form: Form, rng: np.random.Generator) -> Exam:
        needed = {
            side: tuple(v for s, v in views if s is side) for side in Laterality if any(s is side for s, _ in views)
        }
        shares = self._shares * [bool(pool.suited(needed)) for pool in self._pools]
        pool = self._pools[int(rng.choice(len(self._pools), p=shares / shares.sum()))]
        pair = pool.pair(needed, rng)
        tokens = np.stack([pair[side].tokens[view] for side, view in views])
        sides = {side: findings_in_views(breast.findings, side, needed[side]) for side, breast in pair.items()}
        composition = next(iter(pair.values())).composition
        report = report_of(composition, sides)
        if form.wording is Wording.DMID and pool.complete:
            report = as_dmid_states(report)
        text = training_text(report, form.wording, form.answer, form.variant)
        found = torch.from_numpy(tokens.astype(np.float32))
        return Exam(views, found, instruction(form.wording, form.answer), text, without_sizes(report))


def report_of(composition: Composition, sides: Mapping[Laterality, list[Finding]]) -> Report:
    """The report of a combined exam: a category per breast, of its worst finding or 1; advice by the worst."""
    findings = tuple(
        f for side in Laterality for f in sorted(sides.get(side, []), key=lambda f: f.suspicion, reverse=True)
    )
    assessments = tuple(
        Assessment(category=worst_category(sides[side]), laterality=side) for side in Laterality if side in sides
    )
    worst = max((a.category for a in assessments), key=lambda c: c.suspicion)
    return Report(
        composition=composition,
        findings=findings,
        assessments=assessments,
        recommendation=usual_recommendation(worst),
    )


def _form(rng: np.random.Generator) -> Form:
    """The usual form most of the time, else any."""
    if rng.random() < USUAL_SHARE:
        return USUAL
    forms = list(product(Wording, AnswerForm, range(VARIANTS)))
    return Form(*forms[int(rng.integers(len(forms)))])


def _few(rng: np.random.Generator) -> Views:
    """One view, or sometimes both of one breast."""
    return _single(rng) if rng.random() < 0.65 else _one_breast(rng)


def _single(rng: np.random.Generator) -> Views:
    """One view of one breast."""
    return (VIEW_ORDER[int(rng.integers(4))],)


def _one_breast(rng: np.random.Generator) -> Views:
    """Both views of one breast."""
    side = list(Laterality)[int(rng.integers(2))]
    return tuple(v for v in VIEW_ORDER if v[0] is side)


def _one_of_each_breast(rng: np.random.Generator) -> Views:
    """One view of either breast, mostly of one projection."""
    right = View.CC if rng.random() < 0.5 else View.MLO
    left = right if rng.random() < 0.8 else View.MLO if right is View.CC else View.CC
    return ((Laterality.RIGHT, right), (Laterality.LEFT, left))


def _views(rng: np.random.Generator) -> Views:
    """Mostly all four views; sometimes those of an incomplete study."""
    draw = rng.random()
    if draw < 0.6:
        return VIEW_ORDER
    if draw < 0.71:
        return _one_breast(rng)
    if draw < 0.82:
        return _single(rng)
    if draw < 0.94:
        return _one_of_each_breast(rng)
    missing = int(rng.integers(4))
    return tuple(v for i, v in enumerate(VIEW_ORDER) if i != missing)
