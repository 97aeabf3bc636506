"""Checkpoints: whole or not there, damage seen, older ones kept until the new one stands."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from tutelage.errors import TuningError
from tutelage.tuning import checkpoint
from tutelage.tuning.checkpoint import Progress, latest, load, save

TENSORS = {"master/a": torch.arange(6.0).reshape(2, 3), "step/a": torch.tensor(3.0)}


def progress(step: int) -> Progress:
    return Progress(step, 1.5, 100, 2.25, step - 1, 1, "recipe", "data", "template", "tokenizer", "base")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    saved = save(tmp_path / "new", 3, TENSORS, progress(3))
    tensors, found = load(saved)
    assert found == progress(3)
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert names(saved) == ["manifest.json", "progress.json", "state.safetensors"]


def test_the_newest_replaces_the_older_ones(tmp_path: Path) -> None:
    for step in (9, 10):
        save(tmp_path, step, TENSORS, progress(step))
    assert names(tmp_path) == ["step-10"]
    assert latest(tmp_path) == tmp_path / "step-10"
    assert latest(tmp_path / "nowhere") is None


def test_the_same_step_may_be_saved_again(tmp_path: Path) -> None:
    save(tmp_path, 1, TENSORS, progress(1))
    save(tmp_path, 1, {"master/a": torch.zeros(1)}, progress(1))
    assert load(tmp_path / "step-1")[0].keys() == {"master/a"}


def test_the_latest_is_by_number_and_complete(tmp_path: Path) -> None:
    """A folder without its manifest was not finished."""
    saved = save(tmp_path / "other", 9, TENSORS, progress(9))
    for name in ("step-9", "step-10", "step-100"):
        shutil.copytree(saved, tmp_path / name)
    (tmp_path / "step-100" / "manifest.json").unlink()
    assert latest(tmp_path) == tmp_path / "step-10"


@pytest.mark.parametrize("name", ["state.safetensors", "progress.json", "manifest.json"])
def test_a_flipped_bit_is_detected(name: str, tmp_path: Path) -> None:
    """Any bit of any file, but for white space of the manifest, which says nothing."""
    saved = save(tmp_path, 1, TENSORS, progress(1))
    path = saved / name
    whole = path.read_bytes()
    for place in random.Random(name).sample(range(len(whole)), 25):
        bit = 1 << random.Random(place).randrange(8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        if name == "manifest.json" and chr(whole[place]).isspace():
            continue
        with pytest.raises(TuningError, match=r"is damaged|cannot be read"):
            load(saved)
    path.write_bytes(whole)
    assert load(saved)[1] == progress(1)


@pytest.mark.parametrize("name", ["state.safetensors", "progress.json", "manifest.json"])
@pytest.mark.parametrize("hurt", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_a_missing_or_shortened_file_is_detected(name: str, hurt: Callable[[Path], Any], tmp_path: Path) -> None:
    saved = save(tmp_path, 1, TENSORS, progress(1))
    hurt(saved / name)
    with pytest.raises(TuningError, match=r"is damaged|cannot be read"):
        load(saved)


def test_files_swapped_between_two_checkpoints_are_detected(tmp_path: Path) -> None:
    first, second = (save(tmp_path / str(step), step, TENSORS, progress(step)) for step in (1, 2))
    shutil.copy(first / "progress.json", second / "progress.json")
    with pytest.raises(TuningError, match=r"progress\.json is damaged"):
        load(second)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left on device")])
@pytest.mark.parametrize("where", ["save_file", "to_disk", "file_hash", "os.rename"])
def test_a_full_disk_leaves_the_old_checkpoint(
    where: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, 1, TENSORS, progress(1))

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(f"tutelage.tuning.checkpoint.{where}", fail)
    with pytest.raises(TuningError, match=r"step-2 cannot be written .*No space left on device.*untouched"):
        save(tmp_path, 2, TENSORS, progress(2))
    monkeypatch.undo()
    assert names(tmp_path) == ["step-1"]
    assert load(tmp_path / "step-1")[1] == progress(1)


@pytest.mark.parametrize("where", ["save_file", "file_hash", "to_disk", "os.rename"])
def test_a_process_killed_while_saving_leaves_the_old_checkpoint(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its leavings are no checkpoint, and go when the next one is written."""
    save(tmp_path, 1, TENSORS, progress(1))

    def die(*_: Any) -> None:
        raise SystemExit(9)

    monkeypatch.setattr(f"tutelage.tuning.checkpoint.{where}", die)
    with pytest.raises(SystemExit):
        save(tmp_path, 2, TENSORS, progress(2))
    monkeypatch.undo()
    assert len(names(tmp_path)) == 2
    assert latest(tmp_path) == tmp_path / "step-1"
    assert load(tmp_path / "step-1")[1] == progress(1)
    save(tmp_path, 3, TENSORS, progress(3))
    assert names(tmp_path) == ["step-3"]


