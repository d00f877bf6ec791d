"""Whether scored cases are among those that a model was trained on: by content, else by the data set's name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from amrg.benchmark.layout import TRAINED_ON
from amrg.benchmark.records import first_error, list_some
from amrg.benchmark.references import References
from amrg.core.files import write_text
from amrg.datasets.case import Case
from amrg.datasets.names import DRAWN_OR_OWN, canonical_name, members_of
from amrg.datasets.splits.groups import is_patient, text_group
from amrg.datasets.splits.linked_cases import has_own_text
from amrg.datasets.training_set import TrainingProvenance, TrainingSet, case_digest, image_digests
from amrg.metrics.display import counted
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.scores import TrainedOn, TrainingOverlap

KINDS = ("the same case", "the same patient", "the same report text", "the same image")
"""What a scored case can share with a training case, in this order: the first that applies is counted."""


def save_provenance(folder: Path, provenance: TrainingProvenance) -> None:
    """Keep what a model was trained on in its run folder, so that the run can be scored again without the model."""
    write_text(folder / TRAINED_ON, [provenance.model_dump_json()])


def load_provenance(folder: Path) -> TrainingProvenance:
    """What the model of a run was trained on; nothing where nobody recorded it.

    Raises:
        BenchmarkError: the record is damaged.
    """
    path = folder / TRAINED_ON
    if not path.is_file():
        return TrainingProvenance()
    try:
        return TrainingProvenance.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BenchmarkError(f"{path}: {first_error(error)}; run the benchmark again") from error


def trained_on(provenance: TrainingProvenance, references: References) -> TrainedOn | None:
    """What a model was trained on, and which of the references are in it; None where nothing is known of it.

    A record with digests decides by content. A name alone cannot say which cases were used, only that the data set is.
    Of a run's cases what its scores say of the same record stands: their images were at hand then.
    """
    run, before = references.run, references.trained_on
    if run is not None and before is not None and load_provenance(run) == provenance:
        return before
    if not provenance.sets and not provenance.unknown:
        return None
    overlaps = [found for of in provenance.sets for found in _overlaps(of, references)]
    return TrainedOn(
        names=tuple(dict.fromkeys(_described(of) for of in provenance.sets)),
        unknown=provenance.unknown,
        overlaps=tuple(dict.fromkeys(overlaps)),
    )


def _described(of: TrainingSet) -> str:
    cases = f", {counted(of.n, 'case')}" if of.n else ""
    return f"{of.name} (split {of.split}{cases})" if of.split else of.name


def _overlaps(of: TrainingSet, references: References) -> Iterator[TrainingOverlap]:
    if _is_comparable(of, references):
        shared = {case.key: kind for case in references.cases if (kind := _shared(case, of, references.root))}
        if shared:
            kinds = tuple((kind, n) for kind in KINDS if (n := sum(found == kind for found in shared.values())))
            yield TrainingOverlap(training=_described(of), count=len(shared), kinds=kinds, examples=tuple(shared)[:5])
        return
    names = {canonical_name(name) for name in (references.name, *(case.dataset for case in references.cases))}
    for name in sorted((names - DRAWN_OR_OWN) & set(members_of(of.name))):
        yield TrainingOverlap(training=of.name, data_set=name)


def _is_comparable(of: TrainingSet, references: References) -> bool:
    """Whether digests can decide: they are of the very data set, or both sides have images to compare."""
    if not of.digests.cases:
        return False
    same = of.dataset_hash is not None and of.dataset_hash == references.hashes.get("dataset")
    return same or bool(of.digests.images and references.root is not None)


def _shared(case: Case, of: TrainingSet, root: Path | None) -> str | None:
    """What a case shares with the training cases; None where nothing."""
    digests = of.digests
    if case_digest(case) in digests.cases:
        return KINDS[0]
    if is_patient(case.group) and case.group in digests.patients:
        return KINDS[1]
    if has_own_text(case) and text_group(case.text) in digests.texts:
        return KINDS[2]
    if root is not None and digests.images and not set(digests.images).isdisjoint(image_digests(case, root)):
        return KINDS[3]
    return None


def overlap_line(found: TrainingOverlap, n: int) -> str:
    """What a reader must know, in one line."""
    if found.data_set is not None:
        known = (
            found.training if canonical_name(found.training) == found.data_set else f"{found.training}, which holds it"
        )
        return (
            f"the model was trained on {known}: these are cases of {found.data_set}, and which of them it was trained "
            "on is not recorded; the metrics may not show how it performs on new cases"
        )
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.kinds)
    return (
        f"{found.count} of {n} cases are in what the model was trained on, {found.training} ({kinds}): "
        f"{list_some(found.examples)}{_more(found)}; the metrics do not show how it performs on new cases"
    )


def _more(found: TrainingOverlap) -> str:
    further = found.count - len(found.examples)
    return f" and {further} more" if further > 0 else ""


def named_provenance(names: Sequence[str]) -> TrainingProvenance:
    """What a user says that a system was trained on: data sets or collections by name."""
    return TrainingProvenance(sets=tuple(TrainingSet(name=name) for name in names))
