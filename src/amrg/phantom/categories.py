"""The category of a drawn finding: one table from descriptors, so that the truth is the same for every drawing.

| finding | category |
|---|---|
| nothing | 1 |
| benign calcifications, fat-containing mass, nodes, global asymmetry | 2 |
| circumscribed mass, asymmetry, focal asymmetry, grouped round or punctate calcifications | 3 |
| obscured or microlobulated mass | 4A |
| indistinct oval or round mass, amorphous or coarse heterogeneous calcifications, distortion | 4B |
| irregular mass, not spiculated; fine pleomorphic; fine linear branching in a group | 4C |
| spiculated mass; fine linear branching in a line or segment; 4C with skin or nipple retraction | 5 |
"""

from __future__ import annotations

from amrg.birads import Category, Density, Distribution, Finding, Kind, Margin, Morphology, Shape

_BY_KIND = {
    Kind.ASYMMETRY: Category.PROBABLY_BENIGN,
    Kind.FOCAL_ASYMMETRY: Category.PROBABLY_BENIGN,
    Kind.GLOBAL_ASYMMETRY: Category.BENIGN,
    Kind.DISTORTION: Category.MODERATE_SUSPICION,
    Kind.INTRAMAMMARY_NODE: Category.BENIGN,
    Kind.AXILLARY_NODE: Category.BENIGN,
}
_BY_MARGIN = {
    Margin.CIRCUMSCRIBED: Category.PROBABLY_BENIGN,
    Margin.OBSCURED: Category.LOW_SUSPICION,
    Margin.MICROLOBULATED: Category.LOW_SUSPICION,
    Margin.INDISTINCT: Category.MODERATE_SUSPICION,
    Margin.SPICULATED: Category.HIGHLY_SUGGESTIVE,
}
_BY_MORPHOLOGY = {
    Morphology.AMORPHOUS: Category.MODERATE_SUSPICION,
    Morphology.COARSE_HETEROGENEOUS: Category.MODERATE_SUSPICION,
    Morphology.FINE_PLEOMORPHIC: Category.HIGH_SUSPICION,
    Morphology.FINE_LINEAR: Category.HIGH_SUSPICION,
}
_ALONG_DUCTS = {Distribution.LINEAR, Distribution.SEGMENTAL}
_RETRACTIONS = {Kind.SKIN_RETRACTION, Kind.NIPPLE_RETRACTION}


def category_of(finding: Finding) -> Category:
    """The category that a finding's descriptors give by the table above; KeyError for kinds that are not in it."""
    category = _from_descriptors(finding)
    if category is Category.HIGH_SUSPICION and _RETRACTIONS & set(finding.associated):
        return Category.HIGHLY_SUGGESTIVE
    return category


def _from_descriptors(finding: Finding) -> Category:
    """The category without associated features."""
    if finding.kind is Kind.MASS:
        return _mass(finding)
    if finding.kind is Kind.CALCIFICATIONS:
        return _calcifications(finding)
    return _BY_KIND[finding.kind]


def _mass(finding: Finding) -> Category:
    """Fat makes a mass benign; an irregular shape makes any margin but a spiculated one 4C."""
    if finding.density is Density.FAT:
        return Category.BENIGN
    if finding.shape is Shape.IRREGULAR and finding.margin is not Margin.SPICULATED:
        return Category.HIGH_SUSPICION
    return _BY_MARGIN[finding.margin or Margin.CIRCUMSCRIBED]


def _calcifications(finding: Finding) -> Category:
    """Suspicious morphology first, then grouped small round ones; all else is typically benign."""
    morphology, distribution = finding.morphology, finding.distribution
    if morphology is Morphology.FINE_LINEAR and distribution in _ALONG_DUCTS:
        return Category.HIGHLY_SUGGESTIVE
    if morphology in _BY_MORPHOLOGY:
        return _BY_MORPHOLOGY[morphology]
    small = morphology in {Morphology.ROUND, Morphology.PUNCTATE}
    grouped = small and distribution is Distribution.GROUPED
    return Category.PROBABLY_BENIGN if grouped else Category.BENIGN
