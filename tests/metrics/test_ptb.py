"""PTB tokens against Stanford's program, where Java is there, and what it was seen to do, everywhere."""

from __future__ import annotations

import random
import shutil

import pytest
from dmid_data import dmid_reports
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from amrg.birads import Style, parse, render
from amrg.metrics.text.ptb import ptb_tokens
from tests.benchmark.realtexts import needs_dmid, real_pairs

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="no Java to run Stanford's tokenizer with")

SEEN = {
    "Breast Composition:\r\nfatty (ACR B).": "breast composition fatty -lrb- acr b -rrb-",
    "BIRADS-4a, well-defined; 1.5 x 2 cm.": "birads-4a well-defined 1.5 x 2 cm",
    "1.2x0.8cm 12x8mm 5.5mm": "1.2 x0 .8 cm 12x8mm 5.5 mm",
    "4c).No lesion(BIRADS-4a).": "4c -rrb- no lesion -lrb- birads-4a -rrb-",
    "seen.No mass,4 nodes": "seen.no mass ,4 nodes",
    "3,4a and 2/3rd at 2 o'clock": "3,4 a and 2/3rd at 2 o'clock",
    "can't cannot don’t patient's nodes'": "ca n't can not do n't patient 's nodes",
    "type b. In both, type B. No": "type b in both type b. no",
    "right/left, CC/MLO, BIRADS-4/5": "right/left cc/mlo birads-4 / 5",
    "e.g. vs. approx. No. 5, no. mass": "e.g. vs. approx no. 5 no mass",
    "“quoted” 'single' – dash … dots... -- ---": "quoted single dash dots",
    "5% >1 cm ½ [x] {y} & a@b": "5 % > 1 cm 1/2 -lsb- x -rsb- -lcb- y -rcb- & a@b",
    "seen 3 12/03/2020": "seen 3 12/03 / 2020",
    "ACR:D Findings:) (": "acr :d findings :-rrb- -lrb-",
    "well--defined a_b ill-": "well defined a_b ill",
    "": "",
}


def jar_tokens(several: list[str]) -> list[str]:
    """What the public pipeline makes of texts without carriage returns."""
    captions = {i: [{"caption": " ".join(text.split())}] for i, text in enumerate(several)}
    tokens: dict[int, list[str]] = PTBTokenizer().tokenize(captions)
    return [" ".join(tokens[i][0].split()) for i in range(len(several))]  # the jar keeps the blank within 3 1/2


@pytest.mark.parametrize("text", SEEN)
def test_tokens_of_examples(text: str) -> None:
    assert " ".join(ptb_tokens(text)) == SEEN[text]


@needs_java
def test_the_examples_are_what_the_jar_does() -> None:
    assert jar_tokens([*SEEN, "end"]) == [*SEEN.values(), "end"]


@needs_java
@needs_dmid
def test_equals_the_jar_on_every_real_report_and_on_rendered_ones() -> None:
    real = list(dmid_reports().values())
    reports = [parse(text).report for text in random.Random(0).sample(real, 60)]
    rendered = [render(report, style, wording) for report in reports for style in Style for wording in range(3)]
    expected = jar_tokens([*real, *rendered])
    for text, tokens in zip([*real, *rendered], expected, strict=True):
        assert " ".join(ptb_tokens(text)) == tokens


@needs_java
@needs_dmid
def test_the_public_pipeline_misplaces_captions_that_have_carriage_returns() -> None:
    references = real_pairs()[1][:4]
    tokens = PTBTokenizer().tokenize({i: [{"caption": text}] for i, text in enumerate(references)})
    assert tokens[1][0] != " ".join(ptb_tokens(references[1]))
    assert tokens[1][0] in " ".join(ptb_tokens(references[0]))  # the first report's next line


@pytest.mark.parametrize("unit", ["a,b,", "a-", "a'", "a.b.", "<", "1,", "ab", "a/", ". ", "n'", "A&", "a@", "-"])
def test_enormous_texts_are_read_in_linear_time(unit: str) -> None:
    assert ptb_tokens(unit * (200_000 // len(unit))) is not None
