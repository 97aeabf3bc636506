"""`tutelage evaluate`, as a shell calls it."""

from __future__ import annotations

import json
from pathlib import Path

from calling import Call

from tiny import save, write_rows

SHORT = ("decoding.max_new_tokens=8", "model.precision=float32", "model.threads=1")


def test_a_run_and_its_base_are_scored_on_a_task(call: Call, tmp_path: Path) -> None:
    base, faq = save(tmp_path / "base"), write_rows(tmp_path / "faq.jsonl", 30)
    tuned = call("tune", faq, "--base", base, "--out", "run", "tuning.max_steps=2", *SHORT[1:])
    assert tuned.status == 0
    rows = [{"prompt": f"Say {word}.", "references": word, "category": word[0]} for word in ("one", "two", "ten")]
    path = tmp_path / "words.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ({"task": "words", "scorer": "contains"}, *rows)))
    done = call("evaluate", base, "run", "--tasks", path, "--out", "scores.json", "--most", "2", *SHORT, "--json")
    assert done.status == 0
    (task,), models = done.json["tasks"]["tasks"], done.json["tasks"]["models"]
    assert (task["name"], task["items"], task["scorer"]) == ("words", 2, "contains")
    assert [model["model"] for model in models] == [str(base), "run"]
    assert [[one["id"] for one in model["scores"]] for model in models] == [["2", "3"]] * 2
    assert all(model["held_out_loss"] > 0 for model in models)
    kept = (tmp_path / "scores.json").read_text()
    assert json.loads(kept) == done.json["tasks"] and kept == (tmp_path / "run" / "evaluate.json").read_text()
    shown = call("evaluate", "run", "--tasks", path, *SHORT)
    assert shown.status == 0 and "words: contains" in shown.out and "answers that stop" in shown.out


def test_what_cannot_be_evaluated_is_wrong_usage(call: Call, tmp_path: Path) -> None:
    base = save(tmp_path / "base")
    (tmp_path / "bad.jsonl").write_text('{"prompt": "a", "scorer": "exakt"}\n')
    for words, status, told in (
        ((base,), 2, "name a model, and --tasks FILE, --retention or --harness TASK"),
        ((base, "--tasks", "none.jsonl"), 2, "there is no file of tasks at none.jsonl"),
        ((base, "--tasks", "bad.jsonl"), 1, "bad.jsonl, line 1: there is no scorer exakt; did you mean exact?"),
        ((base, "--retention"), 2, "name that model with --before"),
    ):
        done = call("evaluate", *words)
        assert (done.status, told in done.err) == (status, True), done.err
