"""Categories that do not hold, put into every real report, leave its assessment as it is."""

from __future__ import annotations

import random
from functools import cache

import pytest
from dmid_data import DMID, dmid_reports
from hypothesis import given, settings
from hypothesis import strategies as st

from amrg.birads import Category, parse

pytestmark = pytest.mark.skipif(not DMID.is_dir(), reason="the DMID reports are not here")

CATEGORIES = [c.value for c in Category]
NAMES = [
    "BI-RADS",
    "BIRADS",
    "BI\u2011RADS",
    "BI\u2013RADS",
    "BI RAD'S",
    "Category",
    "\uff22\uff29\uff0d\uff32\uff21\uff24\uff33",
]
PRIOR = [
    "Previously assessed as {name} {category}; biopsy benign.",
    "Prior {name}: {category}",
    "{name} {category} on the prior mammogram of 2019.",
    "Last year's assessment was {name} {category}.",
    "History of {name} {category} in 2018.",
    "The outside study was read as {name} {category}.",
]
CONDITIONAL = [
    "If {name} {category} on follow up, biopsy.",
    "Should it grow, {name} {category} would be assigned.",
    "Unless stable, {name} {category}.",
    "To be upgraded to {name} {category} if it grows.",
    "It could become {name} {category} after ultrasound.",
]
DENIED = [
    "Not {name} {category}.",
    "No {name} {category} lesion.",
    "Does not meet criteria for {name} {category}.",
    "{name} {category} is not warranted.",
]
SENTENCES = [*PRIOR, *CONDITIONAL, *DENIED]
EXAMINED = [
    "Ultrasound {name}: {category}",
    "USG {name} {category}.",
    "{name} {category} on ultrasound.",
    "Sonographic assessment: {name} {category}",
    "MRI: {name} {category}.",
    "{name} (US): {category}",
]
NUMBERS = [
    "ACR density {n}.",
    "Breast density: type {n}",
    "The breasts are 50-75 % glandular.",
    "TI-RADS category {n} nodule in the thyroid.",
    "Patient age: {n}{n} years.",
    "Examined on {n}/{n}/2024 at {n}:30.",
    "{n} surgical clips in the pectoral region.",
    "A scar of {n} cm.",
    "{n} views were obtained.",
    "Page {n} of 6",
    "Mammogram opinion: M{n}.",
    "Volumetric density {n} %.",
    "Risk category {n}.",
]
LEGEND = (
    "{name} 0: Incomplete\n{name} 1: Negative\n{name} 2: Benign\n{name} 3: Probably benign\n{name} 4: Suspicious\n"
    "{name} 5: Highly suggestive of malignancy\n{name} 6: Known malignancy"
)
HEADS = [
    "IMPRESSION: {name} {category}.\n\nADDENDUM: corrected report.\n{report}",
    "Preliminary {name} {category}.\n\n{report}",
    "COMPARISON: Mammogram of 4 March 2019, {name} {category}.\n\n{report}",
    "INDICATION: Follow-up of {name} {category}.\n\n{report}",
    "ADDENDUM: read again.\n{report}\nEND OF ADDENDUM\n{name} {category}",
]
DASHES = ["\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212", "\uff0d", "&ndash;", "&#8209;"]

distractors = (
    st.builds(
        str.format,
        st.sampled_from([*SENTENCES, *EXAMINED]),
        name=st.sampled_from(NAMES),
        category=st.sampled_from(CATEGORIES),
    )
    | st.builds(LEGEND.format, name=st.sampled_from(["BI-RADS", "BIRADS", "Category"]))
    | st.builds(str.format, st.sampled_from(NUMBERS), n=st.integers(1, 4))
)


@cache
def assessment(text: str) -> list[tuple[str, str | None]]:
    return [(a.category, a.laterality) for a in parse(text).report.assessments]


def insert(text: str, lines: list[str], seed: int) -> str:
    """The text with lines put between its parts, as paragraphs of their own."""
    rng = random.Random(seed)
    parts = text.replace("\r\n", "\n").split("\n\n")
    for line in lines:
        parts.insert(rng.randint(0, len(parts)), line)
    return "\n\n".join(parts)


@settings(derandomize=True, deadline=None, max_examples=10)
@given(
    lines=st.lists(distractors, min_size=1, max_size=3),
    head=st.sampled_from(["{report}", *HEADS]),
    name=st.sampled_from(NAMES),
    category=st.sampled_from(CATEGORIES),
    dash=st.sampled_from(["-", *DASHES]),
    seed=st.integers(0, 1000),
)
def test_the_assessment_of_a_real_report_stays(
    lines: list[str], head: str, name: str, category: str, dash: str, seed: int
) -> None:
    for image, text in dmid_reports().items():
        plain = text.replace("BIRADS", "BI-RADS")
        changed = insert(head.format(report=plain, name=name, category=category), lines, seed)
        changed = changed.replace("BI-RADS", f"BI{dash}RADS")
        assert assessment(changed) == assessment(text), (image, changed)


@pytest.mark.parametrize("sentence", EXAMINED)
def test_a_category_of_another_examination_is_a_fact_of_its_own_kind(sentence: str) -> None:
    for category in CATEGORIES:
        text = f"BI-RADS 2.\n\n{sentence.format(name='BI-RADS', category=category)}"
        (other,) = parse(text).other_categories
        assert (other.standing, other.category) == ("MRI" if "MRI" in sentence else "ultrasound", category), text


@pytest.mark.parametrize("sentence", SENTENCES)
def test_each_sentence_is_a_fact_of_its_own_kind(sentence: str) -> None:
    kind = "prior" if sentence in PRIOR else "conditional" if sentence in CONDITIONAL else "denied"
    for category in CATEGORIES:
        text = f"BI-RADS 2.\n\n{sentence.format(name='BI-RADS', category=category)}"
        (other,) = parse(text).other_categories
        assert (other.standing, other.category) == (kind, category), text
