"""A data set on disk: read back equal, and damage noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tutelage.data import store
from tutelage.errors import DataError
from tutelage.records import Conversation, Dataset, Dropped, Finding, Role, Source, Turn, with_ids

Make = Callable[..., Dataset]


def full(made: Dataset) -> Dataset:
    turns = (
        Turn(Role.SYSTEM, "Be kind.\u2028\n"),
        Turn(Role.USER, "\U0001f600 ü"),
        Turn(Role.ASSISTANT, "a", False),
        Turn(Role.TOOL, "t"),
        Turn(Role.ASSISTANT, "b", True),
    )
    source = Source("rows.jsonl", (3, 4))
    more = with_ids([(Conversation(turns), source, "ticket 7", ("x", "y"))])
    return replace(
        made,
        examples=(*made.examples, *more),
        dropped=(Dropped(source, "row", "unreadable", "not UTF-8"),),
        findings=(Finding(source, "loop", "flag", "goes round"),),
        repairs={"answer trimmed": 3},
        ignored=(("README.md", "not a file of rows"),),
        formats={"rows.jsonl": "openai"},
    )


def test_what_is_saved_is_loaded(dataset: Make, tmp_path: Path) -> None:
    made = full(dataset(("a", "b"), ("a", "b"), ("c", "d")))
    store.save(made, tmp_path / "a" / "set")
    assert (store.load(tmp_path / "a" / "set"), store.is_dataset(tmp_path / "a" / "set")) == (made, True)


def test_saving_again_replaces(dataset: Make, tmp_path: Path) -> None:
    store.save(full(dataset(("a", "b"))), tmp_path)
    store.save(dataset(("c", "d")), tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert (store.load(tmp_path), names) == (
        dataset(("c", "d")),
        ["dropped.jsonl", "findings.jsonl", "kept.jsonl", "manifest.json"],
    )


@pytest.mark.parametrize("part", store.PARTS)
def test_a_flipped_bit_is_noticed(dataset: Make, tmp_path: Path, part: str) -> None:
    store.save(full(dataset(("a", "b"))), tmp_path)
    content = bytearray((tmp_path / part).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / part).write_bytes(content)
    with pytest.raises(DataError, match="changed after it was saved"):
        store.load(tmp_path)


def test_without_its_manifest_it_is_no_data_set(dataset: Make, tmp_path: Path) -> None:
    store.save(dataset(("a", "b")), tmp_path)
    (tmp_path / "manifest.json").unlink()
    assert not store.is_dataset(tmp_path)
    with pytest.raises(DataError, match="was writing it broken off"):
        store.load(tmp_path)


@pytest.mark.parametrize("place", range(4))
def test_a_write_that_breaks_off_leaves_no_data_set(
    dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    store.save(dataset(("a", "b")), tmp_path)
    calls, real = iter(range(100)), store.os.fsync

    def full_disk(handle: int) -> None:
        if next(calls) == 2 * place:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(store.os, "fsync", full_disk)
    with pytest.raises(DataError, match="cannot be written: No space left"):
        store.save(dataset(("c", "d")), tmp_path)
    assert (store.is_dataset(tmp_path), list(tmp_path.glob(".*"))) == (False, [])


def test_a_folder_with_something_else_is_left_alone(dataset: Make, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="something other than a data set"):
        store.save(dataset(("a", "b")), tmp_path)
    with pytest.raises(DataError, match="is a file"):
        store.save(dataset(("a", "b")), tmp_path / "thesis.txt")
