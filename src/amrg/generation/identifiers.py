"""Which study a draft is of, and on which image each box is."""

from __future__ import annotations

from collections.abc import Iterator

from amrg.birads import Draft, DraftedImage, DraftedPatient, DraftedStudy, ImageBox, Report
from amrg.imaging import Study, hanging_order, read_patient


def identify(study: Study) -> DraftedStudy:
    """The identifiers of a study and of its images in hanging order."""
    images = tuple(
        DraftedImage(laterality=m.laterality, view=m.view, sop_instance_uid=m.sop_instance_uid)
        for m in hanging_order(study)
    )
    return DraftedStudy(
        study_instance_uid=study.study_instance_uid,
        date=study.date,
        accession_number=study.accession_number,
        patient_key=study.patient_key,
        prior_date=study.prior.date if study.prior is not None else None,
        images=images,
    )


def name_patient(draft: Draft, study: Study) -> Draft:
    """A draft that names its patient, where the study's files do.

    Raises:
        ImagingError: the file is gone or no longer readable.
    """
    stated = read_patient(study)
    if stated is None or draft.study is None:
        return draft
    patient = DraftedPatient(name=stated.name, patient_id=stated.patient_id, birth_date=stated.birth_date)
    return draft.model_copy(update={"study": draft.study.model_copy(update={"patient": patient})})


def image_boxes(report: Report, study: Study) -> Iterator[ImageBox]:
    """Every box of a report with its image's SOP Instance UID, on the grid of the file."""
    images = {(m.laterality, m.view): m for m in study.mammograms}
    for number, finding in enumerate(report.findings, 1):
        for box in finding.boxes:
            image = images[box.laterality, box.view]
            xs, ys = zip(image.to_file(box.left, box.top), image.to_file(box.right, box.bottom), strict=True)
            edges = {"left": min(xs), "top": min(ys), "right": max(xs), "bottom": max(ys)}
            yield ImageBox(finding=number, sop_instance_uid=image.sop_instance_uid, box=box.model_copy(update=edges))
