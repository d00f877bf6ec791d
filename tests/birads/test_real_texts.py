"""Report texts as they are written and exported: each row of docs/real-inputs.md, and other members of its kind."""

from __future__ import annotations

import pytest

from amrg.birads import Category, Comparison, Kind, Standing, check, parse
from tests.birads.readings import assessed, others

WRITTEN = [
    "BI\u2011RADS 4A",
    "BI\u2010RADS: 4A",
    "BI\u2013RADS 4A",
    "BI\u2014RADS 4A",
    "BI\u2212RADS 4A",
    "BI\u00adRADS 4A",
    "BI\u00a0RADS\u00a04A",
    "BI-RADS\u20034A",
    "BI-RADS\u202f4A",
    "BI\u200b-\u200bRADS 4\u200bA",
    "\ufeffBI-RADS 4A",
    "BI-\u2060RADS\u200e 4A\u200f",
    "\uff22\uff29\uff0d\uff32\uff21\uff24\uff33\uff1a\uff14\uff21",
    "BI-RADS \U0001d7d2A",
    "BI-RADS \u0664A",
    "BI-RADS\u00ae 4A",
    "BI-RADS\u2122 category 4A",
    "BI&#8209;RADS&nbsp;4A",
    "BI&ndash;RADS&#58; 4A",
    "BI&amp;#x2011;RADS 4A",
    "<p>BI-RADS:&nbsp;<b>4A</b></p>",
    "FINDINGS:\\.br\\ \\.br\\BI-RADS 4A\\.br\\",
    "BI-RADS\\X20\\4A",
    "BI-RADS\\E\\ 4A",
    "\\H\\BI-RADS 4A\\N\\",
    "Findings:\\nNormal skin\\nBI-RADS 4A",
    "FINDINGS:\rNormal skin.\rBI-RADS 4A\r",
    "FINDINGS~Normal skin.~BI-RADS 4A",
    "BI\u00e2\u20ac\u2018RADS 4A",
    "BI\u00e2\u0080\u0091RADS\u00c2\u00a04A",
    "BI\x96RADS 4A",
    "\u0412I-RADS 4\u0410",
    "BI RAD'S 4A",
    "BI RAD\u2019S 4A",
    "BI-RADS. 4A",
    "BI-RADS.4A",
    "B.I.R.A.D.S. 4A",
    "BI-RADS4A",
    "BI - RADS 4A",
    "BI/RADS 4A",
    "BI_RADS: 4A",
    "BIRAD 4A",
    "BI-RADS\n4A",
    "BI-RADS Category:\n4A",
    "| BI-RADS | 4A |",
    '{"bi-rads": ["4A"]}',
    "BI-RADS = 4A",
    "BI-RADS -> 4A",
    "BI-RADS #4A",
    "BI-RADS [4A]",
    "BI-RADS: suspicious (4A)",
    "Category: 4A",
    "RECOMMENDATION: Biopsy.\n\nBI-RADS 4A",
    "RECOMMENDATION: Biopsy. BI-RADS 4A.",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_t1_a_category_is_read_however_it_is_written(text: str) -> None:
    parsed = parse(text)
    assert [a.category for a in parsed.report.assessments] == ["4A"]
    for fact in parsed.facts:
        assert text[fact.span.start : fact.span.end] == fact.span.text
    assert parsed.report.narrative == text


def test_t1_spans_are_of_the_text_as_it_came() -> None:
    text = "&nbsp;Mass in the right breast&#44; 1\u00bd\u00a0cm.\\.br\\BI\u2011RADS\u00a04A"
    spans = {fact.path: fact.span.text for fact in parse(text).facts}
    assert spans["findings[0].size_mm"] == "1\u00bd\u00a0cm"
    assert spans["assessments[0].category"] == "4A"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ASSESSMENT: Negative.", ["1"]),
        ("ASSESSMENT: Benign.", ["2"]),
        ("ASSESSMENT: Probably benign.", ["3"]),
        ("ASSESSMENT: Suspicious.", ["4"]),
        ("ASSESSMENT: Highly suggestive of malignancy.", ["5"]),
        ("ASSESSMENT: Known Biopsy-Proven Malignancy.", ["6"]),
        ("ASSESSMENT: Incomplete: Need additional imaging evaluation.", ["0"]),
        ("ASSESSMENT: Incomplete: Need prior mammograms for comparison.", ["0"]),
        ("Incomplete: Need prior mammograms for comparison", []),
        ("IMPRESSION: Negative mammogram.", ["1"]),
        ("IMPRESSION: Negative.", ["1"]),
        ("IMPRESSION:\nBenign findings.", ["2"]),
        ("Final assessment: Probably benign finding - short interval follow-up suggested.", ["3"]),
        ("FINAL ASSESSMENT CATEGORY: Suspicious abnormality - biopsy should be considered.", ["4"]),
        ("BI-RADS: Highly suggestive of malignancy", ["5"]),
        ("BI-RADS category: benign", ["2"]),
        ("The final assessment is benign.", ["2"]),
        ("ASSESSMENT:\nRight breast: Negative.\nLeft breast: Suspicious.", ["R 1", "L 4"]),
        ("ASSESSMENT: Incomplete - additional imaging needed", ["0"]),
        ("IMPRESSION: Negative for malignancy.", []),
        ("IMPRESSION: Suspicious mass in the left breast.", []),
        ("FINDINGS: The calcifications are benign.", []),
        ("IMPRESSION: BI-RADS 2: Benign.", ["2"]),
        ("Left breast: benign calcifications.", []),
    ],
)
def test_t2_the_phrases_that_the_law_fixes_are_categories(text: str, expected: list[str]) -> None:
    if text.startswith("Incomplete"):
        text, expected = f"IMPRESSION: {text}", ["0"]
    assert assessed(text) == expected


