"""Metrics on the replicas of RSNA and CMMD: what a data set does not say is neither normal nor wrong."""

from __future__ import annotations

from pathlib import Path

from amrg.benchmark.layout import Perturbation
from amrg.benchmark.scoring.image_dependence import perturbed_pairs
from amrg.benchmark.scoring.measure import pairs_of
from amrg.birads import Laterality
from amrg.metrics.clinical.suite import clinical_metrics
from amrg.metrics.metric import by_name
from amrg.metrics.prediction import Prediction
from tests.datasets.published import imported
from tests.datasets.replicas_digital import rsna
from tests.datasets.replicas_sheets import cmmd

BOTH = "Calcifications are seen in the right breast. A mass is seen in the left breast. BI-RADS 4."


def test_b3_the_breast_that_cmmd_does_not_label_is_not_normal(tmp_path: Path) -> None:
    """D1-0002 has a row of its right breast alone: calcifications. The left one may hold anything."""
    cases = [case for case in imported("cmmd", cmmd(tmp_path))[0] if case.key == "D1-0002"]
    (pair,) = pairs_of(cases, [Prediction(key="D1-0002", text=BOTH)])
    assert pair.unlabelled == {Laterality.LEFT}
    found = by_name(clinical_metrics([pair]))
    for name in ("finding_f1_by_lesion", "finding_precision_by_place", "finding_f1_by_place"):
        assert found[name].value == 1.0
    for name in ("hallucinated_findings_a_report", "invented_findings_a_report_by_kind", "mammogreen_false_findings"):
        assert found[name].value == 0.0
    (mirrored,) = perturbed_pairs([pair], [Prediction(key="D1-0002", text=BOTH)], Perturbation.MIRRORED)
    assert mirrored.unlabelled == {Laterality.RIGHT}
    assert mirrored.report is not None
    assert {f.laterality for f in mirrored.report.findings} == {Laterality.LEFT}
    silent = by_name(clinical_metrics(pairs_of(cases, [Prediction(key="D1-0002", text="No mass is seen.")])))
    assert silent["omitted_findings_a_report"].value == 1.0  # of the labelled breast


def test_b3_a_patient_of_rsna_without_a_category_is_unscored_and_two_views_alike_are_one_exam(tmp_path: Path) -> None:
    cases, _ = imported("rsna", rsna(tmp_path))
    pairs = pairs_of(cases, [Prediction(key=case.key, text="No mass is seen. BI-RADS 1.") for case in cases])
    found = by_name(clinical_metrics(pairs))
    assert found["birads_accuracy_7_worst_strict"].scored.tolist() == [True, False, True]
    assert not found["finding_f1_by_lesion"].scored.any()  # RSNA publishes no findings
    twice = cases[0].model_copy(update={"images": (*cases[0].images, cases[0].images[-1])})  # a second RMLO
    (again,) = pairs_of([twice], [Prediction(key=twice.key, text="No mass is seen. BI-RADS 1.")])
    assert len(again.views) == len(cases[0].images) + 1
    assert by_name(clinical_metrics([again]))["birads_accuracy_7_worst"].value == 0.0
