"""`amrg audit`: the audit trail of the service, shown and verified."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from amrg.cli.console import ResultTable, complain, fail, out, print_json, refuse_unwritable, say, writing
from amrg.cli.exits import Exit
from amrg.cli.options import AsJson, Limit
from amrg.cli.service.shared import Config, sessions_of, settings_of


class AuditFormat(StrEnum):
    """How exported events are written."""

    FHIR = "fhir"
    DICOM = "dicom"


app = typer.Typer(
    help="The audit trail of the service: who did what, in a chain that shows changes.", no_args_is_help=True
)


@app.command("show")
def show(
    subject: Annotated[str, typer.Option(help="Only rows about this Study Instance UID, login or job.")] = "",
    limit: Limit = 50,
    head: Annotated[bool, typer.Option("--head", help="Only the head, to be noted outside the database.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """The newest rows of the trail, oldest of them first."""
    from sqlalchemy import select

    from amrg.service import audit
    from amrg.service.database.engine import reading
    from amrg.service.database.tables import AuditRow

    with reading(sessions_of(settings_of(config))) as session:
        if head:
            say(audit.head(session) or "")
            return
        found = select(AuditRow).order_by(AuditRow.number.desc()).limit(limit)
        rows = list(session.scalars(found.where(AuditRow.subject == subject) if subject else found))[::-1]
    if as_json:
        fields = ("number", "at", "actor", "action", "subject", "detail", "sha256")
        print_json([{field: getattr(row, field) for field in fields} for row in rows])
        return
    table = ResultTable("number", "time (UTC)", "actor", "action", "subject")
    for row in rows:
        table.add_row(str(row.number), f"{row.at:%Y-%m-%d %H:%M:%S}", row.actor, row.action, row.subject)
    out.print(table)


@app.command("verify")
def verify(
    head: Annotated[
        str, typer.Option(help="An earlier head that was noted elsewhere, NUMBER:SHA256, as `amrg audit show --head`.")
    ] = "",
    config: Config = None,
) -> None:
    """Check every row of the trail, and every report version against what the trail has of it.

    Rows that were altered, removed or moved are named; exit code 13. Rows cut off at the end, and a trail written
    again as a whole, show only against a head that was noted outside the database: the file audit-head in the
    service's folder, or --head.
    """
    from amrg.service import audit
    from amrg.service.audit.head_file import HEAD_FILE, noted_head
    from amrg.service.database.engine import reading
    from amrg.service.signing import altered_versions

    settings = settings_of(config)
    noted = [h for h in (noted_head(settings.folder / HEAD_FILE), audit.Head.read(head) if head else None) if h]
    with reading(sessions_of(settings)) as session:
        last = audit.head(session)
        findings = [*map(str, audit.verify(session, noted)), *altered_versions(session)]
    for finding in findings:
        complain(finding)
    if findings:
        raise typer.Exit(Exit.ALTERED)
    say(f"no row altered, removed or moved; head {last or 'none: the trail is empty'}")


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="The file to write, one event a line.")],
    after: Annotated[int, typer.Option(min=0, help="Only rows after this number, as exported before.")] = 0,
    written_as: Annotated[
        AuditFormat, typer.Option("--format", help="FHIR R4 AuditEvent (JSON), or DICOM audit message (XML).")
    ] = AuditFormat.FHIR,
    config: Config = None,
) -> None:
    """Write the trail for a log server, one event a line, oldest first; the file is complete or not there at all."""
    from sqlalchemy import select

    from amrg.core.files import write_text
    from amrg.service import audit
    from amrg.service.audit.dicom import audit_message
    from amrg.service.audit.fhir import audit_event
    from amrg.service.database.engine import reading
    from amrg.service.database.tables import AuditRow

    settings = settings_of(config)
    found = select(AuditRow).where(AuditRow.number > after).order_by(AuditRow.number)
    site = settings.facility_name or settings.dicom.ae_title
    refuse_unwritable(file.parent)
    with writing(file.parent), reading(sessions_of(settings)) as session:
        last = audit.head(session)
        if last is not None and after > last.number:
            fail(Exit.USAGE, f"--after is {after}, and the trail ends at {last.number}; nothing was written")
        rows = session.scalars(found.execution_options(yield_per=500))
        if written_as is AuditFormat.DICOM:
            count = write_text(file, (audit_message(row, site) for row in rows))
        else:
            count = write_text(file, (audit_event(row, site).model_dump_json() for row in rows))
    say(f"{file}: {count} events")
