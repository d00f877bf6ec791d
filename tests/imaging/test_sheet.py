"""The contact sheet hangs views as radiologists do, marks them, and says what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from amrg.birads import Laterality, View, ViewBox
from amrg.imaging import Mark, Study, around_breast, contact_sheet, read_studies
from amrg.imaging.framing import find_breast
from amrg.imaging.sheet import GAP, HEIGHT, MARK, NARROWEST, WIDEST, draw_views, whole_image
from amrg.phantom import Size, draw_exam, write_exam

LEFT_MLO = (Laterality.LEFT, View.MLO)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder: Path = tmp_path_factory.mktemp("sheet")
    write_exam(draw_exam(1_000_005, Size.SMALL), folder)
    return read_studies(folder).studies[0]


@pytest.mark.parametrize("choose", [whole_image, around_breast])
def test_chest_walls_meet_in_the_middle(study: Study, choose) -> None:  # type: ignore[no-untyped-def]
    sheet = np.asarray(contact_sheet(study, (), choose).convert("L"), float)
    width = (sheet.shape[1] - GAP) // 2
    assert sheet.shape == (2 * HEIGHT + GAP, 2 * width + GAP)
    assert NARROWEST <= width <= WIDEST
    middle = sheet[:, width - 60 : width + GAP + 60].mean()
    edges = np.concatenate([sheet[:, 20:60], sheet[:, -60:-20]], 1).mean()
    assert middle > 2 * edges


def test_the_breast_fills_the_picture(study: Study) -> None:
    def share(choose) -> float:  # type: ignore[no-untyped-def]
        return float((np.asarray(contact_sheet(study, (), choose).convert("L")) > 40).mean())

    assert share(around_breast) > 0.5
    assert share(around_breast) > 1.5 * share(whole_image)


def test_nothing_of_the_breast_is_cut(study: Study) -> None:
    for mammogram in study.mammograms:
        pixels = mammogram.pixels()
        part = around_breast(mammogram, pixels)
        breast, scale = find_breast(pixels, mammogram.laterality)
        rows, columns = (np.flatnonzero(breast.any(axis)) * scale for axis in (1, 0))
        assert part.top <= rows[0]
        assert part.bottom >= rows[-1]
        assert part.left <= columns[0]
        assert part.right >= columns[-1]
        chest_wall = part.right == mammogram.columns if mammogram.laterality == "R" else part.left == 0
        assert chest_wall


def test_black_padding_behind_the_chest_wall_is_not_drawn(study: Study) -> None:
    for mammogram in study.mammograms[:2]:
        pixels = mammogram.pixels()
        padding = np.zeros((len(pixels), 200), np.float32)
        at_right = mammogram.laterality == "R"
        padded = np.concatenate([pixels, padding] if at_right else [padding, pixels], 1)
        wider = mammogram.model_copy(update={"columns": padded.shape[1]})
        part, plain = around_breast(wider, padded), around_breast(mammogram, pixels)
        assert abs((part.right - part.left) - (plain.right - plain.left)) < 8


def box(left: float, top: float, size: float = 60) -> ViewBox:
    return ViewBox(laterality=LEFT_MLO[0], view=LEFT_MLO[1], left=left, top=top, right=left + size, bottom=top + size)


@pytest.mark.parametrize("choose", [whole_image, around_breast])
@pytest.mark.parametrize("at", [(60, 250), (400, 20)], ids=["in the breast", "outside of it"])
def test_a_mark_is_drawn_on_its_own_view(study: Study, choose, at: tuple[int, int]) -> None:  # type: ignore[no-untyped-def]
    marked, plain = (draw_views(study, marks, choose) for marks in ([Mark(box(*at), "1")], []))
    pixels = {name: np.asarray(tile) for name, tile in marked.items()}
    assert [name for name in marked if (pixels[name] == MARK).all(-1).any()] == [LEFT_MLO]
    assert all(tile.size == plain[name].size for name, tile in marked.items() if at[0] < 100)


def test_a_mark_is_where_its_box_is(study: Study) -> None:
    (mammogram,) = (m for m in study.mammograms if (m.laterality, m.view) == LEFT_MLO)
    part = around_breast(mammogram, mammogram.pixels())
    tile = np.asarray(draw_views(study, [Mark(box(60, 250), "")], around_breast)[LEFT_MLO])
    rows, columns = np.nonzero((tile == MARK).all(-1))
    scale = (rows.max() - rows.min() - 6) / 60  # three pixels more on every side
    top = (HEIGHT - (round(part.bottom) - int(part.top)) * scale) / 2
    assert abs(rows.min() + 3 - (top + (250 - part.top) * scale)) < 4
    assert abs(columns.min() + 3 - (60 - part.left) * scale) < 4


def test_a_pair_is_drawn_at_one_scale(study: Study) -> None:
    def heights(spacings: tuple[float | None, float | None]) -> list[int]:
        pair = [m for m in study.mammograms if m.view == "CC"]
        other = [
            m.model_copy(update={"pixel_spacing_mm": (s, s) if s else None})
            for m, s in zip(pair, spacings, strict=True)
        ]
        views = draw_views(study.model_copy(update={"mammograms": tuple(other)}))
        tiles = [np.asarray(views[m.laterality, View.CC])[:500, :, 0] for m in other]
        return [int((tile.max(1) > 60).sum()) for tile in tiles]

    right, left = heights((0.4, 0.4))
    smaller, same = heights((0.2, 0.4))
    assert abs(smaller - right / 2) < 12
    assert abs(same - left) < 3
    assert heights((None, 0.4)) == heights((None, None))


def test_a_missing_view_leaves_its_place(study: Study) -> None:
    three = study.model_copy(update={"mammograms": study.mammograms[1:]})
    assert contact_sheet(three).size == contact_sheet(study).size
    assert list(draw_views(three)) == list(draw_views(study))
    nothing = study.model_copy(update={"mammograms": ()})
    assert contact_sheet(nothing).size == (2 * NARROWEST + GAP, 2 * HEIGHT + GAP)
