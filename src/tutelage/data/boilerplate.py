"""Answers in a model's set phrases: what it is, what it knows until when, and how it refuses."""

from __future__ import annotations

import re

from tutelage.data.exchange import exchanges, flag, quote
from tutelage.data.setphrases import ENGLISH, OTHERS
from tutelage.records import Example, Finding

_ABOUT_IT = re.compile(
    r"\bwho (?:are|made|created|built|trained|developed|designed|owns) you\b|\bwhat are you\b|\bare you (?:an?\b"
    r"|human|real|alive"
    r"|sentient|conscious|able|chatgpt|based|connected|open ?ai|made|trained|self)"
    r"|\byour (?:name|creators?|developers?|makers?|purpose|training|version|model|abilities|capabilities"
    r"|limitations|knowledge"
    r"|programming|owner|source code|architecture)\b|\byourself\b|\bwhat can you do\b|\bcan you (?:feel|think|see"
    r"|hear|browse|remember"
    r"|learn|dream|access|love|experience)\b|\bdo you (?:have (?:feelings|emotions|a (?:name|body|soul)"
    r"|consciousness|access|opinions"
    r"|any)|feel|dream|sleep|eat|get tired|remember|exist|know who)\b"
    r"|\bwer bist du|\bwer sind sie\b|\bwie hei(?:ß|ss)t du|\bbist du\b|\bqui (?:es-tu|[eê]tes-vous)|\bes-tu\b"
    r"|\bqui[eé]n eres|\bquem [eé] você"
    r"|\bchi sei\b|\beres (?:un|una)\b|кто ты|ты кто|你(?:是|叫|的(?:名|开发|身份|创|作|设计|背景)|自己|能|可以"
    r"|好|有自己)|您(?:是|叫|的|好)"
    r"|谁[^，。]{0,6}你|あなたは|당신은",
)
_ABOUT_MACHINES = re.compile(
    r"\b(?:ai|a\.i\.|artificial|robots?|chat ?-?bots?|bots?|gpt\S*|chatgpt|llms?|language models?|siri|alexa|openai"
    r"|ki|ia|assistants?"
    r"|neural networks?|machine learning|deep learning|turing)\b|人工智能|语言模型"
)
_FIRST_PERSON = re.compile(
    r"\b(?:as|being) (?:just |only |merely )?an? (?:\w+ )?(?:ai|artificial intelligence|(?:large |ai )?language"
    r" model)\b[^.\n]{0,40}?\b(?:i|my|i'm)\b"
)
_ENGLISH_WORDS = (" the ", " of ", " and ", " is ")
"""In a text with one of them no other language is looked for."""


def boilerplate(example: Example) -> Finding | None:
    """The answer speaks of itself as some language model, or refuses in its set phrases."""
    for exchange in exchanges(example):
        if (hit := set_phrase(exchange.answer)) and not _is_asked_for(exchange.question, hit, exchange.answer):
            return flag(example, "boilerplate", f"assistant boilerplate{exchange.place}: {quote(hit)}")
    return None


def set_phrase(answer: str) -> str:
    """The first set phrase of a model that is found in an answer; "" where there is none."""
    text = answer.lower().replace("\u2019", "'")
    is_english = any(word in text for word in _ENGLISH_WORDS)
    for sign, pattern in ENGLISH if is_english else (*ENGLISH, *OTHERS):
        if sign in text and (hit := pattern.search(text)):
            return hit[0]
    return ""


def _is_asked_for(question: str, hit: str, answer: str) -> bool:
    """Whether the question is about the assistant itself, or about such machines (then only "as an AI, I" is one)."""
    asked = question.lower().replace("\u2019", "'")
    if _ABOUT_IT.search(asked):
        return True
    return bool(_ABOUT_MACHINES.search(asked)) and not _FIRST_PERSON.search(answer.lower().replace("\u2019", "'"))