def test_the_manifest_holds_the_hashes_that_anybody_can_check(tmp_path: Path) -> None:
    saved = save(tmp_path, 1, TENSORS, progress(1))
    assert json.loads((saved / "manifest.json").read_text()) == {
        name: checkpoint.file_hash(saved / name) for name in ("state.safetensors", "progress.json")
    }


def test_a_disk_that_gives_back_something_else_is_noticed_before_the_old_checkpoint_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that says it is done and is not: another value, another progress, a tensor less."""
    save(tmp_path, 1, TENSORS, progress(1))
    written = checkpoint.save_file
    wrong = {name: value + (name == sorted(TENSORS)[0]) for name, value in TENSORS.items()}
    fewer = dict(list(TENSORS.items())[1:])
    for tensors in (wrong, fewer):
        monkeypatch.setattr(checkpoint, "save_file", lambda given, path, kept=tensors: written(kept, path))
        with pytest.raises(TuningError, match="the disk gives back another"):
            save(tmp_path, 2, TENSORS, progress(2))
    monkeypatch.undo()
    assert names(tmp_path) == ["step-1"]


def test_numbers_that_are_none_are_kept_as_they_are(tmp_path: Path) -> None:
    save(tmp_path, 1, {"a": torch.tensor([1.0, math.nan, -0.0]), "b": torch.tensor(math.nan)}, progress(1))
    read, _ = load(tmp_path / "step-1")
    assert str(read["a"].tolist()) == "[1.0, nan, -0.0]" and read["b"].isnan()


def test_killed_while_the_same_step_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two renames there is still the one that was there before."""
    save(tmp_path, 1, TENSORS, progress(1))
    rename, calls = os.rename, []

    def once(*names: Any) -> None:
        calls.append(names)
        if len(calls) == 2:
            raise SystemExit(9)
        rename(*names)

    monkeypatch.setattr("tutelage.tuning.checkpoint.os.rename", once)
    with pytest.raises(SystemExit):
        save(tmp_path, 1, {"master/a": torch.zeros(1)}, progress(1))
    monkeypatch.undo()
    left = latest(tmp_path)
    assert left is not None and load(left)[0].keys() == TENSORS.keys()
    save(tmp_path, 1, {"master/a": torch.zeros(1)}, progress(1))
    assert names(tmp_path) == ["step-1"]
    assert load(tmp_path / "step-1")[0].keys() == {"master/a"}


def test_a_damaged_checkpoint_of_the_same_step_is_written_again(tmp_path: Path) -> None:
    path = save(tmp_path, 1, TENSORS, progress(1)) / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    save(tmp_path, 1, TENSORS, progress(1))
    assert load(tmp_path / "step-1")[1] == progress(1)


@pytest.mark.slow
def test_whenever_a_process_is_killed_there_is_a_checkpoint(tmp_path: Path) -> None:
    """Forty real kills of a process that does nothing but save; what it left loads, and is never an older one."""
    torch.set_num_threads(1)  # a fork has none of its parent's other threads
    draw, step = random.Random(0), 1
    tensors = TENSORS | {"exp_avg/a": torch.rand(200_000)}
    save(tmp_path, step, tensors, progress(step))
    for _ in range(40):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on, about threads in the parent
            child = os.fork()
        if child == 0:
            try:
                while True:
                    step += 1
                    save(tmp_path, step, tensors, progress(step))
            finally:
                os._exit(1)
        time.sleep(draw.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        found = latest(tmp_path)
        assert found is not None
        read, where = load(found)
        assert torch.equal(read["exp_avg/a"], tensors["exp_avg/a"])
        assert where.step >= step
        step = where.step
    assert step > 5  # some lived long enough to save
    save(tmp_path, step + 1, tensors, progress(step + 1))
    assert names(tmp_path) == [f"step-{step + 1}"]
