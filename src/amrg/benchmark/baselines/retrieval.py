"""The report of the training case with the nearest images: no model, breasts framed, downsampled, compared by pixel.

Embeddings are on disk, a line a case and a row a view, and resumed where a run was interrupted; only blocks of them are
ever in memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from amrg.benchmark.prediction_log import refuse_other_run
from amrg.benchmark.studies import OpenStudy
from amrg.datasets.case import Case
from amrg.imaging import ImagingError, Mammogram, frame_breast
from amrg.metrics.prediction import Prediction

SIDE = 32  # pixels of a framed breast as it is compared
WIDTH = SIDE * SIDE
BLOCK = 64  # cases compared with all training cases together
LINES, ROWS = "cases.jsonl", "views.f16"

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ImageEmbeddings:
    """Cases as vectors: `views` [cases] lists each case's rows as names such as `RCC`, in the order of `rows`.

    `rows` float16 [rows, WIDTH] of unit length, mapped from disk; a case that could not be read has no row and its
    reason in `errors`.
    """

    keys: tuple[str, ...]
    views: tuple[tuple[str, ...], ...]
    errors: dict[str, str]
    rows: npt.NDArray[np.float16]

    def of_view(self, name: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The numbers of the cases that have a view, and of its rows."""
        flat = [(c, v) for c, views in enumerate(self.views) for v in views]
        held = [(case, row) for row, (case, view) in enumerate(flat) if view == name]
        pairs = np.array(held, np.intp).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]


def embed_images(cases: Sequence[Case], open_study: OpenStudy, folder: Path) -> Iterator[int]:
    """Embed cases into a folder, resuming an interrupted run; yields how many are done.

    Raises:
        BenchmarkError: the folder holds embeddings of other cases.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = _resume(folder, cases)
    yield done
    with (folder / ROWS).open("ab") as rows, (folder / LINES).open("a", encoding="utf-8", newline="\n") as lines:
        for number, case in enumerate(cases[done:], done + 1):
            entry, vectors = _embed(case, open_study)
            rows.write(vectors.tobytes())
            rows.flush()
            lines.write(json.dumps(entry) + "\n")
            lines.flush()  # a complete line says that its rows are written
            yield number


def load_embeddings(folder: Path) -> ImageEmbeddings:
    """The embeddings of a folder; rows stay on disk until they are used."""
    entries = [json.loads(line) for line in (folder / LINES).read_text(encoding="utf-8").splitlines()]
    views = tuple(tuple(entry["views"]) for entry in entries)
    count = sum(map(len, views))
    rows = np.memmap(folder / ROWS, np.float16, "r", shape=(count, WIDTH)) if count else np.zeros((0, WIDTH), "f2")
    errors = {entry["key"]: entry["error"] for entry in entries if entry["error"]}
    return ImageEmbeddings(tuple(entry["key"] for entry in entries), views, errors, rows)


def retrieval_baseline(training: Sequence[Case], known: ImageEmbeddings, queries: ImageEmbeddings) -> list[Prediction]:
    """For each query case, the text of the training case with the most similar images.

    Views are compared with views of the same kind and side by cosine, and averaged over the views of the query; a view
    that a training case lacks counts as zero similarity. A case is never its own neighbour.
    """
    texts = {case.key: case.text for case in training}
    predictions: list[Prediction] = []
    for start in range(0, len(queries.keys), BLOCK):
        part = range(start, min(start + BLOCK, len(queries.keys)))
        similarity = _similarity(known, queries, part)
        predictions += [_nearest(queries, i, known, row, texts) for i, row in zip(part, similarity, strict=True)]
    return predictions


def _similarity(known: ImageEmbeddings, queries: ImageEmbeddings, part: range) -> Array:
    """Summed cosines [cases of the part, training cases]; not a number where no view is of the same kind."""
    summed = np.zeros((len(part), len(known.keys)), np.float32)
    compared = np.zeros_like(summed, dtype=bool)
    for name in sorted({view for i in part for view in queries.views[i]}):
        cases, rows = queries.of_view(name)
        here = (cases >= part.start) & (cases < part.stop)
        others, other_rows = known.of_view(name)
        cosines = _products(queries.rows[rows[here]].astype(np.float32), known.rows, other_rows)
        place = np.ix_(cases[here] - part.start, others)
        summed[place] += cosines
        compared[place] = True
    return np.where(compared, summed, np.float32(np.nan))


def _products(vectors: Array, rows: npt.NDArray[np.float16], chosen: npt.NDArray[np.intp]) -> Array:
    """Products of vectors with chosen rows [vectors, chosen], a few thousand rows in memory at a time."""
    step = 4096
    blocks = [vectors @ rows[chosen[i : i + step]].astype(np.float32).T for i in range(0, len(chosen), step)]
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((len(vectors), 0), np.float32)


def _nearest(
    queries: ImageEmbeddings, index: int, known: ImageEmbeddings, similarity: Array, texts: dict[str, str]
) -> Prediction:
    """The text of the most similar training case; none where nothing could be compared."""
    key = queries.keys[index]
    others = np.where([k == key for k in known.keys], np.nan, similarity) if key in texts else similarity
    if np.isnan(others).all():
        views = ", ".join(queries.views[index])
        why = queries.errors.get(key) or f"no training image of the views {views}"
        return Prediction(key=key, text=None, error=why)
    return Prediction(key=key, text=texts[known.keys[int(np.nanargmax(others))]])


def _embed(case: Case, open_study: OpenStudy) -> tuple[dict[str, object], npt.NDArray[np.float16]]:
    """A case's line, and a row for the first image of every view."""
    try:
        views = {f"{m.laterality}{m.view}": m for m in reversed(open_study(case).mammograms)}
        vectors = [_vector(m) for m in views.values()]
    except ImagingError as error:
        return {"key": case.key, "views": [], "error": str(error)}, np.zeros((0, WIDTH), np.float16)
    return {"key": case.key, "views": list(views), "error": None}, np.array(vectors, np.float16).reshape(-1, WIDTH)


def _vector(mammogram: Mammogram) -> npt.NDArray[np.float16]:
    """A framed breast of SIDE x SIDE pixels, minus its mean, at unit length: exposure and contrast cancel."""
    framed = frame_breast(mammogram.pixels(), mammogram.laterality, SIDE).pixels.ravel()
    centred = framed - framed.mean()
    unit: npt.NDArray[np.float16] = (centred / max(1e-6, float(np.linalg.norm(centred)))).astype(np.float16)
    return unit


def _resume(folder: Path, cases: Sequence[Case]) -> int:
    """How many cases an earlier run finished; incomplete ends of both files are removed."""
    lines, rows = folder / LINES, folder / ROWS
    rows.touch()
    lines.touch()
    room = rows.stat().st_size // (2 * WIDTH)
    done, complete, views = 0, 0, 0
    for line in lines.read_bytes().splitlines(keepends=True):
        entry = json.loads(line) if line.endswith(b"\n") else None
        if entry is None or views + len(entry["views"]) > room:
            break
        expected = f"case {cases[done].key}" if done < len(cases) else "no further case"
        refuse_other_run(f"{folder.name}/{LINES} line {done + 1}", f"case {entry['key']}", expected)
        done, complete, views = done + 1, complete + len(line), views + len(entry["views"])
    os.truncate(lines, complete)
    os.truncate(rows, views * 2 * WIDTH)
    return done
