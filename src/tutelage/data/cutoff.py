"""Answers that stop in mid-sentence. A missing full stop alone is no sign: many people write none."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tutelage.data.exchange import Exchange, exchanges, flag, is_unspaced, sentences, without_code, word_set, words
from tutelage.data.usual import Usual
from tutelage.records import Example, Finding

FEWEST = 5
"""An answer of fewer words is a label, a name or a number: it may end in anything."""
HARDLY = 0.015
"""A word hardly ever ends a sentence where at most this share of its places in the data are ends of sentences."""
OFTEN = 0.1
"""A word may end an answer in any case where more than this share of its places are ends of sentences."""
CLAUSE = 10
"""A clause of more words may be a whole sentence without its comma."""
RUNNING = 5
"""Words that a last sentence without an end has at least where it looks cut between two ordinary words."""
SELDOM = ((0.97, 1.0), (0.9, 0.06), (0.0, 0.045))
"""Where so many of the longer answers end with punctuation, a word without it is a sign that stands at the end of at
most this share of its places: where many people leave the full stop out, hardly any word is."""
ASKING = 300
"""Characters of a question in which a number of items may be asked for."""
RARE, OFTENER = 4, 60
"""A word met up to so many times may be the half of another that is met so many times as often."""
LOOKED_THROUGH = 300
"""Words with the same beginning that are looked through for it."""
ENOUGH = 50
"""So many longer answers are needed to know the habit of a data set."""
_ENDS = ".!?:;)]}>\"'`*_|~\u2026\u3002\uff01\uff1f\u201d\u2019\u00bb\uff09\u300d\u300f\u3011"
_ITEM = re.compile(r"^\s*(?:[-*\u2022\u2013]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s*$")
_ITEM_BEGINS = re.compile(r"\s{0,8}(?:[-*\u2022\u2013]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s")
_LAST = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*$")
_NEVER_LAST = word_set(
    "the a an and or but nor of because although whereas which whose their its our my your than is are was were has "
    "into between among during such very including if while "
    "und oder aber sondern weil dass ein eine einen einem einer eines der den dem des zum zur "
    "et ou mais parce le la les une du des aux dont y o pero porque el los las del una e ma il lo gli un uno di "
    "de het een en maar omdat os as um uma"
)
_HARDLY_LAST = word_set(
    "to with for by at on in from about through when that who have had can will would should could may might must be"
    " been not only also both "
    "each every this these those he she they we i there where how what so more most"
)
_ENDINGS = word_set("s es ed d ing er ly n y al en r rs ers ic 's ness st est n't an ian ist ism able")
_BEGINS_CLAUSE = word_set("if when while although though since unless until whereas whenever")
"""Words that begin a clause which another must follow."""
_ORDINALS = tuple(
    re.compile(rf"\b(?:{word})\b", re.IGNORECASE)
    for word in ("first(?:ly)?", "second(?:ly)?", "third(?:ly)?", "fourth(?:ly)?", "fifth(?:ly)?", "sixth(?:ly)?")
)
_SEVERAL = re.compile(
    r"\b(?:there (?:are|were)|here are|for|the|these|has|have|in|following) (three|four|five|six) (?:[\w'-]+"
    r" ){0,3}?(?:reasons?|ways?|steps?|types?|kinds?|parts?|things?|factors?"
    r"|benefits?|tips?|points?|stages?|causes?|forms?|categories|methods?|options?|rules?|phases?|branches"
    r"|differences|advantages|examples|ideas|components|elements|features)\b",
    re.IGNORECASE,
)
_ASKED_FOR = re.compile(
    r"\b(?:list|give|name|tell|provide|suggest|write|share|create|recommend|what are|come up with|generate|identify"
    r"|describe|explain)\b[^.?!\n]{0,30}?\b(?:(\d{1,2})"
    r"|(two|three|four|five|six|seven|eight|nine|ten)) (?!words?\b|sentences?\b|lines?\b|paragraphs?\b|stars?\b"
    r"|years?\b|days?\b|hours?\b|minutes?\b|people\b|letters?\b|%)(?:[\w'-]+ ){0,2}?[\w-]+s\b",
    re.IGNORECASE,
)
_SENTENCES_ASKED = re.compile(
    r"\b(?:in|write|using|with) (?:exactly |at least )?(?:(\d)|(two|three|four|five|six)) (?:\w+ )?sentences\b",
    re.IGNORECASE,
)
_NUMBERS = {
    name: size for size, name in enumerate(("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 2)
}
_PROMISES = re.compile(
    r"\b(?:(\d{1,2})|(two|three|four|five|six|seven|eight|nine|ten)) (?:[\w'-]+ ){0,4}?[\w-]+s\b[^.!?\n]{0,80}:\s*\n",
    re.IGNORECASE,
)
_ITEM_LINE = re.compile(r"^\s{0,8}(?:[-*\u2022\u2013]|\(?\d{1,3}[.)])\s+\S", re.MULTILINE)
_SEPARATOR = re.compile(r"\S(?::| [-\u2013\u2014]|\s*=) \S")
_TOKEN = re.compile(r"[\w'\u2019]+")
_CLOSED = re.compile(r"(?<![\w'\u2019])([\w'\u2019]++)[\])\"*_`\u201d\u00bb]{0,3}[.!?;:\u2026\u3002\uff01\uff1f]")
_CLOSES = {"(": ")", "[": "]", "{": "}", "\u201c": "\u201d", "\u00ab": "\u00bb", "\u300c": "\u300d", "\uff08": "\uff09"}


@dataclass(frozen=True, slots=True)
class Habits:
    """How the answers of a data set end: what a cut is measured against.

    Attributes:
        words: how often each word stands in the data; the last of an answer without an end is not counted.
        ending: how often each stands before a mark that ends a sentence.
        ordered: the words of four letters or more, in order.
        tidy: share of the longer answers that end with punctuation.
    """

    words: Mapping[str, int]
    ending: Mapping[str, int]
    ordered: Sequence[str]
    tidy: float

    def may_end(self, word: str) -> bool:
        """Whether the data does end sentences in this word."""
        return self.ending.get(word, 0) > OFTEN * self.words.get(word, 0)

    def leads_on(self, word: str) -> bool:
        """Whether sentences hardly ever end in this word."""
        return self.ending.get(word, 0) + 1 <= HARDLY * self.words.get(word, 0)

    def seldom_last(self, word: str) -> bool:
        """Whether the word ends so few sentences that, in this data, the lack of a full stop after it is a sign."""
        enough = next((share for tidy, share in SELDOM if self.tidy >= tidy), 0.0)
        return self.ending.get(word, 0) + 0.5 <= enough * (self.words.get(word, 0) + 10)

    def is_half(self, word: str) -> bool:
        """Whether a word is met hardly anywhere inside a text, but begins one that is (apart from -s, -ing and"
        " such)."""
        met = self.words.get(word, 0)
        if met > RARE or not word.isalpha():
            return False
        start = bisect_left(self.ordered, word)
        for longer in self.ordered[start : start + LOOKED_THROUGH]:
            if not longer.startswith(word):
                return False
            if longer[len(word) :] not in _ENDINGS and self.words.get(longer, 0) > (
                OFTENER * met if met else len(word) < 4 and 2
            ):
                return True
        return False


@dataclass(slots=True)
class Seen:
    """What `Habits` are counted from; see there. `longer` is how many of the answers are long enough to tell."""

    words: Counter[str] = field(default_factory=Counter)
    ending: Counter[str] = field(default_factory=Counter)
    longer: int = 0
    tidy: int = 0


def seen(examples: Sequence[Example]) -> Seen:
    """The words of some examples, the words their sentences end in, and how many of their answers end tidily."""
    known = Seen()
    for example in examples:
        for turn in example.conversation.turns:
            text = turn.text.rstrip().casefold()
            said = _TOKEN.findall(text)
            known.words.update(said)
            if not turn.is_trained or not said:
                continue
            closed = _CLOSED.findall(text)
            known.ending.update(closed)
            if text[-1] not in _ENDS:
                known.words[said[-1]] -= 1
            if len(closed) >= 2 or (closed and text[-1] not in _ENDS):
                known.longer += 1
                known.tidy += text[-1] in _ENDS
    return known


def habits(parts: Sequence[Seen]) -> Habits:
    """How the answers end in which all this was seen."""
    whole = Seen()
    for part in parts:
        whole.words.update(part.words)
        whole.ending.update(part.ending)
        whole.longer += part.longer
        whole.tidy += part.tidy
    ordered = sorted(word for word, count in whole.words.items() if count > 0 and len(word) >= 4 and word.isalpha())
    return Habits(whole.words, whole.ending, ordered, whole.tidy / whole.longer if whole.longer >= ENOUGH else 0.0)


def _cut(example: Example, known: Habits) -> Finding | None:
    for exchange in exchanges(example):
        if reason := broken_off(exchange.answer, known) or _short_of_asked(exchange):
            return _finding(example, exchange, reason)
    return None


cut = Usual(seen, habits, _cut, few=True)
"""Answers that stop in mid-sentence or short of what they announce."""


def _finding(example: Example, exchange: Exchange, reason: str) -> Finding:
    tail = " ".join(exchange.answer[-200:].split()).split(" ")[-6:]
    return flag(example, "cut", f"the answer{exchange.place} stops {reason}: \u201c\u2026 {' '.join(tail)}\u201d")


def broken_off(answer: str, known: Habits) -> str:
    """Where an answer breaks off, in words for a person; "" where it does not."""
    text = answer.rstrip()
    if "```" in text:
        if text.count("```") % 2:
            return "inside a block of code"
        if "```" in text[-4:]:
            return ""
    if text[:1] in ("{", "["):
        return "inside JSON" if _is_open_json(text) else ""
    if reason := _short_of_promised(text):
        return reason
    if text[-1:] in ".!?)\u2019\u201d*" and "\n" not in text[-8:]:
        return ""
    text = without_code(text).rstrip()
    size = len(words(text))
    if size < FEWEST and not (is_unspaced(text) and len(text) >= 12):
        return ""
    if text[-1:] in ":\uff1a" and (size >= FEWEST or "\n" in text):
        return "after a colon"
    return _in_a_list(text, known) or _at_a_mark(text) or _at_a_word(text, known)


def _is_open_json(text: str) -> bool:
    opened = sum(map(text.count, "{[")) - sum(map(text.count, "}]"))
    return opened > 0 and text[-1] not in "]})" and '"' in text


def _short_of_promised(text: str) -> str:
    """An answer that announces five reasons and lists two."""
    if promise := _PROMISES.search(text[:400]) if "\n" in text else None:
        size = int(promise[1]) if promise[1] else _NUMBERS[promise[2].casefold()]
        items = len(_ITEM_LINE.findall(text, promise.end()))
        return f"after {items} of {size} announced items" if 1 <= items < size and size <= 20 else ""
    if several := _SEVERAL.search(text[:400]):
        size = _NUMBERS[several[1].casefold()]
        told = next((n for n, each in enumerate(_ORDINALS) if not each.search(text, several.end())), 0)
        return (
            f"after {told} of {size} announced points"
            if 1 <= told < size and not re.search(r"\b(?:last|final)", text, re.IGNORECASE)
            else ""
        )
    return ""


def _short_of_asked(exchange: Exchange) -> str:
    """An answer that lists fewer than the question asks for, or says it in fewer sentences."""
    if len(exchange.question) > ASKING:
        return ""
    if asked := _SENTENCES_ASKED.search(exchange.question):
        size = int(asked[1]) if asked[1] else _NUMBERS[asked[2].casefold()]
        told = len(sentences(exchange.answer))
        return f"after {told} of {size} sentences" if told < size else ""
    if asked := _ASKED_FOR.search(exchange.question):
        size = int(asked[1]) if asked[1] else _NUMBERS[asked[2].casefold()]
        items = len(_ITEM_LINE.findall(exchange.answer))
        lines = len([line for line in exchange.answer.split("\n") if line.strip()])
        return f"after {items} of {size} items" if 2 <= items < size <= 20 and lines <= items + 1 else ""
    return ""


def _in_a_list(text: str, known: Habits) -> str:
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) >= 3 and _ITEM.match(lines[-1]) and any(map(_ITEM_BEGINS.match, lines[:-1])):
        return "at an empty item of a list"
    items = [line.strip() for line in lines if _ITEM_BEGINS.match(line)]
    if len(items) < 3 or lines[-1].strip() != items[-1] or text[-1] in _ENDS:
        return ""
    others, last = items[:-1], items[-1]
    said = words(last)
    usual = sum(len(words(item)) for item in others) / len(others)
    if all(item[-1] in ".!?;" for item in others) and (len(said) <= usual / 2 or known.leads_on(said[-1])):
        return "inside an item of a list"
    if all(map(_SEPARATOR.search, others)) and not _SEPARATOR.search(last):
        return "inside an item of a list"
    word = said[-1] if said else ""
    if word in _NEVER_LAST and not known.may_end(word) and len(said) >= 2:
        return f"after \u201c{word}\u201d"
    if not last.split()[-1].islower():
        return ""
    if (word in _HARDLY_LAST or known.leads_on(word)) and not known.may_end(word) and len(said) >= 3:
        return f"after \u201c{word}\u201d"
    return "inside a word" if known.is_half(word) else ""


