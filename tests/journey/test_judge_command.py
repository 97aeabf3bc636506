"""`tutelage judge` as a person and as an endpoint use it, after a real comparison of a tiny run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from calling import Call

from misbehaving import Say, answer, raw, serving
from tiny import save, write_rows

SECRET = "sk-secret-1234567890"
QUICK = ("tuning.max_steps=2", "tuning.batch_size=8", "data.hold_out=0.2", "model.threads=1")


@pytest.fixture
def run(call: Call, tmp_path: Path) -> Path:
    faq, base = write_rows(tmp_path / "faq.jsonl", 40), save(tmp_path / "base")
    assert call("tune", faq, "--base", base, *QUICK).status == 0
    assert call("compare", "runs/faq", "compare.prompts=3", "decoding.max_new_tokens=6").status == 0
    return Path("runs/faq-1")


def test_a_person_and_a_model_judge_a_compared_run(call: Call, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    seen = call("judge", "runs/faq", "--against", "base", "--name", "anna", stdin="1\nq\n")
    assert seen.status == 0 and "Judged by person anna" in seen.out
    assert "tuned" not in seen.err and "base" not in seen.err.replace("runs/faq-1/votes.jsonl", "")
    rows = [json.loads(line) for line in (run / "votes.jsonl").read_text().splitlines()]
    assert sum(row["tie"] is None for row in rows) == 1 and {row["by"] for row in rows} == {"person anna"}

    def says(body: Any) -> Say:
        return answer("Verdict: 1")

    with serving(always=says) as served:
        done = call("judge", "runs/faq", "--by", f"{served.url}#any", "--against", "base", "--key", "MY_KEY", "--json")
        assert done.status == 0, done.err
        assert {headers["authorization"] for _, headers, _ in served.asked} == {f"Bearer {SECRET}"}
    judges = {judge["by"].partition(" at ")[0]: judge for judge in done.json["judges"]}
    assert set(judges) == {"person anna", "any"} and len(judges["any"]["controls"]) == 2
    # Always the first: with both orders asked that is a tie each time.
    assert {rate["wins"] for rate in (*judges["any"]["rates"], *judges["any"]["controls"])} == {0}
    assert json.loads((run / "judge.json").read_text()) == done.json
    assert not [path for path in run.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_what_cannot_be_judged_is_said_in_a_sentence(call: Call, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    with serving(raw(401, json.dumps({"error": {"message": f"wrong key {SECRET}"}}))) as served:
        done = call("judge", "runs/faq", "--by", f"{served.url}#any", "--key", "MY_KEY")
    assert done.status == 1 and "says 401: wrong key [key]" in done.err.replace("\n", " ") and SECRET not in done.err
    far = call("judge", "runs/faq", "--by", "http://h.example/v1#any")
    assert far.status == 2 and "not encrypted" in far.err
    assert call("judge", "runs/faq", "--against", "nobody").status == 2
    (run / "compare.json").unlink()
    assert "tutelage compare" in call("judge", "runs/faq").err
