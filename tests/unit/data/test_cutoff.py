"""Answers that stop in a word, in a sentence, in a list, or short of what was announced or asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutelage.data.cutoff import broken_off, cut, habits, seen
from tutelage.records import Dataset

Make = Callable[..., Dataset]

TIDY = "We ship on Monday. The parcel comes with a number, and a photograph of it hangs on the map {}."
LIST = "Here are five things to do:\n1. Visit the harbour.\n2. Eat some fish.\n3. Walk along the river."
CUT = [
    ("What now?", "The parcel comes on Monday. Here is what you need for it:"),
    ("What now?", "These are the steps for you to take:"),
    ("What now?", LIST),
    ("What now?", "We ship on Monday. There are three reasons for it. First, it is quiet. Second, it is cheap."),
    ("List 5 things to pack", "1. Socks\n2. A map\n3. A coat"),
    ("Describe it in four sentences.", "It is red. It is round."),
    ("What now?", "- Visit the old harbour by day.\n- Eat some fried fish there.\n- Walk"),
    ("What now?", "- Oslo: a capital city\n- Bergen: a city in the west\n- Trond"),
    ("What now?", "The parcel comes with a number. It also has a photogr"),
    ("What now?", "The parcel comes with a number. If the map"),
    ("What now?", "The parcel comes with a number and a map. We ship on Monday at noon. The"),
    ("What now?", "The parcel comes with a number on Monday, and"),
]
WHOLE = [
    ("What now?", LIST.replace("five", "three")),
    ("What now?", f"{LIST}\n4. Sleep.\n5. Go home."),
    ("What now?", "We ship on Monday. There are three reasons. First, rain. Second, sun. Last, we like it."),
    ("List 3 things to pack", "1. Socks\n2. A map\n3. A coat"),
    ("List things to pack", "1. Socks\n2. A map"),
    ("Describe it in two sentences.", "It is red. It is round."),
    ("What now?", "- Visit the old harbour\n- Eat fish\n- Walk"),
    ("What now?", "The parcel comes with a number. If it rains, we wait."),
    ("What now?", "We ship on Monday at noon each week. The parcel comes with a number.\n\nKind regards"),
    ("What now?", "Note:"),
]


def known(dataset: Make, *rows: tuple[str, str]) -> Dataset:
    return dataset(*((f"q{number}", TIDY.format(number)) for number in range(60)), *rows)


@pytest.mark.parametrize("row", CUT)
def test_an_answer_that_stops_is_seen(dataset: Make, row: tuple[str, str]) -> None:
    made = known(dataset, row)
    assert list(cut(made)) == [made.examples[-1].id]


@pytest.mark.parametrize("row", WHOLE)
def test_an_answer_that_is_whole_is_left_alone(dataset: Make, row: tuple[str, str]) -> None:
    assert cut(known(dataset, row)) == {}


def test_the_reason_says_where(dataset: Make) -> None:
    habit = habits([seen(known(dataset).examples)])
    assert broken_off(LIST, habit) == "after 3 of 5 announced items"
    assert broken_off("It has a number. It also has a photogr", habit) == "inside a word"
    assert broken_off("Here is what you need for it:", habit) == "after a colon"


def test_half_a_word_is_no_word_of_the_data(dataset: Make) -> None:
    habit = habits([seen(known(dataset).examples)])
    assert [habit.is_half(word) for word in ("photogr", "photograph", "number", "numb", "xylo")] == [
        True,
        False,
        False,
        False,
        False,
    ]


def test_an_ending_is_no_rest_of_a_word(dataset: Make) -> None:
    """ "parcel" begins "parcels", and is a word: what is left over is an ending."""
    habit = habits([seen(known(dataset, *((f"p{n}", "All boxwoods are evergreens here.") for n in range(9))).examples)])
    assert (habit.is_half("boxwood"), habit.is_half("boxw")) == (False, True)
