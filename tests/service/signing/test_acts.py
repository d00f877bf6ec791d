from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from amrg.birads import (
    Assessment,
    Category,
    Composition,
    Decision,
    FindingDecision,
    Laterality,
    Recommendation,
    ReportVersion,
    Status,
    View,
    render,
    unsigned_version,
)
from amrg.service import audit, signing
from amrg.service.database.engine import reading
from amrg.service.database.tables import AuditRow, StudyRow, StudyState, UserRole, VersionRow
from amrg.service.signing import Deliver, Edit, NotAcknowledged, Read, SigningError, StaleVersion
from amrg.service.versions import add_version, document_sha256, read_version
from tests.service.reports import CALCIFICATIONS, MASS, NOW, REPORT, STUDY, a_draft, add_study, add_user

Sessions = sessionmaker[Session]


@pytest.fixture
def drafted(sessions: Sessions) -> Sessions:
    add_user(sessions)
    add_study(sessions)
    return sessions


def nothing(session: Session, row: VersionRow) -> None: ...


def read(number: int = 1, login: str = "anna") -> Read:
    return Read(STUDY, number, login)


def sign(sessions: Sessions, number: int = 1, *acknowledged: str, login: str = "anna") -> ReportVersion:
    with sessions.begin() as session:
        return read_version(signing.sign(session, read(number, login), acknowledged, nothing))


def edit(sessions: Sessions, changes: Edit, number: int = 1) -> ReportVersion:
    with sessions.begin() as session:
        return read_version(signing.edit(session, read(number), changes, nothing))


def versions(sessions: Sessions) -> list[tuple[int, str, bool]]:
    with reading(sessions) as session:
        rows = session.scalars(select(VersionRow).order_by(VersionRow.number)).all()
        assert all(row.sha256 == document_sha256(row.document) for row in rows)
        assert audit.verify(session) == []
        return [(row.number, row.status, row.superseded) for row in rows]


def set_study(sessions: Sessions, **fields: object) -> None:
    with sessions.begin() as session:
        session.execute(update(StudyRow).values(**fields))


def test_a_reader_signs_what_was_read(drafted: Sessions) -> None:
    delivered: list[int] = []
    deliver: Deliver = lambda session, row: delivered.append(row.number)  # noqa: E731
    with drafted.begin() as session:
        signed = read_version(signing.sign(session, read(), (), deliver))
    assert signed.signature is not None
    assert (signed.signature.name, signed.signature.organization) == ("Doe^Anna", "General Hospital")
    assert (signed.status, signed.text, delivered) == (Status.FINAL, a_draft().text, [2])
    assert versions(drafted) == [(1, "draft", True), (2, "final", False)]
    with reading(drafted) as session:
        assert session.scalars(select(StudyRow.state)).one() is StudyState.SIGNED
        last = session.scalars(select(AuditRow).order_by(AuditRow.number.desc()).limit(1)).one()
        row = session.scalars(select(VersionRow).where(VersionRow.number == 2)).one()
        assert (last.actor, last.action, last.subject) == ("anna", "report signed", STUDY)
        assert last.detail == {"version": 2, "sha256": row.sha256, "acknowledged": []}


@pytest.mark.parametrize(
    "fields",
    [
        {"active": False},
        {"role": UserRole.ADMINISTRATOR},
        {"role": UserRole.SERVICE},
        {"person_name": ""},
        {"organization": ""},
        {"person_name": "a\\b"},
        {"name": "other"},
    ],
)
def test_nobody_signs_but_an_active_reader_with_a_name(sessions: Sessions, fields: dict[str, object]) -> None:
    add_user(sessions, **fields)  # type: ignore[arg-type]
    add_study(sessions)
    with pytest.raises(signing.NotAllowed):
        sign(sessions)
    assert versions(sessions) == [(1, "draft", False)]


def test_of_two_signers_one_wins(drafted: Sessions) -> None:
    add_user(drafted, "otto", person_name="Roe^Otto")
    lost: list[str] = []
    start = threading.Barrier(2)

    def sign_as(login: str) -> None:
        start.wait()
        try:
            sign(drafted, login=login)
        except StaleVersion:
            lost.append(login)

    signers = [threading.Thread(target=sign_as, args=(login,)) for login in ("anna", "otto")]
    for signer in signers:
        signer.start()
    for signer in signers:
        signer.join()
    assert len(lost) == 1
    assert versions(drafted) == [(1, "draft", True), (2, "final", False)]


