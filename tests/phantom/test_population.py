"""Populations refuse what nothing can be drawn from, and stand for themselves by a key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from amrg.phantom import RICH, SCREENING, PhantomError, Size, draw_exam


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"levels": (0, 0, 0, 0, 0)}, "levels: found"),
        ({"compositions": (1, -1, 1, 1)}, "compositions: found"),
        ({"associated": 1.5}, "associated: found 1.5, expected a chance"),
        ({"mass_contrast": (3.0, 2.0)}, "mass_contrast: found"),
        ({"floor": -1.0}, "floor: found -1.0"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(PhantomError, match=words):
        replace(SCREENING, **change)  # type: ignore[arg-type]


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(PhantomError, match=r"associated.*floor"):
        replace(SCREENING, associated=2.0, floor=-1.0)


def test_other_settings_have_another_key() -> None:
    assert SCREENING.key == replace(SCREENING).key
    assert len({SCREENING.key, RICH.key, replace(SCREENING, floor=3.0).key}) == 3


def test_levels_alone_decide_how_bad_an_exam_is() -> None:
    normal = replace(SCREENING, levels=(1, 0, 0, 0, 0))
    assert all(not draw_exam(seed, Size.SMALL, normal).truth.findings for seed in range(5))


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(PhantomError, match="seed: found -1"):
        draw_exam(-1, Size.SMALL)