def test_t2_a_marker_placement_mammogram_is_apart_and_has_no_number() -> None:
    parsed = parse("ASSESSMENT: Post-Procedure Mammogram for Marker Placement.")
    assert parsed.report.assessments == ()
    assert parsed.marker_placement is not None
    assert parsed.marker_placement.text == "Post-Procedure Mammogram for Marker Placement"
    assert parse("ASSESSMENT: Benign.").marker_placement is None


@pytest.mark.parametrize(
    "text",
    [
        "ASSESSMENT: Incomplete: Need prior mammograms for comparison.",
        "BI-RADS 0: Need prior mammograms for comparison.",
        "BI-RADS 0. Prior mammograms have been requested for comparison.",
        "BI-RADS 0. Awaiting prior mammograms for comparison.",
        "RECOMMENDATION: Comparison with prior mammograms is recommended.",
        "COMPARISON: Prior studies pending.",
    ],
)
def test_t2_asking_for_priors_is_no_comparison(text: str) -> None:
    comparison = parse(text).report.comparison
    assert comparison is None or not comparison.available


HELD = [
    ("Previously assessed as BI-RADS 4B; biopsy benign. Final assessment: Category 2.", ["2"], ["prior 4B"]),
    ("COMPARISON: 02/28/2022, BI-RADS 3. FINDINGS: No mass. BI-RADS 2.", ["2"], ["prior 3"]),
    ("INDICATION: Follow-up of BI-RADS 3 finding.\nIMPRESSION: BI-RADS 2.", ["2"], ["prior 3"]),
    ("Recalled from screening for BI-RADS 0.\nBI-RADS 4A.", ["4A"], ["prior 0"]),
    ("BI-RADS 2 (previously BI-RADS 3).", ["2"], ["prior 3"]),
    ("Left breast: BI-RADS 4B (previously 3). Right breast: BI-RADS 1.", ["L 4B", "R 1"], []),
    ("BI-RADS 5 (last year 4).", ["5"], []),
    ("BI-RADS 5 (2022: 2).", ["5"], []),
    ("BI-RADS 2 (excised 2019).", ["2"], []),
    ("BI-RADS 0 (prior mammograms requested).", ["0"], []),
    ("BI-RADS 5 biopsied today.", ["5"], []),
    ("BI-RADS 5 for the previously biopsied mass.", ["5"], []),
    ("BI-RADS 3 (12/2019). BI-RADS 2.", ["2"], ["prior 3"]),
    ("BI-RADS 3 (on the prior exam), now BI-RADS 2.", ["2"], ["prior 3"]),
    ("BI-RADS 4 lesion biopsied in 2019. BI-RADS 2.", ["2"], ["prior 4"]),
    ("BI-RADS: 4a-b.", ["4A", "4B"], []),
    ("BI-RADS 4b/c right breast.", ["R 4B", "R 4C"], []),
    ("BI-RADS 4A, a mass in the left breast.", ["4A"], []),
    ("Previously BI-RADS 4, now BI-RADS 2.", ["2"], ["prior 4"]),
    ("Previously BI-RADS 4 now BI-RADS 2.", ["2"], ["prior 4"]),
    ("Prior assessment: BI-RADS 4.\nAssessment: BI-RADS 2.", ["2"], ["prior 4"]),
    ("Stable mass compared with the prior exam (BI-RADS 3). BI-RADS 2.", ["2"], ["prior 3"]),
    ("Stable compared with the previous mammogram, BI-RADS 2.", ["2"], []),
    ("BI-RADS 4 in 2019, biopsy benign. BI-RADS 2.", ["2"], ["prior 4"]),
    ("BI-RADS 4 on the prior mammogram. BI-RADS 2 today.", ["2"], ["prior 4"]),
    ("Last year's assessment was BI-RADS 3. BI-RADS 2.", ["2"], ["prior 3"]),
    ("The outside mammogram was read as BI-RADS 4. Impression: BI-RADS 2.", ["2"], ["prior 4"]),
    ("The mass was downgraded from BI-RADS 4 to BI-RADS 3.", ["3"], ["prior 4"]),
    ("BI-RADS 3 probably benign. If BI-RADS 4 on follow up, biopsy.", ["3"], ["conditional 4"]),
    ("BI-RADS 3. Should it grow, BI-RADS 4 would be assigned.", ["3"], ["conditional 4"]),
    ("BI-RADS 3, to be upgraded to BI-RADS 4 if it grows.", ["3"], ["conditional 4"]),
    ("BI-RADS 3. It would be BI-RADS 4 if it grew.", ["3"], ["conditional 4"]),
    ("BI-RADS 0. Once priors are available, BI-RADS 2 may be assigned.", ["0"], ["conditional 2"]),
    ("BI-RADS 0. May be downgraded to BI-RADS 2 after ultrasound.", ["0"], ["conditional 2"]),
    ("BI-RADS 3. Unless stable, BI-RADS 4.", ["3"], ["conditional 4"]),
    ("BI-RADS 3. In case of BI-RADS 4 or 5, biopsy.", ["3"], ["conditional 4", "conditional 5"]),
    ("Ultrasound if needed, BI-RADS 0.", ["0"], []),
    ("BI-RADS 2. Not BI-RADS 4.", ["2"], ["denied 4"]),
    ("No BI-RADS 4 or 5 lesion. BI-RADS 2.", ["2"], ["denied 4", "denied 5"]),
    ("BI-RADS 3 rather than BI-RADS 4.", ["3"], ["denied 4"]),
    ("Does not meet criteria for BI-RADS 3. BI-RADS 2.", ["2"], ["denied 3"]),
    ("BI-RADS 4 is not warranted. BI-RADS 3.", ["3"], ["denied 4"]),
    ("No evidence of malignancy, BI-RADS 1.", ["1"], []),
    ("No mass. BI-RADS 1.", ["1"], []),
    ("IMPRESSION: BI-RADS 0.\n\nADDENDUM: Priors were obtained. BI-RADS 2.", ["2"], ["superseded 0"]),
    ("IMPRESSION: BI-RADS 0.\nADDENDUM 03/04/2024: Final assessment: Benign.", ["2"], ["superseded 0"]),
    ("BI-RADS 4.\n***AMENDED REPORT***\nBI-RADS 2.", ["2"], ["superseded 4"]),
    ("BI-RADS 4.\nCORRECTION: should read BI-RADS 3.", ["3"], ["superseded 4"]),
    (
        "Right breast: BI-RADS 2. Left breast: BI-RADS 4.\nADDENDUM: Left breast: BI-RADS 2.",
        ["R 2", "L 2"],
        ["superseded 4"],
    ),
    ("BI-RADS 0.\nADDENDUM 1: BI-RADS 4.\nADDENDUM 2: BI-RADS 2.", ["2"], ["superseded 0", "superseded 4"]),
    ("ADDENDUM: BI-RADS 2.\nEND OF ADDENDUM\nIMPRESSION: BI-RADS 0.", ["2"], ["superseded 0"]),
    ("ADDENDUM: BI-RADS 2.\n\nORIGINAL REPORT:\nIMPRESSION: BI-RADS 0.", ["2"], ["superseded 0"]),
    ("BI-RADS 3.\nADDENDUM: The side marker was corrected.", ["3"], []),
    ("BI-RADS 0. After ultrasound the assessment is changed to BI-RADS 2.", ["2"], ["superseded 0"]),
    ("Preliminary BI-RADS 0. Final BI-RADS 2.", ["2"], ["superseded 0"]),
    ("Patients with BI-RADS 4 lesions should undergo biopsy. BI-RADS 2.", ["2"], ["legend 4"]),
    ("BI-RADS 3 means probably benign. Assessment: BI-RADS 2.", ["2"], ["legend 3"]),
    ("Since the prior mammogram the mass has grown: BI-RADS 4B.", ["4B"], []),
    ("Pending comparison with prior films, BI-RADS 0.", ["0"], []),
    ("Erratum: BI-RADS 4 was dictated in error; BI-RADS 2 is correct.", ["2"], ["denied 4"]),
    ("The BI-RADS 4 lesion biopsied in 2020 is unchanged. BI-RADS 2.", ["2"], ["prior 4"]),
    ("Status post benign biopsy of BI-RADS 4 calcifications. BI-RADS 2.", ["2"], ["prior 4"]),
    ("The lesion, initially categorized as BI-RADS 4A, is now BI-RADS 2.", ["2"], ["prior 4A"]),
    ("BI-RADS was 3, now 2.", ["2"], ["prior 3"]),
    ("BI-RADS changed from 4 to 2.", ["2"], ["prior 4"]),
    ("This isn't BI-RADS 4. BI-RADS 3.", ["3"], ["denied 4"]),
    ("Breast density: BI-RADS 3. Assessment: BI-RADS 2.", ["2"], []),
    ("ADDENDUM: The category should read 4A instead of 2.\n---\nIMPRESSION: BI-RADS 2.", ["4A"], ["superseded 2"]),
    ("BI-RADS scale 0-6. BI-RADS 2.", ["2"], []),
]


