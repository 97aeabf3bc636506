"""Tokens kept on disk are the tokens that were encoded, or nothing."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hurting
import tiny
from tutelage.records import Conversation, Example, Role, Source, Turn
from tutelage.text import shelf
from tutelage.text.encode import Encoded, Encoder, encode_all


def example(number: int, exchanges: int, system: bool = False) -> Example:
    turns = [Turn(Role.SYSTEM, "Be brief.")] if system else []
    for place in range(exchanges):
        turns += [
            Turn(Role.USER, f"Question {number}.{place}?"),
            Turn(Role.ASSISTANT, f"Answer {number}.{place}. " * 3),
        ]
    return Example(f"id-{number}", Conversation(tuple(turns)), Source("file", (number,)), "", ())


EXAMPLES = [example(1, 1), example(2, 6), example(3, 6, system=True), example(4, 2)]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(tiny.tokenizer(), "plain")


def same(one: Encoded, other: Encoded) -> None:
    assert (one.examples, one.shortened, one.turns_cut, one.dropped) == (
        other.examples,
        other.shortened,
        other.turns_cut,
        other.dropped,
    )
    for mine, theirs in zip(one.tokens, other.tokens, strict=True):
        assert (mine.spans, mine.example) == (theirs.spans, theirs.example)
        assert np.array_equal(mine.ids, theirs.ids) and np.array_equal(mine.weights, theirs.weights)
        assert (mine.ids.dtype, mine.weights.dtype) == (theirs.ids.dtype, theirs.weights.dtype)


@pytest.mark.parametrize(("length", "weight"), [(2048, 0.0), (150, 0.25), (70, 0.0), (1, 0.0)])
def test_what_is_taken_is_what_was_put(length: int, weight: float, encoder: Encoder, tmp_path: Path) -> None:
    encoded = encode_all(encoder, EXAMPLES, length, prompt_weight=weight)
    shelf.put(tmp_path / "kept", "key", EXAMPLES, encoded)
    found = shelf.take(tmp_path / "kept", "key", EXAMPLES)
    assert found is not None
    same(found, encoded)
    assert all(isinstance(item.ids, np.memmap) for item in found.tokens)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_the_lengths_above_cover_every_case(encoder: Encoder) -> None:
    found = [encode_all(encoder, EXAMPLES, length) for length in (2048, 150, 70, 1)]
    assert (len(found[0].tokens), found[0].shortened, found[0].dropped) == (4, (), ())
    assert any(one.shortened for one in found) and any(one.dropped and one.tokens for one in found)
    assert found[-1].tokens == ()


def test_another_key_or_nothing_there(encoder: Encoder, tmp_path: Path) -> None:
    assert shelf.take(tmp_path / "kept", "key", EXAMPLES) is None
    shelf.put(tmp_path / "kept", "key", EXAMPLES, encode_all(encoder, EXAMPLES, 2048))
    assert shelf.take(tmp_path / "kept", "other", EXAMPLES) is None


def test_the_key_follows_from_words_order_and_settings() -> None:
    turns = EXAMPLES[0].conversation.turns
    reworded = replace(EXAMPLES[0], conversation=Conversation((turns[0], replace(turns[1], text="Other."))))
    keys = {
        shelf.key_of(EXAMPLES, "hash", 2048),
        shelf.key_of(EXAMPLES, "hash", 2047),
        shelf.key_of(EXAMPLES, "other", 2048),
        shelf.key_of(EXAMPLES[::-1], "hash", 2048),
        shelf.key_of(EXAMPLES[1:], "hash", 2048),
        shelf.key_of([reworded, *EXAMPLES[1:]], "hash", 2048),
    }
    assert len(keys) == 6
    assert shelf.key_of(EXAMPLES, "hash", 2048) in keys


def test_a_flipped_bit_in_any_file_is_noticed(encoder: Encoder, tmp_path: Path) -> None:
    draw = random.Random(0)
    shelf.put(tmp_path / "kept", "key", EXAMPLES, encode_all(encoder, EXAMPLES, 2048))
    files = sorted((tmp_path / "kept").iterdir())
    assert len(files) == 5
    for path in files:
        for _ in range(10):
            before = hurting.flipped(path, draw)
            assert shelf.take(tmp_path / "kept", "key", EXAMPLES) is None, path.name
            path.write_bytes(before)
    assert shelf.take(tmp_path / "kept", "key", EXAMPLES) is not None


def test_a_disk_that_refuses_leaves_what_was_there(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.put(tmp_path / "kept", "key", EXAMPLES, encode_all(encoder, EXAMPLES, 2048))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space"):
        shelf.put(tmp_path / "kept", "new", EXAMPLES, encode_all(encoder, EXAMPLES, 2048))
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert shelf.take(tmp_path / "kept", "key", EXAMPLES) is not None
