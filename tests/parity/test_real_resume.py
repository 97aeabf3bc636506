"""The real starter in bfloat16, stopped at three steps and taken up again: the same bits as without a stop."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import hurting
import tiny
from tutelage.recipe import Recipe, build
from tutelage.tuning.job import resume, tune
from tutelage.tuning.run import Step
from tutelage.tuning.work import Stopped, Watch


def recipe_for(folder: Path, out: str, kind: str) -> Recipe:
    """Four steps over two epochs, with hold-out, early stopping and, where LoRA has it, dropout."""
    data = folder / "data.jsonl"
    if not data.exists():
        tiny.write_rows(data, 5)
    settings = {
        "data": {"files": [str(data)], "hold_out": 0.2},
        "model": {"base": "starter", "device": "cpu", "precision": "bfloat16"},
        "adapter": {"kind": kind, "rank": 4, "dropout": 0.1 if kind == "lora" else 0.0},
        "tuning": {"batch_size": 2, "epochs": 2, "patience": 2, "evaluate_every": 1, "samples": 0, "lr": 1e-4},
        "out": str(folder / out),
    }
    return build(settings)


def stopping(at: int) -> Watch:
    def stepped(step: Step, planned: int) -> None:
        if step.step == at:
            os.kill(os.getpid(), signal.SIGTERM)

    return Watch(stepped=stepped)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["lora", "full"])
def test_the_starter_in_bfloat16_stopped_three_times_has_the_same_bits(kind: str, tmp_path: Path) -> None:
    whole = tune(recipe_for(tmp_path, "whole", kind))
    with pytest.raises(Stopped, match="after step 1"):
        tune(recipe_for(tmp_path, "parts", kind), stopping(1))
    for step in (2, 3):
        with pytest.raises(Stopped, match=f"after step {step}"):
            resume(tmp_path / "parts", stopping(step))
    run = resume(tmp_path / "parts")
    assert run.manifest().machine["precision"] == "bfloat16"
    assert hurting.unequal(hurting.weights_of(run), hurting.weights_of(whole)) == []
    told = [
        [(step.step, step.loss, step.grad_norm, step.held_out_loss) for step in one.steps()] for one in (run, whole)
    ]
    assert told[0] == told[1]
    assert (run.manifest().steps, run.manifest().best_step) == (whole.manifest().steps, whole.manifest().best_step)
