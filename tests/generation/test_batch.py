"""Many studies through one loop: an outcome a study, in order; the others are drafted whatever becomes of one."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset

from amrg.birads import Category, ImageBox, Laterality, Status, Style, View, parse
from amrg.birads.draft import draft_banner
from amrg.generation import (
    Drafted,
    DraftOptions,
    Generation,
    ImageFeatures,
    NoAnswer,
    NotAMammogram,
    NotDrafted,
    Refused,
    Unanswered,
    Unreadable,
    draft_report,
    draft_studies,
    render_draft,
)
from amrg.generation.engines.fixed import FixedEngine
from amrg.generation.identifiers import image_boxes
from amrg.imaging import ImageKind, Study, read_studies
from amrg.models.guard.distance import DomainCheck
from amrg.phantom import Size, draw_exam, write_exam
from amrg.training.guard.pages import text_page
from tests.generation.marking import candidate, features_of
from tests.imaging.changed import change

TEXT = """FINDINGS:
Left breast, upper outer quadrant: irregular spiculated mass (BI-RADS 5).
IMPRESSION:
Left breast: BI-RADS 5."""


def features(probability: float = 0.0) -> ImageFeatures:
    """Of four views, each with one place of every kind."""
    place = candidate((8.0, 16.0, 24.0, 40.0), probability)
    return features_of(((place,),) * 4)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("exam")
    write_exam(draw_exam(1_000_002, Size.SMALL), folder)
    (read,) = read_studies(folder).studies
    return read


def without_files(study: Study) -> Study:
    missing = tuple(m.model_copy(update={"source": Path("missing.dcm")}) for m in study.mammograms)
    return study.model_copy(update={"mammograms": missing})


@dataclass(frozen=True)
class Counting(FixedEngine):
    """Counts the requests of every call."""

    calls: list[int] = field(default_factory=list)

    def generate(self, requests):  # type: ignore[no-untyped-def]
        self.calls.append(len(requests))
        return super().generate(requests)


@dataclass(frozen=True)
class Cutting(FixedEngine):
    """Answers every second request, from the second on, with the first half of a text."""

    def generate(self, requests):  # type: ignore[no-untyped-def]
        for number, _ in enumerate(requests):
            yield Unanswered("its answer was cut") if number % 2 else Generation(TEXT)


def test_a_study_without_a_complete_answer_has_an_outcome_and_no_draft(study: Study) -> None:
    outcomes = list(draft_studies([study] * 3, Cutting(max_batch=3)))
    assert [type(outcome) for outcome in outcomes] == [Drafted, NotDrafted, Drafted]
    assert outcomes[1] == NotDrafted(study, "its answer was cut")


def test_one_study_without_a_complete_answer_raises(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cutting, "generate", lambda self, requests: iter([Unanswered("its answer was cut")]))
    with pytest.raises(NoAnswer, match="was cut"):
        draft_report(study, Cutting())


@pytest.mark.parametrize(("max_batch", "calls"), [(1, [1, 0, 0, 1]), (3, [1, 1]), (9, [2])])
def test_every_study_has_an_outcome_in_order(study: Study, max_batch: int, calls: list[int]) -> None:
    empty = study.model_copy(update={"mammograms": ()})
    engine = Counting((TEXT,), max_batch=max_batch)
    outcomes = list(draft_studies([study, without_files(study), empty, study], engine))
    assert [type(outcome) for outcome in outcomes] == [Drafted, Unreadable, Unreadable, Drafted]
    assert "missing.dcm" in outcomes[1].message  # type: ignore[union-attr]
    assert "no screening view" in outcomes[2].message  # type: ignore[union-attr]
    assert engine.calls == calls


def test_studies_are_read_as_outcomes_are_requested(study: Study) -> None:
    read = []

    def studies() -> Iterator[Study]:
        for number in range(3):
            read.append(number)
            yield study

    outcomes = draft_studies(studies(), FixedEngine())
    next(outcomes)
    assert read == [0]


def test_a_draft_states_what_the_model_wrote_and_where_it_came_from(study: Study) -> None:
    partial = study.model_copy(update={"mammograms": study.mammograms[:3]})
    draft = draft_report(partial, FixedEngine((TEXT,)), Style.CLINICAL)
    assert (draft.model_text, draft.report.narrative) == (TEXT, TEXT)
    assert (draft.in_domain, draft.domain_distance, draft.removed) == (None, None, ())
    assert draft.missing_views == ((Laterality.LEFT, View.MLO),)
    assert draft.report.status is Status.DRAFT
    assert draft.report.provenance is not None
    assert draft.report.provenance.model == "fixed"


CLEAR = "IMPRESSION:\nRight breast: BI-RADS 1.\nLeft breast: BI-RADS 2.\nRECOMMENDATION: Routine screening."


def test_an_incomplete_study_is_not_cleared_in_any_output(study: Study) -> None:
    whole = draft_report(study, FixedEngine((CLEAR,)))
    assert [a.category for a in whole.report.assessments] == [Category.NEGATIVE, Category.BENIGN]
    assert (whole.incomplete, whole.missing_views, len(whole.banner)) == ((), (), 1)
    without = study.model_copy(
        update={"mammograms": tuple(m for m in study.mammograms if (m.laterality, m.view) != ("L", "CC"))}
    )
    draft = draft_report(without, FixedEngine((CLEAR,)))
    assert [a.category for a in draft.report.assessments] == [Category.NEGATIVE, Category.INCOMPLETE]
    assert [i.line for i in draft.incomplete] == ["Left breast category 0, not 2: LCC missing."]
    text = render_draft(draft)
    assert "Left breast: BI-RADS 0." in text
    assert "INCOMPLETE STUDY: LCC missing." in text.splitlines()[1]
    assert "Left breast category 0, not 2: LCC missing." in text
    assert "RECOMMENDATION: Additional imaging of the left breast." in text
    (scored,) = draft_studies([without], FixedEngine((CLEAR,)), DraftOptions(study_facts=False))
    assert isinstance(scored, Drafted)
    assert scored.draft.report.assessments == whole.report.assessments


@pytest.fixture(scope="module")
def with_a_page(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study with a page of text as its first view."""
    page = tmp_path_factory.mktemp("page") / "RCC.png"
    Image.fromarray((255 * text_page(np.random.default_rng(5))).astype(np.uint8)).save(page)
    first, *rest = study.mammograms
    return study.model_copy(update={"mammograms": (first.model_copy(update={"source": page}), *rest)})


