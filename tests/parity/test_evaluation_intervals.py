"""The intervals against a slow twin, and whether they are honest: how often they are wrong where the truth is known.

`pytest tests/parity/test_evaluation_intervals.py -s` prints the power.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean, variance

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tutelage.evaluation import intervals
from tutelage.evaluation.intervals import Interval, difference, mean_interval, ratio
from tutelage.evaluation.verdict import Kind, Measured, Metric, Said, judge

Floats = NDArray[np.float64]
TRIALS = 2_000
ALLOWED = 0.065
SCORE = Metric("a score", True)


def slow(ours: list[float], theirs: list[float] | None, seed: int) -> tuple[float, float]:
    """The ends for one seed each, prompt by prompt: sum(ours) / sum(theirs) - 1, or the mean of ours."""
    count = len(ours)

    def value(places: Sequence[int]) -> float:
        mean = fmean(ours[place] for place in places)
        return mean if theirs is None else mean / fmean(theirs[place] for place in places) - 1

    middle = value(range(count))
    drawn = []
    for row in intervals._draw(count, intervals.RESAMPLES, seed, 0):
        drawn.append(value([place for place in range(count) for _ in range(int(row[place]))]))
    drawn.sort()
    pull = list(ours)
    if theirs is not None:
        pull = [(a - (1 + middle) * b) / fmean(theirs) for a, b in zip(ours, theirs, strict=True)]
    quantile = float(stats.t.ppf(0.975, count - 1))
    half = quantile * math.sqrt(variance(pull) / count)
    tail = float(stats.norm.cdf(-math.sqrt(count / (count - 1)) * quantile))

    def at(share: float) -> float:
        place = share * (len(drawn) - 1)
        below = int(place)
        return drawn[below] + (place - below) * (drawn[min(below + 1, len(drawn) - 1)] - drawn[below])

    return min(at(tail), middle - half), max(at(1 - tail), middle + half)


@pytest.mark.parametrize("count", [6, 9, 23])
def test_intervals_equal_a_slow_loop(count: int) -> None:
    draws = np.random.default_rng(count)
    ours, theirs = draws.exponential(1, count), draws.exponential(1, count) + 0.5
    mean, relative = mean_interval(ours, seed=3), ratio(ours, theirs, seed=3)
    assert (mean.low, mean.high) == pytest.approx(slow(ours.tolist(), None, 3), rel=1e-9)
    assert (relative.low, relative.high) == pytest.approx(slow(ours.tolist(), theirs.tolist(), 3), rel=1e-9)


def test_degrees_of_freedom_equal_welchs() -> None:
    """With seeds on both sides and nothing else that varies, the interval is Welch's for two small samples."""
    ours, theirs = [1.0, 4.0, 2.5], [0.0, 0.4]
    found = difference([[one] * 400 for one in ours], [[one] * 400 for one in theirs])
    welch = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval()
    ends = (found.value - found.low, found.high - found.value)
    exact = (found.value - welch.low, welch.high - found.value)
    assert ends == pytest.approx(exact, rel=0.08) and min(ends) >= min(exact) - 1e-9


def graded(trials: int, count: int, gain: float, draws: np.random.Generator) -> tuple[Floats, Floats]:
    """Graded scores whose differences have a standard deviation of 0.3, on prompts that are hard for both or easy."""
    shared = draws.normal(0.5, 0.2, (trials, count))
    return shared + draws.normal(gain, 0.3, (trials, count)), shared


def apart(trials: int, count: int, gain: float, draws: np.random.Generator) -> tuple[Floats, Floats]:
    """Graded scores that have a standard deviation of 0.3 each and nothing in common."""
    return draws.normal(0.5 + gain, 0.3, (trials, count)), draws.normal(0.5, 0.3, (trials, count))


