"""Codes of observations: the HL7 breast radiology guide's (ballot 0.3.0), with ACR-RSNA common data elements.

The guide writes a data element, and each of its values, as codes of one code system. What the guide has no code for is
text alone.
"""

from __future__ import annotations

from typing import Any

from amrg.birads.lexicon import (
    Category,
    Change,
    Composition,
    Density,
    Depth,
    Distribution,
    Kind,
    Laterality,
    Margin,
    Morphology,
    Quadrant,
    Shape,
)

GUIDE = "http://hl7.org/fhir/us/breast-radiology/CodeSystem/"
ELEMENTS = GUIDE + "RadLexCDE"
OBSERVATIONS = GUIDE + "ObservationCodesCS"
SNOMED, LOINC, UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"

SIDE = {Laterality.RIGHT: ("73056007", "Right breast"), Laterality.LEFT: ("80248007", "Left breast")}
"""The breast as a body site, in SNOMED CT."""

FINDING = {
    Kind.MASS: "abnormalityMassObservation",
    Kind.CALCIFICATIONS: "abnormalityCalcificationObservation",
    Kind.ASYMMETRY: "abnormalityAsymmetryObservation",
    Kind.FOCAL_ASYMMETRY: "abnormalityAsymmetryObservation",
    Kind.GLOBAL_ASYMMETRY: "abnormalityAsymmetryObservation",
    Kind.DEVELOPING_ASYMMETRY: "abnormalityAsymmetryObservation",
    Kind.DISTORTION: "abnormalityArchitecturalDistortionObservation",
    Kind.INTRAMAMMARY_NODE: "abnormalityLymphNodeObservation",
    Kind.AXILLARY_NODE: "abnormalityLymphNodeObservation",
    Kind.SKIN_LESION: "abnormalitySkinLesionObservation",
    Kind.DILATED_DUCT: "abnormalityDuctObservation",
}
"""The guide's code of a kind of finding; the others are associated features, which `ASSOCIATED` has."""
FEATURES = "associatedFeaturesObservation"
COMPOSITION_OBSERVATION, ASSESSMENT_OBSERVATION = "breastCompositionObservation", "breastAssessmentCategoryObservation"

CATEGORY = {
    Category.INCOMPLETE: "category0IncompleteNeedAdditionalImaging",
    Category.NEGATIVE: "category1Negative",
    Category.BENIGN: "category2BenignFinding",
    Category.PROBABLY_BENIGN: "category3ProbablyBenignFinding",
    Category.SUSPICIOUS: "category4SuspiciousAbnormality",
    Category.LOW_SUSPICION: "category4ASuspiciousAbnormalityLowLikelihoodOfBeingCancer",
    Category.MODERATE_SUSPICION: "category4BSuspiciousAbnormalityModerateLikelihoodOfBeingCancer",
    Category.HIGH_SUSPICION: "category4CSuspiciousAbnormalityHighLikelihoodOfBeingCancer",
    Category.HIGHLY_SUGGESTIVE: "category5HighlySuggestiveOfMalignancy",
    Category.KNOWN_MALIGNANCY: "category6KnownBiopsyProvenMalignancy",
}
COMPOSITION = {
    Composition.A: "categoryATheBreastsAreAlmostEntirelyFatty",
    Composition.B: "categoryBThereAreScatteredAreasOfFibroglandularDensity",
    Composition.C: "categoryCTheBreastsAreHeterogeneouslyDense",
    Composition.D: "categoryDTheBreastsAreExtremelyDense",
}
LATERALITY = {Laterality.RIGHT: "right", Laterality.LEFT: "left"}
HOURS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
CLOCK = {hour: f"{word}OclockPosition" for hour, word in enumerate(HOURS, start=1)}
DEPTH = {depth: depth.value for depth in Depth}
QUADRANT = {
    Quadrant.UPPER_OUTER: "upperOuter",
    Quadrant.UPPER_INNER: "upperInner",
    Quadrant.LOWER_OUTER: "lowerOuter",
    Quadrant.LOWER_INNER: "lowerInner",
}
REGION = {
    Quadrant.CENTRAL: "centralToNipple",
    Quadrant.RETROAREOLAR: "centralToNipple",
    Quadrant.AXILLARY_TAIL: "axillaryTail",
    Quadrant.AXILLA: "axilla",
}
SHAPE = {
    Shape.OVAL: "ovalShaped",
    Shape.ROUND: "roundShaped",
    Shape.IRREGULAR: "irregularShaped",
    Shape.LOBULATED: "lobularShaped",
}
MARGIN = {margin: margin.value for margin in Margin}
DENSITY = {Density.HIGH: "high", Density.EQUAL: "equal", Density.LOW: "low", Density.FAT: "fatContaining"}
MORPHOLOGY = {
    Morphology.SKIN: "skin",
    Morphology.VASCULAR: "vascular",
    Morphology.COARSE: "coarse",
    Morphology.ROD_LIKE: "largeRoadlike",  # sic
    Morphology.ROUND: "round",
    Morphology.PUNCTATE: "punctate",
    Morphology.RIM: "rim",
    Morphology.DYSTROPHIC: "dystrophic",
    Morphology.MILK_OF_CALCIUM: "milkOfCalcium",
    Morphology.SUTURE: "sature",  # sic
    Morphology.AMORPHOUS: "amorphous",
    Morphology.COARSE_HETEROGENEOUS: "coarseHeterogeneous",
    Morphology.FINE_PLEOMORPHIC: "finePleomorphic",
    Morphology.FINE_LINEAR: "fineLinear",
}
DISTRIBUTION = {distribution: distribution.value for distribution in Distribution}
CHANGE = {
    Change.NEW: "new",
    Change.LARGER: "increaseInSize",
    Change.STABLE: "stable",
    Change.SMALLER: "decreaseInSize",
}
ASSOCIATED = {
    Kind.CALCIFICATIONS: "calcifications",
    Kind.DISTORTION: "architecturalDistortion",
    Kind.AXILLARY_NODE: "axillaryAdenopathy",
    Kind.SKIN_LESION: "skinLesion",
    Kind.SKIN_THICKENING: "skinThickening",
    Kind.SKIN_RETRACTION: "skinRetraction",
    Kind.NIPPLE_RETRACTION: "nippleRetraction",
    Kind.TRABECULAR_THICKENING: "trabecularThickening",
}


def concept(system: str, code: str | None, text: str) -> dict[str, Any]:
    """A CodeableConcept, text alone where there is no code."""
    coding = {"coding": [{"system": system, "code": code}]} if code else {}
    return {**coding, "text": text}


def value_of(element: str, code: str | None, text: str) -> dict[str, Any]:
    """The value of a data element as a CodeableConcept."""
    return concept(ELEMENTS, f"{element}_{code}" if code else None, text)
