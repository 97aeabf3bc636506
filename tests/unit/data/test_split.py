"""Hold-outs that stay and leak nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tutelage.data.split import drop_leaks, hold_out, leaks, settled
from tutelage.records import Conversation, Dataset, Ledger, Role, Source, Turn, with_ids

Make = Callable[..., Dataset]
LONG = "my card has not arrived although I ordered it three weeks ago and paid for fast delivery to my home"


def rows(start: int, end: int) -> list[tuple[str, str]]:
    return [(f"question {n}", f"answer {n}") for n in range(start, end)]


def ids(dataset: Dataset) -> set[str]:
    return {example.id for example in dataset.examples}


def grouped(groups: Sequence[int], start: int = 1) -> Dataset:
    """A conversation for each number, with the group of that number; equal ones differ in their question."""
    seen: Counter[int] = Counter()
    made = []
    for n, group in enumerate(groups, start):
        seen[group] += 1
        turns = (Turn(Role.USER, f"q{group} {seen[group]}"), Turn(Role.ASSISTANT, "a"))
        made.append((Conversation(turns), Source("f", (n,)), f"g{group}", ()))
    count = len(made)
    return Dataset(with_ids(made), ledger=Ledger(count, count, 0, count, count, 0))


@pytest.mark.parametrize(
    ("count", "share", "most", "held", "back"),
    [
        (1000, 0.05, 64, 64, 1),
        (4000, 0.05, 64, 64, 168),
        (10, 0.05, 64, 1, 0),
        (9, 0.5, 64, 0, 0),
        (100, 0.0, 64, 0, 0),
        (100, 0.5, 0, 0, 0),
    ],
)
def test_how_many_are_held_out(dataset: Make, count: int, share: float, most: int, held: int, back: int) -> None:
    train, out = hold_out(dataset(*rows(0, count)), share, most)
    rules = Counter(row.rule for row in train.dropped)
    assert (len(out), rules["held out"], rules["held back"], len(train)) == (held, held, back, count - held - back)


def test_both_parts_have_ledgers_that_add_up(dataset: Make) -> None:
    whole = dataset(*rows(0, 100))
    train, out = hold_out(whole, 0.2, 8)
    assert (train.ledger.balances(), out.ledger.balances()) == (True, True)
    assert (train.ledger.conversations_kept, out.ledger.conversations_kept) == (len(train), len(out)) == (74, 8)
    used = settled(whole, train, out)
    assert (ids(used), used.ledger.balances()) == (ids(train) | ids(out), True)
    assert Counter(row.rule for row in used.dropped) == {"held back": 18}


def test_the_order_of_rows_does_not_matter(dataset: Make) -> None:
    made = rows(0, 200)
    assert ids(hold_out(dataset(*made), 0.1, 64)[1]) == ids(hold_out(dataset(*made[::-1]), 0.1, 64)[1])


def test_the_seed_matters(dataset: Make) -> None:
    made = dataset(*rows(0, 200))
    assert ids(hold_out(made, 0.1, 64)[1]) != ids(hold_out(made, 0.1, 64, seed=1)[1])


GROUPS = st.lists(st.integers(0, 150), min_size=40, max_size=100)


@settings(max_examples=60, deadline=None)
@given(GROUPS, GROUPS, st.sampled_from([0.1, 0.2, 0.5]), st.sampled_from([3, 64]), st.integers(0, 99))
def test_adding_rows_never_moves_an_old_one(
    old: list[int], more: list[int], share: float, most: int, seed: int
) -> None:
    """Where hashes decide: ten conversations or more, no group of more than half of them, and no stand-in."""
    parts = []
    for numbers in (old, old + more):
        train, held = hold_out(grouped(numbers), share, most, seed)
        aside = {example.group for example in grouped(numbers).examples} - {e.group for e in train.examples}
        assume(len(numbers) >= 10 and 2 * max(Counter(numbers).values()) <= len(numbers))
        assume(len(aside) > 1 and len({e.group for e in train.examples}) > 1)
        parts.append((ids(train), ids(held)))
    (train_before, held_before), (train_after, held_after) = parts
    assert train_before <= train_after
    assert train_before & held_after == held_before & train_after == set()


def test_a_thousand_rows_more_move_none(dataset: Make) -> None:
    before, after = (hold_out(dataset(*rows(0, count)), 0.05, 64) for count in (1000, 9000))
    assert ids(before[0]) <= ids(after[0])
    assert ids(before[1]) & ids(after[0]) == set()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=10, max_size=60), st.sampled_from([0.05, 0.2, 0.5]))
def test_no_group_stands_on_both_sides(groups: list[int], share: float) -> None:
    train, held = hold_out(grouped(groups), share, 5)
    assert {e.group for e in train.examples} & {e.group for e in held.examples} == set()
    assert (len(train) >= 1, len(held) <= 5, train.ledger.balances()) == (True, True, True)
    assert len(held) >= 1 or 2 * max(Counter(groups).values()) > len(groups)


def test_one_question_answered_twice_stands_on_one_side(dataset: Make) -> None:
    made = [(f"question {n // 2}", f"answer {n}") for n in range(200)]
    assert leaks(*hold_out(dataset(*made), 0.2, 64)) == ()


def test_where_all_share_a_prompt_the_answers_are_split(dataset: Make) -> None:
    assert len(hold_out(dataset(*(("Write a poem.", f"poem {n}") for n in range(50))), 0.1, 64)[1]) == 6


def test_leaks_of_every_kind_are_found_and_dropped(dataset: Make) -> None:
    held = dataset(("x", "y", "ticket 1"), ("Hi there", "Hello"), ("Why?", "Because."), (LONG, "Sorry!"))
    train = dataset(
        ("a", "b", "ticket 1"),
        ("hi  there", "hello"),
        ("why?", "Who knows."),
        (LONG, "Sorry!!!"),
        ("new", "one"),
    )
    found = leaks(train, held)
    assert [(leak.kind, leak.train.source.rows, leak.held.source.rows) for leak in found] == [
        ("group", (1,), (1,)),
        ("exact", (2,), (2,)),
        ("prompt", (3,), (3,)),
        ("prompt", (4,), (4,)),
    ]
    left = drop_leaks(train, held)
    assert ([e.source.rows for e in left.examples], left.ledger.balances()) == ([(5,)], True)


def test_a_near_leak_is_found(dataset: Make) -> None:
    held, train = (
        dataset((LONG, "I am sorry.")),
        dataset((f"today {LONG}", "I am sorry."), ("other", "thing")),
    )
    assert [(leak.kind, leak.train.source.rows) for leak in leaks(train, held)] == [("near", (1,))]
