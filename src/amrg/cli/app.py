"""The `amrg` command and its groups."""

from __future__ import annotations

import typer

from amrg import __version__
from amrg.cli.benchmark import app as benchmark
from amrg.cli.benchmark_run import run as run_benchmark
from amrg.cli.data import app as data
from amrg.cli.deliver import deliver
from amrg.cli.groups import Root, complete
from amrg.cli.inspect import inspect
from amrg.cli.models.export import export
from amrg.cli.models.model import app as models
from amrg.cli.models.reproduce import app as reproduce
from amrg.cli.models.sweep import sweep
from amrg.cli.models.train import train
from amrg.cli.parse import parse_file
from amrg.cli.phantom import phantom
from amrg.cli.report import report
from amrg.cli.service.audit import app as audit
from amrg.cli.service.deidentify import deidentify
from amrg.cli.service.jobs import app as jobs
from amrg.cli.service.pull import pull
from amrg.cli.service.serve import serve
from amrg.cli.service.sign import sign
from amrg.cli.service.studies import studies
from amrg.cli.service.users import app as users

app = typer.Typer(
    name="amrg",
    help="From a mammography study to a draft BI-RADS report. Drafts are unverified and not for clinical use.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    cls=Root,
)
app.command("report")(report)
app.command("deliver")(deliver)
app.command("inspect")(inspect)
app.command("phantom")(phantom)
app.command("parse")(parse_file)
app.command("train")(train)
app.command("sweep")(sweep)
app.command("export")(export)
app.command("studies")(studies)
app.command("pull")(pull)
app.command("sign")(sign)
app.command("deidentify")(deidentify)
app.add_typer(jobs, name="jobs")
app.add_typer(users, name="users")
app.add_typer(audit, name="audit")
app.command("serve")(serve)
app.add_typer(data, name="data")
app.add_typer(models, name="model")
app.add_typer(reproduce, name="reproduce")
benchmark.command("run")(run_benchmark)
app.add_typer(benchmark, name="benchmark")
complete(app)


@app.callback(invoke_without_command=True)
def options(
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
) -> None:
    """Options before any command."""
    if version:
        typer.echo(f"amrg {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point of the `amrg` script."""
    app()
