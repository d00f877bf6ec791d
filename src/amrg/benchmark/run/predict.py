"""From a study to the prediction that is stored: whose words, which failures, how long it took."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from amrg.benchmark.baselines.retrieval import OpenStudy
from amrg.birads import Style
from amrg.datasets.case import Case
from amrg.generation import Draft, Engine, draft_report
from amrg.imaging import ImagingError, Study
from amrg.metrics.prediction import Prediction


class ScoredText(StrEnum):
    """Whose words are scored as text: amrg's in a house style, or the model's own."""

    CLINICAL = "clinical"
    DMID = "dmid"
    IMPRESSION_FIRST = "impression-first"
    WRITTEN = "written"


@dataclass(frozen=True)
class Drafter:
    """Drafts studies with one engine, refused ones by force, so that no case is lost."""

    engine: Engine
    words: ScoredText

    def draft(self, study: Study) -> tuple[Draft, str]:
        """The draft, and the text of it that is scored.

        Raises:
            ImagingError: a picture cannot be read, or there is none.
        """
        if not study.mammograms:
            raise ImagingError("the case has no screening view")
        if self.words is ScoredText.WRITTEN:
            draft = draft_report(study, self.engine, force=True)
            return draft, draft.written
        draft = draft_report(study, self.engine, Style(self.words.value), force=True)
        return draft, draft.text

    def predict(self, key: str, study: Study) -> Prediction:
        """What is stored of a study's draft.

        Raises:
            ImagingError: see `draft`.
        """
        draft, text = self.draft(study)
        return prediction(key, draft, text)


def prediction(key: str, draft: Draft, text: str) -> Prediction:
    """A draft as it is stored. `seconds` stays unset: the same run must write the same bytes."""
    refused = None if draft.in_domain is None else not draft.in_domain
    return Prediction(key=key, text=text, report=draft.report, refused=refused)


def predict_case(case: Case, opened: OpenStudy, drafter: Drafter, timings: Path) -> Prediction:
    """A case's prediction, its time noted beside; a case that cannot be read is stored as failed, with the reason."""
    try:
        draft, text = drafter.draft(opened(case))
    except ImagingError as error:
        return failed_prediction(case.key, str(error))
    with timings.open("a", encoding="utf-8", newline="\n") as lines:
        seconds = {name: round(value, 4) for name, value in draft.seconds.items()}
        lines.write(json.dumps({"key": case.key, "seconds": seconds}) + "\n")
    return prediction(case.key, draft, text)


def failed_prediction(key: str, why: str) -> Prediction:
    """A case without a draft: never a zero, always counted."""
    return Prediction(key=key, text=None, error=" ".join(why.split()))
