"""Ways to hurt a run: kills at random moments, disks that refuse, bits that flip. Used by tests and by
`benchmarks/reliability.py`, which does the same many more times.

Children are forks of a process that has everything imported, so a kill costs a fraction of a second. The parent keeps
to one thread, since a fork has none of its parent's others.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

import tiny
from tutelage.errors import TutelageError
from tutelage.recipe import Recipe, build
from tutelage.tuning import checkpoint
from tutelage.tuning.job import resume, tune
from tutelage.tuning.run import Run
from tutelage.tuning.work import Watch

FILES = (
    "recipe.yaml",
    "manifest.json",
    "certificate.json",
    "held_out.jsonl",
    "metrics.jsonl",
    "samples.jsonl",
    "checkpoints/step-4/state.safetensors",
    "checkpoints/step-4/progress.json",
    "checkpoints/step-4/manifest.json",
    "../base/model.safetensors",
    "../base/tokenizer.json",
    "../data.jsonl",
)
"""What `stopped_run` is made of, from its folder: every file that the same numbers follow from."""


def recipe_for(folder: Path, out: str, kind: str = "lora", **changes: Any) -> Recipe:
    """A run of six steps of a tiny model, with hold-out and dropout; its base and data are made where missing.

    changes: to its tuning; without any, it saves after each step.
    """
    torch.set_num_threads(1)
    base, data = folder / "base", folder / "data.jsonl"
    if not base.exists():
        tiny.save(base)
        tiny.write_rows(data, 12)
    settings = {
        "data": {"files": [str(data)], "hold_out": 0.2},
        "model": {"base": str(base), "device": "cpu", "precision": "float32", "threads": 1},
        "adapter": {"kind": kind, "rank": 4, "dropout": 0.1 if kind == "lora" else 0.0},
        "tuning": {"batch_size": 4, "epochs": 2, "lr": 0.005, "evaluate_every": 2, "samples": 1, "save_every": 1}
        | changes,
        "out": str(folder / out),
    }
    return build(settings)


def in_child(work: Callable[[], object], limit: int | None = None) -> int:
    """Forks a process that does `work` and returns its pid; `limit` is the largest file in bytes that it may write.

    Its exit status is 0 where it was done, 3 where it ended with one of our errors, 4 with any other.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on, about threads in the parent
        child = os.fork()
    if child:
        return child
    status = 4
    try:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        work()
        status = 0
    except TutelageError:
        status = 3
    finally:
        os._exit(status)


def status_of(child: int) -> int:
    """Exit status of a child; minus the signal's number where one killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def weights_of(run: Run) -> dict[str, Tensor]:
    """The tuned weights."""
    (path,) = run.tuned.glob("*.safetensors")
    return load_file(path)


def unequal(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> list[str]:
    """Names of weights of which a bit differs."""
    return sorted(set(ours) ^ set(theirs)) + [
        name for name in set(ours) & set(theirs) if not torch.equal(ours[name], theirs[name])
    ]


@dataclass
class Kills:
    """What became of runs that were killed at random moments.

    Attributes:
        kills: how many processes were killed while they worked.
        ended: runs that came to their end.
        anew: times that a run had to start again, since it was killed before its first checkpoint.
        lost: most steps that were done and had to be done again, in one kill.
        problems: what should never happen, in words.
    """

    kills: int = 0
    ended: int = 0
    anew: int = 0
    lost: int = 0
    problems: list[str] = field(default_factory=list)


def killed_at_random(folder: Path, count: int, kind: str = "lora", seed: int = 0) -> Kills:
    """Kills runs with SIGKILL until it has done so `count` times, taking each up again until it ends."""
    draw, found = random.Random(seed), Kills()
    right = weights_of(tune(recipe_for(folder, "straight", kind)))
    started = time.monotonic()
    tune(recipe_for(folder, "timed", kind))
    whole = time.monotonic() - started
    number = 0
    while found.kills < count:
        number += 1
        run = Run(folder / f"run-{number}")
        recipe = recipe_for(folder, run.name, kind)
        begun = False
        while True:
            child = in_child(lambda b=begun, r=recipe, f=run.folder: resume(f) if b else tune(r))  # type: ignore[misc]
            time.sleep(draw.uniform(0, 1.1 * whole))
            os.kill(child, signal.SIGKILL)  # one that has ended is still there to be waited for
            status = status_of(child)
            found.kills += status == -signal.SIGKILL
            if status > 0:
                found.problems.append(f"{run.name}: ended with status {status}")
                break
            if status == 0:
                found.ended += 1
                found.problems += [f"{run.name}: {name} differs" for name in unequal(weights_of(run), right)]
                break
            if _is_finished(run):  # killed in the last moment
                found.ended += 1
                found.problems += [f"{run.name}: {name} differs" for name in unequal(weights_of(run), right)]
                break
            begun = _after_kill(run, found)
            if not begun:
                found.anew += 1
                break
    return found


def _is_finished(run: Run) -> bool:
    return (run.folder / "manifest.json").exists() and run.manifest().finished


def _after_kill(run: Run, found: Kills) -> bool:
    """Looks at what a killed process left; whether there is a checkpoint to go on from."""
    newest = checkpoint.latest(run.checkpoints)
    if newest is None:
        found.lost = max(found.lost, len(run.steps()))
        return False
    try:
        _, progress = checkpoint.load(newest)
    except TutelageError as error:
        found.problems.append(f"{run.name}: {error}")
        return False
    found.lost = max(found.lost, len(run.steps()) - progress.step)
    return True


def flipped(path: Path, draw: random.Random) -> bytes:
    """Flips one random bit of a file, and returns what it held before."""
    before = path.read_bytes()
    place = draw.randrange(len(before))
    path.write_bytes(before[:place] + bytes([before[place] ^ 1 << draw.randrange(8)]) + before[place + 1 :])
    return before


def refusal(work: Callable[[], object]) -> str:
    """The sentence that `work` is refused with; "" where it is done."""
    try:
        work()
    except TutelageError as error:
        return str(error)
    return ""


def contents(folder: Path, but: Sequence[str] = (".lock",)) -> dict[Path, bytes]:
    """Every file under a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name not in but}


def stopped_run(folder: Path, kind: str = "lora") -> Run:
    """A run that was stopped after its fourth step, with everything that a run can have beside it."""

    def stepped(step: Any, planned: int) -> None:
        if step.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    refusal(lambda: tune(recipe_for(folder, "stopped", kind, patience=9, evaluate_every=1), Watch(stepped=stepped)))
    return Run(folder / "stopped")
