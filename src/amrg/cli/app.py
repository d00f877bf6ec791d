"""The `amrg` command and its groups."""

from __future__ import annotations

import typer

from amrg import __version__
from amrg.cli import language, models, phantoms, studies

app = typer.Typer(
    name="amrg",
    help="From a mammography study to a draft BI-RADS report. Drafts are unverified and not for clinical use.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("report")(studies.report)
app.command("inspect")(studies.inspect)
app.command("phantom")(phantoms.phantom)
app.command("parse")(language.parse_file)
app.add_typer(models.app, name="model")


@app.callback(invoke_without_command=True)
def options(
    version: bool = typer.Option(False, "--version", help="Print the version and leave.", is_eager=True),
) -> None:
    """Options before any command."""
    if version:
        typer.echo(f"amrg {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point of the `amrg` script."""
    app()
