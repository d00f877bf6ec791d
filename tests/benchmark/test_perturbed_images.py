"""Perturbed images: mirrored ones swap the side, in pixels, facts and text; scores show whether images were read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amrg.benchmark import Pair, Prediction
from amrg.benchmark.layout import Perturbation, perturbed_path
from amrg.benchmark.prediction_log import write_predictions
from amrg.benchmark.run.perturbed_images import blank, mirror
from amrg.benchmark.run.perturbed_predictions import derangement, predict_shuffled
from amrg.benchmark.scoring.image_dependence import perturbation_scores
from amrg.birads import Finding, Kind, Laterality, Location, Report, Style, View, ViewBox, parse, render
from amrg.datasets.case import Case, ImageRef, ReferenceSource
from amrg.imaging import Mammogram, Study
from amrg.imaging.image import PresentationImage
from amrg.metrics.clinical.laterality import swap_sides, swap_text, swap_words, unmirror
from amrg.metrics.clinical.suite import clinical_metrics
from amrg.metrics.errors import BenchmarkError
from tests.benchmark.reader import truth
from tests.birads.strategies import reports

R, L = Laterality.RIGHT, Laterality.LEFT


class Drawn(Mammogram):
    """A view whose pixels are its columns' numbers."""

    def image(self) -> PresentationImage:
        return PresentationImage(np.tile(np.linspace(0, 1, self.columns, dtype=np.float32), (self.rows, 1)))


def view_of(side: Laterality, view: View) -> Drawn:
    return Drawn(
        sop_instance_uid="1.2",
        laterality=side,
        view=view,
        pixel_spacing_mm=None,
        rows=80,
        columns=60,
        source=Path("nowhere.dcm"),
        flipped=True,
    )


STUDY = Study(
    study_instance_uid="1", patient_key="k", date=None, mammograms=(view_of(R, View.CC), view_of(L, View.MLO))
)


def test_blanked_images_are_empty_and_have_the_same_geometry() -> None:
    for before, after in zip(STUDY.mammograms, blank(STUDY).mammograms, strict=True):
        assert after.pixels().shape == before.pixels().shape
        assert not after.pixels().any()
        assert (after.laterality, after.view) == (before.laterality, before.view)


def test_mirrored_images_are_the_other_breast_and_mirrored_twice_the_same() -> None:
    once = mirror(STUDY)
    assert [(m.laterality, m.view) for m in once.mammograms] == [(L, View.CC), (R, View.MLO)]
    twice = mirror(once)
    for before, after, again in zip(STUDY.mammograms, once.mammograms, twice.mammograms, strict=True):
        assert np.array_equal(after.pixels(), before.pixels()[:, ::-1])
        assert np.array_equal(again.pixels(), before.pixels())
        assert again.to_file(7, 9) == before.to_file(7, 9)
        assert after.to_file(before.columns - 7, 9) == before.to_file(7, 9)


def test_boxes_return_to_the_unchanged_images() -> None:
    found = ViewBox(laterality=L, view=View.CC, left=5, top=1, right=15, bottom=4)
    report = Report(findings=(Finding(kind=Kind.MASS, laterality=L, boxes=(found,)),))
    (back,) = unmirror(report, {(L, View.CC): 60}).findings[0].boxes
    assert (back.left, back.top, back.right, back.bottom) == (45, 1, 55, 4)
    (other,) = swap_sides(report).findings[0].boxes
    assert (other.laterality, other.left) == (R, 5)


@given(reports())
def test_swapping_twice_changes_nothing(report: Report) -> None:
    assert swap_sides(swap_sides(report)) == report


