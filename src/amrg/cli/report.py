"""`amrg report`: studies in, drafts out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amrg.cli.completion import MASTECTOMIES, REPORT_FORMATS, STYLES
from amrg.cli.console import busy, complain, fail, quieten, writing
from amrg.cli.exits import Exit
from amrg.cli.options import Answer, AsJson, EngineName, Facility, Model, RayAddress, RetryFailed
from amrg.cli.report_results import JsonStream, ReportResults
from amrg.cli.study_input import StudyPath, absolute_model, answer_form, refuse_without_study

TIMEOUT = 600.0  # seconds of a study among several

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from amrg.birads import Laterality, Report
    from amrg.generation import DraftOptions, Engine
    from amrg.generation.bulk.drafting import BulkOptions, TaskResult
    from amrg.generation.bulk.index import StudyIndex
    from amrg.generation.bulk.processes import WorkerPlan
    from amrg.imaging import Intake


OutFolder = Annotated[Path, typer.Option("--out", help="Where reports are written, a folder a study.")]
StyleName = Annotated[str, typer.Option(help="clinical, impression-first, dmid or cesm.", autocompletion=STYLES)]
FormatNames = Annotated[
    str | None,
    typer.Option("--format", help="Any of text,json,png; all by default.", autocompletion=REPORT_FORMATS),
]
Truth = Annotated[Path | None, typer.Option(help="cases.jsonl of a phantom set, to compare the draft with.")]
Force = Annotated[bool, typer.Option("--force", help="Draft even what does not look like a mammogram.")]
Identify = Annotated[
    bool, typer.Option("--identify", help="Name the patient in every output: name, PatientID, birth date.")
]
Mastectomy = Annotated[
    str | None,
    typer.Option(
        help="right, left or both: the breasts removed from the patient of the one study at PATH.",
        autocompletion=MASTECTOMIES,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Worker processes for several studies: one a core for the embedded model and versions of it, else "
        "one; 0: none.",
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        min=1,
        help="Studies that the model takes together: 1 by default on this machine, 8 in flight with openai:URL, 64 "
        "with vllm.",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(min=1, help="Seconds that a study may take, 600 of several; its worker process is then ended."),
]


def report(
    path: StudyPath,
    folder: OutFolder = Path("out/report"),
    model: Model = None,
    style: StyleName = "clinical",
    answer: Answer = None,
    engine_name: EngineName = "local",
    facility: Facility = None,
    formats: FormatNames = None,
    truth: Truth = None,
    force: Force = False,
    identify: Identify = False,
    mastectomy: Mastectomy = None,
    workers: Workers = None,
    batch: BatchSize = None,
    retry_failed: RetryFailed = False,
    timeout: Timeout = None,
    ray: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Draft the BI-RADS report of every study at PATH; run again, it resumes."""
    from amrg.core.attempts import new_session
    from amrg.generation.bulk.drafting import BulkOptions
    from amrg.generation.bulk.processes import WorkerPlan

    if ray is not None:  # other machines have another current folder, and none of a zip's unpacked files
        if not path.is_dir():
            fail(Exit.USAGE, f"--ray takes a folder that all machines share, {path.name} is none")
        path, folder, model = path.resolve(), folder.resolve(), absolute_model(model)
    chosen = _draft_options(style, facility, force, mastectomy)
    options = BulkOptions(folder, _formats(formats), chosen, identify, retry_failed)
    form = answer_form(answer)
    with ReportResults(path, folder, json=JsonStream() if as_json else None) as results:
        results.truth, results.truths = truth, _truths(truth)
        with closing(_index(path)) as index:
            results.studies = index.studies
            if mastectomy and index.studies > 1:
                fail(
                    Exit.USAGE,
                    f"--mastectomy is of one study, {path.name} has {index.studies}; name one at a time",
                )
            load = partial(_loader(engine_name, model), model, max_batch=batch, answer=form, engine=engine_name)
            with writing(folder), _exit_on_errors():
                workerless = workers == 0 or engine_name == "vllm"  # which starts processes of its own
                if workerless and timeout is not None:
                    complain("--timeout has no effect: it ends worker processes, and there are none")
                if ray is None and (workerless or (index.studies <= 1 and timeout is None)):
                    _draft_here(index, path, load, options, results)
                else:
                    count = workers or (None if ray else min(_default_workers(engine_name, model), len(index)))
                    plan = WorkerPlan(load, options, new_session(), timeout or TIMEOUT)
                    _draft_elsewhere(index, plan, results, (ray, count))
                _list_failed(results)
        results.leave(path)


