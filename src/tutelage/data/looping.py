"""Answers that go round in circles: characters, words, runs of words, items of lists, sentences again and again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import eq

from tutelage.data.exchange import SHOWN, Exchange, exchanges, flag, is_unspaced, quote, sentences, without_code, words
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
AGAIN = 0.15
"""Where half of a text was said before, at least this share of its runs of words was."""
REPEATED = 6
"""A text with fewer runs of GRAM words that were there before has no circle: most texts are done with here."""
ITEMS, ITEM_COPIES = 5, 3
"""A list has so many items; one that stands so often in it is a circle."""
_SAME_CHARACTER = re.compile(
    r"([^\W\d_])\1{11}|([0-9])\2{24}|([!?,;:&%$@^\u2026\u3002\uff01]|[\U0001f300-\U0001faff])\3{9}"
    r"|\w([.\-=*~#+])\4{19}"
)
_SAME_END = re.compile(r"([^\w\s`|_])\1{11}\Z")
_SAME_FEW = re.compile(r"(\S{2,6}?)\1{7}")
LONG_WORD = 10
"""Characters that follow each other without a blank, from which on they may be the same again and again."""
_STUTTER = re.compile(rf"\b(\w{{1,40}})(?:[ .!?\n]{{1,3}}\1\b){{{STUTTER - 1}}}", re.IGNORECASE)
_ITEM = re.compile(r"\s{0,12}(?:[-*\u2022\u2013+>#]{1,3}|\(?[0-9]{1,4}[.):]|\(?[a-z][.)]|[ivx]{1,5}[.)])?\s{0,4}(.*)")
_NUMERAL = frozenset(
    [
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
        "i",
        "ii",
        "iii",
        "iv",
        "v",
        "vi",
        "vii",
        "viii",
        "ix",
        "x",
    ]
)
_LABELS = re.compile(
    r"\b(?:classif\w*|categor\w*|label\w*|tag|identify which|which of|sort|rank|rate|mark|sentiment|true or false|grade"
    r"|annotate"
    r"|assign|match|yes or no|table|csv|schedule|calendar|timetable|score\w*|count|numbers?|rows?|roll|dice|coin|flip"
    r"|simulate)\b",
    re.IGNORECASE,
)
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
    pieces = _without_numbers(answer.lower()).split()
    if found := _characters(pieces, exchange.question):
        return found
    if (
        (end := _SAME_END.search(answer.rstrip()[-SHOWN:]))
        and len(pieces) > 1
        and not _WANTED.search(exchange.question)
    ):
        return f"{quote(end[0])} ends it"
    wanted: bool | None = None
    in_a_row = sum(map(eq, pieces, pieces[1:]))
    if in_a_row >= STUTTER - 1:
        wanted = bool(_WANTED.search(exchange.question))
        stutter = None if wanted else _STUTTER.search(answer)
        is_word = stutter and (not _is_number(stutter[1]) or (in_a_row >= 2 * STUTTER and not stutter[1].isdigit()))
        if stutter and is_word and stutter[0] not in exchange.question:
            return f"the word {quote(stutter[1])} stands {STUTTER} times or more in a row"
    if found := _items(answer, exchange.question):
        return found
    repeated = len(pieces) - (GRAM - 1) - len(set(zip(*(pieces[shift:] for shift in range(GRAM)), strict=False)))
    unspaced = is_unspaced(answer)
    again = repeated >= max(2, AGAIN * len(pieces))
    if not (again or repeated >= REPEATED or unspaced):
        return ""
    wanted = bool(_WANTED.search(exchange.question)) if wanted is None else wanted
    found = _circling(exchange, answer, unspaced, wanted)
    return found or ("" if wanted or not (again or unspaced) else _again(answer, exchange.question))


def _without_numbers(text: str) -> str:
    """Every digit as 0: nine passes of C are ten times as fast as a table or a pattern."""
    for digit in "123456789":
        text = text.replace(digit, "0")
    return text


def _circling(exchange: Exchange, answer: str, unspaced: bool, wanted: bool) -> str:
    """A run of words (or characters) that follows itself, as it stands or but for the numbers in it."""
    units: Sequence[str] = "".join(filter(str.isalnum, answer)) if unspaced else words(answer)
    plain = units if unspaced else ["0" if each[0].isdigit() or each in _NUMERAL else each for each in units]
    if _longest_echo(plain) < COPIED - 2 * GRAM:
        return ""
    for said in (units,) if unspaced else (units, plain):
        likely = (found for found in circles(said) if _is_loop(found, said, unspaced, wanted))
        for found in islice(likely, TRIED):
            run = said[found.start : found.start + found.period]
            if said is plain and not (_is_but_for_numbers(run, found.copies) and not _LABELS.search(exchange.question)):
                continue
            if not _was_given(exchange, said, found):
                shown = ("" if unspaced else " ").join(units[found.start : found.start + found.period])
                return f"{quote(shown)} stands {found.copies} times in a row" + (
                    " but for numbers" if said is plain else ""
                )
    return ""


def _longest_echo(units: Sequence[str]) -> int:
    """The most runs of GRAM units on end that were all there before: what every circle has many of."""
    seen: set[tuple[str, ...]] = set()
    longest = now = 0
    for each in zip(*(units[shift:] for shift in range(GRAM)), strict=False):
        now = now + 1 if each in seen else 0
        seen.add(each)
        longest = now if now > longest else longest
    return longest


def _is_but_for_numbers(run: Sequence[str], copies: int) -> bool:
    """Whether enough is said between the numbers: a list of dates or of seasons may differ in nothing else."""
    said = sum(word != "0" for word in run)
    return said >= 4 or (said >= 2 and copies >= 5) or (said == 1 and copies >= 3 * STUTTER)


def _characters(pieces: Sequence[str], question: str) -> str:
    """One character, or a few, again and again."""
    for piece in pieces:
        if (
            len(piece) >= LONG_WORD
            and len(set(piece)) <= len(piece) - LONG_WORD + 1
            and (hit := _SAME_CHARACTER.search(piece) or _few(piece))
        ):
            return (
                "" if _WANTED.search(question) or piece in question.lower() else f"{quote(hit[0][:20])} goes on and on"
            )
    return ""


def _few(piece: str) -> re.Match[str] | None:
    hit = _SAME_FEW.search(piece)
    return hit if hit and any(map(str.isalpha, hit[1])) else None


def _items(answer: str, question: str) -> str:
    """Items of a list that stand in it again and again, whatever number is before them."""
    lines = answer.split("\n")
    if len(lines) >= ITEMS:
        listed = [
            found[1].casefold().rstrip(" .,;!") for line in lines if line.strip() and (found := _ITEM.match(line))
        ]
    elif answer.count(",") >= 2 * ITEMS:
        listed = [item.strip().casefold() for item in answer.rstrip(". ").split(",")]
    else:
        return ""
    least = ITEM_COPIES if len(lines) >= ITEMS else 2 * ITEM_COPIES
    if len(listed) < ITEMS or len(listed) - len(set(listed)) < least - 1:
        return ""
    counts = Counter(item for item in listed if len(item) > 2 and not item.isdigit())
    item, count = counts.most_common(1)[0] if counts else ("", 0)
    again = sum(number - 1 for number in counts.values())
    in_a_row = item != "" and any([item] * 4 == listed[place : place + 4] for place in range(len(listed) - 3))
    if not (in_a_row or (count >= least and 2 * again >= len(listed))):
        return ""
    if _WANTED.search(question) or _LABELS.search(question):
        return ""
    return (
        ""
        if item in question.casefold() and again < 4 * ITEM_COPIES
        else f"the item {quote(item)} stands {count} times"
    )


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
    return found.copies >= (2 * STUTTER if numbers else COPIES) and looped >= COPIED


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
