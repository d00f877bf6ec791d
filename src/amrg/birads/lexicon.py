"""The words of BI-RADS mammography as closed sets: 5th edition (2013), and what the 2025 edition changed.

Values are the field's own short terms; explanations are ours, since the wording of the atlas is copyrighted.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Edition(StrEnum):
    """Edition of BI-RADS that a report is written in."""

    FIFTH = "5"
    V2025 = "2025"


class Laterality(StrEnum):
    """Side of the patient, as DICOM ImageLaterality (0020,0062) writes it."""

    RIGHT = "R"
    LEFT = "L"


class View(StrEnum):
    """Mammographic projection, as DICOM ViewPosition (0018,5101) and the ACR's labels write it."""

    CC = "CC"
    MLO = "MLO"
    ML = "ML"
    LM = "LM"
    LMO = "LMO"
    XCCL = "XCCL"
    XCCM = "XCCM"
    XCC = "XCC"
    FB = "FB"
    SIO = "SIO"
    ISO = "ISO"


class Composition(StrEnum):
    """Breast composition: how much of the breast is fibroglandular tissue."""

    A = "a"
    B = "b"
    C = "c"
    D = "d"


class Category(StrEnum):
    """Assessment category. `suspicion` orders them from the least to the most worrying."""

    INCOMPLETE = "0"
    NEGATIVE = "1"
    BENIGN = "2"
    PROBABLY_BENIGN = "3"
    SUSPICIOUS = "4"
    LOW_SUSPICION = "4A"
    MODERATE_SUSPICION = "4B"
    HIGH_SUSPICION = "4C"
    HIGHLY_SUGGESTIVE = "5"
    KNOWN_MALIGNANCY = "6"

    @property
    def suspicion(self) -> float:
        """Rank by suspicion. 0 asks for more imaging, so it ranks between 3 and 4A; plain 4 equals 4B."""
        return _SUSPICION[self]

    @property
    def major(self) -> int:
        """The category without its letter, 0 to 6."""
        return int(self.value[0])


_SUSPICION: dict[Category, float] = {
    Category.NEGATIVE: 1.0,
    Category.BENIGN: 2.0,
    Category.PROBABLY_BENIGN: 3.0,
    Category.INCOMPLETE: 3.5,
    Category.LOW_SUSPICION: 4.1,
    Category.SUSPICIOUS: 4.2,
    Category.MODERATE_SUSPICION: 4.2,
    Category.HIGH_SUSPICION: 4.3,
    Category.HIGHLY_SUGGESTIVE: 5.0,
    Category.KNOWN_MALIGNANCY: 6.0,
}


class Kind(StrEnum):
    """What a finding is."""

    MASS = "mass"
    CALCIFICATIONS = "calcifications"
    ASYMMETRY = "asymmetry"
    FOCAL_ASYMMETRY = "focal asymmetry"
    GLOBAL_ASYMMETRY = "global asymmetry"
    DEVELOPING_ASYMMETRY = "developing asymmetry"
    DISTORTION = "architectural distortion"
    INTRAMAMMARY_NODE = "intramammary lymph node"
    AXILLARY_NODE = "axillary lymph node"
    SKIN_LESION = "skin lesion"
    SKIN_THICKENING = "skin thickening"
    SKIN_RETRACTION = "skin retraction"
    NIPPLE_RETRACTION = "nipple retraction"
    TRABECULAR_THICKENING = "trabecular thickening"
    DILATED_DUCT = "solitary dilated duct"


NODES = frozenset({Kind.INTRAMAMMARY_NODE, Kind.AXILLARY_NODE})
ASYMMETRIES = frozenset({Kind.ASYMMETRY, Kind.FOCAL_ASYMMETRY, Kind.GLOBAL_ASYMMETRY, Kind.DEVELOPING_ASYMMETRY})


class Shape(StrEnum):
    """Shape of a mass."""

    OVAL = "oval"
    ROUND = "round"
    IRREGULAR = "irregular"
    LOBULATED = "lobulated"  # 4th edition; lives on in real reports


class Margin(StrEnum):
    """Margin of a mass."""

    CIRCUMSCRIBED = "circumscribed"
    OBSCURED = "obscured"
    MICROLOBULATED = "microlobulated"
    INDISTINCT = "indistinct"
    SPICULATED = "spiculated"


class Density(StrEnum):
    """X-ray density of a mass against an equal volume of fibroglandular tissue."""

    HIGH = "high density"
    EQUAL = "equal density"
    LOW = "low density"
    FAT = "fat-containing"


