"""Breadth and mixing against slow, obvious twins."""

from __future__ import annotations

import hashlib
import math
from itertools import accumulate, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.data.mixing import mix
from tutelage.data.subjects import covering_half, likeness
from tutelage.records import Conversation, Dataset, Example, Ledger, Role, Source, Turn, with_ids

Texts = list[list[str]]
some_texts = st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=6), max_size=12)


def cosine(first: set[str], second: set[str]) -> float:
    return len(first & second) / math.sqrt(len(first) * len(second))


@given(some_texts)
def test_likeness_is_the_mean_over_all_pairs(texts: Texts) -> None:
    held = [set(text) for text in texts if text]
    pairs = [cosine(*pair) for pair in combinations(held, 2)]
    assert likeness(texts) == pytest.approx(sum(pairs) / len(pairs) if pairs else 0, abs=1e-12)


def chosen_slowly(texts: Texts) -> tuple[str, ...]:
    left, counted = [set(text) for text in texts if text], sum(map(bool, texts))
    chosen: list[str] = []
    while 2 * (counted - len(left)) < counted:
        words = sorted({word for text in left for word in text})
        best = max(words, key=lambda word: (sum(word in text for text in left), -ord(word)))
        chosen.append(best)
        left = [text for text in left if best not in text]
    return tuple(chosen)


@given(some_texts)
def test_words_are_chosen_as_by_counting_anew_each_time(texts: Texts) -> None:
    assert covering_half(texts) == chosen_slowly(texts)


def made(lengths: list[int], name: str) -> Dataset:
    conversations = [
        Conversation((Turn(Role.USER, f"{name} {number}"), Turn(Role.ASSISTANT, "x" * length)))
        for number, length in enumerate(lengths)
    ]
    rows = ((one, Source(name, (number,)), "", ()) for number, one in enumerate(conversations, 1))
    count = len(lengths)
    return Dataset(with_ids(rows), ledger=Ledger(count, count, 0, count, count, 0))


def size(example: Example) -> int:
    return len(example.conversation.answer)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=10),
    st.lists(st.integers(1, 40), max_size=25),
    st.floats(0.05, 0.9),
)
def test_what_is_taken_is_the_nearest_of_all_beginnings(own: list[int], other: list[int], share: float) -> None:
    data, general = made(own, "own"), made(other, "general")
    order = sorted(general.examples, key=lambda e: hashlib.sha256(f"5:{e.id}".encode()).hexdigest())
    wanted = sum(own) * share / (1 - share)
    sums = [0, *accumulate(map(size, order))]
    nearest = min(abs(total - wanted) for total in sums)
    (taken,), _ = mix(data, [("general", general, share)], size, seed=5)
    got = sum(map(size, taken.examples))
    assert abs(got - wanted) == pytest.approx(nearest)
    assert {e.id for e in taken.examples} == {e.id for e in order[: len(taken)]}