def test_what_is_no_mammogram_is_refused_unless_forced_and_no_engine_is_asked(with_a_page: Study) -> None:
    engine = Counting((TEXT,))
    (refused,) = draft_studies([with_a_page], engine)
    assert isinstance(refused, Refused)
    assert refused.message.startswith("no draft: RCC (RCC.png) does not look like a mammogram; expected ")
    with pytest.raises(NotAMammogram, match="does not look like a mammogram"):
        draft_report(with_a_page, engine)
    assert sum(engine.calls) == 0
    forced = draft_report(with_a_page, engine, force=True)
    assert forced.other_pictures == ((Laterality.RIGHT, View.CC),)
    assert forced.banner[1] == "NOT A MAMMOGRAM: RCC by its looks. Do not rely on this draft."


def test_images_unlike_the_training_images_are_drafted_with_the_distance_stated(study: Study) -> None:
    far = draft_report(study, FixedEngine((TEXT,), domain=DomainCheck(9.07, 4.02)))
    assert (far.in_domain, far.domain_distance, far.domain_threshold) == (False, 9.07, 4.02)
    assert "(distance 9.1, usual up to 4.0)" in far.banner[1]
    assert "(distance 9.1, usual up to 4.0)" in render_draft(far)
    near = draft_report(study, FixedEngine((TEXT,), domain=DomainCheck(1.0, 4.0)))
    assert (near.in_domain, near.domain_distance, len(near.banner)) == (True, 1.0, 1)


