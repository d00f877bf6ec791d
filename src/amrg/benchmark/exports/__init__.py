"""A scored run for other tools: one row a case as Parquet or JSON lines, and RadEval's lists of texts."""
