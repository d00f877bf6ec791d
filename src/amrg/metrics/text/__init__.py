"""Text metrics, equal to their reference packages."""
