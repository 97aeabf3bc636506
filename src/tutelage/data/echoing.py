"""Answers that only say the question again."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher

from tutelage.data.exchange import Exchange, exchanges, flag, quote, word_set, words
from tutelage.records import Example, Finding

SHORTEST = 4
"""An answer equal to a shorter question is no echo: "hello" answers "hello"."""
ALIKE = 0.8
"""Share of the question's words that come again in order."""
ADDED = 6
"""Words that a preamble and small changes may add."""
LONGEST = 400
"""Longer questions are compared by their first so many words."""
_SAY_AGAIN = re.compile(r"\b(?:repeat|copy|echo|say|translate|quote)\b", re.IGNORECASE)
_MEND = re.compile(
    r"\b(?:re-?write|reword|rephrase|paraphras\w*|correct|fix|edit|proofread|format|capitali[sz]e|(?:lower|upper)"
    r" ?case|insert"
    r"|spell\w*|punctuat\w*|grammar|typos?|remove|replace|convert)\b",
    re.IGNORECASE,
)
_ASKING = word_set(
    "what what's who whom whose which when where why how is are was were do does did can could should would will has"
    " have"
    " was wer wo wann warum wie welche welcher kann quel quelle qui que comment pourquoi qu\u00e9 qui\u00e9n c\u00f3mo"
)


def echo(example: Example) -> Finding | None:
    """The answer only says the question again, perhaps after a preamble or slightly reworded."""
    for exchange in exchanges(example):
        if how := _echoes(exchange):
            return flag(example, "echo", f"the answer{exchange.place} {how}: {quote(exchange.answer)}")
    return None


def _echoes(exchange: Exchange) -> str:
    answer = words(exchange.answer[: 12 * LONGEST])[:LONGEST]
    for question in _askings(exchange.question):
        asked = words(question[: 12 * LONGEST])[:LONGEST]
        shortest = 2 if question.rstrip().endswith("?") and exchange.only else SHORTEST + (not exchange.only)
        if len(asked) < shortest or not answer:
            continue
        if answer == asked:
            return "is the question again"
        if len(answer) > 1.25 * len(asked) + ADDED or _SAY_AGAIN.search(question):
            continue
        if answer[-len(asked) :] == asked and (asked[0] in _ASKING or len(asked) >= ADDED):
            return "ends with the question again, and says no more"
        if (
            len(asked) >= SHORTEST
            and not _MEND.search(question)
            and _is_reworded(asked, answer, question, exchange.answer)
        ):
            return "says the question again and no more"
    return ""


def _askings(question: str) -> list[str]:
    """The whole question, and its first paragraph where it has several: data may stand in the others."""
    parts = [part for part in re.split(r"\n\s*\n", question.strip()) if part.strip()]
    return [question] if len(parts) < 2 else [question, parts[0]]


def _is_reworded(asked: tuple[str, ...], answer: tuple[str, ...], question: str, text: str) -> bool:
    if sum((Counter(asked) & Counter(answer)).values()) < ALIKE * len(asked):
        return False
    blocks = [block for block in SequenceMatcher(None, asked, answer, False).get_matching_blocks() if block.size]
    common = sum(block.size for block in blocks)
    if common < ALIKE * len(asked):
        return False
    first, last = blocks[0], blocks[-1]
    from_its_start = first.a == 0 and (first.b == 0 or first.size >= 2)
    goes_on = len(answer) > last.b + last.size  # then the question was a sentence to go on with
    if "?" in question and text.rstrip().endswith("?"):
        return from_its_start or answer[0] in _ASKING
    if "?" in question or asked[0] in _ASKING:
        return common == len(asked) > SHORTEST and len(blocks) == 1 and not goes_on
    return from_its_start and not goes_on
