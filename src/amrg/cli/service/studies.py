"""`amrg studies`: what the service has received, drafted and signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from amrg.cli.completion import STUDY_STATES
from amrg.cli.console import ResultTable, out, print_json, say
from amrg.cli.options import AsJson, Limit
from amrg.cli.service.shared import Config, actor, one_of, sessions_of, settings_of
from amrg.core.plurals import counted

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from amrg.service.database.tables import StudyRow, StudyState
    from amrg.service.listing import ListedStudy


def studies(
    study: Annotated[str, typer.Argument(help="One study: its Study Instance UID or accession number.")] = "",
    state: Annotated[
        str, typer.Option(help="Only studies of this state, as the list has it.", autocompletion=STUDY_STATES)
    ] = "",
    limit: Limit = 50,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List the studies of the service, or one with its report, its versions and its deliveries.

    Showing one study prints its patient's name, and is recorded in the audit trail.
    """
    from amrg.service import audit
    from amrg.service.database.engine import reading
    from amrg.service.listing import find_study, list_studies

    sessions = sessions_of(settings_of(config))
    if not study:
        with reading(sessions) as session:
            _list(list_studies(session, named_state(state) if state else None, limit), as_json)
        return
    with sessions.begin() as session:
        found = find_study(session, study)
        audit.append(session, actor(), "study read", found.study_instance_uid, {})
    with reading(sessions) as session:
        found = find_study(session, found.study_instance_uid)
        if as_json:
            print_json(_document(session, found))
        else:
            _show(session, found)


def named_state(name: str) -> StudyState:
    """The state that `--state` names."""
    from amrg.service.database.tables import StudyState

    return one_of(StudyState, name, "--state")


def _list(found: list[ListedStudy], as_json: bool) -> None:
    if as_json:
        print_json([_item(listed) for listed in found])
        return
    table = ResultTable("study", "accession", "date", "state", "report", title=counted(len(found), "study", "studies"))
    for listed in found:
        item = _item(listed)
        report = "" if listed.newest is None else f"{listed.newest.status} (version {listed.newest.number})"
        state = f"{item['state']}: {item['reason']}" if item["reason"] else item["state"]
        table.add_row(item["study_instance_uid"], item["accession_number"], item["study_date"], state, report)
    out.print(table)


def _item(listed: ListedStudy) -> dict[str, Any]:
    fields = ("study_instance_uid", "accession_number", "study_date", "state", "reason")
    item = {field: getattr(listed.study, field) for field in fields}
    newest = listed.newest
    return {**item, "version": newest and newest.number, "status": newest and newest.status}


def _document(session: Session, study: StudyRow) -> dict[str, Any]:
    from amrg.service.listing import ListedStudy, deliveries_of_study
    from amrg.service.versions import newest_version

    newest = newest_version(session, study)
    fields = ("id", "destination", "format", "uid", "job_id", "error", "delivered_at")
    return {
        **_item(ListedStudy(study, newest)),
        "patient_name": study.patient_name,
        "patient_id": study.patient_id,
        "report": newest and newest.document,
        "deliveries": [
            {"version": one.version, "state": one.state, **{field: getattr(one.row, field) for field in fields}}
            for one in deliveries_of_study(session, study)
        ],
    }


def _show(session: Session, study: StudyRow) -> None:
    from amrg.service.listing import deliveries_of_study
    from amrg.service.signing import cautions
    from amrg.service.versions import newest_version, read_version

    print_identity(study)
    newest = newest_version(session, study)
    if newest is None:
        say("no report yet")
        return
    version = read_version(newest)
    print_report(version)
    for caution in () if version.signature else cautions(version, study, newest.image_revision):
        say(f"to be acknowledged before signing: {caution.message} [{caution.key}]")
    for row in study.versions:
        say(f"version {row.number}: {row.status}, by {row.author}, {row.created_at:%Y-%m-%d %H:%M} UTC")
    for listed in deliveries_of_study(session, study):
        sent, at = listed.row, listed.row.delivered_at
        more = f"{at:%Y-%m-%d %H:%M} UTC" if at else f"(delivery {sent.id}){': ' * bool(sent.error)}{sent.error}"
        say(f"version {listed.version} to {sent.destination} as {sent.format}: {listed.state} {more}")


def print_identity(study: StudyRow) -> None:
    """Whose study it is, and where it is."""
    accession, date = study.accession_number or "none", study.study_date or "unknown"
    name, patient_id, born = study.patient_name or "no name", study.patient_id or "empty", study.birth_date or "unknown"
    say(f"Study {study.study_instance_uid}, accession {accession}, date {date}")
    say(f"Patient {name}, PatientID {patient_id}, born {born}")
    say(f"State: {study.state}{': ' * bool(study.reason)}{study.reason}")


def print_report(version: Any) -> None:
    """A version as a reader must see it: banner where nobody signed, text, and what the report alone does not say."""
    say("")
    signature = version.signature
    if version.status == "withdrawn":
        say("WITHDRAWN: what follows is no longer valid.")
    for line in () if signature else version.draft.banner:
        say(line)
    for line in version.text.rstrip().splitlines():
        say(line)
    if signature is not None:
        who = f"{signature.name}, {signature.organization}"
        say(f"{version.status.capitalize()}, {who}, {signature.signed_at:%Y-%m-%d %H:%M} UTC")
    if version.reason:
        say(f"Reason: {version.reason}")
    say("")
    for line in version.draft.notes():
        say(f"note: {line}")
