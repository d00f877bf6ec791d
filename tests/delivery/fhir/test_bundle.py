"""FHIR R4: valid, the same again, every statement once under its own identity, the PDF inside (rows 39, 42 to 44)."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings

from amrg.birads import (
    Decision,
    Finding,
    FindingDecision,
    Kind,
    Laterality,
    Location,
    Quadrant,
    Report,
    ReportVersion,
    Status,
)
from amrg.delivery.errors import DeliveryError
from amrg.delivery.fhir.bundle import report_bundle
from amrg.delivery.fhir.codes import ELEMENTS
from amrg.delivery.fhir.profile import FhirProfile
from amrg.delivery.status import status_codes
from tests.birads.strategies import reports
from tests.delivery.exams import REPORT, SEVERAL, a_source, a_version, decided, drafted, version_of

SOURCE, PROFILE, PDF = a_source(), FhirProfile(), b"%PDF-1.4 drawn"


def resources(bundle: bytes, kind: str) -> list[dict[str, Any]]:
    """The resources of a kind."""
    entries = [entry["resource"] for entry in json.loads(bundle)["entry"]]
    return [resource for resource in entries if resource["resourceType"] == kind]


@pytest.mark.parametrize("status", Status)
def test_every_status_is_valid_and_the_same_again(status: Status) -> None:
    version = a_version(status)
    bundle = report_bundle(version, SOURCE, PROFILE, PDF)
    Bundle.model_validate_json(bundle)
    assert bundle == report_bundle(version, SOURCE, PROFILE, PDF)
    codes, (report,) = status_codes(status), resources(bundle, "DiagnosticReport")
    assert report["status"] == codes.diagnostic_report
    assert {o["status"] for o in resources(bundle, "Observation")} == {codes.observation}


@given(reports())
@settings(max_examples=40, deadline=None)
def test_any_report_is_written_with_every_identity_once(report: Report) -> None:
    bundle = report_bundle(a_version(report=report), SOURCE, PROFILE)
    Bundle.model_validate_json(bundle)
    urls = [entry["request"]["url"] for entry in json.loads(bundle)["entry"]]
    assert len(set(urls)) == len(urls)
    findings = [o for o in resources(bundle, "Observation") if "component" in o or "text" in o["valueCodeableConcept"]]
    assert len(findings) >= len(report.findings)
    identifiers = [o["identifier"][0]["value"] for o in resources(bundle, "Observation")]
    assert len(set(identifiers)) == len(identifiers)


def test_references_are_to_what_the_transaction_puts() -> None:
    bundle = report_bundle(a_version(), SOURCE, PROFILE, PDF)
    put = {entry["request"]["url"] for entry in json.loads(bundle)["entry"]}

    def references(part: Any) -> set[str]:
        if isinstance(part, dict):
            own = {part["reference"]} if "reference" in part else set()
            return own.union(*(references(value) for value in part.values()), set())
        return set().union(*(references(item) for item in part)) if isinstance(part, list) else set()

    assert references(json.loads(bundle)) <= put
    assert b"urn:uuid" not in b"".join(
        json.dumps(r["presentedForm"]).encode() for r in resources(bundle, "DiagnosticReport")
    )


def test_the_pdf_comes_back_from_the_report_itself() -> None:
    (report,) = resources(report_bundle(a_version(), SOURCE, PROFILE, PDF), "DiagnosticReport")
    (form,) = [f for f in report["presentedForm"] if f["contentType"] == "application/pdf"]
    assert base64.b64decode(form["data"]) == PDF
    assert form["size"] == len(PDF)
    assert base64.b64decode(form["hash"]) == hashlib.sha1(PDF, usedforsecurity=False).digest()


def test_who_drafted_and_who_signed() -> None:
    bundle = report_bundle(a_version(), SOURCE, PROFILE)
    (provenance,), (report,) = resources(bundle, "Provenance"), resources(bundle, "DiagnosticReport")
    author, verifier = provenance["agent"]
    assert author["who"]["display"] == "Drafted by AI model amrg-embedded (amrg 0.1.0); reviewed by Dr. Anna Müller."
    assert verifier["who"]["display"] == report["resultsInterpreter"][0]["display"] == "Dr. Anna Müller"
    assert verifier["onBehalfOf"] == {"display": "Brustzentrum Süd"}
    (device,) = resources(bundle, "Device")
    assert device["version"][0]["value"] == "ab" * 32
    assert report["meta"]["security"][0]["code"] == "AIAST"


def test_a_draft_has_no_signer_and_says_so() -> None:
    bundle = report_bundle(a_version(Status.DRAFT), SOURCE, PROFILE)
    (report,) = resources(bundle, "DiagnosticReport")
    assert not resources(bundle, "Practitioner")
    assert "resultsInterpreter" not in report
    assert report["conclusion"].startswith("UNVERIFIED DRAFT")


def test_a_finding_with_its_place_descriptors_and_size() -> None:
    bundle = report_bundle(a_version(), SOURCE, PROFILE)
    (mass,) = [o for o in resources(bundle, "Observation") if o["code"]["text"] == "Mass"]
    assert mass["bodySite"]["coding"][0]["code"] == "80248007"
    coded = {c["code"]["coding"][0]["code"]: c for c in mass["component"]}
    values = {e: c["valueCodeableConcept"]["coding"][0]["code"] for e, c in coded.items() if "valueQuantity" not in c}
    assert values == {
        "RDE1557": "RDE1557_left",
        "RDE1563": "RDE1563_upperOuter",
        "RDE1558": "RDE1558_twoOclockPosition",
        "RDE1576": "RDE1576_irregularShaped",
        "RDE1579": "RDE1579_spiculated",
        "RDE1586": "RDE1586_category5HighlySuggestiveOfMalignancy",
    }
    assert coded["RDE1570"]["valueQuantity"]["value"] == 18
    assert {c["code"]["coding"][0]["system"] for c in mass["component"]} == {ELEMENTS}


def test_the_worst_category_is_the_overall_one() -> None:
    bundle = report_bundle(a_version(), SOURCE, PROFILE)
    assessed = [o for o in resources(bundle, "Observation") if o["code"]["text"] == "Assessment category"]
    overall = [o["valueCodeableConcept"]["text"] for o in assessed if "bodySite" not in o]
    assert (len(assessed), overall) == (3, ["BI-RADS 5"])


def test_what_a_correction_removed_is_entered_in_error_and_the_rest_keeps_its_id() -> None:
    second = Finding(kind=Kind.CALCIFICATIONS, laterality=Laterality.RIGHT)
    before = a_version(Status.FINAL, REPORT.model_copy(update={"findings": (second, *REPORT.findings)}))
    after = a_version(Status.AMENDED)
    earlier = {o["id"]: o for o in resources(report_bundle(before, SOURCE, PROFILE), "Observation")}
    bundle = report_bundle(after, SOURCE, PROFILE, earlier=[before])
    later = {o["id"]: o["status"] for o in resources(bundle, "Observation")}
    assert later.keys() == earlier.keys()
    removed = [of for of, status in later.items() if status == "entered-in-error"]
    assert [earlier[of]["code"]["text"] for of in removed] == ["Calcifications"]
    (report,) = resources(bundle, "DiagnosticReport")
    assert f"Observation/{removed[0]}" not in [r["reference"] for r in report["result"]]
    assert set(later.values()) == {"amended", "entered-in-error"}


def test_a_withdrawn_report_states_only_that() -> None:
    (report,) = resources(report_bundle(a_version(Status.WITHDRAWN), SOURCE, PROFILE, PDF), "DiagnosticReport")
    assert report["conclusion"].startswith("WITHDRAWN by Dr. Anna Müller")
    assert "IMPRESSION" not in report["conclusion"]
    assert [form["contentType"] for form in report["presentedForm"]] == ["text/plain; charset=utf-8"]


def test_the_patient_is_an_identifier_in_the_sites_naming_system() -> None:
    profile = FhirProfile(patient_system="urn:oid:1.2.3.4", accession_system="urn:oid:1.2.3.5")
    (report,) = resources(report_bundle(a_version(), SOURCE, profile), "DiagnosticReport")
    assert report["subject"] == {
        "type": "Patient",
        "identifier": {"system": "urn:oid:1.2.3.4", "value": "1001", "assigner": {"display": "HOSPITAL"}},
    }
    assert {(i["system"], i["value"]) for i in report["identifier"]} >= {("urn:oid:1.2.3.5", "A-77")}


def test_a_breast_with_two_categories_has_the_most_suspicious_one() -> None:
    bundle = report_bundle(a_version(report=REPORT.model_copy(update={"assessments": SEVERAL})), SOURCE, PROFILE)
    assessed = [o for o in resources(bundle, "Observation") if o["code"]["text"] == "Assessment category"]
    sides = {o.get("bodySite", {"text": "overall"})["text"]: o["valueCodeableConcept"]["text"] for o in assessed}
    assert sides == {"Right breast": "BI-RADS 5", "Left breast": "BI-RADS 1", "overall": "BI-RADS 5"}


def mass_in(quadrant: Quadrant) -> Finding:
    """A mass of the right breast."""
    return Finding(kind=Kind.MASS, laterality=Laterality.RIGHT, location=Location(quadrant=quadrant))


UPPER, LOWER = mass_in(Quadrant.UPPER_OUTER), mass_in(Quadrant.LOWER_INNER)


def masses(version: ReportVersion, *earlier: ReportVersion) -> dict[str, tuple[str, str]]:
    """Text and status of every Observation of a mass, by its id."""
    found = resources(report_bundle(version, SOURCE, PROFILE, earlier=earlier), "Observation")
    return {o["id"]: (o["valueCodeableConcept"]["text"], o["status"]) for o in found if o["code"]["text"] == "Mass"}


@pytest.mark.parametrize("twins", [False, True], ids=["two places", "the same words"])
def test_a_finding_keeps_its_observation_when_another_is_removed_or_it_is_edited(twins: bool) -> None:
    draft = version_of(drafted([UPPER, UPPER if twins else LOWER]))
    (first, _), (second, (words, _)) = masses(draft).items()
    rejected = FindingDecision(finding=1, decision=Decision.REJECTED)
    signed = decided(version_of(draft.draft, Status.FINAL), rejected)
    later = masses(signed, draft)
    assert later[second] == (words, "final")
    assert later[first][1] == "entered-in-error"
    larger = FindingDecision(finding=2, decision=Decision.EDITED, result=LOWER.model_copy(update={"size_mm": 9}))
    corrected = decided(version_of(draft.draft, Status.AMENDED), rejected, larger)
    assert masses(corrected, draft, signed)[second][1] == "amended"
    assert masses(corrected).keys() == {second}


def test_added_findings_and_those_of_another_draft_take_no_identity_of_a_different_one() -> None:
    draft = drafted([])
    added = [FindingDecision(decision=Decision.ADDED, result=finding) for finding in (UPPER, LOWER)]
    both = masses(decided(version_of(draft, Status.FINAL), *added))
    one = masses(decided(version_of(draft, Status.AMENDED), added[1]))
    assert [(of, words) for of, (words, _) in one.items()] == [(of, words) for of, (words, _) in both.items()][1:]
    assert not masses(version_of(drafted([UPPER]))).keys() & masses(version_of(drafted([LOWER]))).keys()


def test_findings_that_nobody_decided_are_refused() -> None:
    version = a_version()
    version = version.model_copy(update={"report": version.report.model_copy(update={"findings": ()})})
    with pytest.raises(DeliveryError, match="0 findings, and decisions of 1"):
        report_bundle(version, SOURCE, PROFILE)


@pytest.mark.parametrize("text", ["no\x00thing", "bell\x07"])
def test_a_character_that_fhir_has_not_is_named(text: str) -> None:
    with pytest.raises(DeliveryError, match=r"U\+000[07]"):
        report_bundle(a_version(text=text), SOURCE, PROFILE)


def test_a_report_of_nobody_is_refused() -> None:
    with pytest.raises(DeliveryError, match="PatientID"):
        report_bundle(a_version(), a_source(PatientID=""), PROFILE)
