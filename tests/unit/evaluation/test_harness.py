"""Scores of lm-evaluation-harness as they are kept and shown; the harness itself stands in tests/parity."""

from __future__ import annotations

import importlib.util
import io
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tutelage.errors import UsageError
from tutelage.evaluation.harness import HarnessResult, HarnessScore, _beside, _interval, _scores, harness, table
from tutelage.evaluation.intervals import Interval, mean_interval
from tutelage.recipe import build

NOT_A_MEAN = Interval(31.5, float("-inf"), float("inf"), 4)
RESULT = HarnessResult(
    "runs/a",
    "plain",
    "0.4.13",
    (
        HarnessScore("colours", "acc", Interval(0.75, 0.6, 0.9, 40), 2, "higher"),
        HarnessScore("texts", "word_perplexity", NOT_A_MEAN, 0, "lower"),
    ),
    ("a note",),
)


def test_json_and_back() -> None:
    assert HarnessResult.from_json(RESULT.to_json()) == RESULT
    for text in ("", "{}", "[]", '{"scores": [1]}'):
        with pytest.raises(UsageError, match="measure again"):
            HarnessResult.from_json(text)


def test_the_table_has_every_model() -> None:
    other = HarnessResult("runs/[b]", "", "0.4.13", RESULT.scores[1:])
    console = Console(width=140, file=io.StringIO())
    with console.capture() as shown:
        console.print(table([RESULT, other]))
    text = shown.get()
    colours = next(line for line in text.splitlines() if "colours" in line)
    assert "acc ↑" in colours and "0.750 (0.600 to 0.900)" in colours and "–" in colours and "40" in colours
    assert text.count("31.5") == 2 and "runs/[b]" in text and "a note" in text


def test_intervals_are_over_prompts_where_a_score_is_their_mean() -> None:
    rows = [{"filter": "none", "acc": float(value), "f1": (1, 0)} for value in (1, 0, 1, 1)]
    content: dict[str, Any] = {
        "results": {
            "colours": {"alias": "colours", "acc,none": 0.75, "acc_stderr,none": 0.2, "f1,none": 0.3, "sample_len": 4},
            "all": {"alias": "all", "acc,none": 0.5},
        },
        "samples": {"colours": [*rows, {"filter": "strict", "acc": 0.0}]},
        "higher_is_better": {"colours": {"acc": True, "f1": False}},
        "n-shot": {"colours": 3},
    }
    acc, f1, whole = _scores(content)
    assert (acc.task, acc.metric, acc.shots, acc.better) == ("colours", "acc", 3, "higher")
    assert acc.interval == _interval(0.75, [1, 0, 1, 1]) and acc.interval.count == 4
    assert (f1.interval, f1.better) == (Interval(0.3, float("-inf"), float("inf"), 4), "lower")
    assert (whole.task, whole.interval.value, whole.interval.count, whole.better) == ("all", 0.5, 0, "")


@pytest.mark.parametrize(("hits", "count"), [(3, 4), (0, 10), (10, 10), (37, 200)])
def test_shares_have_exact_intervals(hits: int, count: int) -> None:
    """Each end is the share with which so many hits, or more extreme ones, come up 2.5 times of 100; or 0, or 1."""
    found = _interval(hits / count, [1.0] * hits + [0.0] * (count - hits))

    def at_most(most: int, share: float) -> float:
        return sum(math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(most + 1))

    assert (found.low == 0.0) if hits == 0 else 1 - at_most(hits - 1, found.low) == pytest.approx(0.025)
    assert (found.high == 1.0) if hits == count else at_most(hits, found.high) == pytest.approx(0.025)
    assert _interval(0.5, [0.25, 0.75]) == mean_interval([0.25, 0.75])
    assert _interval(0.4, [0.0, 1.0]) == Interval(0.4, float("-inf"), float("inf"), 2)  # no mean of these


def test_data_are_found_beside_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "here.jsonl").write_text("")
    given = {"test": "here.jsonl", "train": ["here.jsonl", "hf://elsewhere.jsonl"]}
    here = str(tmp_path / "here.jsonl")
    assert _beside(given, tmp_path) == {"test": here, "train": [here, "hf://elsewhere.jsonl"]}
    assert _beside(str(tmp_path / "here.jsonl"), tmp_path.parent) == here


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'tutelage\[harness\]'"):
        harness(["starter"], ["colours"], build({}), lambda line: None)
