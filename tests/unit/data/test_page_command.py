"""`look --html` and `curate --html`: a page, the same as JSON, and nothing written over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from markupsafe import escape
from typer.testing import CliRunner

from tutelage.cli import app
from tutelage.errors import UsageError

ROWS = [{"prompt": f"What is the capital of land {n}?", "response": f"It is town {n}."} for n in range(30)]


@pytest.fixture
def faq(write: Callable[..., Path]) -> Path:
    return write("faq.jsonl", [*ROWS, ROWS[0], {"prompt": "Mail jo@example.org?", "response": ""}, {"prompt": 1}])


def test_look_writes_the_page_and_says_the_same_as_json(faq: Path, tmp_path: Path) -> None:
    out = tmp_path / "look.html"
    done = CliRunner().invoke(app, ["look", str(faq), "--max-bad", "0.5", "--html", str(out), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)["page"]
    assert [bar["count"] for bar in told["overview"]["funnel"]] == [33, 32, 32, 30]
    text = out.read_text(encoding="utf-8")
    assert all(escape(note["text"]) in text for note in told["notes"])
    assert "tutelage curate" in text and "jo@example.org" not in text + done.stdout
    assert {rule["rule"]: rule["count"] for rule in told["overview"]["dropped"]} == {"blank": 1, "repeat": 1}


def test_curate_writes_a_page_on_what_is_left(faq: Path, tmp_path: Path) -> None:
    out, folder = tmp_path / "pages" / "clean.html", tmp_path / "clean"
    done = CliRunner().invoke(app, ["curate", str(faq), "--max-bad", "0.5", "--out", str(folder), "--html", str(out)])
    assert done.exit_code == 0, done.output
    text = out.read_text(encoding="utf-8")
    assert "What is left after curating: 30 conversations" in text and f"tutelage tune {folder}" in text


def test_a_data_file_is_never_written_over(faq: Path) -> None:
    before = faq.read_bytes()
    done = CliRunner().invoke(app, ["look", str(faq), "--html", str(faq)])
    assert isinstance(done.exception, UsageError) and "is no page" in str(done.exception)
    assert faq.read_bytes() == before
