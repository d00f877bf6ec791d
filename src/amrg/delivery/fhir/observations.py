"""What a report states as Observations: composition, assessments, findings; each under an identity of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import amrg.delivery.fhir.codes as c
from amrg.birads.draft import describe_finding
from amrg.birads.lexicon import Laterality
from amrg.birads.report import Assessment, Finding, Report
from amrg.birads.version import ReportVersion
from amrg.delivery.dicom.regions import located_findings
from amrg.delivery.examination import coded_assessments

Resource = dict[str, Any]


def observations(version: ReportVersion) -> Iterator[tuple[str, Resource]]:
    """Every statement of a version under its identity, as the fields that the statement alone decides.

    The identity of a finding is what it was when it was drafted or added: it stays when the finding is edited and when
    another is removed, and a finding of a new draft never has that of a different one before.

    Raises:
        DeliveryError: the report states findings that nobody decided.
    """
    report = version.report
    if report.composition is not None:
        value = c.value_of("RDE1587", c.COMPOSITION[report.composition], f"BI-RADS composition {report.composition}")
        yield (
            "composition",
            _observation(c.COMPOSITION_OBSERVATION, "Breast composition", None, {"valueCodeableConcept": value}),
        )
    for assessment in assessments(report):
        side = assessment.laterality
        value = c.value_of("RDE1586", c.CATEGORY[assessment.category], f"BI-RADS {assessment.category}")
        yield (
            f"assessment {side or 'overall'}",
            _observation(c.ASSESSMENT_OBSERVATION, "Assessment category", side, {"valueCodeableConcept": value}),
        )
    located = located_findings(version)
    drafted = _identities("drafted", (*version.draft.report.findings, *version.draft.report.unconfirmed))
    added = iter(_identities("added", (each.finding for each in located if each.drafted is None)))
    for each in located:
        yield next(added) if each.drafted is None else drafted[each.drafted - 1], _finding(each.finding)


def _identities(origin: str, findings: Iterable[Finding]) -> list[str]:
    """What each finding states, with its number among the same ones."""
    same: Counter[str] = Counter()
    identities = []
    for finding in findings:
        stated = finding.model_dump_json(exclude_defaults=True)
        same[stated] += 1
        identities.append(f"finding {origin} {same[stated]} {stated}")
    return identities


def assessments(report: Report) -> list[Assessment]:
    """Those of the report, one a breast, and the overall one where only breasts have one."""
    stated = coded_assessments(report)
    if report.worst is not None and all(a.laterality is not None for a in stated):
        stated.append(Assessment(category=report.worst))
    return stated


def _observation(code: str, text: str, side: Laterality | None, value: Resource) -> Resource:
    site = {} if side is None else {"bodySite": c.concept(c.SNOMED, *c.SIDE[side])}
    return {"code": c.concept(c.OBSERVATIONS, code, text), **value, **site}


def _finding(finding: Finding) -> Resource:
    code = c.FINDING.get(finding.kind, c.FEATURES)
    value = {"valueCodeableConcept": {"text": describe_finding(finding)}}
    return {
        **_observation(code, finding.kind.value.capitalize(), finding.laterality, value),
        "component": list(_components(finding)),
    }


def _components(finding: Finding) -> Iterator[Resource]:
    place = finding.location
    coded: tuple[tuple[str, str, Mapping[Any, str], Any], ...] = (
        ("RDE1557", "Body side", c.LATERALITY, finding.laterality),
        ("RDE1563", "Quadrant of breast", c.QUADRANT, place.quadrant if place.quadrant in c.QUADRANT else None),
        ("RDE1564", "Region of breast", c.REGION, place.quadrant if place.quadrant not in c.QUADRANT else None),
        ("RDE1558", "Clock position", c.CLOCK, place.clock),
        ("RDE1559", "Depth", c.DEPTH, place.depth),
        ("RDE1576", "Shape", c.SHAPE, finding.shape),
        ("RDE1579", "Margin", c.MARGIN, finding.margin),
        ("RDE1578", "Density", c.DENSITY, finding.density),
        ("RDE1565", "Type", c.MORPHOLOGY, finding.morphology),
        ("RDE1568", "Distribution", c.DISTRIBUTION, finding.distribution),
        ("RDE1566", "Observed changes", c.CHANGE, finding.change),
        ("RDE1586", "Assessment category", c.CATEGORY, finding.category),
        *(("RDE1571", "Associated features", c.ASSOCIATED, kind) for kind in finding.associated),
    )
    for element, text, table, term in coded:
        if term is not None:
            value = c.value_of(element, table.get(term), f"{term} o'clock" if table is c.CLOCK else str(term))
            yield {"code": c.concept(c.ELEMENTS, element, text), "valueCodeableConcept": value}
    for element, text, millimetres in (
        ("RDE1570", "Observed size", finding.size_mm),
        ("RDE1561", "Distance from nipple", place.nipple_distance_mm),
    ):
        if millimetres is not None:
            yield {
                "code": c.concept(c.ELEMENTS, element, text),
                "valueQuantity": {"value": millimetres, "unit": "mm", "system": c.UCUM, "code": "mm"},
            }