@pytest.mark.parametrize(("text", "expected", "apart"), HELD)
def test_t3_the_assessment_that_holds_is_told_from_all_others(text: str, expected: list[str], apart: list[str]) -> None:
    assert assessed(text) == expected
    assert others(text) == apart
    for other in parse(text).other_categories:
        assert text[other.span.start : other.span.end] == other.span.text


LEGENDS = [
    "BI-RADS 0: Incomplete; BI-RADS 1: Negative; BI-RADS 2: Benign; BI-RADS 3: Probably benign; "
    "BI-RADS 4: Suspicious, biopsy should be considered; BI-RADS 5: Highly suggestive of malignancy; "
    "BI-RADS 6: Known malignancy.",
    "BI-RADS categories: 0 = incomplete, 1 = negative, 2 = benign, 3 = probably benign, 4 = suspicious, "
    "5 = highly suggestive of malignancy, 6 = known malignancy",
    "Category 0 - Need additional imaging evaluation\nCategory 1 - Negative\nCategory 2 - Benign finding(s)\n"
    "Category 3 - Probably benign; short interval follow-up suggested\nCategory 4 - Suspicious abnormality\n"
    "Category 5 - Highly suggestive of malignancy\nCategory 6 - Known biopsy-proven malignancy",
    "BI-RADS key: 6 known malignancy, 5 highly suggestive, 4 suspicious, 3 probably benign, 2 benign, 1 negative, "
    "0 incomplete.",
    "BI-RADS\n0. Incomplete\n1. Negative\n2. Benign\n3. Probably benign\n4A. Low suspicion\n4B. Moderate suspicion\n"
    "4C. High suspicion\n5. Highly suggestive of malignancy\n6. Known malignancy",
]


