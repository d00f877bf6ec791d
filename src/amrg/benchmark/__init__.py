"""Metrics, baselines, statistics and result pages: whether the image was read. Knows no service."""

from amrg.benchmark.metric import Metric
from amrg.benchmark.pairs import Pair
from amrg.benchmark.prediction import Prediction

__all__ = ["Metric", "Pair", "Prediction"]
