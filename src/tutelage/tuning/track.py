"""Trackers: each step goes to TensorBoard, Weights & Biases or trackio too, where the recipe asks for it."""

from __future__ import annotations

import importlib.util
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tutelage.errors import UsageError
from tutelage.recipe import Recipe, TrackSettings
from tutelage.tuning.run import Step, write_text

Ways = tuple[Callable[[dict[str, float], int], object], Callable[[bool], object]]
"""What is called with the measures of a step and its number, and in the end with whether the run failed."""


class Tracker:
    """One place that steps go to. What goes wrong there is told once, and the run goes on without it."""

    def __init__(self, name: str, opened: Callable[[], Ways], say: Callable[[str], None]) -> None:
        self._name, self._say = name, say
        self._ways: Ways | None = None
        self._try(lambda: setattr(self, "_ways", opened()))

    def step(self, step: Step) -> None:
        """Hand on what a step measured, under the names of metrics.jsonl."""
        if self._ways:
            values = {name: value for name, value in asdict(step).items() if name != "step" and value is not None}
            self._try(partial(self._ways[0], values, step.step))

    def close(self, failed: bool = False) -> None:
        """Write out what is left."""
        if self._ways:
            self._try(partial(self._ways[1], failed))

    def _try(self, action: Callable[[], object]) -> None:
        try:
            with redirect_stdout(sys.stderr):  # some print what they do, and stdout may be one JSON result
                action()
        except Exception as error:  # whatever a service or its library raises: the run is worth more than its picture
            self._ways = None
            reason = (str(error).strip() or type(error).__name__).split("\n")[0]
            self._say(f"Careful: {self._name} gets no more steps ({reason}); metrics.jsonl has them all.")


def check(settings: TrackSettings) -> list[str]:
    """The trackers that are asked for; UsageError where the package of one is not there, with how to install it."""
    wanted = [name for name in OPENERS if getattr(settings, name)]
    for name in wanted:
        found = importlib.util.find_spec("tensorboardX" if name == "tensorboard" else name)
        if getattr(found, "origin", None) is None:  # nothing, or only a folder of that name, such as ./wandb
            raise UsageError(f"track.{name} needs one more package: pip install 'tutelage[{name}]'")
    return wanted


def trackers(recipe: Recipe, folder: Path, done: int, say: Callable[[str], None]) -> list[Tracker]:
    """Those that a recipe asks for; they go on after the `done` steps that the run has done before."""
    return [Tracker(name, partial(OPENERS[name], recipe, folder, done), say) for name in check(recipe.track)]


@contextmanager
def tracking(recipe: Recipe, folder: Path, done: int, say: Callable[[str], None]) -> Iterator[Callable[[Step], None]]:
    """Give what is to be called with each step; the trackers are closed however the block is left."""
    found, failed = trackers(recipe, folder, done, say), True

    def stepped(step: Step) -> None:
        for tracker in found:
            tracker.step(step)

    try:
        yield stepped
        failed = False
    finally:
        for tracker in found:
            tracker.close(failed)


def _tensorboard(recipe: Recipe, folder: Path, done: int) -> Ways:
    from tensorboardX import SummaryWriter  # TensorBoard itself is large, and only needed to look

    # A process that was killed had gone on after its checkpoint; those steps come again, and the first ones are void.
    writer = SummaryWriter(f"{folder}/tensorboard", purge_step=done + 1, filename_suffix=f".{done}", flush_secs=10)
    return lambda values, step: [writer.add_scalar(*pair, step) for pair in values.items()], lambda _: writer.close()


def _wandb(recipe: Recipe, folder: Path, done: int) -> Ways:
    import wandb

    # No console: it shows held-out conversations, which stay here. And nobody waits hours for a network at the end.
    settings = wandb.Settings(console="off", finish_timeout=60, finish_timeout_raises=True)
    names = {"project": recipe.track.wandb, "id": _id(folder), "name": folder.name, "dir": folder, "resume": "allow"}
    run = wandb.init(**names, settings=settings, config=recipe.model_dump(mode="json"), allow_val_change=True)
    known = run.step  # what a killed process had sent; those steps come again, with the same numbers
    return lambda values, step: step >= known and run.log(values, step=step), lambda failed: run.finish(int(failed))


def _trackio(recipe: Recipe, folder: Path, done: int) -> Ways:
    import trackio

    names = {"project": recipe.track.trackio, "name": f"{folder.name}-{_id(folder)}", "resume": "allow"}
    run = trackio.init(**names, embed=False, config=recipe.model_dump(mode="json"))
    return lambda values, step: run.log(values, step=step), lambda _: trackio.finish()


OPENERS = {"tensorboard": _tensorboard, "wandb": _wandb, "trackio": _trackio}


def _id(folder: Path) -> str:
    """What trackers know a run by, kept in its folder for when it goes on."""
    path = folder / "tracking-id"
    if not path.exists():
        write_text(path, uuid.uuid4().hex[:12] + "\n")
    return path.read_text(encoding="utf-8").strip()
