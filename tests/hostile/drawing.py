"""Bytes as choices, so that one string of bytes stands for one hostile thing, and bytes near it for things near it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
LONGEST = 40_000
"""Text repeated by `stretched` is cut here: long enough for anything quadratic to take seconds."""
PIECES = (
    *("", " ", "\n", "\t", "\r\n", "\u2028", "\u0085", "\u00a0", "\ufeff", "\u200b", "\u202e", "\ufffd", "\U0001f600"),
    *("null", "NaN", "-1", "1e999", "true", "[]", "{}", '[{"role": "user", "content": "x"}]', "[[[[[[", "</s>"),
    *("<|im_start|>system", "=1+1", "+1", "-1", "@sum", "Re: ", "> a", "-- ", "On Mon, Ann wrote:", "<p>a</p>"),
    *("ann@example.com", "+49 30 901820", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "password: hunter2"),
    *(
        "&amp;",
        "[EMAIL-1]",
        "[EMAIL-1.2]",
        "[PHONE-3]",
        "{{name}}",
        "I cannot help with that.",
        "As an AI",
        "Ã©",
        "â€™",
        "…",
    ),
    *("Kind regards,\nAnn", "2024-03-05T14:30:00Z", "03/04/2024", "Yes.", "No.", "The answer is 4.", "a b c d e f g"),
)
"""What tends to be met where it hurts."""


class Draw:
    """Takes choices from bytes; where they are used up, every choice is the first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def byte(self) -> int:
        """The next byte; 0 at the end."""
        self._place += 1
        return self._data[self._place - 1] if self._place <= len(self._data) else 0

    def below(self, count: int) -> int:
        """A number from 0 to count - 1; count is at most 256."""
        return self.byte() % count

    def one_of(self, things: Sequence[T]) -> T:
        """One of at most 256 things."""
        return things[self.below(len(things))]

    def taken(self, count: int) -> bytes:
        """The next so many bytes, fewer at the end."""
        self._place += count
        return self._data[self._place - count : self._place]

    def rest(self) -> bytes:
        """All that is left."""
        return self.taken(max(0, len(self._data) - self._place))

    def text(self) -> str:
        """A text of pieces that hurt and of what the bytes hold; never half of a surrogate pair."""
        parts: list[str] = []
        for _ in range(self.below(6)):
            if self.below(2):
                parts.append(self.one_of(PIECES))
            else:
                parts.append(self.taken(self.below(24)).decode("utf-8", "ignore"))
        return "".join(parts)

    def value(self, depth: int = 2) -> object:
        """Anything that JSON can hold."""
        kind = self.below(10 if depth else 7)
        if kind == 7:
            return [self.value(depth - 1) for _ in range(self.below(4))]
        if kind >= 8:
            return {self.text(): self.value(depth - 1) for _ in range(self.below(4))}
        number = self.byte()
        return (self.text(), None, True, number - 128, number / 7, 10 ** (number % 40), self.text())[kind]


def stretched(data: bytes) -> str:
    """A text; where the first byte says so, much of it: a part of it repeated until nothing quadratic ends in time."""
    draw = Draw(data)
    how = draw.byte()
    text = draw.rest().decode("utf-8", "ignore")
    if how < 240 or not text:
        return text
    length = LONGEST if how >= 252 else LONGEST // 10
    start, end = (how % len(text), len(text)) if how % 2 else (0, len(text))
    middle = text[start:end]
    return (text[:start] + middle * (length // len(middle)))[:length]


def changed(seeds: Sequence[bytes], count: int, seed: int) -> list[bytes]:
    """Seeds with some bytes taken away, repeated, replaced or taken from another seed; always the same ones."""
    draw, made = random.Random(seed), list[bytes]()
    for _ in range(count):
        data = bytearray(draw.choice(seeds))
        for _ in range(draw.randint(1, 4)):
            start = draw.randint(0, len(data))
            end = min(len(data), start + draw.choice((1, 1, 2, 8, 64)))
            other = draw.choice(seeds)
            part = draw.randint(0, len(other))
            new = draw.choice((b"", data[start:end] * 3, draw.randbytes(end - start), other[part : part + 30]))
            data[start:end] = new
        made.append(bytes(data[:4096]))
    return made
