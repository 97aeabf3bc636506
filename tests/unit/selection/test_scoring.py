"""The base's scores: kept on disk by content, measured once, and never taken from a damaged file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny
from tutelage.model import load as loading
from tutelage.recipe import Recipe, build
from tutelage.records import Conversation, Example, Role, Source, Turn, with_ids
from tutelage.selection import kept, scoring
from tutelage.selection.scoring import BaseScorer


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def examples() -> tuple[Example, ...]:
    talks = [*zip(tiny.QUESTIONS, tiny.ANSWERS, strict=True), ("Name a colour. " * 40, "Red."), ("Again?", "Oslo.")]
    return with_ids(
        (Conversation((Turn(Role.USER, asked), Turn(Role.ASSISTANT, said))), Source("f", (row,)), "", ())
        for row, (asked, said) in enumerate(talks, 1)
    )


def recipe(base: Path, **tuning: int) -> Recipe:
    model = {"base": str(base), "device": "cpu", "precision": "float32", "threads": 1}
    return build({"model": model, "tuning": {"max_length": 128, **tuning}})


def scorer(base: Path, **tuning: int) -> BaseScorer:
    return BaseScorer(recipe(base, **tuning), lambda line: None)


def refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("the network is loaded again")


def test_the_second_time_nothing_is_loaded(
    base: Path, examples: tuple[Example, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scorer(base)
    ifd, spots = first.difficulty(examples), first.places(examples)
    monkeypatch.setattr(loading, "load", refuse)
    again, mixed = scorer(base), [examples[place] for place in (4, 0, 7)]
    np.testing.assert_array_equal(again.difficulty(mixed), ifd[[4, 0, 7]])
    np.testing.assert_array_equal(again.places(mixed), spots[[4, 0, 7]])
    # A repeat has another id and the same content.
    np.testing.assert_array_equal(again.difficulty([replace(examples[1], id=f"{examples[1].id}-2")]), ifd[[1]])
    with pytest.raises(AssertionError, match="loaded again"):
        scorer(base, max_length=100).difficulty(examples)


def test_only_what_is_new_is_measured(base: Path, examples: tuple[Example, ...], cache: Path) -> None:
    scorer(base).difficulty(examples[:3])
    seen: list[tuple[int, int]] = []
    made = BaseScorer(recipe(base), lambda line: None, lambda what, done, of: seen.append((done, of)))
    made.difficulty(examples[:5])
    assert seen[-1] == (2, 2)
    assert sorted(len(kept.take(made.folder, kind)) for kind in ("ifd", "place")) == [0, 5]
    assert [path.suffix for path in made.folder.iterdir()] == [".safetensors"] * 2
    assert cache in made.folder.parents


def test_a_damaged_file_is_measured_again(base: Path, examples: tuple[Example, ...]) -> None:
    made = scorer(base)
    ifd = made.difficulty(examples)
    (path,) = made.folder.iterdir()
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)
    assert kept.take(made.folder, "ifd") == {}
    np.testing.assert_array_equal(made.difficulty(examples), ifd)
    path.write_bytes(content[:40])
    np.testing.assert_array_equal(made.difficulty(examples), ifd)


def test_what_was_measured_before_a_stop_stays(
    base: Path, examples: tuple[Example, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK", 4)
    made = scorer(base)

    def stopping(what: str, done: int, of: int) -> None:
        if done > 5:
            raise KeyboardInterrupt

    made.bars = stopping
    with pytest.raises(KeyboardInterrupt):
        made.difficulty(examples)
    assert len(kept.take(made.folder, "ifd")) == 4


def test_what_cannot_be_read_has_no_score(base: Path, examples: tuple[Example, ...]) -> None:
    made = scorer(base)
    lengths, ifd, spots = made.lengths(examples), made.difficulty(examples), made.places(examples)
    assert np.flatnonzero(lengths == 0).tolist() == np.flatnonzero(np.isnan(ifd)).tolist() == [8]
    assert np.flatnonzero(np.isnan(spots).any(1)).tolist() == [8]
    assert np.isnan(made.difficulty(examples[8:9])).all() and np.isnan(made.places(examples[8:9])).all()
    assert (ifd[:8] > 0).all() and len(set(ifd[:8].round(6))) == 8


def test_a_disk_that_refuses_costs_only_time(
    base: Path, examples: tuple[Example, ...], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = scorer(base)
    made.folder.parent.mkdir(parents=True)
    made.folder.write_text("a file where the folder should be")
    assert np.isfinite(made.difficulty(examples[:3])).all()
