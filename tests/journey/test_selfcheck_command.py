"""The command `selfcheck`: on a tiny model, on files, and once on the real starter."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from calling import Call

from tiny import save, write_rows
from tutelage.text.encode import Encoder

NAMES = [
    "mask",
    "prompt",
    "stop token",
    "neighbours",
    "accumulation",
    "packing",
    "resume",
    "merge",
    "save",
    "export",
]


def test_a_sound_model_passes_and_a_broken_export_does_not(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, faq = save(tmp_path / "base"), write_rows(tmp_path / "faq.jsonl", 12)
    shown = call("selfcheck", "--base", base, "model.threads=1")
    assert (shown.status, "8 conversations: 10 passed;" in shown.out) == (0, True), shown
    found = call("selfcheck", faq, "--base", base, "--json", "model.threads=1")
    assert (found.status, found.json["passed"], found.json["conversations"]) == (0, True, 12)
    assert [check["name"] for check in found.json["checks"]] == NAMES
    monkeypatch.setattr(Encoder, "portable_jinja", lambda self: self.template.jinja)
    broken = call("selfcheck", "--base", base, "--json", "model.threads=1")
    assert (broken.status, broken.json["passed"]) == (1, False)
    assert [check["name"] for check in broken.json["checks"] if check["state"] == "failed"] == ["export"]
    shown = call("selfcheck", "--base", base, "model.threads=1")
    assert (shown.status, "9 passed, 1 failed;" in shown.out) == (1, True), shown


def test_what_cannot_be_read_is_one_sentence(call: Call, tmp_path: Path) -> None:
    missing = call("selfcheck", "nothing.jsonl", "--base", save(tmp_path / "base"))
    assert (missing.status, missing.err.startswith("tutelage: ")) == (1, True)
    assert call("selfcheck", "tuning.lerning=1").status == 2


@pytest.mark.slow
def test_the_starter_passes_in_about_a_minute(call: Call) -> None:
    before = time.process_time()
    found = call("selfcheck", "--base", "starter", "--json")
    spent = time.process_time() - before  # of all cores: two of them take a little over half of it
    states = {check["name"]: check["state"] for check in found.json["checks"]}
    assert (found.status, states) == (0, dict.fromkeys(NAMES, "passed")), found.out
    assert (found.json["layers"], found.json["of_layers"], spent < 150) == (2, 18, True)
