"""Images that the department itself rejected: IHE Imaging Object Change Management, by a Key Object Selection."""

from __future__ import annotations

from collections.abc import Iterator

from amrg.imaging.header import Header

# PS3.16 CID 7011, as document titles of Key Object Selections (PS3.3 A.35.4)
_TITLES = {
    "113001": "rejected for quality reasons",
    "113037": "rejected for patient safety reasons",
    "113038": "rejected, incorrect modality worklist entry",
    "113039": "rejected, data retention policy expired",
}


def rejected_instances(header: Header) -> Iterator[tuple[str, str]]:
    """SOP Instance UIDs that a Key Object Selection rejects, each with why; none of any other object."""
    titles = [
        item for item in header.sequence("ConceptNameCodeSequence") if item.text("CodingSchemeDesignator") == "DCM"
    ]
    why = next((_TITLES[item.text("CodeValue")] for item in titles if item.text("CodeValue") in _TITLES), None)
    if header.term("Modality") != "KO" or why is None:
        return
    for study in header.sequence("CurrentRequestedProcedureEvidenceSequence"):
        for series in study.sequence("ReferencedSeriesSequence"):
            for instance in series.sequence("ReferencedSOPSequence"):
                yield instance.text("ReferencedSOPInstanceUID"), why
