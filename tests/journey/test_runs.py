"""`tutelage runs` on real runs: listed, drawn, as JSON; and while one is at work."""

from __future__ import annotations

from pathlib import Path

import pytest
from calling import Call

from tiny import save, write_rows
from tutelage.tuning.lock import hold
from tutelage.tuning.run import Run

QUICK = ("tuning.lr=3e-3", "tuning.batch_size=8", "tuning.epochs=2", "data.hold_out=0.2", "model.threads=1")


@pytest.fixture
def run(call: Call, tmp_path: Path) -> Path:
    faq, base = write_rows(tmp_path / "faq.jsonl", 40), save(tmp_path / "base")
    assert call("tune", faq, "--base", base, *QUICK, "tuning.samples=0").status == 0
    return Path("runs/faq-1")


def test_runs_are_listed_drawn_and_given_as_json(call: Call, run: Path) -> None:
    (broken := Path("runs/faq-2")).mkdir()
    (broken / "recipe.yaml").write_text("")
    (broken / "manifest.json").write_text("{")
    listed = call("runs")
    assert (listed.status, listed.out.splitlines()[1].split()[:3]) == (0, ["runs/faq-1", "finished", "8/8"])
    assert "runs/faq-2  broken" in listed.out and "manifest.json cannot be read" in listed.out
    first, second = call("runs", "--json").json
    assert (first["state"], first["steps"], first["adapter"]) == ("finished", 8, "lora")
    steps = Run(run).steps()
    assert (first["loss"], first["held_out_loss"]) == (steps[-1].loss, steps[-1].held_out_loss)
    assert first["tokens_per_second"] > 0
    assert (second["run"], second["state"], "manifest.json" in second["problem"]) == ("runs/faq-2", "broken", True)
    drawn = call("runs", run)
    assert (drawn.status, "steps     8 of 8" in drawn.out, "● hold-out loss" in drawn.out) == (0, True, True)
    assert call("runs", run, "--json").json == [first]


def test_the_newest_of_a_name_is_drawn_and_a_run_at_work_is_seen(call: Call, run: Path) -> None:
    run.rename("runs/faq-10")
    with hold(Path("runs/faq-10")):
        assert "state     running; process" in call("runs", "runs/faq").out
        assert call("runs", "--json").json[0]["state"] == "running"


def test_no_runs(call: Call) -> None:
    done = call("runs", "nowhere")
    assert (done.status, done.out, "There are no runs in nowhere" in done.err) == (0, "", True)
