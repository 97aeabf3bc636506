"""Answers to the same question that cannot both be right: a whole-set rule, whose finds name each other."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

from tutelage.data.duplicates import normal
from tutelage.data.exchange import flag, quote, word_set, words
from tutelage.records import Dataset, Example, Finding

MOST = 12
"""So many different answers to one question are compared with each other."""
SHORT = 6
"""Words in an answer that is just a fact."""
ROUGHLY = 0.3
"""Share of words in common from which on an amount in both is the same thing's."""
ALIKE = 0.6
"""Share of words in common from which on two answers are the same one but for a detail."""
_OPEN = re.compile(
    r"^\W*(?:please |can you |could you )*(?:write|name|list|give|tell|suggest|generate|create|think of|come up|make"
    r"|describe|invent"
    r"|compose|provide|recommend|brainstorm|share|imagine|say|pick|choose|ask|mention|what (?:are|is) (?:some|a|an"
    r"|your)\b"
    r"|what(?:'s| is) your|where should|what should|how (?:are|do) you|do you|who do you|hi\b|hello\b|hey\b|thank|what"
    r" would)",
    re.IGNORECASE,
)
_HOW_MANY = re.compile(
    r"\bhow (?:many|much|long|old|often|far|tall|big|high|fast|heavy)\b|\bwhat year\b|\bwhen\b", re.IGNORECASE
)
_MATTER_OF_TASTE = re.compile(
    r"\b(?:best|greatest|favou?rite|why|should|opinion|think|better|worst|most (?:beautiful|important|interesting)"
    r"|ways? to"
    r"|example|some|any|one of|reason|random|fun|idea|suggest\w*|recommend\w*|might)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.,])\$?\d[\d,]*(?:\.\d+)?(?:\s?%|\s(?=(\w{3,})))?")
_NAME = re.compile(r"(?<=[\w,] )([A-Z]\w+)")
_NO = word_set("no not never cannot can't don't doesn't isn't aren't won't didn't wasn't without nein nicht kein keine")
_YES = word_set("yes yeah yep true correct right ja oui s\u00ed si")
_DENIES = word_set("no nope false incorrect wrong nein non")
_SMALL = word_set("a an the of to in is it and or for on at by are was were be this that with as")


def contradiction(dataset: Dataset) -> dict[str, Finding]:
    """Examples whose answers to one and the same conversation cannot both be right, by id."""
    same: dict[tuple[str, ...], list[Example]] = defaultdict(list)
    for example in dataset.examples:
        if example.conversation.turns[-1].is_trained:
            same[_asked(example)].append(example)
    found: dict[str, Finding] = {}
    for group in same.values():
        if len(group) > 1:
            found.update(_compared(group))
    return found


def _asked(example: Example) -> tuple[str, ...]:
    """The turns before the last answer, without what does not change a question: case, white space, its last sign."""
    return tuple(f"{turn.role} {normal(turn.text).rstrip(' .?!:')}" for turn in example.conversation.prompt)


def _compared(group: Sequence[Example]) -> dict[str, Finding]:
    question = group[0].conversation.prompt[-1].text
    different: dict[str, Example] = {}
    for example in group:
        different.setdefault(" ".join(words(example.conversation.answer)), example)
    found: dict[str, Finding] = {}
    for one, other in combinations(list(different.values())[:MOST], 2):
        if how := against(question, one.conversation.answer, other.conversation.answer):
            for each, twin in ((one, other), (other, one)):
                found.setdefault(
                    each.id, flag(each, "contradiction", f"{twin.source} answers the same question otherwise: {how}")
                )
    return found


def against(question: str, one: str, other: str) -> str:
    """How two answers to a question contradict each other, in words for a person; "" where they need not."""
    a, b = words(one), words(other)
    if not a or not b:
        return ""
    sides = {_side(a), _side(b)}
    if sides == {"yes", "no"}:
        return "one says yes, one no"
    common = len(set(a) & set(b)) / len(set(a) | set(b))
    shown = f"{quote(one)} against {quote(other)}"
    if common >= ALIKE and max(len(a), len(b)) > SHORT:
        if bool(_NO & set(a)) != bool(_NO & set(b)) and len(set(a) ^ set(b)) <= SHORT:
            return f"one denies what the other says: {shown}"
        if (first := _numbers(one)) and (second := _numbers(other)) and first - second and second - first:
            return f"other numbers: {shown}"
    if (common >= ROUGHLY or _HOW_MANY.search(question)) and (differing := _differing_amounts(one, other)):
        return f"other numbers: {differing}"
    if _OPEN.match(question) or _MATTER_OF_TASTE.search(question):
        return ""
    if _is_elsewhere(question, a, b):
        return f"only one of them is about what was asked: {shown}"
    if max(len(a), len(b)) <= SHORT:
        both = set(a) & set(b)
        first, second = set(a) - both - _SMALL, set(b) - both - _SMALL
        if both - _SMALL - set(words(question)):
            return ""
    elif common >= ALIKE:
        first, second = _names(one, question), _names(other, question)
    else:
        return ""
    return shown if first and second and not first & second else ""


def _names(text: str, question: str) -> set[str]:
    """What is written with a capital inside a sentence, and does not stand in the question: the fact that is told."""
    inside = {hit[1].casefold() for hit in _NAME.finditer(text)}
    return inside - set(words(question))


def _is_elsewhere(question: str, a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether one answer takes up words of the question and the other has none of them, nor of the first."""
    asked, first, second = ({word for word in set(each) - _SMALL if len(word) > 3} for each in (words(question), a, b))
    fewer, more = sorted((len(asked & first), len(asked & second)))
    return not fewer and more >= 2 and not first & second and min(len(first), len(second)) >= SHORT


def _side(said: tuple[str, ...]) -> str:
    return "yes" if said[0] in _YES else "no" if said[0] in _DENIES else ""


def _numbers(text: str) -> set[str]:
    return {hit[0].strip().replace(",", "") for hit in _NUMBER.finditer(text)}


def _differing_amounts(one: str, other: str) -> str:
    """The same thing counted differently: each answer has one number before a word, and the numbers differ."""
    amounts = []
    for text in (one, other):
        by_unit: dict[str, set[str]] = defaultdict(set)
        for hit in _NUMBER.finditer(text):
            if hit[1]:
                by_unit[hit[1].casefold()].add(hit[0].strip().replace(",", ""))
        amounts.append(by_unit)
    for name, count in amounts[0].items():
        against_it = amounts[1].get(name, set())
        if len(count) == len(against_it) == 1 and count != against_it:
            return f"\u201c{min(count)} {name}\u201d against \u201c{min(against_it)} {name}\u201d"
    return ""
