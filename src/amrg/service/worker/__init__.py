"""The worker: drafts the studies that are complete. A process of its own, and the only one that loads a model."""