def test_a_delivery_that_cannot_be_queued_leaves_the_report_unsigned(drafted: Sessions) -> None:
    def fail(session: Session, row: VersionRow) -> None:
        raise OSError

    with pytest.raises(OSError), drafted.begin() as session:  # noqa: PT011
        signing.sign(session, read(), (), fail)
    assert versions(drafted) == [(1, "draft", False)]


def test_the_text_follows_edited_facts_and_both_are_retained(drafted: Sessions) -> None:
    right = Assessment(category=Category.BENIGN, laterality=Laterality.RIGHT)
    left = Assessment(category=Category.NEGATIVE, laterality=Laterality.LEFT)
    rejected = FindingDecision(finding=1, decision=Decision.REJECTED)
    added = FindingDecision(decision=Decision.ADDED, result=CALCIFICATIONS.model_copy(update={"category": None}))
    changes = Edit(
        decisions=(rejected, added),
        composition=Composition.C,
        assessments=(right, left),
        recommendation=Recommendation.ROUTINE,
    )
    version = edit(drafted, changes)
    assert version.draft == a_draft()
    assert version.decisions == (rejected, added)
    assert (version.status, version.report.findings) == (Status.PRELIMINARY, (added.result,))
    assert version.text == render(version.report)
    assert "heterogeneously dense" in version.text.lower()
    assert "mass" not in version.text.lower().split("findings:")[1].split("\n")[0]
    assert version.boxes == ()


def test_one_finding_after_the_other(drafted: Sessions) -> None:
    smaller = MASS.model_copy(update={"size_mm": 9})
    for number, decision in enumerate(
        (
            FindingDecision(finding=1, decision=Decision.ACCEPTED),
            FindingDecision(finding=1, decision=Decision.EDITED, result=smaller),
        ),
        1,
    ):
        with drafted.begin() as session:
            row = session.scalars(select(VersionRow).where(VersionRow.number == number)).one()
            version = read_version(
                signing.edit(session, read(number), signing.decide(read_version(row), decision), nothing)
            )
    assert [d.decision for d in version.decisions] == [Decision.EDITED]
    assert version.report.findings == (smaller,)
    assert [box.finding for box in version.boxes] == [1]
    with pytest.raises(signing.BadEdit, match="finding 2: the draft has 1"):
        edit(drafted, Edit(decisions=(FindingDecision(finding=2, decision=Decision.REJECTED),)), 3)


def test_unconfirmed_findings_are_accepted_rejected_or_acknowledged(sessions: Sessions) -> None:
    add_user(sessions)
    add_study(sessions, draft=a_draft(REPORT.model_copy(update={"unconfirmed": (CALCIFICATIONS,)})))
    with pytest.raises(NotAcknowledged, match="neither accepted nor rejected: calcifications, left breast"):
        sign(sessions)
    version = edit(sessions, Edit(decisions=(FindingDecision(finding=2, decision=Decision.REJECTED),)))
    assert version.report.unconfirmed == ()
    assert sign(sessions, 2).report.findings == (MASS,)


def test_broken_rules_are_acknowledged_one_by_one(drafted: Sessions) -> None:
    edit(drafted, Edit(recommendation=Recommendation.ROUTINE))
    with pytest.raises(NotAcknowledged) as refused:
        sign(drafted, 2)
    (caution,) = refused.value.cautions
    assert caution.key.startswith("advice-against-category.")
    with pytest.raises(NotAcknowledged):
        sign(drafted, 2, "advice-against-category")
    assert sign(drafted, 2, caution.key).status is Status.FINAL


def test_a_persons_own_text_is_read_and_compared(drafted: Sessions) -> None:
    own = a_draft().text.replace("Right breast, upper", "Left breast, upper")
    version = edit(drafted, Edit(text=own))
    assert (version.text, version.report.findings) == (own, (MASS,))
    with pytest.raises(NotAcknowledged, match="mass, right breast: only in the coded report"):
        sign(drafted, 2)
    assert edit(drafted, Edit(composition=Composition.A), 2).text == own
    assert edit(drafted, Edit(text=None), 3).text != own
    assert sign(drafted, 4).report.composition is Composition.A


STATED_OTHERWISE = {
    (
        "RECOMMENDATION: Biopsy.",
        "RECOMMENDATION: Routine screening.",
    ): "recommendation is biopsy in the coded",
    (
        "Left breast: BI-RADS 1.",
        "Left breast: BI-RADS 2.",
    ): "left breast category is 1 in the coded",
    ("RECOMMENDATION", "Overall BI-RADS 1.\nRECOMMENDATION"): "overall category is 4C in the coded report and 1",
    ("upper outer quadrant", "6 o'clock"): "mass, right breast: place is upper outer in the coded report and 6 o'clock",
    ("FINDINGS:", "FINDINGS:\nStatus post left mastectomy."): "mastectomy of the left breast only in the narrative",
}


