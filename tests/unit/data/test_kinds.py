"""What kind of thing an instruction asks for, by its words and its shape."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutelage.data.kinds import KINDS, instruction_of, kind_of, kinds_of, labels, request_of
from tutelage.records import Conversation, Dataset, Role, Turn

Make = Callable[..., Dataset]
PASSAGE = "The mill stands by the river. " * 20


@pytest.mark.parametrize(
    ("instruction", "kind"),
    [
        ("Translate into German: Good morning!", "translate"),
        ("Übersetze ins Englische: Guten Morgen!", "translate"),
        ("Traduis en anglais : bonjour", "translate"),
        ("把下面的句子翻译成英文：早上好", "translate"),
        ("Summarize this article in two sentences.", "summarise"),
        (f"Fasse den Text zusammen.\n\n{PASSAGE}", "summarise"),
        ("Classify the sentiment of this review: great phone!", "classify"),
        ("Is the following claim true? Options: yes, no", "classify"),
        ("Which word does not belong, and is it a fruit? Choose one: apple, pear, brick", "classify"),
        (f"Extract all names of rivers.\n\n{PASSAGE}", "extract"),
        ("Turn the address into an object as JSON: Main Street 1, Graz", "extract"),
        ("Write a Python function that adds two numbers.", "code"),
        ("How do I undo the last commit in git?", "code"),
        ("Rewrite the sentence in the passive voice: The dog ate it.", "rewrite"),
        ("Korrigiere den Satz: Ich habe gehen.", "rewrite"),
        ("Could you please fix my letter? It sounds rude.", "rewrite"),
        ("Tom has 3 apples and buys 4 more. How many apples does he have?", "maths"),
        ("What is 12 * 7?", "maths"),
        (f"Who owns the mill?\n\n{PASSAGE}", "question on a text"),
        (f"{PASSAGE}\n\nWho owns the mill?", "question on a text"),
        ("You are a pirate. Greet the harbour master.", "act a part"),
        ("Pretend to be a talking door.", "act a part"),
        ("List five birds.", "list ideas"),
        ("What are some good names for a boat?", "list ideas"),
        ("Write a poem about rain.", "write"),
        ("Écris une lettre à ma voisine.", "write"),
        ("Hello there!", "small talk"),
        ("Who made you?", "small talk"),
        ("你好", "small talk"),
        ("Explain how a fridge works.", "explain"),
        ("What is the difference between a frog and a toad?", "explain"),
        ("My card has not arrived, and I was charged for it.", "support"),
        ("I want to cancel my order", "support"),
        ("You are a helpful customer support agent.\n\nwhere is my parcel", "support"),
        ("How should I store potatoes?", "advise"),
        ("Any tips for a first marathon?", "advise"),
        ("Who painted the Mona Lisa?", "question"),
        ("¿Cuándo nació Cervantes?", "question"),
        ("Warum ist der Himmel blau?", "question"),
        ("Purple seventeen, sideways", "other"),
    ],
)  # fmt: skip
def test_the_kind_of_an_instruction(instruction: str, kind: str) -> None:
    assert kind_of(instruction) == kind


def test_a_passage_does_not_tell_the_kind() -> None:
    """Verbs and numbers that stand in the text that is asked about are not what is asked for."""
    passage = "He had to translate 12 letters and write 30 more. How many there were in all, nobody knew. " * 4
    assert kind_of(f"Where did he live?\n\n{passage}") == "question on a text"


def test_what_is_asked_for_is_cut_out() -> None:
    assert request_of(f"Who owns the mill?\n\n{PASSAGE}") == "Who owns the mill?"
    assert request_of(f"{PASSAGE * 5}\n\nWho owns the mill?") == "Who owns the mill?"
    assert request_of("one paragraph") == "one paragraph"


@pytest.mark.parametrize(
    "hard", ["a " * 400_000, "how" * 300_000, "make this " * 90_000, "(a) b " * 100_000, "你" * 500_000]
)
def test_a_megabyte_is_looked_at_in_part(hard: str) -> None:
    assert (len(request_of(hard)) < 1000, kind_of(hard) in KINDS) == (True, True)


def test_a_greeting_is_read_with_what_follows() -> None:
    said = [
        (Role.USER, "Hello!"),
        (Role.ASSISTANT, "Hi."),
        (Role.USER, "Please book a taxi."),
        (Role.ASSISTANT, "Done."),
    ]
    assert instruction_of(Conversation(tuple(Turn(*one) for one in said))) == "Hello!\nPlease book a taxi."


def test_answers_that_come_again_are_labels(dataset: Make) -> None:
    rows = [(f"My card number {number} is late", ("arrival", "loss")[number % 2]) for number in range(10)]
    examples = dataset(*rows, ("What is a card?", "A piece of plastic that you pay with.")).examples
    assert labels(examples) == {"arrival", "loss"}
    assert kinds_of(examples) == ["classify"] * 10 + ["question"]


def test_where_all_answers_are_labels_a_rare_one_is_too(dataset: Make) -> None:
    examples = dataset(*((f"text {n}", f"label {n % 4}") for n in range(12)), ("text", "seldom")).examples
    assert labels(examples) == {"label 0", "label 1", "label 2", "label 3", "seldom"}


def test_short_answers_to_questions_are_no_labels(dataset: Make) -> None:
    assert labels(dataset(*((f"Who was king in {n}?", f"Louis {n}") for n in range(20))).examples) == frozenset()
