from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from amrg.birads import Status
from amrg.delivery.dicom.text import text_sections, text_sr
from amrg.delivery.errors import DeliveryError
from amrg.delivery.source import SourceStudy
from tests.delivery.dicom.partners import dciodvfy_errors, dsrdump, read_back, values, walk
from tests.delivery.exams import EXAMS, STATUSES, drafted, headers, version_of

SECTIONS = {"Procedure Description", "Finding", "Impression", "Recommendation", "Patient Presentation"}
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t:"), min_size=1, max_size=300)


def report_text(ds: Dataset) -> str:
    """The report's text put together from its sections."""
    items = [i for i in walk(ds) if i.ValueType == "TEXT" and i.get("RelationshipType") == "CONTAINS"]
    return "\n".join(i.TextValue for i in items if i.ConceptNameCodeSequence[0].CodeMeaning in SECTIONS)


@pytest.mark.parametrize("exam", EXAMS)
@pytest.mark.parametrize("status", STATUSES)
def test_every_exam_and_status_is_valid_and_read_by_dcmtk(exam: str, status: Status, tmp_path: Path) -> None:
    draft, images = EXAMS[exam]()
    content = text_sr(version_of(draft, status), SourceStudy(images))
    assert dciodvfy_errors(content, tmp_path) == []
    withdrawn = status is Status.WITHDRAWN
    assert ("TECHNIQUE" in dsrdump(content, tmp_path)) is not withdrawn
    assert report_text(read_back(content)) == ("" if withdrawn else draft.text)
    assert content == text_sr(version_of(draft, status), SourceStudy(images))


def test_a_text_of_every_script_is_read_back_as_it_was_signed(tmp_path: Path) -> None:
    text = (
        "FINDINGS:\nØ ≥ 5 mm, 2 o'clock, naïve, µ, Größe\nΔοκιμή\nОпухоль\n乳房\\腫瘤\n\nIMPRESSION: BI-RADS 4A\t°.\n"
    )
    content = text_sr(version_of(drafted(), Status.FINAL, text), SourceStudy(headers()))
    assert report_text(read_back(content)) == text
    assert "Опухоль" in dsrdump(content, tmp_path)
    assert dciodvfy_errors(content, tmp_path) == []


@given(TEXTS)
@example("\n\nFINDINGS: a\n\nIMPRESSION:\n")
def test_sections_joined_are_the_text(text: str) -> None:
    assert "\n".join(section.text for section in text_sections(text)) == text


@given(TEXTS.filter(str.strip))
def test_any_text_is_read_back(text: str) -> None:
    content = text_sr(version_of(drafted(), Status.FINAL, text), SourceStudy(headers()))
    assert report_text(read_back(content)).rstrip(" ") == text.rstrip(" ")


def test_a_character_that_dicom_has_not_is_refused_with_its_line() -> None:
    version = version_of(drafted(), Status.FINAL, "FINDINGS:\nbell \x07 and escape")
    with pytest.raises(DeliveryError, match=r"line 2: character U\+0007"):
        text_sr(version, SourceStudy(headers()))


def test_the_report_says_whose_word_it_is() -> None:
    source = SourceStudy(headers())
    (draft,) = values(read_back(text_sr(version_of(drafted()), source)), "Summary")[1:]
    assert draft == "UNVERIFIED DRAFT, written by AI model amrg-embedded. Not for clinical use."
    signed = values(read_back(text_sr(version_of(drafted(), Status.FINAL), source)), "Summary")[1]
    assert signed.splitlines() == [
        "SIGNED REPORT, version 2, signed by Dr. Anna Müller, Brustzentrum Süd, 2026-01-31 09:12+01:00.",
        "Drafted by AI model amrg-embedded (amrg 0.1.0); reviewed by Dr. Anna Müller.",
    ]
    corrected = values(read_back(text_sr(version_of(drafted(), Status.AMENDED), source)), "Summary")[1]
    assert corrected.startswith("CORRECTED REPORT, version 3")
    assert "It replaces version 2.\nReason: wrong side" in corrected


def test_a_withdrawn_report_states_who_withdrew_it_and_why_alone() -> None:
    root = read_back(text_sr(version_of(drafted(), Status.WITHDRAWN), SourceStudy(headers())))
    texts = [i.TextValue for i in walk(root) if i.ValueType == "TEXT" and i.RelationshipType == "CONTAINS"]
    assert texts == [
        "WITHDRAWN by Dr. Anna Müller, Brustzentrum Süd, 2026-01-31 09:12+01:00: "
        "do not use this report or any earlier version of it.\nReason: wrong side\n"
        "Drafted by AI model amrg-embedded (amrg 0.1.0)."
    ]


def test_what_was_noted_of_the_draft_is_not_in_what_a_person_signed() -> None:
    draft, source = drafted().model_copy(update={"problems": ("Not used: a second RCC.",)}), SourceStudy(headers())
    comments = values(read_back(text_sr(version_of(draft), source)), "Comment")
    assert "Not used: a second RCC." in comments
    assert any("Suspicion" in comment for comment in comments)
    signed = "\n".join(values(read_back(text_sr(version_of(draft, Status.FINAL), source)), "Comment"))
    assert "Study Instance UID: 1.2.3" in signed
    assert "Not used" not in signed
    assert "Suspicion" not in signed


def test_findings_refer_to_the_images_that_they_are_of() -> None:
    ds = read_back(text_sr(version_of(drafted()), SourceStudy(headers())))
    referred = [i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in walk(ds) if i.ValueType == "IMAGE"]
    assert referred == [f"1.2.3.4.{n}" for n in range(1, 5)]


def test_an_exam_without_one_of_its_images_is_refused() -> None:
    with pytest.raises(DeliveryError, match=r"1\.2\.3\.4\.4"):
        text_sr(version_of(drafted()), SourceStudy(headers()[:3]))
