"""Checkpoints that are whole or not there: a temporary folder, synced, read back, renamed; SHA-256 of every file.

Several processes write a file each, with their own rows; all of them call `save` and `load`, on a disk that all see.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tutelage.errors import TuningError
from tutelage.model.machine import to_disk
from tutelage.tuning.distributed import ALONE, Elsewhere, Party, Rows
from tutelage.tuning.parts import header, own_part, part_name, part_names, read_parts
from tutelage.tuning.run import digest_of as file_hash

PROGRESS, MANIFEST = "progress.json", "manifest.json"
WHOLE: Mapping[str, Rows] = {}
_BEFORE = ".before"


@dataclass(frozen=True)
class Progress:
    """Where a run is, beside its tensors. Orders and random numbers follow from the seed and the step.

    Attributes:
        seconds, tokens: spent in steps so far.
        best_loss, best_step, waited: of the hold-out; `waited` measures without a better one.
        recipe_hash and the other hashes: what must still be the same when the run goes on.
        logs: for each log its length in bytes and the SHA-256 of so much of it.
        numerics: what the last digits depend on: threads, device, precision, torch, processes.
    """

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
    logs: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    numerics: Mapping[str, str] = field(default_factory=dict)


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, Tensor],
    progress: Progress,
    party: Party = ALONE,
    rows: Mapping[str, Rows] = WHOLE,
) -> Path:
    """Write `folder`/step-N; an older checkpoint is removed only after this one stands and was read back.

    Args:
        folder, progress: the first process's are taken.
        rows: of the tensors that this process has not whole, which rows it has.

    Raises:
        TuningError: the disk refuses, or gives back something else; the older checkpoint is untouched.
    """
    target = Path(party.tell(str(folder))) / f"step-{step}"
    if not party.leads:
        _write(target, tensors, progress, party, rows)
        return target
    for left in folder.glob(".writing-*"):  # of a process that was killed while saving
        shutil.rmtree(left, ignore_errors=True)
    _write(target, tensors, progress, party, rows)
    for path in folder.iterdir():
        if path.name.startswith("step-") and path != target:
            shutil.rmtree(path, ignore_errors=True)
    return target


def _write(
    target: Path, tensors: Mapping[str, Tensor], progress: Progress, party: Party, rows: Mapping[str, Rows]
) -> None:
    work: Path | None = None
    try:
        work = Path(party.each(lambda: _workplace(target.parent) if party.leads else "")[0])
        part = work / part_name(party)
        own = own_part(tensors, rows, party)
        hashes = party.each(lambda: _write_part(part, own, {name: rows[name] for name in own if name in rows}))
        names = [part_name(replace(party, rank=rank)) for rank in range(party.size)]
        known = dict(zip(names, hashes, strict=True))
        party.alike(lambda: _close(part.parent, target, progress, known) if party.leads else None)
    except (
        OSError,
        ValueError,
        SafetensorError,
        Elsewhere,
    ) as error:  # safetensors reports a full disk as its own kind
        if work is not None and party.leads:
            shutil.rmtree(work, ignore_errors=True)
        raise TuningError(
            f"the checkpoint {target.name} cannot be written to {target.parent}: {error}. The last one that was "
            "written is untouched; make room on the disk and go on with tutelage resume"
        ) from error


def _workplace(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.mkdtemp(dir=folder, prefix=".writing-")


def _write_part(path: Path, tensors: Mapping[str, Tensor], rows: Mapping[str, Rows]) -> str:
    """A process's file, safe on the disk and read back; its SHA-256."""
    said: dict[str, Any] = {"metadata": header(rows)} if rows else {}
    save_file({name: value.contiguous() for name, value in tensors.items()}, path, **said)
    to_disk(path)
    with safe_open(path, "pt") as kept:
        if set(kept.keys()) != set(tensors):
            raise OSError(f"the disk gives back another {path.name} than was written")
        for name, value in tensors.items():
            if not _same_bits(kept.get_tensor(name), value.detach().cpu()):
                raise OSError(f"the disk gives back another {name} than was written")
    return file_hash(path)


