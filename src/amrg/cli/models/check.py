"""`amrg model check`: whether an engine other than the local one may draft with a model, by probes and by agreement."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amrg.cli.console import busy, complain, fail, out, print_json, quieten, refuse_unwritable, writing
from amrg.cli.exits import Exit
from amrg.cli.options import Answer, AsJson
from amrg.cli.study_input import answer_form, read_input, refuse_without_study
from amrg.core.plurals import counted

if TYPE_CHECKING:
    from amrg.imaging import Study

FIRST_SEED = 7_000_000
"""Of the phantoms that are drawn where no studies are named."""


def check(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Folder that `amrg export` or `amrg model known-answers` wrote.")
    ],
    path: Annotated[Path | None, typer.Argument(metavar="PATH", help="Studies to draft with both engines.")] = None,
    engine_name: Annotated[str, typer.Option("--engine", help="vllm, or openai:URL.")] = "vllm",
    phantoms: Annotated[int, typer.Option(min=1, help="Number of phantom exams to draw where PATH is not given.")] = 20,
    at_least: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Agreement from which the engine is trusted.")
    ] = 0.95,
    answer: Answer = None,
    as_json: AsJson = False,
) -> None:
    """Probe an engine, draft studies with it and with the local one, and keep how far they agree."""
    form = answer_form(answer)
    with busy("probing the engine"):
        quieten()
        from amrg.generation.engines.agreement import measure, records_folder, refuse_other_weights, save_agreement
        from amrg.generation.engines.loading import connect, load_engine
        from amrg.models import ModelError
        from amrg.models.known_answers import read_known_answers

        refuse_unwritable(records_folder())
        try:
            other = connect(engine_name, model, answer=form)
        except ModelError as error:
            fail(Exit.NO_MODEL, str(error))
    for line in other.notes:
        complain(line)
    with tempfile.TemporaryDirectory() as folder:
        studies = _studies(path, phantoms, Path(folder))
        with busy(f"drafting {counted(len(studies), 'study', 'studies')} with both engines"):
            try:
                source = read_known_answers(Path(model)).source
                local = load_engine(source or model, answer=form)
                if source is not None:
                    refuse_other_weights(local, other)
            except ModelError as error:
                fail(Exit.NO_MODEL, str(error))
            found = measure(studies, local, other, engine_name, at_least)
    with writing(records_folder()):
        file = save_agreement(found)
    if as_json:
        document = found.model_dump(mode="json") | {
            "of_findings": found.of_findings,
            "of_categories": found.of_categories,
        }
        print_json(document | {"record": str(file), "distrust": found.distrust})
    else:
        out.print(f"{found.model} by {engine_name}: {found}", markup=False)
        out.print(f"agreement of findings {found.of_findings:.3f}, of categories {found.of_categories:.3f}, in {file}")
    if found.distrust is not None:
        fail(Exit.NO_MODEL, f"{engine_name}: not trusted with {found.model}: {found.distrust}")


def _studies(path: Path | None, phantoms: int, folder: Path) -> tuple[Study, ...]:
    """The studies at a path, or of phantoms drawn into a folder."""
    from amrg.phantom import Size, draw_exam, write_exam

    if path is None:
        with busy(f"drawing {counted(phantoms, 'phantom')}"):
            for number in range(phantoms):
                write_exam(draw_exam(FIRST_SEED + number, Size.SMALL), folder / str(number))
        path = folder
    intake = read_input(path)
    refuse_without_study(path, [intake])
    return intake.studies
