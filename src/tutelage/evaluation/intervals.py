"""Intervals that stay honest for few prompts: a mean, a paired difference, a paired ratio, over prompts and seeds.

Prompts are resampled (the paired percentile bootstrap, Efron and Tibshirani 1993). For few prompts its tails are too
short, by the factor sqrt((n - 1) / n) and by taking the normal for Student's distribution; both are mended by asking
for quantiles further out (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", section 4.4). No end is
nearer than Student's interval has it: with six or eight prompts each of the two alone is wrong a little too often
(`python benchmarks/intervals.py`). Two or three seeds are too few to be resampled: their mean varies as a normal
variable does whose spread they show, and how much wider the interval has to be follows from Student's distribution
with Satterthwaite's degrees of freedom (1946).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2_000
ONE_SIDE = 0.975
"""How sure each end of a 95 % interval is by itself."""
KEPT = 2_000_000
"""Resampled counts that are made at once, and kept for the next call."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured value and its 95 % interval.

    Attributes:
        value: as measured.
        low, high: the ends; infinite where one prompt (or none) says nothing about the spread.
        count: prompts.
    """

    value: float
    low: float
    high: float
    count: int

    def to_json(self) -> dict[str, Any]:
        """As a JSON object; an end that is not finite is null."""
        ends = {name: getattr(self, name) for name in ("value", "low", "high")}
        return {name: end if math.isfinite(end) else None for name, end in ends.items()} | {"count": self.count}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Interval:
        """What `to_json` made."""
        missing = {"value": math.nan, "low": -math.inf, "high": math.inf}
        ends = {name: missing[name] if content[name] is None else float(content[name]) for name in missing}
        return cls(**ends, count=int(content["count"]))

    def __neg__(self) -> Interval:
        return Interval(-self.value, -self.high, -self.low, self.count)


def mean_interval(values: ArrayLike, seed: int = 0, below: float = ONE_SIDE, above: float = ONE_SIDE) -> Interval:
    """The mean of some values and its interval.

    Args:
        values: (prompts,), or (seeds, prompts) where the same prompts were given to runs of several seeds.
        seed: of the resampling; the same values give the same interval.
        below, above: how sure it is that the truth is not below the low end, and not above the high end.
    """
    rows = _rows(values)
    return _interval(rows.mean(0), None, [rows.mean(1)], seed, below, above)


def share_interval(hits: int, count: int, sure: float = ONE_SIDE) -> Interval:
    """A share of prompts with the interval of Clopper and Pearson (1934), which says something of 4 right out of 4 too.

    sure: how sure each end is by itself.
    """
    from scipy.special import betaincinv

    low = float(betaincinv(hits, count - hits + 1, 1 - sure)) if hits else 0.0
    high = float(betaincinv(hits + 1, count - hits, sure)) if hits < count else 1.0
    return Interval(hits / count, low, high, count)


def score_interval(*seeds: Sequence[float]) -> Interval:
    """The mean of scores: of a single run's passes and failures the exact one, else that of `mean_interval`.

    seeds: for each the scores of the same prompts.
    """
    if len(seeds) == 1 and seeds[0] and set(seeds[0]) <= {0.0, 1.0}:
        return share_interval(round(sum(seeds[0])), len(seeds[0]))
    return mean_interval(seeds)


def difference(
    ours: ArrayLike, theirs: ArrayLike, seed: int = 0, below: float = ONE_SIDE, above: float = ONE_SIDE
) -> Interval:
    """mean(ours) - mean(theirs) on the same prompts: what makes a prompt hard for both cancels.

    Args:
        ours, theirs: (prompts,) or (seeds, prompts), the prompts in the same order.

    See `mean_interval` for the others.
    """
    mine, other = _rows(ours), _rows(theirs)
    return _interval(mine.mean(0) - other.mean(0), None, [mine.mean(1), other.mean(1)], seed, below, above)


def score_difference(
    ours: ArrayLike, theirs: ArrayLike, seed: int = 0, below: float = ONE_SIDE, above: float = ONE_SIDE
) -> Interval:
    """`difference` of scores from 0 to 1, which also says something where all pairs differ by the same.

    Resampling shows no spread there, but a prompt that differs and is rare enough was not met: in n prompts none is
    met with a probability of 1 - sure where a share of 1 - (1 - sure)^(1/n) of them is so (Clopper and Pearson 1934).
    """
    found = difference(ours, theirs, seed, below, above)
    if found.count < 2 or found.low != found.high:
        return found
    down, up = (1 - (1 - sure) ** (1 / found.count) for sure in (below, above))
    return Interval(found.value, max(-1.0, found.value - down), min(1.0, found.value + up), found.count)


def ratio(
    ours: ArrayLike, theirs: ArrayLike, seed: int = 0, below: float = ONE_SIDE, above: float = ONE_SIDE
) -> Interval:
    """sum(ours) / sum(theirs) - 1 on the same prompts: -0.3 means 30 % less.

    Args:
        ours, theirs: as in `difference`, all above 0.

    See `mean_interval` for the others.
    """
    mine, other = _rows(ours), _rows(theirs)
    per_seed = [mine.mean(1) / other.mean(), other.mean(1) / other.mean() * mine.mean() / other.mean()]
    return _interval(mine.mean(0), other.mean(0), per_seed, seed, below, above)


def smallest(intervals: Sequence[Interval]) -> Interval:
    """The smallest of several values: a gain over the best of several opponents, whichever of them that is.

    Every low end is sure by itself, and so is the lowest. For the lowest high end to be as sure as one of them is
    alone, each has to be made surer: `above_all(opponents)`.
    """
    ends = ((one.value, one.low, one.high) for one in intervals)
    value, low, high = (min(column) for column in zip(*ends, strict=True))
    return Interval(value, low, high, min(one.count for one in intervals))


def above_all(opponents: int) -> float:
    """How sure each of several high ends has to be for all of them together to be as sure as one (Bonferroni)."""
    return 1 - (1 - ONE_SIDE) / max(1, opponents)


def _rows(values: ArrayLike) -> Floats:
    rows = np.atleast_2d(np.asarray(values, np.float64))
    return rows if rows.shape[1] else np.full((1, 1), np.nan)


def _interval(
    over: Floats, under: Floats | None, per_seed: Sequence[Floats], seed: int, below: float, above: float
) -> Interval:
    """
    Args:
        over: (prompts,) what is averaged; under: (prompts,) what it is divided by, less 1; None: nothing.
        per_seed: for each side, the statistic of every seed.
    """
    count = len(over)
    value = float(over.mean() if under is None else over.mean() / under.mean() - 1)
    if count < 2 or not math.isfinite(value):
        return Interval(value, -math.inf, math.inf, count if math.isfinite(value) else 0)
    parts = [over] if under is None else [over, under]
    means = _resampled(np.stack(parts, 1), seed)
    drawn = means[:, 0] if under is None else means[:, 0] / means[:, 1] - 1
    # How one prompt more of this kind would move the value; of a ratio in first order.
    pull = over if under is None else (over - (1 + value) * under) / under.mean()
    spreads = [(float(pull.var(ddof=1)) / count, count - 1)]
    spreads += [(float(side.var(ddof=1)) / len(side), len(side) - 1) for side in per_seed if len(side) > 1]
    of_seeds = math.sqrt(sum(spread for spread, _ in spreads[1:]))
    if of_seeds:
        drawn = drawn + of_seeds * np.random.default_rng([seed, count, 1]).standard_normal(len(drawn))
    tail = _further_out(count)
    low, high = np.quantile(drawn, (tail, 1 - tail))
    usual, freedom = _student(count - 1, ONE_SIDE), _freedom(spreads)
    error = math.sqrt(sum(spread for spread, _ in spreads))
    down = _student(freedom, below) * max((value - float(low)) / usual, error)
    up = _student(freedom, above) * max((float(high) - value) / usual, error)
    return Interval(value, value - down, value + up, count)


def _resampled(values: Floats, seed: int) -> Floats:
    """(resamples, columns) means of rows drawn with replacement from (prompts, columns)."""
    count = len(values)
    block = max(1, KEPT // count)
    if block >= RESAMPLES:
        return _counts(count, RESAMPLES, seed, 0) @ values / count
    made = [_draw(count, min(block, RESAMPLES - at), seed, at) @ values for at in range(0, RESAMPLES, block)]
    found: Floats = np.concatenate(made) / count
    return found


def _draw(count: int, resamples: int, seed: int, at: int) -> Floats:
    """(resamples, prompts) how often each prompt is drawn."""
    draws = np.random.default_rng([seed, count, 0, at])
    chosen = draws.integers(count, size=(resamples, count)) + count * np.arange(resamples)[:, None]
    return np.bincount(chosen.ravel(), minlength=resamples * count).reshape(resamples, count).astype(np.float64)


_counts = lru_cache(4)(_draw)


def _freedom(spreads: Sequence[tuple[float, int]]) -> float:
    """Degrees of freedom of a sum of independent mean squares, each with its own (Satterthwaite)."""
    total = sum(spread for spread, _ in spreads)
    if not total:
        return spreads[0][1]
    return total**2 / sum(spread**2 / freedom for spread, freedom in spreads)


@lru_cache(1024)
def _further_out(count: int) -> float:
    """The share of resamples that lies beyond each end for a 95 % interval (Hesterberg's expanded percentile)."""
    from scipy.special import ndtr

    return float(ndtr(-math.sqrt(count / (count - 1)) * _student(count - 1, ONE_SIDE)))


def _student(freedom: float, sure: float) -> float:
    """The quantile of Student's distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, sure))
