"""What all commands share: examples in their help, and one line with an exit code for whatever ends them early."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from amrg.cli.console import fail, unwritable
from amrg.cli.exits import Exit, exit_of
from amrg.core.errors import AmrgError
from amrg.core.files import is_full

EXAMPLES: dict[str, tuple[str, ...]] = {
    "report": ("amrg report studies/ --out drafts", "amrg report exam.zip --format text,json --style impression-first"),
    "deliver": (
        "amrg deliver drafts/1.2.3/report.json --study studies/ --to sr,fhir,hl7 --out delivered",
        "amrg deliver signed.json --study exam.zip --to hl7 --profile site.toml --out delivered",
    ),
    "inspect": ("amrg inspect studies/", "amrg inspect exam.zip --out sheets"),
    "phantom": ("amrg phantom drawn --count 4 --seed 7 --size small",),
    "parse": ("amrg parse report.txt", "cat report.txt | amrg parse - --json"),
    "train": (
        "amrg train --data data/dmid --split clean --out runs/tuned --base google/medgemma-4b-it",
        "amrg train --resume runs/tuned",
        "amrg train --config run.yaml --set num_train_epochs=3",
    ),
    "sweep": ("amrg sweep --data data/dmid --split clean --out runs/sweep --ranks 4,8,16 --alphas 1x,2x",),
    "export": (
        "amrg export runs/tuned --merge --out exported",
        "amrg export runs/tuned --adapter --out exported-adapter",
    ),
    "studies": ("amrg studies --state drafted", "amrg studies 1.2.826.0.1.3680043.8.498.1"),
    "pull": ("amrg pull 1.2.826.0.1.3680043.8.498.1 --from pacs", "amrg pull --accession A1234 --from vna"),
    "sign": ("amrg sign A1234 --as doe", "amrg sign A1234 --as doe --yes --acknowledge new-images.5"),
    "jobs list": ("amrg jobs list --state dead", "amrg jobs list --kind deliver --limit 200 --json"),
    "jobs show": ("amrg jobs show 12",),
    "jobs retry": ("amrg jobs retry 12 15", "amrg jobs retry --all --kind deliver"),
    "jobs skip": ("amrg jobs skip 12",),
    "deidentify": (
        "amrg deidentify A1234 A1235 --out research --as boss",
        "amrg deidentify --state signed --project density --out research --as boss",
    ),
    "users add": (
        "amrg users add doe --person-name Doe^Jane --organization 'General Hospital'",
        "amrg users add pacs --role service",
    ),
    "users list": ("amrg users list",),
    "users change": ("amrg users change doe --person-name Roe^Jane",),
    "users disable": ("amrg users disable doe",),
    "users enable": ("amrg users enable doe",),
    "users password": ("amrg users password doe",),
    "users token": ("amrg users token pacs --days 90",),
    "audit show": ("amrg audit show --limit 20", "amrg audit show --head"),
    "audit export": ("amrg audit export events.ndjson", "amrg audit export messages.xml --format dicom --after 1500"),
    "audit verify": ("amrg audit verify", "amrg audit verify --head NUMBER:SHA256"),
    "serve": ("amrg serve", "amrg serve --config amrg.toml --check"),
    "data list": ("amrg data list",),
    "data import": (
        "amrg data import dmid downloads/DMID --out data/dmid",
        "amrg data import generic our-cases --out data/ours",
    ),
    "data stats": ("amrg data stats data/dmid",),
    "data split": ("amrg data split data/dmid clean --seed 0",),
    "data check": ("amrg data check data/dmid --split clean",),
    "model list": ("amrg model list --json",),
    "model card": ("amrg model card", "amrg model card runs/tuned"),
    "model check": (
        "amrg model check exported --engine openai:http://localhost:8000/v1",
        "amrg model check exported studies/ --engine openai:https://gpu.example.org/v1 --at-least 0.98",
    ),
    "model known-answers": ("amrg model known-answers google/medgemma-4b-it --out medgemma",),
    "reproduce amrg": ("amrg reproduce amrg downloads/DMID --out runs/amrg",),
    "benchmark run": (
        "amrg benchmark run --data data/dmid --split clean --out runs/scored",
        "amrg benchmark run --data data/dmid --split clean --model runs/tuned --out runs/tuned-scored",
    ),
    "benchmark score": ("amrg benchmark score predictions.jsonl --references data/dmid --out runs/scored",),
    "benchmark export": (
        "amrg benchmark export runs/scored --to parquet --out predictions.parquet",
        "amrg benchmark export runs/scored --to radeval --out texts.json",
    ),
    "benchmark blind": ("amrg benchmark blind data/dmid --split clean",),
    "benchmark compare": ("amrg benchmark compare runs/one runs/two",),
    "benchmark table": ("amrg benchmark table runs/one runs/two --format latex",),
}
"""Examples of every command, by its name; help ends with them."""


class Command(TyperCommand):
    """A command whose help ends with examples, and gives no type to options that take no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, with nothing in place of a value for flags."""
        return _without_types_of_flags(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; leaves with one line where a path is empty, which would be the current folder."""
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        remaining = super().parse_args(ctx, args)
        for parameter in [] if ctx.resilient_parsing else self.get_params(ctx):
            if _has_empty_path(given.get(parameter.name), ctx.params.get(parameter.name)):
                named = parameter.opts[0] if isinstance(parameter, TyperOption) else parameter.metavar
                fail(Exit.USAGE, f"{named or parameter.name.upper()} is empty; expected a path, such as . for here")
        return remaining


def _has_empty_path(given: Any, converted: Any) -> bool:
    """Whether one of the texts given for a parameter is empty and was converted to a path."""
    texts, values = (one if isinstance(one, list | tuple) else [one] for one in (given, converted))
    return any(text == "" and isinstance(value, Path) for text, value in zip(texts, values, strict=False))


class Group(TyperGroup):
    """A group of commands, with help as above."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, as above."""
        return _without_types_of_flags(super().get_params(ctx))


def _without_types_of_flags(parameters: list[Any]) -> list[Any]:
    for option in parameters:
        if isinstance(option, TyperOption) and option.is_flag:
            option.metavar = ""
    return parameters


class Root(Group):
    """The `amrg` command: an interruption, a user's error or a full disk is one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            fail(Exit.INTERRUPTED, "interrupted; files that were written are complete: run the same command again")
        except AmrgError as error:
            fail(exit_of(type(error)), str(error))
        except OSError as error:
            if not is_full(error):
                raise
            fail(Exit.UNWRITABLE, unwritable(error, Path.cwd()))


def complete(app: typer.Typer) -> typer.Typer:
    """The application with help as above in every command and group of it."""
    for name, command in _commands(app):
        command.cls = Command
        command.epilog = "\n".join(("Examples:", *(f"  {line}" for line in EXAMPLES.get(name, ()))))
    return app


def _commands(app: typer.Typer, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command of an application with its full name; groups become `Group` on the way."""
    for command in app.registered_commands:
        yield f"{before}{command.name or _name(command.callback)}", command
    for group in app.registered_groups:
        group.cls = Group
        inner = group.typer_instance
        if inner is not None:
            yield from _commands(inner, f"{before}{group.name} ")


def _name(function: Any) -> str:
    """The name that typer gives a command without one."""
    return str(function.__name__).lower().replace("_", "-")
