"""From a split to samples: as drafting asks, no test case opened, no case lost in silence, nothing computed twice."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from amrg.birads import AnswerForm, Style, parse, render
from amrg.core import processes
from amrg.datasets import Case, Dataset, import_dataset, importer_of, open_dataset, study_of
from amrg.datasets.training_set import case_digest
from amrg.models import Channels, ViewEncoding
from amrg.models.backbones.base import Images, Modules, Views
from amrg.models.backbones.gemma3 import Gemma3
from amrg.models.load import load_base
from amrg.training.data import examples
from amrg.training.data.base_model import DTYPES
from amrg.training.data.examples import ExampleReader, FramingJob, as_tensors, build_examples, from_tensors, target_text
from amrg.training.data.prepared import DataSource, prepare
from amrg.training.errors import TuningError
from amrg.training.recipe import Lora, OmittableFact, Precision, Quantization, Recipe, TargetText
from tests.datasets.fixtures import dataset_of
from tests.datasets.replicas import dmid_replica, dmid_texts
from tests.training.exams import TRAIN, VALIDATION, drawn, prepared, split_as, tiny_recipe


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> DataSource:
    return drawn(tmp_path_factory.mktemp("exams"))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return tiny_recipe(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def cache(source: DataSource, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that was filled once."""
    folder = tmp_path_factory.mktemp("cache")
    prepared(recipe, source, folder)
    return folder


def folders(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()}


def refuse(*_: object) -> None:
    raise AssertionError("asked again for what is stored")


def test_samples_are_asked_as_drafting_asks_and_answer_with_the_text(
    source: DataSource, recipe: Recipe, cache: Path
) -> None:
    made, dataset = prepared(recipe, source, cache), open_dataset(source.data)
    keys = dataset.keys()
    assert [sample.key for sample in made.train] == [*keys[:TRAIN]]
    assert [sample.key for sample in made.validation] == [*keys[TRAIN:VALIDATION]]
    loaded = load_base(recipe.base)
    tokenizer = loaded.processor.tokenizer
    for sample in made.train:
        case = dataset.case(sample.key)
        views, pictures = FramingJob(case, dataset.root, loaded.settings.encoding).images()
        requested = loaded.backbone.build_prompt(loaded.processor, loaded.settings, views, pictures)
        assert all(torch.equal(column, requested.tokens[name]) for name, column in sample.prompt.items())
        assert sample.prompt.keys() == requested.tokens.keys()
        assert (sample.text, sample.reference) == (case.text, case.reference)
        assert tokenizer.decode(sample.answer) == case.text.strip() + "<end_of_turn>"
    assert [f"{side}{view}" for side, view in views] == ["RCC", "LCC", "RMLO", "LMLO"]
    used = made.data
    assert (used.n_train, used.n_validation, used.split) == (TRAIN, VALIDATION - TRAIN, "some")
    assert (used.dataset_hash, used.split_hash) == (dataset.info.hash, dataset.split("some").hash)


def test_no_example_says_that_there_is_nothing_where_that_is_not_known(tmp_path: Path) -> None:
    rows = [
        "read,,A mass is in the left breast. BI-RADS 4.,",
        "german,,Kein Herdbefund beidseits. BI-RADS 1.,",
        "graded,,,5",
    ]
    (tmp_path / "cases.csv").write_text("\n".join(["id,files,text,birads", *rows]), encoding="utf-8")
    list(import_dataset(importer_of("generic"), tmp_path, tmp_path / "data"))
    dataset = open_dataset(tmp_path / "data")
    for target in (TargetText.CLINICAL, TargetText.DMID, TargetText.IMPRESSION_FIRST, TargetText.CESM):
        made, skipped = build_examples(dataset, dataset.keys(), Recipe(target_text=target), AnswerForm.NARRATIVE)
        assert [example.key for example in made] == ["read", "graded"]
        assert skipped == [("german", "its report was not read: not English (German): not read")]
        assert "finding" not in made[1].text.lower()
        assert "5" in made[1].text
    made, skipped = build_examples(dataset, dataset.keys(), Recipe(), AnswerForm.NARRATIVE)
    assert [example.key for example in made] == [*dataset.keys()]
    assert skipped == []


