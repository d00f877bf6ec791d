"""Engines: one provider a file."""
