"""Phrases that many training reports share, as token ids: what a model that writes reports is likely to write next.

A draft of the next tokens costs nothing when it is wrong, since the model itself decides
(`amrg.models.decoding.greedy`). Only runs of tokens that stand whole in reports of several patients are retained: no
patient's own words are stored next to a model's weights.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from amrg.core.errors import first_line
from amrg.core.files import atomic_write
from amrg.models.errors import ModelError

FILE_NAME = "phrases.json"
LONGEST = 8  # tokens of a draft
CONTEXT = 8  # tokens before it that are looked for
SURE = 0.3  # share of the places found that must agree on the next token
SHARED = 4  # tokens of a run, at least
PATIENTS = 5  # whose reports must have it whole
BREAK = -1
CONTENT = "phrases of training reports, 1"
Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Phrases:
    """Runs of token ids, one after another, with `BREAK` between them."""

    tokens: Tokens

    def draft(self, written: Sequence[int], limit: int = LONGEST) -> list[int]:
        """What most of the phrases continue with after the end of what is written, up to `limit` tokens."""
        found = self._after(written)
        draft: list[int] = []
        while len(draft) < limit and len(found):
            following = self.tokens[found]
            values, counts = np.unique(following[following != BREAK], return_counts=True)
            if not len(values) or counts.max() < SURE * len(found):
                break
            best = int(values[counts.argmax()])
            draft.append(best)
            found = found[following == best] + 1
            found = found[found < len(self.tokens)]
        return draft

    def _after(self, written: Sequence[int]) -> npt.NDArray[np.int64]:
        """Places just after the longest end of what is written, of up to `CONTEXT` tokens, that is in the phrases."""
        found = np.arange(1, len(self.tokens))
        for back in range(1, min(CONTEXT, len(written)) + 1):
            there = found[found >= back]
            there = there[self.tokens[there - back] == written[-back]]
            if not len(there):
                return found if back > 1 else there
            found = there
        return found

    def save(self, folder: Path) -> None:
        """Write them next to a model."""
        ends = np.flatnonzero(self.tokens == BREAK)
        runs = [self.tokens[start + 1 : end].tolist() for start, end in itertools.pairwise(ends)]
        with atomic_write(folder / FILE_NAME) as partial:
            partial.write_text(json.dumps({"content": CONTENT, "phrases": runs}) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path | None) -> Phrases | None:
        """Those next to a model; None where there are none.

        Raises:
            ModelError: the file is damaged, or of another version of amrg.
        """
        if folder is None or not (folder / FILE_NAME).is_file():
            return None
        try:
            stored = json.loads((folder / FILE_NAME).read_bytes())
            if stored["content"] != CONTENT:
                raise ValueError(f"it has {stored['content']!r}, expected {CONTENT!r}")
            return cls.of_runs(stored["phrases"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"{folder.name}/{FILE_NAME} is damaged ({first_line(error)}); copy it again from where the model came "
                "from, or remove it: drafts are the same without it, and slower"
            ) from error

    @classmethod
    def of_runs(cls, runs: Iterable[Sequence[int]]) -> Phrases:
        """Those of some runs of token ids."""
        return cls(np.array([BREAK, *(token for run in runs for token in (*run, BREAK))], np.int32))


def shared_phrases(reports: Iterable[tuple[str, Sequence[int]]], most: int = 10_000) -> Phrases:
    """The runs of tokens that stand whole in reports of at least `PATIENTS` patients, the most frequent first.

    `reports` are patients, each with the tokens of one report. `most` limits the tokens stored.
    """
    rows = [(patient, tuple(report)) for patient, report in reports]
    runs = Counter(
        run for (_, row), lengths in zip(rows, _shared_lengths(rows), strict=True) for run in _runs(row, lengths)
    )
    retained: list[tuple[int, ...]] = []
    for run, _ in runs.most_common():
        if sum(map(len, retained)) + len(run) <= most:
            retained.append(run)
    return Phrases.of_runs(retained)


def _shared_lengths(rows: Sequence[tuple[str, tuple[int, ...]]]) -> list[list[int]]:
    """For every token of every report, the length of the longest run from there that `PATIENTS` patients share."""
    counts = np.array([len(row) for _, row in rows], np.int64)
    tokens = np.array([token for _, row in rows for token in row], np.int64)
    names = {patient: i for i, (patient, _) in enumerate(rows)}
    patients = np.repeat(np.array([names[patient] for patient, _ in rows], np.int64), counts)
    ends = np.cumsum(counts)
    room = np.repeat(ends, counts) - np.arange(len(tokens))  # tokens from there to the end of the report
    lengths = np.zeros(len(tokens), np.int64)
    starts, runs = np.arange(len(tokens)), np.zeros(len(tokens), np.int64)  # `runs` numbers equal runs alike
    length = 0
    while len(starts):
        length += 1
        inside = room[starts] >= length
        starts, runs = starts[inside], runs[inside]
        runs = np.unique(runs * (tokens.max() + 1) + tokens[starts + length - 1], return_inverse=True)[1]
        owners = np.unique(runs * len(rows) + patients[starts]) // len(rows)  # a run once a patient
        shared = np.bincount(owners)[runs] >= PATIENTS
        starts, runs = starts[shared], runs[shared]
        lengths[starts] = length
    return [lengths[end - count : end].tolist() for count, end in zip(counts, ends, strict=True)]


def _runs(row: tuple[int, ...], lengths: Sequence[int]) -> Iterable[tuple[int, ...]]:
    """The shared runs of a report one after another, so that every `SHARED` shared tokens in a row are in one."""
    start = 0
    while start < len(row):
        if lengths[start] < SHARED:
            start += 1
            continue
        yield row[start : start + lengths[start]]
        start += lengths[start] - SHARED + 1
