"""Questions that speak of something which is not there, and those that hold it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutelage.data.lacking import missing_input, speaks_of_more
from tutelage.records import Conversation, Dataset, Example, Role, Source, Turn

Make = Callable[..., Dataset]

NOTHING_THERE = [
    "Summarize the text below in two sentences.",
    "Sort these numbers from smallest to largest.",
    "Which of the items in the table costs the most?",
    "Fix the bug in the following code.",
    "Proofread this for me.",
    "Here is my letter, tell me what you think.",
    "Which of these is the cheapest?",
    "Turn the bullet points into a paragraph.",
    "Is the statement true or false?",
    "Reorder the steps below.",
    "Reply to this message politely.",
    "Summarize the following:",
    "Translate to French:\n\n",
    "Summarize the text.\n\nText:",
    "Classify the review.\nReview: \nSentiment:",
    "Rewrite it politely.\nInput: <noinput>",
    "Summarize this article.\n\n[Insert article here]",
    "Fasse den folgenden Text zusammen.",
    "R\u00e9sume le texte suivant.",
    "Traduce esta frase al ingl\u00e9s.",
    "把下面的句子翻译成英文。",
    "次の文章を要約してください。",
]
TAKEN_AWAY = [
    "Based on this paragraph, what was the name of the painter's mother?",
    "Given a reference text about Oslo, tell me how many people live there and when it was founded.",
    "Extract the names of all rivers mentioned in the text. Separate them with a comma.",
    "From the passage provided, list the awards. Show the results as a bulleted list.",
    "What is the author's main point?",
    "How many people came, according to the article?",
    "What did she say to him?",
    "Who was fighting in this battle?",
]
HELD = [
    "Summarize the following text:\n\nDogs bark at night.",
    "Translate the following sentence: 'I am here'",
    "Which of the following is odd? Red, blue, cat",
    "Sort these numbers: 4, 2, 9",
    "Classify the following into animals and plants: dog, rose, cat",
    "Given this paragraph about Oslo, when was it founded?\n\nOslo was founded in 1040.",
    "Answer the following question.\n\nWhen did people land on the moon?",
    "Let's solve the following problem. Each rabbit has four feet and each duck has two; there are eight feet in all.",
    'Is the following a fact?\n"Yellow pages hold addresses."',
    "How do I find this article of clothing in my size?",
    "What is a list of numbers?",
    "Who was Ada Lovelace and what is she known for?",
    "What could I give my sister on her birthday?",
    "Write a story about a passage under a house.",
    "What is the purpose of a table of contents?",
    "Describe the governing arrangements provided by the Articles of Confederation.",
    "How do I close my account and get out of this company?",
]


@pytest.mark.parametrize("question", NOTHING_THERE + TAKEN_AWAY)
def test_what_a_question_speaks_of_is_missed(question: str) -> None:
    assert speaks_of_more(question)


@pytest.mark.parametrize("question", HELD)
def test_a_question_that_holds_it_or_needs_nothing_is_left_alone(question: str) -> None:
    assert not speaks_of_more(question)


def test_the_same_question_with_its_text_is_left_alone(dataset: Make) -> None:
    text = "The painter was born in Bergen, a town on the coast, where her mother Anna kept a shop for forty years."
    bare = [dataset((question, "Anna")).examples[0] for question in TAKEN_AWAY[:6]]
    whole = [dataset((f"{question}\n\n{text}", "Anna")).examples[0] for question in TAKEN_AWAY[:6]]
    assert ([bool(missing_input(each)) for each in bare], [missing_input(each) for each in whole]) == (
        [True] * 6,
        [None] * 6,
    )


def test_an_answer_that_asks_for_the_text_tells_too(dataset: Make) -> None:
    asked = "Analyze the code and find what is slow."
    assert missing_input(dataset((asked, "Could you please paste the code that you mean?")).examples[0])
    assert not missing_input(dataset(("Find me a hotel.", "Could you please share your dates?")).examples[0])


def test_a_system_turn_may_hold_the_text() -> None:
    talk = (Turn(Role.USER, "Summarize the text below."), Turn(Role.ASSISTANT, "Dogs bark."))
    rules, text = Turn(Role.SYSTEM, "Be brief."), Turn(Role.SYSTEM, "Dogs bark at night and sleep by day. " * 5)
    assert [
        bool(missing_input(Example("1", Conversation((each, *talk)), Source("f", (1,))))) for each in (rules, text)
    ] == [
        True,
        False,
    ]
