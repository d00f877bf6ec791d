"""The house: one-way imports, small functions, a lock anyone can use, no machine in what is tracked, true docs."""

from __future__ import annotations

import ast
import re
import resource
import statistics
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from amrg.cli import app

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BIN = Path(sys.executable).parent
TEXT = {".py", ".md", ".toml", ".lock", ".json", ".yaml", ".csv", ".txt", ".sh", ""}
# Written in pieces, so that this file does not accuse itself.
MACHINE = re.compile(
    "|".join(["/" + "root/", "/" + "work/", "/" + "home/", "/" + "opt/", r"index-" + "url", "find-" + "links"])
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    """Every function of the package, with where it stands."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def body(function: Function) -> list[ast.stmt]:
    """The statements, the docstring left out."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def lines(function: Function) -> int:
    """Lines from first to last statement."""
    told = body(function)
    return (told[-1].end_lineno or 0) - told[0].lineno + 1 if told else 0


def tracked() -> list[Path]:
    """Files in version control."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: nothing is tracked here")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def commands() -> Iterator[str]:
    """Every command as a user types it: `amrg report`, `amrg model card`."""
    root = typer.main.get_command(app)
    for name, command in sorted(root.commands.items()):  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        yield from (f"amrg {name} {sub}" for sub in inner) if inner else (f"amrg {name}",)


def test_functions_are_small() -> None:
    sizes = sorted(lines(f) for _, f in functions())
    assert statistics.median(sizes) <= 10
    assert sizes[len(sizes) * 9 // 10] <= 30
    assert [where for where, f in functions() if lines(f) > 60] == []


def test_functions_take_six_parameters_at_most() -> None:
    def parameters(f: Function) -> int:
        named = [*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs]
        return sum(a.arg not in ("self", "cls") for a in named)

    # A command's options are its user's: they are counted nowhere but in its help.
    assert [w for w, f in functions() if parameters(f) > 6 and "/cli/" not in w] == []


def test_no_function_body_stands_twice() -> None:
    seen = Counter(ast.dump(ast.Module(body(f), [])) for _, f in functions() if lines(f) > 2)
    assert [code for code, times in seen.items() if times > 1] == []


def test_files_are_short_and_folders_flat() -> None:
    assert [p.name for p in SOURCES if len(p.read_text(encoding="utf-8").splitlines()) > 500] == []
    assert [p.name for p in SOURCES if len(p.relative_to(ROOT / "src" / "amrg").parts) > 3] == []


def test_every_room_that_gives_names_lists_them() -> None:
    rooms = [p for p in SOURCES if p.name == "__init__.py" and p.parent.parent.name == "amrg"]
    giving = {p.parent.name: p.read_text(encoding="utf-8") for p in rooms}
    giving = {room: text for room, text in giving.items() if "import" in text}
    assert giving
    assert [room for room, text in giving.items() if "__all__" not in text] == []


def test_the_lock_names_no_address_and_no_local_build() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "torch==2.13.0\n" in lock
    assert "nvidia" not in lock
    for line in lock.splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), line


def test_every_dependency_is_locked() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").lower().replace("_", "-")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = [re.split(r"[^A-Za-z0-9_-]", w)[0].lower().replace("_", "-") for w in wanted]
    assert [n for n in names if not re.search(rf"^{re.escape(n)}==", lock, re.MULTILINE)] == []


def test_tracked_text_names_no_machine() -> None:
    texts = [p for p in tracked() if p.suffix in TEXT and p.name != "LICENSE"]
    assert [str(p.relative_to(ROOT)) for p in texts if MACHINE.search(p.read_text(encoding="utf-8"))] == []


def test_imports_point_one_way() -> None:
    done = subprocess.run([BIN / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_command_is_documented() -> None:
    documented = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert [c for c in commands() if f"`{c}" not in documented] == []


def test_docs_name_only_what_there_is() -> None:
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    wrong = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
        wrong += [f"{page.name}: make {t}" for t in re.findall(r"\bmake ([a-z][a-z-]+)", code) if t not in targets]
        wrong += [f"{page.name}: {s}" for s in re.findall(r"\bscripts/\w+(?:\.py)?", code) if not (ROOT / s).is_file()]
        links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
        wrong += [f"{page.name}: {link}" for link in links if not (page.parent / link).exists()]
    assert wrong == []


def test_ci_runs_what_the_readme_says() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert ci.splitlines()[-1] == "make test"
    assert re.search(r"^make test\b", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_help_answers_in_under_half_a_second() -> None:
    def seconds() -> float:
        """Processor seconds of one run: a busy machine does not count against it."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([BIN / "amrg", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.5
