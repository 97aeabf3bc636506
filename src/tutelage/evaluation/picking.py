"""What an answer says, in spite of the words around it: a text in it, an option of several, its last number."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence
from decimal import Decimal

_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
"""Scripts that put no space between words, as their characters' names begin."""
_LONE = re.compile(r"[\W_]*([A-Za-z])[\W_]*")
_FIRST = re.compile(r"[\s*_(\[\"'`]*([A-Z])(?:[)\].:*_\"'`]|\s*\n)")
_TOLD = re.compile(
    r"(?:answer|option|choice|antwort|lösung|réponse|respuesta|risposta|resposta)\b"
    r"(?:\s+(?:is|would be|ist|lautet|est|es|è|é))?\s*[:=]?\s*[(\[*_\"'`]*([A-Z])(?![\w'’])",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"[(\[]([A-Z])[)\]]")
# A sign counts where no number or word stands before it: 5-3 is no -3. A comma is part of a number before three digits.
_NUMBER = re.compile(r"(?<![A-Za-z\d.])([-−]?)[$€£¥]?([-−]?)(\d{1,3}(?:,\d{3})+(?!\d)|\d+)(\.\d+)?")
_MARK = "####"


def standing_in(text: str, part: str) -> bool:
    """Whether `part` stands in `text` as whole words, whatever their case and the white space between them.

    Scripts without spaces between words have no edges to look at.
    """
    where, what = _flat(text), _flat(part)
    place = where.find(what) if what else -1
    while place >= 0:
        end = place + len(what)
        if not _one_word(where[max(0, place - 1) : place], what[0]) and not _one_word(what[-1], where[end : end + 1]):
            return True
        place = where.find(what, place + 1)
    return False


def _flat(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _one_word(left: str, right: str) -> bool:
    """Whether two neighbouring characters belong to one word."""
    return left.isalnum() and right.isalnum() and not (_unspaced(left) or _unspaced(right))


def _unspaced(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_UNSPACED)


def place_of(text: str, choices: Sequence[str]) -> int | None:
    """The place of the option that a reference names by its text, or else by its letter; None: none of them."""
    wanted = _flat(text)
    found = [place for place, one in enumerate(choices) if _flat(one) == wanted]
    if found:
        return found[0]
    hit = _LONE.fullmatch(text)
    return _letter(hit[1], choices) if hit else None


def _letter(letter: str, choices: Sequence[str]) -> int | None:
    place = string.ascii_uppercase.index(letter.upper())
    return place if place < len(choices) else None


def picked(answer: str, choices: Sequence[str]) -> tuple[int | None, str]:
    """The place of the option that an answer names, None where it names none or several, and how that was seen.

    First comes an answer that is an option's text or letter and nothing else, then a letter at its start (`B.`, `(B)`),
    then the last one after a word such as "answer", then the only option whose text stands in it, then the only letter
    in brackets.
    """
    whole = place_of(answer.strip().strip(".!*\"'`"), choices)
    if whole is not None:
        return whole, "the whole answer"
    first = _FIRST.match(answer)
    if first and (place := _letter(first[1], choices)) is not None:
        return place, "the letter that it begins with"
    told = [
        place for hit in _TOLD.finditer(answer) if hit[1].isupper() if (place := _letter(hit[1], choices)) is not None
    ]
    if told:
        return told[-1], "the letter that it gives as its answer"
    found = _texts_in(answer, choices)
    if len(found) == 1:
        return found[0], "the only option whose text stands in it"
    letters = {place for hit in _BRACKETED.finditer(answer) if (place := _letter(hit[1], choices)) is not None}
    if len(letters) == 1 and not found:
        return letters.pop(), "the only letter in brackets"
    return None, "names several options" if found or letters else "names no option"


def _texts_in(answer: str, choices: Sequence[str]) -> list[int]:
    """Options whose text stands in the answer; one within a longer one that stands there too does not count."""
    found = [place for place, one in enumerate(choices) if standing_in(answer, one)]
    inner = {
        place
        for place in found
        for other in found
        if len(choices[other]) > len(choices[place]) and standing_in(choices[other], choices[place])
    }
    return [place for place in found if place not in inner]


def last_number(text: str) -> Decimal | None:
    """The first number after the last `####`, else the last number; commas between thousands and currencies go."""
    _, mark, after = text.rpartition(_MARK)
    hits = list(_NUMBER.finditer(after if mark else text))
    if not hits:
        return None
    hit = hits[0] if mark else hits[-1]
    value = Decimal(hit[3].replace(",", "") + (hit[4] or ""))
    return value.copy_negate() if hit[1] or hit[2] else value


number_wanted = last_number
"""A reference is read like an answer: `72`, `$1,000` and GSM8K's worked solutions that end with `#### 72`."""
