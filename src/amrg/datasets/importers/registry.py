"""The known data sets: a name to its importer."""

from __future__ import annotations

from importlib import import_module

from amrg.datasets.importer import DatasetError, Importer

IMPORTERS: dict[str, tuple[str, str]] = {
    "cbis-ddsm": ("amrg.datasets.importers.cbis_ddsm", "CbisDdsm"),
    "cdd-cesm": ("amrg.datasets.importers.cdd_cesm", "CddCesm"),
    "cmmd": ("amrg.datasets.importers.cmmd", "Cmmd"),
    "dmid": ("amrg.datasets.importers.dmid", "Dmid"),
    "embed": ("amrg.datasets.importers.embed", "Embed"),
    "generic": ("amrg.datasets.importers.generic", "Generic"),
    "inbreast": ("amrg.datasets.importers.inbreast", "Inbreast"),
    "kau-bcmd": ("amrg.datasets.importers.kau_bcmd", "KauBcmd"),
    "mini-mias": ("amrg.datasets.importers.mini_mias", "MiniMias"),
    "phantom": ("amrg.datasets.importers.phantoms", "Phantoms"),
    "rsna": ("amrg.datasets.importers.rsna", "Rsna"),
    "vindr-mammo": ("amrg.datasets.importers.vindr_mammo", "VindrMammo"),
}
"""Name to module and class, a line a data set, loaded only when asked for. Classes take no arguments."""


def importer_of(name: str) -> Importer:
    """The importer of a data set.

    Raises:
        DatasetError: no such data set.
    """
    if name not in IMPORTERS:
        raise DatasetError(f"no data set {name!r}; expected one of {', '.join(sorted(IMPORTERS))}")
    module, kind = IMPORTERS[name]
    made: Importer = getattr(import_module(module), kind)()
    return made


def importers() -> list[Importer]:
    """Every known importer, by name."""
    return [importer_of(name) for name in sorted(IMPORTERS)]
