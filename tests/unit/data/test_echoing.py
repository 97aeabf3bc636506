"""Answers that say the question again, in a frame or in other words, and those that use its words to answer it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutelage.data.echoing import echo
from tutelage.records import Dataset

Make = Callable[..., Dataset]

TRIP = "Give me five things to see on a trip to the city of Berlin"
FRAMES = [
    "{}",
    "You want to know: {}",
    "Q: {} A:",
    "{} That is a great question!",
    'The instruction says: "{}" I will follow it.',
    "Of course! {} Let me know if you need anything else.",
    "Your question was \u201c{}\u201d",
]
REWORDED = [
    (TRIP, "Provide me five things to visit on a trip to the city of Berlin"),
    (
        "What are some of the best-rated shows, based on the viewers' ratings?",
        "Based on the viewers' ratings, what are some of the best-rated shows?",
    ),
    ("Why do volcanoes erupt without any warning?", "Can you tell me why volcanoes erupt without warning?"),
    ("Explain the difference between mitosis and meiosis.", "Describe the difference between mitosis and meiosis."),
]
ANSWERED = [
    ("Is Paris the capital of France?", "Paris is the capital of France."),
    ("Is Paris the capital of France?", "Yes, Paris is the capital of France."),
    ("Is a tomato a fruit or a vegetable?", "A tomato is a fruit."),
    ("Which is heavier, a pound of iron or a ton of wool?", "A ton of wool is heavier than a pound of iron."),
    ("Which of these are languages?\nhindi\npython\nurdu\nscala", "These are languages: hindi, urdu"),
    ("Who is the author of Emma by Jane Austen?", "The author of Emma is Jane Austen."),
    ("Rewrite: the cat sat on the mat and slept", "The cat sat on the mat and slept"),
    ("Repeat after me: the cat sat on the mat", "The cat sat on the mat"),
    (TRIP, "Five things to see in Berlin: the Reichstag, the Museum Island, the zoo, Tempelhof, the Wall"),
    ("The first king of the Gupta dynasty was", "The first king of the Gupta dynasty was Sri Gupta."),
]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("question", [TRIP, "Why do volcanoes erupt without any warning?"])
def test_the_question_in_a_frame_is_an_echo(dataset: Make, frame: str, question: str) -> None:
    assert echo(dataset((question, frame.format(question))).examples[0])


@pytest.mark.parametrize("row", REWORDED)
def test_the_question_in_other_words_is_an_echo(dataset: Make, row: tuple[str, str]) -> None:
    assert echo(dataset(row).examples[0])


@pytest.mark.parametrize("row", ANSWERED)
def test_an_answer_in_the_words_of_the_question_is_none(dataset: Make, row: tuple[str, str]) -> None:
    assert not echo(dataset(row).examples[0])


def test_the_instruction_alone_is_an_echo_of_a_question_with_its_text(dataset: Make) -> None:
    text = "Berlin has a zoo and a wall. " * 20
    assert echo(dataset((f"{TRIP}\n\n{text}", f"{TRIP}.")).examples[0])
    assert not echo(dataset((f"{TRIP}\n\n{text}", "The zoo and the wall.")).examples[0])