def binary(trials: int, count: int, gain: float, draws: np.random.Generator) -> tuple[Floats, Floats]:
    """Right or wrong, where a prompt's difficulty, uniform from 0 to 1 less the gain, is the same for both."""
    easy = draws.uniform(0, 1 - gain, (trials, count))
    ours = draws.random((trials, count)) < easy + gain
    return ours.astype(np.float64), (draws.random((trials, count)) < easy).astype(np.float64)


def apart_from(found: Interval, truth: float) -> bool:
    return found.low > truth or found.high < truth


Scores = Callable[[int, int, float, np.random.Generator], tuple[Floats, Floats]]


@pytest.mark.parametrize("count", [10, 20, 40, 200])
@pytest.mark.parametrize("scores", [graded, apart, binary])
def test_false_alarms_are_rare(scores: Scores, count: int) -> None:
    ours, theirs = scores(TRIALS, count, 0.0, np.random.default_rng(count))
    alarms = fmean(apart_from(difference(*pair), 0) for pair in zip(ours, theirs, strict=True))
    print(f"{scores.__name__}, {count} prompts: {alarms:.1%} false alarms")
    assert alarms <= ALLOWED


@pytest.mark.parametrize("scores", [graded, apart, binary])
def test_a_difference_of_ten_points_is_found(scores: Scores) -> None:
    ours, theirs = scores(TRIALS, 200, 0.1, np.random.default_rng(7))
    power = fmean(difference(*pair).low > 0 for pair in zip(ours, theirs, strict=True))
    print(f"{scores.__name__}, 200 prompts, 10 points: found in {power:.1%}")
    assert power >= (0.5 if scores is binary else 0.9)


def test_ratios_of_losses_are_honest() -> None:
    """Nats of texts of very different lengths, with the same expectation for both."""
    draws = np.random.default_rng(11)
    length = draws.lognormal(3, 1, (TRIALS, 32))
    ours, theirs = (length * draws.lognormal(0, 0.3, length.shape) for _ in range(2))
    assert fmean(apart_from(ratio(*pair), 0) for pair in zip(ours, theirs, strict=True)) <= ALLOWED


def test_three_seeds_are_honest() -> None:
    """Each run is off by a draw of its own: the interval is about the way of tuning, not about these three runs."""
    draws = np.random.default_rng(13)
    luck = draws.normal(0, 0.05, (TRIALS, 3, 1))
    ours = draws.normal(0.5, 0.3, (TRIALS, 1, 60)) + luck + draws.normal(0, 0.1, (TRIALS, 3, 60))
    theirs = draws.normal(0.5, 0.1, (TRIALS, 60))
    alarms = fmean(apart_from(difference(*pair), 0) for pair in zip(ours, theirs, strict=True))
    alone = fmean(apart_from(difference(one[0], two), 0) for one, two in zip(ours, theirs, strict=True))
    assert alarms <= ALLOWED < alone  # one run alone is taken for the way of tuning, and that is not honest


@pytest.mark.parametrize("count", [20, 200])
def test_the_best_of_four_opponents_is_picked_without_more_false_alarms(count: int) -> None:
    """All are equally good: whoever looks best on these prompts is lucky, and must not count as better."""
    draws = np.random.default_rng(count)
    kinds = (Kind.BASE, Kind.PROMPT, Kind.EXAMPLES, Kind.MODEL)
    said = []
    for _ in range(TRIALS // 2):
        rows = np.clip(draws.normal(0.5, 0.2, count) + draws.normal(0, 0.2, (5, count)), 0, 1)
        others = [Measured(kind.value, kind, row) for kind, row in zip(kinds, rows[1:], strict=True)]
        said.append(judge(Measured("tuned", Kind.TUNED, rows[0]), others, SCORE))
    false = fmean(one.said is Said.BETTER or (one.high is not None and one.high < 0) for one in said)
    picked = fmean(min(gain.interval.value for gain in one.gains) < 0 for one in said)
    assert false <= ALLOWED and picked > 0.6  # the picked one does look better, as a rule
