"""Clinical metrics: categories, findings, places, contradictions."""
