"""Populations refuse what nothing can be drawn from, and stand for themselves by a key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from amrg.birads import ASYMMETRIES, Kind
from amrg.phantom import ASYMMETRIC, RICH, SCREENING, SHIFTED, Devices, PhantomError, Size, draw_exam
from amrg.phantom.film import draw_film
from amrg.phantom.scene import draw_scene

FILM_7 = (1.024763858, 0.0, 0.57472509, 1.061112096, 0.876107894, 0.121066209, 0.005732831, 0.159716704)
"""The film of seed 7 as it was drawn before sites had devices of their own."""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"levels": (0, 0, 0, 0, 0)}, "levels: found"),
        ({"compositions": (1, -1, 1, 1)}, "compositions: found"),
        ({"associated": 1.5}, "associated: found 1.5, expected a chance"),
        ({"mass_contrast": (3.0, 2.0)}, "mass_contrast: found"),
        ({"floor": -1.0}, "floor: found -1.0"),
        ({"asymmetries": 0.0}, "asymmetries: found 0.0, expected more than 0"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(PhantomError, match=words):
        replace(SCREENING, **change)  # type: ignore[arg-type]


def test_all_invalid_settings_are_named_together() -> None:
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


def test_populations_that_sets_were_drawn_from_keep_their_keys_and_films() -> None:
    assert (SCREENING.key, RICH.key) == ("2ec3dbef", "aad592c5")
    film = draw_film(7, 1.0, SCREENING)
    found = (film.white, film.steepness, film.middle, film.gamma, film.high, film.blur_mm, film.noise, film.grain_mm)
    assert found == pytest.approx(FILM_7)


def test_the_shifted_site_is_named_in_its_key_and_keyed_by_all_that_it_has_of_its_own() -> None:
    assert SHIFTED.key.startswith("shifted-")
    others = (replace(SHIFTED, calcifications=1.0), replace(SHIFTED, devices=Devices()), replace(SHIFTED, name=""))
    assert len({SHIFTED.key, *(other.key for other in others)}) == 4


def test_the_shifted_site_has_other_films_and_other_lesions() -> None:
    plans = {p: [draw_scene(seed, p) for seed in range(60)] for p in (SCREENING, SHIFTED)}
    kinds = {p: [plan.finding.kind for scene in scenes for plan in scene.plans] for p, scenes in plans.items()}
    shares = {p: found.count(Kind.CALCIFICATIONS) / len(found) for p, found in kinds.items()}
    assert shares[SHIFTED] > 1.3 * shares[SCREENING]
    assert min(s.film.noise for s in plans[SHIFTED]) > max(s.film.noise for s in plans[SCREENING])
    assert all(s.film.steepness >= 5.0 for s in plans[SHIFTED])


def test_a_third_of_the_lesions_are_asymmetries_where_they_are_favoured() -> None:
    plans = {p: [plan for seed in range(60) for plan in draw_scene(seed, p).plans] for p in (RICH, ASYMMETRIC)}
    shares = {p: sum(x.finding.kind in ASYMMETRIES for x in found) / len(found) for p, found in plans.items()}
    assert shares[RICH] < 0.12
    assert 0.25 < shares[ASYMMETRIC] < 0.45


def test_devices_that_cannot_be_are_refused() -> None:
    with pytest.raises(PhantomError, match=r"devices\.curved.*devices\.blur_mm.*devices\.gamma, noise"):
        replace(SHIFTED, devices=Devices(curved=2.0, blur_mm=(0.3, 0.1), gamma=(0.0, 1.0)))
