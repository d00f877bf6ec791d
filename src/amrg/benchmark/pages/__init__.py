"""Scores as a person reads them: run page, charts, tables, verdict."""
