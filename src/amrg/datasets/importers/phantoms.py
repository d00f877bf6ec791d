"""Sets drawn by `amrg phantom`: a folder a study, and `cases.jsonl` with the truth and its boxes (docs/phantom.md).

The reference is the truth, the text its plainest clinical wording, marked as a phantom's. Exams of one seed are one
patient, whatever their size.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amrg.birads import Report, Style, render
from amrg.datasets.case import Case, ImageRef, ReferenceSource
from amrg.datasets.importer import About, DatasetError, Item, Odd, Oddity
from amrg.datasets.splits.groups import patient_group
from amrg.datasets.tables.labels import existing_images

TABLE = "cases.jsonl"
SCHEMA = 1
_LABELS = ("seed", "size", "population", "study_instance_uid")


class Phantoms:
    """Imports a set drawn by `amrg phantom` from the folder with `cases.jsonl`."""

    about = About(
        name="phantom",
        title="Exams drawn by amrg phantom",
        licence="Apache-2.0",
        citation="amrg, docs/phantom.md",
        url="",
    )

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """Studies in the order of their lines; a line that an interrupted run left half written is odd."""
        if not (root / TABLE).is_file():
            raise DatasetError(f"{root}: no {TABLE}; expected a folder written by amrg phantom")
        with (root / TABLE).open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                case = _parse_line(line)
                if case is None:
                    found = "a line that is no case of amrg phantom"
                    odd(Oddity(where=f"{TABLE} line {number}", found=found, expected="one, of schema 1"))
                else:
                    yield Item(str(case["folder"]), ({"case": line},))

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One study."""
        drawn = json.loads(item.rows[0]["case"])
        truth = Report.model_validate(drawn["truth"])
        images = (
            ImageRef(file=view["file"], laterality=view["laterality"], view=view["view"]) for view in drawn["views"]
        )
        return Case(
            key=item.key,
            dataset=self.about.name,
            group=patient_group(self.about.name, str(drawn["seed"])),
            source=ReferenceSource.PHANTOM,
            licence=self.about.licence,
            images=existing_images(root, images, odd),
            reference=truth,
            text=render(truth, Style.CLINICAL, wording=0),
            labels={name: str(drawn[name]) for name in _LABELS},
        )


def _parse_line(line: str) -> dict[str, Any] | None:
    """A line as a case, None where it is none."""
    try:
        case = json.loads(line)
    except json.JSONDecodeError:
        return None
    if not isinstance(case, dict) or case.get("schema") != SCHEMA:
        return None
    return case if {"folder", "views", "truth", *_LABELS} <= set(case) else None
