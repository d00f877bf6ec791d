"""How the embedded model's tower learns from real and drawn mammograms."""
