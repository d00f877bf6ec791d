"""What a run writes: folder, logs, curves, summary."""
