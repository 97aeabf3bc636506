"""Telephone numbers in running text: international, in a country's usual groups, or after a word that says so.

What stands in a candidate is judged by libphonenumber's tables of numbering plans. Time grows with the text's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import phonenumbers

Span = tuple[int, int]
NEAR = 40
"""Characters before a number in which a word says what it is."""
COUNTED_NEAR = 22
"""Characters before a number in which a word says that it is an order's, a ticket's …; a new sentence ends that."""
_SENTENCE_END = re.compile(r"[.!?;] ")
FEWEST, MOST = 7, 15
"""Digits of a telephone number (E.164 has at most 15)."""
_RUN = re.compile(
    r"[0-9+(](?<![0-9].)(?:(?<=\+) ?|(?<=\() ?\+?)?(?:(?<=[0-9])|[0-9])(?:["
    r" ().\u2010-\u2013/-]{0,3}[0-9]){6,40}"
)
_GROUP = re.compile(r"[0-9]+")
_GOES_ON = re.compile(r"[^\W_]|%|[.,:/-][0-9]")
_WORD_BEFORE = re.compile(
    r"\b(?:(?P<called>tel(?:e(?:phone|fon|fono|foon))?|t\u00e9l(?:\u00e9phone)?|tel\u00e9fono|phone|call(?:ed|ing"
    r"|back)?"
    r"|mobile|mobil|cell|fax|whatsapp|signal|hot-?line|help-?line|dial|sms|text|ring|reach|rufnummer|telefonnummer"
    r"|handy"
    r"|contact|extension|ext|(?:my|his|her|our|their|your|new|old|home|work|office) (?:phone |cell |mobile )?number)"
    r"|(?P<counted>order|bestell\w*|invoice|rechnung\w*|ticket|tracking|track|parcel|shipment|ref(?:erence)?|case"
    r"|serial"
    r"|sku|isbn|issn|doi|zip|postcode|version|policy|claim|transaction|item|model|part|imei|vin|article|product|batch"
    r"|confirmation|booking|reservation|code|barcode|ean|gtin|upc|patent|population|years?|iban|konto\w*)"
    r"|(?P<weak>account|customer|ids?|between|from|n[or]))\b|(?P<sign>#|\u2116)",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:1[89]|20)[0-9]{2}([-./ ])[0-9]{1,2}\1[0-9]{1,2}(?:\s.*)?|[0-9]{1,2}([-./ ])[0-9]{1,2}\2[0-9]{4}(?:\s.*)?"
    r"|(?:1[89]"
    r"|20)[0-9]{2} ?[-/] ?(?:1[89]|20)[0-9]{2}"
)
_AMERICAN = re.compile(r"(?:1[-. ]{1,2})?(?:\([2-9][0-9]{2}\)[ -]?|[2-9][0-9]{2}([-. ]))[0-9]{3}[-. ][0-9]{4}")
_BRACKETED = re.compile(r"\(0?[1-9][0-9]{0,4}\) ?[0-9]{3,5}[ -]?[0-9]{2,4}(?:[ -]?[0-9]{2,4})?")
_SWEDISH = re.compile(r"0[0-9]{1,3}-[0-9]{2,3}(?: [0-9]{2}){2,3}")
STARTS = 8
"""So many groups of digits in a row are tried as the beginning of a number."""


def phones(text: str) -> Iterator[Span]:
    """Where telephone numbers stand, in order."""
    for run in _RUN.finditer(text):
        groups = [(run.start() + group.start(), run.start() + group.end()) for group in _GROUP.finditer(run[0])]
        said = _said(text[max(0, run.start() - NEAR) : run.start()])
        place = 0
        while place < min(len(groups), STARTS):
            start = _opens(text, run.start() if not place else groups[place - 1][1], groups[place][0])
            size = _size(text, start, groups[place:], said) if not place or _may_follow(text, start) else 0
            if size:
                yield start, groups[place + size - 1][1]
            place += size or 1


def _opens(text: str, least: int, start: int) -> int:
    """Where a number begins whose digits begin at `start`: with its bracket and its plus."""
    for sign in ("+", "(", "+"):
        at = start - 1 - (start - 2 >= least and text[start - 1] == " " and text[start - 2] == sign)
        if at >= least and text[at] == sign:
            start = at
    return start


def _may_follow(text: str, start: int) -> bool:
    """Whether a number may begin here, after other digits: with a bracket, or as in America."""
    return text[start] in "+(" or bool(_AMERICAN.match(text, start))


def _size(text: str, start: int, groups: Sequence[Span], said: str) -> int:
    """How many groups of digits from `start` on are a telephone number; 0: none."""
    if text[start] == "(" and ")" not in text[start : groups[-1][1]]:  # (06 12345678): the bracket is the sentence's
        start += 1
    before = text[max(0, start - 2) : start]
    shown = {size: text[start : groups[size - 1][1]] for size in range(1, len(groups) + 1)}
    ends = [
        size
        for size in reversed(shown)
        if FEWEST <= sum(map(str.isdigit, shown[size])) <= MOST and not _GOES_ON.match(text, groups[size - 1][1])
    ]
    foreign = "+" in shown[1][:3]
    if foreign and not before[-1:].isalnum() and (found := _international(shown, ends)):
        return found
    if foreign or _is_inside(before):
        return 0
    more = {size: len(groups) > size and groups[size][1] - groups[size][0] == 2 for size in ends}
    return next((size for size in ends if _is_national(shown[size], said, more[size])), 0)


def _is_inside(before: str) -> bool:
    """Whether what stands before makes digits a part of something else: an amount, an address, a longer number."""
    last = before[-1:]
    return last.isalnum() or (last == "." and not before[:1].isalpha()) or (last != "" and last in "_$\u20ac\u00a3+-#,")


def _international(shown: Mapping[int, str], ends: Sequence[int]) -> int:
    """The longest that some country gives out; else the longest that could be one by its length."""
    parsed = {size: number for size in ends if (number := _parsed("".join(filter(str.isdigit, shown[size]))))}
    for is_one in (phonenumbers.is_valid_number, phonenumbers.is_possible_number):
        for size, number in parsed.items():
            if is_one(number):
                return size
    return 0


def _parsed(digits: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return None


def _said(before: str) -> str:
    """What the last telling word before a number makes of it: called, counted, weak, or nothing."""
    found = ""
    for hit in _WORD_BEFORE.finditer(before):
        near = len(before) - hit.end() <= COUNTED_NEAR and not _SENTENCE_END.search(before, hit.end())
        if hit.lastgroup == "called" or near:
            found = str(hit.lastgroup)
    return found


def _is_national(shown: str, said: str, more: bool) -> bool:
    digits = "".join(filter(str.isdigit, shown))
    if len(set(digits)) < 3 or _DATE.fullmatch(shown) or shown.count("(") != shown.count(")") or _is_isbn(digits):
        return False
    groups = _GROUP.findall(shown)
    sizes = [len(group) for group in groups]
    if _BRACKETED.fullmatch(shown) or _SWEDISH.fullmatch(shown):
        return len(digits) >= 8
    if said == "counted":
        return False
    if said == "called" and min(sizes[1:], default=2) > 1 and not re.fullmatch(r"[0-9]+\.[0-9]+", shown):
        return True
    if _AMERICAN.fullmatch(shown):
        return True
    if digits.startswith("00"):
        number = _parsed(digits[2:]) if len(digits) >= 10 and max(sizes) > 2 else None
        return bool(number and phonenumbers.is_valid_number(number))
    if digits[0] != "0" or len(sizes) < 2 or not 9 <= len(digits) <= 12 or min(sizes) < 2 or "." in shown:
        return False
    in_pairs = max(sizes) == 2 or sizes == [3, 2, 4]  # numbers in a row, unless they are five as in France
    return len(sizes) == 5 and said != "weak" and not more if in_pairs else True


def _is_isbn(digits: str) -> bool:
    """Whether the digits are a book's or an article's number by beginning and check digit."""
    odd = sum(map(int, digits[::2])) + 3 * sum(map(int, digits[1::2]))
    return len(digits) == 13 and digits[:3] in ("978", "979") and odd % 10 == 0
