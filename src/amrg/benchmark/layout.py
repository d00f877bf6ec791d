"""What the files of a run folder are called."""

STORED = "predictions.jsonl"
"""The predictions, a `Prediction` a line."""

KEPT = "cases.jsonl"
"""The cases scored, a `Case` a line, so that runs can be compared and scored again without the data set."""

MANIFEST = "manifest.json"
"""All that decides what the run wrote."""

SCORES = "scores.json"
"""Everything measured: the layout of `amrg.metrics.scores.Scores`."""
