"""How runs stand: every state, damaged files, and what `runs` needs."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tutelage.recipe import Recipe
from tutelage.tuning.lock import NOTE, hold
from tutelage.tuning.run import Manifest, Run, Step
from tutelage.tuning.standing import runs_in, standing

MANIFEST = Manifest({"name": "starter"}, "plain", "lora", of_steps=8, steps=2, created="2026-11-24T20:00:00+00:00")


def step(number: int, held: float | None = None) -> Step:
    return Step(number, 4.0 - number / 4, 100, 40, 200.0, 1e-3, 0.5, 0.25 * number, held)


def made(folder: Path, manifest: Manifest | None = MANIFEST, steps: int = 4, saved: int = 0) -> Path:
    """A run's folder with four steps, the second and fourth measured on the hold-out."""
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(Recipe().to_yaml())
    (folder / "certificate.json").write_text("{}")
    if manifest:
        Run(folder).write_manifest(manifest)
    lines = [step(n, {2: 3.0, 4: 3.25}.get(n)).to_json() + "\n" for n in range(1, steps + 1)]
    (folder / "metrics.jsonl").write_text("".join(lines))
    if saved:
        (folder / "checkpoints" / f"step-{saved}").mkdir(parents=True)
        (folder / "checkpoints" / f"step-{saved}" / "manifest.json").write_text("{}")
    return folder


def note(folder: Path, host: str) -> None:
    (folder / NOTE).write_text(json.dumps({"pid": 12, "host": host, "since": "2026-11-24T20:00:00+00:00"}))


def test_a_finished_run(tmp_path: Path) -> None:
    found = standing(made(tmp_path / "run", replace(MANIFEST, finished=True, steps=4)))
    assert (found.state, found.resumable, found.problem, found.done) == ("finished", False, "", 4)
    assert (found.loss, found.held_out, found.tokens_per_second) == (3.0, [(2, 3.0), (4, 3.25)], 400 / 2.5)
    listed = found.as_dict()
    assert list(listed)[:4] == ["run", "base", "template", "adapter"]
    assert (listed["run"], listed["steps"], listed["of_steps"]) == (str(tmp_path / "run"), 4, 8)
    assert (listed["state"], listed["loss"], listed["held_out_loss"]) == ("finished", 3.0, 3.25)
    assert listed["tokens_per_second"] == 160.0 and "problem" not in listed


def test_stopped_early_is_finished_too(tmp_path: Path) -> None:
    """There is nothing to resume, though its checkpoint was kept."""
    found = standing(made(tmp_path / "run", replace(MANIFEST, finished=True, stopped_early=True), saved=4))
    assert (found.state, found.resumable) == ("stopped early", False)


@pytest.mark.parametrize(("saved", "resumable"), [(0, False), (2, True)])
def test_stopped(saved: int, resumable: bool, tmp_path: Path) -> None:
    found = standing(made(tmp_path / "run", saved=saved))
    assert (found.state, found.resumable) == ("stopped", resumable)


@pytest.mark.parametrize(("saved", "resumable"), [(0, False), (2, True)])
def test_died(saved: int, resumable: bool, tmp_path: Path) -> None:
    """Its process left a note and holds nothing; four steps are logged, though only two were saved."""
    folder = made(tmp_path / "run", saved=saved)
    note(folder, socket.gethostname())
    found = standing(folder)
    assert (found.state, found.resumable, found.done) == ("died", resumable, 4)