def test_the_words_are_published_or_rendered_and_the_facts_stay_the_same(tmp_path: Path, recipe: Recipe) -> None:
    list(import_dataset(importer_of("dmid"), dmid_replica(tmp_path / "dmid", 4, 4), tmp_path / "data"))
    dataset = open_dataset(tmp_path / "data")
    keys = dataset.keys()
    split_as(dataset, "hand", (keys[:2], keys[2:3], keys[3:]))
    source = DataSource(dataset.folder, "hand")
    made = {words: prepared(recipe.model_copy(update={"target_text": words}), source, tmp_path) for words in TargetText}
    texts = {words: [sample.text for sample in made[words].train] for words in TargetText}
    references = [dataset.case(key).reference for key in keys[:2]]
    assert texts[TargetText.PUBLISHED] == [text for _, text in sorted(dmid_texts().items())][:2]
    assert texts[TargetText.CLINICAL] == [render(reference, Style.CLINICAL) for reference in references]
    assert texts[TargetText.DMID] == [render(reference, Style.DMID) for reference in references]
    assert [parse(text).report.stated() for text in texts[TargetText.DMID]] == [r.stated() for r in references]


def test_what_is_left_untold_is_in_no_rendered_text(source: DataSource) -> None:
    reported = (
        "INDICATION: Screening mammogram.\nTECHNIQUE: Mammography, BI-RADS 5th edition.\nFINDINGS:\n"
        "Left breast, upper outer quadrant: oval mass, 9 mm, on CC and MLO views (BI-RADS 3).\n"
        "IMPRESSION:\nLeft breast: BI-RADS 3.\n"
    )
    dataset = open_dataset(source.data)
    case = dataset.case(dataset.keys()[0]).model_copy(update={"reference": parse(reported).report})
    assert target_text(case, Recipe(target_text=TargetText.CLINICAL)) == reported
    assert target_text(case, Recipe(target_text=TargetText.CLINICAL, omit=tuple(OmittableFact))) == (
        "TECHNIQUE: Mammography, BI-RADS 5th edition.\nFINDINGS:\n"
        "Left breast, upper outer quadrant: oval mass (BI-RADS 3).\nIMPRESSION:\nLeft breast: BI-RADS 3.\n"
    )
    with pytest.raises(ValueError, match="omit: a published text is used unchanged"):
        Recipe(target_text=TargetText.PUBLISHED, omit=(OmittableFact.SIZES,))


