"""The house rules, walked with `ast`: layers, sizes, typing, exported names, import time."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tutelage

PACKAGE = Path(tutelage.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = (
    ("errors", "py"),
    ("recipe", "records", "pages"),
    ("data",),
    ("text",),
    ("model",),
    ("selection",),
    ("tuning",),
    ("evaluation",),
    ("serving",),
    ("export",),
    ("terminal",),
    ("arguments",),
    ("looking", "weighing"),
    ("cli",),
)
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
TORCH_FROM = LEVEL["model"]
FORBIDDEN = {"utils", "common", "core", "base", "helpers", "manager"}
LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 400, 60


def room_of(name: str) -> str:
    """`tutelage.data.formats` -> data."""
    return name.split(".")[1] if "." in name else ""


def module_name(path: Path) -> str:
    return ".".join(("tutelage", *path.relative_to(PACKAGE).with_suffix("").parts))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def breaches(source: str, room: str) -> list[str]:
    """Imports of a room below (or of torch above `model`) in a module of `room`."""
    found = []
    for name in imports(ast.parse(source)):
        if name.startswith("tutelage.") and room_of(name) in LEVEL and LEVEL[room_of(name)] > LEVEL[room]:
            found.append(name)
        if name.split(".")[0] in ("torch", "transformers", "peft") and LEVEL[room] < TORCH_FROM:
            found.append(name)
    return found


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_only_rooms_above(path: Path) -> None:
    room = room_of(module_name(path))
    if room in LEVEL:
        assert breaches(path.read_text(encoding="utf-8"), room) == []


def test_a_breach_is_seen() -> None:
    assert breaches("import torch", "text") == ["torch"]
    assert breaches("from tutelage.tuning.run import Run", "model") == [
        "tutelage.tuning.run",
        "tutelage.tuning.run.Run",
    ]
    assert breaches("from tutelage.records import Turn", "model") == []


def test_every_module_stands_in_a_room() -> None:
    rooms = {room_of(module_name(path)) for path in MODULES} - {"__init__", "__main__"}
    assert rooms - set(LEVEL) == set()


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_sizes_and_types(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").split("\n")) <= LINES_OF_A_FILE
    for function in functions(path):
        size = (function.end_lineno or function.lineno) - function.lineno + 1
        assert size <= LINES_OF_A_FUNCTION, f"{function.name} has {size} lines"
        arguments = [*function.args.args, *function.args.kwonlyargs]
        untyped = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
        assert (untyped, function.returns is None) == ([], False), function.name


def test_no_module_is_called_utils_or_so() -> None:
    assert {path.stem for path in MODULES} & FORBIDDEN == set()
    assert {path.name for path in PACKAGE.rglob("*") if path.is_dir()} & FORBIDDEN == set()


def test_exported_names() -> None:
    assert sorted(tutelage.__all__) == [
        "Conversation",
        "Dataset",
        "Example",
        "Recipe",
        "Role",
        "Run",
        "Turn",
        "TutelageError",
        "compare",
        "generate",
        "read",
        "resume",
        "tune",
    ]
    assert all(getattr(tutelage, name) is not None for name in tutelage.__all__)


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, tutelage, tutelage.cli; print(sorted({'torch', 'transformers', 'polars'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


ASKED = ("compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer")
PATTERNS = {f"re.{name}" for name in ASKED}
OUR_PARTS = {"_any", "_cut"}
"""Functions that put a pattern together from parts that stand in the code, or are escaped."""


def foreign_patterns(source: str) -> list[int]:
    """Lines in functions where a regular expression is made of more than our own text."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef) or function.name in OUR_PARTS:
            continue
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in PATTERNS and not _is_ours(call.args[0]):
                found.append(call.lineno)
    return found


def _is_ours(pattern: ast.expr) -> bool:
    if isinstance(pattern, ast.JoinedStr):
        return all(_is_ours(part) for part in pattern.values)
    if isinstance(pattern, ast.FormattedValue):
        written = ast.unparse(pattern.value)
        return written.isupper() or written.startswith("re.escape(")
    return isinstance(pattern, ast.Constant) or ast.unparse(pattern).isupper()


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_nobody_elses_regular_expression_is_run_and_no_table_is_written(path: Path) -> None:
    """A pattern can take for ever, and a cell that starts with = is a formula: who adds either has to guard it."""
    source = path.read_text(encoding="utf-8")
    assert foreign_patterns(source) == []
    assert not {"csv.writer", "csv.DictWriter", "write_csv", "write_excel"} & set(re.findall(r"[\w.]+", source))


def test_a_foreign_pattern_is_seen() -> None:
    assert foreign_patterns("def f(x: str) -> None:\n    re.search(x, '')") == [2]
    assert foreign_patterns("def f(x: str) -> None:\n    re.search(f'a{x}', '')") == [2]
    assert foreign_patterns("def f(x: str) -> None:\n    re.search(rf'a{re.escape(x)}{NAME}', '')") == []
