"""Cases to batches: examples, what is frozen computed once, base models."""
