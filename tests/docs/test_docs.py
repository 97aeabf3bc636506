"""Docs that cannot rot: pages are what the code says, and the README speaks only of what exists."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

from tutelage.cli import app
from tutelage.recipe import fields

ROOT = Path(__file__).parents[2]
FIELD_BUDGET = 66


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["settings.md", "commands.md"])
def test_page_is_what_the_code_says(generator: ModuleType, page: str) -> None:
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == generator.PAGES[page]()


def test_every_setting_has_a_sentence_and_they_are_few() -> None:
    assert [name for name, text in fields().items() if not text.strip()] == []
    assert len(fields()) <= FIELD_BUDGET


def commands_in(text: str) -> set[str]:
    """Every `tutelage WORD` in code blocks and code spans."""
    blocks = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    return {found for block in blocks for found in re.findall(r"(?<!from )(?<![\w/.-])tutelage ([a-z]+)", block)}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/guide.md"])
def test_pages_name_only_commands_that_exist(page: str) -> None:
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert commands_in((ROOT / page).read_text(encoding="utf-8")) - known == set()


def test_the_file_tree_of_the_readme_is_the_tree(generator: ModuleType) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text == generator.with_tree(text)


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
