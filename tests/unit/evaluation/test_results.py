"""What a comparison found is kept whole, and its numbers are over all prompts and seeds."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from made import talk

from tutelage.errors import UsageError
from tutelage.evaluation.answers import Answer
from tutelage.evaluation.contenders import FormatLoss
from tutelage.evaluation.losses import AnswerLoss, Losses
from tutelage.evaluation.results import Asked, Comparison, ContenderResult, with_seeds
from tutelage.evaluation.verdict import LOSS, Kind, Metric, judge
from tutelage.recipe import DecodingSettings

COUNT = 8
SCORE = Metric("exact match of capitals", True)


def contender(name: str, kind: Kind, factor: float, scored: bool = True) -> ContenderResult:
    losses = [AnswerLoss(f"h{place}", factor * (place + 1), 10 + place, 0.5) for place in range(COUNT)]
    answers = [
        Answer(f"p{place}", f"{name} {place}\x1b\ud7ff", place % 2 == 0, 5, place % 3 == 1) for place in range(COUNT)
    ]
    return ContenderResult(
        name,
        f"{name}-model",
        "plain",
        "Be brief." if kind is Kind.PROMPT else "",
        Losses(tuple(losses), ("long",)),
        tuple(answers),
        (FormatLoss("plain", 1.5, 2.5, 8), FormatLoss("other", math.nan, math.nan, 0)) if kind is Kind.BASE else (),
        kind,
        tuple(range(10, 10 + COUNT)),
        talk("a", "b") if kind is Kind.EXAMPLES else (),
        tuple(min(1.0, place / 10 / factor) for place in range(COUNT)) if scored else (),
        tuple(f"reason {place}" for place in range(COUNT)) if scored else (),
    )


def comparison(metric: Metric) -> Comparison:
    tuned = with_seeds([contender("tuned", Kind.TUNED, factor) for factor in (0.5, 0.6)])
    remote = replace(contender("far", Kind.MODEL, 1.0), losses=Losses(()), prompt_tokens=())
    others = [contender(kind.value, kind, 1.0) for kind in (Kind.BASE, Kind.PROMPT, Kind.EXAMPLES)] + [remote]
    numbers = [result.measured(metric) for result in (tuned, *others)]
    assert numbers[0] is not None
    verdict = judge(numbers[0], [one for one in numbers[1:] if one], metric)
    asked = [Asked(f"p{place}", talk("Hi", system="S"), "R" if place else None, "c") for place in range(COUNT)]
    return Comparison("runs/x", tuple(asked), (*others, tuned), verdict, DecodingSettings(seed=3), 1, ("a note",))


def same(one: Comparison, other: Comparison) -> bool:
    """Equality in which what is not a number equals itself."""
    return repr(one) == repr(other)


@pytest.mark.parametrize("metric", [LOSS, SCORE])
def test_a_comparison_is_read_back_whole(metric: Metric) -> None:
    made = comparison(metric)
    back = Comparison.from_json(made.to_json())
    assert same(back, made)
    assert back.to_json() == made.to_json()
    assert back.contenders[-1].seeds[1].answers == made.contenders[-1].more[0].answers


def test_numbers_are_over_all_seeds() -> None:
    tuned = comparison(SCORE).contenders[-1]
    one, two = tuned.seeds
    assert tuned.loss == pytest.approx((one.losses.per_token + two.losses.per_token) / 2)
    assert tuned.score is not None and tuned.score.value == pytest.approx(
        (sum(one.scores) + sum(two.scores)) / 2 / COUNT
    )
    assert (tuned.stop_rate, tuned.mean_tokens, tuned.mean_prompt_tokens) == (0.5, 5, 13.5)
    assert tuned.loop_rate == pytest.approx(3 / 8)


def test_a_model_behind_an_endpoint_has_scores_and_no_losses() -> None:
    found = comparison(SCORE)
    far = next(result for result in found.contenders if result.kind is Kind.MODEL)
    assert (far.has_losses, far.loss, far.mean_prompt_tokens) == (False, None, None)
    assert far.measured(LOSS) is None and far.measured(SCORE) is not None
    assert found.one_tokenizer  # nothing is known of the other's
    assert {gain.opponent for gain in found.verdict.gains} == {"base", "prompt", "examples", "far"}
    assert {gain.opponent for gain in comparison(LOSS).verdict.gains} == {"base", "prompt", "examples"}


def test_what_is_in_the_json() -> None:
    content = json.loads(comparison(SCORE).to_json())
    assert content["verdict"]["said"] == "better" and content["verdict"]["metric"]["name"] == "exact match of capitals"
    assert [row["name"] for row in content["contenders"]] == ["base", "prompt", "examples", "far", "tuned"]
    assert content["contenders"][4]["score"]["count"] == COUNT and len(content["contenders"][4]["seeds"]) == 2
    assert len(content["prompts"][0]["answers"]) == 6  # four contenders, and two seeds of the tuned one


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"run": 3, "prompts": [1]}'])
def test_something_else_is_no_comparison(text: str) -> None:
    with pytest.raises(UsageError, match="compare again"):
        Comparison.from_json(text)
