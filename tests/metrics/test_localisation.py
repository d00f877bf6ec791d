"""Boxes: pointing, overlap and FROC, against values worked out by hand and a slow count in this file."""

from __future__ import annotations

import numpy as np
import pytest

from amrg.benchmark import Metric, Pair
from amrg.birads import Finding, Kind, Laterality, Report, View, ViewBox
from amrg.metrics.clinical.froc import GRID, RATES, froc_mean, sensitivity_at
from amrg.metrics.clinical.localisation import iou, localisation_metrics, points_into
from tests.benchmark.making import by_name, made

LEFT, RIGHT = Laterality.LEFT, Laterality.RIGHT
VIEWS = tuple((side, view) for side in (RIGHT, LEFT) for view in (View.CC, View.MLO))
Edges = tuple[float, float, float, float]


def _box(edges: Edges, side: Laterality = LEFT, view: View = View.CC) -> ViewBox:
    return ViewBox(laterality=side, view=view, left=edges[0], top=edges[1], right=edges[2], bottom=edges[3])


def _finding(*boxes: ViewBox, kind: Kind = Kind.MASS, probability: float | None = None) -> Finding:
    return Finding(kind=kind, laterality=boxes[0].laterality, boxes=boxes, probability=probability)


def _report(*findings: Finding) -> Report:
    return Report(findings=findings)


def _values(*pairs: Pair) -> dict[str, float]:
    return by_name(localisation_metrics(pairs))


HERE, THERE = (10.0, 10.0, 30.0, 30.0), (50.0, 50.0, 70.0, 70.0)
TRUE = _report(_finding(_box(HERE), _box(HERE, view=View.MLO)))


def test_the_same_boxes_are_perfect() -> None:
    found = _values(made(TRUE, _report(_finding(*TRUE.findings[0].boxes, probability=0.4)), VIEWS))
    assert len(found) == 9
    assert set(found.values()) == {1.0}


def test_overlap_of_two_boxes() -> None:
    assert iou(_box((0, 0, 2, 2)), _box((1, 1, 3, 3))) == pytest.approx(1 / 7)
    assert iou(_box((0, 0, 2, 2)), _box((2, 0, 4, 2))) == iou(_box((0, 0, 0, 0)), _box((0, 0, 0, 0))) == 0.0


def test_a_box_points_by_its_centre() -> None:
    assert points_into(_box((20, 20, 40, 40)), _box(HERE))
    assert not points_into(_box((20, 20, 41, 40)), _box(HERE))


def test_pointing_distinguishes_kind_view_and_side() -> None:
    calcium = _finding(_box(HERE), kind=Kind.CALCIFICATIONS)
    other_view = _finding(_box(HERE, view=View.ML))
    other_side = _finding(_box(HERE, side=RIGHT))
    one = _report(_finding(_box(HERE)))
    found = [_values(made(one, _report(f))) for f in (calcium, other_view, other_side)]
    assert [f["pointing_hit_rate_any_kind"] for f in found] == [1.0, 0.0, 0.0]
    assert [f["pointing_hit_rate_same_kind"] for f in found] == [0.0, 0.0, 0.0]
    assert [f["pointing_precision_any_kind"] for f in found] == [1.0, 0.0, 0.0]


def test_the_most_probable_boxes_point_and_more_boxes_buy_no_hits() -> None:
    one = _report(_finding(_box(HERE)))
    sure, unsure = _finding(_box(THERE), probability=0.9), _finding(_box(HERE), probability=0.3)
    found = _values(made(one, _report(unsure, sure)))
    assert (found["pointing_hit_rate_same_kind"], found["pointing_precision_any_kind"]) == (0.0, 0.5)
    two = _report(_finding(_box(HERE)), _finding(_box(THERE)))
    assert _values(made(two, _report(unsure, sure)))["pointing_hit_rate_same_kind"] == 1.0
    twice = _report(_finding(_box(HERE), probability=0.5), _finding(_box(HERE), probability=0.4))
    assert _values(made(two, twice))["pointing_hit_rate_same_kind"] == 0.5


def test_asymmetries_are_one_kind_of_box_too() -> None:
    focal, plain = (_finding(_box(HERE), kind=k) for k in (Kind.FOCAL_ASYMMETRY, Kind.ASYMMETRY))
    assert _values(made(_report(focal), _report(plain)))["pointing_hit_rate_same_kind"] == 1.0
    found = _values(made(_report(focal, _finding(_box(THERE), kind=Kind.ASYMMETRY)), _report(plain)))
    assert found["pointing_hit_rate_same_kind"] == 0.5


def test_overlap_is_the_mean_over_boxes_that_overlap() -> None:
    draft = _report(_finding(_box((10, 10, 30, 20))), _finding(_box(THERE)))
    assert _values(made(TRUE, draft))["box_iou_matched_same_kind"] == 0.5


