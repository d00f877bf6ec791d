"""AMRG's experiment repeated, and its results next to the published ones."""
