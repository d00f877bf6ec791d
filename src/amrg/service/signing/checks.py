"""What a person must have seen before signing: broken rules, text against facts, what is missing, new images."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from amrg.birads import (
    Laterality,
    ReportVersion,
    Status,
    View,
    check,
    describe_finding,
    differences,
    parse,
)
from amrg.birads.checking import assessments_of
from amrg.birads.renderer.phrasing import SIDE
from amrg.core.hashing import sha256_of_text
from amrg.service.database.tables import StudyRow
from amrg.service.signing.editing import addenda_of
from amrg.service.signing.errors import Caution, NotAcknowledged

_OF_THE_TEXT = ("composition-against-narrative", "category-against-narrative")


def cautions(version: ReportVersion, study: StudyRow, image_revision: int) -> tuple[Caution, ...]:
    """What stands against signing a version that is of the study's images at a revision; empty where nothing does."""
    new = study.image_revision - image_revision
    message = "new images since this draft, which says nothing of them"
    found = [Caution(f"new-images.{study.image_revision}", message)] if new > 0 else []
    stated = (*_rules(version), *_text(version), *_missing(version), *_cleared_unimaged(version), *_undecided(version))
    return tuple(dict.fromkeys((*found, *_as_cautions((*stated, *_replacing(version))))))


def _as_cautions(stated: Iterable[tuple[str, str]]) -> Iterator[Caution]:
    """Kinds and messages with their keys."""
    return (Caution(f"{kind}.{sha256_of_text(message)[:8]}", message) for kind, message in stated)


def require_acknowledged(found: Collection[Caution], acknowledged: Collection[str]) -> None:
    """Refuse unless every caution's key is among those acknowledged.

    Raises:
        NotAcknowledged: naming those that are not.
    """
    if missing := tuple(caution for caution in found if caution.key not in acknowledged):
        raise NotAcknowledged(missing)


def _rules(version: ReportVersion) -> Iterator[tuple[str, str]]:
    report = version.report.model_copy(update={"narrative": version.text})
    for violation in check(report, _views(version) or None):
        if violation.rule in _OF_THE_TEXT:
            continue  # `_text` says more
        yield violation.rule, f"{violation.path}: {violation.message}"


def _views(version: ReportVersion) -> tuple[tuple[Laterality, View], ...]:
    """The views that were read; those that the report names where the images are not known."""
    if version.draft.study is not None:
        return tuple((image.laterality, image.view) for image in version.draft.study.images)
    return () if version.report.technique is None else version.report.technique.views


def _text(version: ReportVersion) -> Iterator[tuple[str, str]]:
    """The text as amrg reads it, against the facts that are delivered as codes."""
    read, coded = parse(version.text).report, version.report
    for line in differences(coded, read, "coded report"):
        yield "text", line
    if coded.worst is not None and read.worst is None:
        yield "text", f"no category in the narrative; the coded report has {coded.worst}"
    for side in sorted(set(read.mastectomy) - set(coded.mastectomy)):
        yield "text", f"mastectomy of the {SIDE[side]} breast only in the narrative"
    if read.technique is not None and coded.technique is not None:
        imaged, named = ({side for side, _ in t.views} for t in (coded.technique, read.technique))
        for side in sorted(imaged ^ named):
            where = "narrative" if side in named else "coded report"
            yield "text", f"views of the {SIDE[side]} breast only in the {where}"


def _missing(version: ReportVersion) -> Iterator[tuple[str, str]]:
    """What every report of these images states."""
    report = version.report
    if report.composition is None:
        yield "missing", "no breast composition is stated"
    if report.recommendation is None:
        yield "missing", "no recommendation is stated"
    imaged = {side for side, _ in _views(version)} - set(report.mastectomy)
    for side in sorted(imaged):
        if not assessments_of(report, side):
            yield "missing", f"no category of the {SIDE[side]} breast is stated, of which views were taken"


def _cleared_unimaged(version: ReportVersion) -> Iterator[tuple[str, str]]:
    """A breast that is called negative or benign and was not seen on CC and MLO, as drafts never call it."""
    missing = version.draft.missing_views
    for side in Laterality:
        lacking = [str(view) for of, view in missing if of is side and side not in version.report.mastectomy]
        for assessment in assessments_of(version.report, side) if lacking else ():
            if assessment.category.major in (1, 2):
                what = f"{SIDE[side]} breast is {assessment.category} without its {' and '.join(lacking)}; expected 0"
                yield "cleared-unimaged", what


def _replacing(version: ReportVersion) -> Iterator[tuple[str, str]]:
    """A draft in place of what a reader had changed, be it edited since."""
    if version.status in (Status.DRAFT, Status.PRELIMINARY) and version.reason:
        yield "replacing", version.reason


def lost(before: ReportVersion, after: ReportVersion) -> Iterator[Caution]:
    """What a version that is to be signed no longer has of those before it: changes of a reader, and addenda."""
    yield from _as_cautions(_replacing(before))
    for heading in addenda_of(before.text):
        if heading not in after.text:
            yield from _as_cautions([("addendum", f"the text no longer has what began with {heading}")])


def _undecided(version: ReportVersion) -> Iterator[tuple[str, str]]:
    for finding in version.report.unconfirmed:
        yield "unconfirmed", f"not confirmed in the images, neither accepted nor rejected: {describe_finding(finding)}"
