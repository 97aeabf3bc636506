"""Checks of an answer's words and letters: which stand in it, which do not, and how they are written."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from tutelage.data.exchange import word_set
from tutelage.evaluation.following.counting import lines, places, plain, shown, words
from tutelage.evaluation.following.limits import Letters, Limit, ParameterError, Phrase, Phrases, off

_COMMAS = ",\uff0c\u3001\u060c\uff64\ufe50\ufe51"
_EMOJI = re.compile(
    "(?:[\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55\u231a\u231b\u23e9-\u23f3]"
    "|[\U0001f1e6-\U0001f1ff]{2})[\ufe0f\U0001f3fb-\U0001f3ff]{0,3}(?:\u200d.\ufe0f?){0,6}"
)
_MINOR = word_set(
    "a an and as at but by down for from in into nor of off on onto or out over per so than the to up via vs with yet"
)
"""Words that may be small in a title, except as its first and last."""


def include(answer: str, words: Phrases, any_of: bool = False, case: bool = False) -> str:
    """Each of the words or phrases (with `any_of` one of them) stands in the answer, as a whole word."""
    text = _flat(answer, case)
    missing = [word for word in words if not places(text, _flat(word, case))]
    if any_of:
        return f"none of {', '.join(map(shown, words))}" if len(missing) == len(words) else ""
    return f"without {', '.join(map(shown, missing))}" if missing else ""


def exclude(answer: str, words: Phrases, case: bool = False) -> str:
    """None of the words or phrases stands in the answer as a whole word, and there is an answer."""
    text = _flat(answer, case)
    if not text:
        return "empty"
    found = [word for word in words if places(text, _flat(word, case))]
    return f"holds {', '.join(map(shown, found))}" if found else ""


def occurrences(
    answer: str, word: Phrase, exactly: Limit = None, at_least: Limit = None, at_most: Limit = None, case: bool = False
) -> str:
    """A word or phrase stands in the answer so many times, as a whole word."""
    count = len(places(_flat(answer, case), _flat(word, case)))
    return off(count, f"times {shown(word)}", exactly, at_least, at_most)


def _flat(text: str, case: bool) -> str:
    return " ".join(plain(text, case).split())


def no_characters(answer: str, characters: Phrase) -> str:
    """None of the characters stands in the answer, large or small, with or without accents; and there is an answer."""
    if not answer.strip():
        return "empty"
    unwanted = set(_bare(characters)) - {" "}
    found = sorted(unwanted.intersection(_bare(answer)))
    return f"holds {', '.join(map(shown, found))}" if found else ""


def _bare(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(sign for sign in apart if unicodedata.category(sign) != "Mn")


def no_commas(answer: str) -> str:
    """The answer holds no comma, nor its like in Chinese, Japanese or Arabic."""
    if not answer.strip():
        return "empty"
    count = sum(answer.count(comma) for comma in _COMMAS)
    return f"{count:,} commas" if count else ""


def uppercase(answer: str) -> str:
    """Every letter that has two forms is a capital one."""
    return _cased(answer, "small")


def lowercase(answer: str) -> str:
    """Every letter that has two forms is a small one."""
    return _cased(answer, "capital")


def _cased(answer: str, kind: str) -> str:
    letters = [sign for sign in answer if sign.isupper() or sign.islower()]
    if not letters:
        return "no letters"
    wrong = [sign for sign in letters if (sign.islower() if kind == "small" else sign.isupper())]
    return f"{len(wrong):,} {kind} letters, the first {shown(wrong[0])}" if wrong else ""


def titlecase(answer: str) -> str:
    """Every word of the answer begins with a capital letter; short ones such as "of" may be small within a line."""
    found = lines(answer)
    if not any(map(str.isalpha, answer)):
        return "no letters"
    for line in found:
        said = words(line)
        for place, word in enumerate(said):
            inner = 0 < place < len(said) - 1
            letter = next((sign for sign in word if sign.isalnum()), "")
            if letter.islower() and not (inner and word.strip(".,:;!?\"'()").casefold() in _MINOR):
                return f"{shown(word)} begins with a small letter"
    return ""


def first_letters(answer: str, spell: Letters) -> str:
    """The first letters of the lines spell a word; bullets, numbers of items and marks before them are overlooked."""
    initials = "".join(next((sign for sign in _bare(line) if sign.isalpha()), "") for line in lines(answer))
    wanted = _bare(spell)
    return "" if initials == wanted else f"the lines begin with {shown(initials)}, which is not {shown(wanted)}"


def emoji(answer: str, exactly: Limit = None, at_least: Limit = None, at_most: Limit = None) -> str:
    """The answer holds so many emoji; one of several parts (a family, a flag) is one."""
    return off(len(_EMOJI.findall(answer)), "emoji", exactly, at_least, at_most)


def palindromes(
    answer: str, at_least: Annotated[int, Field(ge=1)] = 1, letters: Annotated[int, Field(ge=2)] = 3
) -> str:
    """The answer holds so many different words of so many letters or more that read the same from both ends."""
    found = set()
    for word in words(answer):
        bare = "".join(filter(str.isalpha, _bare(word)))
        if len(bare) >= letters and bare == bare[::-1]:
            found.add(bare)
    return "" if len(found) >= at_least else f"{len(found)} different palindromes, fewer than {at_least}"


def alphabetical(answer: str) -> str:
    """The lines are in alphabetical order, without case and accents; marks of lists before them are overlooked."""
    keys = ["".join(sign for sign in _bare(line) if sign.isalpha() or sign == " ").strip() for line in lines(answer)]
    if len(keys) < 2:
        return "fewer than two lines"
    for before, after in pairwise(keys):
        if before > after:
            return f"{shown(after)} stands after {shown(before)}"
    return ""


def order(answer: str, items: Annotated[list[Phrase], Field(min_length=2, max_length=100)]) -> str:
    """Each item stands in the answer as a whole word, and they are first said in the given order."""
    if len({plain(item) for item in items}) < len(items):
        raise ParameterError("an item stands twice in items")
    text = _flat(answer, False)
    last, before = -1, ""
    for item in items:
        found = places(text, _flat(item, False))
        if not found:
            return f"without {shown(item)}"
        if found[0] < last:
            return f"{shown(item)} comes before {shown(before)}"
        last, before = found[0], item
    return ""
