"""Writes docs/settings.md and docs/commands.md from the code; a test compares them with what stands in git."""

from __future__ import annotations

import ast
import os
from pathlib import Path

os.environ.update({"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"})

from typer.main import get_command
from typer.testing import CliRunner

from tutelage.cli import app
from tutelage.recipe import Recipe, defaults, fields

HERE = Path(__file__).parent


def settings_page() -> str:
    """A table of every setting."""
    given = defaults(Recipe())
    rows = [f"| `{name}` | `{given[name]!r}` | {text.replace('|', '/')} |" for name, text in fields().items()]
    head = (
        "# Settings\n\nEvery setting, as it is written in a recipe (YAML) or on the command line "
        "(`tutelage tune faq.jsonl tuning.epochs=3`).\nMade from the code by `python docs/generate.py`.\n\n"
        "| setting | default | what it does |\n|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def commands_page() -> str:
    """The help of every command."""
    runner = CliRunner()
    parts = ["# Commands\n\nMade from the code by `python docs/generate.py`.\n"]
    for name in ("", *get_command(app).commands):
        shown = runner.invoke(app, [*([name] if name else []), "--help"], prog_name="tutelage").stdout
        text = "\n".join(line.rstrip() for line in shown.strip("\n").split("\n"))
        parts.append(f"## tutelage {name}".rstrip() + f"\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def tree() -> str:
    """The file tree of the package with the first sentence of each file."""
    top = HERE.parent / "src" / "tutelage"
    lines = ["src/tutelage/"]
    for path in sorted(top.rglob("*.py"), key=lambda found: (len(found.relative_to(top).parts), found)):
        within = path.relative_to(top)
        sentence = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]
        if path.name == "__init__.py":
            if len(within.parts) > 1:
                lines.append(f"  {within.parent}/  {sentence}")
            continue
        lines.append(f"{'  ' * len(within.parts)}{path.name:<16}  {sentence}")
    return "\n".join(lines)


def with_tree(readme: str) -> str:
    """The README with its file tree made anew."""
    before, _, after = readme.split("<!-- tree -->")
    return f"{before}<!-- tree -->\n```text\n{tree()}\n```\n<!-- tree -->{after}"


PAGES = {"settings.md": settings_page, "commands.md": commands_page}

if __name__ == "__main__":
    for page, make in PAGES.items():
        (HERE / page).write_text(make(), encoding="utf-8")
    readme = HERE.parent / "README.md"
    readme.write_text(with_tree(readme.read_text(encoding="utf-8")), encoding="utf-8")
