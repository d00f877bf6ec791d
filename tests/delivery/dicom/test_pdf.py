from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from amrg.birads import Status, View
from amrg.delivery.dicom.encapsulation import encapsulated_pdf
from amrg.delivery.dicom.fonts import REGULAR, NoFont, font_runs, markup
from amrg.delivery.dicom.pdf import report_pdf
from amrg.delivery.errors import DeliveryError
from amrg.delivery.formats import FORMATS, Outgoing
from amrg.delivery.source import SourceStudy
from tests.delivery.dicom.partners import dciodvfy_errors, dcmtk, read_back
from tests.delivery.exams import EXAMS, STATUSES, a_source, drafted, finding, headers, version_of


def picture(size: tuple[int, int] = (300, 200), mode: str = "RGB") -> bytes:
    """A picture of the views."""
    stream = BytesIO()
    Image.new(mode, size).save(stream, format="PNG")
    return stream.getvalue()


@pytest.mark.parametrize("exam", EXAMS)
@pytest.mark.parametrize("status", STATUSES)
def test_every_exam_and_status_is_valid_and_dcmtk_gives_the_same_pdf(exam: str, status: Status, tmp_path: Path) -> None:
    draft, images = EXAMS[exam]()
    version, source = version_of(draft, status), SourceStudy(images)
    content = encapsulated_pdf(version, source, picture())
    assert dciodvfy_errors(content, tmp_path) == []
    (tmp_path / "report.dcm").write_bytes(content)
    dcmtk("dcm2pdf", tmp_path / "report.dcm", tmp_path / "report.pdf")
    ds = read_back(content)
    assert (tmp_path / "report.pdf").read_bytes() == ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength]


def test_a_pdf_of_odd_length_is_padded_and_its_length_stated() -> None:
    odd = set()
    for text in ("FINDINGS: a", "FINDINGS: ab", "FINDINGS: abc", "FINDINGS: abcd", "FINDINGS: a b c d e"):
        version, source = version_of(drafted(), Status.FINAL, text), SourceStudy(headers())
        ds, pdf = read_back(encapsulated_pdf(version, source)), report_pdf(version, None, source)
        assert ds.EncapsulatedDocumentLength == len(pdf)
        assert ds.EncapsulatedDocument[: len(pdf)] == pdf  # the same version gives the same bytes
        assert len(ds.EncapsulatedDocument) == len(pdf) + len(pdf) % 2
        odd.add(len(pdf) % 2)
    assert odd == {0, 1}


def test_viewers_find_a_document() -> None:
    ds = read_back(encapsulated_pdf(version_of(drafted(), Status.FINAL), SourceStudy(headers())))
    assert (ds.Modality, ds.MIMETypeOfEncapsulatedDocument) == ("DOC", "application/pdf")
    assert (ds.VerificationFlag, ds.DocumentTitle) == ("VERIFIED", "Mammography report: signed v2")
    assert [i.ReferencedSOPInstanceUID for i in ds.SourceInstanceSequence] == [f"1.2.3.4.{n}" for n in range(1, 5)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """What is drawn outside the text, with its page; nothing may leave the page."""
    found: list[tuple[int, str]] = []
    draw_string = Canvas.drawString

    def record(canvas: Any, x: float, y: float, text: str, *rest: Any, **options: Any) -> None:
        assert x >= 0
        assert x + stringWidth(text, canvas._fontname, canvas._fontsize) <= canvas._pagesize[0]
        found.append((canvas.getPageNumber(), text))
        draw_string(canvas, x, y, text, *rest, **options)

    monkeypatch.setattr(Canvas, "drawString", record)
    return found


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (Status.DRAFT, "DRAFT - not signed (v1)"),
        (Status.FINAL, "Signed v2: Dr. Anna Müller, 2026-01-31 09:12+01:00"),
        (Status.AMENDED, "Signed, corrected v3: Dr. Anna Müller, 2026-01-31 09:12+01:00"),
    ],
)
def test_every_page_states_whose_word_it_is_of_whom(status: Status, state: str, drawn: list[tuple[int, str]]) -> None:
    text = "FINDINGS:\n" + "Größe ≥ 5 mm, Ø, Δοκιμή, Опухоль. " * 500 + "\n" + "x" * 2000 + "\n" * 100
    assert len(text.encode()) > 20_000
    source = SourceStudy(headers(PatientName="Müller^Jürgen" * 4))
    report_pdf(version_of(drafted(), status, text), picture((4000, 500)), source)
    pages = {page for page, _ in drawn}
    assert len(pages) > 3
    for page in pages:
        lines = [line for on, line in drawn if on == page]
        assert state in lines
        assert any(
            line.startswith("Jürgen") and "ID 1001   born 1960-01-02   F   Accession A-77" in line for line in lines
        )
        assert any("Drafted by AI model amrg-embedded" in line for line in lines)


