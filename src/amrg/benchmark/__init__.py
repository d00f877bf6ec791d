"""Metrics, baselines, statistics and result pages: whether the image was read. Knows no service."""

from amrg.benchmark.clinical import clinical_metrics, confusions
from amrg.benchmark.metric import Metric
from amrg.benchmark.pairs import Pair
from amrg.benchmark.prediction import Prediction
from amrg.benchmark.reading import read_reports

__all__ = ["Metric", "Pair", "Prediction", "clinical_metrics", "confusions", "read_reports"]
