"""What can be written blind on the real DMID reports: `make blind-dmid` prints the table of docs/benchmark.md."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from dmid_data import DMID, write_published

from amrg.benchmark.scoring.blind import as_markdown, blind_scores
from amrg.benchmark.scoring.measure import OptionalMetrics
from amrg.datasets import import_dataset, importer_of, open_dataset
from amrg.metrics.text.meteorjar import missing_meteor_jar

SPLITS = ("image-407-51-52", "last-52", "clean")
SEEDS = 20


def main() -> None:
    """Import the real reports in the published layout, and score every baseline on every split."""
    if not DMID.is_dir():
        sys.exit("the real DMID reports are not here; with the whole data set: amrg benchmark blind DIR")
    extras = OptionalMetrics(meteor_jar=missing_meteor_jar() is None)
    with tempfile.TemporaryDirectory() as folder:
        published, imported = Path(folder) / "published", Path(folder) / "imported"
        write_published(published)
        for _ in import_dataset(importer_of("dmid"), published, imported):
            pass
        dataset = open_dataset(imported)
        for line in as_markdown([blind_scores(dataset, split, range(SEEDS), extras) for split in SPLITS]):
            sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
