"""The set phrases of models in answers, and people's sentences that look like them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutelage.data.boilerplate import boilerplate, set_phrase
from tutelage.records import Dataset

Make = Callable[..., Dataset]

SELF = [
    "Speaking as an AI language model, it is hard to say.",
    "I\u2019m just a chatbot, but here goes.",
    "Being a language model, I have no way of tasting it.",
    "As a helpful assistant, I must tell you that the sky is blue.",
    "I don't have personal experiences or emotions, but many enjoy it.",
    "I was trained by OpenAI to help.",
    "Als gro\u00dfes Sprachmodell kann ich nicht reisen.",
    "Soy una inteligencia artificial y no tengo cuerpo.",
    "En tant qu'assistant virtuel, je ne peux pas voyager.",
    "Как языковая модель, я не имею мнения.",
    "作为一个人工智能，我没有感情。",
    "AIとして、私は意見を持っていません。",
]
CUT_OFF = [
    "As of my last update in 2023, it was Joe Biden.",
    "My training data only goes up to April 2023.",
    "I don't have access to real-time information, but it is mostly sunny.",
    "I only have information up until 2021.",
    "Mein Wissen reicht nur bis 2021.",
]
REFUSAL = [
    "I'm sorry, but I can't help with that.",
    "I apologize, but I cannot provide that information.",
    "I must decline to answer this question.",
    "I am unable to assist with your request at this time.",
    "That would go against OpenAI's content policy.",
    "Lo siento, pero no puedo ayudarte con eso.",
    "К сожалению, я не могу помочь с этим.",
    "申し訳ありませんが、そのご質問にはお答えできません。",
]
PEOPLE = [
    "Ask an AI researcher, as an AI company would.",
    "A language model predicts the next word.",
    "I can't help falling in love with you.",
    "I am sorry, I cannot find that order; could you send me its number?",
    "The data was cut off after the storm.",
    "As a student, I learned a lot; as a teacher, more.",
    "Our policy prevents refunds after thirty days.",
    "He was trained by the best, and so was I.",
    "Als Kind war ich oft dort.",
    "Como una familia, somos felices.",
]


@pytest.mark.parametrize("answer", SELF + CUT_OFF + REFUSAL)
def test_a_set_phrase_is_found(dataset: Make, answer: str) -> None:
    assert boilerplate(dataset(("Tell me about Rome", answer)).examples[0])


@pytest.mark.parametrize("answer", PEOPLE)
def test_people_may_speak_like_that(answer: str) -> None:
    assert set_phrase(answer) == ""


def test_a_phrase_in_the_middle_of_a_long_answer_is_found() -> None:
    rest = "Rome is the capital of Italy and lies on the Tiber. " * 40
    assert set_phrase(f"{rest}My knowledge cutoff is 2021. {rest}") == "knowledge cutoff"


@pytest.mark.parametrize(
    "question", ["Who are you?", "Are you an AI?", "Do you have feelings?", "Wer bist du?", "你是谁？"]
)
def test_who_asks_after_the_assistant_may_be_told(dataset: Make, question: str) -> None:
    assert not boilerplate(dataset((question, "I am an AI assistant.")).examples[0])


def test_a_question_about_machines_excuses_the_word_but_not_the_phrase(dataset: Make) -> None:
    asked = "What can a chatbot do for a shop?"
    assert not boilerplate(dataset((asked, "It says: I am a chatbot, how can I help?")).examples[0])
    assert boilerplate(dataset((asked, "As an AI language model, I cannot run a shop.")).examples[0])


def test_can_you_is_no_question_about_the_assistant(dataset: Make) -> None:
    assert boilerplate(dataset(("Can you tell me about Rome?", "As an AI, I have never been there.")).examples[0])
