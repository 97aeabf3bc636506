"""A run that is tracked: TensorBoard's events are what metrics.jsonl has, over a resume."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from calling import Call
from tensorboardX.proto.event_pb2 import Event

from tiny import save, write_rows
from tutelage.errors import TuningError
from tutelage.tuning import job as jobs
from tutelage.tuning.run import Run
from tutelage.tuning.work import Job

QUICK = ("tuning.lr=3e-3", "tuning.batch_size=8", "tuning.epochs=2", "tuning.save_every=3", "model.threads=1")


def losses(folder: Path) -> list[tuple[int, float]]:
    """Every loss in the event files, in the order it was written: step and value."""
    found = []
    for path in sorted(folder.iterdir()):
        data, place = path.read_bytes(), 0
        while place < len(data):
            (size,) = struct.unpack_from("<Q", data, place)
            (event := Event()).ParseFromString(data[place + 12 : place + 12 + size])
            found += [(event.step, value.simple_value) for value in event.summary.value if value.tag == "loss"]
            place += size + 16
    return found


def test_a_run_is_tracked_and_goes_on_being_tracked(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It breaks off after step 5 and goes on from its checkpoint at step 3: steps 4 and 5 come twice."""
    faq, base = write_rows(tmp_path / "faq.jsonl", 40), save(tmp_path / "base")
    real = jobs.work

    def broken(job: Job) -> None:
        seen = job.watch.stepped

        def stepped(step: Any, planned: int) -> None:
            seen(step, planned)
            if step.step == 5:
                raise TuningError("broken off")

        job.watch = jobs.replace(job.watch, stepped=stepped)
        real(job)

    monkeypatch.setattr(jobs, "work", broken)
    assert call("tune", faq, "--base", base, *QUICK, "track.tensorboard=true").status == 1
    monkeypatch.setattr(jobs, "work", real)
    done = call("resume", "runs/faq-1", "--json")
    assert (done.status, json.loads(done.out)["finished"]) == (0, True)
    steps = Run(Path("runs/faq-1")).steps()
    found = losses(Path("runs/faq-1/tensorboard"))
    assert [number for number, _ in found] == [1, 2, 3, 4, 5, *range(4, len(steps) + 1)]
    assert dict(found) == pytest.approx({step.step: step.loss for step in steps})


def test_a_tracker_that_is_not_installed_stops_the_run_before_it_starts(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faq, base = write_rows(tmp_path / "faq.jsonl", 40), save(tmp_path / "base")
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    done = call("tune", faq, "--base", base, *QUICK, "track.wandb=desk")
    assert (done.status, "pip install 'tutelage[wandb]'" in done.err, Path("runs").exists()) == (2, True, False)
