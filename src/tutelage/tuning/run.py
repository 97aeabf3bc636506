"""Run = a folder that holds everything needed to repeat it, to go on with it and to believe it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tutelage.errors import TuningError, UsageError
from tutelage.recipe import Recipe, build, read_recipe
from tutelage.records import Conversation, Example, Role, Source, Turn


@dataclass(frozen=True, slots=True)
class Step:
    """What one optimizer step measured.

    Attributes:
        loss: weighted sum of token losses / sum of weights over the whole step, in nats.
        tokens, trained_tokens: in the step; tokens_per_second counts the former.
        grad_norm: before clipping.
        held_out_loss: per trained token of the hold-out, where it was measured after this step.
    """

    step: int
    loss: float
    tokens: int
    trained_tokens: int
    tokens_per_second: float
    lr: float
    grad_norm: float
    seconds: float
    held_out_loss: float | None = None

    def to_json(self) -> str:
        """One line of metrics.jsonl."""
        kept = {name: value for name, value in asdict(self).items() if value is not None}
        return json.dumps(kept)


@dataclass(frozen=True)
class Manifest:
    """What a run was made of, and how far it is.

    Attributes:
        base: name, folder and weights_hash of the base model.
        template: name of the chat template.
        finished: the tuned model is complete.
        steps, of_steps: optimizer steps done and planned.
        best_step: the step whose weights the tuned model has: the best on the hold-out with patience, else the last.
        hashes: data, tokenizer, template, recipe, tuned weights.
        files: SHA-256 of the run's other files by their place in the folder, as far as they are written for good.
        resumed: for each time the run was taken up: after which step, when, and what had changed since.
        machine: versions, device, precision, threads.
        engine: how packs went through the network.
        seconds, tokens: spent in steps.
    """

    base: Mapping[str, str]
    template: str
    adapter: str
    finished: bool = False
    steps: int = 0
    of_steps: int = 0
    best_step: int = 0
    stopped_early: bool = False
    hashes: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    tokens: int = 0
    peak_memory: int = 0
    created: str = ""
    tutelage: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    resumed: Sequence[Mapping[str, Any]] = ()


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: a temporary file, synced, then renamed."""
    from tutelage.model.machine import to_disk  # here, since who only reads runs need not wait for torch

    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
        to_disk(path.parent)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise TuningError(f"{path}: cannot be written: {error.strerror}; is the disk full?") from error


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, read now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seal(content: Mapping[str, Any]) -> str:
    """SHA-256 over a manifest without its seal, so that no bit of it can change unseen."""
    plain = {name: value for name, value in content.items() if name != "seal"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def append_line(path: Path, line: str) -> None:
    """Add a line to a log.

    Raises:
        TuningError: the disk refuses.
    """
    data = f"{line}\n".encode()
    try:
        with path.open("ab", buffering=0) as file:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise TuningError(f"{path}: cannot be written: {error.strerror}; is the disk full?") from error


@dataclass(frozen=True)
class Run:
    """A run's folder and the names in it."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def tuned(self) -> Path:
        """Where the tuned weights are: `adapter` (PEFT) or `model` (a Hugging Face folder)."""
        return self.folder / ("model" if self.manifest().adapter == "full" else "adapter")

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.folder / "checkpoints"

    @property
    def tokens(self) -> Path:
        """Where the encoded conversations are while the run is not finished."""
        return self.folder / "tokens"

    def recipe(self) -> Recipe:
        """The resolved recipe.

        Raises:
            UsageError: the folder is no run.
        """
        self.manifest()
        return build(read_recipe(self.folder / "recipe.yaml"))

    def manifest(self) -> Manifest:
        """
        Raises:
            UsageError: the folder is no run, or its manifest was changed since it was written.
        """
        path = self.folder / "manifest.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            seal = content.pop("seal", None)  # runs of earlier versions have none
            manifest = Manifest(**content)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            begun = (self.folder / "recipe.yaml").exists() and not path.exists()
            if begun:
                raise UsageError(
                    f"{self.folder} was stopped before its first step; start it again with: "
                    f"tutelage tune {self.folder / 'recipe.yaml'}"
                ) from error
            raise UsageError(f"{self.folder} is no run folder: {path.name} cannot be read ({error})") from error
        if seal is not None and seal != _seal(content):
            raise UsageError(f"{path} is damaged or was changed by hand; restore it from a copy, or tune again")
        return manifest

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace manifest.json."""
        content = asdict(manifest)
        write_text(self.folder / "manifest.json", json.dumps({**content, "seal": _seal(content)}, indent=2) + "\n")

    def check_files(self) -> None:
        """
        Raises:
            TuningError: a file is missing or is not what was written.
        """
        for name, expected in self.manifest().files.items():
            path = self.folder / name
            if not path.is_file():
                raise TuningError(f"{path} is missing; restore it from a copy, or tune again")
            if (found := digest_of(path)) != expected:
                raise TuningError(
                    f"{path} changed since this run was stopped ({expected[:12]}… then, {found[:12]}… now), or is "
                    "damaged; restore it from a copy, or start anew. Settings are changed on the command line of "
                    "tutelage resume; --accept-changes goes on all the same"
                )

    def steps(self) -> tuple[Step, ...]:
        """The metrics so far; a line that a killed process left unfinished is passed over."""
        path = self.folder / "metrics.jsonl"
        if not path.exists():
            return ()
        return tuple(Step(**json.loads(line)) for line in path.read_bytes().split(b"\n")[:-1])

    def write_held_out(self, examples: Iterable[Example]) -> None:
        """Keep the held-out conversations beside the run, for comparing later."""
        lines = []
        for example in examples:
            messages = [{"role": turn.role.value, "content": turn.text} for turn in example.conversation.turns]
            row = {"id": example.id, "messages": messages, "group": example.group, "tags": list(example.tags)}
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        write_text(self.folder / "held_out.jsonl", "".join(lines))

    def held_out(self) -> tuple[Example, ...]:
        """The held-out conversations."""
        path = self.folder / "held_out.jsonl"
        found = []
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n") if path.exists() else [], 1):
            if not line:
                continue
            row = json.loads(line)
            turns = tuple(Turn(Role(message["role"]), message["content"]) for message in row["messages"])
            source = Source(str(path), (number,))
            found.append(Example(row["id"], Conversation(turns), source, row["group"], tuple(row["tags"])))
        return tuple(found)


def is_run(folder: Path) -> bool:
    """Whether a folder looks like a run's."""
    return (folder / "manifest.json").exists() and (folder / "recipe.yaml").exists()


def new_folder(out: str, files: tuple[str, ...]) -> Path:
    """`out`, or runs/NAME-N where NAME follows from the first file and N is the next free number.

    Raises:
        UsageError: the folder exists and is not empty.
    """
    if out:
        folder = Path(out)
        if folder.exists() and any(path.name != ".lock" for path in folder.iterdir()):
            hint = f"; to go on with that run: tutelage resume {folder}" if is_run(folder) else ""
            raise UsageError(f"{folder} exists and is not empty; name another --out{hint}")
        return folder
    stem = Path(files[0].rstrip("/")).name.split(".")[0] if files else "run"
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-") or "run"
    number = 1
    while Path("runs", f"{name}-{number}").exists():
        number += 1
    return Path("runs", f"{name}-{number}")


def make_folder(out: str, files: tuple[str, ...]) -> Path:
    """Makes what `new_folder` names; of two processes that ask at once, each gets its own.

    Raises:
        UsageError: the folder exists and is not empty, or cannot be made.
    """
    while True:
        folder = new_folder(out, files)
        try:
            folder.mkdir(parents=True, exist_ok=bool(out))
            return folder
        except FileExistsError as error:
            if out:
                raise UsageError(f"{folder} is a file; name another --out") from error
        except OSError as error:
            raise UsageError(f"{folder} cannot be made: {error.strerror}") from error