def test_the_test_part_is_never_opened(
    source: DataSource, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(source.data, tmp_path / "data")
    dataset = open_dataset(tmp_path / "data")
    test = dataset.split("some").test
    opened: set[str] = set()
    case_of = Dataset.case

    def noted(self: Dataset, key: str) -> Case:
        opened.add(key)
        return case_of(self, key)

    def never_test(case: Case, root: Path) -> object:
        assert case.key not in test
        return study_of(case, root)

    monkeypatch.setattr(Dataset, "case", noted)
    monkeypatch.setattr(Dataset, "cases", refuse)
    monkeypatch.setattr(examples, "study_of", never_test)
    made = prepared(recipe, DataSource(tmp_path / "data", "some"), tmp_path / "cache")
    assert opened == set(dataset.keys()) - set(test)
    assert test
    assert made.trained_on is not None
    digests = made.trained_on.digests
    assert (made.trained_on.name, made.trained_on.n, len(digests.cases)) == ("phantom", len(opened), len(opened))
    assert len(digests.images) == 4 * len(opened)  # of every view, by the bytes of its file
    assert not set(digests.cases) & {case_digest(case_of(dataset, key)) for key in test}


@pytest.mark.parametrize("channels", Channels)
def test_pictures_come_back_from_the_store_as_they_were(channels: Channels, source: DataSource) -> None:
    dataset = open_dataset(source.data)
    encoding = ViewEncoding(size=48, channels=channels)
    views, pictures = FramingJob(dataset.case(dataset.keys()[0]), dataset.root, encoding).images()
    stored = as_tensors(views, pictures)
    assert stored["images"].shape == (4, 48, 48, 1 if channels is Channels.GREY else 3)
    again = from_tensors(stored)
    assert again[0] == views
    assert all(np.array_equal(a, b) and b.flags["C_CONTIGUOUS"] for a, b in zip(pictures, again[1], strict=True))


def test_several_processes_read_what_one_reads(source: DataSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_SPAWN", get_context("fork"))  # not spawned as in use, which takes seconds
    dataset = open_dataset(source.data)
    cases = {case.key: case for case in dataset.cases()}
    broken = dataset.keys()[1]
    cases[broken] = cases[broken].model_copy(update={"images": ()})
    readers = [ExampleReader(cases, dataset.root, ViewEncoding(size=32), workers) for workers in (1, 2)]
    one, two = (list(reader.read(tuple(cases))) for reader in readers)
    assert readers[0].unreadable == readers[1].unreadable
    assert readers[0].unreadable.keys() == {broken}
    assert readers[0].unreadable[broken].startswith("the case has no image")  # its key is stated once
    assert [found is None for found in one] == [key == broken for key in cases]
    assert all(a is b or (a and b and all(torch.equal(a[n], b[n]) for n in a)) for a, b in zip(one, two, strict=True))


@dataclass(frozen=True)
class Crashing(FramingJob):
    """A case whose images end the processes that read them: the first `times` of them."""

    marks: Path = Path()
    times: int = 0

    def images(self) -> tuple[Views, Images]:
        mark = self.marks / str(len(list(self.marks.iterdir())))
        if int(mark.name) < self.times:
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().images()


@pytest.mark.parametrize("times", [1, 2])
def test_a_case_that_ends_its_process_is_read_once_more_and_costs_no_other(
    times: int, source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_SPAWN", get_context("fork"))
    dataset, encoding = open_dataset(source.data), ViewEncoding(size=32)
    jobs: list[FramingJob] = [FramingJob(case, dataset.root, encoding) for case in dataset.cases()]
    jobs[1] = Crashing(jobs[1].case, dataset.root, encoding, tmp_path, times)
    found = list(examples._run(jobs, 2))
    read = [not isinstance(one, str) for one in found]
    assert read == [times == 1 or number != 1 for number in range(len(jobs))]
    if times == 2:
        assert found[1] == f"{jobs[1].case.key}: its images ended two processes that read them (signal 9)"


@pytest.mark.parametrize("modules", [Modules.LANGUAGE, Modules.PROJECTOR, Modules.TOWER])
def test_a_second_call_computes_nothing(
    modules: Modules, source: DataSource, recipe: Recipe, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = recipe.model_copy(update={"lora": Lora(modules=modules)})
    first = prepared(tuned, source, cache)
    before = folders(cache)
    for name in ("features", "image_tokens"):
        monkeypatch.setattr(Gemma3, name, refuse)
    monkeypatch.setattr(examples, "study_of", refuse)
    again = prepare(tuned, source, cache, refuse)
    assert folders(cache) == before
    for one, other in zip(first.train, again.train, strict=True):
        assert one.answer == other.answer
        pairs = zip(first.features.of(one.key), again.features.of(one.key), strict=True)
        assert all(torch.equal(a[name], b[name]) for a, b in pairs for name in a)


def test_broken_off_it_goes_on_where_it_was(source: DataSource, recipe: Recipe, cache: Path, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    reported: list[tuple[str, int, int]] = []

    def stopping(at: int) -> Callable[[str, int, int], None]:
        def progress(what: str, done: int, of: int) -> None:
            reported.append((what, done, of))
            if len(reported) == at:
                raise Stopped

        return progress

    for at in (3, 15, 20):
        with pytest.raises(Stopped):
            prepare(recipe, source, tmp_path, stopping(at))
    prepare(recipe, source, tmp_path, stopping(0))
    stored = [{p.relative_to(c): p.read_bytes() for p in c.rglob("*.safetensors")} for c in (tmp_path, cache)]
    assert stored[0] == {path: stored[1][path] for path in stored[0]}
    assert reported[-1] == ("computing image tokens", VALIDATION, VALIDATION)
    assert {what for what, _, _ in reported} == {"reading images", "building prompts", "computing image tokens"}


def test_cases_without_picture_or_text_are_named_and_the_rest_is_learned(
    source: DataSource, recipe: Recipe, tmp_path: Path
) -> None:
    shutil.copytree(open_dataset(source.data).root, tmp_path / "drawn")
    cases = list(open_dataset(source.data).cases())
    cases[1] = cases[1].model_copy(update={"text": " \n"})
    (tmp_path / "drawn" / cases[2].images[1].file).write_bytes(b"no picture")
    cases[4] = cases[4].model_copy(update={"images": ()})
    dataset = dataset_of(tmp_path / "drawn", cases)
    keys = dataset.keys()
    split_as(dataset, "some", (keys[:TRAIN], keys[TRAIN:VALIDATION], keys[VALIDATION:]))
    made = prepared(recipe, DataSource(dataset.folder, "some"), tmp_path / "cache")
    assert [sample.key for sample in (*made.train, *made.validation)] == [keys[0], keys[3], keys[5]]
    assert (made.data.n_train, made.data.n_validation) == (2, 1)
    reasons = dict(made.skipped)
    assert list(reasons) == [keys[1], keys[2], keys[4]]
    assert "no text" in reasons[keys[1]]
    assert "not DICOM" in reasons[keys[2]]
    assert "no image" in reasons[keys[4]]


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_part_in_which_no_case_is_left_is_refused(part: str, source: DataSource, recipe: Recipe, cache: Path) -> None:
    dataset = open_dataset(source.data)
    keys = dataset.keys()
    name = f"no-{part}"
    split_as(dataset, name, ((), keys[:2], keys[2:]) if part == "train" else (keys[:2], (), keys[2:]))
    with pytest.raises(TuningError, match=f"{name} has no usable case in its part {part}"):
        prepared(recipe, DataSource(source.data, name), cache)


def test_prompts_that_are_too_long_are_all_named_before_anything_is_computed(
    source: DataSource, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gemma3, "features", refuse)
    keys = open_dataset(source.data).keys()
    with pytest.raises(TuningError) as raised:
        prepared(recipe.model_copy(update={"max_image_tokens": 15}), source, tmp_path)
    assert str(raised.value).startswith("6 cases have more image tokens than max_image_tokens=15: ")
    named = [key for key in keys if f"{key} (16)" in str(raised.value)]
    assert named == [*keys[:VALIDATION]]
    monkeypatch.undo()
    assert prepared(recipe.model_copy(update={"max_image_tokens": 16}), source, tmp_path).train


def test_trials_of_one_base_share_what_is_seen(source: DataSource, recipe: Recipe, cache: Path) -> None:
    before = folders(cache)
    other = {
        "lora": Lora(rank=4, alpha=64, dropout=0.5, use_dora=True),
        "seed": 7,
        "learning_rate": 1.0,
        "steps": 3,
        "batch_size": 2,
    }
    trial = recipe.model_copy(update=other)
    prepared(trial, source, cache)
    assert folders(cache) == before


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({"precision": Precision.BFLOAT16}, {"image-tokens"}),
        ({"lora": Lora(modules=Modules.PROJECTOR)}, {"features"}),
        ({"lora": Lora(modules=Modules.TOWER)}, set()),
        ({"target_text": TargetText.DMID}, set()),
        ({"target_text": TargetText.CLINICAL, "omit": (OmittableFact.SIZES,)}, set()),
        ({"instruction": "Report briefly."}, {"prompts"}),
        ({"encoding": ViewEncoding(size=64)}, {"images", "prompts", "image-tokens"}),
    ],
)
def test_what_is_computed_otherwise_lies_elsewhere(
    change: dict[str, object], kinds: set[str], source: DataSource, recipe: Recipe, tmp_path: Path
) -> None:
    prepared(recipe, source, tmp_path)
    settings = load_base(recipe.base).settings
    if change.keys() & {"instruction", "encoding"}:
        change = {"settings": settings.model_copy(update=change)}
    before, changed = folders(tmp_path), recipe.model_copy(update=change)
    made = prepared(changed, source, tmp_path)
    assert {name.rsplit("-", 1)[0] for name in folders(tmp_path) - before} == kinds
    assert made.loaded.settings == (changed.settings or settings)
    assert made.loaded.model.dtype == DTYPES[changed.precision]


def test_four_bits_are_refused_where_they_cannot_be_had(recipe: Recipe, source: DataSource, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(TuningError, match="quantization=nf4 needs CUDA and bitsandbytes"):
        prepared(recipe.model_copy(update={"quantization": Quantization.NF4}), source, tmp_path)


def test_too_little_memory_to_see_is_one_line(
    source: DataSource, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def see(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("amrg.training.data.case_stores.encode_images", see)
    with pytest.raises(TuningError, match=r"memory ran out; set precision=bfloat16.*encoding\.size") as raised:
        prepared(recipe, source, tmp_path)
    assert "\n" not in str(raised.value)


def test_the_base_is_frozen_and_a_changed_processor_is_another_base(
    recipe: Recipe, source: DataSource, cache: Path, tmp_path: Path
) -> None:
    model = prepared(recipe, source, cache).loaded.model
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    shutil.copytree(recipe.base, tmp_path / "base")
    template = tmp_path / "base" / "chat_template.jinja"
    template.write_text(template.read_text().replace("'model'", "'writer'"))
    before = folders(cache)
    prepared(recipe.model_copy(update={"base": str(tmp_path / "base")}), source, cache)
    assert {name.rsplit("-", 1)[0] for name in folders(cache) - before} == {"prompts", "image-tokens"}
