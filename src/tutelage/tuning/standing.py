"""How runs stand: state, losses and speed, read from their folders. A broken one is named; torch is not needed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tutelage.errors import UsageError
from tutelage.tuning.lock import Holder, holder
from tutelage.tuning.run import Manifest, Run, Step

NUMBERS = ("steps", "of_steps", "best_step", "seconds", "tokens", "peak_memory")
TEXTS = ("template", "adapter", "created")


@dataclass(frozen=True)
class Standing:
    """A run as its folder shows it now.

    Attributes:
        state: finished; stopped early (finished, since it no longer got better); running; stopped; died (its process
            went without an ending); unknown (its process is on another machine); broken (there is no telling).
        resumable: it is not at work and has a checkpoint to go on from.
        steps: those that can be read.
        problem: what cannot be read, and where; empty where all can.
    """

    folder: Path
    state: str
    resumable: bool
    manifest: Manifest | None
    steps: tuple[Step, ...]
    holder: Holder | None
    problem: str

    @property
    def done(self) -> int:
        """Optimizer steps done, those after the last checkpoint too."""
        if self.steps:
            return self.steps[-1].step
        return self.manifest.steps if self.manifest else 0

    @property
    def loss(self) -> float | None:
        """The last step's loss."""
        return self.steps[-1].loss if self.steps else None

    @property
    def held_out(self) -> list[tuple[int, float]]:
        """Steps after which the hold-out was measured, with its loss."""
        return [(step.step, step.held_out_loss) for step in self.steps if step.held_out_loss is not None]

    @property
    def tokens_per_second(self) -> float | None:
        """Over all steps; None before the first."""
        seconds = sum(step.seconds for step in self.steps)
        return sum(step.tokens for step in self.steps) / seconds if seconds else None

    def as_dict(self) -> dict[str, Any]:
        """What --json prints: the manifest, with where the run is now and how it goes."""
        manifest = asdict(replace(self.manifest, steps=self.done)) if self.manifest else {}
        return {
            "run": str(self.folder),
            **manifest,
            "state": self.state,
            "loss": self.loss,
            "held_out_loss": self.held_out[-1][1] if self.held_out else None,
            "tokens_per_second": self.tokens_per_second,
            **({"problem": self.problem} if self.problem else {}),
        }


def runs_in(top: Path) -> list[Path]:
    """`top` where it is a run, else the runs in it, NAME-2 before NAME-10; also such as never came to a first step."""
    if _begun(top):
        return [top]
    return sorted(filter(_begun, top.glob("*")), key=lambda path: _numbered(path.name))


def standing(folder: Path) -> Standing:
    """How a run stands; whatever is wrong with its files is told, not raised."""
    held = holder(folder)
    alive = held is not None and held.alive is not False
    manifest, problem = _manifest(Run(folder), alive)
    steps, unread = _steps(folder / "metrics.jsonl")
    saved = any((path / "manifest.json").exists() for path in folder.glob("checkpoints/step-*"))
    return Standing(
        folder,
        _state(manifest, held, broken=bool(problem) and (folder / "manifest.json").exists()),
        saved and not alive and manifest is not None and not manifest.finished,
        manifest,
        steps,
        held,
        "; ".join(filter(None, (problem, unread))),
    )


def _state(manifest: Manifest | None, held: Holder | None, broken: bool) -> str:
    if held and held.alive is not False:
        return "running" if held.alive else "unknown"
    if broken:
        return "broken"
    if manifest and manifest.finished:
        return "stopped early" if manifest.stopped_early else "finished"
    return "died" if held else "stopped"


def _manifest(run: Run, alive: bool) -> tuple[Manifest | None, str]:
    """The manifest, or why there is none; a run at work may not have come to writing it."""
    path = run.folder / "manifest.json"
    if alive and not path.exists():
        return None, ""
    try:
        found = run.manifest()
    except UsageError as error:
        return None, str(error)
    sound = (
        isinstance(found.base, Mapping)
        and all(isinstance(getattr(found, name), int | float) for name in NUMBERS)
        and all(isinstance(getattr(found, name), str) for name in TEXTS)
    )
    return (found, "") if sound else (None, f"{path} is damaged: it has a value of the wrong kind")


def _steps(path: Path) -> tuple[tuple[Step, ...], str]:
    """The steps that can be read, and which line cannot; one that a killed process left unfinished is passed over."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return (), ""
    except OSError as error:
        return (), f"{path} cannot be read: {error.strerror}"
    found, damaged = [], []
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
            step = Step(**values)
            if not all(isinstance(value, int | float) for value in values.values()):
                raise TypeError(line)
            found.append(step)
        except (ValueError, TypeError, RecursionError):
            damaged.append(str(number))
    more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
    return tuple(found), f"{path}: line {damaged[0]}{more} cannot be read" if damaged else ""


def _begun(folder: Path) -> bool:
    """Whether `tune` made this folder, however far it came; a recipe alone is somebody's file."""
    made = ("manifest.json", "certificate.json", "metrics.jsonl")
    known = (folder / "recipe.yaml").exists() and any((folder / name).exists() for name in made)
    return known or (folder / "lock.json").exists()


def _numbered(name: str) -> list[tuple[int, str]]:
    """`faq-10` after `faq-9`: digits are compared as numbers."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
