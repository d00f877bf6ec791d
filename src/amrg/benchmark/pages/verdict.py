"""Do the scores show that the images were read? The answer, from skill and perturbed images alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from amrg.metrics.display import counted, with_interval
from amrg.metrics.scores import MetricChange, MetricScore, Number, Scores, Skill, SystemScores
from amrg.metrics.statistics import FEW_GROUPS
from amrg.metrics.strict import leading_metrics

WITHOUT_OWN_IMAGES = ("blanked", "shuffled")
"""Perturbations that remove the case's own images, so that a metric must get worse."""

MAX_P = 0.05
"""Largest p of a change that counts as one."""


class VerdictAnswer(StrEnum):
    """What the metrics support."""

    YES = "yes"
    PARTLY = "in part"
    NO = "no"
    UNKNOWN = "cannot tell"


class Support(StrEnum):
    """What one comparison supports: that the images were read, the contrary, or nothing."""

    YES = "yes"
    NO = "no"
    NONE = "not distinguishable"


@dataclass(frozen=True)
class Evidence:
    """What one metric shows: `better` than the best blind baseline, None where that was not measured, and `worse` by
    perturbation of those that the run has.

    `few_groups`: a comparison is over fewer than `FEW_GROUPS` groups, so it supports nothing.
    """

    metric: str
    score: MetricScore
    blind: Number | None
    skill: Skill | None
    changes: dict[str, MetricChange]
    better: Support | None
    worse: dict[str, Support]
    few_groups: bool

    @property
    def reads(self) -> bool | None:
        """Whether all that was measured supports that the images were read; None where nothing was measured."""
        signs = [s for s in (self.better, *self.worse.values()) if s is not None]
        return all(s is Support.YES for s in signs) if signs else None


@dataclass(frozen=True)
class Verdict:
    """The answer, its headline, the sentences that explain it, and the metrics they are based on."""

    answer: VerdictAnswer
    headline: str
    sentences: tuple[str, ...]
    evidence: tuple[Evidence, ...]


def verdict(scores: Scores) -> Verdict:
    """The verdict of a run, over its main metrics."""
    system = scores.systems[scores.system]
    evidence = tuple(_evidence(name, scores, system) for name in leading_metrics(system.metrics))
    judged = [e for e in evidence if e.reads is not None]
    answer = _answer(judged, scores)
    return Verdict(answer, _headline(answer, judged, scores), tuple(_sentences(evidence, scores)), evidence)


def _evidence(name: str, scores: Scores, system: SystemScores) -> Evidence:
    score = system.metrics[name]
    skill = score.skill
    blind = scores.systems.get(skill.blind) if skill is not None else None
    changed = {k: p for k, p in scores.perturbed.items() if k in WITHOUT_OWN_IMAGES and name in p.change}
    changes = {k: p.change[name] for k, p in changed.items()}
    sign = -1 if score.higher_is_better else 1
    return Evidence(
        metric=name,
        score=score,
        blind=blind.metrics.get(name) if blind is not None else None,
        skill=skill,
        changes=changes,
        better=better_than_blind(score),
        worse={k: _change_support(c, sign) for k, c in changes.items()},
        few_groups=min([_groups_with_skill(score), *(c.groups for c in changes.values())]) < FEW_GROUPS,
    )


def better_than_blind(score: MetricScore) -> Support | None:
    """Whether a metric is better than the best blind baseline; None where it has no skill with an interval."""
    return None if score.skill is None else _support(score.skill, 1, _groups_with_skill(score))


def _groups_with_skill(score: MetricScore) -> int:
    """The groups that a metric's skill is over, where it is known; else those of the metric."""
    return score.groups if score.skill is None or score.skill.groups is None else score.skill.groups


def _support(of: Number, sign: int, groups: int) -> Support | None:
    """YES where the interval, times `sign`, is above zero, NO where it is below; None where there is no interval."""
    if of.low is None or of.high is None:
        return None
    if groups < FEW_GROUPS:
        return Support.NONE
    low, high = sorted((sign * of.low, sign * of.high))
    return Support.YES if low > 0 else Support.NO if high < 0 else Support.NONE


def _change_support(change: MetricChange, sign: int) -> Support:
    """As `_support`, and NONE too where there is no interval or no p, or one above `MAX_P`."""
    support = _support(change, sign, change.groups)
    certain = change.p is not None and change.p <= MAX_P
    return support if support is not None and certain else Support.NONE


def _answer(judged: Sequence[Evidence], scores: Scores) -> VerdictAnswer:
    if all(e.few_groups for e in judged):
        return VerdictAnswer.UNKNOWN
    reading = sum(e.reads is True for e in judged)
    return VerdictAnswer.YES if reading == len(judged) else VerdictAnswer.PARTLY if reading else VerdictAnswer.NO


def _headline(answer: VerdictAnswer, judged: Sequence[Evidence], scores: Scores) -> str:
    """The answer in one line."""
    reading = sum(e.reads is True for e in judged)
    if answer is VerdictAnswer.UNKNOWN:
        perturbed = [p.n for how, p in scores.perturbed.items() if how in WITHOUT_OWN_IMAGES]
        drafted_again = f", {counted(min(perturbed), 'case')} on perturbed images" if perturbed else ""
        required = f"; {FEW_GROUPS} groups are required" if judged else ""
        return (
            f"This run cannot tell whether the images were read: {counted(scores.data.n, 'case')} in "
            f"{counted(scores.data.groups, 'group')}{drafted_again}, "
            f"{counted(len(judged), 'main metric')} with an interval{required}."
        )
    tail = f"{reading} of {counted(len(judged), 'main metric')} {'shows' if reading == 1 else 'show'}"
    headline = {
        VerdictAnswer.YES: f"Yes: {tail} that the images were read.",
        VerdictAnswer.PARTLY: f"In part: {tail} that the images were read.",
        VerdictAnswer.NO: f"No: {tail} that the images were read. Drafts as good can be written without images.",
    }[answer]
    return f"{headline[:-1]} (on training data)." if scores.data.trained_on else headline


def _sentences(evidence: Sequence[Evidence], scores: Scores) -> Iterable[str]:
    """The explanation of the headline, each sentence from its own metrics."""
    yield _against_blind(evidence)
    for change in WITHOUT_OWN_IMAGES:
        measured = [e for e in evidence if e.worse.get(change) is not None]
        if measured:
            worse = [e.metric for e in measured if e.worse[change] is Support.YES]
            rest = "; of the others this cannot be said" if 0 < len(worse) < len(measured) else ""
            yield (
                f"With {change} images, {len(worse)} of {counted(len(measured), 'main metric')} "
                f"{'gets' if len(worse) == 1 else 'get'} worse, beyond the 95 % interval and with p "
                f"at most {MAX_P}{_named(worse, len(measured))}{rest}."
            )
    if not any(e.worse for e in evidence):
        yield (
            "The system was not run on perturbed images, so it was not tested whether its drafts depend on the images: "
            "this verdict is based on the blind baselines alone."
        )
    few = [e.metric for e in evidence if e.reads is not None and e.few_groups]
    if few:
        yield (
            f"Fewer than {FEW_GROUPS} groups of cases show nothing, whatever the interval: "
            f"{len(few)} of {counted(len(evidence), 'main metric')}{_named(few, len(evidence))}."
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
    better = [e.metric for e in judged if e.better is Support.YES]
    beaten = [e.metric for e in judged if e.better is Support.NO]
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