def test_a_withdrawn_report_is_one_page_without_its_text_and_views(drawn: list[tuple[int, str]]) -> None:
    source = SourceStudy(headers())
    withdrawn = version_of(drafted([finding(View.CC)]), Status.WITHDRAWN, "FINDINGS:\n" + "mass " * 9000)
    content = report_pdf(withdrawn, picture(), source)
    assert content == report_pdf(withdrawn.model_copy(update={"text": "FINDINGS: None."}), None, source)
    assert {page for page, _ in drawn} == {1}
    assert any(line == "WITHDRAWN v3: Dr. Anna Müller, 2026-01-31 09:12+01:00" for _, line in drawn)


def test_a_bare_pdf_names_no_patient(drawn: list[tuple[int, str]]) -> None:
    report_pdf(version_of(drafted()), None)
    assert not any("1001" in line or "Doe" in line for _, line in drawn)


def small_font(file: Path, character: str) -> Path:
    """A TrueType font that has one character, a square."""
    pen = TTGlyphPen(None)
    for move, point in zip((pen.moveTo, *[pen.lineTo] * 3), ((0, 0), (0, 500), (500, 500), (500, 0)), strict=True):
        move(point)
    pen.closePath()
    square, names = pen.glyph(), [".notdef", "square"]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(character): "square"})
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Small", "styleName": "Regular", "psName": "Small-Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(file)
    return file


def test_a_font_of_the_system_is_embedded_and_without_one_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = version_of(drafted(), Status.FINAL, "FINDINGS: \N{HANGUL SYLLABLE YU}\N{THAI CHARACTER KO KAI}")
    monkeypatch.setenv("AMRG_PDF_FONT", str(small_font(tmp_path / "ko-kai.ttf", "\N{THAI CHARACTER KO KAI}")))
    assert [font for font, _ in font_runs("x\N{THAI CHARACTER KO KAI}")] == [REGULAR, "fallback:ko-kai.ttf"]
    with_viewers = report_pdf(report, None)
    assert b"Small" in with_viewers
    report = version_of(drafted(), Status.FINAL, "FINDINGS: \N{THAI CHARACTER KO KAI}")
    assert with_viewers.count(b"/HYGothic-Medium") > report_pdf(report, None).count(b"/HYGothic-Medium") == 0
    (tmp_path / "no.ttf").write_bytes(b"no font")
    monkeypatch.setenv("AMRG_PDF_FONT", str(tmp_path / "no.ttf"))
    with pytest.raises(DeliveryError, match=r"AMRG_PDF_FONT: .*no.ttf is no TrueType font"):
        report_pdf(report, None)


def test_every_character_has_a_font_or_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amrg.delivery.dicom.fonts._FALLBACK", Path("nowhere.ttf"))
    assert font_runs("Größe Ø ≥ µ Ωμέγα Опухоль") == [(REGULAR, "Größe Ø ≥ µ Ωμέγα Опухоль")]
    assert [font for font, _ in font_runs("mass 乳房 유방 们")] == [
        REGULAR,
        "HeiseiKakuGo-W5",
        REGULAR,
        "HYGothic-Medium",
        REGULAR,
        "STSong-Light",
    ]
    for character in ("\N{HEBREW LETTER ALEF}", "\N{ARABIC LETTER ALEF}", "\N{THAI CHARACTER KO KAI}"):
        version = version_of(drafted(), Status.FINAL, f"FINDINGS: {character}")
        with pytest.raises(NoFont, match=f"^the PDF has no .*U\\+{ord(character):04X}"):
            report_pdf(version, None)
        with pytest.raises(NoFont, match=r"^the PDF has no"):  # nothing of reportlab's before it
            report_pdf(version_of(drafted()), None, a_source(PatientName=f"A{character}^B"))
        bundle = json.loads(FORMATS["fhir"].write(Outgoing(version, a_source())))
        (report,) = (e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "DiagnosticReport")
        assert [form["contentType"] for form in report["presentedForm"]] == ["text/plain; charset=utf-8"]


def test_text_is_never_markup() -> None:
    assert markup("  a < b & c <b>bold</b>") == "\N{NO-BREAK SPACE}" * 2 + "a &lt; b &amp; c &lt;b&gt;bold&lt;/b&gt;"
    report_pdf(version_of(drafted(), Status.FINAL, "FINDINGS: <para> & </font> <img src='x'/>\n<b>: 1"), None)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_a_picture_of_any_mode_is_taken(mode: str) -> None:
    assert report_pdf(version_of(drafted()), picture((20, 900), mode))


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(DeliveryError, match="no readable PNG"):
        report_pdf(version_of(drafted()), b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(("size", "box"), [((300, 400), b"595.2756 841.8898"), ((400, 300), b"841.8898 595.2756")])
def test_views_are_on_a_page_that_is_as_upright_as_they_are(size: tuple[int, int], box: bytes) -> None:
    content = report_pdf(version_of(drafted()), picture(size))
    assert re.findall(rb"/MediaBox \[ 0 0 ([\d. ]+) \]", content)[-1] == box
