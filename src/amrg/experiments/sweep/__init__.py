"""A LoRA sweep: what it is, its trials and who runs them, their scores, its table and page."""
