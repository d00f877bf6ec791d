"""What a program does with amrg in one call each: `amrg.read`, `draft`, `score`, `train` (docs/python.md)."""