def test_without_boxes_there_is_no_metric_and_without_probabilities_no_froc() -> None:
    placeless = Finding(kind=Kind.MASS, laterality=LEFT)
    assert localisation_metrics([made(TRUE, _report(placeless))]) == []
    assert localisation_metrics([made(_report(placeless), TRUE)]) == []
    assert localisation_metrics([made(TRUE, None)]) == []
    assert not any(name.startswith("froc") for name in _values(made(TRUE, TRUE)))


def test_a_reference_whose_places_are_unknown_is_unscored_and_a_draft_without_boxes_misses() -> None:
    placeless = _report(Finding(kind=Kind.MASS, laterality=LEFT))
    drafted = _report(_finding(_box(HERE), probability=0.8))
    pairs = [made(TRUE, drafted), made(placeless, drafted), made(TRUE, placeless), made(_report(), drafted)]
    metrics = localisation_metrics(pairs)
    assert {tuple(m.scored.tolist()) for m in metrics} == {(True, False, True, True)}
    found = by_name(metrics)
    assert found["pointing_hit_rate_same_kind"] == 1 / 4
    assert found["pointing_precision_any_kind"] == 1 / 2


def _slow_sensitivity(pairs: list[Pair], rate: float) -> float:
    """FROC with every probability a threshold of its own, then a straight line by numpy."""
    marks, lesions = [], 0
    for number, pair in enumerate(pairs):
        true = [(i, b) for i, b in enumerate(b for f in pair.reference.findings for b in f.boxes)]
        lesions += len(true)
        assert pair.report is not None
        for f in pair.report.findings:
            for b in f.boxes:
                same = [(number, i) for i, t in true if (t.laterality, t.view) == (b.laterality, b.view)]
                marks.append((f.probability or 0.0, [k for k in same if points_into(b, true[k[1]][1])]))
    images = sum(len(p.views) for p in pairs)
    xs, ys = [0.0], [0.0]
    for threshold in sorted({p for p, _ in marks}, reverse=True):
        reported = [hits for p, hits in marks if p >= threshold]
        xs.append(sum(not hits for hits in reported) / images)
        ys.append(len({k for hits in reported for k in hits}) / lesions)
    last = dict(zip(xs, ys, strict=True))  # of points above each other the highest counts
    below = max(x for x in last if x <= rate)
    above = min((x for x in last if x > rate), default=None)
    if above is None:
        return last[below]
    first = next(y for x, y in zip(xs, ys, strict=True) if x == above)
    return float(np.interp(rate, [below, above], [last[below], first]))


def _drawn_pairs(count: int) -> list[Pair]:
    rng, views = np.random.default_rng(7), VIEWS[:3]

    def finding(probability: float | None) -> Finding:
        side, view = views[rng.integers(0, 3)]
        x, y = rng.integers(0, 60, 2)
        return _finding(_box((x, y, x + 40, y + 40), side, view), probability=probability)

    pairs = []
    for _ in range(count):
        reference = _report(*(finding(None) for _ in range(rng.integers(0, 3))))
        draft = _report(*(finding(round(float(rng.random()), 2)) for _ in range(rng.integers(0, 12))))
        pairs.append(made(reference, draft, views))
    return pairs


def test_froc_equals_a_slow_count() -> None:
    pairs = _drawn_pairs(59)  # 177 images, so that no rate falls on an operating point
    found = _values(*pairs)
    names = [f"froc_sensitivity_at_{rate}_false_an_image" for rate in ("0_25", "0_5", "1", "2")]
    slow = [_slow_sensitivity(pairs, rate) for rate in RATES]
    assert [found[n] for n in names] == pytest.approx(slow, abs=1e-12)
    assert 0 < slow[0] < slow[2] < 1
    assert found["froc_mean_sensitivity"] == pytest.approx(np.mean(slow), abs=1e-12)


def test_froc_of_a_hand_made_curve() -> None:
    """Two lesions in four images: the first found at no false positive, the second after two."""
    normal = made(_report(), _report(*(_finding(_box(THERE), probability=0.5) for _ in range(2))), VIEWS[:2])
    pair = made(
        TRUE, _report(_finding(_box(HERE), probability=0.9), _finding(_box(HERE, view=View.MLO), probability=0.2))
    )
    found = _values(normal, made(pair.reference, pair.report, VIEWS[2:]))
    assert found["froc_sensitivity_at_0_25_false_an_image"] == 0.5
    assert found["froc_sensitivity_at_0_5_false_an_image"] == 1.0


def test_froc_reads_many_sums_together() -> None:
    metric: Metric = next(m for m in localisation_metrics(_drawn_pairs(20)) if m.name.startswith("froc_mean"))
    assert metric.terms.shape[1] == 2 * len(GRID) + 2
    drawn = np.random.default_rng(0).integers(0, 20, (5, 20))
    sums = metric.terms[drawn].sum(axis=1)
    one_by_one = [froc_mean(s) for s in sums]
    assert froc_mean(sums).tolist() == [float(v) for v in one_by_one]
    assert np.isnan(sensitivity_at(1.0)(np.r_[np.zeros(2 * len(GRID)), 0.0, 4.0]))