@pytest.mark.parametrize("legend", LEGENDS)
@pytest.mark.parametrize("order", ["{legend}\n{report}", "{report}\n\n{legend}"])
def test_t3_a_printed_legend_is_no_assessment(legend: str, order: str) -> None:
    report = "FINDINGS: Oval mass in the left breast.\nFINAL ASSESSMENT: BI-RADS 3."
    text = order.format(legend=legend, report=report)
    assert assessed(text) == ["3"]
    assert {o.standing for o in parse(text).other_categories} == {Standing.LEGEND}
    assert len(parse(text).other_categories) >= 7
    assert parse(text).report.recommendation is None
    assert len(parse(text).report.findings) == 1


def test_t3_a_ticked_legend_gives_its_category() -> None:
    text = "[ ] BI-RADS 0 incomplete\n[ ] BI-RADS 1 negative\n[x] BI-RADS 2 benign\n[ ] BI-RADS 3 probably benign"
    assert assessed(text) == ["2"]
    assert others(text) == ["legend 0", "legend 1", "legend 3"]


SIDED = [
    ("BIRADS R: 4 / L: 2", ["R 4", "L 2"]),
    ("Right breast: 1  Left breast: 4A", ["R 1", "L 4A"]),
    ("Right breast: 1\nLeft breast: 4A", ["R 1", "L 4A"]),
    ("BI-RADS (R) 2 (L) 4A", ["R 2", "L 4A"]),
    ("BI-RADS: R2 L4", ["R 2", "L 4"]),
    ("BI-RADS: R2, L4a", ["R 2", "L 4A"]),
    ("BI-RADS: 2R/4L", ["R 2", "L 4"]),
    ("BIRADS Right 2, Left 4", ["R 2", "L 4"]),
    ("BIRADS 2 (R), 4 (L)", ["R 2", "L 4"]),
    ("BI-RADS: right - 2; left - 4", ["R 2", "L 4"]),
    ("BIRADS RT: 2 LT: 4", ["R 2", "L 4"]),
    ("BIRADS RIGHT=2 LEFT=4", ["R 2", "L 4"]),
    ("BI-RADS 2 right, 4 left", ["R 2", "L 4"]),
    ("BI-RADS 2 on the right and 4 on the left.", ["R 2", "L 4"]),
    ("BI-RADS category: Right: 2 - Benign. Left: 4 - Suspicious.", ["R 2", "L 4"]),
    ("BI-RADS:\nRight: 2\nLeft: 4", ["R 2", "L 4"]),
    ("| BI-RADS | Right: 2 | Left: 4 |", ["R 2", "L 4"]),
    ("Right BI-RADS 2 / Left BI-RADS 4", ["R 2", "L 4"]),
    ("BI-RADS 4 left breast and BI-RADS 2 right breast", ["L 4", "R 2"]),
    ("Right breast: BI-RADS 2. Left breast: BI-RADS 4.", ["R 2", "L 4"]),
    ("Assessment Category: 2: Benign\nRight: 2\nLeft: 1", ["2", "R 2", "L 1"]),
    ("Impression: 1. BI-RADS 4A, left breast mass. 2. BI-RADS 2, right breast.", ["L 4A", "R 2"]),
    ("Right breast: 2 masses. Left breast: 1 cm mass.", []),
    ("Right breast: 1. Oval mass.\nLeft breast: 2. Round mass.", []),
    ("ASSESSMENT: 1. Mass in the left breast. 2. Cyst.", []),
    ("According to BI-RADS. 3 masses are seen.", []),
    ("BI-RADS 3,5 mm mass", ["3"]),
]


