"""Split rules, groups, near duplicates, leaks."""
