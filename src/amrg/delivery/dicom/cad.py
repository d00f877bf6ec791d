"""What the model marked, for workstations that draw CAD marks: Mammography CAD SR, TID 4000 of PS3.16.

Marks are those of the findings that the version still has. The Summary of Detections says on which images detection
succeeded, so that an exam without findings is distinguished from one that was not analysed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import MammographyCADSRStorage

from amrg.birads import Kind, Laterality, ReportVersion, Status, View
from amrg.delivery.dicom import items
from amrg.delivery.dicom.codes import DCM, PERCENT
from amrg.delivery.dicom.context import language
from amrg.delivery.dicom.document import add_document, add_evidence, new_object, read_images, to_bytes
from amrg.delivery.dicom.identity import ObjectKind
from amrg.delivery.dicom.regions import LocatedFinding, corners, located_findings
from amrg.delivery.source import SourceStudy, study_date
from amrg.imaging.evidence.codes import SCHEME, code_of

_SINGLE, _STATUS, _INTENT, _SUMMARY = codes.CID6014, codes.CID6042, codes.CID6034, codes.CID6047
_BREASTS = {Laterality.RIGHT: codes.CID6022.RightBreast, Laterality.LEFT: codes.CID6022.LeftBreast}
_FEATURES = {
    Kind.CALCIFICATIONS: _SINGLE.CalcificationCluster,
    Kind.DISTORTION: _SINGLE.ArchitecturalDistortionOfBreast,
    Kind.INTRAMAMMARY_NODE: _SINGLE.IntramammaryLymphNode,
    Kind.AXILLARY_NODE: _SINGLE.AxillaryLymphNode,
    Kind.SKIN_LESION: _SINGLE.SkinLesion,
    Kind.SKIN_THICKENING: _SINGLE.SkinThickeningOfBreast,
    Kind.SKIN_RETRACTION: _SINGLE.SkinRetractionOfBreast,
    Kind.NIPPLE_RETRACTION: _SINGLE.Nipple,
    Kind.TRABECULAR_THICKENING: _SINGLE.TrabecularThickeningOfBreast,
    Kind.DILATED_DUCT: _SINGLE.TubularDensity,
}
_DENSITY = _SINGLE.MammographyBreastDensity
"""What a mass or an asymmetry is on one image."""
_DETECTED = (_DENSITY, _SINGLE.CalcificationCluster, _SINGLE.ArchitecturalDistortionOfBreast)
_LIBRARY = 2  # the Image Library is the second item of the root, after the language


@dataclass(frozen=True)
class Detection:
    """On which images, by their SOP Instance UIDs, detection succeeded and on which it failed.

    `missed` are features with the images of a breast where the report has a finding of them and no mark.
    """

    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    missed: frozenset[tuple[Code, str]] = frozenset()

    @property
    def images(self) -> tuple[str, ...]:
        """All images on which it was attempted."""
        return (*self.succeeded, *self.failed)

    @property
    def is_whole(self) -> bool:
        """Whether it failed nowhere."""
        return not self.failed and not self.missed

    @property
    def status(self) -> Code:
        """Summary of Detections, CID 6042."""
        if not self.images:
            return _STATUS.NotAttempted
        if self.is_whole:
            return _STATUS.Succeeded
        return _STATUS.PartiallySucceeded if self.succeeded else _STATUS.Failed

    def summary(self, has_findings: bool) -> Code:
        """CAD Processing and Findings Summary, CID 6047."""
        if not self.succeeded:
            return _SUMMARY.NoAlgorithmsSucceededWithoutFindings
        if not self.is_whole:
            partly = _SUMMARY.NotAllAlgorithmsSucceededWithFindings, _SUMMARY.NotAllAlgorithmsSucceededWithoutFindings
            return partly[not has_findings]
        return (_SUMMARY.AllAlgorithmsSucceededWithFindings, _SUMMARY.AllAlgorithmsSucceededWithoutFindings)[
            not has_findings
        ]


def detection(version: ReportVersion, source: SourceStudy) -> Detection:
    """On which images the model looked for findings.

    A model without image features marks nothing, and a withdrawn version states nothing: not attempted. It failed on
    views that do not look like mammograms, on images for presentation that are in the study and not in the draft, and,
    for its kind of feature, on the breast of a finding that the report has without a mark: such a report must not look
    like one without findings.
    """
    draft = version.draft
    if version.status is Status.WITHDRAWN or (draft.suspicion is None and not draft.boxes):
        return Detection()
    drafted = read_images(version, source)
    views = {
        image.sop_instance_uid: (image.laterality, image.view) for image in (draft.study.images if draft.study else ())
    }
    unlike = [uid for uid in drafted if views.get(uid) in draft.other_pictures]
    others = [str(i.SOPInstanceUID) for i in source.images if _is_mammogram(i) and i.SOPInstanceUID not in drafted]
    succeeded = tuple(uid for uid in drafted if uid not in unlike)
    missed = frozenset(
        (_feature(found.finding.kind), uid)
        for found in located_findings(version)
        for uid in succeeded
        if not found.boxes and found.finding.laterality in (None, views.get(uid, (None,))[0])
    )
    return Detection(succeeded, (*unlike, *others), missed)


def cad_sr(version: ReportVersion, source: SourceStudy) -> bytes:
    """The marks of the version's findings as a Mammography CAD SR.

    Raises:
        DeliveryError: the report is about an image that is none of the study, or a finding's box has no image.
    """
    kind, done = ObjectKind.CAD, detection(version, source)
    images = tuple(dict.fromkeys((*read_images(version, source), *done.images)))
    marked = [found for found in located_findings(version) if found.boxes] if done.succeeded else []
    ds = new_object(version, source, kind, MammographyCADSRStorage)
    add_document(ds, version, source, kind)
    add_evidence(ds, source, images)
    library = [_library_entry(version, source.image(uid)) for uid in images]
    root = [
        language(),
        items.container(items.CONTAINS, DCM.ImageLibrary, library),
        items.code(
            items.CONTAINS,
            DCM.CADProcessingAndFindingsSummary,
            done.summary(bool(marked)),
            [_impression(version, found, images) for found in marked],
        ),
        items.code(
            items.CONTAINS, DCM.SummaryOfDetections, done.status, list(_detections(version, done, images, marked))
        ),
        items.code(items.CONTAINS, DCM.SummaryOfAnalyses, _STATUS.NotAttempted),
    ]
    ds.update(items.container("", DCM.MammographyCADReport, root, "4000"))
    return to_bytes(ds)


def _impression(version: ReportVersion, found: LocatedFinding, images: tuple[str, ...]) -> Dataset:
    """TID 4003: one finding of the report, with its marks on the views."""
    marks = [_mark(version, found, at, images) for at in range(len(found.boxes))]
    return items.container(items.INFERRED_FROM, DCM.IndividualImpressionRecommendation, [_intent(), *marks], "4003")


def _mark(version: ReportVersion, found: LocatedFinding, at: int, images: tuple[str, ...]) -> Dataset:
    """TID 4006 with the geometry of TID 4021: a finding on one image."""
    box, finding = found.boxes[at], found.finding
    points = corners(box.box)
    centre = [((points[0][0] + points[2][0]) / 2, (points[0][1] + points[2][1]) / 2)]
    image = items.by_reference(items.SELECTED_FROM, _library_item(images, box.sop_instance_uid))
    children = [_intent(), *_algorithm(version)]
    if finding.probability is not None:
        certainty = round(100 * finding.probability, 1)
        children.append(items.number(items.PROPERTIES, DCM.CertaintyOfFinding, certainty, PERCENT))
    children.append(items.coordinates(items.PROPERTIES, DCM.Center, "POINT", centre, [image]))
    image = items.by_reference(items.SELECTED_FROM, _library_item(images, box.sop_instance_uid))
    children.append(items.coordinates(items.PROPERTIES, DCM.Outline, "POLYLINE", points, [image]))
    return items.code(items.CONTAINS, DCM.SingleImageFinding, _feature(finding.kind), children)


def _detections(
    version: ReportVersion, done: Detection, images: tuple[str, ...], marked: list[LocatedFinding]
) -> Iterator[Dataset]:
    """TID 4015: what was looked for, on which images it succeeded and on which it failed."""
    found_kinds = (_feature(found.finding.kind) for found in marked)
    kinds = dict.fromkeys((*_DETECTED, *found_kinds, *sorted(kind for kind, _ in done.missed)))
    succeeded: list[Dataset] = []
    failed: list[Dataset] = []
    for kind in kinds:
        missed = tuple(uid for uid in done.succeeded if (kind, uid) in done.missed)
        looked_at = tuple(uid for uid in done.succeeded if uid not in missed)
        for performed, on in ((succeeded, looked_at), (failed, (*done.failed, *missed))):
            places = [items.by_reference(items.INFERRED_FROM, _library_item(images, uid)) for uid in on]
            about = [*_algorithm(version), *places]
            if on:
                performed.append(items.code(items.CONTAINS, DCM.DetectionPerformed, kind, about))
    for concept, performed in ((DCM.SuccessfulDetections, succeeded), (DCM.FailedDetections, failed)):
        if performed:
            yield items.container(items.INFERRED_FROM, concept, performed)


def _feature(kind: Kind) -> Code:
    """What a finding of a kind is on one image, CID 6014."""
    return _FEATURES.get(kind, _DENSITY)


def _algorithm(version: ReportVersion) -> list[Dataset]:
    """TID 4019: which model of which release."""
    made = version.draft.report.provenance
    name, release = ("amrg", "unknown") if made is None else (made.model, made.software)
    weights = [] if made is None or not made.model_hash else [f"weights {made.model_hash}"]
    return [
        items.text(items.PROPERTIES, DCM.AlgorithmName, name),
        items.text(items.PROPERTIES, DCM.AlgorithmVersion, release),
        *(items.text(items.PROPERTIES, DCM.AlgorithmParameters, each) for each in weights),
    ]


def _intent() -> Dataset:
    return items.code(
        items.CONCEPT_MODIFIER, DCM.RenderingIntent, _INTENT.PresentationRequiredRenderingDeviceIsExpectedToPresent
    )


def _library_entry(version: ReportVersion, image: Dataset) -> Dataset:
    """TID 4020: an image with its side, view, orientation and study date, as far as they are known."""
    side, view = _side_and_view(version, image)
    about = []
    if side is not None:
        about.append(items.code(items.ACQUISITION, DCM.ImageLaterality, _BREASTS[side]))
    if view is not None:
        concept = code_of(view)
        code = Code(concept.value, SCHEME, concept.meaning)
        about.append(items.code(items.ACQUISITION, DCM.ImageView, code))
    orientation = [str(value) for value in image.get("PatientOrientation") or []]
    if len(orientation) == 2 and all(orientation):
        about.append(items.text(items.ACQUISITION, DCM.PatientOrientationRow, orientation[0]))
        about.append(items.text(items.ACQUISITION, DCM.PatientOrientationColumn, orientation[1]))
    if day := study_date(image):
        about.append(items.date(items.ACQUISITION, DCM.StudyDate, day))
    return items.with_children(items.image_reference(items.CONTAINS, image), about)


def _side_and_view(version: ReportVersion, image: Dataset) -> tuple[Laterality | None, View | None]:
    """As read for the draft, else as the header states them."""
    study = version.draft.study
    for drafted in study.images if study is not None else ():
        if drafted.sop_instance_uid == image.SOPInstanceUID:
            return drafted.laterality, drafted.view
    side, view = str(image.get("ImageLaterality", "")), str(image.get("ViewPosition", ""))
    return (Laterality(side) if side in set(Laterality) else None), (View(view) if view in set(View) else None)


def _library_item(images: tuple[str, ...], uid: str) -> tuple[int, int, int]:
    """The place of an image's library entry in the content tree."""
    return 1, _LIBRARY, 1 + images.index(uid)


def _is_mammogram(image: Dataset) -> bool:
    """Whether an image is for presentation: what a model would have been given."""
    return str(image.get("Modality", "")) == "MG" and str(image.get("PresentationIntentType", "")) != "FOR PROCESSING"