@pytest.mark.parametrize(("text", "expected"), SIDED)
def test_t4_sides_are_read_in_all_usual_forms(text: str, expected: list[str]) -> None:
    assert assessed(text) == expected


FOREIGN = {
    "German": "Befund: Unregelmäßiger Herdbefund oben außen links, ca. 12 mm. Beurteilung: BI-RADS "
    "4 links, BI-RADS 2 rechts.",
    "French": "Masse spiculée du quadrant supéro-externe du sein gauche. Classification ACR 5 à "
    "gauche, BI-RADS 2 à droite.",
    "Spanish": "Nódulo espiculado en el cuadrante superior externo de la mama izquierda. BI-RADS 4 "
    "izquierda, BI-RADS 1 derecha.",
    "Portuguese": "Nódulo irregular no quadrante superior externo da mama esquerda. BI-RADS 4 à "
    "esquerda, BI-RADS 2 à direita.",
    "Italian": "Nodulo irregolare nel quadrante superiore esterno della mammella sinistra. BI-RADS 4.",
    "Dutch": "Onregelmatige massa in het laterale bovenkwadrant van de linker borst. BI-RADS 4.",
    "Polish": "W prawej piersi zmiana nie jest podejrzana. BI-RADS 2.",
    "Turkish": "Sol meme üst dış kadranda düzensiz kitle izlendi. BI-RADS 4.",
    "Russian": "В левой молочной железе образование с неровными контурами. BI-RADS 4.",
    "Chinese": "左乳外上象限见不规则肿块，BI-RADS 4类。",
    "Swedish": "Oregelbunden tumör i vänster bröst och inga förkalkningar. BI-RADS 4.",
    "short German": "BI-RADS 2 beidseits.",
    "short Spanish": "BI-RADS 4 izquierda",
    "German without umlauts": "Druesenkoerper dicht, keine Herde, BI-RADS 1.",
    "German under English headings": "MAMMOGRAM\nFINDINGS: Herd rechts, unscharf begrenzt.\nIMPRESSION: BI-RADS 4",
    "Spanish under English headings": "FINDINGS: Nodulo irregular en mama izquierda.\nIMPRESSION: BI-RADS 4",
    "short Turkish": "Sag meme BIRADS 4",
    "short Polish": "Wniosek: BIRADS 2",
    "Chinese under English headings": "FINDINGS: 左乳肿块。 IMPRESSION: BI-RADS 4A",
    "both": "Herdbefund links außen, kein Mikrokalk rechts, BI-RADS 4. Mass in the left breast, BI-RADS 4.",
}


