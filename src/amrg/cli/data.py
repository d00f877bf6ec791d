"""`amrg data`: import public data sets, count their cases, split them, check splits for leaks."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amrg.cli.completion import DATA_SETS, SPLIT_RULES, stored_splits
from amrg.cli.console import ResultTable, bars, busy, complain, err, fail, note, out, print_json, say, writing
from amrg.cli.exits import Exit
from amrg.cli.options import AsJson, RayAddress
from amrg.core.plurals import counted

if TYPE_CHECKING:
    from amrg.datasets import Dataset, LeakCheck, Stats

app = typer.Typer(help="Data sets: import, count, split, check for leaks.", no_args_is_help=True)
_MAX_NAMED = 5  # oddities
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A data set folder, written by amrg data import.")]


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the data sets that can be imported, each with its licence."""
    from amrg.datasets import importers

    known = [importer.about for importer in importers()]
    if as_json:
        print_json([{"name": a.name, "title": a.title, "licence": a.licence, "url": a.url} for a in known])
        return
    table = ResultTable("name", "title", "licence")
    for about in known:
        table.add_row(about.name, about.title, about.licence)
    out.print(table)


@app.command("import")
def import_folder(
    name: Annotated[str, typer.Argument(help="Name of the data set, as in amrg data list.", autocompletion=DATA_SETS)],
    path: Annotated[Path, typer.Argument(help="Folder of the data set as published.")],
    given: Annotated[
        Path | None, typer.Option("--out", help="Folder for the imported data set; default data/NAME.")
    ] = None,
    ray: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Import a data set. Run the same command again to resume an interrupted import."""
    from amrg.datasets import import_dataset, importer_of, open_dataset
    from amrg.datasets.importers.registry import IMPORTERS

    if name not in IMPORTERS:
        fail(Exit.USAGE, f"NAME is {name!r}; expected one of {', '.join(sorted(IMPORTERS))}")
    folder = given or Path("data") / name
    if ray is not None:
        _make_parts_on_ray(name, path, folder, ray)
    with writing(folder), err.status("importing") as status:
        for done in import_dataset(importer_of(name), path, folder):
            status.update(f"importing: {counted(done.cases, 'case')}")
        dataset = open_dataset(folder)
    _note_oddities(dataset)
    _note_imageless(dataset)
    _note_patients(dataset)
    if as_json:
        print_json({"out": str(folder), **dataset.info.model_dump(mode="json", by_alias=True)})
        return
    counts = dataset.info.counts
    cases, images = counted(counts["cases"], "case"), counted(counts["images"], "image")
    say(f"{dataset.info.title}: {cases} with {images} in {folder}")
    say(f"licence: {dataset.info.licence}")
    if odd := counts["oddities"]:
        oddities = counted(odd, "oddity", "oddities")
        say(f"{oddities} (missing or unexpected data): see {folder / 'oddities.jsonl'}")


def _make_parts_on_ray(name: str, path: Path, folder: Path, address: str) -> None:
    """Make the parts of a data set on a Ray cluster."""
    from amrg.core.ray_cluster import RayPlan
    from amrg.datasets import importer_of
    from amrg.datasets.import_on_ray import make_parts_on_ray

    with writing(folder), bars() as progress:
        make_parts_on_ray(importer_of(name), path, folder, RayPlan(address), progress)


def _note_oddities(dataset: Dataset) -> None:
    """The first oddities on stderr, each with its place and what was expected."""
    for oddity in islice(dataset.oddities(), _MAX_NAMED):
        _note(f"{oddity.where}: {oddity.found}; expected {oddity.expected}")
    if (more := dataset.info.counts["oddities"] - _MAX_NAMED) > 0:
        _note(f"and {more:,} more in {dataset.folder / 'oddities.jsonl'}")


def _note_imageless(dataset: Dataset) -> None:
    """Which cases have no image; one line where none has, unless the data set names none and has nothing odd."""
    cases, without = 0, []
    for case in dataset.cases():
        cases += 1
        if not any((dataset.root / image.file).is_file() for image in case.images):
            without.append(case.key)
    if without and len(without) < cases:
        named = ", ".join(without[:_MAX_NAMED]) + (" and others" if len(without) > _MAX_NAMED else "")
        have = "has" if len(without) == 1 else "have"
        _note(f"{len(without):,} of {counted(cases, 'case')} {have} no image, not drafted or trained on: {named}")
    elif without and dataset.info.counts["oddities"]:
        _note("no case has an image: only what reads no image can be run on this data set")


def _note_patients(dataset: Dataset) -> None:
    """How many cases name no patient, and what a split keeps together instead."""
    from amrg.datasets import is_patient

    groups = [case.group for case in dataset.cases()]
    if unknown := sum(not is_patient(group) for group in groups):
        cases = f"{unknown:,} of {counted(len(groups), 'case')} {'names' if unknown == 1 else 'name'} no patient"
        _note(f"{cases}: the split clean keeps those of one report text together, not those of one patient")


def _note(message: str) -> None:
    note(f"amrg: note: {message}")


@app.command()
def stats(folder: Folder, as_json: AsJson = False) -> None:
    """Count a data set: cases, images, patients, texts, categories, findings."""
    from amrg.datasets import open_dataset, stats_of

    dataset = open_dataset(folder)
    with busy("counting"):
        totals = stats_of(dataset)
    if as_json:
        print_json({"name": dataset.info.name, "splits": dataset.splits(), **totals.model_dump(mode="json")})
    else:
        _show_stats(dataset, totals)


def _show_stats(dataset: Dataset, totals: Stats) -> None:
    """Totals, then one table for each kind of count."""
    out.print(f"[bold]{dataset.info.title}[/bold], {dataset.info.licence}")
    for name, value in totals.model_dump(exclude={"tables"}).items():
        out.print(f"{name.replace('_', ' ')}: {value:,}")
    out.print(f"splits: {', '.join(dataset.splits()) or 'none'}")
    for name, counts in totals.tables.items():
        table = ResultTable(name, "n")
        for value, n in counts.items():
            table.add_row(value, f"{n:,}")
        out.print(table)


@app.command()
def split(
    folder: Folder,
    name: Annotated[
        str,
        typer.Argument(
            help="clean, published or all-test; for dmid also image-407-51-52 or last-52.", autocompletion=SPLIT_RULES
        ),
    ],
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of a random split; default 0.")] = None,
    as_json: AsJson = False,
) -> None:
    """Split a data set by a named rule, and store the split in its folder."""
    from amrg.datasets import make_split, open_dataset

    dataset = open_dataset(folder)
    with writing(folder), busy("splitting"):
        made = dataset.write_split(make_split(dataset, name, seed))
    if name == "clean":
        _note_patients(dataset)
    sizes = {part: len(made.keys(part)) for part in ("train", "validation", "test")}
    if as_json:
        lists = {"train", "validation", "test"}
        print_json({**made.model_dump(mode="json", by_alias=True, exclude=lists), "sizes": sizes})
        return
    out.print(f"{name}: " + ", ".join(f"{part} {n:,}" for part, n in sizes.items()))
    out.print(f"rule: {made.rule}", f"hash: {made.hash}", sep="\n", markup=False, soft_wrap=True)


@app.command()
def check(
    folder: Folder,
    name: Annotated[
        str | None,
        typer.Option("--split", help="Name of the split; default all stored splits.", autocompletion=stored_splits),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find reports and patients that are on both sides of a split. Exit code 8 where there are any."""
    from amrg.datasets import check_split, open_dataset

    dataset = open_dataset(folder)
    names = [name] if name is not None else list(dataset.splits())
    if not names:
        fail(Exit.UNREADABLE, f"{folder}: no split stored yet; make one with amrg data split {folder} clean")
    with busy("comparing reports"):
        checks = [check_split(dataset, dataset.split(one)) for one in names]
    if as_json:
        print_json([_as_document(found) for found in checks])
    else:
        for found in checks:
            _show_check(found)
    leaking = [found.split for found in checks if not found.is_clean]
    if leaking:
        complain(f"{folder}: leaks in the split {', '.join(leaking)}; use the split clean, which has none")
        raise typer.Exit(Exit.LEAK)


def _as_document(found: LeakCheck) -> dict[str, Any]:
    """A check as JSON: every leak with its share and its cases."""
    document = found.model_dump(mode="json", exclude={"leaks"})
    leaks = [{**leak.model_dump(mode="json"), "n": len(leak.cases), "share": leak.share} for leak in found.leaks]
    return {**document, "clean": found.is_clean, "leaks": leaks}


def _show_check(found: LeakCheck) -> None:
    """One split's leaks and the verdict."""
    verdict = "no leaks" if found.is_clean else "leaks"
    table = ResultTable(
        "part", "compared with", "shared", "cases", "of", "share", title=f"split {found.split}: {verdict}"
    )
    for leak in found.leaks:
        n = len(leak.cases)
        table.add_row(leak.held_out, leak.against, leak.kind, str(n), str(leak.of), f"{leak.share:.1%}")
    out.print(table)
    if not found.texts:
        out.print("texts were not compared: no case has a radiologist's own text")
    if not found.patients:
        out.print("patients were not compared: no case names its patient")
