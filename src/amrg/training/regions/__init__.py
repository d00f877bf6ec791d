"""The second look at candidates: its examples, and its training."""
