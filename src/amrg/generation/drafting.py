"""From a study to a draft report: prepare the request, and finish what an engine generated of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from amrg import __version__
from amrg.birads import (
    Draft,
    Facility,
    Laterality,
    Provenance,
    Report,
    Status,
    Style,
    draft_banner,
    read_answer,
    render,
)
from amrg.core.errors import AmrgError
from amrg.generation.completeness import RatedReport, rate_every_breast
from amrg.generation.engines.base import Engine, Generation, ImageFeatures, ModelIdentity, Request, Unanswered
from amrg.generation.evidence import Supported, keep_supported
from amrg.generation.identifiers import identify, image_boxes
from amrg.generation.places import ViewCandidates, follow_boxes, locate_findings
from amrg.generation.problems import cut_answer, find_problems, same_pictures, unrated_breast
from amrg.generation.sizes import measure_sizes
from amrg.generation.stating import StatedReport, state_study
from amrg.generation.views import prepare_views
from amrg.imaging import FramedBreast, ImagingError, Mammogram, Study, hanging_order, missing_views
from amrg.models.settings import ModelSettings
from amrg.models.views import ViewEncoding


class NotAMammogram(AmrgError):
    """A study with an image that does not look like a mammogram."""


class NoAnswer(AmrgError):
    """A study that the engine gave no complete answer to."""


@dataclass(frozen=True)
class PreparedStudy:
    """A study with the request that an engine takes of it, and how its views were framed and encoded for that.

    `other_pictures` are the images that do not look like mammograms.
    """

    study: Study
    request: Request
    framed: tuple[FramedBreast, ...]
    encoding: ViewEncoding
    other_pictures: tuple[Mammogram, ...] = ()


@dataclass(frozen=True)
class DraftOptions:
    """How drafts are written: the style of the rendered text, and whether what looks like no mammogram is drafted.

    `study_facts`: the report states what is known of the study itself: its views, a category for every breast, what is
    unconfirmed in it, and no 1 or 2 for a breast without its CC or its MLO. A benchmark scores what the model states,
    so it sets this to False. `facility`: where the report is issued, if the law there fixes words of the text.
    `mastectomy`: the breasts that the patient has had removed, as far as known; it needs `study_facts`.

    Raises:
        ValueError: there is no such style.
    """

    style: Style = Style.CLINICAL
    force: bool = False
    study_facts: bool = True
    facility: Facility | None = None
    mastectomy: tuple[Laterality, ...] = ()

    def __post_init__(self) -> None:
        """Take a style by its name too."""
        object.__setattr__(self, "style", Style(self.style))


def draft_report(study: Study, engine: Engine, style: Style = Style.CLINICAL, force: bool = False) -> Draft:
    """Draft the report of a study. The report's status is `draft`; nothing of it is verified.

    Raises:
        NotAMammogram: an image does not look like a mammogram, and `force` is not set.
        ImagingError: a view's file is gone or no longer readable, or there is no view.
        NoAnswer: the engine gave no complete answer.
    """
    options = DraftOptions(style, force)
    prepared = prepare(study, engine.settings)
    refuse_other_pictures(prepared, options)
    (generation,) = engine.generate([prepared.request])
    if isinstance(generation, Unanswered):
        raise NoAnswer(generation.message)
    return finish(prepared, generation, engine.identity, options)


def prepare(study: Study, settings: ModelSettings) -> PreparedStudy:
    """Read and frame the views of a study as a model takes them.

    Raises:
        ImagingError: a view's file is gone or no longer readable, or there is no view.
    """
    mammograms, encoding = hanging_order(study), settings.encoding
    if not mammograms:
        raise ImagingError("the study has no screening view")
    views = prepare_views(mammograms, encoding)
    request = Request(tuple((m.laterality, m.view) for m in mammograms), tuple(v.image for v in views))
    others = tuple(m for m, v in zip(mammograms, views, strict=True) if v.likeness < 0)
    return PreparedStudy(study, request, tuple(v.framed for v in views), encoding, others)


def refuse_other_pictures(prepared: PreparedStudy, options: DraftOptions) -> None:
    """Refuse a study with an image that does not look like a mammogram, unless that is forced.

    Raises:
        NotAMammogram: naming the images.
    """
    if not prepared.other_pictures or options.force:
        return
    named = ", ".join(f"{m.laterality}{m.view} ({m.source.name})" for m in prepared.other_pictures)
    several = len(prepared.other_pictures) > 1
    raise NotAMammogram(
        f"no draft: {named} {'do not look like mammograms' if several else 'does not look like a mammogram'}; expected "
        "images of one breast each, dark around it. Remove what is none from the study, or draft it all the same with "
        "`amrg report --force`."
    )


def finish(prepared: PreparedStudy, generation: Generation, identity: ModelIdentity, options: DraftOptions) -> Draft:
    """Read the text, locate, remove what the features do not support, measure, and render."""
    study, text, domain = prepared.study, generation.text, generation.domain
    answer = read_answer(text)
    rated = RatedReport(answer.report)
    if options.study_facts:
        rated = rate_every_breast(answer.report, dict.fromkeys(side for side, _ in prepared.request.views))
    supported = _supported(rated.report, prepared, generation.features)
    placed, place_changes = follow_boxes(supported.report)
    sized, size_changes = measure_sizes(placed, study)
    stated = StatedReport(sized, supported.category_changes, missing=tuple(missing_views(study)))
    if options.study_facts:
        stated = state_study(replace(supported, report=sized), study, options.mastectomy)
    near = None if domain is None else domain.in_domain
    provenance = Provenance(
        software=f"amrg {__version__}", model=identity.name, model_hash=identity.weights, in_domain=near
    )
    report = stated.report.model_copy(update={"status": Status.DRAFT, "provenance": provenance, "narrative": text})
    others = tuple((m.laterality, m.view) for m in prepared.other_pictures)
    same = same_pictures(prepared.request.views, prepared.framed)
    cut = () if generation.cut_at is None else (cut_answer(generation.cut_at),)
    found = find_problems(answer, report, prepared.request.views, study.prior is not None)
    return Draft(
        banner=draft_banner(
            identity.name,
            stated.missing,
            other_pictures=others,
            unlike_training=None if domain is None or near else (domain.distance, domain.threshold),
        ),
        study=identify(study),
        in_domain=near,
        domain_distance=None if domain is None else domain.distance,
        domain_threshold=None if domain is None else domain.threshold,
        other_pictures=others,
        suspicion=None if generation.features is None else generation.features.suspicion,
        missing_views=stated.missing,
        removed=supported.removed,
        category_changes=stated.category_changes,
        place_changes=place_changes,
        size_changes=(*size_changes, *stated.size_changes),
        incomplete=stated.incomplete,
        problems=(*cut, *study.remarks(), *same, *map(unrated_breast, rated.unrated), *stated.problems, *found),
        report=report,
        boxes=tuple(image_boxes(report, study)),
        text=render(report, options.style, facility=options.facility),
        model_text=text,
    )


def _supported(report: Report, prepared: PreparedStudy, features: ImageFeatures | None) -> Supported:
    """The findings that the image features support, with their places; all of them where there are no features."""
    if features is None:
        return Supported(report)
    return keep_supported(locate_findings(report, view_candidates(prepared, features), prepared.encoding))


def view_candidates(prepared: PreparedStudy, features: ImageFeatures) -> list[ViewCandidates]:
    """What the tower marks, view by view."""
    each = zip(hanging_order(prepared.study), prepared.framed, features.candidates, strict=True)
    return [
        ViewCandidates(m.laterality, m.view, framed, (m.rows, m.columns), candidates) for m, framed, candidates in each
    ]
