"""From a study to its stored prediction, case by case: which text is scored, which cases fail and why, timings."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from amrg.benchmark.layout import PREDICTIONS, TIMINGS
from amrg.benchmark.prediction_log import resume_predictions
from amrg.benchmark.run.run_config import RunCases, ScoreText
from amrg.benchmark.studies import OpenStudy
from amrg.birads import Style
from amrg.core.hashing import sha256_of_text
from amrg.core.progress import Progress, with_progress
from amrg.datasets.case import Case
from amrg.generation import Drafted, DraftOptions, Engine, Outcome, draft_studies
from amrg.imaging import ImagingError, Study
from amrg.metrics.prediction import Prediction


@dataclass(frozen=True)
class Drafter:
    """Drafts studies with one engine, what looks like no mammogram by force, so that no case is lost.

    Categories are scored as the model states them, also of data sets whose cases are single views.
    """

    engine: Engine
    score_text: ScoreText

    def draft(self, study: Study) -> Outcome:
        """A study's draft, or why there is none."""
        by_model = self.score_text is ScoreText.MODEL
        style = Style.CLINICAL if by_model else Style(self.score_text.value)
        (outcome,) = draft_studies([study], self.engine, DraftOptions(style, force=True, study_facts=False))
        return outcome

    def predict(self, key: str, study: Study) -> Prediction:
        """The prediction that is stored of a study's draft."""
        return self.to_prediction(key, self.draft(study))

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

    def predict(key: str) -> Prediction:
        if (part := prediction_part(folder, key)).is_file():
            return Prediction.model_validate_json(part.read_bytes())
        return predict_case(by_key[key], cases.open_case, drafter, folder / TIMINGS)

    predictions = resume_predictions(folder / PREDICTIONS, list(by_key), predict)
    made = list(with_progress("drafting", predictions, len(by_key), progress))
    shutil.rmtree(prediction_part(folder, "").parent, ignore_errors=True)
    return made


def prediction_part(folder: Path, key: str) -> Path:
    """Where a case's prediction is that was made apart from the run, on a cluster."""
    return folder / ".parts" / f"{sha256_of_text(key)[:32]}.json"


def predict_case(case: Case, open_case: OpenStudy, drafter: Drafter, timings: Path | None) -> Prediction:
    """A case's prediction, its time appended to `timings` where given; a case that cannot be read fails, with why."""
    try:
        outcome = drafter.draft(open_case(case))
    except ImagingError as error:
        return failed_prediction(case.key, str(error))
    if isinstance(outcome, Drafted) and timings is not None:
        with timings.open("a", encoding="utf-8", newline="\n") as lines:
            seconds = {name: round(value, 4) for name, value in outcome.seconds.items()}
            lines.write(json.dumps({"key": case.key, "seconds": seconds}) + "\n")
    return drafter.to_prediction(case.key, outcome)


def failed_prediction(key: str, why: str) -> Prediction:
    """A case without a draft: never a zero, always counted."""
    return Prediction(key=key, text=None, error=" ".join(why.split()))
