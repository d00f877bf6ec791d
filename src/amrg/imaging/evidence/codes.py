"""View and view modifier codes: PS3.16 CID 4014 and CID 4015, with their retired SRT codes.

Written out, since importing pydicom's tables of all concepts takes longer than reading a mammogram; a test holds them
equal to those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from amrg.birads import View
from amrg.imaging.header import Header


class Concept(NamedTuple):
    """A concept of SNOMED CT (PS3.3 table 8.8-1): its code value, that of earlier editions (SRT), its meaning."""

    value: str
    retired: str
    meaning: str


SCHEME = "SCT"
BREAST = Concept("76752008", "T-04000", "Breast")
VIEW_CONCEPTS: Mapping[str, Concept] = {
    "CaudoCranial": Concept("399196006", "R-10244", "caudo-cranial"),
    "CranioCaudal": Concept("399162004", "R-10242", "cranio-caudal"),
    "CranioCaudalExaggeratedLaterally": Concept("399192008", "R-1024A", "cranio-caudal exaggerated laterally"),
    "CranioCaudalExaggeratedMedially": Concept("399101009", "R-1024B", "cranio-caudal exaggerated medially"),
    "InferomedialToSuperolateralOblique": Concept("441555000", "R-40AAA", "inferomedial to superolateral oblique"),
    "LateroMedial": Concept("399352003", "R-10228", "latero-medial"),
    "LateroMedialOblique": Concept("399099002", "R-10230", "latero-medial oblique"),
    "MedioLateralObliqueProjection": Concept("399368009", "R-10226", "medio-lateral oblique"),
    "MedioLateralProjection": Concept("399260004", "R-10224", "medial-lateral"),
    "SuperolateralToInferomedialOblique": Concept("399188001", "R-102D0", "superolateral to inferomedial oblique"),
    "TissueSpecimenFromBreast": Concept("127457009", "G-8310", "tissue specimen from breast"),
}
"""CID 4014 by pydicom's keywords."""
MODIFIER_CONCEPTS: Mapping[str, Concept] = {
    "AnteriorCompression": Concept("441752004", "P2-00161", "Anterior compression"),
    "AxillaryTail": Concept("399011000", "R-102D1", "Axillary Tail"),
    "AxillaryTissue": Concept("442580003", "R-40AB2", "Axillary tissue"),
    "Cleavage": Concept("399161006", "R-102D2", "Cleavage"),
    "ImplantDisplaced": Concept("399209000", "R-102D5", "Implant Displaced"),
    "InfraMammaryFold": Concept("442593008", "R-40ABE", "Infra-mammary fold"),
    "Magnification": Concept("399163009", "R-102D6", "Magnification"),
    "NippleInProfile": Concept("442581004", "R-40AB3", "Nipple in profile"),
    "RolledInferior": Concept("414493004", "R-102CA", "Rolled Inferior"),
    "RolledLateral": Concept("399197002", "R-102D3", "Rolled Lateral"),
    "RolledMedial": Concept("399226006", "R-102D4", "Rolled Medial"),
    "RolledSuperior": Concept("415670009", "R-102C9", "Rolled Superior"),
    "SpotCompression": Concept("399055006", "R-102D7", "Spot Compression"),
    "Tangential": Concept("399110001", "R-102C2", "tangential"),
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
_EXAGGERATED = Concept("399265009", "R-102CF", "cranio-caudal exaggerated")
"""Of earlier editions of CID 4014: exaggerated without a direction."""


def _by_value(concepts: Mapping[str, Concept]) -> dict[str, str]:
    """Code value, SCT and SRT, to keyword."""
    return {value: keyword for keyword, concept in concepts.items() for value in (concept.value, concept.retired)}


VIEW_KEYWORDS = _by_value(VIEW_CONCEPTS)
MODIFIER_KEYWORDS = _by_value(MODIFIER_CONCEPTS)
_EXAGGERATED_VALUES = {_EXAGGERATED.value, _EXAGGERATED.retired}


def code_of(view: View) -> Concept:
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


def _keyword(item: Header, by_value: Mapping[str, str], concepts: Mapping[str, Concept]) -> str:
    """The keyword of a coded item: by its value, else by its meaning (makers' own codes with the standard's words)."""
    if found := by_value.get(item.code):
        return found
    meaning = _letters(item.text("CodeMeaning"))
    return next(
        (keyword for keyword, concept in concepts.items() if meaning and _letters(concept.meaning) == meaning), ""
    )


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalpha())
