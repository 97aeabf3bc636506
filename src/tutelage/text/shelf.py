"""Encoded examples on disk, found again by their hash and mapped into memory: who needs them again encodes nothing.

A shelf that is missing, damaged or made from something else is no error: what it would have held is encoded again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.records import Conversation, Dropped, Example, Role
from tutelage.text.encode import Encoded, Tokens

_FORM = 1
"""Goes up when `Encoder` or this file's layout gives other contents for the same key."""
_ARRAYS = ("ids", "weights", "ends", "spans")


def key_of(examples: Sequence[Example], *settings: object) -> str:
    """SHA-256 of what tokens follow from: the examples' words and order, and the settings (hashes of tokenizer and
    template, lengths, weights)."""
    digest = hashlib.sha256(json.dumps([_FORM, *map(str, settings)]).encode())
    for example in examples:
        digest.update(f"\n{example.id} {example.conversation.content_hash()}".encode())
    return digest.hexdigest()


def put(folder: Path, key: str, examples: Sequence[Example], encoded: Encoded) -> None:
    """Keep what `examples` were encoded to.

    Raises:
        OSError: the disk refuses; nothing is left behind.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".shelf-"))
    try:
        tokens = encoded.tokens
        spans = [(place, *span) for place, item in enumerate(tokens) for span in item.spans]
        arrays: dict[str, NDArray[Any]] = {
            "ids": np.concatenate([np.zeros(0, np.int32), *(item.ids for item in tokens)]),
            "weights": np.concatenate([np.zeros(0, np.float32), *(item.weights for item in tokens)]),
            "ends": np.cumsum([len(item) for item in tokens], dtype=np.int64),
            "spans": np.array(spans, np.int64).reshape(-1, 3),
        }
        for name, array in arrays.items():
            np.save(work / f"{name}.npy", array)
        about = {"key": key, "hashes": {name: _hash(work / f"{name}.npy") for name in _ARRAYS}}
        text = json.dumps(about | _ledger(examples, encoded), ensure_ascii=True)
        (work / "about.json").write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def take(folder: Path, key: str, examples: Sequence[Example]) -> Encoded | None:
    """What `put` kept for the same key, its arrays mapped from disk; None where there is no such thing whole."""
    try:
        digest, _, text = (folder / "about.json").read_text(encoding="utf-8").rstrip("\n").partition("\n")
        if digest != hashlib.sha256(text.encode()).hexdigest():
            return None
        about = json.loads(text)
        if about["key"] != key or any(_hash(folder / f"{name}.npy") != about["hashes"][name] for name in _ARRAYS):
            return None
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ARRAYS}
        return _restored(arrays, about, examples)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _ledger(examples: Sequence[Example], encoded: Encoded) -> dict[str, object]:
    """Which examples were kept, how many turns each lost, and why the others were dropped."""
    turns = {example.id: len(example.conversation.turns) for example in examples}
    lost = {
        example.id: turns[example.id] - len(example.conversation.turns)
        for example in encoded.examples
        if len(example.conversation.turns) != turns[example.id]
    }
    kept = {example.id for example in encoded.examples}
    reasons = [(dropped.stage, dropped.rule, dropped.reason) for dropped in encoded.dropped]
    return {"kept": [example.id in kept for example in examples], "lost": lost, "dropped": reasons}


def _restored(arrays: dict[str, NDArray[Any]], about: dict[str, Any], examples: Sequence[Example]) -> Encoded:
    spans: dict[int, list[tuple[int, int]]] = {}
    for place, start, end in arrays["spans"].tolist():
        spans.setdefault(place, []).append((start, end))
    tokens: list[Tokens] = []
    kept: list[Example] = []
    gone: list[Example] = []
    for example, whole in zip(examples, about["kept"], strict=True):
        if not whole:
            gone.append(example)
            continue
        place = len(kept)
        part = slice(int(arrays["ends"][place - 1]) if place else 0, int(arrays["ends"][place]))
        tokens.append(Tokens(arrays["ids"][part], arrays["weights"][part], tuple(spans.get(place, ())), example.id))
        kept.append(_shortened(example, int(about["lost"].get(example.id, 0))))
    dropped = tuple(Dropped(example.source, *reason) for example, reason in zip(gone, about["dropped"], strict=True))
    return Encoded(tuple(tokens), tuple(kept), tuple(about["lost"]), sum(about["lost"].values()), dropped)


def _shortened(example: Example, lost: int) -> Example:
    """The example without its first turns, of which a system turn stays."""
    if not lost:
        return example
    turns = example.conversation.turns
    head = 1 if turns[0].role is Role.SYSTEM else 0
    return replace(example, conversation=Conversation(turns[:head] + turns[head + lost :]))


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
