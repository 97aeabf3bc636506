"""Answers kept on disk are those that the model gave, and nothing that changes an answer finds an old one."""

from __future__ import annotations

import copy
import json
import os
import shutil
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tutelage.evaluation import cellar
from tutelage.evaluation.answers import Ask, generate_together
from tutelage.evaluation.cellar import answered, identity
from tutelage.model.load import Located
from tutelage.recipe import DecodingSettings
from tutelage.records import Example, Prompt
from tutelage.text.encode import Encoder

SHORT = DecodingSettings(max_new_tokens=8)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the answers are kept."""
    path = tmp_path / "cache" / "answers.sqlite"
    monkeypatch.setenv(cellar.SWITCH, str(path))
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many prompts the model was asked in each call."""
    counts: list[int] = []

    def noting(network: Any, asks: Any, *given: Any, **named: Any) -> Any:
        counts.append(sum(len(ask.prompts) for ask in asks))
        return generate_together(network, asks, *given, **named)

    monkeypatch.setattr(cellar, "generate_together", noting)
    return counts


@pytest.fixture
def asks(tokenizer: Any, examples: tuple[Example, ...]) -> list[Ask]:
    """Two ways of showing the same prompts."""
    prompts = [Prompt(str(place), one.conversation.prompt) for place, one in enumerate(examples[:5])]
    encoder = Encoder(tokenizer, "plain")
    return [Ask(encoder, prompts), Ask(encoder, prompts[2:], ("\nAfter",))]


def test_what_is_kept_is_what_was_answered(file: Path, asked: list[int], asks: list[Ask], network: Any) -> None:
    plain = generate_together(network, asks, SHORT)
    told: list[int] = []
    first = answered("w", network, asks, SHORT)
    second = answered("w", network, asks, SHORT, told.append)
    assert first == second == plain
    assert asked == [8] and sum(told) == 8
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_only_what_is_new_is_asked(file: Path, asked: list[int], asks: list[Ask], network: Any) -> None:
    few = [Ask(asks[0].encoder, asks[0].prompts[1:3])]
    answered("w", network, few, SHORT)
    renamed = [Ask(asks[0].encoder, [Prompt(f"x{one.id}", one.turns) for one in asks[0].prompts])]
    found = answered("w", network, renamed, SHORT)
    assert asked == [2, 3]
    assert [one.id for one in found[0]] == ["x0", "x1", "x2", "x3", "x4"]
    assert [one.answer for one in found[0]] == [one.answer for one in generate_together(network, renamed, SHORT)[0]]


@pytest.mark.parametrize(
    "other",
    [
        {"weights": "v"},
        {"decoding": DecodingSettings(max_new_tokens=9)},
        {"decoding": DecodingSettings(max_new_tokens=8, temperature=1.0)},
        {"cut_loops": True},
        {"code": True},
    ],
)
def test_nothing_old_is_found_where_anything_differs(
    file: Path,
    asked: list[int],
    asks: list[Ask],
    network: Any,
    monkeypatch: pytest.MonkeyPatch,
    other: dict[str, Any],
) -> None:
    def all_of(weights: str = "w", decoding: DecodingSettings = SHORT, cut_loops: bool = False) -> None:
        answered(weights, network, asks[:1], decoding, cut_loops=cut_loops)

    all_of()
    if other.pop("code", False):
        monkeypatch.setattr(cellar, "_code", lambda: "later")
    all_of(**other)
    all_of(**other)
    assert asked == [5, 5]


def test_another_way_of_showing_or_ending_is_asked_again(
    file: Path, asked: list[int], asks: list[Ask], network: Any
) -> None:
    """The same ids, of which another marker, stop token or tokenizer makes another answer."""
    encoder, prompts = asks[0].encoder, asks[0].prompts
    stopping = copy.copy(encoder)
    stopping.stop_ids = frozenset({*encoder.stop_ids, 7})
    cutting = copy.deepcopy(encoder)
    cutting.tokenizer.add_tokens(["<other>"])
    for ask in (
        Ask(encoder, prompts),
        Ask(encoder, prompts, ("\nAfter",)),
        Ask(stopping, prompts),
        Ask(cutting, prompts),
    ):
        for _ in range(2):
            answered("w", network, [ask], SHORT)
    assert asked == [5] * 4


def test_drawn_answers_are_those_of_the_same_call(file: Path, asks: list[Ask], network: Any) -> None:
    """What is drawn depends on a prompt's place, so that a part of the prompts is no part of the answers."""
    drawn = DecodingSettings(max_new_tokens=8, temperature=1.0, seed=4)
    answered("w", network, asks[:1], drawn)
    part = [Ask(asks[0].encoder, asks[0].prompts[2:])]
    assert answered("w", network, part, drawn) == generate_together(network, part, drawn)


def test_a_prompt_that_stands_twice_is_drawn_twice(file: Path, asks: list[Ask], network: Any) -> None:
    drawn = DecodingSettings(max_new_tokens=8, temperature=2.0, seed=4)
    twice = [Ask(asks[0].encoder, [replace(asks[0].prompts[0], id=name) for name in "abcd"])]
    plain = generate_together(network, twice, drawn)
    assert answered("w", network, twice, drawn) == answered("w", network, twice, drawn) == plain
    assert len({one.answer for one in plain[0]}) > 1


def test_settings_beside_the_weights_are_part_of_a_model(base: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(base, tmp_path / "copy")
    found = Located("copy", "folder", folder)
    before = identity(found)
    assert before == identity(Located("other", "folder", base))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"rope_theta": 5.0}))
    assert identity(found) != before


def test_a_flipped_letter_is_asked_again(file: Path, asked: list[int], asks: list[Ask], network: Any) -> None:
    first = answered("w", network, asks[:1], SHORT)
    with sqlite3.connect(file) as opened:
        opened.execute("update answers set answer = replace(answer, 'tokens\": ', 'tokens\": 1')")
    opened.close()
    assert answered("w", network, asks[:1], SHORT) == first
    assert asked == [5, 5]


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\x00" + os.urandom(4000)])
def test_a_damaged_file_is_put_aside(
    file: Path, asked: list[int], asks: list[Ask], network: Any, content: bytes
) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    first = answered("w", network, asks[:1], SHORT)
    assert answered("w", network, asks[:1], SHORT) == first
    assert asked == [5] and first == generate_together(network, asks[:1], SHORT)
    assert file.with_name("answers.sqlite.damaged").read_bytes() == content


def test_where_nothing_can_be_written_the_model_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int], asks: list[Ask], network: Any
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(cellar.SWITCH, str(tmp_path / "file" / "answers.sqlite"))
    first = answered("w", network, asks[:1], SHORT)
    assert answered("w", network, asks[:1], SHORT) == first and asked == [5, 5]


def test_off_and_unnamed_models_keep_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch, asks: list[Ask], network: Any
) -> None:
    answered("", network, asks[:1], SHORT)
    monkeypatch.setenv(cellar.SWITCH, "off")
    answered("w", network, asks[:1], SHORT)
    assert not file.exists()


def test_the_oldest_go(
    file: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int], asks: list[Ask], network: Any
) -> None:
    monkeypatch.setattr(cellar, "MOST", 3)
    answered("w", network, asks[:1], SHORT)
    for place in (4, 3, 2, 1):
        answered("w", network, [Ask(asks[0].encoder, asks[0].prompts[place : place + 1])], SHORT)
    assert asked == [5, 1]  # the first two had gone
