"""What is usual in a data set is learned from all of it or from some, and each example is asked once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.data import usual
from tutelage.data.exchange import flag
from tutelage.data.usual import Usual, found, learned
from tutelage.records import Dataset, Example, Finding, as_json

Make = Callable[..., Dataset]
SEEN: list[int] = []


def noted(examples: Sequence[Example]) -> Counter[str]:
    SEEN.append(len(examples))
    return Counter(example.conversation.answer for example in examples)


def commonest(seen: Sequence[Counter[str]]) -> str:
    return sum(seen, Counter[str]()).most_common(1)[0][0]


def other(example: Example, usual: str) -> Finding | None:
    return None if example.conversation.answer == usual else flag(example, "other", usual)


@pytest.mark.parametrize(("few", "size"), [(True, 7), (False, 30)])
def test_where_few_are_enough_so_many_are_looked_at(
    dataset: Make, monkeypatch: pytest.MonkeyPatch, few: bool, size: int
) -> None:
    monkeypatch.setattr(usual, "ENOUGH", 7)
    SEEN.clear()
    made = dataset(*((f"question {n}", "odd" if n == 3 else "yes") for n in range(30)))
    rules = {"other": Usual(noted, commonest, other, few=few)}
    assert (learned(made.examples, rules), SEEN) == ({"other": "yes"}, [size])
    assert list(found(made.examples, rules)["other"]) == [made.examples[3].id]


def test_what_is_drawn_is_the_same_every_time(dataset: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usual, "ENOUGH", 5)
    made = dataset(*((f"question {n}", f"answer {n}") for n in range(50)))
    rules = {"all": Usual(lambda some: [each.id for each in some], lambda seen: seen[0], other, few=True)}
    first = learned(made.examples, rules)["all"]
    assert (len(set(first)), learned(made.examples, rules)["all"]) == (5, first)


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(), st.booleans()), max_size=4))
def test_what_is_hashed_is_the_json_of_the_library(content: list[tuple[str, str, bool]]) -> None:
    assert as_json(content) == json.dumps([list(turn) for turn in content])


@pytest.mark.parametrize("text", ["\ud800", '"\\\x00\u2028', "é\U0001f600", "\x7f\r\n\t"])
def test_hard_texts_are_hashed_as_the_library_writes_them(text: str) -> None:
    assert as_json([("user", text, True)]) == json.dumps([["user", text, True]])