def test_findings_that_the_features_do_not_locate_are_removed(study: Study) -> None:
    draft = draft_report(study, FixedEngine((TEXT,), features()))
    assert draft.report.findings == ()
    assert [change.line for change in draft.category_changes] == [
        "Left breast category changed from 5 to 0 after removal."
    ]
    removed = "Left breast: BI-RADS 0.\nUNCONFIRMED: Possible mass in the left breast, upper outer quadrant, "
    assert f"{removed}not located on any view, BI-RADS 5 if confirmed; needs additional imaging.\n" in draft.text
    (scored,) = draft_studies([study], FixedEngine((TEXT,), features()), DraftOptions(study_facts=False))
    assert isinstance(scored, Drafted)
    assert (scored.draft.report.worst, scored.draft.report.unconfirmed) == (Category.NEGATIVE, ())
    assert "UNCONFIRMED" not in scored.draft.text
    located = draft_report(study, FixedEngine((TEXT,), features(0.9)))
    assert [len(finding.boxes) for finding in located.report.findings] == [2]


def test_a_size_is_measured_where_the_images_have_a_scale_and_never_the_models(study: Study) -> None:
    text = TEXT.replace("spiculated mass", "spiculated mass, 77 mm")
    located = FixedEngine((text,), features(0.9))
    draft = draft_report(study, located)
    (size,) = (finding.size_mm for finding in draft.report.findings)
    assert size is not None
    assert [change.size_mm for change in draft.size_changes] == [size]
    assert f"{size} mm" in draft.text
    assert "77 mm" not in draft.text
    assert parse(draft.text).report.stated() == draft.report.stated()
    plain = tuple(m.model_copy(update={"pixel_spacing_mm": None}) for m in study.mammograms)
    for engine in (located, FixedEngine((text,))):
        draft = draft_report(study.model_copy(update={"mammograms": plain}), engine)
        assert " mm" not in draft.text
        assert "Removed, size not measured: 77 mm, mass, left breast" in render_draft(draft)
    (scored,) = draft_studies([study], FixedEngine((text,)), DraftOptions(study_facts=False))
    assert isinstance(scored, Drafted)
    assert [finding.size_mm for finding in scored.draft.report.findings] == [77]


def test_suspicion_is_of_the_images_and_is_stated_where_the_model_measures_it(study: Study) -> None:
    draft = draft_report(study, FixedEngine((CLEAR,), features()))
    line = "Suspicion of an abnormal exam: 0.25 (0 to 1, from the images alone; not the risk of cancer)"
    assert draft.suspicion == 0.25
    assert line in render_draft(draft).splitlines()
    without = draft_report(study, FixedEngine((CLEAR,)))
    assert without.suspicion is None
    assert "Suspicion" not in render_draft(without)


def test_every_output_names_study_and_images_and_no_patient(study: Study) -> None:
    dated = study.model_copy(update={"date": datetime.date(2024, 3, 1), "accession_number": "ACC-7"})
    draft = draft_report(dated, FixedEngine((TEXT,), features(0.9)))
    assert draft.study is not None
    stated = {"study_instance_uid", "date", "patient_key", "accession_number"}
    assert draft.study.model_dump(include=stated) == dated.model_dump(include=stated)
    lines = render_draft(draft).splitlines()
    assert "Study date: 2024-03-01" in lines
    assert "Accession number: ACC-7" in lines
    assert f"Study Instance UID: {study.study_instance_uid}" in lines
    assert f"Patient key: {study.patient_key}" in lines
    for m in study.mammograms:
        assert f"{m.laterality}{m.view} SOP Instance UID: {m.sop_instance_uid}" in lines
    undated = draft_report(study.model_copy(update={"date": None}), FixedEngine((TEXT,)))
    assert "Study date: unknown" in render_draft(undated)


def test_a_prior_that_was_not_used_is_named_with_its_date(study: Study) -> None:
    prior = study.model_copy(update={"date": datetime.date(2021, 1, 5)})
    draft = draft_report(study.model_copy(update={"prior": prior}), FixedEngine((TEXT,)))
    assert "Comparison: mammogram of 2021-01-05 (not used)" in render_draft(draft).splitlines()
    assert "Comparison" not in render_draft(draft_report(study, FixedEngine((TEXT,))))


