"""What holds for every test: no clock decides whether it passes."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Hypothesis would fail an example that takes 200 ms and a test whose examples are slow to draw: both are times, which
# belong to the machine. Derandomised, so that every machine sees the same examples.
settings.register_profile("amrg", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("amrg")
