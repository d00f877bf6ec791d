"""View and view modifier codes: PS3.16 CID 4014 and CID 4015, from pydicom's tables, with their retired SRT codes."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.sr._snomed_dict import mapping as _mapping
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from amrg.birads import View
from amrg.imaging.header import Header

SPECIMEN = "TissueSpecimenFromBreast"
_VIEWS = {
    "CranioCaudal": View.CC,
    "MedioLateralObliqueProjection": View.MLO,
    "MedioLateralProjection": View.ML,
    "LateroMedial": View.LM,
    "LateroMedialOblique": View.LMO,
    "CranioCaudalExaggeratedLaterally": View.XCCL,
    "CranioCaudalExaggeratedMedially": View.XCCM,
    "CaudoCranial": View.FB,
    "SuperolateralToInferomedialOblique": View.SIO,
    "InferomedialToSuperolateralOblique": View.ISO,
}
# Of earlier editions of CID 4014, exaggerated without a direction: SRT R-102CF.
_EXAGGERATED = Code(_mapping["SRT"]["R-102CF"], "SCT", "cranio-caudal exaggerated")

VIEW_CONCEPTS: Mapping[str, Code] = codes.CID4014.concepts
MODIFIER_CONCEPTS: Mapping[str, Code] = codes.CID4015.concepts


def _by_value(concepts: Mapping[str, Code]) -> dict[str, str]:
    """Code value, SCT and SRT, to keyword."""
    found = {code.value: keyword for keyword, code in concepts.items()}
    retired = {_mapping["SCT"][value]: keyword for value, keyword in found.items() if value in _mapping["SCT"]}
    return {**retired, **found}


VIEW_KEYWORDS = _by_value(VIEW_CONCEPTS)
MODIFIER_KEYWORDS = _by_value(MODIFIER_CONCEPTS)
_EXAGGERATED_VALUES = {_EXAGGERATED.value, "R-102CF"}


def code_of(view: View) -> Code:
    """The code that a view is written with."""
    if view is View.XCC:
        return _EXAGGERATED
    return VIEW_CONCEPTS[next(keyword for keyword, value in _VIEWS.items() if value is view)]


def coded_view(item: Header) -> View | None:
    """The projection of a View Code Sequence item, by its code or else by its meaning; None for any other."""
    if item.code in _EXAGGERATED_VALUES:
        return View.XCC
    return _VIEWS.get(_keyword(item, VIEW_KEYWORDS, VIEW_CONCEPTS))


def is_specimen(item: Header) -> bool:
    """Whether a View Code Sequence item is a specimen's."""
    return _keyword(item, VIEW_KEYWORDS, VIEW_CONCEPTS) == SPECIMEN


def modifier(item: Header) -> str:
    """The keyword of a View Modifier Code Sequence item, such as `ImplantDisplaced`; empty for an unknown one."""
    return _keyword(item, MODIFIER_KEYWORDS, MODIFIER_CONCEPTS)


def _keyword(item: Header, by_value: Mapping[str, str], concepts: Mapping[str, Code]) -> str:
    """The keyword of a coded item: by its value, else by its meaning (makers' own codes with the standard's words)."""
    if found := by_value.get(item.code):
        return found
    meaning = _letters(item.text("CodeMeaning"))
    return next((keyword for keyword, code in concepts.items() if meaning and _letters(code.meaning) == meaning), "")


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalpha())