@pytest.mark.parametrize("language", FOREIGN)
def test_t5_another_language_is_not_read_and_says_so(language: str) -> None:
    text = FOREIGN[language]
    parsed = parse(text)
    assert parsed.refusal is not None
    assert parsed.refusal.startswith("not English (")
    assert parsed.refusal.endswith("): not read")
    assert parsed.facts == ()
    assert not parsed.report.assessments
    assert not parsed.report.findings
    assert [s.text for s in parsed.unread] == [text]
    if language in ("German", "French", "Spanish", "Portuguese", "Italian", "Dutch"):
        assert language in parsed.refusal


@pytest.mark.parametrize(
    "text",
    [
        "Patient: María de la Cruz Müller.\nFINDINGS: Oval mass in the left breast. BI-RADS 3.",
        "BIRADS 4",
        "Attending addendum: I agree. BI-RADS 4B.",
        "BI-RADS Code: 2 CPT: 77067 ICD: Z12.31 Accession 4-5521",
        "Dr. van den Berg\nNo mass is seen in either breast.\nBI-RADS 1.",
        "Spiculated mass UOQ left, 12 mm. BI-RADS 5",
        "",
        "mass",
    ],
)
def test_t5_english_with_foreign_names_is_read(text: str) -> None:
    assert parse(text).refusal is None


@pytest.mark.parametrize(
    ("place", "quadrant", "depth", "unread"),
    [
        ("upper-lower quadrant", None, None, ["upper-lower"]),
        ("inner-outer quadrant", None, None, ["inner-outer"]),
        ("upper outer-inner quadrant", "upper", None, []),
        ("upper inner-outer quadrant", "upper", None, []),
        ("upper outer / upper inner quadrant", "upper", None, []),
        ("upper outer and lower outer quadrants", "outer", None, []),
        ("mid-central region", "central", "middle", []),
        ("upper/outer quadrant", "upper outer", None, []),
        ("supero-lateral quadrant", "upper outer", None, []),
        ("upper\u2013outer quadrant", "upper outer", None, []),
    ],
)
def test_t6_a_place_is_read_as_far_as_it_is_said(
    place: str, quadrant: str | None, depth: str | None, unread: list[str]
) -> None:
    parsed = parse(f"An oval mass in the {place} of the left breast.")
    (finding,) = parsed.report.findings
    assert (finding.location.quadrant, finding.location.depth, finding.laterality) == (quadrant, depth, "L")
    assert [s.text for s in parsed.unread] == unread


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("measures 1,2 cm", 12),
        ("measuring 1,2 x 0,8 cm", 12),
        ("measures 0,5cm", 5),
        ("measures .5 cm", 5),
        ("measures 1\u00bd cm", 15),
        ("measures 1 1/2 cm", 15),
        ("measures 1/2 cm", 5),
        ("measures 1\u00b72 cm", 12),
        ("measures 12\u00a0mm", 12),
        ("measures 12 \u00d7 8 mm", 12),
        ("measures 1.2 cm", 12),
        ("measures 5,7 mm", 6),
    ],
)
def test_a_size_is_read_whole(text: str, size: int) -> None:
    assert [f.size_mm for f in parse(f"A mass {text}.").report.findings] == [size]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Masses are seen in the right breast at 10 o'clock and in the left breast at 2 o'clock. BI-RADS 4.",
            [("R", None, 10), ("L", None, 2)],
        ),
        (
            "A mass in the right breast at 10 o'clock and another in the left breast.",
            [("R", None, 10), ("L", None, None)],
        ),
        ("Masses at 10 o'clock and 2 o'clock in the left breast.", [("L", None, 10), ("L", None, 2)]),
        ("Masses at 10 and 2 o'clock in the left breast.", [("L", None, 10), ("L", None, 2)]),
        (
            "Masses in the upper outer quadrant of the right breast and the lower inner quadrant of the left breast.",
            [("R", "upper outer", None), ("L", "lower inner", None)],
        ),
        (
            "A mass at 2 o'clock in the left breast and a mass at 5 o'clock in the right breast.",
            [("L", None, 2), ("R", None, 5)],
        ),
    ],
)
def test_two_masses_in_one_sentence_are_two_findings(text: str, expected: list[tuple[object, ...]]) -> None:
    parsed = parse(text)
    found = parsed.report.findings
    assert [(f.laterality, f.location.quadrant, f.location.clock) for f in found] == expected
    assert all(f.kind is Kind.MASS and not f.multiple for f in found)
    assert not parsed.unread


