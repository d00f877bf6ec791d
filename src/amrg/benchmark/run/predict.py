"""From a study to its stored prediction, case by case: which text is scored, which cases fail and why, timings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from amrg.benchmark.layout import PREDICTIONS, TIMINGS
from amrg.benchmark.prediction_log import resume_predictions
from amrg.benchmark.run.run_config import RunCases, ScoreText
from amrg.benchmark.studies import OpenStudy
from amrg.birads import Style
from amrg.core.progress import Progress, with_progress
from amrg.datasets.case import Case
from amrg.generation import Draft, Engine, draft_report
from amrg.imaging import ImagingError, Study
from amrg.metrics.prediction import Prediction


@dataclass(frozen=True)
class Drafter:
    """Drafts studies with one engine, out-of-domain ones by force, so that no case is lost."""

    engine: Engine
    score_text: ScoreText

    def draft(self, study: Study) -> tuple[Draft, str]:
        """The draft, and the text of it that is scored.

        Raises:
            ImagingError: an image cannot be read, or there is none.
        """
        if not study.mammograms:
            raise ImagingError("the case has no screening view")
        if self.score_text is ScoreText.MODEL:
            draft = draft_report(study, self.engine, force=True)
            return draft, draft.written
        draft = draft_report(study, self.engine, Style(self.score_text.value), force=True)
        return draft, draft.text

    def predict(self, key: str, study: Study) -> Prediction:
        """The prediction that is stored of a study's draft.

        Raises:
            ImagingError: see `draft`.
        """
        return to_prediction(key, *self.draft(study))


def predict_cases(folder: Path, cases: RunCases, drafter: Drafter, progress: Progress) -> list[Prediction]:
    """The model's predictions of all cases, in their order; those on file are not drafted again.

    Raises:
        BenchmarkError: the folder holds predictions of other cases.
    """
    by_key = {case.key: case for case in cases.references.cases}
    predictions = resume_predictions(
        folder / PREDICTIONS,
        list(by_key),
        lambda key: _predict_case(by_key[key], cases.open_case, drafter, folder / TIMINGS),
    )
    return list(with_progress("drafting", predictions, len(by_key), progress))


def _predict_case(case: Case, open_case: OpenStudy, drafter: Drafter, timings: Path) -> Prediction:
    """A case's prediction, its time appended to `timings`; a case that cannot be read fails, with the reason."""
    try:
        draft, text = drafter.draft(open_case(case))
    except ImagingError as error:
        return failed_prediction(case.key, str(error))
    with timings.open("a", encoding="utf-8", newline="\n") as lines:
        seconds = {name: round(value, 4) for name, value in draft.seconds.items()}
        lines.write(json.dumps({"key": case.key, "seconds": seconds}) + "\n")
    return to_prediction(case.key, draft, text)


def to_prediction(key: str, draft: Draft, text: str) -> Prediction:
    """A draft as it is stored. `seconds` stays unset: the same run must write the same bytes."""
    refused = None if draft.in_domain is None else not draft.in_domain
    return Prediction(key=key, text=text, report=draft.report, refused=refused)


def failed_prediction(key: str, why: str) -> Prediction:
    """A case without a draft: never a zero, always counted."""
    return Prediction(key=key, text=None, error=" ".join(why.split()))
