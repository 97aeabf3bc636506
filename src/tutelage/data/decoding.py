"""Text that was decoded with the wrong character set: found, and decoded rightly where that can be done safely.

UTF-8 read as one of the common Western, Cyrillic, Greek and DOS sets is ftfy's (Speer 2019); what it leaves, UTF-8 read
as cp850, GBK, Shift-JIS and their like, one single-byte set read as another, and characters that were lost, is ours.
"""

from __future__ import annotations

import re

from ftfy import fix_encoding
from ftfy.badness import is_bad

_C = (
    "\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c"
    "\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178"
)
_AS_WESTERN = re.compile(
    f"[\u00c2\u00c3\u00c4\u00c5\u00ce\u00cf\u00d0\u00d1\u00d7\u00d8\u00d9\u00da][{_C}]|[\u00e0-\u00ef][{_C}][{_C}]"
    f"|\u00f0[{_C}][{_C}][{_C}]"
)
"""UTF-8 as Windows-1252 or Latin-1: the most common of all, also in pieces that ftfy takes for real text."""
_SUSPECT = re.compile(
    "[^\x00-\x7f\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u2022\u00a0\u20ac\u00a3\u00b0\u00b7\u00ae"
    "\u00a9\u2212\u202f\u2009\u200b]"
)
"""Anything but the quotation marks, dashes and signs that well-read texts are full of."""
_LOST = re.compile(
    "\ufffd|\u00ef\u00bf\u00bd|\u043f\u0457\u0405|\u951f\u65a4|\u00b4\u2510\u00a2|\u2229\u2510\u255c|\u00d4\u00f8\u03a9"
    "|\u00e2\u20ac(?=[\\s\\w]|\\Z)|\u951f|\u70eb\u70eb|\u5c6f\u5c6f"
)
"""The replacement character, as it is and as UTF-8 read wrongly, and an apostrophe whose last byte went."""
_ASKED_AWAY = re.compile(
    r"\?(?<=[^\W\d_]\?)(?:(?:s|t|re|ve|ll|d|m)\b(?![=(])|[a-z]{1,20}\b(?![=&/(.?]))|\?(?<![?!\w]\?)\?{1,11}(?:"
    r" \?{2,12})+"
    r"|\?(?<=\s\?)[a-z]{2,20}\b(?!\?)"
)
"""A question mark where a letter or an apostrophe was: it?s, caf?s; and whole words of them."""
_SWAPPED = re.compile(
    "[a-z][\u00d5\u00c6\u2524\u0090\u0092\u0091](?:s|t|re|ve|ll|d|m)\\b"  # 'it's' with another set's sign
    "|\\b(?i:it|that|what|who|there|here|let|s?he|you|we|they|i|(?:do|does|did|is|are|was|were|has|have|had|would|could"
    "|should|ca|wo|ai)n)[\u00ed\u00f5](?:s|t|re|ve|ll|d|m)\\b"  # a sign that is a letter of pa\u00eds and v\u00f5re
    "|(?<![^\\W\\d_])[\u00ec\u00d2\u00f4\u0093](?=[A-Za-z])[^\u00ec\u00ee\u00d3\u00f6\\n]{2,200}[\u00ee\u00d3\u00f6"
    "\u0094](?![^\\W\\d_])"  # quotation marks
    "|[a-z]{2}[\u00c8\u00cb\u00d2\u00d3\u00da\u0398\u03a3\u00c1](?![^\\W\\d_a-z]"
    ")"  # a capital with an accent inside a word
    "|[a-z][\u00b8\u2030\u02c6\u2021\u207f\u00f7\u00b3\u201e\u201d\u201a\u00be\u00bc\u2264\u00a7\u017d\u0160\u0178"
    "\u2590\u2580\u0081\u008e\u009f\u008a\u009a][a-z]"
    "|[A-Za-z]{2}[\u0430-\u044f\u0410-\u042f](?![\u0400-\u04ff])[a-z]{0,10}\\b|[\u00c0-\u00ff\u00b8\u00a8]{5,}"
    "|[\u0080-\u0084\u0086-\u009f]"
)
"""One single-byte set read as another: it\u00eds, caf\u00c8, f\u00b8r, \u00cf\u00f0\u00e8\u00e2\u00e5\u00f2."""
_SWAPPED_NOUN = re.compile("[a-z]{5}[\u00ed\u00f5]s\\b")
_ENGLISH = re.compile(r"\b(?:the|and|of|is)\b")
"""The company\u00eds: only in English, since other languages end words so (comprend\u00eds)."""
_RUN = re.compile("[^\x00-\x7f]{1,12}[ -~]?")
_OTHER_SETS = ("cp850", "cp437", "mac_roman")
_WIDE_SETS = ("gbk", "cp932", "cp949", "big5")
_DRAWN = re.compile("[\u2500-\u259f\u00d4\u00d3\u03a9\u0393\u221a\u201a\u00ac\u00c3\u00d0\u00d1\u251c\u2524\u00ce]")
"""What UTF-8's first bytes look like in the DOS and Macintosh sets."""
_WIDE = re.compile("[\u3400-\u9fff\uac00-\ud7a3\uff61-\uff9f]{1,12}[ -~]?")
_EASTERN = re.compile("[\u3040-\u9fff\uac00-\ud7a3\uff61-\uff9f]")
_MIXED = re.compile(
    "[a-z][\u0391-\u03a9\u03c0\u0402-\u040f\u0431\u0433\u0434\u0436\u0437\u0439\u043b\u0444\u0446-\u0450\u2264\u2265"
    "\u207f\u221a\u2320\u2321\u2500-\u259f\u3040-\u9fff\uac00-\ud7a3\uff61-\uff9f]{1,4}[a-z]|[A-Za-z][\uff61-\uff9f]"
)
"""A letter of another script, or a drawn line, inside a word of small Latin letters."""
_LATIN = re.compile("[A-Za-z]")


