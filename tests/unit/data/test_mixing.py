"""Mixing in by share of tokens: exact to half a conversation, stable, and with ledgers that add up."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.data.mixing import Portion, apart, characters, joined, mix, parse
from tutelage.errors import DataError, UsageError
from tutelage.records import Conversation, Dataset, Example, Ledger, Role, Source, Turn, with_ids

Make = Callable[..., Dataset]


def made(lengths: list[int], name: str, start: int = 0) -> Dataset:
    """Conversations of so many words; the numbers in them make them different."""
    conversations = (
        Conversation((Turn(Role.USER, f"{name} {number}"), Turn(Role.ASSISTANT, " ".join(["word"] * length))))
        for number, length in enumerate(lengths, start)
    )
    count = len(lengths)
    rows = ((conversation, Source(name, (number,)), "", ()) for number, conversation in enumerate(conversations, 1))
    return Dataset(with_ids(rows), ledger=Ledger(count, count, 0, count, count, 0), formats={name: "made"})


def size(example: Example) -> int:
    return len(example.conversation.answer.split())


def total(dataset: Dataset) -> int:
    return sum(map(size, dataset.examples))


def answers(dataset: Dataset) -> set[str]:
    return {example.conversation.turns[0].text for example in dataset.examples}


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=40),
    st.lists(st.integers(1, 60), max_size=60),
    st.floats(0.01, 0.95),
    st.integers(0, 3),
)
def test_the_share_of_tokens_is_exact_to_half_a_conversation(
    own: list[int], other: list[int], share: float, seed: int
) -> None:
    data, general = made(own, "own"), made(other, "general")
    (taken,), (portion,) = mix(data, [("general", general, share)], size, seed)
    wanted = total(data) * share / (1 - share)
    enough = total(general) >= wanted
    assert len(taken) == len(general) or abs(total(taken) - wanted) <= max(other) / 2
    assert enough or len(taken) == len(general)
    assert portion.share == pytest.approx(total(taken) / (total(taken) + total(data)))
    whole = joined(data, [taken])
    assert (whole.ledger.balances(), whole.ledger.conversations_kept) == (True, len(whole))
    assert whole.ledger.conversations_made == len(data) + len(general)


@pytest.mark.parametrize("seed", [0, 7])
def test_neither_order_nor_call_changes_what_is_taken(seed: int) -> None:
    data, general = made([20] * 30, "own"), made(list(range(5, 105)), "general")
    shuffled = replace(general, examples=tuple(random.Random(1).sample(general.examples, len(general))))
    first, again = (mix(data, [("general", one, 0.3)], size, seed)[0][0] for one in (general, shuffled))
    assert answers(first) == answers(again)
    other = mix(data, [("general", general, 0.3)], size, seed + 1)[0][0]
    assert answers(other) != answers(first)


def test_added_rows_move_few_choices() -> None:
    """Of the old rows at most one at the edge is new among the chosen; a tenth more rows displace about a tenth."""
    data, general = made([20] * 100, "own"), made([10] * 1000, "general")
    more = joined(general, [made([10] * 100, "general", start=1000)])
    before, after = (answers(mix(data, [("general", one, 0.5)], size)[0][0]) for one in (general, more))
    old = answers(general)
    assert len(before) == len(after) == 200
    assert len((after & old) - before) == 0
    assert len(before & after) >= 160


def test_several_shares_are_all_of_the_whole() -> None:
    data, one, two = made([10] * 50, "own"), made([10] * 200, "one"), made([10] * 200, "two")
    taken, portions = mix(data, [("one", one, 0.25), ("two", two, 0.25)], size)
    assert [len(part) for part in taken] == [25, 25]
    assert [portion.share for portion in portions] == [0.25, 0.25]


def test_too_few_are_all_taken_and_this_is_said() -> None:
    taken, (portion,) = mix(made([10] * 90, "own"), [("general", made([10] * 10, "general"), 0.5)], size)
    assert (len(taken[0]), portion) == (10, Portion("general", 0.5, 0.1, 10, 10))
    assert portion.told() == (
        "Mixed in all 10 conversations of general: 10.0% of the tokens, not the 50% asked for, since there are no "
        "more. A larger file gives more."
    )


def test_enough_is_said_plainly() -> None:
    portion = mix(made([10] * 80, "own"), [("general", made([10] * 30, "general"), 0.2)], size)[1][0]
    assert portion.told() == "Mixed in 20 of 30 conversations of general: 20.0% of the tokens."


def test_a_mixture_of_equal_rows_keeps_ids_apart() -> None:
    data = made([5] * 10, "same")
    (taken,), _ = mix(data, [("again", made([5] * 10, "same"), 0.5)], size)
    assert len({example.id for example in joined(data, [taken]).examples}) == 20


def test_what_is_not_taken_is_dropped_with_a_reason() -> None:
    (taken,), _ = mix(made([10] * 80, "own"), [("general", made([10] * 30, "general"), 0.2)], size)
    assert {(row.rule, row.reason) for row in taken.dropped} == {("not mixed in", "20 of 30 make up the share of 0.2")}
    assert (len(taken.dropped), taken.ledger.conversations_dropped) == (10, 10)


def test_nothing_to_mix_in_asks_for_no_size() -> None:
    def refuse(example: Example) -> int:
        raise AssertionError(example.id)

    assert mix(made([1], "own"), [], refuse) == ((), ())


@pytest.mark.parametrize("shares", [(1.0,), (0.5, 0.5), (-0.1,)])
def test_shares_that_leave_nothing_are_refused(shares: tuple[float, ...]) -> None:
    others = [(str(share), made([1], "other"), share) for share in shares]
    with pytest.raises(DataError, match="between 0 and 1"):
        mix(made([1], "own"), others, size)


def test_a_prompt_that_is_held_out_is_not_mixed_in(dataset: Make) -> None:
    other, held = dataset(("Why?", "Because."), ("How?", "So.")), dataset(("why?", "No idea."))
    left = apart(other, held)
    assert ([e.conversation.answer for e in left.examples], left.ledger.balances()) == (["So."], True)
    assert [row.rule for row in left.dropped] == ["leak"]


def test_characters_stand_in_for_tokens(dataset: Make) -> None:
    assert characters(dataset(("abc", "defg")).examples[0]) == 7


def test_entries_are_parsed() -> None:
    assert parse(("general:0.2", "C:\\data\\x.jsonl:.05")) == (("general", 0.2), ("C:\\data\\x.jsonl", 0.05))


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (("faq.jsonl",), "--mix faq.jsonl: there is no share; write FILE:SHARE, with a share between 0 and 1"),
        (("C:\\x.jsonl",), "the share '\\\\x.jsonl' is no number; write FILE:SHARE"),
        (("general:a lot",), "--mix general:a lot: the share 'a lot' is no number; write FILE:SHARE"),
        (("general:20",), "--mix general:20: the share 20 is not between 0 and 1; for 20 % write general:0.2"),
        (("general:0",), "the share 0 is not between 0 and 1; write FILE:SHARE"),
        (("general:nan",), "the share nan is not between 0 and 1; write FILE:SHARE"),
        (("general:-0.2",), "the share -0.2 is not between 0 and 1"),
        ((":0.2",), "there is no share"),
        (("a:0.6", "b:0.4"), "--mix a:0.6 --mix b:0.4: the shares add up to 1, and nothing is left"),
    ],
)  # fmt: skip
def test_what_is_no_entry_is_refused_in_a_sentence(entries: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(entries)
    assert told in str(error.value)
