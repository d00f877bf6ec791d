"""Headings of reports, and the section that each opens."""

from __future__ import annotations

from enum import StrEnum


class Section(StrEnum):
    """Part of a report; `body` is text under no heading."""

    BODY = "body"
    INDICATION = "indication"
    TECHNIQUE = "technique"
    COMPARISON = "comparison"
    COMPOSITION = "composition"
    FINDINGS = "findings"
    IMPRESSION = "impression"
    ADVICE = "advice"
    UNCONFIRMED = "unconfirmed"


PHRASES = {
    Section.INDICATION: "indication; clinical indication; history; clinical history; clinical information; reason for "
    "exam; reason for examination; reason for study; clinical details; indications; exam; examination; exam type; "
    "clinical data; patient history; study; procedure; reason; study type; type of study; exam and indication; "
    "clinical note; clinical notes",
    Section.TECHNIQUE: "technique; views; technique and views; method; projections; imaging technique; technical factors",
    Section.COMPARISON: "comparison; comparisons; prior studies; comparison studies; comparison study; prior; priors; "
    "prior study; prior imaging; compared with",
    Section.COMPOSITION: "breast composition; composition; breast density; density; breast compositions; tissue density; "
    "parenchymal pattern; breast parenchyma; breast tissue composition; tissue composition; breast tissue; "
    "parenchymal composition; acr density; acr breast density; breast density category; acr; density category; "
    "acr composition; breast composition category; acr category; breast tissue density; mammographic density",
    Section.FINDINGS: "findings; finding; mammographic findings; mammography findings; description; observations; "
    "imaging findings; report; mammogram findings; key findings; other findings; additional findings; "
    "mammogram report; narrative; details; detailed findings; associated features; associated findings; "
    "axilla; axillae; lymph nodes; skin and nipple; skin; nipple; masses; mass; calcifications; calcification; "
    "asymmetry; asymmetries; architectural distortion; special cases; radiologist note; radiologist notes; "
    "radiologist comment; radiologist comments",
    Section.IMPRESSION: "impression; conclusion; impressions; conclusions; summary; opinion; assessment; final assessment; "
    "overall assessment; overall impression; impression and recommendation; diagnosis; interpretation; "
    "assessment and recommendation; final impression; final overall assessment; assessments",
    Section.UNCONFIRMED: "unconfirmed",
    Section.ADVICE: "recommendation; recommendations; management; plan; advice; follow up; management recommendation; "
    "recommended action; next steps; management recommendations; next step; suggested management; note; disclaimer",
}
# Headings that name a finding themselves: their words stay part of what is read.
_SPEAKING_PHRASES = (
    "axilla; axillae; lymph nodes; skin and nipple; skin; nipple; masses; mass; calcifications; "
    "calcification; asymmetry; asymmetries; architectural distortion; compared with; prior; acr; acr "
    "density; density; breast density; composition; breast composition; assessment; final "
    "assessment; overall assessment; acr category; density category; breast density category; breast "
    "composition category; overall impression; prior studies; prior study"
)
SPEAKING = frozenset(_SPEAKING_PHRASES.split("; "))
