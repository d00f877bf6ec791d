"""METEOR 1.5, the official Java program inside PyPI's `pycocoevalcap`. Not NLTK's METEOR.

One program is started and fed pair after pair on its standard input, as pycocoevalcap does; a pair that takes too long
is unscored and the program is started afresh, so nothing hangs.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from amrg.core.errors import AmrgError
from amrg.metrics.families import Family
from amrg.metrics.metric import SHARE, Array, Metric, mean_of, ratio
from amrg.metrics.text.ptb import ptb_tokens

ARGUMENTS = ("-Xmx2G", "-jar", "meteor-1.5.jar", "-", "-", "-stdio", "-l", "en", "-norm")
STARTING_SECONDS = 300.0
PAIR_SECONDS = 60.0


class JarError(AmrgError):
    """The METEOR program did not answer as it should."""


def missing_meteor_jar() -> str | None:
    """Why METEOR 1.5 is not available and what to install, or None."""
    if _folder() is None:
        return "meteor_1_5_jar is skipped: its jar is in pycocoevalcap, not installed; pip install pycocoevalcap"
    if shutil.which("java") is None:
        return "meteor_1_5_jar is skipped: no java on the path; on Debian, apt-get install default-jre-headless"
    return None


def _folder() -> Path | None:
    spec = find_spec("pycocoevalcap")
    for place in (spec.submodule_search_locations if spec else None) or ():
        if (Path(place) / "meteor" / "meteor-1.5.jar").is_file():
            return Path(place) / "meteor"
    return None


class MeteorJar:
    """The running program; use as `with MeteorJar() as jar`. Raises JarError where it cannot be started."""

    def __init__(self, pair_seconds: float = PAIR_SECONDS) -> None:
        self.pair_seconds = pair_seconds
        self.late = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._worker = ThreadPoolExecutor(1)

    def __enter__(self) -> MeteorJar:
        if (missing := missing_meteor_jar()) is not None:
            raise JarError(missing)
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._worker.shutdown()

    def score(self, draft: str, reference: str) -> float:
        """METEOR 1.5 of PTB tokens, 0 to 1; not a number where it took more than `pair_seconds`."""
        line = f"SCORE ||| {' '.join(ptb_tokens(reference))} ||| {' '.join(ptb_tokens(draft))}"
        try:
            return self._within(self.pair_seconds, line)
        except Late:
            self.late += 1
            self._stop()
            self._start()
            return float("nan")

    def _start(self) -> None:
        folder, java = _folder(), shutil.which("java")
        if folder is None or java is None:
            raise JarError(missing_meteor_jar() or "")
        self._process = subprocess.Popen(
            (java, *ARGUMENTS), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            self._within(STARTING_SECONDS, "SCORE ||| mass ||| mass")
        except Late:
            self._stop()
            raise JarError(f"METEOR's jar did not start within {STARTING_SECONDS:.0f} s") from None

    def _stop(self) -> None:
        """End the program; a thread that waits for its answer then wakes up."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _within(self, seconds: float, line: str) -> float:
        """The score of one pair by the program that runs now: a late one never asks the next program."""
        return self._worker.submit(_score_once, self._process, line).result(timeout=seconds)


def _score_once(process: subprocess.Popen[bytes] | None, line: str) -> float:
    """Statistics of one pair, then the score of these statistics: the program prints one line, then two."""
    if process is None or process.stdin is None or process.stdout is None:
        raise JarError("METEOR's jar is not running")
    statistics = _answer(process.stdin, process.stdout, line)
    score = _answer(process.stdin, process.stdout, f"EVAL ||| {statistics}")
    _line(process.stdout)
    try:
        return float(score)
    except ValueError:
        raise JarError(f"METEOR's jar answered {score[:80]!r}, expected a score") from None


def _answer(requests: IO[bytes], answers: IO[bytes], line: str) -> str:
    try:
        requests.write(line.encode() + b"\n")
        requests.flush()
    except OSError as error:
        raise JarError(f"METEOR's jar takes no more pairs ({error.strerror})") from error
    return _line(answers)


def _line(answers: IO[bytes]) -> str:
    answer = answers.readline()
    if not answer:
        raise JarError("METEOR's jar ended without an answer")
    return answer.decode().strip()


def meteor_jar_metric(drafts: Sequence[str], references: Sequence[str], jar: MeteorJar) -> Metric:
    """METEOR 1.5 over pairs of texts; pairs that took too long are unscored."""
    values: Array = np.array([jar.score(a, b) for a, b in zip(drafts, references, strict=True)], dtype=np.float64)
    about = "METEOR 1.5 (the jar of pycocoevalcap, -l en -norm), not NLTK's; PTB tokens as the COCO pipeline makes them"
    terms = mean_of(values)
    about = f"{about}; mean over cases"
    return Metric("meteor_1_5_jar", Family.TEXT, about, terms, ratio, bounds=SHARE, has_strict=True)
