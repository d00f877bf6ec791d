"""Reading published tables, which importers share."""