def undecoded(text: str) -> str:
    """The first piece of a text that was decoded with the wrong character set; "" where there is none."""
    if "?" in text and (word := _lost_to_signs(text)):
        return word
    if text.isascii() or not _SUSPECT.search(text):
        return ""
    if lost := _LOST.search(text):
        return lost[0]
    for hit in _AS_WESTERN.finditer(text):
        if _redecoded(hit[0]) != hit[0]:
            return hit[0]
    if swapped := _SWAPPED.search(text) or (_ENGLISH.search(text) and _SWAPPED_NOUN.search(text)):
        return swapped[0]
    if (mixed := _MIXED.search(text)) and _is_mostly_latin(text):
        return mixed[0]
    if is_bad(text) and (mended := fix_encoding(text)) != text:
        return _first_difference(text, mended)
    if (mended := _mend_runs(text)) != text:
        return _first_difference(text, mended)
    return ""


def _lost_to_signs(text: str) -> str:
    """The word in which a question mark stands for a letter; addresses with a query are none."""
    for hit in _ASKED_AWAY.finditer(text):
        start = max(text.rfind(sign, max(0, hit.start() - 60), hit.start()) for sign in (" ", "\n")) + 1
        before = text[max(start, hit.start() - 30) : hit.start()]
        if not any(sign in before for sign in "/=&.@("):
            return before + hit[0]
    return ""


def _first_difference(text: str, other: str) -> str:
    place = next((n for n, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), 0)
    return text[max(0, place - 10) : place + 10].strip()


def _redecoded(piece: str) -> str:
    """UTF-8 that was read as Windows-1252 (or Latin-1), read rightly; the same piece where it is not that."""
    try:
        return b"".join(map(_byte, piece)).decode("utf-8")
    except UnicodeError:
        return piece


def _byte(character: str) -> bytes:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")


def mend_mojibake(text: str) -> str:
    """Wrongly decoded characters decoded rightly, even where it happened twice; lost ones stay as they are."""
    if text.isascii():
        return text
    for _ in range(2):
        mended = _AS_WESTERN.sub(lambda hit: _redecoded(hit[0]), text)
        if mended == text:
            break
        text = mended
    return _mend_runs(fix_encoding(text) if is_bad(text) else text)


def _mend_runs(text: str) -> str:
    """UTF-8 that was read as a DOS, Macintosh or East Asian set, read rightly."""
    if _DRAWN.search(text):
        text = _RUN.sub(lambda hit: _as_utf8(hit[0], _OTHER_SETS), text)
    if _WIDE.search(text) and _is_mostly_latin(text):
        text = _WIDE.sub(_in_a_word, text)
    return text


def _in_a_word(hit: re.Match[str]) -> str:
    """An East Asian run decoded rightly where it touches Latin letters: alone, it is a Chinese or Japanese word."""
    before, after = hit.string[max(0, hit.start() - 1) : hit.start()], hit.string[hit.end() : hit.end() + 1]
    touches = _LATIN.match(before) or _LATIN.match(hit[0][-1]) or (not hit[0][-1].isascii() and _LATIN.match(after))
    return _as_utf8(hit[0], _WIDE_SETS) if touches else hit[0]


def _is_mostly_latin(text: str) -> bool:
    """Whether East Asian characters are exceptions, as where they stand for accents and quotation marks."""
    return len(_EASTERN.findall(text)) < len(_LATIN.findall(text))


def _as_utf8(run: str, sets: tuple[str, ...]) -> str:
    """A run of characters as UTF-8 read with one of the sets, decoded rightly where that gives ordinary letters."""
    for name in sets:
        for size in (len(run), len(run) - 1):  # the last character may belong to the run, or be what follows it
            try:
                read = run[:size].encode(name).decode("utf-8")
            except UnicodeError:
                continue
            if read.isascii() or len(read) >= size + (name in _WIDE_SETS):
                continue
            if all(
                c.isascii()
                or "\u00a0" <= c <= "\u024f"
                or "\u2010" <= c <= "\u2044"
                or c in "\u20ac\u2122"
                or "\u0370" <= c <= "\u04ff"
                for c in read
            ):
                return read + run[size:]
    return run
