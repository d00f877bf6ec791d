"""From a study to its stored prediction, case by case: which text is scored, which cases fail and why, timings."""

from __future__ import annotations

import json
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from amrg.benchmark.layout import PREDICTIONS, TIMINGS, Perturbation, perturbed_path
from amrg.benchmark.prediction_log import WrittenLine, resume_predictions, to_line, withdraw_failed
from amrg.benchmark.run.run_config import RunCases, ScoreText
from amrg.benchmark.studies import OpenStudy
from amrg.birads import Style
from amrg.core.files import atomic_write
from amrg.core.hashing import sha256_of_text
from amrg.core.progress import Progress, with_progress
from amrg.datasets.case import Case
from amrg.generation import Drafted, DraftOptions, Engine, Outcome, draft_studies
from amrg.imaging import ImagingError, Study
from amrg.metrics.prediction import Prediction

Label = TypeVar("Label")
Passed = TypeVar("Passed")


@dataclass(frozen=True)
class Drafter:
    """Drafts studies with one engine, what looks like no mammogram by force, so that no case is lost.

    Categories are scored as the model states them, also of data sets whose cases are single views.
    `written` notes the lines that were written of its predictions.
    """

    engine: Engine
    score_text: ScoreText
    written: list[WrittenLine] = field(default_factory=list)

    def draft(self, studies: Iterable[Study]) -> Iterator[Outcome]:
        """Each study's draft, or why there is none, in order; the engine takes `max_batch` of them together."""
        by_model = self.score_text is ScoreText.MODEL
        style = Style.CLINICAL if by_model else Style(self.score_text.value)
        return draft_studies(studies, self.engine, DraftOptions(style, force=True, study_facts=False))

    def draft_among(self, items: Iterable[tuple[Label, Study | Passed]]) -> Iterator[tuple[Label, Outcome | Passed]]:
        """The outcomes of studies under their labels, in order; what is no study passes in its place."""
        waiting: deque[tuple[Label, list[Passed]]] = deque()  # drawn by the engine, with what needs no draft

        def studies() -> Iterator[Study]:
            for label, item in items:
                if isinstance(item, Study):
                    waiting.append((label, []))
                    yield item
                else:
                    waiting.append((label, [item]))

        for outcome in self.draft(studies()):
            while waiting[0][1]:
                label, (passed,) = waiting.popleft()
                yield label, passed
            label, _ = waiting.popleft()
            yield label, outcome
        yield from ((label, passed) for label, (passed,) in waiting)

    def to_prediction(self, key: str, outcome: Outcome) -> Prediction:
        """An outcome as it is stored. `seconds` stays unset: the same run must write the same bytes."""
        if not isinstance(outcome, Drafted):
            return failed_prediction(key, outcome.message)
        draft = outcome.draft
        refused = bool(draft.other_pictures)
        text = draft.model_text if self.score_text is ScoreText.MODEL else draft.text
        return Prediction(key=key, text=text, report=draft.report, refused=refused)


def predict_cases(folder: Path, cases: RunCases, drafter: Drafter, progress: Progress) -> list[Prediction]:
    """The model's predictions of all cases, in their order; those on file are not drafted again.

    Raises:
        BenchmarkError: the folder holds predictions of other cases.
    """
    by_key = {case.key: case for case in cases.references.cases}

    def predict(keys: Sequence[str]) -> Iterator[Prediction]:
        return predict_each([by_key[key] for key in keys], cases.open_case, drafter, folder)

    predictions = resume_predictions(folder / PREDICTIONS, list(by_key), predict, drafter.written)
    made = list(with_progress("drafting", predictions, len(by_key), progress))
    shutil.rmtree(parts_folder(folder), ignore_errors=True)
    return made


def prediction_part(folder: Path, key: str) -> Path:
    """Where a case's prediction is that was made apart from the run, on a cluster."""
    return parts_folder(folder) / f"{sha256_of_text(key)[:32]}.json"


def parts_folder(folder: Path) -> Path:
    """The folder of all of these in a run's folder."""
    return folder / ".parts"


def predict_each(
    cases: Iterable[Case], open_case: OpenStudy, drafter: Drafter, folder: Path, times: bool = True
) -> Iterator[Prediction]:
    """The cases' predictions, in order: those made apart as they are; a case that cannot be read fails, with why.

    With `times`, how long each took is appended to the run's file of timings.
    """

    def opened(case: Case) -> Study | Prediction:
        try:
            if (part := prediction_part(folder, case.key)).is_file():
                return Prediction.model_validate_json(part.read_bytes())
            return open_case(case)
        except ImagingError as error:
            return failed_prediction(case.key, str(error))

    for key, found in drafter.draft_among((case.key, opened(case)) for case in cases):
        if times and isinstance(found, Drafted):
            _note_time(folder / TIMINGS, key, found)
        yield found if isinstance(found, Prediction) else drafter.to_prediction(key, found)


def _note_time(timings: Path, key: str, drafted: Drafted) -> None:
    with timings.open("a", encoding="utf-8", newline="\n") as lines:
        seconds = {name: round(value, 4) for name, value in drafted.seconds.items()}
        lines.write(json.dumps({"key": key, "seconds": seconds}) + "\n")


def retry_failed(folder: Path) -> None:
    """Remove the predictions of failed cases of a run, so that it makes them again; the others stay.

    On perturbed images, which are few, those after the first failed case are made again too.
    """

    def keep(prediction: Prediction) -> None:
        path = prediction_part(folder, prediction.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial:
            partial.write_bytes(to_line(prediction))

    withdraw_failed(folder / PREDICTIONS, keep)
    for how in (Perturbation.BLANKED, Perturbation.MIRRORED):
        withdraw_failed(perturbed_path(folder, how), lambda prediction: None)


def failed_prediction(key: str, why: str) -> Prediction:
    """A case without a draft: never a zero, always counted."""
    return Prediction(key=key, text=None, error=" ".join(why.split()))
