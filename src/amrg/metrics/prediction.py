"""What a system wrote for one case, as stored. Every number of the benchmark is computed from these."""

from __future__ import annotations

from amrg.birads import Report
from amrg.core.values import Value


class Prediction(Value):
    """A system's draft of one case; `text` is None and `error` says why where it failed.

    `report` carries boxes and probabilities where the system has them; without it the text is parsed.
    `refused` says that the guard would have refused the study (it was drafted all the same).
    """

    key: str
    text: str | None
    report: Report | None = None
    error: str | None = None
    refused: bool | None = None
    seconds: float | None = None
