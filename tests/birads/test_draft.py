"""A draft is a value: exact through JSON, closed, and every output of it can say what a reader must know."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from amrg.birads import (
    Category,
    CategoryChange,
    Depth,
    Draft,
    DraftedImage,
    DraftedPatient,
    DraftedStudy,
    Finding,
    ImageBox,
    IncompleteAssessment,
    Kind,
    Laterality,
    Location,
    PlaceChange,
    Quadrant,
    RemovalReason,
    RemovedFinding,
    Report,
    SizeChange,
    View,
    ViewBox,
    describe_finding,
    draft_banner,
)
from tests.birads.strategies import findings, maybe, reports

_fractions = st.floats(0, 1)
_removed = st.builds(
    RemovedFinding,
    finding=findings(),
    reason=st.sampled_from(RemovalReason),
    probability=maybe(_fractions),
    threshold=maybe(_fractions),
)
_changes = st.builds(
    CategoryChange,
    laterality=maybe(st.sampled_from(Laterality)),
    before=st.sampled_from(Category),
    after=st.sampled_from(Category),
)
_views = st.lists(st.tuples(st.sampled_from(Laterality), st.sampled_from(View)), min_size=1, max_size=4).map(tuple)
_place_changes = st.builds(
    PlaceChange,
    finding=findings(),
    quadrant=st.sampled_from(Quadrant),
    depth=st.none() | st.sampled_from(Depth),
    views=_views,
)
_size_changes = st.builds(SizeChange, finding=findings(), size_mm=maybe(st.integers(1, 300)))
_incomplete = st.builds(
    IncompleteAssessment,
    laterality=maybe(st.sampled_from(Laterality)),
    missing_views=_views,
    before=st.sampled_from(Category),
)
_distances = maybe(st.floats(allow_nan=False, allow_infinity=False))
_images = st.builds(
    DraftedImage, laterality=st.sampled_from(Laterality), view=st.sampled_from(View), sop_instance_uid=st.text()
)
_studies = st.builds(
    DraftedStudy,
    study_instance_uid=st.text(),
    date=maybe(st.dates()),
    patient_key=st.text(),
    accession_number=st.text(),
    patient=maybe(st.builds(DraftedPatient, name=st.text(), patient_id=st.text(), birth_date=maybe(st.dates()))),
    prior_date=maybe(st.dates()),
    images=st.lists(_images, max_size=4).map(tuple),
)
BOX = ViewBox(laterality=Laterality.RIGHT, view=View.CC, left=1, top=2, right=30.5, bottom=4)
_boxes = st.builds(ImageBox, finding=st.integers(1, 9), sop_instance_uid=st.text(), box=st.just(BOX))
_drafts = st.builds(
    Draft,
    banner=st.lists(st.text(), min_size=1, max_size=2).map(tuple),
    study=maybe(_studies),
    boxes=st.lists(_boxes, max_size=2).map(tuple),
    in_domain=maybe(st.booleans()),
    domain_distance=_distances,
    domain_threshold=_distances,
    suspicion=maybe(_fractions),
    other_pictures=st.lists(st.tuples(st.sampled_from(Laterality), st.sampled_from(View)), max_size=2).map(tuple),
    missing_views=st.lists(st.tuples(st.sampled_from(Laterality), st.sampled_from(View)), max_size=4).map(tuple),
    removed=st.lists(_removed, max_size=3).map(tuple),
    category_changes=st.lists(_changes, max_size=2).map(tuple),
    place_changes=st.lists(_place_changes, max_size=2).map(tuple),
    size_changes=st.lists(_size_changes, max_size=2).map(tuple),
    incomplete=st.lists(_incomplete, max_size=2).map(tuple),
    problems=st.lists(st.text(), max_size=2).map(tuple),
    report=reports(),
    text=st.text(),
    model_text=st.text(),
)
EMPTY = Draft(banner=draft_banner("m"), report=Report(), text="", model_text="")
MASS = Finding(kind=Kind.MASS, laterality=Laterality.RIGHT, location=Location(quadrant=Quadrant.UPPER_OUTER))


@given(_drafts)
@settings(max_examples=60, deadline=None)
def test_a_draft_is_exact_through_json(draft: Draft) -> None:
    again = Draft.model_validate_json(draft.model_dump_json())
    assert again == draft
    assert again.model_dump_json() == draft.model_dump_json()
    assert len(list(draft.notes())) == (
        bool(draft.missing_views)
        + len(draft.removed)
        + len(draft.category_changes)
        + len(draft.place_changes)
        + len(draft.size_changes)
        + len(draft.incomplete)
        + len(draft.problems)
    )


@pytest.mark.parametrize(
    "change", [{"banner": []}, {"signed": True}, {"schema_version": 2}, {"domain_distance": "nan"}, {"suspicion": 1.1}]
)
def test_a_draft_without_its_banner_or_with_unknown_fields_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Draft.model_validate(EMPTY.model_dump() | change)


def test_the_lines_that_a_radiologist_reads() -> None:
    low = RemovedFinding(finding=MASS, reason=RemovalReason.LOW_CONFIDENCE, probability=0.41, threshold=0.6)
    nowhere = RemovedFinding(finding=MASS, reason=RemovalReason.NOT_LOCATED, threshold=0.6)
    bare = MASS.model_copy(update={"location": Location()})
    duplicate = RemovedFinding(finding=bare, reason=RemovalReason.DUPLICATE, probability=0.9)
    lowered = CategoryChange(laterality=Laterality.RIGHT, before=Category.SUSPICIOUS, after=Category.BENIGN)
    moved = PlaceChange(finding=MASS, quadrant=Quadrant.UPPER_INNER, views=((Laterality.RIGHT, View.CC),))
    overall = CategoryChange(laterality=None, before=Category.LOW_SUSPICION, after=Category.NEGATIVE)
    draft = EMPTY.model_copy(
        update={
            "missing_views": ((Laterality.RIGHT, View.CC), (Laterality.LEFT, View.MLO)),
            "removed": (low, nowhere, duplicate),
            "category_changes": (lowered, overall),
            "place_changes": (moved,),
            "problems": ("No BI-RADS category: the model named none.",),
        }
    )
    assert list(draft.notes()) == [
        "Missing views: RCC, LMLO.",
        "Removed, low confidence (0.41, threshold 0.60): mass, right breast, upper outer quadrant.",
        "Removed, not located on any view: mass, right breast, upper outer quadrant.",
        "Removed, duplicate: mass, right breast (no separate location).",
        "Right breast category lowered from 4 to 2 after removal.",
        "Overall category lowered from 4A to 1 after removal.",
        "Place corrected to upper inner quadrant (shown on RCC): mass, right breast, upper outer quadrant.",
        "No BI-RADS category: the model named none.",
    ]


def test_a_banner_names_the_model_and_says_what_its_images_are_not() -> None:
    assert draft_banner("m") == ("UNVERIFIED DRAFT, written by AI model m. Not for clinical use.",)
    _, looks, far = draft_banner("m", other_pictures=((Laterality.LEFT, View.CC),), unlike_training=(9.07, 4.02))
    assert looks == "NOT A MAMMOGRAM: LCC by its looks. Do not rely on this draft."
    assert far == (
        "OUTSIDE THE MODEL'S DOMAIN: these images are unlike those that the model was trained on "
        "(distance 9.1, usual up to 4.0). Expect more errors."
    )


def test_an_incomplete_study_is_named_in_banner_and_notes() -> None:
    views = ((Laterality.LEFT, View.CC), (Laterality.LEFT, View.MLO))
    assert draft_banner("m", views)[1].startswith("INCOMPLETE STUDY: LCC, LMLO missing.")
    left = IncompleteAssessment(laterality=Laterality.LEFT, missing_views=views[:1], before=Category.NEGATIVE)
    assert left.line == "Left breast category 0, not 1: LCC missing."
    overall = IncompleteAssessment(laterality=None, missing_views=views, before=Category.BENIGN)
    assert overall.line == "Overall category 0, not 2: LCC, LMLO missing."


def test_a_finding_without_a_side_is_named_by_its_kind() -> None:
    assert describe_finding(Finding(kind=Kind.CALCIFICATIONS)) == "calcifications"
