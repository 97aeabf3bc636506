"""Exact repeats, and near ones against a slow obvious twin."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.data.duplicates import drop_repeats, jaccard, near_pairs, shingles
from tutelage.records import Dataset

Make = Callable[..., Dataset]
TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=9).map(" ".join), max_size=8)


def test_repeats_differ_only_in_case_space_and_unicode_form(dataset: Make) -> None:
    made = drop_repeats(dataset(("Caf\u00e9?", "Yes"), ("cafe\u0301?  ", "YES"), ("Caf\u00e9?", "No")))
    assert [example.source.rows for example in made.examples] == [(1,), (3,)]
    assert [(row.rule, row.reason, row.source.rows) for row in made.dropped] == [("repeat", "repeats made:1", (2,))]
    assert made.ledger.balances()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ABC 12?", "\uff21\uff22\uff23\u3000\uff11\uff12\uff1f", True),  # full-width
        ("\u30ac\u30b9", "\uff76\uff9e\uff7d", True),  # half-width katakana, its voicing mark apart
        ("reset it", "re\u200bset\ufeff it\u00ad", True),  # zero-width space, byte order mark, soft hyphen
        ("a\u00a0b\n\nc", "A b c", True),
        ("stra\u00dfe", "STRASSE", True),
        ("2\u00b2", "22", False),  # what NFKC would make equal
        ("a = b", "a == b", False),  # punctuation is content: code, mathematics, a comma to be learned
        ("Really?", "Really", False),
        ("caf\u00e9", "cafe", False),
    ],
)
def test_what_counts_as_a_repeat(dataset: Make, one: str, other: str, same: bool) -> None:
    assert len(drop_repeats(dataset((one, "Yes"), (other, "Yes")))) == (1 if same else 2)
    assert len(drop_repeats(dataset(("Say it", one), ("Say it", other)))) == (1 if same else 2)


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_near_pairs_equal_comparing_all_with_all(a: list[str], b: list[str], threshold: float) -> None:
    slow = {
        (i, j): jaccard(shingles(x), shingles(y))
        for i, x in enumerate(a)
        for j, y in enumerate(b)
        if jaccard(shingles(x), shingles(y)) >= threshold
    }
    assert {(near.first, near.second): near.similarity for near in near_pairs(a, b, threshold)} == slow


def test_near_pairs_find_a_changed_word() -> None:
    text = "the quick brown fox jumps over the lazy dog and runs into the wide green forest behind us today"
    pairs = near_pairs([text, "something else entirely"], ["nothing alike here", text.replace("today", "now")])
    assert [(near.first, near.second) for near in pairs] == [(0, 1)]
