"""What a person must have seen before signing: broken rules of BI-RADS, text that contradicts the facts, new images."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from amrg.birads import ReportVersion, check, describe_finding, differences, parse
from amrg.core.hashing import sha256_of_text
from amrg.service.database.tables import StudyRow
from amrg.service.signing.errors import Caution, NotAcknowledged

_OF_THE_TEXT = ("composition-against-narrative", "category-against-narrative")


def cautions(version: ReportVersion, study: StudyRow, image_revision: int) -> tuple[Caution, ...]:
    """What stands against signing a version that is of the study's images at a revision; empty where nothing does."""
    new = study.image_revision - image_revision
    message = "new images since this draft, which says nothing of them"
    found = [Caution(f"new-images.{study.image_revision}", message)] if new > 0 else []
    for kind, message in (*_rules(version), *_text(version), *_undecided(version)):
        found.append(Caution(f"{kind}.{sha256_of_text(message)[:8]}", message))
    return tuple(dict.fromkeys(found))


def require_acknowledged(found: Collection[Caution], acknowledged: Collection[str]) -> None:
    """Refuse unless every caution's key is among those acknowledged.

    Raises:
        NotAcknowledged: naming those that are not.
    """
    if missing := tuple(caution for caution in found if caution.key not in acknowledged):
        raise NotAcknowledged(missing)


def _rules(version: ReportVersion) -> Iterator[tuple[str, str]]:
    report = version.report.model_copy(update={"narrative": version.text})
    views = report.technique.views if report.technique is not None else None
    if version.draft.study is not None:
        views = tuple((image.laterality, image.view) for image in version.draft.study.images)
    for violation in check(report, views):
        if violation.rule in _OF_THE_TEXT:
            continue  # `_text` says more
        yield violation.rule, f"{violation.path}: {violation.message}"


def _text(version: ReportVersion) -> Iterator[tuple[str, str]]:
    """The text as amrg reads it, against the facts that are delivered as codes."""
    read = parse(version.text).report
    for line in differences(version.report, read, "coded report"):
        yield "text", line
    if version.report.worst is not None and read.worst is None:
        yield "text", f"no category in the narrative; the coded report has {version.report.worst}"


def _undecided(version: ReportVersion) -> Iterator[tuple[str, str]]:
    for finding in version.report.unconfirmed:
        yield "unconfirmed", f"not confirmed in the images, neither accepted nor rejected: {describe_finding(finding)}"