def _index(path: Path) -> StudyIndex:
    """The files of a path by the studies that their headers name; leaves where the path cannot be read."""
    with busy("looking for studies"):
        from amrg.generation.bulk.index import StudyIndex
        from amrg.imaging import ImagingError
        from amrg.imaging.containers import walk_files
        from amrg.imaging.scanning import scan_file

        try:
            return StudyIndex(map(scan_file, walk_files(path)))
        except ImagingError as error:
            fail(Exit.UNREADABLE, str(error))


def _loader(engine: str, model: str | None) -> Callable[..., Engine]:
    """What loads an engine, once there is one of the name."""
    from amrg.generation.engines import loading

    loading.refuse_engine_name(engine, model)
    return loading.load_engine


def _default_workers(engine: str, model: str | None) -> int:
    """A process a core for what computes in one thread; one for others, which use all cores or another device."""
    from amrg.core.cores import available_cores
    from amrg.generation.engines.loading import works_in_one_thread

    return available_cores() if works_in_one_thread(engine, model) else 1


@contextmanager
def _exit_on_errors() -> Iterator[None]:
    """Leaves with one line where no engine can be loaded, or nothing can be written."""
    from amrg.generation.bulk.drafting import UnwritableOutput
    from amrg.generation.bulk.processes import WorkerError
    from amrg.models import ModelError

    try:
        yield
    except UnwritableOutput as error:
        raise error.error from error
    except (ModelError, WorkerError) as error:
        fail(Exit.NO_MODEL, str(error))


def _draft_here(
    index: StudyIndex, path: Path, load: Callable[[], Engine], options: BulkOptions, results: ReportResults
) -> None:
    """Draft all in this process: one study, or several for a debugger."""
    from amrg.core.attempts import Attempts, new_session
    from amrg.core.files import made_folder
    from amrg.generation.bulk.drafting import TaskDrafter, withdrawing
    from amrg.generation.bulk.records import ATTEMPTS, ended_a_decoder
    from amrg.imaging.intake import read_files, read_files_apart

    attempts = Attempts(options.folder / ATTEMPTS, new_session(), "here")
    left, folder = attempts.left(), options.folder  # one that was left may have ended an earlier command
    suspected = {task.files for task in index.tasks() if task.name in left or ended_a_decoder(folder, task)}
    read: dict[Sequence[Path], Intake] = {}

    def read_once(files: Sequence[Path]) -> Intake:
        return read.pop(files, None) or (read_files_apart if files in suspected else read_files)(files)

    if index.studies <= 1:  # a model is loaded only for what can be reported on
        with busy("reading"):
            for task in index.tasks():
                with made_folder(attempts.folder):
                    with attempts.working([task.name], 0):
                        read[task.files] = read_once(task.files)
                    attempts.end(task.name)
        refuse_without_study(path, read.values())
        _refuse_imaged(options.draft.mastectomy, read.values())
    with busy("loading the model"):
        quieten()
        engine = load()
    for line in engine.notes:
        complain(line)
    with withdrawing(options.folder):
        _print_all(TaskDrafter(engine, options, attempts, read_once).run(index.tasks()), results)


def _print_all(outcomes: Iterator[TaskResult], results: ReportResults) -> None:
    while True:
        with busy(f"drafting study {results.done + 1} of {results.studies}"):
            result = next(outcomes, None)
        if result is None:
            return
        results.add(result)


