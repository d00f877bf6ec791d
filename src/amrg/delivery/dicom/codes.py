"""The language of BI-RADS in codes: SNOMED CT, DCM, and for the letters of category 4 the ACR's own (PS3.16 CID 6027).

Codes are pydicom's tables of PS3.16, never from memory, but for what those tables omit.
"""

from __future__ import annotations

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from amrg.birads import (
    Category,
    Change,
    Composition,
    Density,
    Depth,
    Distribution,
    Finding,
    Kind,
    Laterality,
    Margin,
    Morphology,
    Quadrant,
    Recommendation,
    Shape,
)

SCT, DCM = codes.SCT, codes.DCM
PERCENT, MILLIMETRE = Code("%", "UCUM", "Percent"), Code("mm", "UCUM", "millimeter")

SIDES = {Laterality.RIGHT: SCT.Right, Laterality.LEFT: SCT.Left}

KINDS = {
    Kind.MASS: SCT.MammographicBreastMass,
    Kind.CALCIFICATIONS: SCT.CalcificationOfBreast,
    Kind.ASYMMETRY: codes.CID6016.AsymmetricBreastTissue,
    Kind.FOCAL_ASYMMETRY: codes.CID6016.FocalAsymmetricBreastTissue,
    Kind.GLOBAL_ASYMMETRY: codes.CID6016.AsymmetricBreastTissue,
    Kind.DEVELOPING_ASYMMETRY: codes.CID6016.FocalAsymmetricBreastTissue,
    Kind.DISTORTION: codes.CID6016.ArchitecturalDistortionOfBreast,
    Kind.INTRAMAMMARY_NODE: codes.CID6016.IntramammaryLymphNode,
    Kind.AXILLARY_NODE: codes.CID6016.AxillaryLymphNode,
    Kind.SKIN_LESION: codes.CID6016.SkinLesion,
    Kind.SKIN_THICKENING: codes.CID6016.SkinThickeningOfBreast,
    Kind.SKIN_RETRACTION: codes.CID6016.SkinRetractionOfBreast,
    Kind.NIPPLE_RETRACTION: SCT.NippleRetraction,
    Kind.TRABECULAR_THICKENING: codes.CID6016.TrabecularThickeningOfBreast,
    Kind.DILATED_DUCT: codes.CID6016.TubularDensity,
}
"""What a finding is. A developing asymmetry is a focal one that is new or larger."""

CATEGORIES = {
    Category.INCOMPLETE: Code("397138000", "SCT", "0 - Incomplete - Need additional imaging evaluation +/- priors"),
    Category.NEGATIVE: Code("397140005", "SCT", "1 - Negative"),
    Category.BENIGN: Code("397141009", "SCT", "2 - Benign"),
    Category.PROBABLY_BENIGN: Code("397143007", "SCT", "3 - Probably Benign"),
    Category.SUSPICIOUS: Code("397144001", "SCT", "4 - Suspicious"),
    Category.LOW_SUSPICION: Code("MA.II.A.5.4A", "BI", "4A - Low suspicion", "4.0"),
    Category.MODERATE_SUSPICION: Code("MA.II.A.5.4B", "BI", "4B - Intermediate suspicion", "4.0"),
    Category.HIGH_SUSPICION: Code("MA.II.A.5.4C", "BI", "4C - Moderate suspicion", "4.0"),
    Category.HIGHLY_SUGGESTIVE: Code("397145000", "SCT", "5 - Highly suggestive of malignancy"),
    Category.KNOWN_MALIGNANCY: Code("MA.II.A.5.6", "BI", "6 - Known biopsy proven malignancy", "4.0"),
}
"""CID 6027, whose code meanings pydicom's tables do not have; 4B and 4C are called as there."""

