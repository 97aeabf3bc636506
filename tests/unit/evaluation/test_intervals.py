"""Intervals: the same every time, pairs kept together, wider where less is known, and kept in JSON."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tutelage.evaluation.intervals import (
    KEPT,
    ONE_SIDE,
    RESAMPLES,
    Interval,
    above_all,
    difference,
    mean_interval,
    ratio,
    score_interval,
    share_interval,
    smallest,
)

HARD = [30.0, 12.0, 55.0, 21.0, 8.0, 17.0, 40.0, 26.0]
FACTORS = [0.7, 1.1, 0.8, 0.9, 1.2, 0.6, 0.9, 1.0]
OURS = [value * factor for value, factor in zip(HARD, FACTORS, strict=True)]


def test_the_interval_is_the_same_every_time_and_follows_its_seed() -> None:
    assert ratio(OURS, HARD) == ratio(OURS, HARD)
    assert ratio(OURS, HARD, 1).value == ratio(OURS, HARD, 2).value
    assert mean_interval(HARD, 1).high != mean_interval(HARD, 2).high
    found = ratio(OURS, HARD)
    assert found.low < sum(OURS) / sum(HARD) - 1 < found.high and found.count == 8


def test_pairs_stay_together() -> None:
    less = ratio([0.8 * value for value in HARD], HARD)
    assert (less.value, less.low, less.high) == pytest.approx((-0.2, -0.2, -0.2))
    more = difference([value + 3 for value in HARD], HARD)
    assert (more.value, more.low, more.high) == pytest.approx((3, 3, 3))


def test_a_difference_is_the_mean_of_the_differences() -> None:
    ours = np.random.default_rng(0).random(30)
    theirs = np.random.default_rng(1).random(30)
    one, other = difference(ours, theirs), mean_interval(ours - theirs)
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_seeds_that_agree_change_nothing_and_seeds_that_differ_make_it_wider() -> None:
    one = mean_interval(HARD)
    same = mean_interval([HARD, HARD, HARD])
    assert (same.low, same.high) == (one.low, one.high)
    apart = mean_interval([[value + by for value in HARD] for by in (-6, 0, 6)])
    assert apart.value == pytest.approx(one.value) and apart.low < one.low and apart.high > one.high
    both = difference([HARD, [value + 6 for value in HARD]], [HARD, [value + 6 for value in HARD]])
    assert both.value == 0 and both.low < -6 and both.high > 6


def test_few_seeds_say_little() -> None:
    """Two seeds 2 apart: Student's quantile with one degree of freedom is 12.7, times a standard error of 1."""
    flat = mean_interval([[0.0] * 8, [2.0] * 8])
    assert 12.7 < flat.high - 1 < 15 and 12.7 < 1 - flat.low < 15


def test_each_end_can_be_made_surer_by_itself() -> None:
    usual = mean_interval(HARD)
    surer = mean_interval(HARD, above=above_all(4))
    assert (surer.low, surer.value) == (usual.low, usual.value) and surer.high > usual.high
    assert (above_all(1), above_all(4)) == pytest.approx((ONE_SIDE, 0.99375))


def test_the_smallest_of_several() -> None:
    found = smallest([Interval(0.3, 0.1, 0.5, 9), Interval(0.2, 0.15, 0.25, 9), Interval(0.4, 0.0, 0.9, 8)])
    assert found == Interval(0.2, 0.0, 0.25, 8)


def test_many_prompts_are_resampled_in_blocks_that_fit_into_memory() -> None:
    values = np.random.default_rng(5).normal(size=1_501)
    found = mean_interval(values)
    half = 1.96 * values.std(ddof=1) / len(values) ** 0.5
    assert (found.high - found.value, found.value - found.low) == pytest.approx((half, half), rel=0.1)
    assert RESAMPLES * len(values) > KEPT


@pytest.mark.parametrize("values", [[], [1.0]])
def test_one_prompt_or_none_says_nothing(values: list[float]) -> None:
    found = mean_interval(values)
    assert (found.low, found.high, found.count) == (-np.inf, np.inf, len(values))
    kept = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert (kept["low"], kept["high"]) == (None, None)
    assert Interval.from_json(kept).to_json() == kept


def test_an_interval_is_read_back() -> None:
    found = mean_interval(HARD)
    assert Interval.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert -found == Interval(-found.value, -found.high, -found.low, found.count)


@pytest.mark.parametrize("hits", [0, 1, 4, 9, 10])
def test_a_shares_interval_is_where_the_binomial_leaves_one_fortieth_on_each_side(hits: int) -> None:
    found = share_interval(hits, 10)
    assert found.value == hits / 10
    above = sum(math.comb(10, n) * found.low**n * (1 - found.low) ** (10 - n) for n in range(hits, 11))
    below = sum(math.comb(10, n) * found.high**n * (1 - found.high) ** (10 - n) for n in range(hits + 1))
    assert (above, below) == (
        pytest.approx(0.025 if hits else 1),
        pytest.approx(0.025 if hits < 10 else 1),
    )


def test_scores_that_all_pass_are_not_sure() -> None:
    assert score_interval([1.0] * 4) == share_interval(4, 4) and share_interval(4, 4).low < 0.5
    assert score_interval([0.2, 0.4]) == mean_interval([0.2, 0.4])