@pytest.mark.parametrize("change", STATED_OTHERWISE)
def test_what_the_text_states_otherwise_is_acknowledged(drafted: Sessions, change: tuple[str, str]) -> None:
    assert change[0] in a_draft().text
    edit(drafted, Edit(text=a_draft().text.replace(*change)))
    with pytest.raises(NotAcknowledged, match=STATED_OTHERWISE[change]):
        sign(drafted, 2)


def test_what_is_missing_is_acknowledged(drafted: Sessions) -> None:
    edit(drafted, Edit(composition=None, recommendation=None, assessments=()))
    with pytest.raises(NotAcknowledged) as refused:
        sign(drafted, 2)
    found = [caution.message for caution in refused.value.cautions if caution.key.startswith("missing.")]
    assert found == [
        "no breast composition is stated",
        "no recommendation is stated",
        "no category of the left breast is stated, of which views were taken",
        "no category of the right breast is stated, of which views were taken",
    ]


def test_a_breast_that_was_not_seen_in_full_is_cleared_only_where_that_is_acknowledged(sessions: Sessions) -> None:
    add_user(sessions)
    lacking = a_draft().model_copy(update={"missing_views": ((Laterality.LEFT, View.MLO),)})
    add_study(sessions, draft=lacking)
    with pytest.raises(NotAcknowledged, match="left breast is 1 without its MLO; expected 0"):
        sign(sessions)


def test_a_breast_has_one_category(drafted: Sessions) -> None:
    twice = tuple(Assessment(category=c, laterality=Laterality.RIGHT) for c in (Category.NEGATIVE, Category.BENIGN))
    with pytest.raises(signing.BadEdit, match="several categories of the right breast; expected one"):
        edit(drafted, Edit(assessments=twice))


def test_addenda_stay_below_a_text_that_is_rendered_again(drafted: Sessions) -> None:
    sign(drafted)
    with drafted.begin() as session:
        appended = read_version(signing.add_addendum(session, read(2), "Discussed by phone.", (), nothing))
    addendum = appended.text[appended.text.index("ADDENDUM") :]
    assert "UTC, Anna Doe):" in addendum

    def correct(changes: Edit, number: int, *acknowledged: str) -> ReportVersion:
        with drafted.begin() as session:
            return read_version(signing.correct(session, read(number), changes, "Misread", acknowledged, nothing))

    amended = correct(Edit(composition=Composition.C), 3)
    assert amended.text == f"{render(amended.report).rstrip()}\n\n{addendum}"
    assert correct(Edit(text=None), 4).text.endswith(addendum)
    with pytest.raises(NotAcknowledged, match=r"the text no longer has what began with ADDENDUM \(") as refused:
        correct(Edit(text=render(amended.report)), 5)
    assert correct(Edit(text=render(amended.report)), 5, refused.value.cautions[0].key).text == render(amended.report)


def test_a_draft_that_replaces_a_readers_changes_says_so(sessions: Sessions) -> None:
    add_user(sessions)
    add_study(sessions)
    with sessions.begin() as session:
        study = session.scalars(select(StudyRow)).one()
        again = unsigned_version(a_draft(), NOW, 2, "drafted again without the changes of version 1 by otto")
        add_version(session, study, again, 4, "worker")
    with pytest.raises(NotAcknowledged, match=r"replacing\..*without the changes of version 1 by otto"):
        sign(sessions, 2)
    edited = edit(sessions, Edit(recommendation=Recommendation.BIOPSY), 2)
    with pytest.raises(NotAcknowledged, match=r"replacing\..*without the changes of version 1 by otto") as refused:
        sign(sessions, edited.number)
    signed = sign(sessions, edited.number, *(caution.key for caution in refused.value.cautions))
    assert (signed.status, signed.reason) == (Status.FINAL, "")


def test_images_that_nobody_read_are_stated_after_an_addendum(drafted: Sessions) -> None:
    sign(drafted)
    set_study(drafted, image_revision=5)
    with drafted.begin() as session:
        signing.add_addendum(session, read(2), "Seen.", ("new-images.5",), nothing)
    with reading(drafted) as session:
        assert session.scalars(select(StudyRow.reason)).one() == "new images since signature"


def test_more_decisions_than_a_report_may_have_are_refused(drafted: Sessions) -> None:
    added = FindingDecision(decision=Decision.ADDED, result=CALCIFICATIONS)
    version = edit(drafted, Edit(decisions=(added,) * 200))
    with pytest.raises(signing.BadEdit, match="decisions: Tuple should have at most 200 items"):
        signing.decide(version, added)