def test_a_draft_reads_as_its_report(study: Study) -> None:
    prior = study.model_copy(update={"date": datetime.date(2021, 1, 5)})
    dated = study.model_copy(update={"prior": prior, "accession_number": "ACC-7", "date": datetime.date(2024, 3, 1)})
    draft = draft_report(dated, FixedEngine((TEXT,), features(0.9)))
    draft = draft.model_copy(update={"banner": draft_banner("m", unlike_training=(9.1, 4.0))})
    whole, alone = parse(render_draft(draft)), parse(draft.text)
    assert whole.report.stated() == alone.report.stated()
    assert [span.text for span in whole.unread] == [span.text for span in alone.unread]


def test_every_box_names_its_image_and_is_on_the_grid_of_its_file(study: Study) -> None:
    def boxes(flipped: bool) -> list[ImageBox]:
        mammograms = tuple(m.model_copy(update={"flipped": flipped}) for m in study.mammograms)
        report = draft_report(study, FixedEngine((TEXT,), features(0.9))).report
        return list(image_boxes(report, study.model_copy(update={"mammograms": mammograms})))

    uids = {(m.laterality, m.view): m.sop_instance_uid for m in study.mammograms}
    columns = {m.sop_instance_uid: m.columns for m in study.mammograms}
    plain, mirrored = boxes(False), boxes(True)
    assert [b.box.view for b in plain] == [View.CC, View.MLO]
    for here, there in zip(plain, mirrored, strict=True):
        assert (here.finding, here.sop_instance_uid) == (1, uids[here.box.laterality, here.box.view])
        width = columns[here.sop_instance_uid]
        assert (there.box.left, there.box.right) == (width - here.box.right, width - here.box.left)
        assert (there.box.top, there.box.bottom) == (here.box.top, here.box.bottom)


def test_problems_name_the_finding_in_words(study: Study) -> None:
    text = "Left breast: oval spiculated mass in the upper outer quadrant. Zzyzx qwghlm. BI-RADS 2."
    draft = draft_report(study, FixedEngine((text,)))
    assert "Inconsistent, mass, left breast, upper outer quadrant: oval with spiculated margins" in " ".join(
        draft.problems
    )
    assert any(line.startswith("Not understood in the model's text: ") for line in draft.problems)
    benign = draft_report(study, FixedEngine(("Left breast: irregular mass. BI-RADS 2.",)))
    assert "Inconsistent, mass, left breast: irregular mass is called 2, expected 4 or 5." in benign.problems
    silent = draft_report(study, FixedEngine(("Left breast: mass.",)))
    assert "No BI-RADS category: the model named none." in silent.problems


def test_an_exam_of_one_breast_is_drafted_as_one(study: Study) -> None:
    left = study.model_copy(
        update={"mammograms": tuple(m for m in study.mammograms if m.laterality is Laterality.LEFT)}
    )
    clear = "Breast composition: ACR C. Left breast: BI-RADS 1. Routine screening."
    draft = draft_report(left, FixedEngine((clear,)))
    assert "TECHNIQUE: Unilateral left mammography, CC and MLO views, BI-RADS 5th edition.\n" in draft.text
    assert "The breast is heterogeneously dense (ACR C).\n" in draft.text
    assert draft.missing_views == ((Laterality.RIGHT, View.CC), (Laterality.RIGHT, View.MLO))
    options = DraftOptions(mastectomy=(Laterality.RIGHT,))
    (after,) = draft_studies([left], FixedEngine((clear,)), options)
    assert isinstance(after, Drafted)
    assert "HISTORY: Status post right mastectomy.\n" in after.draft.text
    assert (after.draft.missing_views, after.draft.incomplete, len(after.draft.banner)) == ((), (), 1)
    assert after.draft.report.mastectomy == (Laterality.RIGHT,)
    assert parse(after.draft.text).report.stated() == after.draft.report.stated()
    (whole,) = draft_studies([study], FixedEngine((clear,)), options)
    assert isinstance(whole, Drafted)
    assert any("views of side R were taken, which was removed" in line for line in whole.draft.problems)


def test_a_mastectomy_that_only_the_model_writes_is_removed_and_named(study: Study) -> None:
    text = "HISTORY: Status post right mastectomy.\nLeft breast: BI-RADS 1."
    draft = draft_report(study, FixedEngine((text,)))
    assert draft.report.mastectomy == ()
    assert "Removed, not known of this patient: status post right mastectomy." in draft.problems


