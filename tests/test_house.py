"""The house: one-way imports, small functions, a lock anyone can use, no machine in what is tracked, true docs."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import typer.main

from amrg.cli import app
from tests.syntax import nodes_of, tree_of

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
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
        for node in nodes_of(path):
            if isinstance(node, Function):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def body(function: Function) -> list[ast.stmt]:
    """The statements, without the docstring."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def lines(function: Function) -> int:
    """Lines from first to last statement."""
    statements = body(function)
    return (statements[-1].end_lineno or 0) - statements[0].lineno + 1 if statements else 0


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


def test_cores_are_counted_in_one_place() -> None:
    """Those of the process's affinity and quota, not those that the machine has."""
    counting = [p for p in SOURCES if "cpu_count(" in p.read_text(encoding="utf-8")]
    assert [str(p.relative_to(ROOT)) for p in counting] == ["src/amrg/core/cores.py"]


def test_no_cache_is_static() -> None:
    """One that is shorter than a prompt with a sliding window is read beyond its end."""
    words = re.compile(r"cache_implementation|StaticCache")
    assert [str(file) for file in SOURCES if words.search(file.read_text("utf-8"))] == []


def test_functions_take_six_parameters_at_most() -> None:
    def parameters(f: Function) -> int:
        named = [*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs]
        return sum(a.arg not in ("self", "cls") for a in named)

    # A command's options are its user's: they are counted nowhere but in its help.
    assert [w for w, f in functions() if parameters(f) > 6 and "/cli/" not in w] == []


def test_no_function_body_stands_twice() -> None:
    bodies = Counter(ast.dump(ast.Module(body(f), [])) for _, f in functions() if lines(f) > 2)
    assert [code for code, times in bodies.items() if times > 1] == []


def test_files_are_short_and_folders_flat() -> None:
    assert [p.name for p in SOURCES if len(p.read_text(encoding="utf-8").splitlines()) > 500] == []
    assert [p.name for p in SOURCES if len(p.relative_to(ROOT / "src" / "amrg").parts) > 3] == []


def test_no_folder_is_crowded() -> None:
    files = Counter(str(p.parent.relative_to(ROOT)) for p in SOURCES if p.name != "__init__.py")
    # One file a data set, a drawn thing, a command: splitting them further would hide the list.
    assert {f: n for f, n in files.items() if n > 15 and not f.endswith(("importers", "phantom", "cli"))} == {}


def test_a_public_class_name_stands_once() -> None:
    names = Counter(
        node.name
        for path in SOURCES
        for node in tree_of(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, times in names.items() if times > 1] == []


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
    extras = [w for extra in ("service", "postgresql") for w in project["optional-dependencies"][extra]]
    wanted = [*(w for w in wanted if not w.startswith("amrg[")), *extras]
    names = [re.split(r"[^A-Za-z0-9_.-]", w)[0].lower().replace("_", "-") for w in wanted]
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
        files = re.findall(r"`(?:src/amrg/)?([a-z_]+(?:/\w+)+\.py)`", text)
        places = (ROOT, ROOT / "src" / "amrg")
        wrong += [f"{page.name}: {f}" for f in files if not any((place / f).is_file() for place in places)]
        wrong += [f"{page.name}: {link}" for link in links if not (page.parent / link).exists()]
    assert wrong == []


def test_ci_runs_what_the_readme_says() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert ci.splitlines()[-1] == "make test"
    assert re.search(r"^make test\b", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)


HELP = """
import sys
from amrg.cli import main
sys.argv = ["amrg", "--help"]
try:
    main()
finally:
    print(*sorted({name.split(".")[0] for name in sys.modules}), file=sys.stderr)
"""
LIGHT = {
    "_distutils_hack",
    "amrg",
    "annotated_doc",
    "attr",
    "click",
    "markdown_it",
    "mdurl",
    "pygments",
    "rich",
    "shellingham",
}


def test_help_imports_nothing_heavy() -> None:
    """What makes help slow is what it imports: torch, transformers, numpy and all that imports them stay out."""
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True)
    assert "report" in done.stdout
    installed = set(packages_distributions())
    assert {"torch", "transformers", "numpy"} <= installed  # they are there to be found, had help imported them
    imported = set(done.stderr.split()) & installed
    assert imported - {"typer"} <= LIGHT


CLOCKS = {"perf_counter", "process_time", "thread_time", "monotonic", "getrusage", "default_timer", "timeit"}


def test_no_test_reads_a_clock() -> None:
    """A time or a rate belongs to the machine: those are measured in scripts/."""
    read = [
        f"{path.relative_to(ROOT)}:{node.lineno} {name}"
        for path in TESTS
        for node in nodes_of(path)
        if isinstance(node, ast.Name | ast.Attribute)
        and (name := node.id if isinstance(node, ast.Name) else node.attr) in CLOCKS
    ]
    assert read == []


def imported_by(path: Path) -> Iterator[str]:
    """Modules that a file imports, by their full names."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_test_module_is_imported_and_no_script_imports_tests() -> None:
    """What tests share is in modules without tests, so that no test runs twice or breaks another's file."""
    shared = [f"{p.relative_to(ROOT)}: {name}" for p in TESTS for name in imported_by(p) if ".test_" in f".{name}"]
    assert shared == []
    scripts = [(p.name, name) for p in (ROOT / "scripts").glob("*.py") for name in imported_by(p)]
    assert [(p, name) for p, name in scripts if name.split(".")[0] == "tests"] == []


@pytest.mark.parametrize("folder", ["", "src", "scripts"])
def test_no_folder_on_the_path_hides_an_installed_package(folder: str) -> None:
    """As `tests/datasets` hid Hugging Face's `datasets` when tests/ itself was on the path."""
    own = {p.stem for p in (ROOT / folder).iterdir() if p.suffix == ".py" or (p.is_dir() and any(p.glob("**/*.py")))}
    installed = {name for name, owners in packages_distributions().items() if set(owners) != {"amrg"}}
    assert own & (installed | set(sys.stdlib_module_names)) == set()


def test_neither_tests_nor_its_rooms_are_on_the_path() -> None:
    assert [entry for entry in sys.path if Path(entry).resolve().is_relative_to(ROOT / "tests")] == []
    texts = [p for p in tracked() if p.suffix in TEXT and p != Path(__file__)]
    setting = re.compile(r"PYTHONPATH[=:\"' ]+tests\b")
    assert [str(p.relative_to(ROOT)) for p in texts if setting.search(p.read_text(encoding="utf-8"))] == []