@pytest.mark.parametrize("text", ["   ", "a\x00b", "a\x1b[2J", "\ud800"])
def test_text_that_no_output_can_carry_is_refused(drafted: Sessions, text: str) -> None:
    with pytest.raises(signing.BadEdit, match="text:"), drafted.begin() as session:
        signing.edit(session, read(), Edit.model_construct({"text"}, text=text), nothing)


def test_new_images_are_acknowledged_and_a_patient_conflict_is_not(drafted: Sessions) -> None:
    set_study(drafted, image_revision=5)
    with pytest.raises(NotAcknowledged, match=r"new-images\.5: new images since this draft"):
        sign(drafted)
    set_study(drafted, image_revision=6)
    with pytest.raises(NotAcknowledged):
        sign(drafted, 1, "new-images.5")
    set_study(drafted, state=StudyState.CONFLICT)
    with pytest.raises(signing.PatientConflict):
        sign(drafted, 1, "new-images.6")
    set_study(drafted, state=StudyState.DRAFTED)
    assert sign(drafted, 1, "new-images.6").status is Status.FINAL


def test_a_withdrawal_does_not_decide_whose_study_it_is(drafted: Sessions) -> None:
    sign(drafted)
    set_study(drafted, state=StudyState.CONFLICT, reason="two patients: decide whose study it is")
    with drafted.begin() as session:
        signing.withdraw(session, read(2), "Wrong patient", nothing)
    with reading(drafted) as session:
        study = session.scalars(select(StudyRow)).one()
        assert study.state is StudyState.CONFLICT
        assert study.reason == "report withdrawn; two patients: decide whose study it is"
    with pytest.raises(signing.PatientConflict), drafted.begin() as session:
        signing.correct(session, read(3), Edit(text=None), "Right patient after all", (), nothing)


def test_what_follows_a_signature(drafted: Sessions) -> None:
    sign(drafted)
    acts: list[Callable[[Session], VersionRow]] = [
        lambda s: signing.add_addendum(s, read(2), "Discussed by phone.", (), nothing),
        lambda s: signing.correct(
            s, read(3), Edit(composition=Composition.C, text=None), "Density misread", (), nothing
        ),
        lambda s: signing.withdraw(s, read(4), "Wrong patient", nothing),
        lambda s: signing.correct(s, read(5), Edit(text=None), "Right patient after all", (), nothing),
    ]
    made = []
    for act in acts:
        with drafted.begin() as session:
            made.append(read_version(act(session)))
    appended, amended, withdrawn, restated = made
    assert appended.report.findings == (MASS,)
    assert "Discussed by phone." in appended.text
    assert (amended.report.composition, amended.reason) == (Composition.C, "Density misread")
    assert (withdrawn.reason, restated.reason) == ("Wrong patient", "Right patient after all")
    assert [v[1] for v in versions(drafted)] == ["draft", "final", "appended", "amended", "withdrawn", "amended"]
    assert all(v.signature is not None for v in made)


def test_acts_that_a_status_does_not_allow(drafted: Sessions) -> None:
    acts: dict[str, Callable[[Session, Read], object]] = {
        "sign": lambda s, r: signing.sign(s, r, (), nothing),
        "edit": lambda s, r: signing.edit(s, r, Edit(), nothing),
        "addendum": lambda s, r: signing.add_addendum(s, r, "a", (), nothing),
        "correct": lambda s, r: signing.correct(s, r, Edit(), "a", (), nothing),
        "withdraw": lambda s, r: signing.withdraw(s, r, "a", nothing),
    }

    def refused(number: int) -> set[str]:
        names = set()
        for name, act in acts.items():
            with drafted() as session:
                try:
                    act(session, read(number))
                except signing.WrongStatus:
                    names.add(name)
        return names

    assert refused(1) == {"addendum", "correct", "withdraw"}
    sign(drafted)
    assert refused(2) == {"sign", "edit"}
    with drafted.begin() as session:
        signing.withdraw(session, read(2), "a", nothing)
    assert refused(3) == {"sign", "edit", "addendum", "withdraw"}


def test_what_is_not_here_is_not_found(drafted: Sessions) -> None:
    with pytest.raises(signing.NotFound), drafted() as session:
        signing.sign(session, Read("1.2", 1, "anna"), (), nothing)
    for number in (0, 2):
        with pytest.raises(SigningError, match="the newest is 1"):
            sign(drafted, number)
