"""`python -m amrg.cli`: what `accelerate launch -m` and torchrun start."""

from __future__ import annotations

from amrg.cli import main

if __name__ == "__main__":
    main()
