"""Stored tensors: bit for bit as they were, bound to what they are of, whole however often the writer is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from amrg.core.values import Value
from amrg.models.backbones.base import Tensors
from amrg.training.data import tensor_store as stores
from amrg.training.data.tensor_store import TensorStore
from amrg.training.errors import TuningError


class Of(Value):
    """What the stores of these tests are of."""

    name: str = "counted"


KEYS = tuple(f"case {i}\nof/ü" for i in range(24))
SHARD = 500  # bytes: two keys a shard


def made(key: str) -> Tensors:
    """Some tensors of a key, of several kinds and shapes."""
    number = KEYS.index(key)
    whole = torch.arange(number, number + 64, dtype=torch.float32) / 3
    return {
        "halves": whole.to(torch.bfloat16).reshape(8, 8),
        "cut.from one": whole[:20].reshape(4, 5).T,  # neither contiguous nor with memory of its own
        "none": torch.zeros(0, 3, dtype=torch.int64),
    }


each = partial(map, made)


def silent(done: int, of: int) -> None:
    """Says nothing."""


def filled(folder: Path, make: Callable[[str], Tensors | None] = made) -> TensorStore:
    store = TensorStore(folder, Of(), SHARD)
    store.fill(KEYS, partial(map, make), silent)
    return store


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("shard-*"))}


def same(one: Tensors, other: Tensors) -> bool:
    """Names, kinds, shapes and bits."""
    return one.keys() == other.keys() and all(
        t.dtype == other[n].dtype and torch.equal(t, other[n]) for n, t in one.items()
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    filled(folder)
    return folder


def test_what_is_read_is_what_was_stored(whole: Path) -> None:
    store = TensorStore(whole, Of())
    assert all(same(store.read(key), made(key)) for key in KEYS)
    assert len(shards(whole)) == len(KEYS) // 2
    assert "another" not in store
    with pytest.raises(TuningError, match="another"):
        store.read("another")


def test_nothing_is_computed_twice(whole: Path) -> None:
    requested: list[str] = []
    reported: list[tuple[int, int]] = []
    store = TensorStore(whole, Of(), SHARD)
    store.fill(KEYS, partial(map, requested.append), lambda *done: reported.append(done))
    assert (requested, reported) == ([], [])


def test_a_key_without_tensors_stays_absent_and_progress_counts_it(tmp_path: Path) -> None:
    reported: list[tuple[int, int]] = []
    store = TensorStore(tmp_path, Of())
    store.fill(KEYS[:2], each, silent)
    store.fill(KEYS[:4], lambda keys: (None if k == KEYS[2] else made(k) for k in keys), lambda *d: reported.append(d))
    assert reported == [(3, 4), (4, 4)]
    assert [key in store for key in KEYS[:5]] == [True, True, False, True, False]


def test_broken_off_anywhere_it_ends_with_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def until(last: int) -> Callable[[str], Tensors]:
        def make(key: str) -> Tensors:
            if key == KEYS[last]:
                raise Stopped
            return made(key)

        return make

    for last in (0, 1, 2, 7, 20, 23):
        with pytest.raises(Stopped):
            filled(tmp_path, until(last))
    filled(tmp_path)
    assert shards(tmp_path) == shards(whole)


def forked(act: Callable[[], object]) -> Any:
    """Another process that does something."""
    process = get_context("fork").Process(target=act)
    process.start()
    return process


def kill() -> None:
    """As a machine that goes down: nothing is closed, nothing is tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(key: str) -> Callable[[Path], object]:
    """Fills, and is killed while it computes a key."""
    return lambda folder: filled(folder, lambda k: kill() if k == key else made(k))


def killed_writing(share: float, times: int) -> Callable[[Path], object]:
    """Fills, and is killed when so much of its shard number `times` is written, all of it too."""

    def act(folder: Path) -> None:
        written = count(1)

        def half_written(flat: Tensors, path: Path, metadata: dict[str, str]) -> None:
            save_file(flat, path, metadata)
            if next(written) == times:
                path.write_bytes(path.read_bytes()[: round(share * path.stat().st_size)])
                kill()

        vars(stores)["save_file"] = half_written  # in the process that is to die
        filled(folder)

    return act


