"""View and view modifier codes: PS3.16 CID 4014 and CID 4015, with their retired SRT codes.

Written out, since importing pydicom's tables of all concepts takes longer than reading a mammogram; a test holds them
equal to those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from amrg.birads import View
from amrg.imaging.header import Header


class CodedConcept(NamedTuple):
    """A concept of SNOMED CT (PS3.3 table 8.8-1): its code value, that of earlier editions (SRT), its meaning."""

    value: str
    retired: str
    meaning: str


SCHEME = "SCT"
BREAST = CodedConcept("76752008", "T-04000", "Breast")
VIEW_CONCEPTS: Mapping[str, CodedConcept] = {
    "CaudoCranial": CodedConcept("399196006", "R-10244", "caudo-cranial"),
    "CranioCaudal": CodedConcept("399162004", "R-10242", "cranio-caudal"),
    "CranioCaudalExaggeratedLaterally": CodedConcept("399192008", "R-1024A", "cranio-caudal exaggerated laterally"),
    "CranioCaudalExaggeratedMedially": CodedConcept("399101009", "R-1024B", "cranio-caudal exaggerated medially"),
    "InferomedialToSuperolateralOblique": CodedConcept("441555000", "R-40AAA", "inferomedial to superolateral oblique"),
    "LateroMedial": CodedConcept("399352003", "R-10228", "latero-medial"),
    "LateroMedialOblique": CodedConcept("399099002", "R-10230", "latero-medial oblique"),
    "MedioLateralObliqueProjection": CodedConcept("399368009", "R-10226", "medio-lateral oblique"),
    "MedioLateralProjection": CodedConcept("399260004", "R-10224", "medial-lateral"),
    "SuperolateralToInferomedialOblique": CodedConcept("399188001", "R-102D0", "superolateral to inferomedial oblique"),
    "TissueSpecimenFromBreast": CodedConcept("127457009", "G-8310", "tissue specimen from breast"),
}
"""CID 4014 by pydicom's keywords."""
MODIFIER_CONCEPTS: Mapping[str, CodedConcept] = {
    "AnteriorCompression": CodedConcept("441752004", "P2-00161", "Anterior compression"),
    "AxillaryTail": CodedConcept("399011000", "R-102D1", "Axillary Tail"),
    "AxillaryTissue": CodedConcept("442580003", "R-40AB2", "Axillary tissue"),
    "Cleavage": CodedConcept("399161006", "R-102D2", "Cleavage"),
    "ImplantDisplaced": CodedConcept("399209000", "R-102D5", "Implant Displaced"),
    "InfraMammaryFold": CodedConcept("442593008", "R-40ABE", "Infra-mammary fold"),
    "Magnification": CodedConcept("399163009", "R-102D6", "Magnification"),
    "NippleInProfile": CodedConcept("442581004", "R-40AB3", "Nipple in profile"),
    "RolledInferior": CodedConcept("414493004", "R-102CA", "Rolled Inferior"),
    "RolledLateral": CodedConcept("399197002", "R-102D3", "Rolled Lateral"),
    "RolledMedial": CodedConcept("399226006", "R-102D4", "Rolled Medial"),
    "RolledSuperior": CodedConcept("415670009", "R-102C9", "Rolled Superior"),
    "SpotCompression": CodedConcept("399055006", "R-102D7", "Spot Compression"),
    "Tangential": CodedConcept("399110001", "R-102C2", "tangential"),
}
"""CID 4015 by pydicom's keywords."""

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
_EXAGGERATED = CodedConcept("399265009", "R-102CF", "cranio-caudal exaggerated")
"""Of earlier editions of CID 4014: exaggerated without a direction."""


def _by_value(concepts: Mapping[str, CodedConcept]) -> dict[str, str]:
    """Code value, SCT and SRT, to keyword."""
    return {value: keyword for keyword, concept in concepts.items() for value in (concept.value, concept.retired)}


VIEW_KEYWORDS = _by_value(VIEW_CONCEPTS)
MODIFIER_KEYWORDS = _by_value(MODIFIER_CONCEPTS)
_EXAGGERATED_VALUES = {_EXAGGERATED.value, _EXAGGERATED.retired}


def code_of(view: View) -> CodedConcept:
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


def _keyword(item: Header, by_value: Mapping[str, str], concepts: Mapping[str, CodedConcept]) -> str:
    """The keyword of a coded item: by its value, else by its meaning (makers' own codes with the standard's words)."""
    if found := by_value.get(item.code):
        return found
    meaning = _letters(item.text("CodeMeaning"))
    return next(
        (keyword for keyword, concept in concepts.items() if meaning and _letters(concept.meaning) == meaning), ""
    )


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalpha())
