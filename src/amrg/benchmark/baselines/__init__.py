"""Systems to compare with: blind, retrieval, oracle, perfect. Knows no run folder but its own files."""
