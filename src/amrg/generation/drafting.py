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
from amrg.generation.engines.base import Accept, Engine, Generation, ImageFeatures, ModelIdentity, Request
from amrg.generation.evidence import Supported, keep_supported
from amrg.generation.identifiers import identify, image_boxes
from amrg.generation.places import ViewCandidates, follow_boxes, locate_findings
from amrg.generation.problems import find_problems
from amrg.generation.sizes import measure_sizes
from amrg.generation.stating import StatedReport, state_study
from amrg.imaging import FramedBreast, ImagingError, Study, hanging_order, missing_views
from amrg.models.settings import ModelSettings
from amrg.models.views import ViewEncoding, frame_for, model_image


class OutsideDomain(AmrgError):
    """A study unlike anything the model was trained on."""


@dataclass(frozen=True)
class PreparedStudy:
    """A study with the request that an engine takes of it, and how its views were framed and encoded for that."""

    study: Study
    request: Request
    framed: tuple[FramedBreast, ...]
    encoding: ViewEncoding


@dataclass(frozen=True)
class DraftOptions:
    """How drafts are written: the style of the rendered text, and whether studies outside the domain are drafted.

    `study_facts`: the report states what is known of the study itself: its views, what is unconfirmed in it, and no 1
    or 2 for a breast without its CC or its MLO. A benchmark scores what the model states, so it sets this to False.
    `facility`: where the report is issued, if the law there fixes words of the text. `mastectomy`: the breasts that the
    patient has had removed, as far as known; it needs `study_facts`.
    """

    style: Style = Style.CLINICAL
    force: bool = False
    study_facts: bool = True
    facility: Facility | None = None
    mastectomy: tuple[Laterality, ...] = ()

    @property
    def accept(self) -> Accept | None:
        """Which image features an engine is to decode a text for; None: all."""
        return None if self.force else lambda features: check_domain(features).in_domain is not False


@dataclass(frozen=True)
class DomainCheck:
    """Distance from the training images and the threshold; None without a guard."""

    distance: float | None = None
    threshold: float | None = None

    @property
    def in_domain(self) -> bool | None:
        """Whether the distance is within the threshold."""
        return None if self.distance is None or self.threshold is None else self.distance <= self.threshold


def draft_report(study: Study, engine: Engine, style: Style = Style.CLINICAL, force: bool = False) -> Draft:
    """Draft the report of a study. The report's status is `draft`; nothing of it is verified.

    Raises:
        OutsideDomain: the study is unlike anything the model was trained on, and `force` is not set.
        ImagingError: a view's file is gone or no longer readable, or there is no view.
    """
    options = DraftOptions(style, force)
    prepared = prepare(study, engine.settings)
    (generation,) = engine.generate([prepared.request], options.accept)
    return finish(prepared, generation, engine.identity, options)


def prepare(study: Study, settings: ModelSettings) -> PreparedStudy:
    """Read and frame the views of a study as a model takes them.

    Raises:
        ImagingError: a view's file is gone or no longer readable, or there is no view.
    """
    mammograms, encoding = hanging_order(study), settings.encoding
    if not mammograms:
        raise ImagingError("the study has no screening view")
    framed = tuple(frame_for(m, encoding) for m in mammograms)
    images = tuple(model_image(f, m.laterality, encoding) for f, m in zip(framed, mammograms, strict=True))
    request = Request(tuple((m.laterality, m.view) for m in mammograms), images)
    return PreparedStudy(study, request, framed, encoding)


def finish(prepared: PreparedStudy, generation: Generation, identity: ModelIdentity, options: DraftOptions) -> Draft:
    """Read the text, locate, remove what the features do not support, measure, and render.

    Raises:
        OutsideDomain: the study is unlike anything the model was trained on, and `options.force` is not set.
    """
    domain = check_domain(generation.features)
    if generation.text is None or (domain.in_domain is False and not options.force):
        raise OutsideDomain(_outside(identity.name, domain))
    study, text = prepared.study, generation.text
    answer = read_answer(text)
    supported = _supported(answer.report, prepared, generation.features)
    placed, place_changes = follow_boxes(supported.report)
    sized, size_changes = measure_sizes(placed, study)
    stated = StatedReport(sized, supported.category_changes, missing=tuple(missing_views(study)))
    if options.study_facts:
        stated = state_study(replace(supported, report=sized), study, options.mastectomy)
    provenance = Provenance(
        software=f"amrg {__version__}", model=identity.name, model_hash=identity.weights, in_domain=domain.in_domain
    )
    report = stated.report.model_copy(update={"status": Status.DRAFT, "provenance": provenance, "narrative": text})
    found = find_problems(answer, report, prepared.request.views, study.prior is not None)
    return Draft(
        banner=draft_banner(identity.name, domain.in_domain, stated.missing),
        study=identify(study),
        in_domain=domain.in_domain,
        domain_distance=domain.distance,
        domain_threshold=domain.threshold,
        suspicion=None if generation.features is None else generation.features.suspicion,
        missing_views=stated.missing,
        removed=supported.removed,
        category_changes=stated.category_changes,
        place_changes=place_changes,
        size_changes=(*size_changes, *stated.size_changes),
        incomplete=stated.incomplete,
        problems=(*study.remarks(), *stated.problems, *found),
        report=report,
        boxes=tuple(image_boxes(report, study)),
        text=render(report, options.style, facility=options.facility),
        model_text=text,
    )


def check_domain(features: ImageFeatures | None) -> DomainCheck:
    """How far images are from those that the model was trained on, by its guard where it has one."""
    if features is None or features.guard is None:
        return DomainCheck()
    return DomainCheck(features.guard.distance(features.statistics), features.guard.threshold)


def _outside(name: str, domain: DomainCheck) -> str:
    """The one sentence that a user reads in place of a draft."""
    how_far = (
        "" if domain.distance is None else f" (distance {domain.distance:.1f}, expected at most {domain.threshold:.1f})"
    )
    return (
        f"no draft: these images are outside the domain of model {name}{how_far}; it was trained on drawn phantoms "
        "only. Use --model with one trained on such images, or --force to draft all the same."
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
