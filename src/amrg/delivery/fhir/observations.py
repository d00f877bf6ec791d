"""What a report states as Observations: composition, assessments, findings; each under an identity of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import amrg.delivery.fhir.codes as c
from amrg.birads.draft import describe_finding
from amrg.birads.lexicon import Laterality
from amrg.birads.report import Assessment, Finding, Report

Resource = dict[str, Any]


def observations(report: Report) -> Iterator[tuple[str, Resource]]:
    """Every statement under its identity within the report, as the fields that the statement alone decides.

    A finding's identity is its kind, its breast and its number among those alike: it stays when another is removed.
    """
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
    alike: Counter[str] = Counter()
    for finding in report.findings:
        identity = f"finding {finding.kind} {finding.laterality or 'side not named'}"
        alike[identity] += 1
        yield f"{identity} {alike[identity]}", _finding(finding)


def assessments(report: Report) -> list[Assessment]:
    """Those of the report, and the overall one where only breasts have one."""
    stated = list(report.assessments)
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