@given(reports(), st.sampled_from(Style), st.integers(0, 2))
@settings(max_examples=60)
def test_text_is_swapped_as_facts_are(report: Report, style: Style, wording: int) -> None:
    text = render(report, style, wording)
    assert parse(swap_text(text, report)).report.stated() == swap_sides(report).stated()
    read, turned = parse(swap_words(text)).report, swap_sides(report)
    assert {f.model_dump_json() for f in read.findings} == {f.model_dump_json() for f in turned.stated().findings}
    assert set(read.negatives) == set(turned.negatives)
    assert set(read.assessments) == set(turned.assessments)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("RIGHT breast: mass at 10 o'clock.\r\nLt axilla.", "LEFT breast: mass at 2 o'clock.\r\nRt axilla."),
        ("Seen on RCC and rmlo, at 12:00 o'clock.", "Seen on LCC and lmlo, at 12:00 o'clock."),
        ("Brightly bilateral, cleft, 10 mm.", "Brightly bilateral, cleft, 10 mm."),
        ("R breast: mass at 10:00, L UOQ.", "L breast: mass at 2:00, R UOQ."),
        ("r breast, l uoq, r: BI-RADS 2, L5 is no side.", "l breast, r uoq, l: BI-RADS 2, L5 is no side."),
        ("Masses at 10 and 4 o'clock, 9-11 o'clock.", "Masses at 2 and 8 o'clock, 3-1 o'clock."),
        ("Masses at 1, 2 and 4 o'clock.", "Masses at 11, 10 and 8 o'clock."),
        ("Mass, BI-RADS 4, 10 o'clock.", "Mass, BI-RADS 4, 2 o'clock."),
    ],
)
def test_prose_is_swapped_word_by_word(text: str, other: str) -> None:
    assert swap_words(text) == other
    assert swap_words(other) == text


@given(
    st.sampled_from(["right", "Rt", "RIGHT", "R", "r", "left", "Lt", "L", "l"]),
    st.sampled_from(["{} o'clock", "{}:00", "{}:00 o'clock", "{} oclock", "{} clock"]),
    st.lists(st.integers(1, 12), min_size=1, max_size=2, unique=True),
)
def test_prose_is_read_as_the_mirrored_breast(side: str, face: str, hours: list[int]) -> None:
    places = face.format(" and ".join(map(str, hours)))
    text = f"{side} breast: irregular masses at {places}. BI-RADS 4. {side} UOQ: calcifications."
    assert parse(swap_words(text)).report.stated() == swap_sides(parse(text).report).stated()


def test_a_clock_face_is_mirrored_and_a_quadrant_stays() -> None:
    place = Location(clock=2)
    (finding,) = swap_sides(Report(findings=(Finding(kind=Kind.MASS, laterality=L, location=place),))).findings
    assert (finding.laterality, finding.location.clock) == (R, 10)


def case(key: str, group: str, views: Sequence[tuple[Laterality | None, View | None]]) -> Case:
    return Case(
        key=key,
        dataset="d",
        group=group,
        source=ReferenceSource.PHANTOM,
        licence="none",
        images=tuple(ImageRef(file=f"{side}{view}", laterality=side, view=view) for side, view in views),
        reference=Report(),
        text="",
    )


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30), st.integers(0, 9))
def test_partners_are_of_other_groups_and_the_same_views_and_none_is_used_twice(
    drawn: list[tuple[int, bool]], seed: int
) -> None:
    cases = [case(f"c{i}", f"g{group}", [(R, View.CC if cc else View.MLO)]) for i, (group, cc) in enumerate(drawn)]
    by_key = {c.key: c for c in cases}
    found = derangement(cases, seed)
    assert len(set(found.values())) == len(found)
    for key, other in found.items():
        assert by_key[key].group != by_key[other].group
        assert by_key[key].images[0].view == by_key[other].images[0].view
    for view in View:
        alike = [c for c in cases if c.images[0].view is view]
        largest = max((sum(c.group == d.group for d in alike) for c in alike), default=0)
        if 2 * largest <= len(alike):
            assert {c.key for c in alike} <= found.keys()


def test_images_whose_side_the_table_does_not_name_are_exchanged_for_no_others() -> None:
    known, other = (case(key, key, [(R, View.CC)]) for key in "ab")
    unknown = [case(key, key, [(None, None)]) for key in "cd"]
    partner = derangement([known, other, *unknown], 0)
    assert partner == {"a": "b", "b": "a"}
    written = [Prediction(key=key, text=f"of {key}") for key in "abcd"]
    assert [p.key for p in predict_shuffled([known, *unknown], partner, written)] == ["a"]


