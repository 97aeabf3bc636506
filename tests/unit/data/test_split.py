"""Hold-outs that stay, leak nothing, and mixtures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.data.split import drop_leaks, hold_out, leaks, mix
from tutelage.errors import DataError
from tutelage.records import Conversation, Dataset, Ledger, Role, Source, Turn, with_ids

Make = Callable[..., Dataset]
LONG = "my card has not arrived although I ordered it three weeks ago and paid for fast delivery to my home"


def rows(start: int, end: int) -> list[tuple[str, str]]:
    return [(f"question {n}", f"answer {n}") for n in range(start, end)]


def ids(dataset: Dataset) -> set[str]:
    return {example.id for example in dataset.examples}


@pytest.mark.parametrize(
    ("count", "share", "most", "held"),
    [
        (1000, 0.05, 64, 50),
        (4000, 0.05, 64, 64),
        (10, 0.05, 64, 1),
        (9, 0.05, 64, 0),
        (100, 0.0, 64, 0),
        (100, 0.5, 0, 0),
    ],
)
def test_how_many_are_held_out(dataset: Make, count: int, share: float, most: int, held: int) -> None:
    train, out = hold_out(dataset(*rows(0, count)), share, most)
    assert (len(train), len(out)) == (count - held, held)


def test_both_parts_have_ledgers_that_add_up(dataset: Make) -> None:
    train, out = hold_out(dataset(*rows(0, 100)), 0.1, 64)
    assert (train.ledger.balances(), out.ledger.balances()) == (True, True)
    assert Counter(row.rule for row in train.dropped) == {"held out": 10}
    assert (train.ledger.conversations_kept, out.ledger.conversations_kept) == (90, 10)


def test_the_order_of_rows_does_not_matter(dataset: Make) -> None:
    made = rows(0, 200)
    assert ids(hold_out(dataset(*made), 0.1, 64)[1]) == ids(hold_out(dataset(*made[::-1]), 0.1, 64)[1])


def test_the_seed_matters(dataset: Make) -> None:
    made = dataset(*rows(0, 200))
    assert ids(hold_out(made, 0.1, 64)[1]) != ids(hold_out(made, 0.1, 64, seed=1)[1])


def test_adding_rows_moves_few(dataset: Make) -> None:
    before, after = (ids(hold_out(dataset(*rows(0, count)), 0.1, 1000)[1]) for count in (500, 550))
    assert len(before & after) >= 0.9 * len(before)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=10, max_size=60), st.sampled_from([0.05, 0.2, 0.5]))
def test_no_group_stands_on_both_sides(groups: list[int], share: float) -> None:
    made = [
        (
            Conversation((Turn(Role.USER, f"q{n}"), Turn(Role.ASSISTANT, "a"))),
            Source("f", (n,)),
            f"g{group}",
            (),
        )
        for n, group in enumerate(groups, 1)
    ]
    count = len(groups)
    dataset = Dataset(with_ids(made), ledger=Ledger(count, count, 0, count, count, 0))
    train, held = hold_out(dataset, share, 64)
    assert {e.group for e in train.examples} & {e.group for e in held.examples} == set()
    assert len(train) + len(held) == count
    assert len(train) >= count / 2 - 1
    assert len(held) >= 1 or max(Counter(groups).values()) > count / 2


def test_one_question_answered_twice_stands_on_one_side(dataset: Make) -> None:
    made = [(f"question {n // 2}", f"answer {n}") for n in range(200)]
    assert leaks(*hold_out(dataset(*made), 0.2, 64)) == ()


def test_where_all_share_a_prompt_the_answers_are_split(dataset: Make) -> None:
    assert len(hold_out(dataset(*(("Write a poem.", f"poem {n}") for n in range(50))), 0.1, 64)[1]) == 5


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


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.2, 25), (0.5, 100), (0.9, 300)])
def test_a_mixture_has_the_share_asked_for(dataset: Make, share: float, count: int) -> None:
    mixed = mix(dataset(*rows(0, 100)), dataset(*rows(1000, 1300)), share)
    assert (len(mixed) - 100, mixed.ledger.balances(), len(ids(mixed))) == (count, True, len(mixed))
    assert mixed.ledger.conversations_kept == len(mixed)


def test_a_mixture_of_equal_rows_keeps_ids_apart(dataset: Make) -> None:
    mixed = mix(dataset(*rows(0, 10)), dataset(*rows(0, 10)), 0.5)
    assert (len(mixed), len(ids(mixed))) == (20, 20)


def test_a_share_of_everything_cannot_be_mixed_in(dataset: Make) -> None:
    with pytest.raises(DataError, match="a share of 1"):
        mix(dataset(("a", "b")), dataset(("c", "d")), 1)
