"""What holds for every test: no clock decides whether it passes."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings
from markupsafe import Markup

# Hypothesis would fail an example that takes 200 ms and a test whose examples are slow to draw: both are times, which
# belong to the machine. Derandomised, so that every machine sees the same examples.
settings.register_profile("amrg", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("amrg")

# `ATEN_CPU_CAPABILITY` chooses torch's own kernels and leaves oneDNN at what the processor can do: with AVX-512 there,
# bfloat16 attention is then sent to a kernel that was not chosen. A lesser processor is imitated in both.
ONEDNN_ISA = {"default": "SSE41", "avx2": "AVX2"}
if (isa := ONEDNN_ISA.get(os.environ.get("ATEN_CPU_CAPABILITY", ""))) is not None:
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", isa)


# An activated environment has programs named as DCMTK's are (pynetdicom's `storescu`): partners are DCMTK's.
_OWN = str(Path(sys.executable).parent)
os.environ["PATH"] = os.pathsep.join([*(p for p in os.environ["PATH"].split(os.pathsep) if p != _OWN), _OWN])

RAY_STORE = 80 * 2**20  # bytes of a node's object store


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on the Ray cluster come last: its nodes compute for as long as they are there, used or not."""
    items.sort(key=lambda item: "cluster" in getattr(item, "fixturenames", ()))


def pytest_collection_finish() -> None:
    """What was imported stays until the end: no collection of garbage looks through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A Ray cluster of two nodes on this machine, one for all tests: it takes long to start."""
    pytest.importorskip("ray", reason="Ray is an extra: pip install 'amrg[ray]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        head = {"num_cpus": 1, "object_store_memory": RAY_STORE, "include_dashboard": False}
        nodes: Any = import_module("ray.cluster_utils").Cluster(initialize_head=True, head_node_args=head)
        nodes.add_node(num_cpus=1, object_store_memory=RAY_STORE)
        yield nodes
        nodes.shutdown()


@pytest.fixture
def doomed_node(cluster: Any) -> Iterator[Callable[[], None]]:
    """A third node of the cluster; call it to kill it."""
    node = cluster.add_node(num_cpus=1, object_store_memory=RAY_STORE)
    killed: list[Any] = []

    def kill() -> None:
        if not killed:
            killed.append(node)
            cluster.remove_node(node, allow_graceful=False)

    yield kill
    kill()


@pytest.fixture
def no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Summaries of runs without charts, which cost more than a tiny run; tests/training/test_summary.py draws them."""
    monkeypatch.setattr("amrg.training.outputs.summary.draw_charts", lambda *_: {})


@pytest.fixture(scope="module")
def no_page_charts() -> Iterator[None]:
    """A module's run pages without charts, half of a small run's cost; tests/benchmark/test_run_page.py has them."""
    with pytest.MonkeyPatch.context() as patch:
        for draw in ("skill_bars", "forest", "confusion_matrix"):
            patch.setattr(f"amrg.benchmark.pages.charts.{draw}", lambda *_: Markup(""))
        yield


@pytest.fixture
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same algorithm with little memory, so that tests which log in often are fast."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("amrg.service.accounts._HASHER", cheap)
    monkeypatch.setattr("amrg.service.accounts._NOBODY", cheap.hash("a password that nobody has"))
