"""A newcomer's day with the command line, on a tiny model made here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from calling import Call

from tiny import save, write_rows
from tutelage.tuning.run import Run

QUICK = (
    "tuning.lr=3e-3",
    "tuning.batch_size=8",
    "tuning.epochs=2",
    "data.hold_out=0.2",
    "model.threads=1",
    "decoding.max_new_tokens=12",
)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return save(tmp_path / "base")


@pytest.fixture
def faq(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "faq.jsonl", 40)


@pytest.fixture
def run(call: Call, faq: Path, base: Path) -> Path:
    assert call("tune", faq, "--base", base, *QUICK).status == 0
    return Path("runs/faq-1")


def test_look_counts_and_colours(call: Call, faq: Path, base: Path) -> None:
    with faq.open("a") as file:
        file.write("not json\n")
    shown = call("look", faq, "--mask", "2", "--base", base, "--max-bad", "0.5")
    assert (shown.status, "41 read = 40 used + 1 passed over" in shown.out) == (0, True)
    assert shown.out.count("⟦</s>⟧") == 2
    assert call("look", faq, "--max-bad", "0.5", "--json").json["conversations_kept"] == 40


def test_the_run_folder_holds_what_scripts_rely_on(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert {"recipe.yaml", "manifest.json", "certificate.json", "metrics.jsonl", "checkpoints", "adapter"} <= names
    steps = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    wanted = {"step", "loss", "tokens", "trained_tokens", "tokens_per_second", "lr", "grad_norm", "seconds"}
    assert [wanted - set(step) for step in steps] == [set()] * len(steps)
    assert [step["step"] for step in steps] == list(range(1, 9))
    assert "held_out_loss" in steps[-1]
    certificate = json.loads((run / "certificate.json").read_text())
    assert (certificate["passed"], certificate["stops_trained"]) == (True, certificate["trained_turns"])
    assert list((run / "checkpoints").iterdir()) == []


def test_a_second_run_gets_the_next_number_and_the_recipe_repeats_the_first(call: Call, run: Path) -> None:
    assert call("tune", run / "recipe.yaml").status == 0
    first, second = Run(run), Run(Path("runs/faq-2"))
    assert [step.loss for step in first.steps()] == [step.loss for step in second.steps()]
    assert first.manifest().hashes["tuned"] == second.manifest().hashes["tuned"]
    assert [row["run"] for row in call("runs", "--json").json] == ["runs/faq-1", "runs/faq-2"]


def test_generate_keeps_order_and_ids(call: Call, run: Path, tmp_path: Path) -> None:
    rows = [{"id": name, "prompt": "Name a colour."} for name in ("b", "a")]
    rows.append({"id": "c", "messages": [{"role": "user", "content": "Is water wet?"}]})
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = call("generate", "runs/faq", "prompts.jsonl", "--out", "answers.jsonl", "decoding.max_new_tokens=7")
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert done.status == 0
    assert [answer["id"] for answer in answers] == ["b", "a", "c"]
    assert [set(answer) for answer in answers] == [{"id", "answer", "stopped", "tokens"}] * 3
    assert max(answer["tokens"] for answer in answers) <= 7
    assert answers[0]["answer"] == answers[1]["answer"]


def test_compare_writes_its_page_and_gives_a_verdict(call: Call, run: Path) -> None:
    done = call("compare", "runs/faq", "--json", "--require", "better")
    found = done.json
    names = ["base", "base + system prompt", "base + 2 examples", "tuned"]
    assert [contender["name"] for contender in found["contenders"]] == names
    assert done.status == (0 if found["verdict"]["better"] else 1)
    assert "<script" not in (run / "report.html").read_text()
    told = call("report", "runs/faq", "--json")
    assert (told.status, told.json) == (0, json.loads((run / "report.json").read_text()))
    assert told.json["verdict"]["text"] == found["verdict"]["text"] and told.json["answers"]["prompts"] > 0
    assert found["verdict"]["text"] in (run / "report.html").read_text().replace("&#x27;", "'")


def test_chat_answers_from_a_pipe(call: Call, run: Path) -> None:
    done = call("chat", "runs/faq", "decoding.max_new_tokens=5", stdin="Name a colour.\n/system Be brief.\n/quit\n")
    assert (done.status, done.out != "") == (0, True)


def test_tune_goes_on_from_a_run_and_full_makes_a_plain_folder(call: Call, run: Path, faq: Path) -> None:
    done = call(
        "tune", faq, "--base", run, "--out", "second", "adapter.kind=full", *QUICK, "tuning.max_steps=2", "--json"
    )
    assert (done.status, done.json["base"]["name"], done.json["steps"]) == (0, str(run), 2)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {p.name for p in Path("second/model").iterdir()}
    assert call("generate", "second", write_rows(Path("some.jsonl"), 2), "--out", "made.jsonl").status == 0


def test_curate_then_tune_the_clean_folder(call: Call, faq: Path, base: Path) -> None:
    with faq.open("a") as file:
        file.write(json.dumps({"prompt": "Blank?", "response": " "}) + "\n")
    done = call("curate", faq, "--out", "clean", "--json")
    assert (done.json["conversations_kept"], done.json["conversations_dropped"]) == (40, 1)
    assert call("tune", "clean", "--base", base, *QUICK, "tuning.max_steps=1").status == 0


def test_mix_adds_its_share(call: Call, faq: Path, base: Path) -> None:
    other = write_rows(Path("general.jsonl"), 40, start=100)
    done = call("tune", faq, "--mix", f"{other}:0.25", "--base", base, *QUICK, "tuning.max_steps=1", "--out", "mixed")
    sources = json.loads(Path("mixed/certificate.json").read_text())["sources"]
    assert (done.status, set(sources)) == (0, {str(faq), str(other)})


def test_dry_run_writes_nothing(call: Call, faq: Path, base: Path) -> None:
    done = call("tune", faq, "--base", base, "--dry-run", "--json", *QUICK)
    assert (done.status, done.json["steps"], Path("runs").exists()) == (0, 8, False)
    assert done.json["memory"] > 0 and done.json["seconds"] > 0


def test_ctrl_c_saves_and_resume_gives_the_same_weights(call: Call, run: Path, faq: Path, base: Path) -> None:
    """A real process gets a real signal in the middle of its steps."""
    words = ["tune", faq, "--base", base, "--out", "stopped", *QUICK]
    process = subprocess.Popen(
        [sys.executable, "-m", "tutelage.cli", *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    metrics = Path("stopped/metrics.jsonl")
    for _ in range(1200):
        if (metrics.exists() and metrics.read_text()) or process.poll() is not None:
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    told = process.communicate(timeout=120)[1]
    if process.returncode == 0:
        pytest.fail("the run was over before the signal came")
    assert (process.returncode, "tutelage resume stopped" in told) == (1, True)
    assert call("resume", "stopped").status == 0
    assert Run(Path("stopped")).manifest().hashes["tuned"] == Run(run).manifest().hashes["tuned"]
    assert [s.loss for s in Run(Path("stopped")).steps()] == [s.loss for s in Run(run).steps()]


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("tune", "missing.jsonl"), 1, "missing.jsonl"),
        (("tune", "faq.jsonl", "tuning.epoch=3"), 2, "did you mean tuning.epochs?"),
        (("tune", "faq.jsonl", "tuning.lr=fast"), 2, "tuning.lr"),
        (("tune", "faq.jsonl", "--base", "nowhere"), 1, "nowhere"),
        (("tune", "faq.jsonl", "--mix", "faq.jsonl"), 2, "FILE:SHARE"),
        (("tune", "faq.jsonl", "--base", "base", "model.template=chatml"), 1, "model.template=plain"),
        (("tune", "faq.jsonl", "--base", "base", "--out", "base"), 2, "not empty"),
        (("tune", "faq.jsonl", "--base", "base", "tuning.max_length=8"), 1, "no conversation is left"),
        (("compare", "base"), 2, "no run folder"),
        (("compare", "base", "--require", "best"), 2, "better"),
        (("resume", "base"), 2, "no run folder"),
        (("chat", "faq.jsonl"), 1, "faq.jsonl"),
        (("look",), 2, "Missing argument"),
        (("lok",), 2, "No such command"),
    ],
)
def test_every_mistake_gets_a_sentence(
    call: Call, faq: Path, base: Path, words: tuple[str, ...], status: int, told: str
) -> None:
    done = call(*words)
    assert (done.status, told in done.err, "Traceback" in done.err) == (status, True, False)


def test_memory_that_is_asked_for_is_kept_or_refused(call: Call, faq: Path, base: Path) -> None:
    """A tiny model needs little beyond the program itself; what is chosen is said and written down."""
    few = (*QUICK, "tuning.max_steps=2", "adapter.kind=full", "tuning.max_length=512")
    refused = call("tune", faq, "--base", base, *few, "tuning.memory_gb=0.1")
    assert (refused.status, "needs at least 0.7 GB of memory, and 0.1 GB may be used" in refused.err) == (1, True)
    assert not Path("runs").exists()
    fits = call("tune", faq, "--base", base, *few, "tuning.memory_gb=4")
    assert (fits.status, "Memory: about 0.7 GB of 4.0 GB." in fits.err) == (0, True)
    assert (Run(Path("runs/faq-1")).recipe().tuning.memory_gb, Run(Path("runs/faq-1")).manifest().adapter) == (
        4,
        "full",
    )


def test_a_run_that_this_machine_cannot_hold_says_so_before_it_starts(
    call: Call, faq: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tutelage.model.machine.memory_bytes", lambda: 300_000_000)
    for more in ((), ("--dry-run",)):
        refused = call("tune", faq, "--base", base, *QUICK, *more)
        assert (refused.status, "needs about 0.7 GB of memory, and this machine has 0.3 GB" in refused.err) == (1, True)
    assert not Path("runs").exists()
