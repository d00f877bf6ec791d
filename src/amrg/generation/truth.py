"""A draft compared with the truth of a phantom set."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from rich.table import Table

from amrg.birads import Report, describe_finding
from amrg.core.errors import AmrgError
from amrg.metrics.clinical.agreement import placed


class TruthError(AmrgError):
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
            raise TruthError(
                f"{path.name} line {number}: not a case of amrg phantom ({type(error).__name__})"
            ) from error
    return truths


def compare(drafted: Report, truth: Report) -> Table:
    """Draft and truth side by side; findings are matched by kind, side and quadrant."""
    table = Table("", "draft", "truth", title="draft compared with the truth")
    table.add_row("composition", str(drafted.composition or "-"), str(truth.composition or "-"))
    table.add_row("BI-RADS", str(drafted.worst or "-"), str(truth.worst or "-"))
    unmatched = Counter(map(placed, truth.findings))
    names = {placed(f): describe_finding(f) for f in (*truth.findings, *drafted.findings)}
    for finding in map(placed, drafted.findings):
        found = unmatched[finding] > 0
        unmatched[finding] -= found
        table.add_row("matched" if found else "[red]invented[/red]", names[finding], names[finding] if found else "")
    for finding in unmatched.elements():
        table.add_row("[red]missed[/red]", "", names[finding])
    return table
