"""Metrics, baselines, statistics and result pages: do the scores show that the images were read? Knows no service.

What needs NLTK is not listed here but in its own module (`scoring.scoring.score`, `metrics.text.suite.text_metrics`):
processes that only parse reports start without it.
"""

from amrg.metrics.bulk_parsing import read_reports
from amrg.metrics.clinical.suite import clinical_metrics, confusions
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.metric import Metric
from amrg.metrics.pairs import Pair
from amrg.metrics.prediction import Prediction
from amrg.metrics.scores import Scores
from amrg.metrics.statistics import bootstrap, differences, holm

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
