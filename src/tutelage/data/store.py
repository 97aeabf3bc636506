"""A Dataset on disk: kept.jsonl, dropped.jsonl, findings.jsonl and, written last, manifest.json."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from tutelage.data.crew import Crew
from tutelage.data.spool import PART, Packed, Spool, in_parts, packed
from tutelage.errors import DataError
from tutelage.records import Conversation, Dataset, Dropped, Example, Finding, Ledger, Role, Source, Turn

T = TypeVar("T")
KIND = "tutelage dataset"
MANIFEST = "manifest.json"
PARTS = ("kept.jsonl", "dropped.jsonl", "findings.jsonl")


def is_dataset(folder: Path) -> bool:
    """Whether a folder holds a data set that was saved completely."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.get("kind") == KIND


def save(dataset: Dataset, folder: Path) -> None:
    """Write a data set; a folder without its manifest is not one, so a broken write is never taken for whole.

    The rows of kept.jsonl are messages, which any tool reads.

    Raises:
        DataError: where the folder holds something else, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; name a folder to write the data set into")
    if folder.is_dir() and any(folder.iterdir()) and not is_dataset(folder):
        raise DataError(f"{folder}: holds something other than a data set; name an empty or new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        pieces: dict[str, Iterable[bytes]] = {
            "kept.jsonl": in_parts(dataset.examples, _kept_lines, "written"),
            "dropped.jsonl": map(_line, map(_dropped, dataset.dropped)),
            "findings.jsonl": map(_line, map(_finding, dataset.findings)),
        }
        hashes = {name: _write(folder / name, pieces[name]) for name in PARTS}
        manifest = json.dumps(_manifest(dataset, hashes), ensure_ascii=False, indent=1)
        _write(folder / MANIFEST, [manifest.encode()])
    except OSError as error:
        raise DataError(f"{folder}: the data set cannot be written: {error.strerror}") from error


def load(folder: Path, crew: Crew | None = None) -> Dataset:
    """Read a data set that `save` wrote; with a crew, its examples into a file of that, and not into memory.

    Raises:
        DataError: where it is incomplete, or its content is not what was saved.
    """
    if not is_dataset(folder):
        raise DataError(f"{folder}: not a data set (no {MANIFEST}); was writing it broken off?")
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        parts = {name: _checked(folder / name, manifest["files"][name]) for name in PARTS[crew is not None :]}
        dataset = Dataset(
            _spooled(folder / PARTS[0], manifest["files"][PARTS[0]], crew)
            if crew
            else tuple(_read(parts[PARTS[0]], _example)),
            tuple(_read(parts["dropped.jsonl"], _read_dropped)),
            tuple(_read(parts["findings.jsonl"], _read_finding)),
            Ledger(**manifest["ledger"]),
            manifest["repairs"],
            tuple((file, reason) for file, reason in manifest["ignored"]),
            manifest["formats"],
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder}: the data set is damaged ({type(error).__name__}: {error})") from error
    if dataset.data_hash() != manifest.get("data_hash"):
        raise DataError(f"{folder}: the examples are not those that were saved (the data hash differs)")
    return dataset


def _manifest(dataset: Dataset, hashes: Mapping[str, str]) -> dict[str, object]:
    return {
        "kind": KIND,
        "examples": len(dataset),
        "data_hash": dataset.data_hash(),
        "ledger": dataset.ledger.counts(),
        "formats": dict(dataset.formats),
        "repairs": dict(dataset.repairs),
        "ignored": [list(pair) for pair in dataset.ignored],
        "files": dict(hashes),
    }


def _line(row: Mapping[str, object]) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _write(path: Path, pieces: Iterable[bytes]) -> str:
    """Write through a temporary file, so that the name never stands for half a file; returns its SHA-256."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    digest = hashlib.sha256()
    try:
        with temporary.open("wb") as stream:
            for piece in pieces:
                stream.write(piece)
                digest.update(piece)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":  # elsewhere a folder cannot be opened, and the rename is all there is
        place = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)
    return digest.hexdigest()


def _checked(path: Path, expected: str) -> bytes:
    content = path.read_bytes()
    _check(path, hashlib.sha256(content).hexdigest(), expected)
    return content


def _check(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise DataError(f"{path}: the file was changed after it was saved (its hash differs); curate again")


def _spooled(path: Path, expected: str, crew: Crew) -> Sequence[Example]:
    with path.open("rb") as stream:
        _check(path, hashlib.file_digest(stream, "sha256").hexdigest(), expected)
        stream.seek(0)
        spool = Spool(crew)
        for pack in crew.ordered(_packed, iter(lambda: list(islice(stream, PART)), [])):
            spool.add(pack)
    return spool.examples()


def _packed(lines: Sequence[bytes]) -> Packed:
    examples = [_example(json.loads(line)) for line in lines]
    pack = packed((e.conversation, e.source, e.group, e.tags) for e in examples)
    names = {place: e.id for place, e in enumerate(examples) if e.id != f"{int(pack.hashes[place]):016x}"}
    return replace(pack, names=names)


def _read(content: bytes, make: Callable[[Any], T]) -> Iterator[T]:
    for line in content.split(b"\n"):
        if line:
            yield make(json.loads(line))


def _kept_lines(examples: Sequence[Example]) -> bytes:
    return b"".join(_line(_kept(example)) for example in examples)


def _kept(example: Example) -> dict[str, object]:
    return {
        "id": example.id,
        "messages": [_message(turn) for turn in example.conversation.turns],
        "group": example.group,
        "tags": list(example.tags),
        "source": _source(example.source),
    }


def _message(turn: Turn) -> dict[str, object]:
    message: dict[str, object] = {"role": turn.role.value, "content": turn.text}
    return message if turn.trained is None else {**message, "trained": turn.trained}


def _source(source: Source) -> dict[str, object]:
    return {"file": source.file, "rows": list(source.rows)}


def _dropped(row: Dropped) -> dict[str, object]:
    return {"source": _source(row.source), "stage": row.stage, "rule": row.rule, "reason": row.reason}


def _finding(found: Finding) -> dict[str, object]:
    return {
        "source": _source(found.source),
        "rule": found.rule,
        "action": found.action,
        "reason": found.reason,
    }


def _read_source(value: Mapping[str, Any]) -> Source:
    return Source(str(value["file"]), tuple(value["rows"]))


def _example(row: Mapping[str, Any]) -> Example:
    turns = tuple(Turn(Role(m["role"]), m["content"], m.get("trained")) for m in row["messages"])
    conversation = Conversation(turns)
    if row["id"].partition("-")[0] != conversation.content_hash():
        raise DataError(f"the conversation {row['id']} has another content than its id says")
    return Example(row["id"], conversation, _read_source(row["source"]), row["group"], tuple(row["tags"]))


def _read_dropped(row: Mapping[str, Any]) -> Dropped:
    return Dropped(_read_source(row["source"]), row["stage"], row["rule"], row["reason"])


def _read_finding(row: Mapping[str, Any]) -> Finding:
    return Finding(_read_source(row["source"]), row["rule"], row["action"], row["reason"])