def _refuse_imaged(removed: Sequence[Laterality], intakes: Iterable[Intake]) -> None:
    """Leave with one line where a view of the study is of a breast that was removed: one of both is wrong."""
    taken = [m for intake in intakes for study in intake.studies for m in study.mammograms if m.laterality in removed]
    if taken:
        named = ", ".join(f"{m.laterality}{m.view} ({m.source.name})" for m in taken)
        option = "both" if len(removed) > 1 else removed[0].name.lower()
        fail(
            Exit.USAGE,
            f"--mastectomy {option}: the study has {named} of a breast that was removed; correct the option, or remove "
            "what is of another patient or side from the study",
        )


def _draft_elsewhere(
    index: StudyIndex, plan: WorkerPlan, results: ReportResults, where: tuple[str | None, int | None]
) -> None:
    """Draft all in worker processes, or in the actors of a Ray cluster: its address, and how many there are."""
    from amrg.core.ray_cluster import RayPlan
    from amrg.generation.bulk.on_ray import draft_on_ray
    from amrg.generation.bulk.processes import WorkerReady, draft_in_processes
    from amrg.imaging.intake import read_files_apart

    address, workers = where
    if removed := plan.options.draft.mastectomy:
        with busy("reading"):
            intakes = [read_files_apart(task.files) for task in index.tasks()]
        _refuse_imaged(removed, intakes)
    if address is None:
        messages = draft_in_processes(index.tasks(), plan, workers or 1)
    else:
        messages = draft_on_ray(index.tasks(), plan, RayPlan(address, workers))
    noted: set[str] = set()
    with closing(messages):
        with busy("loading the model"):
            first = next(messages, None)
        for message in chain([first] if first else [], messages):
            if isinstance(message, WorkerReady):
                for line in [line for line in message.notes if line not in noted]:
                    complain(line)
                    noted.add(line)
            else:
                results.add(message)


def _list_failed(results: ReportResults) -> None:
    """Write the rows of all studies in the folder without a draft to `failed.jsonl`; remove it where there are none."""
    from amrg.core.files import write_text
    from amrg.generation.bulk.records import failed_rows

    path = results.folder / "failed.jsonl"
    if results.done == results.drafts and not path.exists():
        return
    if rows := list(failed_rows(results.folder)):
        write_text(path, (row.model_dump_json(exclude_defaults=True) for row in rows))
    else:
        path.unlink(missing_ok=True)


def _draft_options(style: str, facility: str | None, force: bool, mastectomy: str | None) -> DraftOptions:
    """How drafts are written; leaves with one line where an option has no such value."""
    from amrg.birads import FACILITY_STYLES, Facility, Laterality, Style
    from amrg.generation import DraftOptions

    if style not in tuple(Style):
        fail(Exit.USAGE, f"--style is {style!r}; expected {' or '.join(Style)}")
    if facility is not None and facility not in tuple(Facility):
        fail(Exit.USAGE, f"--facility is {facility!r}; expected {' or '.join(Facility)}")
    if facility is not None and style not in FACILITY_STYLES:
        fail(Exit.USAGE, f"--style {style} has no wording for --facility; expected {' or '.join(FACILITY_STYLES)}")
    removed = {"right": (Laterality.RIGHT,), "left": (Laterality.LEFT,), "both": tuple(Laterality), None: ()}
    if mastectomy not in removed:
        fail(Exit.USAGE, f"--mastectomy is {mastectomy!r}; expected right, left or both")
    return DraftOptions(
        Style(style),
        force,
        facility=None if facility is None else Facility(facility),
        mastectomy=removed[mastectomy],
    )


def _truths(truth: Path | None) -> Mapping[str, Report]:
    """The truth of a phantom set; leaves with one line where it cannot be read."""
    from amrg.generation.truth import TruthError, load_truth

    try:
        return load_truth(truth) if truth is not None else {}
    except TruthError as error:
        fail(Exit.UNREADABLE, str(error))


def _formats(given: str | None) -> tuple[str, ...]:
    """The formats to write, in order; all of them where none is named."""
    from amrg.generation import FORMATS

    if given is None:
        return tuple(FORMATS)
    chosen = tuple(part.strip() for part in given.split(",") if part.strip())
    if not chosen or set(chosen) - set(FORMATS):
        fail(Exit.USAGE, f"--format is {given!r}; expected any of {','.join(FORMATS)}")
    return chosen
