"""A draft beside the truth of a phantom set."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from rich.table import Table

from amrg.birads import Finding, Report


class TruthError(ValueError):
    """A truth file that is missing or not what `amrg phantom` writes."""


def load_truth(path: Path) -> dict[str, Report]:
    """Study Instance UID to true report, from a `cases.jsonl`.

    Raises:
        TruthError: no such file, or a line without `study_instance_uid` and `truth`.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise TruthError(
            f"{path.name}: cannot be read ({error.strerror}); expected cases.jsonl of amrg phantom"
        ) from error
    truths = {}
    for number, line in enumerate(lines, 1):
        try:
            case = json.loads(line)
            truths[str(case["study_instance_uid"])] = Report.model_validate(case["truth"])
        except (ValueError, KeyError, TypeError) as error:
            raise TruthError(f"{path.name} line {number}: no case of amrg phantom ({type(error).__name__})") from error
    return truths


def compare(drafted: Report, truth: Report) -> Table:
    """Draft and truth side by side; findings are matched by kind, side and quadrant."""
    table = Table("", "draft", "truth", title="draft beside the truth")
    table.add_row("composition", str(drafted.composition or "-"), str(truth.composition or "-"))
    table.add_row("BI-RADS", str(drafted.worst or "-"), str(truth.worst or "-"))
    left = Counter(_words(f) for f in truth.findings)
    for finding in drafted.findings:
        words = _words(finding)
        found = left[words] > 0
        left[words] -= found
        table.add_row("matched" if found else "[red]invented[/red]", words, words if found else "")
    for words in left.elements():
        table.add_row("[red]missed[/red]", "", words)
    return table


def _words(finding: Finding) -> str:
    """Kind, side and quadrant in words."""
    side = {"R": "right", "L": "left"}.get(str(finding.laterality), "side unknown")
    return ", ".join(str(x) for x in (finding.kind, side, finding.location.quadrant) if x)