COMPOSITIONS = {
    Composition.A: codes.CID6000.AlmostEntirelyFat,
    Composition.B: codes.CID6000.ScatteredFibroglandularDensities,
    Composition.C: codes.CID6000.HeterogeneouslyDense,
    Composition.D: codes.CID6000.ExtremelyDense,
}
SHAPES = {
    Shape.OVAL: codes.CID6004.OvoidShapeOval,
    Shape.ROUND: codes.CID6004.RoundShape,
    Shape.IRREGULAR: codes.CID6004.Irregular,
    Shape.LOBULATED: codes.CID6004.Lobular,
}
MARGINS = {
    Margin.CIRCUMSCRIBED: codes.CID6006.CircumscribedLesion,
    Margin.OBSCURED: codes.CID6006.ObscuredLesion,
    Margin.MICROLOBULATED: codes.CID6006.MicrolobulatedLesion,
    Margin.INDISTINCT: codes.CID6006.IndistinctLesion,
    Margin.SPICULATED: codes.CID6006.SpiculatedLesion,
}
DENSITIES = {
    Density.HIGH: codes.CID6008.HighDensityLesion,
    Density.EQUAL: codes.CID6008.EqualDensityIsodenseLesion,
    Density.LOW: codes.CID6008.LowDensityNotContainingFatLesion,
    Density.FAT: codes.CID6008.FatContainingRadiolucentLesion,
}
MORPHOLOGIES = {
    Morphology.SKIN: codes.CID6010.CalcifiedSkinOfBreast,
    Morphology.VASCULAR: codes.CID6010.VascularCalcificationRadiographicFinding,
    Morphology.COARSE: codes.CID6010.CoarsePopcornLikeCalcification,
    Morphology.ROD_LIKE: codes.CID6010.LargeRodLikeCalcification,
    Morphology.ROUND: codes.CID6010.RoundShapedCalcification,
    Morphology.PUNCTATE: codes.CID6010.PunctateCalcification,
    Morphology.RIM: codes.CID6010.EggshellCalcification,
    Morphology.DYSTROPHIC: codes.CID6010.DystrophicCalcification,
    Morphology.MILK_OF_CALCIUM: codes.CID6010.MilkOfCalciumCalcification,
    Morphology.SUTURE: codes.CID6010.CalcifiedSutureMaterial,
    Morphology.BENIGN: codes.CID6030.BenignCalcifications,
    Morphology.AMORPHOUS: codes.CID6010.AmorphousCalcification,
    Morphology.COARSE_HETEROGENEOUS: codes.CID6010.HeterogeneousCalcification,
    Morphology.FINE_PLEOMORPHIC: codes.CID6010.FinePleomorphicCalcification,
    Morphology.FINE_LINEAR: codes.CID6010.FineLinearBranchingCastingCalcification,
}
DISTRIBUTIONS = {
    Distribution.DIFFUSE: codes.CID6012.DiffuseCalcificationDistribution,
    Distribution.REGIONAL: codes.CID6012.RegionalCalcificationDistribution,
    Distribution.GROUPED: codes.CID6012.GroupedCalcificationDistribution,
    Distribution.LINEAR: codes.CID6012.LinearCalcificationDistribution,
    Distribution.SEGMENTAL: codes.CID6012.SegmentalCalcificationDistribution,
}
DEPTHS = {
    Depth.ANTERIOR: codes.CID6024.Anterior,
    Depth.MIDDLE: codes.CID6024.Middle,
    Depth.POSTERIOR: codes.CID6024.Posterior,
}
CHANGES = {
    Change.NEW: codes.CID6002.NewFinding,
    Change.LARGER: codes.CID6002.IncreaseInSize,
    Change.STABLE: codes.CID6002.NoSignificantChangesInTheFinding,
    Change.SMALLER: codes.CID6002.DecreaseInSize,
}
RECOMMENDATIONS = {
    Recommendation.ROUTINE: codes.CID6028.NormalIntervalFollowUp,
    Recommendation.ADDITIONAL_IMAGING: codes.CID6028.AdditionalProjections,
    Recommendation.SHORT_INTERVAL: codes.CID6028.FollowUpAtShortInterval111Months,
    Recommendation.BIOPSY: codes.CID6028.BiopsyShouldBeConsidered,
    Recommendation.SURGICAL: codes.CID6028.SurgicalConsult,
}
_BREAST = SCT.Breast
SITES: dict[Quadrant, tuple[Code, Code | None]] = {
    Quadrant.UPPER_OUTER: (codes.CID6020.UpperOuterQuadrantOfBreast, None),
    Quadrant.UPPER_INNER: (codes.CID6020.UpperInnerQuadrantOfBreast, None),
    Quadrant.LOWER_OUTER: (codes.CID6020.LowerOuterQuadrantOfBreast, None),
    Quadrant.LOWER_INNER: (codes.CID6020.LowerInnerQuadrantOfBreast, None),
    Quadrant.UPPER: (_BREAST, SCT.Superior),
    Quadrant.LOWER: (_BREAST, SCT.Inferior),
    Quadrant.OUTER: (_BREAST, SCT.Lateral),
    Quadrant.INNER: (_BREAST, SCT.Medial),
    Quadrant.CENTRAL: (codes.CID6018.CentralRegionOfBreast, None),
    Quadrant.RETROAREOLAR: (codes.CID6018.SubareolarRegion, None),
    Quadrant.AXILLARY_TAIL: (codes.CID6018.AxillaryTailRegion, None),
    Quadrant.AXILLA: (codes.CID6018.AxillaRegion, None),
}
"""Where a finding is: an anatomic location, and its topographical modifier where half of a breast has no code."""
CLOCK = {hour: codes.CID6018.concepts[f"_{hour}OClockPosition"] for hour in range(1, 13)}


def site(finding: Finding) -> tuple[Code, Code | None]:
    """The anatomic location of a finding and its topographical modifier; the breast where none is stated."""
    return (_BREAST, None) if finding.location.quadrant is None else SITES[finding.location.quadrant]


def descriptors(finding: Finding) -> list[tuple[Code, Code]]:
    """What the report says of a finding, concept and value, in the order of the lexicon; what is unset is omitted."""
    place = finding.location
    found = [
        (DCM.AssessmentCategory, finding.category and CATEGORIES[finding.category]),
        (SCT.Shape, finding.shape and SHAPES[finding.shape]),
        (DCM.Margins, finding.margin and MARGINS[finding.margin]),
        (DCM.LesionDensity, finding.density and DENSITIES[finding.density]),
        (DCM.CalcificationType, finding.morphology and MORPHOLOGIES[finding.morphology]),
        (DCM.CalcificationDistribution, finding.distribution and DISTRIBUTIONS[finding.distribution]),
        (DCM.ClockfaceOrRegion, place.clock and CLOCK[place.clock]),
        (DCM.Depth, place.depth and DEPTHS[place.depth]),
        (DCM.QualitativeDifference, finding.change and CHANGES[finding.change]),
        (DCM.RecommendedFollowUp, finding.recommendation and RECOMMENDATIONS[finding.recommendation]),
    ]
    return [(concept, value) for concept, value in found if isinstance(value, Code)] + [
        (SCT.AssociatedFinding, KINDS[kind]) for kind in finding.associated
    ]