class Morphology(StrEnum):
    """Morphology of calcifications: nine typically benign, then four suspicious."""

    SKIN = "skin"
    VASCULAR = "vascular"
    COARSE = "coarse"
    ROD_LIKE = "large rod-like"
    ROUND = "round"
    PUNCTATE = "punctate"
    RIM = "rim"
    DYSTROPHIC = "dystrophic"
    MILK_OF_CALCIUM = "milk of calcium"
    SUTURE = "suture"
    BENIGN = "typically benign"  # called benign without a morphology
    AMORPHOUS = "amorphous"
    COARSE_HETEROGENEOUS = "coarse heterogeneous"
    FINE_PLEOMORPHIC = "fine pleomorphic"
    FINE_LINEAR = "fine linear branching"


SUSPICIOUS_MORPHOLOGY = frozenset(
    {
        Morphology.AMORPHOUS,
        Morphology.COARSE_HETEROGENEOUS,
        Morphology.FINE_PLEOMORPHIC,
        Morphology.FINE_LINEAR,
    }
)


class Distribution(StrEnum):
    """Distribution of calcifications in the breast."""

    DIFFUSE = "diffuse"
    REGIONAL = "regional"
    GROUPED = "grouped"
    LINEAR = "linear"
    SEGMENTAL = "segmental"


class Descriptor(NamedTuple):
    """A field of a finding that only some kinds have: its values, and those kinds, the one it is of first."""

    values: type[StrEnum]
    kinds: tuple[Kind, ...]


DESCRIPTORS = {
    "shape": Descriptor(Shape, (Kind.MASS, *sorted(NODES))),
    "margin": Descriptor(Margin, (Kind.MASS, *sorted(NODES))),
    "density": Descriptor(Density, (Kind.MASS,)),
    "morphology": Descriptor(Morphology, (Kind.CALCIFICATIONS,)),
    "distribution": Descriptor(Distribution, (Kind.CALCIFICATIONS,)),
}


class Quadrant(StrEnum):
    """Where in the breast: quadrants as the patient has them, and the places without one."""

    UPPER_OUTER = "upper outer"
    UPPER_INNER = "upper inner"
    LOWER_OUTER = "lower outer"
    LOWER_INNER = "lower inner"
    UPPER = "upper"
    LOWER = "lower"
    OUTER = "outer"
    INNER = "inner"
    CENTRAL = "central"
    RETROAREOLAR = "retroareolar"
    AXILLARY_TAIL = "axillary tail"
    AXILLA = "axilla"


class Depth(StrEnum):
    """Depth from the nipple, in thirds of the breast."""

    ANTERIOR = "anterior"
    MIDDLE = "middle"
    POSTERIOR = "posterior"


class Change(StrEnum):
    """Change since the prior study."""

    NEW = "new"
    LARGER = "larger"
    STABLE = "stable"
    SMALLER = "smaller"


class Certainty(StrEnum):
    """How sure the report is that the finding is there."""

    DEFINITE = "definite"
    POSSIBLE = "possible"


class Recommendation(StrEnum):
    """What the report advises, in management's standard steps."""

    ROUTINE = "routine screening"
    ADDITIONAL_IMAGING = "additional imaging"
    SHORT_INTERVAL = "short-interval follow-up"
    BIOPSY = "biopsy"
    SURGICAL = "surgical excision"


ADVICE = {
    0: (Recommendation.ADDITIONAL_IMAGING,),
    1: (Recommendation.ROUTINE,),
    2: (Recommendation.ROUTINE,),
    3: (Recommendation.SHORT_INTERVAL, Recommendation.ADDITIONAL_IMAGING),
    4: (Recommendation.BIOPSY,),
    5: (Recommendation.BIOPSY, Recommendation.SURGICAL),
    6: (Recommendation.SURGICAL,),
}
"""What goes with a category, without the letter of a 4; the usual step first."""


def usual_recommendation(worst: Category) -> Recommendation:
    """What is usually advised for the worst category of an exam."""
    return ADVICE[worst.major][0]


class Indication(StrEnum):
    """Why the study was made."""

    SCREENING = "screening"
    DIAGNOSTIC = "diagnostic"


class Status(StrEnum):
    """How far the report is on its way to a signature."""

    DRAFT = "draft"
    PRELIMINARY = "preliminary"
    FINAL = "final"
    AMENDED = "amended"
    APPENDED = "appended"
    WITHDRAWN = "withdrawn"
