"""Random fields have the spectrum they claim, and resampling keeps smooth things."""

from __future__ import annotations

import numpy as np
import pytest

from amrg.phantom.texture import _cubic_matrix, enlarge, power_law, smoothstep, stream


@pytest.mark.parametrize("beta", [2.6, 3.0, 3.4])
def test_a_field_falls_with_the_requested_power(beta: float) -> None:
    field = power_law(stream(1, "t"), (512, 512), 0.4, beta)
    power = np.abs(np.fft.rfft2(field)) ** 2
    f = np.hypot(np.fft.fftfreq(512, 0.4)[:, None], np.fft.rfftfreq(512, 0.4)[None, :])
    use = (f > 0.1) & (f < 1.0)
    slope = np.polyfit(np.log(f[use]), np.log(power[use]), 1)[0]
    assert slope == pytest.approx(-beta, abs=0.05)
    assert field.dtype == np.float32
    assert field.std() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("factor", [2, 4])
def test_enlarging_keeps_a_smooth_field(factor: int) -> None:
    def wave(n: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        x = (np.arange(n) + 0.5) / n
        return np.outer(np.sin(6 * x), np.cos(5 * x)).astype(np.float32)

    big = enlarge(wave(60), factor)
    inner = slice(4 * factor, -4 * factor)
    assert np.abs(big - wave(60 * factor))[inner, inner].max() < 1e-3


def test_the_short_way_of_doubling_equals_the_matrix() -> None:
    field = power_law(stream(2, "t"), (40, 30), 0.8, 3.0)
    expected = _cubic_matrix(40, 2) @ field @ _cubic_matrix(30, 2).T
    np.testing.assert_allclose(enlarge(field, 2), expected, atol=1e-5)


def test_streams_of_other_names_are_other_streams() -> None:
    assert stream(1, "a").random() == stream(1, "a").random()
    assert len({stream(1, "a").random(), stream(1, "b").random(), stream(2, "a").random()}) == 3


def test_smoothstep_runs_from_0_to_1() -> None:
    np.testing.assert_array_equal(smoothstep(np.array([-1, 0, 0.5, 1, 2])), [0, 0, 0.5, 1, 1])
