"""Cases to studies."""

from __future__ import annotations

from collections.abc import Callable

from amrg.datasets import Dataset, study_of
from amrg.datasets.case import Case
from amrg.imaging import Study

OpenStudy = Callable[[Case], Study]
"""Opens a case's study; raises `ImagingError` where a file is missing or cannot be read."""


class StudyOpener:
    """Opens cases of a data set; the last study is cached, since stages often open a case twice in a row."""

    def __init__(self, dataset: Dataset) -> None:
        self._root = dataset.root
        self._last: tuple[str, Study] | None = None

    def __call__(self, case: Case) -> Study:
        """The study of a case.

        Raises:
            ImagingError: a file is missing or cannot be read.
        """
        if self._last is None or self._last[0] != case.key:
            self._last = (case.key, study_of(case, self._root))
        return self._last[1]
