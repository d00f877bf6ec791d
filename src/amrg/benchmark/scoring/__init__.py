"""Predictions to scores: one system, several compared, image dependence, blind baselines of a data set."""
