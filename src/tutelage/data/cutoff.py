"""Answers that stop in mid-sentence. A missing full stop alone is no sign: many people write none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tutelage.data.exchange import Exchange, exchanges, flag, is_unspaced, sentences, without_code, word_set, words
from tutelage.records import Dataset, Example, Finding

FEWEST = 5
"""An answer of fewer words is a label, a name or a number: it may end in anything."""
HARDLY = 0.015
"""A word hardly ever ends a sentence where at most this share of its places in the data are ends of sentences."""
OFTEN = 0.1
"""A word may end an answer in any case where more than this share of its places are ends of sentences."""
RUNNING = 5
"""Words that a last sentence without an end has at least where it looks cut between two ordinary words."""
SELDOM = ((0.97, 1.0), (0.9, 0.05), (0.0, 0.02))
"""Where so many of the longer answers end with punctuation, a word without it is a sign that stands at the end of at
most this share of its places: where many people leave the full stop out, hardly any word is."""
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
_ENDINGS = word_set("s es ed d ing er ly n y al en r rs e ers ic 's ness st est n't a o an ian ist ism able")
_CLOSES = {"(": ")", "[": "]", "{": "}", "\u201c": "\u201d", "\u00ab": "\u00bb", "\u300c": "\u300d", "\uff08": "\uff09"}


@dataclass(frozen=True, slots=True)
class Habits:
    """How the answers of a data set end: what a cut is measured against.

    Attributes:
        words: how often each word stands in the data; the last of an answer without an end is not counted.
        ending: how often each ends a sentence.
        beginnings: what longer words begin with, where the rest is no ending such as -s or -ing.
        tidy: share of the longer answers that end with punctuation.
    """

    words: Mapping[str, int]
    ending: Mapping[str, int]
    beginnings: frozenset[str]
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
        """Whether a word is met nowhere inside a text, but is the beginning of one that is."""
        return not self.words.get(word, 0) and word in self.beginnings


def habits(dataset: Dataset) -> Habits:
    """The words of a data set, the words its sentences end in, and how many of its answers end tidily."""
    counts: Counter[str] = Counter()
    ending: Counter[str] = Counter()
    tidy = longer = 0
    for example in dataset.examples:
        for turn in example.conversation.turns:
            counts.update(words(turn.text))
            if not turn.is_trained:
                continue
            said = sentences(turn.text)
            ending.update(last[-1] for each in said if (last := words(each)) and each[-1] in _ENDS)
            if said and said[-1][-1] not in _ENDS:
                counts.subtract(words(turn.text)[-1:])
            if len(said) >= 2:
                longer += 1
                tidy += turn.text.rstrip()[-1:] in _ENDS
    often = [word for word, count in counts.items() if count >= 3 and len(word) >= 4 and word.isalpha()]
    beginnings = frozenset(word[:size] for word in often for size in range(1, len(word)) if word[size:] not in _ENDINGS)
    return Habits(counts, ending, beginnings, tidy / longer if longer >= ENOUGH else 0.0)


def cut(dataset: Dataset) -> dict[str, Finding]:
    """Answers that stop in mid-sentence, by the ids of their examples."""
    known = habits(dataset)
    found: dict[str, Finding] = {}
    for example in dataset.examples:
        for exchange in exchanges(example):
            if reason := broken_off(exchange.answer, known):
                found[example.id] = _finding(example, exchange, reason)
                break
    return found


def _finding(example: Example, exchange: Exchange, reason: str) -> Finding:
    tail = " ".join(exchange.answer[-200:].split()).split(" ")[-6:]
    return flag(example, "cut", f"the answer{exchange.place} stops {reason}: \u201c\u2026 {' '.join(tail)}\u201d")


def broken_off(answer: str, known: Habits) -> str:
    """Where an answer breaks off, in words for a person; "" where it does not."""
    text = answer.rstrip()
    if text.count("```") % 2:
        return "inside a block of code"
    if "```" in text[-4:]:
        return ""
    if text[:1] in ("{", "["):
        return "inside JSON" if _is_open_json(text) else ""
    text = without_code(text).rstrip()
    size = len(words(text))
    if size < FEWEST and not (is_unspaced(text) and len(text) >= 12):
        return ""
    lines = text.split("\n")
    if len(lines) >= 3 and _ITEM.match(lines[-1]) and any(map(_ITEM_BEGINS.match, lines[:-1])):
        return "at an empty item of a list"
    return _at_a_mark(text) or _at_a_word(text, known)


def _is_open_json(text: str) -> bool:
    opened = sum(map(text.count, "{[")) - sum(map(text.count, "}]"))
    return opened > 0 and text[-1] not in "]})" and '"' in text


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
    if not last[0].islower() or before in ",;:-/\u2013":  # a name, or an item of a list
        return ""
    leads_on = word in _NEVER_LAST or (running and (word in _HARDLY_LAST or known.leads_on(word)))
    if leads_on and not known.may_end(word):
        return f"after \u201c{word}\u201d"
    longer = len(said) >= 3 and len(words(said[-1])) >= RUNNING
    return "without an end" if running and longer and known.seldom_last(word) else ""


def _closes_sentences(said: tuple[str, ...]) -> bool:
    """Whether the sentences before the last all end with punctuation."""
    return all(each[-1] in _ENDS for each in said[:-1])
