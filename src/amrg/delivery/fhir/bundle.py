"""A version of a report as a FHIR R4 transaction: every resource is put under an id that follows from what it is.

The models are those of R4B, which fhir.resources keeps: of the resources written here R4 and R4B have the same
definitions (R4B changed medication definitions, evidence and subscriptions). Repeating the transaction gives the same
state, and a later version of the report replaces the earlier one under the same ids.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import html
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fhir.resources.R4B.bundle import Bundle
from pydantic import ValidationError
from pydicom.dataset import Dataset

from amrg.birads.lexicon import Status
from amrg.birads.report import Provenance
from amrg.birads.version import ReportVersion, Signature
from amrg.core.values import first_complaint
from amrg.delivery.dicom.statement import disclosure, display_name
from amrg.delivery.errors import DeliveryError
from amrg.delivery.examination import EXAM
from amrg.delivery.fhir.codes import LOINC, concept
from amrg.delivery.fhir.observations import Resource, observations
from amrg.delivery.fhir.profile import FhirProfile
from amrg.delivery.source import SourceStudy, patient_id, study_date
from amrg.delivery.statement import changed_at, statement_lines
from amrg.delivery.status import status_codes

_NO_FHIR_STRING = re.compile(r"[\x00-\x08\x0b-\x1f]")
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "amrg")
_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_AI_ASSERTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
"""The label of data that AI asserted (HL7 AI Transparency on FHIR)."""


@dataclass(frozen=True)
class _Writer:
    """What all resources of one version share."""

    version: ReportVersion
    source: SourceStudy
    profile: FhirProfile

    def id(self, *what: str) -> str:
        """The id of a resource of this study's report."""
        study = self.version.draft.study
        return resource_id(self.source.study_instance_uid, "" if study is None else study.patient_key, *what)

    def reference(self, kind: str, *what: str) -> Resource:
        """A reference to a resource of this transaction."""
        return {"reference": f"{kind}/{self.id(*what)}"}

    @property
    def subject(self) -> Resource:
        """The patient by identifier: which Patient that is, the server knows."""
        header = self.source.header
        issuer = str(header.get("IssuerOfPatientID", "") or "").strip()
        system = {"system": self.profile.patient_system} if self.profile.patient_system else {}
        assigner = {"assigner": {"display": issuer}} if issuer else {}
        return {"type": "Patient", "identifier": {**system, "value": patient_id(header), **assigner}}


