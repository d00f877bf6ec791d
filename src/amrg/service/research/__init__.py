"""De-identified copies of studies for research."""
