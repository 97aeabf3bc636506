"""The rules that look at the whole data set: cut, short, long, contradiction."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutelage.data.cutoff import broken_off, habits, seen
from tutelage.data.differing import against
from tutelage.data.quality import SET_RULES, apply
from tutelage.records import Dataset

Make = Callable[..., Dataset]

TIDY = "We ship on Monday. The parcel comes with a number, and you can follow it on the map {}."
LONG = "The parcel left the house on Monday. It is on the way to the city. You can follow it on the map"


def answers(dataset: Make, *extra: str, pattern: str = TIDY, count: int = 60) -> Dataset:
    """Many ordinary answers, then those in question."""
    return dataset(*((f"q{n}", pattern.format(n)) for n in range(count)), *((f"x{n}", a) for n, a in enumerate(extra)))


CUT = [
    "We ship on Monday. The parcel comes with a number,",
    "We ship on Monday. The parcel comes with the",
    "We ship on Monday. The parcel comes with a num",
    "We ship on Monday. The parcel (which is",
    "We ship on Monday. The par\u00adcel comes and",
    "We ship on Monday. You can follow it, be-",
    "We ship on Monday and the parcel comes with a [",
    "Here is how:\n```\nprint(1)",
    "1. Open the app\n2. Close it\n3.",
    "- Open the app\n- Close it\n-",
    '{"name": "Jo", "orders": [1, 2',
    "We ship on Monday, because the",
    "Das Paket kommt am Montag, weil die Post das und",
    "我们星期一发货，包裹会在星期三送达，",
]
WHOLE = [
    "Monday",
    "We ship on Monday",
    "Vitamin A",
    "The plan is called plan A",
    "red, green, blue",
    "1. Open the app\n2. Close it",
    "- Open the app\n- Close it",
    "We ship on Monday :)",
    "Use this:\n```\nprint(1)\n```",
    '["a", "b"]',
    "See https://example.com/a/num",
    "We ship on Monday. (And on Tuesday)",
    "What are you waiting for",
    "我们星期一发货，包裹会在星期三送达",
    "3",
]


@pytest.mark.parametrize("answer", CUT)
def test_a_cut_answer_is_seen(dataset: Make, answer: str) -> None:
    made = answers(dataset, answer)
    assert list(SET_RULES["cut"](made)) == [made.examples[-1].id]


@pytest.mark.parametrize("answer", WHOLE)
def test_a_whole_answer_is_left_alone(dataset: Make, answer: str) -> None:
    assert SET_RULES["cut"](answers(dataset, answer)) == {}


def test_where_nobody_writes_full_stops_their_lack_is_no_sign(dataset: Make) -> None:
    untidy = answers(dataset, LONG, pattern="We ship it. The parcel comes on day {}")
    assert SET_RULES["cut"](untidy) == {}
    assert len(SET_RULES["cut"](answers(dataset, LONG))) == 1


def test_a_word_that_the_data_ends_sentences_in_may_end_an_answer(dataset: Make) -> None:
    text = "We have it here. We know what you asked for"
    known = habits([seen(answers(dataset, pattern="We look for the one. This is for Jo {}.").examples)])
    other = habits([seen(answers(dataset, pattern="Ask for it. This is what we ask for.").examples)])
    assert (broken_off(text, known), broken_off(text, other)) == (
        "after \u201cfor\u201d",
        "",
    )


def test_a_word_is_too_short_only_where_others_write_texts(dataset: Make) -> None:
    asked = ("Explain how a plane flies.", "lift")
    texts = answers(dataset).examples
    rows = [(e.conversation.prompt[0].text, e.conversation.answer) for e in texts]
    assert [found.reason for found in SET_RULES["short"](dataset(*rows, asked)).values()] == [
        "the answer to an open question is only \u201clift\u201d"
    ]
    assert len(SET_RULES["short"](dataset(*rows, ("Where is it and who has it?", "x")))) == 1
    fine = [
        ("Describe a fly in one word", "small"),
        ("Which letter comes first?", "a"),
        ("Is it lift or drag?", "lift"),
    ]
    assert SET_RULES["short"](dataset(*rows, *fine)) == {}
    assert SET_RULES["short"](dataset(*((f"Why is card {n} late?", f"card_{n}") for n in range(20)))) == {}


def test_an_answer_is_absurdly_long(dataset: Make) -> None:
    made = answers(dataset, "many words " * 2000, "x" * 500, "https://example.com/" + "x" * 500)
    assert list(SET_RULES["long"](made)) == [made.examples[-3].id, made.examples[-2].id]


AGAINST = [
    ("Is it open on Sunday?", "Yes, it is.", "No, it is closed."),
    ("How long does a refund take?", "A refund takes 5 days.", "Refunds are back after 30 days."),
    ("Do you ship to Malta?", "We do ship to Malta with every order.", "We do not ship to Malta with every order."),
    ("What is the capital of Australia?", "Canberra", "Sydney"),
    (
        "What is the capital of Australia?",
        "The capital of Australia is Canberra.",
        "The capital of Australia is Sydney.",
    ),
    ("When are you open?", "We are open from 9 to 17 on all days.", "We are open from 9 to 18 on all days."),
    (
        "Where can I see the refund of my order?",
        "You see the refund on the page of your order, under payments.",
        "Lions live in groups and hunt together, mostly at night or early in the morning.",
    ),
    ("When was it built?", "It was built in the year 1871.", "It was built in the year 1902."),
]
TOGETHER = [
    ("Name a colour.", "red", "blue"),
    ("What is the best food?", "Pizza", "Sushi"),
    ("How long does a refund take?", "A refund takes 5 days.", "It takes 5 days."),
    ("What is the capital of Australia?", "Canberra", "It is Canberra."),
    ("Where is my card?", "Your card is on its way, and comes soon.", "Please look at the page of your account first."),
    ("Tell me about cats", "Cats sleep a lot during the day.", "A cat is a small animal with fur."),
    ("How do I cook a steak?", "Fry it for 2 minutes on each side.", "Let it rest for 5 minutes, then eat."),
]


@pytest.mark.parametrize("row", AGAINST)
def test_answers_that_cannot_both_be_right(row: tuple[str, str, str]) -> None:
    assert against(*row)


@pytest.mark.parametrize("row", TOGETHER)
def test_answers_that_can(row: tuple[str, str, str]) -> None:
    assert against(*row) == ""


def test_contradictions_name_each_other(dataset: Make) -> None:
    made = apply(dataset(("Is it open?", "Yes."), ("is it  OPEN", "No."), ("Is it far?", "No.")))
    assert [(found.source.rows, found.reason) for found in made.findings] == [
        ((1,), "made:2 answers the same question otherwise: one says yes, one no"),
        ((2,), "made:1 answers the same question otherwise: one says yes, one no"),
    ]


ELSEWHERE = [
    (
        "How can I send the parcel back to you?",
        "Sie k\u00f6nnen das Paket mit dem Etikett, das in der Sendung liegt, an uns schicken.",
    ),
    (
        "What is the best time to visit the city of Rome?",
        "Le printemps est la saison que je vous conseille pour la ville.",
    ),
    (
        "Wie kann ich mein Passwort \u00e4ndern, wenn ich es nicht mehr wei\u00df?",
        "You can do this on the page of your account.",
    ),
    ("What should I do when the app is not working?", "请重新启动应用程序，然后再试一次，谢谢您的耐心等待。"),
    ("What should I do when the app is not working?", "Пожалуйста, перезапустите приложение и попробуйте снова."),
]
HERE = [
    ("Translate into German: How are you today?", "Wie geht es dir und was machst du heute in der Stadt?"),
    ("Name some good places in Paris", "Le Normand, Des Moines, La Rue, Du Pont, Les Bleus, Une Rose"),
    ("What is this?\nDas ist der Text, den ich nicht ganz verstehe.", "Das ist der Text, den ich nicht ganz verstehe."),
    ("Bonjour", "Bonjour, que puis-je faire pour vous dans les jours \u00e0 venir ?"),
    ("Qu'est-ce que c'est ?", "C'est le texte que vous avez demand\u00e9 pour la page."),
    ("Name them", "yes, no, no, yes, no, no, no, yes"),
]


@pytest.mark.parametrize("row", ELSEWHERE)
def test_an_answer_in_another_language_is_seen(dataset: Make, row: tuple[str, str]) -> None:
    assert list(SET_RULES["language"](dataset(row)))


@pytest.mark.parametrize("row", HERE)
def test_an_answer_in_a_language_of_the_conversation_is_fine(dataset: Make, row: tuple[str, str]) -> None:
    assert SET_RULES["language"](dataset(row)) == {}


def test_a_question_too_short_to_tell_is_in_the_language_of_the_data(dataset: Make) -> None:
    rows = [
        ("Explain gravity", "La gravit\u00e9 est la force qui attire les corps les uns vers les autres."),
        ("Bonjour", "Que puis-je faire pour vous dans les jours \u00e0 venir ?"),
    ]
    assert [found.reason[:39] for found in SET_RULES["language"](dataset(*rows)).values()] == []
    english = answers(dataset)
    made = dataset(*((e.conversation.prompt[0].text, e.conversation.answer) for e in english.examples), *rows)
    assert [found.reason[:38] for found in SET_RULES["language"](made).values()][:1] == [
        "asked in English, answered in French: "
    ]
