"""`amrg jobs`: the work of the service, and what becomes of that which was given up."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amrg.cli.completion import JOB_KINDS, JOB_STATES
from amrg.cli.console import ResultTable, fail, out, print_json, say
from amrg.cli.exits import Exit
from amrg.cli.options import AsJson, Limit
from amrg.cli.service.shared import Config, actor, one_of, sessions_of, settings_of
from amrg.core.plurals import counted

if TYPE_CHECKING:
    from amrg.service.jobs import ListedJob

app = typer.Typer(
    help="The service's jobs: drafts, deliveries, pulls; those that were given up are run again or skipped.",
    no_args_is_help=True,
)
Number = Annotated[int, typer.Argument(metavar="JOB", help="The job's number, as listed.")]
Kind = Annotated[
    str,
    typer.Option(help="Only of this kind: draft, deliver, pull or 'storage commitment'.", autocompletion=JOB_KINDS),
]
_FIELDS = ("id", "kind", "key", "state", "attempts", "losses", "error", "run_after", "created_at", "finished_at")


@app.command("list")
def list_them(
    state: Annotated[
        str, typer.Option(help="Only of this state: waiting, running, done or dead.", autocompletion=JOB_STATES)
    ] = "",
    kind: Kind = "",
    limit: Limit = 50,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """The newest jobs first; `--state dead` has those that were given up, each with its reason."""
    from amrg.service.database.engine import reading
    from amrg.service.database.tables import JobKind, JobState
    from amrg.service.jobs import list_jobs

    wanted = one_of(JobState, state, "--state") if state else None, one_of(JobKind, kind, "--kind") if kind else None
    with reading(sessions_of(settings_of(config))) as session:
        found = list_jobs(session, *wanted, limit)
    if as_json:
        print_json([_item(listed) for listed in found])
        return
    table = ResultTable("job", "kind", "about", "state", "attempts", title=counted(len(found), "job", "jobs"))
    for listed in found:
        row = listed.row
        about = " ".join(filter(None, (listed.study_instance_uid, listed.partner and f"({listed.partner})")))
        table.add_row(str(row.id), row.kind, about or row.key, _state(listed), str(row.attempts))
    out.print(table)


@app.command("show")
def show(number: Number, as_json: AsJson = False, config: Config = None) -> None:
    """One job: what it is about, how often it was tried, what went wrong, when it is tried next."""
    from amrg.service.database.engine import reading
    from amrg.service.jobs import find_job

    with reading(sessions_of(settings_of(config))) as session:
        item = _item(find_job(session, number))
    if as_json:
        print_json(item)
        return
    for name, value in item.items():
        if value not in ("", None):
            stated = f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime.datetime) else value
            say(f"{name.replace('_', ' ')}: {stated}")


@app.command("retry")
def retry(
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[JOB]...", help="Numbers, as listed.")] = None,
    dead: Annotated[bool, typer.Option("--all", help="All that were given up, or those of --kind.")] = False,
    kind: Kind = "",
    config: Config = None,
) -> None:
    """Run jobs again that were given up, from the first attempt on: all of those named, or none."""
    from amrg.service import queue
    from amrg.service.database.tables import JobKind
    from amrg.service.jobs import retry_all

    if bool(numbers) == dead:
        fail(Exit.USAGE, "name jobs, or all that were given up with --all")
    with sessions_of(settings_of(config)).begin() as session:
        if dead:
            done = retry_all(session, one_of(JobKind, kind, "--kind") if kind else None, actor())
        else:
            done = [queue.retry(session, number, actor()) for number in dict.fromkeys(numbers or ())]
    say(f"{counted(len(done), 'job', 'jobs')} to be run again")


@app.command("skip")
def skip(number: Number, config: Config = None) -> None:
    """Settle a job that was given up without doing it, so that what waits for it can continue."""
    from amrg.service.jobs import skip_job

    with sessions_of(settings_of(config)).begin() as session:
        skip_job(session, number, actor())
    say(f"job {number} skipped")


def _item(listed: ListedJob) -> dict[str, Any]:
    facts = {name: getattr(listed.row, name) for name in _FIELDS}
    return {**facts, "study_instance_uid": listed.study_instance_uid, "partner": listed.partner}


def _state(listed: ListedJob) -> str:
    return f"{listed.row.state}: {listed.row.error}" if listed.row.error else str(listed.row.state)
