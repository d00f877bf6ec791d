"""Time the scoring of 10,000 report pairs against rouge-score and pycocoevalcap, at equal values.

Run from the repository's root: `make bench-scoring`, or `python scripts/bench_scoring.py`. Needs the development
dependencies. Every distinct text and pair is new, so no cache of pairs is measured: drafts and references are put
together from single lines of real DMID reports where `../shared` has them, else rendered from random facts.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import TypeVar

import numpy as np
from dmid_data import DMID, dmid_reports
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
from rouge_score.rouge_scorer import RougeScorer

from amrg.benchmark import Pair
from amrg.birads import (
    Assessment,
    Category,
    Composition,
    Density,
    Finding,
    Kind,
    Laterality,
    Location,
    Margin,
    Quadrant,
    Report,
    Shape,
    Style,
    render,
)
from amrg.datasets.case import ReferenceSource
from amrg.metrics.bulk_parsing import read_reports
from amrg.metrics.clinical.suite import clinical_metrics
from amrg.metrics.metric import Array, Metric
from amrg.metrics.text import bleu, cider, ptb, rouge
from amrg.metrics.text.suite import text_metrics, text_warnings

Texts = list[str]
T = TypeVar("T")
Values = dict[str, Array]
Maker = Callable[[random.Random], tuple[str, str]]
CACHED = (rouge.words, rouge._stem, ptb.ptb_tokens, ptb._tokens, bleu._tokens)
PEER_NAMES = {"rouge1": "rouge_1", "rouge2": "rouge_2", "rougeL": "rouge_l"}


def written_pair(reports: Sequence[list[str]], rng: random.Random) -> tuple[str, str]:
    """A draft and a reference of lines of real reports; about half of the draft's lines are the reference's."""
    first, second = rng.choice(reports), rng.choice(reports)
    lines = [line for report in rng.sample(reports, 4) for line in report[2:]]
    reference = [*first[:2], *rng.sample(lines, min(len(lines), max(3, len(first) - 2)))]
    draft = [*second[:2], *rng.sample(lines, min(len(lines), 3)), *rng.sample(reference, len(reference) // 2)]
    return "\n".join(draft), "\n".join(reference)


def rendered_pair(rng: random.Random) -> tuple[str, str]:
    """A draft and a reference rendered from random facts."""
    wording = rng.randrange(3)
    return render(_facts(rng), Style.CLINICAL, wording), render(_facts(rng), Style.CLINICAL, wording)


def _facts(rng: random.Random) -> Report:
    findings = tuple(
        Finding(
            kind=Kind.MASS,
            laterality=rng.choice(list(Laterality)),
            location=Location(quadrant=rng.choice(list(Quadrant)), nipple_distance_mm=rng.randrange(10, 120)),
            shape=rng.choice(list(Shape)),
            margin=rng.choice(list(Margin)),
            density=rng.choice(list(Density)),
            size_mm=rng.randrange(3, 90),
        )
        for _ in range(rng.randrange(1, 4))
    )
    category = rng.choice(list(Category))
    composition = rng.choice(list(Composition))
    return Report(composition=composition, findings=findings, assessments=(Assessment(category=category),))


def texts_of(make: Maker, count: int) -> tuple[Texts, Texts]:
    """Drafts and references, no draft and no reference twice."""
    rng, drafts, references = random.Random(0), dict[str, None](), dict[str, None]()
    while len(drafts) < count:
        draft, reference = make(rng)
        if draft not in drafts and reference not in references:
            drafts[draft] = references[reference] = None
    return list(drafts), list(references)


def peer_rouge(drafts: Texts, references: Texts) -> Values:
    """ROUGE by rouge-score, stemmed and not."""
    values: Values = {}
    for variant in ("stemmed", "unstemmed"):
        scorer = RougeScorer(list(PEER_NAMES), use_stemmer=variant == "stemmed")
        scores = [scorer.score(r, d) for d, r in zip(drafts, references, strict=True)]
        for peer, name in PEER_NAMES.items():
            values[f"{name}_f1_{variant}"] = np.array([s[peer].fmeasure for s in scores])
    return values


def peer_cider(drafts: Texts, references: Texts) -> Values:
    """CIDEr-D by pycocoevalcap, after its own tokenizer where Java is there."""
    tokenized = [_peer_tokens(texts) for texts in (references, drafts)]
    return {"cider_d_ptb": np.array(Cider().compute_score(*tokenized)[1])}


def _peer_tokens(texts: Texts) -> dict[int, Texts]:
    if shutil.which("java") is None:
        return {i: [" ".join(ptb.ptb_tokens(text))] for i, text in enumerate(texts)}
    # White space folded: the jar ends a line at a carriage return, and every later caption would be another's.
    captions = {i: [{"caption": " ".join(text.split())}] for i, text in enumerate(texts)}
    tokens: dict[int, Texts] = PTBTokenizer().tokenize(captions)
    return tokens


def our_rouge(drafts: Texts, references: Texts) -> Values:
    """ROUGE by amrg."""
    return _values(list(rouge.rouge_metrics(drafts, references)))


def our_cider(drafts: Texts, references: Texts) -> Values:
    """CIDEr-D by amrg, plain CIDEr with it, the IDF corpus built from the references."""
    return _values(list(cider.cider_metrics(drafts, references, cider.IdfCorpus.of("references", references))))


def _values(metrics: Sequence[Metric]) -> Values:
    return {m.name: m.terms[:, 0] for m in metrics}


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """Seconds and the result, from cold caches."""
    for function in CACHED:
        function.cache_clear()
    started = time.perf_counter()
    made = run()
    return time.perf_counter() - started, made


def everything(drafts: Texts, references: Texts) -> None:
    """Time all metrics from the texts on: reading the reports, text metrics, clinical metrics."""
    n = len(drafts)
    reading, (facts, drafted) = timed(lambda: (read_reports(references), read_reports(drafts)))
    pairs = [
        Pair(str(i), str(i), ReferenceSource.RADIOLOGIST, reference, fact or Report(), draft, report)
        for i, (reference, fact, draft, report) in enumerate(zip(references, facts, drafts, drafted, strict=True))
    ]
    written, texts = timed(partial(text_metrics, pairs))
    found, clinical = timed(partial(clinical_metrics, pairs))
    for line in text_warnings(pairs):
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"figure scoring_reading_seconds {reading:.2f} {n}  # {2 * n} texts to facts\n")
    sys.stdout.write(f"figure scoring_text_seconds {written:.2f} {n}  # {len(texts)} metrics\n")
    sys.stdout.write(f"figure scoring_clinical_seconds {found:.2f} {n}  # {len(clinical)} metrics\n")
    sys.stdout.write(f"figure scoring_all_metrics_seconds {reading + written + found:.2f} {n}  # at most 60\n")


def compare(drafts: Texts, references: Texts, rounds: int) -> None:
    """Time ours (the mean of before and after) and the peers in turn, hold them equal, print the ratio of the rounds.

    All are medians of the rounds; the ratio has the least and the greatest beside it.
    """
    n = len(drafts)
    ours_seconds, peer_seconds = [0.0] * rounds, [0.0] * rounds
    for name, ours, peer in (("rouge", our_rouge, peer_rouge), ("cider_d", our_cider, peer_cider)):
        mine_of, theirs_of, apart = [], [], 0.0
        for number in range(rounds):
            before, mine = timed(partial(ours, drafts, references))
            peers, theirs = timed(partial(peer, drafts, references))
            after, _ = timed(partial(ours, drafts, references))
            apart = max(apart, *(float(np.abs(mine[key] - values).max()) for key, values in theirs.items()))
            assert apart < 1e-6, f"{name}: values differ by {apart}"
            mine_of.append((before + after) / 2)
            theirs_of.append(peers)
            ours_seconds[number] += mine_of[-1]
            peer_seconds[number] += peers
        sys.stdout.write(f"figure scoring_{name}_seconds {median(mine_of):.2f} {n}\n")
        sys.stdout.write(
            f"figure scoring_{name}_peer_seconds {median(theirs_of):.2f} {n}  # values within {apart:.1e}\n"
        )
    ratios = [theirs / mine for mine, theirs in zip(ours_seconds, peer_seconds, strict=True)]
    sys.stdout.write(f"ratio scoring {median(ratios):.1f} [{min(ratios):.1f}, {max(ratios):.1f}]\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print `ratio scoring MEDIAN [LEAST, GREATEST]` and its seconds, then those of all metrics together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="pairs of reports")
    parser.add_argument("--rounds", type=int, default=3, help="comparisons with the peers, in turn")
    given = parser.parse_args(arguments)
    make: Maker = rendered_pair
    if DMID.is_dir():
        make = partial(written_pair, [text.split("\r\n") for text in dmid_reports().values()])
    drafts, references = texts_of(make, given.count)
    words = sum(len(text.split()) for text in (*drafts, *references)) / (2 * given.count)
    source = "lines of real DMID reports, recombined" if DMID.is_dir() else "reports rendered from random facts"
    tokenizer = "Java PTBTokenizer" if shutil.which("java") else "no Java here: amrg's own tokens"
    sys.stdout.write(f"{given.count} pairs, all texts distinct, {words:.0f} words a text: {source}; one process;\n")
    sys.stdout.write(f"peers: rouge-score (stemmed and not), pycocoevalcap ({tokenizer})\n")
    compare(drafts, references, given.rounds)
    everything(drafts, references)


if __name__ == "__main__":
    main()
