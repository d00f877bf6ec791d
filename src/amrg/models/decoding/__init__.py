"""Greedy decoding: many prompts together, or one with drafts of several tokens."""
