"""How answers end and how long they are."""

from __future__ import annotations

import json

from tutelage.evaluation.answers import Answer
from tutelage.evaluation.rates import Rates, rates

ANSWERS = (
    Answer("a", "Oslo.", True, 3),
    Answer("b", "I'm sorry, but I can't help with that.", True, 12),
    Answer("c", "one one one", False, 64, True),
    Answer("d", "a long story that goes", False, 64),
)


def test_every_count_is_there() -> None:
    found = rates(ANSWERS)
    assert found == Rates(4, stopped=2, looped=1, refused=1, mean_tokens=35.75, median_tokens=38.0)
    assert (found.stop_rate, found.loop_rate, found.refusal_rate) == (0.5, 0.25, 0.25)
    assert "2 of 4 answers stop" in found.in_words() and "1 refuse" in found.in_words()
    assert Rates.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_of_no_answers() -> None:
    found = rates(())
    assert found == Rates(0, 0, 0, 0, 0.0, 0.0)
    assert (found.stop_rate, found.loop_rate, found.refusal_rate) == (0.0, 0.0, 0.0)
