"""Whatever happens to a run, it goes on with the same bits or says why not: kills, full disks, flipped bits.

The quick form; `make reliability` does each many more times.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch

import hurting
from tutelage.errors import TuningError, UsageError
from tutelage.model.load import locate
from tutelage.tuning import checkpoint
from tutelage.tuning.checkpoint import Progress
from tutelage.tuning.job import resume, tune
from tutelage.tuning.lock import hold
from tutelage.tuning.run import Run


def quiet(line: str) -> None:
    del line


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_runs_that_are_killed_at_random_end_with_the_same_bits(kind: str, tmp_path: Path) -> None:
    found = hurting.killed_at_random(tmp_path, 5, kind)
    assert found.problems == []
    assert found.kills >= 5
    assert found.lost <= 2  # a step that was done and not yet saved, and the one whose saving was cut off


def progress(step: int) -> Progress:
    return Progress(step, 0.0, 0, None, 0, 0, "r", "d", "t", "k", "b")


def test_a_disk_that_is_full_at_any_size_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    """The limit reaches the library that writes the tensors, too."""
    torch.set_num_threads(1)
    folder = tmp_path / "checkpoints"
    small = {"master/a": torch.rand(40), "exp_avg/a": torch.rand(3)}
    first = checkpoint.save(folder, 1, small, progress(1))
    most = max(path.stat().st_size for path in first.iterdir())
    outcomes = set()
    for limit in [*range(0, most, 37), most - 1, most]:
        child = hurting.in_child(lambda: checkpoint.save(folder, 2, small, progress(2)), limit)
        outcomes.add((status := hurting.status_of(child), limit >= most))
        found = checkpoint.latest(folder)
        assert found is not None and checkpoint.load(found)[1].step == (2 if status == 0 else 1)
        assert [path.name for path in folder.iterdir()] == [found.name]
    assert outcomes == {(3, False), (0, True)}


@pytest.mark.parametrize("limit", [0, 3_000, 60_000])
def test_a_run_on_a_full_disk_ends_with_a_sentence_and_goes_on_later(limit: int, tmp_path: Path) -> None:
    """Whatever could still be written, a run that has a checkpoint ends like one that was never disturbed."""
    run = hurting.stopped_run(tmp_path)
    right = tmp_path / "right"
    shutil.copytree(run.folder, right)
    assert hurting.status_of(hurting.in_child(lambda: resume(run.folder), limit)) == 3
    assert hurting.unequal(hurting.weights_of(resume(run.folder)), hurting.weights_of(resume(right))) == []


def test_a_flipped_bit_in_any_file_of_a_stopped_run_is_refused_and_named(tmp_path: Path) -> None:
    run, draw = hurting.stopped_run(tmp_path), random.Random(1)
    for name in hurting.FILES:
        path = run.folder / name
        before = hurting.flipped(path, draw)
        there = hurting.contents(run.folder)
        said = hurting.refusal(lambda: resume(run.folder))
        assert said, name
        assert hurting.contents(run.folder) == there, name
        path.write_bytes(before)
    assert hurting.refusal(lambda: resume(run.folder)) == ""


def test_a_flipped_bit_in_the_kept_tokens_changes_nothing(tmp_path: Path) -> None:
    """They are encoded again."""
    run, draw = hurting.stopped_run(tmp_path), random.Random(1)
    shutil.copytree(run.folder, tmp_path / "right")
    for path in sorted((run.folder / "tokens").rglob("*.*")):
        hurting.flipped(path, draw)
    assert hurting.unequal(hurting.weights_of(resume(run.folder)), hurting.weights_of(resume(tmp_path / "right"))) == []


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_a_flipped_bit_in_any_file_of_a_tuned_model_is_refused(kind: str, tmp_path: Path) -> None:
    run, draw = tune(hurting.recipe_for(tmp_path, "run", kind)), random.Random(2)
    places = [path for path in sorted(run.tuned.rglob("*")) if path.is_file()]
    assert len(places) >= 4
    for path in [*places, run.folder / "manifest.json"]:
        before = hurting.flipped(path, draw)
        assert hurting.refusal(lambda: (locate(str(run.folder), quiet), run.manifest())), path.name
        path.write_bytes(before)
    assert hurting.refusal(lambda: locate(str(run.folder), quiet)) == ""


def test_a_number_changed_in_a_runs_manifest_is_refused(tmp_path: Path) -> None:
    """It is still JSON, and still a manifest."""
    run = hurting.stopped_run(tmp_path)
    path = run.folder / "manifest.json"
    before = path.read_text()
    path.write_text(before.replace('"steps": 4,', '"steps": 5,'))
    assert path.read_text() != before
    with pytest.raises(UsageError, match=r"manifest\.json is damaged or was changed by hand"):
        resume(run.folder)
    path.write_text(before)
    resume(run.folder)


def test_of_two_processes_on_one_run_the_second_is_refused(tmp_path: Path) -> None:
    run = hurting.stopped_run(tmp_path)
    child = hurting.in_child(lambda: _held(run.folder))
    while not (run.folder / "lock.json").exists():
        time.sleep(0.01)
    before = hurting.contents(run.folder)
    with pytest.raises(TuningError, match=rf"in use by process {child} on "):
        resume(run.folder)
    assert hurting.contents(run.folder) == before
    os.kill(child, signal.SIGKILL)
    hurting.status_of(child)
    resume(run.folder)


def _held(folder: Path) -> None:
    with hold(folder):
        time.sleep(60)


def test_of_two_processes_that_start_at_once_each_gets_its_own_folder_or_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    same = hurting.recipe_for(tmp_path, "same")
    free = same.model_copy(update={"out": ""})
    children = [hurting.in_child(lambda: tune(free)) for _ in range(3)]
    assert [hurting.status_of(child) for child in children] == [0, 0, 0]
    runs = [Run(path) for path in sorted(Path("runs").iterdir())]
    assert [run.name for run in runs] == ["data-1", "data-2", "data-3"]
    assert all(run.manifest().finished for run in runs)
    children = [hurting.in_child(lambda: tune(same)) for _ in range(3)]
    assert sorted(hurting.status_of(child) for child in children) == [0, 3, 3]
    assert hurting.unequal(hurting.weights_of(Run(tmp_path / "same")), hurting.weights_of(runs[0])) == []


@pytest.mark.parametrize("name", ["state.safetensors", "progress.json", "manifest.json"])
def test_a_process_killed_while_removing_the_old_checkpoint(name: str, tmp_path: Path) -> None:
    """Some of the old one's files are left: the new one is taken, and the next saving clears the rest away."""
    tensors = {"master/a": torch.rand(4)}
    old = checkpoint.save(tmp_path, 1, tensors, progress(1))
    shutil.copytree(old, tmp_path / "copy")
    new = checkpoint.save(tmp_path, 2, tensors, progress(2))
    (tmp_path / "copy").rename(old)
    (old / name).unlink()
    assert checkpoint.latest(tmp_path) == new
    assert checkpoint.load(new)[1].step == 2
    checkpoint.save(tmp_path, 3, tensors, progress(3))
    assert [path.name for path in tmp_path.iterdir()] == ["step-3"]