def resource_id(*what: str) -> str:
    """The client-assigned id of what is named, a UUID (version 5): nothing of it can be read from the id."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join(what)))


def report_id(version: ReportVersion, source: SourceStudy) -> str:
    """The id of the DiagnosticReport, the same for all versions of the report."""
    return _Writer(version, source, FhirProfile()).id("report")


def report_bundle(
    version: ReportVersion,
    source: SourceStudy,
    profile: FhirProfile,
    pdf: bytes | None = None,
    earlier: Sequence[ReportVersion] = (),
) -> bytes:
    """The transaction as JSON. The same input gives the same bytes.

    Args:
        version: What to write.
        source: The headers of its images.
        profile: The receiving server's naming systems.
        pdf: The report as a PDF, which is embedded.
        earlier: Versions that may have been delivered: what only they stated becomes `entered-in-error`.

    Raises:
        DeliveryError: the study has no PatientID, nobody decided on a finding, or FHIR has no such character.
    """
    writer = _Writer(version, source, profile)
    entries = [_entry(resource) for resource in _resources(writer, pdf, earlier)]
    document = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    try:
        return (Bundle.model_validate(document).model_dump_json(indent=1) + "\n").encode()
    except ValidationError as error:
        raise DeliveryError(f"the report is no valid FHIR: {first_complaint(error)}") from error


def _entry(resource: Resource) -> Resource:
    return {"resource": resource, "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}}


def _resources(writer: _Writer, pdf: bytes | None, earlier: Sequence[ReportVersion]) -> Iterator[Resource]:
    version = writer.version
    yield _device(version)
    if version.signature is not None:
        yield _practitioner(version.signature)
    yield _imaging_study(writer)
    stated = dict(observations(version))
    for identity, fields in stated.items():
        yield _observation(writer, identity, fields, status_codes(version.status).observation)
    for identity, fields in _no_longer_stated(stated, earlier).items():
        yield _observation(writer, identity, fields, "entered-in-error")
    yield _diagnostic_report(writer, list(stated), pdf)
    yield _provenance(writer, list(stated))


def _no_longer_stated(stated: dict[str, Resource], earlier: Sequence[ReportVersion]) -> dict[str, Resource]:
    former = {identity: fields for version in earlier for identity, fields in observations(version)}
    return {identity: fields for identity, fields in former.items() if identity not in stated}


def _observation(writer: _Writer, identity: str, fields: Resource, status: str) -> Resource:
    of = writer.id("observation", identity)
    return {
        "resourceType": "Observation",
        "id": of,
        "meta": {"security": [_AI_ASSERTED]},
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{of}"}],
        "status": status,
        "category": [concept("http://terminology.hl7.org/CodeSystem/observation-category", "imaging", "Imaging")],
        "subject": writer.subject,
        **_effective(writer.source.header),
        "issued": _instant(changed_at(writer.version)),
        "device": {"reference": f"Device/{_device_id(writer.version)}"},
        "derivedFrom": [writer.reference("ImagingStudy", "imaging study")],
        **fields,
    }


def _diagnostic_report(writer: _Writer, stated: Sequence[str], pdf: bytes | None) -> Resource:
    version, header = writer.version, writer.source.header
    text = _fhir_text("\n".join(statement_lines(version)))
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><pre>{html.escape(text, quote=False)}</pre></div>'
    signer = {} if version.signature is None else {"resultsInterpreter": [_signer(version.signature)]}
    identifiers: list[Resource] = [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{writer.id('report')}"}]
    accession = str(header.get("AccessionNumber", "") or "").strip()
    if accession:
        system = {"system": writer.profile.accession_system} if writer.profile.accession_system else {}
        kind = {"type": concept("http://terminology.hl7.org/CodeSystem/v2-0203", "ACSN", "Accession ID")}
        identifiers.append({**kind, **system, "value": accession})
    return {
        "resourceType": "DiagnosticReport",
        "id": writer.id("report"),
        "meta": {"security": [_AI_ASSERTED]},
        "text": {"status": "generated", "div": div},
        "identifier": identifiers,
        "status": status_codes(version.status).diagnostic_report,
        "category": [concept("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD", "Radiology")],
        "code": concept(LOINC, *EXAM[version.report.indication]),
        "subject": writer.subject,
        **_effective(header),
        "issued": _instant(changed_at(version)),
        **signer,
        "result": [writer.reference("Observation", "observation", identity) for identity in stated],
        "imagingStudy": [writer.reference("ImagingStudy", "imaging study")],
        "conclusion": text,
        "presentedForm": list(_forms(text, None if version.status is Status.WITHDRAWN else pdf)),
    }


def _forms(text: str, pdf: bytes | None) -> Iterator[Resource]:
    """The report as text and PDF, embedded: a server need not resolve a link to a Binary, and some do not."""
    for kind, data in (("text/plain; charset=utf-8", text.encode()), ("application/pdf", pdf)):
        if data is not None:
            yield {
                "contentType": kind,
                "data": base64.b64encode(data).decode(),
                "size": len(data),
                "hash": base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode(),
            }


def _imaging_study(writer: _Writer) -> Resource:
    series: dict[str, list[Dataset]] = {}
    for image in writer.source.images:
        series.setdefault(str(image.SeriesInstanceUID), []).append(image)
    modality = {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "MG"}
    started = _effective(writer.source.header)
    return {
        "resourceType": "ImagingStudy",
        "id": writer.id("imaging study"),
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{writer.source.study_instance_uid}"}],
        "status": "available",
        "modality": [modality],
        "subject": writer.subject,
        **({"started": started["effectiveDateTime"]} if started else {}),
        "numberOfSeries": len(series),
        "numberOfInstances": len(writer.source.images),
        "series": [
            {
                "uid": uid,
                "modality": modality,
                "numberOfInstances": len(images),
                "instance": [
                    {
                        "uid": str(image.SOPInstanceUID),
                        "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{image.SOPClassUID}"},
                    }
                    for image in images
                ],
            }
            for uid, images in series.items()
        ],
    }


def _device_id(version: ReportVersion) -> str:
    made = _made(version)
    return resource_id("device", made.software, made.model, made.model_hash or "", made.adapter or "")


def _made(version: ReportVersion) -> Provenance:
    return version.draft.report.provenance or Provenance(software="amrg", model="not recorded")


def _device(version: ReportVersion) -> Resource:
    """The model that drafted, with the digest of its weights, and the software that ran it."""
    made = _made(version)
    versions = (("model weights, SHA-256", made.model_hash), ("adapter", made.adapter), ("software", made.software))
    return {
        "resourceType": "Device",
        "id": _device_id(version),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{_device_id(version)}"}],
        "deviceName": [{"name": f"AI model {made.model}", "type": "model-name"}],
        "type": {"text": "Artificial intelligence model that drafts mammography reports"},
        "version": [{"type": {"text": kind}, "value": value} for kind, value in versions if value],
    }


def _signer_id(signature: Signature) -> str:
    return resource_id("practitioner", signature.organization, signature.identifier or signature.name)


def _signer(signature: Signature) -> Resource:
    return {"reference": f"Practitioner/{_signer_id(signature)}", "display": display_name(signature.name)}


def _practitioner(signature: Signature) -> Resource:
    family, given, middle, prefix, suffix = (part.strip() for part in (signature.name.split("^") + [""] * 5)[:5])
    parts = {"family": family, "given": [n for n in (given, middle) if n], "prefix": [prefix], "suffix": [suffix]}
    name = {key: value for key, value in parts.items() if value and value != [""]}
    number = {"value": signature.identifier, "assigner": {"display": signature.organization}}
    return {
        "resourceType": "Practitioner",
        "id": _signer_id(signature),
        **({"identifier": [number]} if signature.identifier else {}),
        "name": [{**name, "text": display_name(signature.name)}],
    }


def _provenance(writer: _Writer, stated: Sequence[str]) -> Resource:
    """Who made this version: the model drafted, the person verified. One a version, so that all of them stay."""
    version = writer.version
    device = {"reference": f"Device/{_device_id(version)}", "display": disclosure(version)}
    agents: list[Resource] = [{"type": concept(_PARTICIPANT, "author", "Author"), "who": device}]
    if version.signature is not None:
        signed_for = {"onBehalfOf": {"display": version.signature.organization}}
        verifier = {"type": concept(_PARTICIPANT, "verifier", "Verifier"), "who": _signer(version.signature)}
        agents.append({**verifier, **signed_for})
    return {
        "resourceType": "Provenance",
        "id": writer.id("provenance", str(version.number)),
        "target": [
            writer.reference("DiagnosticReport", "report"),
            *(writer.reference("Observation", "observation", identity) for identity in stated),
        ],
        "recorded": _instant(changed_at(version)),
        **({"reason": [{"text": _fhir_text("\n".join(version.reason.splitlines()))}]} if version.reason else {}),
        "agent": agents,
        "entity": [{"role": "source", "what": writer.reference("ImagingStudy", "imaging study")}],
    }


def _effective(header: Dataset) -> Resource:
    """The study's date: its time is local to a place that DICOM does not name, so it would be a guess in FHIR."""
    day = study_date(header)
    return {"effectiveDateTime": f"{day[:4]}-{day[4:6]}-{day[6:8]}"} if day else {}


def _instant(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fhir_text(text: str) -> str:
    found = _NO_FHIR_STRING.search(text)
    if found is not None:
        raise DeliveryError(f"the report's text has U+{ord(found[0]):04X}, which FHIR does not allow: remove it")
    return text
