"""Install amrg with each of its extras into an environment of its own, and import every module that this is enough for.

Run as `python scripts/check_install.py` (`make check-install`); needs a package index. An environment for development
has the packages of all extras, and of the tests: it cannot show that one is missing from `pyproject.toml`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = ("", "service", "serving")
NEEDS = {"amrg.service.": "service", "amrg.generation.engines.openai_": "serving"}
"""Modules by the beginning of their names, and the extra that they need."""
RUN_BY_OTHERS = ("amrg.service.database.env", "amrg.service.migrations.")  # by Alembic
LISTED = """
import json, pkgutil, sys, amrg
print(json.dumps([m.name for m in pkgutil.walk_packages(amrg.__path__, "amrg.", onerror=lambda name: None)]))
"""
IMPORTED = """
import importlib, json, sys
for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}")
"""


def missing(folder: Path, extra: str) -> list[str]:
    """What cannot be imported where amrg is installed with an extra."""
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    wanted = f"{ROOT}[{extra}]" if extra else str(ROOT)
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--constraint",
        ROOT / "requirements.lock",
        wanted,
    ]
    subprocess.run(install, check=True)
    listed = subprocess.run([python, "-c", LISTED], check=True, capture_output=True, text=True, cwd=folder)
    names = [name for name in json.loads(listed.stdout) if is_enough(name, extra)]
    imported = subprocess.run(
        [python, "-c", IMPORTED], input=json.dumps(names), check=True, capture_output=True, text=True, cwd=folder
    )
    sys.stdout.write(f"amrg{f'[{extra}]' if extra else ''}: {len(names)} modules\n{imported.stdout}")
    return imported.stdout.splitlines()


def is_enough(name: str, extra: str) -> bool:
    """Whether a module should be importable with an extra."""
    if name.endswith("__main__") or name.startswith(RUN_BY_OTHERS):
        return False
    return all(extra == needed for start, needed in NEEDS.items() if name.startswith(start))


def main() -> int:
    """One environment after the other; 1 where something is missing."""
    found = []
    for extra in EXTRAS:
        with tempfile.TemporaryDirectory() as folder:
            found += missing(Path(folder), extra)
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
