"""The verdict and its interval."""

from __future__ import annotations

from tutelage.evaluation.losses import AnswerLoss, Losses
from tutelage.evaluation.verdict import judge, paired_interval

HARD = [30.0, 12.0, 55.0, 21.0, 8.0, 17.0, 40.0, 26.0]


def losses(nats: list[float]) -> Losses:
    return Losses(tuple(AnswerLoss(str(place), value, 10, 1.0) for place, value in enumerate(nats)))


def test_the_interval_is_the_same_every_time() -> None:
    factors = [0.7, 1.1, 0.8, 0.9, 1.2, 0.6, 0.9, 1.0]
    ours = [value * factor for value, factor in zip(HARD, factors, strict=True)]
    assert paired_interval(ours, HARD) == paired_interval(ours, HARD)
    assert paired_interval(ours, HARD, 1) != paired_interval(ours, HARD, 2)
    low, high = paired_interval(ours, HARD)
    assert low < sum(ours) / sum(HARD) - 1 < high


def test_pairs_stay_together() -> None:
    low, high = paired_interval([0.8 * value for value in HARD], HARD)
    assert abs(low + 0.2) < 1e-12 and abs(high + 0.2) < 1e-12


def test_better_worse_and_neither() -> None:
    others = [("base", losses([2 * value for value in HARD])), ("told", losses(HARD))]
    better = judge(losses([0.8 * value for value in HARD]), others)
    assert better.better and better.opponent == "told" and "20.0% lower" in better.text
    worse = judge(losses([1.5 * value for value in HARD]), others)
    assert not worse.better and "worse" in worse.text and "50.0% higher" in worse.text
    mixed = judge(losses([value + (9 if place % 2 else -9) for place, value in enumerate(HARD)]), others)
    assert not mixed.better and mixed.text.startswith("No clear difference")
    assert mixed.low is not None and mixed.high is not None and mixed.low < 0 < mixed.high


def test_too_few_for_a_verdict() -> None:
    few = judge(losses([1.0] * 5), [("base", losses([2.0] * 5))])
    assert not few.better and "too few" in few.text and few.low is None and few.difference == -0.5
    none = judge(losses([]), [("base", losses([]))])
    assert not none.better and none.difference is None and none.text.startswith("No verdict")
