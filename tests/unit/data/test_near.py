"""Near duplicates: the fast join against a slow obvious twin, and what becomes of a group."""

from __future__ import annotations

import sys
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.data import duplicates, grams, joining
from tutelage.data.duplicates import jaccard, near_pairs, shingles
from tutelage.data.near import near_between, near_duplicates, near_groups
from tutelage.data.similar import mark_near
from tutelage.records import Dataset, Finding

Make = Callable[..., Dataset]
WORDS = st.sampled_from(["a", "b", "C", "d\u00e9", "\u6f22", "-", "\0", "\ufb01"])
TEXTS = st.lists(st.lists(WORDS, max_size=9).map(" ".join), max_size=12)
ASSIGNED = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=12)
THRESHOLDS = st.sampled_from([0.3, 0.5, 0.8, 1.0])
ASKED = "please tell me how to return the blue shoes that I bought last week in your shop"
ANSWERED = "you can bring them to any shop within thirty days and get all of your money back"


def slow(texts: list[str], threshold: float) -> dict[tuple[int, int], float]:
    found = list(map(shingles, texts))
    pairs = ((a, b) for b in range(len(texts)) for a in range(b))
    return {(a, b): same for a, b in pairs if (same := jaccard(found[a], found[b])) >= threshold}


@settings(max_examples=150, deadline=None)
@given(TEXTS, THRESHOLDS)
def test_pairs_equal_comparing_all_with_all(texts: list[str], threshold: float) -> None:
    found = near_duplicates(texts, threshold)
    assert {(near.first, near.second): near.similarity for near in found} == slow(texts, threshold)
    assert [(near.first, near.second) for near in found] == sorted(slow(texts, threshold))


@settings(max_examples=100, deadline=None)
@given(TEXTS, THRESHOLDS)
def test_groups_are_what_the_pairs_connect(texts: list[str], threshold: float) -> None:
    expected = list(range(len(texts)))
    for _ in texts:
        for a, b in slow(texts, threshold):
            expected[a] = expected[b] = min(expected[a], expected[b])
    assert near_groups(texts, threshold).tolist() == expected


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS, THRESHOLDS)
def test_pairs_between_two_sets_equal_the_slow_ones(a: list[str], b: list[str], threshold: float) -> None:
    assert near_between(a, b, threshold) == near_pairs(a, b, threshold)


@settings(max_examples=200, deadline=None)
@given(st.lists(ASSIGNED, max_size=5), st.sampled_from([1, 2, 3, 8]))
def test_any_text_has_as_many_runs_as_the_slow_way_counts(texts: list[str], size: int) -> None:
    blocks = list(grams.grams(texts, size))
    words = [duplicates._WORD.findall(duplicates.folded(text)) for text in texts]
    runs = [{tuple(own[at : at + size]) for at in range(max(1, len(own) - size + 1))} for own in words]
    assert [count for block in blocks for count in block.sizes] == [len(run - {()}) for run in runs]


def test_both_ways_agree_on_what_a_word_is() -> None:
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    known = [c for c in characters if unicodedata.category(c) != "Cn"]  # which a later Unicode may know
    fast = polars.Series(known).str.contains(f"^(?:{grams.WORD})$").to_list()
    assert [c for c, word in zip(known, fast, strict=True) if bool(duplicates._WORD.fullmatch(c)) != word] == []


def test_portions_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{'the same long question about something ' * 3}{n % 7} {n % 3} and its end" for n in range(60)]
    whole = near_duplicates(texts, 0.5), near_groups(texts, 0.5).tolist(), near_between(texts, texts[:9], 0.5)
    for module, name, value in ((grams, "BLOCK", 7), (joining, "BLOCK", 7), (joining, "LOOKED_UP", 5)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr("tutelage.data.near.COMPARED", 3)
    monkeypatch.setattr("tutelage.data.near.INDEXED", 100)
    assert whole == (near_duplicates(texts, 0.5), near_groups(texts, 0.5).tolist(), near_between(texts, texts[:9], 0.5))
    assert len(whole[0]) == len(slow(texts, 0.5)) > 60


def test_ten_thousand_versions_of_a_text_are_one_group_quickly() -> None:
    texts = [f"{ASKED} {ANSWERED} number {n}" for n in range(10_000)]
    assert set(near_groups(texts).tolist()) == {0}


def test_frequent_runs_are_counted_up_to_255() -> None:
    blocks = [grams.Grams(np.array([5], np.uint64).repeat(n), np.ones(n, np.int64)) for n in (300, 2)]
    assert joining.frequencies(blocks)[5] == 255


def found_in(made: Dataset) -> list[tuple[str, tuple[int, ...], str]]:
    return [(found.action, found.source.rows, found.reason) for found in made.findings]


def test_the_reason_says_what_is_near_and_to_which_row(dataset: Make) -> None:
    made = dataset(
        (ASKED, ANSWERED),
        (f"{ASKED} please", f"{ANSWERED} and more"),
        (f"so {ASKED}", "No, we never take anything back."),
        ("Other?", f"{ANSWERED} and"),
        ("Hello", "Hello"),
        ("Hello there", "Hello"),
    )
    assert found_in(mark_near(made, "flag")) == [
        ("flag", (1,), "question and answer: 81% the same as made:2"),
        ("flag", (3,), "question: 88% the same as made:2"),
        ("flag", (4,), "answer: 94% the same as made:2"),
    ]


def test_dropped_are_only_those_near_in_both_and_the_longest_answer_stays(dataset: Make) -> None:
    made = mark_near(
        dataset((ASKED, ANSWERED), (ASKED, f"{ANSWERED} of course"), (ASKED, "No, never, not here, not now.")), "drop"
    )
    assert [example.source.rows for example in made.examples] == [(2,), (3,)]
    assert [(row.rule, row.reason) for row in made.dropped] == [
        ("near duplicate", "question and answer: 94% the same as made:2")
    ]
    assert (made.ledger.balances(), found_in(made)) == (True, [("flag", (3,), "question: 100% the same as made:2")])


def test_the_best_has_no_fault_before_it_is_long(dataset: Make) -> None:
    made = dataset((ASKED, ANSWERED), (ASKED, f"{ANSWERED} and"), (ASKED, f"{ANSWERED} a lot"))
    cut = [Finding(example.source, "cut", "flag", "breaks off") for example in made.examples[1:]]
    left = mark_near(replace(made, findings=tuple(cut)), "drop")
    assert [example.source.rows for example in left.examples] == [(1,)]


def test_the_ends_of_a_chain_do_not_stand_for_each_other(dataset: Make) -> None:
    words = [f"word{n}" for n in range(60)]
    texts = [" ".join(words[start : start + 40]) for start in range(0, 20, 2)]
    chain = dataset(*((text, "x" * (10 - n)) for n, text in enumerate(texts)))
    assert set(near_groups(texts).tolist()) == {0}
    left = mark_near(chain, "drop")
    kept = [duplicates.spoken(example.conversation) for example in left.examples]
    assert (near_duplicates(kept), 1 < len(kept) < 10) == ((), True)


def test_off_changes_nothing_and_nothing_is_near_in_an_empty_set(dataset: Make) -> None:
    made = dataset((ASKED, ANSWERED), (ASKED, ANSWERED))
    assert mark_near(made, "off") is made
    assert (near_duplicates([]), near_groups([]).tolist(), near_between([], ["a"]), near_between(["a"], [])) == (
        *((), [], (), ()),
    )
    assert Counter(found.rule for found in mark_near(dataset(), "flag").findings) == {}
