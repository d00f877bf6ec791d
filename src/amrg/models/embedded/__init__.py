"""The model that amrg ships: architecture, tower, tokenizer, heads, guard, and its checkpoint."""