def pair(key: str, side: Laterality | None, drafted: Report) -> Pair:
    reference = truth(side)
    text, source = render(reference), ReferenceSource.PHANTOM
    return Pair(key, key, source, text, reference, render(drafted), drafted)


def scored(folder: Path, pairs: Sequence[Pair], drafts: Callable[[Pair], Report]) -> dict[str, float | None]:
    """Change of finding F1 on mirrored images, and the shares of drafts whose sides were swapped and unchanged."""
    path = perturbed_path(folder, Perturbation.MIRRORED)
    path.parent.mkdir()
    write_predictions(path, [Prediction(key=p.key, text=render(drafts(p)), report=drafts(p)) for p in pairs])
    found = perturbation_scores(folder, pairs, clinical_metrics)["mirrored"]
    return {
        "change": found.change["finding_f1_by_lesion"].value,
        "swapped": found.metrics["sides_swapped_share"].value,
        "unchanged": found.metrics["sides_unchanged_share"].value,
        "n": found.metrics["sides_swapped_share"].n,
    }


SIDES = (R, L, None, L, R, R)


def test_metrics_of_a_model_that_reads_its_images_do_not_change_when_mirrored(tmp_path: Path) -> None:
    pairs = [pair(f"c{i}", side, truth(side)) for i, side in enumerate(SIDES)]
    found = scored(tmp_path, pairs, lambda p: swap_sides(p.reference))
    assert found == {"change": 0.0, "swapped": 1.0, "unchanged": 0.0, "n": 5}


def test_metrics_of_a_model_that_does_not_read_them_change(tmp_path: Path) -> None:
    pairs = [pair(f"c{i}", side, truth(side)) for i, side in enumerate(SIDES)]
    found = scored(tmp_path, pairs, lambda p: p.reference)
    assert found == {"change": -1.0, "swapped": 0.0, "unchanged": 1.0, "n": 5}


def test_a_share_of_swapped_sides_of_one_has_its_exact_interval(tmp_path: Path) -> None:
    pairs = [pair(f"c{i}", side, truth(side)) for i, side in enumerate(SIDES)]
    path = perturbed_path(tmp_path, Perturbation.MIRRORED)
    path.parent.mkdir()
    write_predictions(path, [Prediction(key=p.key, text="x", report=swap_sides(p.reference)) for p in pairs])
    swapped = perturbation_scores(tmp_path, pairs, clinical_metrics)["mirrored"].metrics["sides_swapped_share"]
    assert (swapped.value, swapped.high) == (1.0, 1.0)
    assert swapped.low == pytest.approx(0.025 ** (1 / 5))  # five drafts differ between the breasts


def test_a_failure_on_perturbed_images_is_unscored_on_both_sides(tmp_path: Path) -> None:
    pairs = [pair(f"c{i}", side, truth(side)) for i, side in enumerate(SIDES)]
    path = perturbed_path(tmp_path, Perturbation.BLANKED)
    path.parent.mkdir()
    failed = [Prediction(key=p.key, text=None, error="missing") for p in pairs[:2]]
    write_predictions(path, [*failed, *(Prediction(key=p.key, text=p.text, report=p.report) for p in pairs[2:])])
    found = perturbation_scores(tmp_path, pairs, clinical_metrics)["blanked"]
    f1 = found.metrics["finding_f1_by_lesion"]
    assert (found.n, f1.n, f1.value) == (6, 4, 1.0)
    assert found.change["finding_f1_by_lesion"].value == 0.0


def test_predictions_of_other_cases_are_refused(tmp_path: Path) -> None:
    path = perturbed_path(tmp_path, Perturbation.SHUFFLED)
    path.parent.mkdir()
    write_predictions(path, [Prediction(key="other", text="x")])
    with pytest.raises(BenchmarkError, match="found case 'other'"):
        perturbation_scores(tmp_path, [pair("c", R, truth(R))], clinical_metrics)
