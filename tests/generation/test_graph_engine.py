"""The graph engine drafts what the engine of torch drafts, token for token, and nothing of it spins."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amrg.birads import AnswerForm, View
from amrg.generation.drafting import prepare
from amrg.generation.engines.base import DRAFTED, GREEDY, Engine, Request
from amrg.generation.engines.graph import GraphEngine, load_graph_engine
from amrg.generation.engines.loading import load_engine
from amrg.generation.engines.local import load_engine as load_local
from amrg.imaging import read_studies
from amrg.models.graph.decoder import DecoderState
from amrg.phantom import Size, draw_exam, write_exam
from tests.models.tiny import tiny_embedded

SEEDS = (1_000_001, 1_000_004)


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> list[Request]:
    """Exams of four views, one of eight and one of two."""
    made = []
    for seed in SEEDS:
        folder = tmp_path_factory.mktemp(f"exam-{seed}")
        write_exam(draw_exam(seed, Size.SMALL), folder)
        (study,) = read_studies(folder).studies
        made.append(prepare(study, load_graph_engine().settings).request)
    first, second = made
    more = [(side, {View.CC: View.XCCL, View.MLO: View.ML}[view]) for side, view in second.views]
    eight = Request((*first.views, *more), (*first.images, *second.images))
    return [*made, eight, Request(first.views[:2], first.images[:2])]


@pytest.mark.parametrize("answer", AnswerForm)
def test_drafts_are_those_of_torch(requests: list[Request], answer: AnswerForm) -> None:
    graph, local = load_graph_engine(answer=answer), load_local(answer=answer)
    assert graph.identity == local.identity
    assert graph.settings == local.settings
    for found, expected in zip(graph.generate(requests), local.generate(requests), strict=True):
        assert found.text == expected.text
        assert found.features is not None
        assert expected.features is not None
        assert found.features.suspicion == pytest.approx(expected.features.suspicion, abs=1e-5)
        for ours, theirs in zip(found.features.candidates, expected.features.candidates, strict=True):
            assert [c.edges for c in ours] == [pytest.approx(c.edges, abs=1e-3) for c in theirs]
            assert np.allclose([c.kinds for c in ours], [c.kinds for c in theirs], atol=1e-5)
        assert found.domain is not None
        assert expected.domain is not None
        assert found.domain.distance == pytest.approx(expected.domain.distance, rel=1e-4)


def test_an_answer_that_is_cut_says_so_in_both_engines(requests: list[Request]) -> None:
    graph, local = load_graph_engine(), load_local()
    short = graph.settings.model_copy(update={"max_new_tokens": 9})
    cut_graph, cut_local = replace(graph, settings=short), replace(local, loaded=replace(local.loaded, settings=short))
    assert {made.cut_at for engine in (graph, local) for made in engine.generate(requests[-1:])} == {None}
    assert {made.cut_at for engine in (cut_graph, cut_local) for made in engine.generate(requests[-1:])} == {9}


def test_phrases_save_most_readings_of_the_model_and_change_nothing(
    requests: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load_graph_engine()
    plain = replace(engine, model=replace(engine.model, phrases=None))
    assert (engine.decoding, load_local().decoding, plain.decoding) == (DRAFTED, DRAFTED, GREEDY)
    counts: list[int] = []
    advance = DecoderState.advance

    def counted(self: DecoderState, tokens: Sequence[int]) -> list[int]:
        counts.append(len(tokens))
        return advance(self, tokens)

    monkeypatch.setattr(DecoderState, "advance", counted)
    texts = [generation.text for generation in engine.generate(requests)]
    readings = len(counts)
    assert [generation.text for generation in plain.generate(requests)] == texts
    assert set(counts[readings:]) == {1}
    assert readings * 2 < len(counts) - readings


def test_a_checkpoint_without_a_graph_is_computed_by_torch(tmp_path: Path) -> None:
    other: Engine = load_engine(str(tiny_embedded(tmp_path)))
    assert isinstance(load_engine(), GraphEngine)
    assert load_engine(max_batch=4).notes == (
        "--batch-size has no effect on a model with a graph, which drafts one study after another",
    )
    assert not isinstance(other, GraphEngine)


ALONE = """
import os, sys, time
import numpy as np
from amrg.birads import Laterality, View
from amrg.generation.engines.base import Request
from amrg.generation.engines.loading import load_engine

view = np.zeros((512, 512, 3), np.uint8)
views = ((Laterality.RIGHT, View.CC), (Laterality.LEFT, View.CC))
list(load_engine().generate([Request(views, (view, view))]))
before = os.times()
time.sleep(1)
after = os.times()
print(*({"torch", "transformers", "peft"} & set(sys.modules)), after.user + after.system - before.user - before.system)
"""


def test_a_draft_needs_no_torch_and_no_thread_waits_in_a_loop_after_it() -> None:
    asked = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    script = [sys.executable, "-c", ALONE]
    done = subprocess.run(script, env=asked | {"AMRG_NUM_THREADS": "2"}, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.1  # seconds of processor time in the second after it
