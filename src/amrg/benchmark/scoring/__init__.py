"""Predictions to scores: one system, several compared, image dependence, blind reach."""
