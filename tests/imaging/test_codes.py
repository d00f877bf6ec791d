"""View and modifier codes: all of CID 4014 and 4015, SCT and retired SRT, written and read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.sr._snomed_dict import mapping
from pydicom.sr.codedict import Collection, codes

from amrg.birads import Laterality, View
from amrg.imaging import MammogramToWrite, read_studies, write_mammogram
from amrg.imaging.evidence.codes import (
    BREAST,
    MODIFIER_CONCEPTS,
    SCHEME,
    SPECIMEN,
    VIEW_CONCEPTS,
    CodedConcept,
    code_of,
)

WHOLE = ("NippleInProfile", "AnteriorCompression", "InfraMammaryFold")


def _write(path: Path, view: View, modifiers: tuple[str, ...] = ()) -> None:
    rows, columns = np.mgrid[:160, :120]
    pixels = np.where(((rows - 80) / 70) ** 2 + (columns / 90) ** 2 < 1, 3000 - 10 * rows, 0).astype(np.uint16)
    write_mammogram(path, MammogramToWrite(pixels, Laterality.LEFT, view, 0.4, 12, "codes", "C", modifiers=modifiers))


def _recode(path: Path, scheme: str, value: str, meaning: str) -> None:
    """Leave the view's code as the only evidence of the view."""
    ds = pydicom.dcmread(path)
    ds.ViewPosition, ds.SeriesDescription = "", ""
    item = ds.ViewCodeSequence[0]
    item.CodingSchemeDesignator, item.CodeValue, item.CodeMeaning = scheme, value, meaning
    ds.save_as(path)


@pytest.mark.parametrize(
    ("written", "listed"),
    [(VIEW_CONCEPTS, codes.CID4014), (MODIFIER_CONCEPTS, codes.CID4015), ({"Breast": BREAST}, codes.SCT)],
    ids=["views", "modifiers", "breast"],
)
def test_concepts_are_those_of_pydicom_s_tables(written: Mapping[str, CodedConcept], listed: Collection) -> None:
    found = {keyword: getattr(listed, keyword) for keyword in written}
    assert written == {
        k: CodedConcept(code.value, mapping["SCT"][code.value], code.meaning) for k, code in found.items()
    }
    assert {code.scheme_designator for code in found.values()} == {SCHEME}
    if listed is not codes.SCT:
        assert set(written) == set(listed.concepts)


def test_a_code_of_an_earlier_edition_is_pydicom_s() -> None:
    concept = code_of(View.XCC)
    assert mapping["SRT"][concept.retired] == concept.value


@pytest.mark.parametrize("view", list(View))
def test_every_view_is_written_and_read_by_its_code_alone(tmp_path: Path, view: View) -> None:
    path = tmp_path / "x.dcm"
    _write(path, view)
    code = code_of(view)
    _recode(path, "SCT", code.value, "")
    assert read_studies(path).studies[0].mammograms[0].view is view
    _recode(path, "SRT", mapping["SCT"][code.value], "")
    assert read_studies(path).studies[0].mammograms[0].view is view
    _recode(path, "99MAKER", "1", code.meaning.upper())
    found = read_studies(path)
    assert [m.view for s in found.studies for m in s.mammograms] == ([] if view is View.XCC else [view])


def test_every_view_of_cid_4014_is_known() -> None:
    assert {code_of(view).value for view in View if view is not View.XCC} == {
        code.value for keyword, code in VIEW_CONCEPTS.items() if keyword != SPECIMEN
    }


@pytest.mark.parametrize("scheme", ["SCT", "SRT", "99MAKER"])
@pytest.mark.parametrize("top", [False, True], ids=["in the view", "top level"])
@pytest.mark.parametrize("keyword", sorted(MODIFIER_CONCEPTS))
def test_every_modifier_is_read_wherever_it_is(tmp_path: Path, keyword: str, top: bool, scheme: str) -> None:
    path = tmp_path / "x.dcm"
    _write(path, View.CC, (keyword,))
    ds = pydicom.dcmread(path)
    item = ds.ViewCodeSequence[0].ViewModifierCodeSequence[0]
    item.CodingSchemeDesignator = scheme
    item.CodeValue = {"SCT": item.CodeValue, "SRT": mapping["SCT"][item.CodeValue], "99MAKER": "7"}[scheme]
    if top:
        ds.ViewModifierCodeSequence = ds.ViewCodeSequence[0].ViewModifierCodeSequence
        del ds.ViewCodeSequence[0].ViewModifierCodeSequence
    ds.save_as(path)
    intake = read_studies(path)
    if keyword in WHOLE:
        assert any("view modifier" in note for note in intake.studies[0].notes)
    else:
        assert not intake.studies
        assert "view" in intake.set_aside[0].reason


def test_a_specimen_by_its_view_code_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    _write(path, View.CC)
    _recode(path, "SCT", VIEW_CONCEPTS[SPECIMEN].value, "")
    assert [item.reason for item in read_studies(path).set_aside] == ["a specimen"]