def test_killed_at_any_moment_it_loses_no_whole_shard(whole: Path, tmp_path: Path) -> None:
    expected, saved = shards(whole), []
    deaths = (killed_at(KEYS[0]), killed_writing(0.5, 2), killed_at(KEYS[5]), killed_writing(1, 1), killed_at(KEYS[23]))
    for death in deaths:
        process = forked(partial(death, tmp_path))
        process.join()
        assert process.exitcode == -signal.SIGKILL
        found = {name: held for name, held in shards(tmp_path).items() if name.endswith(".safetensors")}
        assert found == {name: expected[name] for name in found}
        saved.append(len(found))
    assert saved == [0, 1, 2, 2, 11]
    filled(tmp_path)
    assert shards(tmp_path) == expected


def test_one_fills_while_another_waits_and_reads(whole: Path, tmp_path: Path) -> None:
    computed = tmp_path / "computed"

    def slowly(key: str) -> Tensors:
        time.sleep(0.002)
        with computed.open("a") as lines:
            lines.write("one\n")
        return made(key)

    started = [forked(partial(filled, tmp_path, slowly)) for _ in range(3)]
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0, 0, 0]
    assert len(computed.read_text().splitlines()) == len(KEYS)
    assert shards(tmp_path) == shards(whole)


def test_a_store_of_something_else_is_refused_and_lies_in_another_folder(tmp_path: Path) -> None:
    one, other = (TensorStore.under(tmp_path, "features", Of(name=name)) for name in ("one", "other"))
    one.fill(KEYS[:2], each, silent)
    assert KEYS[0] not in other
    assert KEYS[0] in TensorStore.under(tmp_path, "features", Of(name="one"))
    with pytest.raises(TuningError, match=r"fingerprint\.json"):
        TensorStore(one.folder, Of(name="other"))
    next(one.folder.glob("shard-*")).rename(other.folder / "shard-00000.safetensors")
    with pytest.raises(TuningError, match="fingerprint differs"):
        TensorStore(other.folder, Of(name="other"))


def test_a_shard_that_is_not_whole_is_named(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / "shard-00003.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    copied = tmp_path.rename(tmp_path.with_name("copied"))
    with pytest.raises(TuningError, match=r"shard-00003\.safetensors.*remove it"):
        TensorStore(copied, Of())


def test_a_shard_that_was_removed_is_made_again_beside_the_others(tmp_path: Path) -> None:
    filled(tmp_path)
    before = shards(tmp_path)
    (tmp_path / "shard-00001.safetensors").unlink()
    store = filled(tmp_path)
    after = shards(tmp_path)
    assert after.keys() == before.keys() - {"shard-00001.safetensors"} | {f"shard-{len(before):05d}.safetensors"}
    assert all(after[name] == held for name, held in before.items() if name in after)
    for opened in (store, TensorStore(tmp_path, Of())):
        assert all(same(opened.read(key), made(key)) for key in KEYS)


def test_a_shard_that_was_made_again_under_its_old_name_is_read_anew(tmp_path: Path) -> None:
    filled(tmp_path)
    sorted(tmp_path.glob("shard-*"))[-1].unlink()
    store = filled(tmp_path, lambda key: {name: tensor + 1 for name, tensor in made(key).items()})
    assert same(store.read(KEYS[-1]), {name: tensor + 1 for name, tensor in made(KEYS[-1]).items()})
    assert same(store.read(KEYS[0]), made(KEYS[0]))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_said_and_costs_nothing_that_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TensorStore(tmp_path, Of(), SHARD)
    store.fill(KEYS[:4], each, silent)

    def no_room(*_: object) -> None:
        Path("/dev/full").write_bytes(b"tensors")

    with monkeypatch.context() as patched:
        patched.setattr("amrg.training.data.tensor_store.save_file", no_room)
        with pytest.raises(TuningError, match=r"No space left.*free some space"):
            store.fill(KEYS, each, silent)
    assert [key for key in KEYS if key in store] == [*KEYS[:4]]
    store.fill(KEYS, each, silent)
    assert same(store.read(KEYS[-1]), made(KEYS[-1]))