def test_running_and_done(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", replace(MANIFEST, steps=0), saved=2)
    with hold(folder):
        found = standing(folder)
        assert (found.state, found.resumable, found.done) == ("running", False, 4)
        assert found.as_dict()["steps"] == 4
    assert standing(folder).state == "stopped"


def test_running_elsewhere_cannot_be_known(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", saved=2)
    note(folder, "elsewhere")
    assert (standing(folder).state, standing(folder).resumable) == ("unknown", False)


def test_a_run_that_is_being_prepared_and_one_that_ended_there(tmp_path: Path) -> None:
    (folder := tmp_path / "run").mkdir()
    with hold(folder):
        assert (runs_in(tmp_path), standing(folder).state) == ([folder], "running")
    assert runs_in(tmp_path) == []
    folder.joinpath(".lock").unlink(missing_ok=True)
    folder.rmdir()
    made(folder, manifest=None, steps=0)
    with hold(folder):
        found = standing(folder)
        assert (found.state, found.problem, found.loss) == ("running", "", None)
        assert runs_in(tmp_path) == [folder]
    found = standing(folder)
    assert (found.state, "stopped before its first step" in found.problem) == ("stopped", True)
    assert (found.tokens_per_second, found.as_dict()["held_out_loss"]) == (None, None)


def spoil_json(path: Path) -> None:
    path.write_text('{"base": {"name": "sta')


def change_by_hand(path: Path) -> None:
    path.write_text(path.read_text().replace('"of_steps": 8', '"of_steps": 9'))


def wrong_kinds(path: Path) -> None:
    path.write_text(json.dumps({"base": "starter", "template": "plain", "adapter": "lora", "steps": "two"}))


def wrong_number(path: Path) -> None:
    path.write_text(json.dumps({"base": {}, "template": "plain", "adapter": "lora", "steps": "two"}))


def wrong_text(path: Path) -> None:
    path.write_text(json.dumps({"base": {}, "template": "plain", "adapter": None}))


def no_object(path: Path) -> None:
    path.write_text("[1, 2]")


def no_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    "spoil", [spoil_json, change_by_hand, wrong_kinds, wrong_number, wrong_text, no_object, no_text]
)
def test_a_broken_manifest_is_told_and_the_steps_are_there(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    folder = made(tmp_path / "run", saved=2)
    spoil(folder / "manifest.json")
    found = standing(folder)
    assert (found.state, found.resumable, found.manifest, found.done) == ("broken", False, None, 4)
    assert "manifest.json" in found.problem
    assert found.as_dict()["problem"] == found.problem


GOOD = b"".join(step(number).to_json().encode() + b"\n" for number in (1, 2, 3))
UNFINISHED = [b'{"step": 4, "lo', b"\0" * 4096, b'{"step": 4, "note": "\xc3', b'{"step": 4, "note": "\xe2\x82', b"{}"]


@pytest.mark.parametrize("end", UNFINISHED)
def test_an_unfinished_last_line_is_passed_over(end: bytes, tmp_path: Path) -> None:
    """Cut in the middle of a word or of a character, or zeros where a machine lost its power."""
    folder = made(tmp_path / "run")
    (folder / "metrics.jsonl").write_bytes(GOOD + end)
    assert (standing(folder).done, standing(folder).problem) == (3, "")
    assert [one.step for one in Run(folder).steps()] == [1, 2, 3]


DAMAGED = [b"nothing", b"{}", b"[1]", b"7", b'{"step": 4, "note": "\xc3"}', b"\0\0", b"[" * 100_000]
DAMAGED += [step(4).to_json().replace("4,", '"four",', 1).encode(), step(4).to_json().replace("3.0", "null").encode()]


@pytest.mark.parametrize("line", DAMAGED)
def test_a_damaged_line_is_named_and_the_others_are_read(line: bytes, tmp_path: Path) -> None:
    folder = made(tmp_path / "run")
    (folder / "metrics.jsonl").write_bytes(GOOD + line + b"\n" + step(5).to_json().encode() + b"\n")
    found = standing(folder)
    assert [one.step for one in found.steps] == [1, 2, 3, 5]
    assert found.problem == f"{folder / 'metrics.jsonl'}: line 4 cannot be read"
    (folder / "metrics.jsonl").write_bytes(GOOD + (line + b"\n") * 3)
    assert standing(folder).problem.endswith("line 4 and 2 more cannot be read")


def test_which_folders_are_runs_and_in_which_order(tmp_path: Path) -> None:
    for name in ("faq-10", "faq-2", "b"):
        made(tmp_path / name)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "recipe.yaml").write_text("out: there")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "manifest.json").write_text("{}")
    (tmp_path / "note.txt").write_text("no folder")
    assert [path.name for path in runs_in(tmp_path)] == ["b", "faq-2", "faq-10"]
    assert runs_in(tmp_path / "b") == [tmp_path / "b"]
    assert runs_in(tmp_path / "nowhere") == runs_in(tmp_path / "note.txt") == []


def test_looking_at_runs_needs_no_torch(tmp_path: Path) -> None:
    made(tmp_path / "runs" / "faq-1")
    code = "import sys, tutelage.cli\ntry: tutelage.cli.main()\nexcept SystemExit: pass\n"
    code += "print(sorted({'torch', 'transformers', 'polars', 'numpy'} & set(sys.modules)), file=sys.stderr)"
    for words in (["runs"], ["runs", "runs/faq"], ["runs", "--json"]):
        done = subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True)
        assert ("faq-1" in done.stdout, done.stderr) == (True, "[]\n")
