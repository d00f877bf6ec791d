"""amrg: from a mammography study to a draft BI-RADS report that a radiologist can check, edit and sign.

The names of `__all__` are what a program uses (docs/python.md). Each is imported when it is first used, so that
`import amrg` loads no other package; type checkers read `__init__.pyi`, which lists the same names.
"""

from importlib import import_module

__version__ = "0.1.0"

_PLACES = {
    "amrg.api.scoring": ("score",),
    "amrg.api.studies": ("draft", "read"),
    "amrg.api.training": ("train",),
    "amrg.benchmark.references": ("References", "read_references"),
    "amrg.birads": ("Draft", "Finding", "ParsedReport", "Report", "Style", "check", "parse", "render"),
    "amrg.core.errors": ("AmrgError",),
    "amrg.datasets": ("Case", "Dataset", "import_dataset", "importer_of", "make_split", "open_dataset", "study_of"),
    "amrg.generation": (
        "DraftOptions",
        "Drafted",
        "Engine",
        "NotDrafted",
        "Refused",
        "Unreadable",
        "draft_studies",
        "write_draft",
    ),
    "amrg.generation.engines.loading": ("load_engine",),
    "amrg.imaging": ("Intake", "Mammogram", "Study"),
    "amrg.metrics.prediction": ("Prediction",),
    "amrg.metrics.scores": ("Scores",),
    "amrg.training.recipe": ("Recipe",),
    "amrg.training.train_config": ("TrainConfig", "read_config"),
}
"""The module that each name is from."""

_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}

__all__ = ["__version__", *sorted(_MODULE_OF)]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    """Import a name when it is first used."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'amrg' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_MODULE_OF[name]), name)
    return found


def __dir__() -> list[str]:
    """The names above, used or not."""
    return sorted({*globals(), *__all__})
