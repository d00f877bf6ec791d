"""What a model was trained on is recorded, and scored cases in it are called out: by content, and by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from amrg.benchmark.prediction_log import write_predictions
from amrg.benchmark.references import References, read_references
from amrg.benchmark.scoring.overlap import KINDS, named_provenance, trained_on
from amrg.benchmark.scoring.score_run import load_submission, score_submission
from amrg.benchmark.scoring.scoring import ScoringOptions
from amrg.cli import Exit, app
from amrg.datasets.case import Case, ImageRef
from amrg.datasets.importers.registry import IMPORTERS
from amrg.datasets.names import ALIASES, COLLECTIONS, canonical_name, members_of
from amrg.datasets.training_set import TrainingProvenance, TrainingSet, digests_of
from amrg.metrics.prediction import Prediction
from amrg.metrics.scores import Scores, TrainingOverlap
from amrg.models import ModelError, model_card
from amrg.models.catalog import KNOWN
from amrg.models.load import load_model
from amrg.models.provenance import PUBLISHED, provenance_at, provenance_of
from tests.benchmark.fixtures import CASES

pytestmark = pytest.mark.usefixtures("no_page_charts")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("DMID", "dmid"),
        ("VinDr-Mammo", "vindr-mammo"),
        ("vindr", "vindr-mammo"),
        ("INbreast", "inbreast"),
        ("CBIS_DDSM", "cbis-ddsm"),
        ("RSNA Breast Cancer Detection", "rsna"),
        ("KAU-BCMD", "kau-bcmd"),
        ("MIAS", "mini-mias"),
        ("EMBED", "embed"),
        ("CDD-CESM", "cdd-cesm"),
        ("dmid_test", "dmid"),
        ("MammoVQA", "mammovqa"),
        ("ours", "ours"),
        ("embeddings", "embeddings"),
    ],
)
def test_a_data_set_is_known_under_all_its_names(given: str, name: str) -> None:
    assert canonical_name(given) == name


def test_every_data_set_that_can_be_imported_has_its_name_and_collections_hold_known_ones() -> None:
    assert set(IMPORTERS) - {"generic", "phantom"} <= set(ALIASES)
    held = {member for name in COLLECTIONS for member in members_of(name)}
    assert held <= set(ALIASES)
    nine = {"dmid", "vindr-mammo", "inbreast", "cbis-ddsm", "rsna", "kau-bcmd", "mini-mias", "embed", "cdd-cesm"}
    assert nine <= set(members_of("MammoVQA")) == set(members_of("LLaVA-Mammo"))
    assert members_of("a hospital's own") == ("a-hospital-s-own",)
    assert set(PUBLISHED) <= {entry.name for entry in KNOWN}


@pytest.mark.parametrize("trained", ["DMID", "MammoVQA", "LLaVA-Mammo"])
def test_a_test_set_inside_a_collection_is_called_out_by_name(trained: str) -> None:
    found = trained_on(named_provenance([trained]), References("dmid", CASES))
    assert found is not None
    assert found.overlaps == (TrainingOverlap(training=trained, data_set="dmid"),)
    elsewhere = trained_on(named_provenance([trained]), References("cmmd", CASES))
    assert elsewhere is not None
    assert elsewhere.overlaps == ()


def test_drawn_exams_and_own_tables_are_no_overlap_by_name() -> None:
    for name in ("phantom", "generic"):
        found = trained_on(named_provenance([name]), References(name, CASES))
        assert found is not None
        assert found.overlaps == ()
    assert trained_on(TrainingProvenance(), References("dmid", CASES)) is None


def drawn(folder: Path, number: int, dataset: str, group: str, text: str, pixels: bytes) -> Case:
    """A case with one image file."""
    (folder / dataset).mkdir(parents=True, exist_ok=True)
    (folder / dataset / f"{number}.png").write_bytes(pixels)
    image = ImageRef(file=f"{dataset}/{number}.png")
    return CASES[0].model_copy(
        update={"key": f"{dataset}{number}", "dataset": dataset, "group": group, "text": text, "images": (image,)}
    )


def test_cases_are_compared_by_case_patient_text_and_image(tmp_path: Path) -> None:
    """The data set was imported again under another name: one image, one patient and one text are the same."""
    training = [drawn(tmp_path, i, "a", f"patient-{i}", f"training report {i}", b"image %d" % i) for i in range(4)]
    record = TrainingSet(name="mixture", split="clean", n=4, digests=digests_of(training, tmp_path))
    scored = [
        drawn(tmp_path, 0, "b", "patient-x", "another report", b"image 2"),
        drawn(tmp_path, 1, "b", "patient-1", "a new report", b"new image"),
        drawn(tmp_path, 2, "b", "patient-y", "Training report: 3", b"other image"),
        drawn(tmp_path, 3, "b", "patient-z", "nothing shared", b"a fourth image"),
        training[3],
    ]
    references = References("b", tuple(scored), root=tmp_path)
    found = trained_on(TrainingProvenance(sets=(record,)), references)
    assert found is not None
    (overlap,) = found.overlaps
    assert (overlap.count, overlap.examples) == (4, ("b0", "b1", "b2", "a3"))
    assert dict(overlap.kinds) == dict.fromkeys(KINDS, 1)
    clean = trained_on(TrainingProvenance(sets=(record,)), replace(references, cases=(scored[3],)))
    assert clean is not None
    assert clean.overlaps == ()


def test_the_test_part_of_the_split_that_a_model_was_trained_on_is_no_overlap() -> None:
    """The data set's name is the same; digests decide where they are of the very same data set."""
    record = TrainingSet(name="made", dataset_hash="h", n=6, digests=digests_of(CASES[:6], None))
    test = References("made", CASES[6:], hashes={"dataset": "h"})
    found = trained_on(TrainingProvenance(sets=(record,)), test)
    assert found is not None
    assert found.overlaps == ()
    (leak,) = (trained_on(TrainingProvenance(sets=(record,)), replace(test, cases=CASES[5:])) or found).overlaps
    assert (leak.count, leak.kinds) == (1, ((KINDS[0], 1),))


