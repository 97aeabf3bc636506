"""The verdict: against the best of the others, in plain words, and only as sure as the numbers are."""

from __future__ import annotations

import numpy as np
import pytest

from tutelage.evaluation.verdict import LOSS, Kind, Measured, Metric, Said, Verdict, judge, size

HARD = [30.0, 12.0, 55.0, 21.0, 8.0, 17.0, 40.0, 26.0]
SCORE = Metric("ROUGE-L of headlines", True)


def judged(ours: list[float], metric: Metric = LOSS, /, **others: list[float]) -> Verdict:
    """The tuned model against base, prompt, examples, run or model."""
    rivals = [Measured(name, Kind(name), values) for name, values in others.items()]
    return judge(Measured("tuned", Kind.TUNED, ours), rivals, metric)


def times(factor: float) -> list[float]:
    return [factor * value for value in HARD]


def scores(mean: float) -> list[float]:
    return [mean + 0.1 * (place % 3 - 1) for place in range(30)]


def test_better_than_all_of_them_by_loss() -> None:
    found = judged(times(0.8), base=times(2), prompt=HARD)
    assert found.better and (found.said, found.opponent, found.tone) == (Said.BETTER, "prompt", "better")
    assert "better: it gains 20.0% of the loss" in found.text and "large gain" in found.text
    assert "prompt, the best of the 2 opponents" in found.text and "better on 100% of them" in found.text
    assert (found.difference, found.low, found.high) == pytest.approx((-0.2, -0.2, -0.2))
    assert [gain.interval.value for gain in found.gains] == pytest.approx([0.6, 0.2])


def test_better_by_score_in_points() -> None:
    found = judged(scores(0.5), SCORE, examples=scores(0.46))
    assert found.better and "4.0 points of 100" in found.text and "small gain" in found.text
    assert "by ROUGE-L of headlines" in found.text and found.conversations == 30
    assert found.difference == pytest.approx(0.04)


def test_scores_that_are_all_alike_are_not_sure() -> None:
    """Of 6 prompts that nobody gets right, and even of 40, nothing follows about a gain of 2 points."""
    for count in (6, 40):
        found = judged([0.0] * count, SCORE, base=[0.0] * count)
        assert (found.said, found.difference) == (Said.EVEN, 0) and found.high == pytest.approx(
            1 - 0.025 ** (1 / count)
        )
    assert judged([0.0] * 400, SCORE, base=[0.0] * 400).said is Said.BASE
    best = judged([1.0] * 6, SCORE, base=[0.0] * 6)
    assert best.better and best.low == pytest.approx(0.025 ** (1 / 6)) and best.high == 1


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("prompt", "A prompt was enough"),
        ("examples", "Examples were enough"),
        ("base", "The base was enough"),
        ("run", "Another run was enough"),
        ("model", "The other model was enough"),
    ],
)
def test_something_else_was_enough(who: str, words: str) -> None:
    worse = judged(times(1.5), **{who: HARD})
    assert worse.text.startswith(words) and "worse" in worse.text and "50.0% of the loss" in worse.text
    assert (worse.better, worse.said.value, worse.tone) == (False, who, "worse")
    nearly = [value + 0.01 * (-1) ** place for place, value in enumerate(scores(0.5))]
    equal = judged(scores(0.5), SCORE, **{who: nearly})
    assert equal.text.startswith(words) and "at best a negligible gain" in equal.text
    assert (equal.better, equal.said.value, equal.tone) == (False, who, "even")


def test_a_sure_gain_may_be_negligible_and_is_called_so() -> None:
    nearly = [value + 0.001 * (-1) ** place for place, value in enumerate(scores(0.5))]
    found = judged(scores(0.505), SCORE, base=nearly)
    assert found.better and "negligible gain" in found.text


def test_not_distinguishable() -> None:
    mixed = judged([value + (9 if place % 2 else -8) for place, value in enumerate(HARD)], prompt=HARD, base=times(2))
    assert (mixed.better, mixed.said, mixed.opponent, mixed.tone) == (False, Said.EVEN, "prompt", "even")
    assert mixed.text.startswith("Not distinguishable") and "prompts would show" not in mixed.text
    assert mixed.low is not None and mixed.high is not None and mixed.low < 0 < mixed.high
    noisy = judged([0.05 + 0.3 * (-1) ** place for place in range(30)], SCORE, base=[0.0] * 30)
    assert noisy.said is Said.EVEN and "prompts would show" in noisy.text


def test_better_than_the_best_means_better_than_every_one() -> None:
    """Over one opponent the gain is the smaller, over the other it is the less sure."""
    draws = np.random.default_rng(3)
    wild = (np.array(scores(0.4)) + draws.normal(0, 0.4, 30)).tolist()
    assert judged(scores(0.5), SCORE, base=scores(0.45)).better
    found = judged(scores(0.5), SCORE, base=scores(0.45), run=wild)
    over = {gain.opponent: gain.interval for gain in found.gains}
    assert over["run"].value > over["base"].value and over["run"].low < 0 < over["base"].low
    assert not found.better and found.low == over["run"].low


def test_the_more_opponents_the_surer_it_has_to_be_that_tuned_is_worse() -> None:
    rivals = {"base": scores(0.55), "prompt": scores(0.1), "model": scores(0.2)}
    ours = (np.array(scores(0.5)) + np.random.default_rng(1).normal(0, 0.1, 30)).tolist()
    alone = judged(ours, SCORE, base=rivals["base"])
    among = judged(ours, SCORE, **rivals)
    assert alone.high is not None and among.high is not None and among.high > alone.high


def test_seeds_count() -> None:
    rows = [scores(0.6), scores(0.5), scores(0.7)]
    one = judge(Measured("tuned", Kind.TUNED, rows[0]), [Measured("base", Kind.BASE, scores(0.45))], SCORE)
    all_of_them = judge(Measured("tuned", Kind.TUNED, rows), [Measured("base", Kind.BASE, scores(0.45))], SCORE)
    assert one.better and all_of_them.difference == pytest.approx(0.15)
    assert not all_of_them.better  # three seeds that far apart say less than one seed seemed to


def test_too_few_for_a_verdict() -> None:
    few = judged([1.0] * 5, base=[2.0] * 5)
    assert not few.better and "too few" in few.text and few.low is None and few.difference == -0.5
    none = judged([], base=[])
    assert not none.better and none.difference is None and none.text.startswith("No verdict")
    assert judged(HARD).said is Said.NONE


def test_sizes_in_words() -> None:
    assert [size(share) for share in (0.0, 0.03, 0.1, 0.2)] == ["negligible", "small", "clear", "large"]
