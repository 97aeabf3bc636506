"""Answers that go round in circles: words, runs of words, sentences or lines again and again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from tutelage.data.exchange import Exchange, exchanges, flag, is_unspaced, quote, sentences, without_code, words
from tutelage.records import Example, Finding

GRAM = 3
"""A circle is looked for by runs of so many words (or characters, where words have no blanks)."""
COPIES, COPIED = 3, 15
"""A run of words that stands so often without a break, so many words in all, is a circle."""
STUTTER = 6
"""A single word has to stand so often with nothing but blanks and points between."""
TWICE = 16
"""A whole answer that stands twice has at least so many words."""
TRIED = 3
"""So many circles are looked for in the question."""
SHARE = 0.5
"""Sentences said before make up this much of the text."""
_SAME_CHARACTER = re.compile(r"([^\W\d_])\1{19}")
_STUTTER = re.compile(rf"\b(\w{{1,40}})(?:[ .!?]{{1,3}}\1\b){{{STUTTER - 1}}}", re.IGNORECASE)
_WANTED = re.compile(
    r"\b(?:repeat(?:ed|ing|s|edly)?|(?:\d+|two|three|four|five|ten|several|many) times|(?:write|compose|sing)"
    r" .{0,30}song|lyrics|poems?|chorus|chant|rhymes?|haiku|mantra|sequence|pattern|binary|stutter\w*"
    r"|tongue twister|ascii|palindromes?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Circle:
    """A run of `period` units that stands `copies` times in a row from `start` on."""

    start: int
    period: int
    copies: int


def circles(units: Sequence[str]) -> Iterator[Circle]:
    """Stretches in which the same run of units follows itself: first those that end the text, then the longest within.

    The number of steps grows with the number of units, whatever they are.
    """
    size = len(units)
    for period, more in enumerate(_matches(units[::-1])):
        if more >= period > 0:
            copies = (period + more) // period
            yield Circle(size - copies * period, period, copies)
    found = _within(units)
    if found:
        yield found


def _matches(units: Sequence[str]) -> list[int]:
    """For each place, how many units from there on equal those from the start on (the Z function)."""
    found = [0] * len(units)
    left = right = 0
    for place in range(1, len(units)):
        same = min(right - place, found[place - left]) if place < right else 0
        while place + same < len(units) and units[same] == units[place + same]:
            same += 1
        found[place] = same
        if place + same > right:
            left, right = place, place + same
    return found


def _within(units: Sequence[str]) -> Circle | None:
    """One pass: a run of GRAM units that was last met `period` units ago, for many places on end, is a circle."""
    last: dict[tuple[str, ...], int] = {}
    best, stretch, period = (0, 0, 0), 0, 0
    for place, each in enumerate(zip(*(units[shift:] for shift in range(GRAM)), strict=False)):
        distance = place - last.get(each, place)
        stretch = stretch + 1 if distance and distance == period else int(bool(distance))
        period = distance
        last[each] = place
        best = max(best, (stretch, period, place))
    stretch, period, end = best
    if not stretch:
        return None
    return Circle(end - stretch + 1 - period, period, (stretch + GRAM - 1) // period + 1)


def loop(example: Example) -> Finding | None:
    """The answer goes round in circles."""
    for exchange in exchanges(example):
        if reason := _reason(exchange):
            return flag(example, "loop", f"the answer{exchange.place} goes round in circles: {reason}")
    return None


def _reason(exchange: Exchange) -> str:
    answer = without_code(exchange.answer)
    if len(answer) < 20:
        return ""
    wanted = bool(_WANTED.search(exchange.question))
    if not wanted and (hit := _SAME_CHARACTER.search(answer)):
        return f"the character {hit[1]} stands more than 20 times"
    stutter = None if wanted else _STUTTER.search(answer)
    if stutter and not _is_number(stutter[1]) and stutter[0] not in exchange.question:
        return f"the word {quote(stutter[1])} stands {STUTTER} times or more in a row"
    unspaced = is_unspaced(answer)
    units: Sequence[str] = "".join(filter(str.isalnum, answer)) if unspaced else words(answer)
    runs = list(zip(*(units[shift:] for shift in range(GRAM)), strict=False))
    if len(runs) - len(set(runs)) < COPIED - 2 * GRAM:
        return "" if wanted else _again(answer, exchange.question)
    likely = (found for found in circles(units) if _is_loop(found, units, unspaced, wanted))
    for found in islice(likely, TRIED):
        if not _was_given(exchange, units, found):
            run = ("" if unspaced else " ").join(units[found.start : found.start + found.period])
            return f"{quote(run)} stands {found.copies} times in a row"
    return "" if wanted else _again(answer, exchange.question)


def _is_number(word: str) -> bool:
    return len(word) == 1 or word.isdigit()


def _is_loop(found: Circle, units: Sequence[str], unspaced: bool, wanted: bool) -> bool:
    looped = found.period * found.copies
    if wanted and (found.copies < 2 * STUTTER or found.period <= 2):
        return False
    if found.copies == 2:
        return found.period >= TWICE and looped >= 0.8 * len(units)
    numbers = not unspaced and all(map(_is_number, units[found.start : found.start + min(found.period, COPIED)]))
    if found.period <= 2 and not unspaced:  # single words are told from lists of labels by what stands between them
        return found.period == 2 and found.copies >= 2 * STUTTER and not numbers
    return found.copies >= COPIES and looped >= COPIED and not numbers


def _was_given(exchange: Exchange, units: Sequence[str], found: Circle) -> bool:
    """Whether the question itself goes round in this circle: data to work on, not a fault of the answer."""
    two = " ".join(units[found.start : found.start + 2 * found.period])
    return two in " ".join(words(exchange.question))


def _again(answer: str, question: str) -> str:
    """Sentences and lines that were said before, next to each other or not."""
    said = [(" ".join(words(each)), len(each)) for each in sentences(answer)]
    long = [(text, size) for text, size in said if text.count(" ") >= 2 or (is_unspaced(text) and size >= 6)]
    if len(long) < COPIES:
        return ""
    counts = Counter(text for text, _ in long)
    text, count = counts.most_common(1)[0]
    repeated = sum(size for _, size in long) - sum(dict(long).values())
    if count >= COPIES and repeated > SHARE * sum(size for _, size in said) and text not in " ".join(words(question)):
        return f"{quote(text)} stands {count} times"
    return ""
