"""The model that amrg ships: architecture, tower, tokenizer, and its checkpoint."""