def test_a_run_that_is_scored_again_from_itself_keeps_what_was_found_by_its_images(tmp_path: Path) -> None:
    training = drawn(tmp_path, 0, "dmid", "patient-0", "training report", b"image")
    record = TrainingSet(name="mixture", dataset_hash="other", n=1, digests=digests_of([training], tmp_path))
    scored = (drawn(tmp_path, 1, "dmid", "patient-1", "a new report", b"image"), *CASES[:3])
    written = tuple(Prediction(key=case.key, text=case.text) for case in scored)
    write_predictions(tmp_path / "ours.jsonl", written)
    references = References("dmid", scored, "clean", "test", hashes={"dataset": "h", "split": "s"}, root=tmp_path)
    options = ScoringOptions("ours", resamples=20, provenance=TrainingProvenance(sets=(record,)))
    first = score_submission(load_submission(tmp_path / "ours.jsonl", references), tmp_path / "run", options)
    assert first.trained_on is not None
    assert [overlap.count for overlap in first.trained_on.overlaps] == [1]
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    itself = read_references(tmp_path / "run")
    assert dict(itself.hashes) == {"dataset": "h", "split": "s"}
    again = score_submission(
        load_submission(tmp_path / "run", itself), tmp_path / "run", ScoringOptions("ours", resamples=20)
    )
    assert again.trained_on == first.trained_on
    assert json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8")) == manifest


def test_the_command_states_it_and_ends_as_a_leak_does(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"id": c.key, "text": c.text, "group": c.group}) + "\n" for c in CASES)
    (tmp_path / "DMID.jsonl").write_text(rows, encoding="utf-8")
    (tmp_path / "ours.jsonl").write_text(rows, encoding="utf-8")
    files = [str(tmp_path / "ours.jsonl"), "--references", str(tmp_path / "DMID.jsonl"), "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, ["benchmark", "score", *files, "--trained-on", "MammoVQA"])
    assert done.exit_code == Exit.LEAK, done.output
    assert "amrg: note: the model was trained on MammoVQA, which holds it: these are cases of dmid" in done.stderr
    scores = Scores.model_validate_json((tmp_path / "run" / "scores.json").read_bytes())
    assert scores.trained_on is not None
    assert scores.trained_on.overlaps == (TrainingOverlap(training="MammoVQA", data_set="dmid"),)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "are, or may be, among those that the model was trained on" in page
    again = ["benchmark", "score", str(tmp_path / "run"), "--references", str(tmp_path / "run")]
    assert CliRunner().invoke(app, [*again, "--out", str(tmp_path / "run")]).exit_code == Exit.LEAK  # it is stored
    other = CliRunner().invoke(app, ["benchmark", "score", *files[:-1], str(tmp_path / "no"), "--trained-on", "CMMD"])
    assert other.exit_code == Exit.OK, other.output


def test_the_embedded_model_states_which_films_it_was_trained_on() -> None:
    phantom, *real = provenance_of(load_model()).sets
    assert phantom.name == "phantom"
    assert [of.name for of in real] == ["cbis-ddsm", "cdd-cesm"]
    assert all(of.n == len(of.digests.images) > 0 for of in real)


def test_a_merged_export_and_an_unfinished_run_state_what_is_known_of_them(tmp_path: Path) -> None:
    own, of_base = TrainingSet(name="dmid", split="clean", n=6), TrainingSet(name="cbis-ddsm", n=3)
    run = {"data": {"name": "dmid", "split": "clean"}, "recipe": {"base": "google/medgemma-4b-it"}}
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    unfinished = provenance_at([tmp_path])
    assert unfinished.sets[0] == TrainingSet(name="dmid", split="clean")
    assert "google/medgemma-4b-it" in unfinished.unknown[0]
    (tmp_path / "training.json").write_text(json.dumps({"trained_on": own.model_dump(mode="json")}), encoding="utf-8")
    card = model_card().model_copy(update={"trained_on": (own, of_base)})
    (tmp_path / "card.json").write_text(card.model_dump_json(), encoding="utf-8")
    assert provenance_at([tmp_path]).sets == (own, of_base)


def test_an_adapter_states_its_training_set_and_its_base(tmp_path: Path) -> None:
    record = TrainingSet(name="dmid", split="clean", n=6, digests=digests_of(CASES[:6], None))
    document = {"trained_on": record.model_dump(mode="json"), "base": "google/medgemma-4b-it"}
    (tmp_path / "training.json").write_text(json.dumps(document), encoding="utf-8")
    found = provenance_of(replace(load_model(), adapter=tmp_path, folder=None))
    assert found.sets[0] == record
    assert {of.name for of in found.sets[1:]} == set(PUBLISHED["google/medgemma-4b-it"].names)
    assert "says there are more" in found.unknown[0]
    (tmp_path / "training.json").write_text('{"trained_on": {"names": 3}}', encoding="utf-8")
    with pytest.raises(ModelError, match="`trained_on` is damaged"):
        provenance_of(replace(load_model(), adapter=tmp_path, folder=None))
