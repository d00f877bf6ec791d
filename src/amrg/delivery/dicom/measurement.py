"""Findings in codes with their regions: Comprehensive 3D SR, TID 1500 of PS3.16, through highdicom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import highdicom.sr as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage, generate_uid

from amrg.birads import Assessment, Finding, ImageBox, ReportVersion, Status, describe_finding
from amrg.birads.renderer.phrasing import SIDE
from amrg.delivery.dicom import items
from amrg.delivery.dicom.codes import (
    CATEGORIES,
    COMPOSITIONS,
    DCM,
    KINDS,
    MILLIMETRE,
    PERCENT,
    RECOMMENDATIONS,
    SCT,
    SIDES,
    descriptors,
    site,
)
from amrg.delivery.dicom.context import ENGLISH
from amrg.delivery.dicom.document import add_document, add_evidence, new_object, read_images, to_bytes
from amrg.delivery.dicom.identity import ObjectKind, device_uid, patient_key
from amrg.delivery.dicom.regions import LocatedFinding, corners, frame_read, located_findings
from amrg.delivery.dicom.statement import note_lines, state_lines, study_lines
from amrg.delivery.examination import coded_assessments
from amrg.delivery.source import SourceStudy

_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
Group: TypeAlias = hd.PlanarROIMeasurementsAndQualitativeEvaluations | hd.MeasurementsAndQualitativeEvaluations


def measurement_sr(version: ReportVersion, source: SourceStudy) -> bytes:
    """Findings, assessments and composition in codes, a group a region; a withdrawn report states none.

    Raises:
        DeliveryError: the report is about an image that is none of the study, or a finding's box has no image.
    """
    kind, images = ObjectKind.MEASUREMENT, read_images(version, source)
    ds = new_object(version, source, kind, Comprehensive3DSRStorage)
    add_document(ds, version, source, kind)
    add_evidence(ds, source, images)
    (root,) = hd.MeasurementReport(
        observation_context=_observers(version),
        procedure_reported=SCT.Mammography,
        imaging_measurements=list(_groups(version, source, images)),
        language_of_content_item_and_descendants=hd.LanguageOfContentItemAndDescendants(ENGLISH),
    )
    ds.update(root)
    ds.ContentSequence = Sequence([*root.ContentSequence, _statements(version)])
    return to_bytes(ds)


def _observers(version: ReportVersion) -> hd.ObservationContext:
    made, signature = version.draft.report.provenance, version.signature
    device = hd.DeviceObserverIdentifyingAttributes(
        uid=device_uid(version),
        name="amrg" if made is None else made.model,
        manufacturer_name="amrg",
        model_name="amrg" if made is None else made.software,
    )
    person = None
    if signature is not None:
        named = hd.PersonObserverIdentifyingAttributes(signature.name, organization_name=signature.organization)
        person = hd.ObserverContext(DCM.Person, named)
    return hd.ObservationContext(person, hd.ObserverContext(DCM.Device, device))


def _groups(version: ReportVersion, source: SourceStudy, images: tuple[str, ...]) -> Iterator[Group]:
    """The exam as a whole, each assessment, then the findings: a group a region, one without where there is none."""
    yield _exam(version, source, images)
    if version.status is Status.WITHDRAWN:
        return
    for assessment in coded_assessments(version.report):
        yield _assessed(version, source, assessment)
    for located in located_findings(version):
        if not located.boxes:
            yield hd.MeasurementsAndQualitativeEvaluations(**_described(version, source, located))
        for box in located.boxes:
            region = _region(source, box)
            yield hd.PlanarROIMeasurementsAndQualitativeEvaluations(
                referenced_region=region, **_described(version, source, located)
            )


def _exam(version: ReportVersion, source: SourceStudy, images: tuple[str, ...]) -> Group:
    """What is stated of the whole exam, and the images that it is of."""
    report, stated = version.report, []
    if version.status is not Status.WITHDRAWN and report.composition is not None:
        stated.append((DCM.BreastComposition, COMPOSITIONS[report.composition]))
    if version.status is not Status.WITHDRAWN and report.recommendation is not None:
        stated.append((DCM.RecommendedFollowUp, RECOMMENDATIONS[report.recommendation]))
    found = [source.image(uid) for uid in images]
    return hd.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(version, source, "exam", "Mammography exam"),
        finding_sites=[hd.FindingSite(SCT.Breast)],
        qualitative_evaluations=[hd.QualitativeEvaluation(*pair) for pair in stated],
        source_images=[
            hd.SourceImageForMeasurementGroup(str(i.SOPClassUID), str(i.SOPInstanceUID), _frames(i)) for i in found
        ],
    )


def _assessed(version: ReportVersion, source: SourceStudy, assessment: Assessment) -> Group:
    """The category of a breast, or of the whole exam."""
    side = assessment.laterality
    name = "overall" if side is None else f"{SIDE[side]} breast"
    return hd.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(version, source, f"assessment {name}", f"Assessment, {name}"),
        finding_sites=[hd.FindingSite(SCT.Breast, None if side is None else SIDES[side])],
        qualitative_evaluations=[hd.QualitativeEvaluation(DCM.AssessmentCategory, CATEGORIES[assessment.category])],
    )


def _described(version: ReportVersion, source: SourceStudy, located: LocatedFinding) -> dict[str, Any]:
    """What every group of a finding has: its identity over views and versions, site, descriptors and measurements."""
    finding, made = located.finding, version.draft.report.provenance
    identity = f"finding {located.drafted}" if located.drafted else f"version {version.number} finding {located.number}"
    location, modifier = site(finding)
    side = None if finding.laterality is None else SIDES[finding.laterality]
    algorithm = None
    if located.drafted is not None and made is not None:
        weights = [f"weights {made.model_hash}"] if made.model_hash else None
        algorithm = hd.AlgorithmIdentification(made.model, made.software, parameters=weights)
    return {
        "tracking_identifier": _tracking(version, source, identity, f"{located.number}: {describe_finding(finding)}"),
        "finding_type": KINDS[finding.kind],
        "finding_sites": [hd.FindingSite(location, side, modifier)],
        "algorithm_id": algorithm,
        "measurements": list(_measured(finding)),
        "qualitative_evaluations": [hd.QualitativeEvaluation(*pair) for pair in descriptors(finding)],
    }


def _measured(finding: Finding) -> Iterator[hd.Measurement]:
    if finding.size_mm is not None:
        yield hd.Measurement(SCT.LongAxis, finding.size_mm, MILLIMETRE)
    if finding.location.nipple_distance_mm is not None:
        yield hd.Measurement(DCM.DistanceFromNipple, finding.location.nipple_distance_mm, MILLIMETRE)
    if finding.probability is not None:
        yield hd.Measurement(DCM.CertaintyOfFinding, round(100 * finding.probability, 1), PERCENT)


def _region(source: SourceStudy, box: ImageBox) -> hd.ImageRegion:
    image = source.image(box.sop_instance_uid)
    of_image = hd.SourceImageForRegion(str(image.SOPClassUID), str(image.SOPInstanceUID), _frames(image))
    return hd.ImageRegion(hd.GraphicTypeValues.POLYLINE, np.array(corners(box.box), np.float32), of_image)


def _frames(image: Dataset) -> list[int] | None:
    frame = frame_read(image)
    return None if frame is None else [frame]


def _tracking(version: ReportVersion, source: SourceStudy, what: str, name: str) -> hd.TrackingIdentifier:
    """The identity of what a group is about, the same in every version of the report."""
    of_study = (source.study_instance_uid, patient_key(version, source))
    return hd.TrackingIdentifier(str(generate_uid(entropy_srcs=["amrg", *of_study, what])), name)


def _statements(version: ReportVersion) -> Dataset:
    """The state, which study it is of, and a draft's notes, for people; a withdrawn report has its state alone."""
    lines = [state_lines(version)]
    if version.status is not Status.WITHDRAWN:
        lines += [study_lines(version), note_lines(version)]
    texts = [items.text(items.CONTAINS, DCM.Comment, "\n".join(part)) for part in lines if part]
    return items.container(items.CONTAINS, _EVALUATIONS, texts)
