"""Proxies: equal tokens and steps; a planted difference is found; what is the same is not told apart."""

from __future__ import annotations

import io
import json
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

import tiny
from tutelage.data.ledger import Reason, set_aside
from tutelage.data.reading import read
from tutelage.errors import DataError, UsageError
from tutelage.evaluation import proving
from tutelage.evaluation.proving import differ, even_plan, prove_choice
from tutelage.recipe import Recipe, build
from tutelage.records import Dataset
from tutelage.selection.scoring import BaseScorer

CLEAN = "Open the settings, choose security, and follow the link that we send you."


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 conversations with sense and 72 without, and 12 others with sense to measure on."""
    draw, folder = random.Random(3), tmp_path_factory.mktemp("data")
    noise = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz   ", k=len(CLEAN))).strip() for _ in range(72)]
    rows = {"pool": [CLEAN] * 24 + noise, "held": [CLEAN] * 12}
    for name, answers in rows.items():
        lines = [{"prompt": f"How do I {draw.getrandbits(40):x}?", "response": answer} for answer in answers]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def recipe(base: Path, data: Path, **select: object) -> Recipe:
    return build(
        {
            "data": {"files": [str(data / "pool.jsonl")], "held_out": str(data / "held.jsonl")},
            "model": {"base": str(base), "device": "cpu", "precision": "float32", "threads": 1},
            "tuning": {"lr": 0.02, "epochs": 4, "max_length": 256},
            "select": select,
        }
    )


def prove(given: Recipe, pool: Dataset, chosen: Dataset) -> proving.Proving:
    return prove_choice(pool, chosen, given, BaseScorer(given, lambda line: None))


def test_the_planted_choice_is_found_better(base: Path, data: Path, tmp_path: Path) -> None:
    given = recipe(base, data, budget=24)
    pool, said, shown = read(given.data), list[str](), io.StringIO()
    noise = {e.id: Reason("not selected", "noise") for e in pool.examples if e.conversation.answer != CLEAN}
    chosen, console = set_aside(pool, noise), Console(width=120, file=shown)
    found = proving.proven(pool, chosen, given, 3, tmp_path, said.append, lambda *_: None, console)
    against = found["differences"][0]
    assert (against["ours"], against["theirs"], against["high"] < 0) == ("chosen", "random", True)
    assert against["text"].startswith("better than random by ")
    sizes = {size for contender in found["contenders"] for size in contender["tokens"]}
    longest = max(len(item) for item in BaseScorer(given, print).tokens(pool.examples).values())
    assert found["tokens"] - longest < min(sizes) and max(sizes) <= found["tokens"]
    assert [contender["name"] for contender in found["contenders"]] == ["chosen", "random", "longest"]
    assert max(found["contenders"][0]["losses"]) < found["untuned"]
    assert said[0].startswith("Proving: 9 proxies (chosen, random, longest; 3 seeds), each on ")
    assert " minutes." in said[0]
    assert json.loads((tmp_path / "prove.json").read_text()) == json.loads(json.dumps(found))
    assert f"chosen: {against['text']}\n" in shown.getvalue()


def test_the_same_choice_is_not_told_apart(base: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "TOKENS", 600)
    given = recipe(base, data, budget=96, method="longest")
    pool = read(given.data)
    found = prove(given, pool, pool)
    assert found.tokens == 600
    (only,) = found.differences
    assert (only.ours, only.theirs, only.difference, only.low, only.high) == ("chosen", "random", 0, 0, 0)
    assert only.text == "not distinguishable from random: the loss differs by +0.0 % (+0.0 % to +0.0 %)"


def test_what_it_needs(base: Path, data: Path) -> None:
    given = recipe(base, data, budget=24)
    pool = read(given.data)
    with pytest.raises(UsageError, match=r"--prove needs a budget"):
        prove(recipe(base, data), pool, pool)
    with pytest.raises(UsageError, match="at least 3 seeds"):
        prove_choice(pool, pool, given, BaseScorer(given, print), 2)
    nobody = set_aside(pool, {e.id: Reason("not selected", "") for e in pool.examples})
    with pytest.raises(DataError, match="too little is chosen"):
        prove(given, pool, nobody)


def test_nothing_held_out_is_tuned_on(base: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"files": [str(data / "pool.jsonl")], "hold_out": 0.3}
    given = build({**recipe(base, data, budget=50).model_dump(), "data": settings})
    pool = read(given.data)
    trial = proving._trial(pool, pool, given, BaseScorer(given, print), 3)
    held = {example.id for example in trial.held}
    tuned = {item.example for parts in trial.drawn.values() for part in parts for item in part}
    assert held and tuned and not held & tuned
    monkeypatch.setattr(proving, "TOKENS", 400)
    draws = proving._trial(pool, pool, given, BaseScorer(given, print), 3).drawn["random"]
    names = [tuple(item.example for item in part) for part in draws]
    assert len(set(names)) == 3 and all(sum(map(len, part)) <= 400 for part in draws)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(1, 12), st.integers(1, 30), st.integers(0, 5))
def test_steps_are_even(lengths: list[int], per_epoch: int, steps: int, seed: int) -> None:
    per_epoch = min(per_epoch, len(lengths))
    plan = even_plan(lengths, per_epoch, steps, seed)
    assert len(plan) == steps and all(plan.steps)
    for first in range(0, steps - per_epoch + 1, per_epoch):
        epoch = [place for step in plan.steps[first : first + per_epoch] for place in step]
        assert sorted(epoch) == list(range(len(lengths)))
        ends = np.cumsum([sum(lengths[place] for place in step) for step in plan.steps[first : first + per_epoch]])
        if len(lengths) >= 4 * per_epoch and max(lengths) <= 2 * min(lengths):
            aims = sum(lengths) * np.arange(1, per_epoch + 1) / per_epoch
            assert np.abs(ends - aims).max() <= max(lengths)
    assert all(one != other for one, other in pairwise(plan.steps[::per_epoch]) if len(lengths) > 30)


def simulated(draw: np.random.Generator, effect: float, seeds: int = 3) -> proving.Difference:
    """Two contenders whose seeds differ by 1 % and whose conversations differ by 30 % for both alike."""
    hard = draw.lognormal(3, 0.3, 40)
    ours, theirs = (
        hard * (1 + by + draw.normal(0, 0.01, (seeds, 1)) + draw.normal(0, 0.02, (seeds, 40))) for by in (effect, 0)
    )
    return differ("chosen", "random", ours, theirs)


def test_chance_is_rarely_taken_for_a_difference() -> None:
    draw = np.random.default_rng(0)
    wrong = sum("not distinguishable" not in simulated(draw, 0).text for _ in range(300))
    assert wrong <= 0.05 * 300 + 3 * (0.05 * 0.95 * 300) ** 0.5
    right = sum(simulated(draw, -0.08).text.startswith("better than random") for _ in range(50))
    assert right >= 45
    assert simulated(draw, 0.2).text.startswith("worse than random by ")


def test_too_few_conversations_give_no_verdict() -> None:
    found = differ("chosen", "random", np.ones((3, 5)), np.full((3, 5), 2.0))
    assert (found.difference, found.low, found.high) == (-0.5, None, None)
    assert found.text == "No verdict: 5 held-out conversations are too few; at least 6 are needed"
