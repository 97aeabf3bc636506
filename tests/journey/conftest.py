"""The real command line, called as a shell calls it."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from calling import Call, Done

from tutelage.cli import main


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """`call("tune", "faq.jsonl")` runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["tutelage", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        shown = capsys.readouterr()
        return Done(status, shown.out, shown.err)

    return run
