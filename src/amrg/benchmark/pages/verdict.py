"""Do the scores show that the images were read? The answer, from skill and perturbed images alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from amrg.metrics.display import counted, with_interval
from amrg.metrics.families import main_metrics
from amrg.metrics.scores import MetricChange, MetricScore, Number, Scores, Skill, SystemScores

WITHOUT_OWN_IMAGES = ("blanked", "shuffled")
"""Perturbations that remove the case's own images, so that a metric must get worse."""


class Answer(StrEnum):
    """What the metrics support."""

    YES = "yes"
    PARTLY = "in part"
    NO = "no"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True)
class Evidence:
    """What one metric shows. `better` and `worse` are True where the interval supports that the images were read."""

    metric: str
    score: MetricScore
    blind: Number | None
    skill: Skill | None
    changes: dict[str, MetricChange]
    better: bool | None
    worse: dict[str, bool | None]

    @property
    def reads(self) -> bool | None:
        """Whether all that was measured supports that the images were read; None where nothing was measured."""
        signs = [s for s in (self.better, *self.worse.values()) if s is not None]
        return all(signs) if signs else None


@dataclass(frozen=True)
class Verdict:
    """The answer, its headline, the sentences that explain it, and the metrics they are based on."""

    answer: Answer
    headline: str
    sentences: tuple[str, ...]
    evidence: tuple[Evidence, ...]


def verdict(scores: Scores) -> Verdict:
    """The verdict of a run, over its main metrics."""
    system = scores.systems[scores.system]
    evidence = tuple(_evidence(name, scores, system) for name in main_metrics(system.metrics))
    judged = [e for e in evidence if e.reads is not None]
    answer = _answer(judged, scores)
    return Verdict(answer, _headline(answer, judged, scores), tuple(_sentences(evidence, scores)), evidence)


def _evidence(name: str, scores: Scores, system: SystemScores) -> Evidence:
    score = system.metrics[name]
    skill = score.skill
    blind = scores.systems.get(skill.blind) if skill is not None else None
    changes = {k: p.change[name] for k, p in scores.perturbed.items() if k in WITHOUT_OWN_IMAGES and name in p.change}
    return Evidence(
        metric=name,
        score=score,
        blind=blind.metrics.get(name) if blind is not None else None,
        skill=skill,
        changes=changes,
        better=_above_zero(skill, 1) if skill is not None else None,
        worse={k: _above_zero(c, -1 if score.higher_is_better else 1) for k, c in changes.items()},
    )


def _above_zero(of: Number, sign: int) -> bool | None:
    """Whether the interval, times `sign`, is above zero; None where there is no interval."""
    if of.low is None or of.high is None:
        return None
    return min(sign * of.low, sign * of.high) > 0


def _answer(judged: Sequence[Evidence], scores: Scores) -> Answer:
    if not judged or scores.data.groups < 2:
        return Answer.UNKNOWN
    reading = sum(e.reads is True for e in judged)
    return Answer.YES if reading == len(judged) else Answer.PARTLY if reading else Answer.NO


def _headline(answer: Answer, judged: Sequence[Evidence], scores: Scores) -> str:
    """The answer in one line."""
    reading = sum(e.reads is True for e in judged)
    if answer is Answer.UNKNOWN:
        return (
            f"This run cannot tell whether the images were read: {counted(scores.data.n, 'case')} in "
            f"{counted(scores.data.groups, 'group')}, {counted(len(judged), 'main metric')} with an interval."
        )
    tail = f"{reading} of {counted(len(judged), 'main metric')} {'shows' if reading == 1 else 'show'}"
    headline = {
        Answer.YES: f"Yes: {tail} that the images were read.",
        Answer.PARTLY: f"In part: {tail} that the images were read.",
        Answer.NO: f"No: {tail} that the images were read. Drafts as good can be written without images.",
    }[answer]
    return f"{headline[:-1]} (on training data)." if scores.data.trained_on else headline


def _sentences(evidence: Sequence[Evidence], scores: Scores) -> Iterable[str]:
    """The explanation of the headline, each sentence from its own metrics."""
    yield _against_blind(evidence)
    for change in WITHOUT_OWN_IMAGES:
        measured = [e for e in evidence if e.worse.get(change) is not None]
        if measured:
            worse = [e.metric for e in measured if e.worse[change]]
            rest = "; the others do not get worse without the case's own images" if len(worse) < len(measured) else ""
            yield (
                f"With {change} images, {len(worse)} of {counted(len(measured), 'main metric')} "
                f"{'gets' if len(worse) == 1 else 'get'} worse, beyond the 95 % interval"
                f"{_named(worse, len(measured))}{rest}."
            )
    if not any(e.worse for e in evidence):
        yield (
            "The system was not run on perturbed images, so it was not tested whether its drafts depend on the images: "
            "this verdict is based on the blind baselines alone."
        )
    yield from _sides(scores)
    with_skill = [(e.skill, e) for e in evidence if e.skill is not None and e.skill.value is not None]
    if len(with_skill) > 1:
        ranked = sorted(with_skill, key=lambda pair: pair[0].value or 0.0)
        (low, weakest), (high, strongest) = ranked[0], ranked[-1]
        yield (
            f"Most skill: {strongest.metric}, {with_interval(high)}. "
            f"Least skill: {weakest.metric}, {with_interval(low)}. 1 is perfect, 0 is the best blind baseline."
        )
    judged = sum(e.reads is not None for e in evidence)
    if judged > 1:
        yield (
            f"Each of the {judged} metrics is judged separately, without correction: by chance alone, one comparison "
            "in 40 looks better than it is."
        )


def _against_blind(evidence: Sequence[Evidence]) -> str:
    judged = [e for e in evidence if e.better is not None]
    if not judged:
        return "No main metric has a skill with an interval: that requires blind baselines and several groups of cases."
    better = [e.metric for e in judged if e.better]
    beaten = [e.metric for e in judged if e.skill is not None and _above_zero(e.skill, -1)]
    text = (
        f"{len(better)} of {counted(len(judged), 'main metric')} {'is' if len(better) == 1 else 'are'} better than "
        f"the best blind baseline, beyond the 95 % interval{_named(better, len(judged))}"
    )
    return f"{text}; {len(beaten)} worse than it{_named(beaten, len(judged))}." if beaten else f"{text}."


def _sides(scores: Scores) -> Iterable[str]:
    """What mirrored images did to the sides that drafts state."""
    metrics = scores.perturbed["mirrored"].metrics if "mirrored" in scores.perturbed else {}
    swapped, unchanged = metrics.get("sides_swapped_share"), metrics.get("sides_unchanged_share")
    if swapped is not None and swapped.value is not None:
        also = (
            f"; {with_interval(unchanged)} left them unchanged"
            if unchanged is not None and unchanged.value is not None
            else ""
        )
        yield (
            f"With mirrored images, of the {swapped.n} drafts that differ between the breasts a share of "
            f"{with_interval(swapped)} swapped the sides, as they must{also}."
        )


def _named(names: Sequence[str], of: int) -> str:
    """The names in brackets, where they are some and not all."""
    return f" ({', '.join(names)})" if 0 < len(names) < of else ""