def test_synthetic_views_are_in_the_technique(study: Study) -> None:
    kinds = {View.CC: ImageKind.SYNTHETIC, View.MLO: ImageKind.FULL_FIELD}
    mixed = tuple(m.model_copy(update={"kind": kinds[m.view]}) for m in study.mammograms)
    draft = draft_report(study.model_copy(update={"mammograms": mixed}), FixedEngine((TEXT,)))
    assert "Bilateral mammography, CC and MLO views, synthetic 2D right CC view, left CC view, BI-RADS" in draft.text


@pytest.mark.parametrize(
    ("findings", "right", "left", "step", "line"),
    [
        ("Right breast: a mass.", 4, 1, "Biopsy", "Biopsy of the mass in the right breast."),
        ("Right breast: a mass. Right breast: grouped calcifications.", 4, 1, "Biopsy", "Biopsy of the right breast."),
        ("Left breast: a mass.", 4, 2, "Biopsy", "Biopsy of the right breast."),
        ("None.", 0, 1, "Ultrasound", "Additional imaging of the right breast."),
        ("None.", 0, 0, "Ultrasound", "Additional imaging of both breasts."),
        ("None.", 1, 1, "Routine screening", "Routine screening."),
    ],
)
def test_the_recommendation_is_for_what_the_report_knows(
    study: Study, findings: str, right: int, left: int, step: str, line: str
) -> None:
    impression = f"Right breast: BI-RADS {right}.\nLeft breast: BI-RADS {left}.\nRECOMMENDATION: {step}."
    text = f"FINDINGS:\n{findings}\nIMPRESSION:\n{impression}"
    draft = draft_report(study, FixedEngine((text,)))
    assert draft.text.endswith(f"RECOMMENDATION: {line}\n")
    assert parse(draft.text).report.stated() == draft.report.stated()


@pytest.mark.parametrize("style", Style)
def test_the_recommendation_is_for_the_findings_that_ask_for_it(study: Study, style: Style) -> None:
    text = (
        "FINDINGS:\nRight breast, upper outer quadrant: spiculated mass (BI-RADS 5).\n"
        "Left breast: grouped amorphous calcifications (BI-RADS 4B).\nLeft breast: oval mass (BI-RADS 3).\n"
        "IMPRESSION:\nRight breast: BI-RADS 5.\nLeft breast: BI-RADS 4B.\nRECOMMENDATION: Biopsy."
    )
    (made,) = draft_studies([study], FixedEngine((text,)), DraftOptions(style))
    assert isinstance(made, Drafted)
    expected = (
        "Biopsy of the mass in the right breast, upper outer quadrant, and the calcifications in the left breast."
    )
    assert (expected in made.draft.text) is (style not in (Style.DMID, Style.CESM))  # whose words name no finding
    assert parse(made.draft.text).report.stated() == made.draft.report.stated()


def test_a_picture_that_stands_for_both_breasts_is_named(tmp_path: Path) -> None:
    """Of a right view made of the left one, mirrored."""
    folder = tmp_path
    write_exam(draw_exam(1_000_002, Size.SMALL), folder)
    for view in ("CC", "MLO"):
        change(folder / f"L{view}.dcm", _as_right, folder / f"R{view}.dcm")
    (changed,) = read_studies(folder).studies
    draft = draft_report(changed, FixedEngine(), force=True)
    same = [problem for problem in draft.problems if "one picture" in problem]
    assert [problem.split(" are ")[0] for problem in same] == [
        "Inconsistent: RCC and LCC",
        "Inconsistent: RMLO and LMLO",
    ]


def _as_right(ds: Dataset) -> None:
    ds.PixelData = np.ascontiguousarray(ds.pixel_array[:, ::-1]).tobytes()
    ds.ImageLaterality, ds.PatientOrientation = "R", ""
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.{ds.ViewPosition == 'CC':d}"
    for keyword in ("SeriesDescription", "Laterality", "AnatomicRegionSequence"):
        if keyword in ds:
            delattr(ds, keyword)