def _at_a_mark(text: str) -> str:
    end = text[-1:]
    if end in ",\uff0c\u3001":
        return "after a comma"
    if end in _CLOSES:
        return "after an opening bracket or quote"
    if end in "-\u2010" and text[-2:-1].isalpha():
        return "inside a hyphenated word"
    if end in "&+=/" and text[-2:-1].isspace():
        return f"after {end}"
    tail = text[-300:].split("\n")[-1]
    if end not in _ENDS and (opening := _left_open(tail)):
        return f"with {opening} still open"
    return ""


def _left_open(tail: str) -> str:
    for opening, closing in _CLOSES.items():
        if tail.rfind(opening) > tail.rfind(closing) and len(tail) - tail.rfind(opening) > 2:
            return opening
    return ""


def _at_a_word(text: str, known: Habits) -> str:
    tail = text[-60:]
    last = _LAST.search(tail)
    if not last or text[-1:] in _ENDS or "." in text[-200:].split()[-1]:
        return ""
    word, before = last[0].casefold(), tail[: last.start()].rstrip()[-1:]
    said = sentences(text)
    running = len(said) >= 2 and _closes_sentences(said)
    if known.is_half(word) and (last[0].islower() or running) and before not in "-/\u2013":
        return "inside a word"
    if word in _NEVER_LAST and not known.may_end(word) and (last[0].islower() or running) and before not in "-/:\u2013":
        return f"after \u201c{word}\u201d"
    if running and (reason := _is_a_piece(said, text)):
        return reason
    if not last[0].islower() or before in ",;:-/\u2013":  # a name, or an item of a list
        return ""
    if running and (word in _HARDLY_LAST or known.leads_on(word)) and not known.may_end(word):
        return f"after \u201c{word}\u201d"
    longer = "\n" not in text and len(words(said[-1])) >= RUNNING
    return "without an end" if running and longer and known.seldom_last(word) and not known.may_end(word) else ""


def _is_a_piece(said: tuple[str, ...], text: str) -> str:
    """The last sentence is only the beginning of one: "If the red light", or two words after whole sentences."""
    piece = words(said[-1])
    whole = [len(words(each)) for each in said[:-1]]
    if "\n" in text[-len(said[-1]) - 3 :] or not piece:
        return ""
    if piece[0] in _BEGINS_CLAUSE and 2 <= len(piece) <= CLAUSE and "," not in said[-1]:
        return "inside a clause"
    if (
        len(whole) >= 2
        and len(piece) <= 3
        and min(whole) >= RUNNING
        and said[-1][0].isupper()
        and not _is_name(said[-1])
    ):
        return "after the first words of a sentence"
    return ""


def _is_name(text: str) -> bool:
    return all(word[0].isupper() or not word[0].isalpha() for word in text.split()[1:]) and len(text.split()) > 1


def _closes_sentences(said: tuple[str, ...]) -> bool:
    """Whether the sentences before the last all end with punctuation."""
    return all(each[-1] in _ENDS for each in said[:-1])
