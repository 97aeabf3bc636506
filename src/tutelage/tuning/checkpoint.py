"""Checkpoints that are whole or not there: a temporary folder, synced, renamed; SHA-256 of every file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tutelage.errors import TuningError


@dataclass(frozen=True)
class Progress:
    """Where a run is, beside its tensors. Orders and random numbers follow from the seed and the step."""

    step: int
    seconds: float
    tokens: int
    best_loss: float | None
    best_step: int
    waited: int
    recipe_hash: str
    data_hash: str
    template_hash: str
    tokenizer_hash: str
    base_hash: str


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def save(folder: Path, step: int, tensors: Mapping[str, Tensor], progress: Progress) -> Path:
    """Write `folder`/step-N; an older checkpoint is removed only after this one stands.

    Raises:
        TuningError: the disk refuses; the older checkpoint is untouched.
    """
    target = folder / f"step-{step}"
    work: Path | None = None
    for left in folder.glob(".writing-*"):  # of a process that was killed while saving
        shutil.rmtree(left, ignore_errors=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=folder, prefix=".writing-"))
        save_file({name: value.contiguous() for name, value in tensors.items()}, work / "state.safetensors")
        (work / "progress.json").write_text(json.dumps(asdict(progress), indent=2) + "\n")
        hashes = {name: file_hash(work / name) for name in ("state.safetensors", "progress.json")}
        (work / "manifest.json").write_text(json.dumps(hashes, indent=2) + "\n")
        for path in (*work.iterdir(), work):
            _sync(path)
        if target.exists():
            shutil.rmtree(target)
        os.rename(work, target)
        _sync(folder)
    except (OSError, SafetensorError) as error:  # safetensors reports a full disk as its own kind
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
        raise TuningError(f"the checkpoint of step {step} cannot be written to {folder}: {error}") from error
    for path in folder.iterdir():
        if path.name.startswith("step-") and path != target:
            shutil.rmtree(path, ignore_errors=True)
    return target


def latest(folder: Path) -> Path | None:
    """The newest checkpoint's folder, or None."""
    found = [path for path in folder.glob("step-*") if (path / "manifest.json").exists()]
    return max(found, key=lambda path: int(path.name.removeprefix("step-")), default=None)


def load(checkpoint: Path) -> tuple[dict[str, Tensor], Progress]:
    """Tensors and progress of a checkpoint.

    Raises:
        TuningError: a file is missing or its SHA-256 is not the one written.
    """
    try:
        hashes = json.loads((checkpoint / "manifest.json").read_text())
        for name, expected in hashes.items():
            found = file_hash(checkpoint / name)
            if found != expected:
                raise TuningError(
                    f"{checkpoint / name} is damaged: its SHA-256 is {found[:12]}…, written was {expected[:12]}…; "
                    "restore it from a copy, or tune again"
                )
        progress = Progress(**json.loads((checkpoint / "progress.json").read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise TuningError(f"the checkpoint {checkpoint} cannot be read: {error}") from error
    return load_file(checkpoint / "state.safetensors"), progress
