"""How often 95 % intervals are wrong where the truth is known, and how often they find a difference of 10 points.

    python benchmarks/intervals.py --trials 2000

Each trial draws paired scores of two contenders that are equally good (or 10 points apart) from a stated distribution.
An interval without the truth in it is wrong; 5 % may be. Compared are the percentile bootstrap as it is mostly used,
the same with Hesterberg's wider tails, Student's interval, and ours, at each end the wider one of the last two.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tutelage.evaluation.intervals import RESAMPLES, mean_interval

Floats = NDArray[np.float64]
Method = Callable[[Floats], tuple[Floats, Floats]]


def graded(draws: np.random.Generator, shape: tuple[int, int], gain: float) -> Floats:
    """Differences of scores with a standard deviation of 0.3."""
    return draws.normal(gain, 0.3, shape)


def apart(draws: np.random.Generator, shape: tuple[int, int], gain: float) -> Floats:
    """Two scores that have a standard deviation of 0.3 each and nothing in common."""
    return draws.normal(gain, 0.3, shape) - draws.normal(0, 0.3, shape)


def uniform(draws: np.random.Generator, shape: tuple[int, int], gain: float) -> Floats:
    """Right or wrong; a prompt is as difficult for one as for the other, and difficulty is uniform."""
    easy = draws.uniform(0, 1 - gain, shape)
    return (draws.random(shape) < easy + gain).astype(np.float64) - (draws.random(shape) < easy).astype(np.float64)


def split(draws: np.random.Generator, shape: tuple[int, int], gain: float) -> Floats:
    """Right or wrong; most prompts are easy or hard for both."""
    easy = draws.beta(0.5, 0.5, shape) * (1 - gain)
    return (draws.random(shape) < easy + gain).astype(np.float64) - (draws.random(shape) < easy).astype(np.float64)


def hard(draws: np.random.Generator, shape: tuple[int, int], gain: float) -> Floats:
    """Right or wrong; one prompt in ten is solved."""
    easy = draws.beta(0.3, 2.7, shape) * (1 - gain)
    return (draws.random(shape) < easy + gain).astype(np.float64) - (draws.random(shape) < easy).astype(np.float64)


def skewed(draws: np.random.Generator, shape: tuple[int, int], gain: float) -> Floats:
    """Differences that are mostly small and seldom large, all on one side: as bad as it gets."""
    return draws.exponential(0.3, shape) - 0.3 + gain


def resampled(values: Floats) -> Floats:
    """(resamples, trials)"""
    count = values.shape[1]
    drawn = np.random.default_rng(0).multinomial(count, [1 / count] * count, size=RESAMPLES)
    found: Floats = drawn @ values.T / count
    return found


def percentile(values: Floats) -> tuple[Floats, Floats]:
    """The percentile bootstrap."""
    low, high = np.quantile(resampled(values), (0.025, 0.975), axis=0)
    return low, high


def expanded(values: Floats) -> tuple[Floats, Floats]:
    """The same with Hesterberg's tails."""
    from scipy.special import ndtr, stdtrit

    count = values.shape[1]
    tail = float(ndtr(-np.sqrt(count / (count - 1)) * stdtrit(count - 1, 0.975)))
    low, high = np.quantile(resampled(values), (tail, 1 - tail), axis=0)
    return low, high


def student(values: Floats) -> tuple[Floats, Floats]:
    """Student's interval."""
    from scipy.special import stdtrit

    count = values.shape[1]
    half = stdtrit(count - 1, 0.975) * values.std(1, ddof=1) / np.sqrt(count)
    return values.mean(1) - half, values.mean(1) + half


def ours(values: Floats) -> tuple[Floats, Floats]:
    """`tutelage.evaluation.intervals.mean_interval`."""
    found = [mean_interval(row) for row in values]
    return np.array([one.low for one in found]), np.array([one.high for one in found])


METHODS: tuple[Method, ...] = (percentile, expanded, student, ours)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--prompts", type=int, nargs="+", default=[6, 8, 10, 20, 40, 200])
    given = parser.parse_args()
    print("wrong, in %      prompts", *(f"{method.__name__:>11}" for method in METHODS))
    for scores in (graded, apart, uniform, split, hard, skewed):
        for count in given.prompts:
            values = scores(np.random.default_rng(count), (given.trials, count), 0.0)
            ends = [method(values) for method in METHODS]
            wrong = [100 * np.mean((low > 1e-12) | (high < -1e-12)) for low, high in ends]
            print(f"{scores.__name__:16} {count:7}", *(f"{share:11.1f}" for share in wrong))
    print("10 points found, in %   ", *(f"{method.__name__:>11}" for method in METHODS))
    for scores in (graded, apart, uniform, split, hard):
        for count in (40, 100, 200):
            values = scores(np.random.default_rng(count), (given.trials, count), 0.1)
            found = [100 * np.mean(method(values)[0] > 0) for method in METHODS]
            print(f"{scores.__name__:16} {count:7}", *(f"{share:11.1f}" for share in found))


if __name__ == "__main__":
    main()
