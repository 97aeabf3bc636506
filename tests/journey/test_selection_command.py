"""`tutelage curate` with a budget, as a shell calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import Call

from tiny import save, write_rows


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "cache"))
    return save(tmp_path / "base")


def test_a_budget_is_spent_and_the_rest_is_accounted_for(call: Call, base: Path, tmp_path: Path) -> None:
    faq, model = write_rows(tmp_path / "faq.jsonl", 30), ("--base", base, "model.precision=float32", "model.threads=1")
    done = call("curate", faq, "--out", "best", *model, "select.budget=6", "select.method=quality_diverse", "--json")
    assert (done.status, done.json["conversations_kept"], done.json["conversations_dropped"]) == (0, 6, 24)
    assert "Selected 6 of 30 conversations (quality_diverse)." in done.err
    dropped = [json.loads(line) for line in (tmp_path / "best" / "dropped.jsonl").read_text().splitlines()]
    assert {row["rule"] for row in dropped} == {"not selected"}
    assert all(row["reason"].startswith("ifd ") for row in dropped)
    assert list((tmp_path / "cache" / "scores").glob("*/*.safetensors"))


def test_what_lacks_a_budget_is_wrong_usage(call: Call, tmp_path: Path) -> None:
    faq = write_rows(tmp_path / "faq.jsonl", 12)
    for words in (("--prove",), ("select.method=ifd",), ("select.quotas=a:0.5",)):
        done = call("curate", faq, "--out", "best", *words)
        assert (done.status, (tmp_path / "best").exists()) == (2, False)
        assert "needs a budget: select.budget=N conversations, or select.tokens=N tokens" in done.err
