"""Metrics, baselines, statistics and result pages: whether the image was read. Knows no service.

What needs NLTK is not listed here but in its own module (`scoring.score`, `text.text_metrics`): processes that only
parse reports start without it.
"""

from amrg.benchmark.clinical import clinical_metrics, confusions
from amrg.benchmark.errors import BenchmarkError
from amrg.benchmark.metric import Metric
from amrg.benchmark.pairs import Pair
from amrg.benchmark.prediction import Prediction
from amrg.benchmark.reading import read_reports
from amrg.benchmark.scores import Scores
from amrg.benchmark.statistics import bootstrap, differences, holm

__all__ = [
    "BenchmarkError",
    "Metric",
    "Pair",
    "Prediction",
    "Scores",
    "bootstrap",
    "clinical_metrics",
    "confusions",
    "differences",
    "holm",
    "read_reports",
]
