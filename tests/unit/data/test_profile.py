"""The numbers of a small set, by hand."""

from __future__ import annotations

import json
from collections.abc import Callable

from tutelage.data.profile import Lengths, lengths, profile
from tutelage.data.quality import apply
from tutelage.records import Dataset

Make = Callable[..., Dataset]


def test_the_numbers_of_a_small_set(dataset: Make) -> None:
    numbers = profile(apply(dataset(("a b", "Yes.", "g"), ("c", "as I said", "g"), ("d", ""), ("e", "{{X}}"))))
    assert (numbers.conversations, numbers.turns, numbers.groups, numbers.largest_group) == (3, 6, 2, 2)
    assert numbers.roles == {"user": 3, "assistant": 3}
    assert numbers.prompt_words == Lengths(1, 1, 2, 2)
    assert numbers.answer_chars == Lengths(4, 5, 9, 9)
    assert numbers.share_ending_punctuation == 2 / 3
    assert (numbers.dropped, numbers.findings) == ({"blank": 1}, {"placeholder": 1})
    assert json.loads(json.dumps(numbers.as_dict()))["answer_chars"]["most"] == 9


def test_lengths_of_nothing_and_of_a_hundred() -> None:
    assert (lengths([]), lengths(range(1, 101))) == (Lengths(), Lengths(1, 50.5, 95, 100))


def test_an_empty_set_has_a_profile() -> None:
    assert profile(Dataset(())).share_multi_turn == 0