def _close(work: Path, target: Path, progress: Progress, hashes: Mapping[str, str]) -> None:
    """The last files, and the name under which `latest` finds the checkpoint."""
    (work / PROGRESS).write_text(json.dumps(asdict(progress), indent=2) + "\n", encoding="utf-8")
    everything = {**hashes, PROGRESS: file_hash(work / PROGRESS)}
    (work / MANIFEST).write_text(json.dumps(everything, indent=2) + "\n", encoding="utf-8")
    for path in (work / PROGRESS, work / MANIFEST, work):
        to_disk(path)
    if json.loads((work / PROGRESS).read_text(encoding="utf-8")) != json.loads(json.dumps(asdict(progress))):
        raise OSError(f"the disk gives back another {PROGRESS} than was written")
    if target.exists():  # of the same step; `latest` finds it under this name too, should we be killed right here
        before = target.with_name(target.name + _BEFORE)
        shutil.rmtree(before, ignore_errors=True)
        os.rename(target, before)
    os.rename(work, target)
    to_disk(target.parent)


def _same_bits(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.equal(*(tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other)))


def latest(folder: Path) -> Path | None:
    """The newest checkpoint's folder, or None."""
    found = [path for path in folder.glob("step-*") if (path / MANIFEST).exists()]
    return max(found, key=lambda path: (_step(path), not path.name.endswith(_BEFORE)), default=None)


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-").removesuffix(_BEFORE))


def load(
    checkpoint: Path, party: Party = ALONE, rows: Mapping[str, Rows] = WHOLE
) -> tuple[dict[str, Tensor], Progress]:
    """Tensors and progress of a checkpoint, written by as many processes as it may be.

    Args:
        rows: of these tensors, only these rows.

    Raises:
        TuningError: a file is missing or its SHA-256 is not the one written.
    """
    progress, parts = party.alike(lambda: _verified(checkpoint, party))
    try:
        return read_parts([checkpoint / name for name in parts], rows), progress
    except (OSError, ValueError, SafetensorError) as error:
        raise _unreadable(checkpoint, error) from error


def progress_in(checkpoint: Path, tensors: bool = True) -> Progress:
    """The progress of a checkpoint, all its files verified; without `tensors`, which take a while, only its own.

    Raises:
        TuningError: a file is missing or its SHA-256 is not the one written.
    """
    return _verified(checkpoint, ALONE, tensors)[0]


def _verified(checkpoint: Path, party: Party, tensors: bool = True) -> tuple[Progress, list[str]]:
    """Progress, and the names of the files with tensors; of several processes each reads some of the files."""
    try:
        hashes = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
        parts = part_names(set(hashes) - {PROGRESS})
        if not parts or PROGRESS not in hashes:
            raise TuningError(f"{checkpoint / MANIFEST} is damaged: it names {', '.join(sorted(hashes))}; {_THEN}")
        for name in {*(parts[party.rank :: party.size] if tensors else ()), PROGRESS}:
            expected, found = hashes[name], file_hash(checkpoint / name)
            if found != expected:
                sums = f"its SHA-256 is {found[:12]}…, written was {expected[:12]}…"
                raise TuningError(f"{checkpoint / name} is damaged: {sums}; {_THEN}")
        content = json.loads((checkpoint / PROGRESS).read_text(encoding="utf-8"))
        logs = {name: (int(size), str(digest)) for name, (size, digest) in content.pop("logs").items()}
        return Progress(**content, logs=logs), parts
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise _unreadable(checkpoint, error) from error


_THEN = "restore it from a copy, or tune again"


def _unreadable(checkpoint: Path, error: Exception) -> TuningError:
    return TuningError(f"the checkpoint {checkpoint} cannot be read: {error}; {_THEN}")
