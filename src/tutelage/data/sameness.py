"""When two texts count as the same: without case, white space and what nobody sees."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from tutelage.records import Turn, as_json

_UNSEEN = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
"""Soft hyphen, zero-width space, joiners and direction marks: they stand in a text and nobody sees them."""


def _narrow() -> dict[int, str | None]:
    """What `normal` replaces: full- and half-width forms by the character they stand for, the unseen by nothing."""
    forms = ((code, unicodedata.decomposition(chr(code)).split()) for code in range(0x3000, 0x10000))
    table = {code: chr(int(form[1], 16)) for code, form in forms if form[:1] in (["<wide>"], ["<narrow>"])}
    return {**table, **dict.fromkeys(map(ord, _UNSEEN))}


_NARROW = _narrow()
_REPLACED = re.compile("[" + "".join(map(re.escape, map(chr, _NARROW))) + "]")


def folded(text: str) -> str:
    """Text without case, in Unicode NFC, full-width forms as ordinary ones, zero-width characters left out.

    Not NFKC, which makes 2\u00b2 the same as 22. Punctuation stays: `a = b` is not `a == b`.
    """
    if text.isascii():
        return text.lower()
    if _REPLACED.search(text):  # a translation walks through every character, and few texts need one
        text = text.translate(_NARROW)
    return unicodedata.normalize("NFC", text).casefold()


def normal(text: str) -> str:
    """Text for comparing: `folded`, white space as single blanks."""
    return " ".join(folded(text).split())


def key_of(turns: Sequence[Turn]) -> str:
    """A hash that is equal for turns that differ only in case, white space or Unicode form."""
    content = ((turn.role.value, normal(turn.text), turn.is_trained) for turn in turns)
    return hashlib.sha256(as_json(content).encode()).hexdigest()