def test_what_is_not_used_is_in_unread() -> None:
    parsed = parse("A 12 mm mass in the left breast, 9 mm.")
    assert [f.size_mm for f in parsed.report.findings] == [12]
    assert [s.text for s in parsed.unread] == ["9 mm"]
    assert [s.text for s in parse("COMPARISON: 03/04/2023.").unread] == ["03/04/2023"]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("03/12/2023 and 02/28/2022.", "2023-03-12"),
        ("28/02/2022 and 12/03/2023.", "2023-03-12"),
        ("02/28/2022", "2022-02-28"),
        ("28.02.2022", "2022-02-28"),
        ("02/28/22", "2022-02-28"),
        ("28-Feb-2022", "2022-02-28"),
        ("Feb 28, 2022", "2022-02-28"),
        ("mammogram of 28th of February 2022", "2022-02-28"),
        ("2022/02/28", "2022-02-28"),
        ("9/9/2021", "2021-09-09"),
        ("03/04/2023", None),
        ("March 2021", None),
        ("Multiple studies dating back to 2015.", None),
    ],
)
def test_dates_of_comparison_are_read_where_they_can_mean_one_day(text: str, date: str | None) -> None:
    report = parse(f"COMPARISON: {text}\nFINDINGS: Stable mass in the left breast.").report
    assert report.comparison is not None
    assert report.comparison.available
    assert (None if report.comparison.prior_date is None else str(report.comparison.prior_date)) == date
    assert "change-without-prior" not in {v.rule for v in check(report)}
    assert parse("COMPARISON: None.").report.comparison == Comparison(available=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("If new symptoms occur, biopsy may be needed.", None),
        ("Biopsy is recommended if the mass grows.", None),
        ("Should symptoms develop, ultrasound is recommended.", None),
        ("In case of growth, biopsy is advised.", None),
        ("Biopsy may be required.", None),
        ("Annual screening is recommended. If new symptoms occur, biopsy may be needed.", "routine screening"),
        ("Follow-up in 6 months; if it grows, biopsy is recommended.", "short-interval follow-up"),
        ("Ultrasound is recommended, and if suspicious, biopsy.", "additional imaging"),
        ("Biopsy is recommended.", "biopsy"),
        ("Biopsy should be considered.", "biopsy"),
    ],
)
def test_a_condition_is_no_recommendation(text: str, expected: str | None) -> None:
    assert parse(text).report.recommendation == expected


def test_advice_for_one_breast_is_not_held_against_the_other() -> None:
    text = "Right breast: BI-RADS 2. Left breast: BI-RADS 4.\nRight breast: routine screening is recommended."
    parsed = parse(text)
    assert parsed.report.recommendation is None
    assert [s.text for s in parsed.unread] == ["routine screening"]
    assert not check(parsed.report) or {v.rule for v in check(parsed.report)} == {"category-above-findings"}
    both = parse(text + "\nLeft breast: biopsy is recommended.").report
    assert both.recommendation == "biopsy"
    assert both.worst is Category.SUSPICIOUS
