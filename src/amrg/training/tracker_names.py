"""Names of trackers, as `--report-to` and `report_to` of a run give them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from amrg.training.documents import RecipeError

TENSORBOARD = "tensorboard"
"""Always written to the run's folder, so that naming it changes nothing."""

PACKAGES = ("wandb", "mlflow")
"""Trackers that are packages of their own: the extra `trackers`."""

NONE = "none"
"""In place of names: nothing but the run's own logs."""


def tracker_names(given: str | Sequence[str], where: str) -> tuple[str, ...]:
    """The names of `--report-to` or `report_to`: separated by commas, or a list; each once. `none` is none.

    Raises:
        RecipeError: a name is unknown.
    """
    parts = given.split(",") if isinstance(given, str) else given
    names = tuple(dict.fromkeys(str(part).strip() for part in parts))
    if names == (NONE,):
        return ()
    for name in names:
        if name != TENSORBOARD and name not in PACKAGES:
            known = ",".join((TENSORBOARD, *PACKAGES))
            raise RecipeError(f"{where}: no tracker {name!r}; expected any of {known}, or {NONE}")
    return names


def refuse_missing_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that cannot be used here. Those of a file may be turned off before this is asked.

    Raises:
        RecipeError: the package of one is not installed.
    """
    for name in names:
        if name in PACKAGES and find_spec(name) is None:
            raise RecipeError(
                f"report_to: the package {name} is not installed; "
                'pip install "amrg[trackers]", or turn it off with --report-to none'
            )
