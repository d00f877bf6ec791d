"""`amrg model`: which models there are, and what is known of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from amrg.cli.console import ResultTable, fail, out, print_json, say
from amrg.cli.exits import Exit
from amrg.cli.models.check import check
from amrg.cli.models.known_answers import known_answers
from amrg.cli.options import AsJson

app = typer.Typer(help="Models: list them, read their cards, check engines that run them.", no_args_is_help=True)

app.command()(check)
app.command("known-answers")(known_answers)


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the embedded model and the hub's that go through the same code, each at the commit that amrg takes."""
    from amrg.models import list_models

    known = list_models()
    if as_json:
        print_json([model.model_dump(mode="json") for model in known])
        return
    table = ResultTable("name", "what", "licence", "here")
    for model in known:
        here = "yes" if model.available else "no, gated" if model.gated else "no"
        table.add_row(model.name, model.what, model.licence, here)
    out.print(table)
    out.print("A folder with a checkpoint or an adapter of one of these families is taken as well.")


@app.command()
def card(
    model: Annotated[Path | None, typer.Argument(help="Folder of a checkpoint; default the embedded model.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print a model's card: what it is, how it was trained, what it measured, with n and intervals."""
    from amrg.models import model_card

    try:
        found = model_card(model)
    except (OSError, ValueError) as error:
        fail(Exit.NO_MODEL, str(error))
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    say(f"{found.name}  {found.parameters:,} parameters, {found.licence}", "bold")
    for line in (found.summary, found.intended_use, *(f"- {limit}" for limit in found.limits)):
        out.print(line, markup=False)
    out.print("training: " + ", ".join(f"{name} {value}" for name, value in found.training.items()))
    for line in found.attribution:
        out.print(line, markup=False)
    for on, images in dict.fromkeys((metric.on, metric.images) for metric in found.metrics):
        table = ResultTable("metric", "value", "95 % interval", "n")
        for m in (m for m in found.metrics if (m.on, m.images) == (on, images)):
            interval = "" if m.low is None or m.high is None else f"{m.low:.3f} to {m.high:.3f}"
            n = f"{m.n}, {m.unscored} unscored" if m.unscored else str(m.n)
            table.add_row(m.name, "no value" if m.value is None else f"{m.value:.3f}", interval, n)
        out.print(f"{on}, {images}:", table, sep="\n")
    for name, about in dict.fromkeys((metric.name, metric.about) for metric in found.metrics):
        out.print(f"[bold]{name}[/bold]: {about}")
