"""What a rule looks at: each trained answer with its question; and small views of a text that rules share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from tutelage.records import Example, Finding, Role

SHOWN = 60
"""Characters of a text that a reason quotes."""
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")
_SENTENCE = re.compile(r"[^.!?\u2026\u3002\uff01\uff1f\n]+[.!?\u2026\u3002\uff01\uff1f]*")
_FENCED = re.compile(r"```[^`]*(?:```|\Z)|`[^`\n]{1,200}`")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A trained answer, the number of its turn (from 1), and the last thing a user said before it."""

    number: int
    question: str
    answer: str
    only: bool = True

    @property
    def place(self) -> str:
        """` in turn 4` where there are several answers."""
        return "" if self.only else f" in turn {self.number}"


def exchanges(example: Example) -> Iterator[Exchange]:
    """Every trained answer of an example with the question it answers."""
    turns = example.conversation.turns
    only = sum(turn.is_trained for turn in turns) == 1
    question = ""
    for number, turn in enumerate(turns, 1):
        if turn.role is Role.USER:
            question = turn.text
        elif turn.is_trained:
            yield Exchange(number, question, turn.text, only)


def flag(example: Example, rule: str, reason: str) -> Finding:
    """A finding that only points at the example."""
    return Finding(example.source, rule, "flag", reason)


def quote(text: str) -> str:
    """The beginning of a text for a reason, on one line, ending between words."""
    flat = " ".join(text[: 4 * SHOWN].split())
    if len(flat) > SHOWN:
        flat = flat[:SHOWN].rpartition(" ")[0] or flat[:SHOWN]
        flat += " \u2026"
    return f"\u201c{flat}\u201d"


def word_set(text: str, between: str | None = None) -> frozenset[str]:
    """A list of words as it stands in a rule, for asking whether one is in it."""
    return frozenset(text.split(between))


@lru_cache(64)
def words(text: str) -> tuple[str, ...]:
    """Words without case or punctuation, in order."""
    return tuple(_WORD.findall(text.casefold()))


@lru_cache(64)
def sentences(text: str) -> tuple[str, ...]:
    """Sentences with their closing punctuation; a new line ends one too."""
    return tuple(found for piece in _SENTENCE.findall(text) if (found := piece.strip()))


def is_unspaced(text: str) -> bool:
    """Whether a good part of the text is in a script that has no blanks between words (Chinese, Thai, \u2026)."""
    return not text.isascii() and 3 * len(_UNSPACED.findall(text)) > len(text)


def without_code(text: str) -> str:
    """The text without fenced blocks and code spans."""
    return _FENCED.sub(" ", text) if "`" in text else text


def unit(text: str) -> int:
    """How long a text is: in words, or in characters where words have no blanks between them."""
    return len("".join(text.split())) if is_unspaced(text) else len(words(text))
