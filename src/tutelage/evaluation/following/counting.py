"""Words, sentences, paragraphs, lines and list items of an answer: how they are counted, for every check alike.

The rules are written for what people mean by "at most 50 words" or "exactly three sentences":

- A word stands between blanks or dashes and holds a letter or digit: "well-known", "e.g.", "3.5" and "and/or" are one
  each. The number of a list item ("2.") is none. Scripts without blanks between words (Chinese, Japanese, Thai, Lao,
  Khmer, Burmese) count a word for each character, as word processors do.
- A sentence ends with . ! ? … or their like in other scripts, at a blank or the end; 。！？ end one anywhere. It does
  not end after an abbreviation or an initial, or where a small letter follows. A new line ends it, unless that line
  begins with a small letter. What holds no letter or digit is no sentence.
- Paragraphs are parted by blank lines; a line is one that is not blank.

All are linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata

from tutelage.data.exchange import word_set

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNSPACED_SIGN = re.compile(f"[{_UNSPACED}]")
_BETWEEN = re.compile("[\\s\u2014\u2015]+|--+")
_ITEM_NUMBER = re.compile(r"^[ \t]{0,12}(?:[*_]{0,3})[0-9]{1,3}[.)](?:[*_]{0,3})(?=[ \t])", re.MULTILINE)
_BULLET = re.compile("[ \t]{0,12}[-*+\u2022\u2023\u25e6\u2043\u2219\u00b7\u2013\u25cf\u25aa][ \t]+(?=\\S)")
_NUMBERED = re.compile(r"[ \t]{0,12}[*_]{0,3}([0-9]{1,3})[.)][*_]{0,3}[ \t]+(?=\S)")
_RULE = re.compile(r"[ \t]{0,12}(?:[-*_][ \t]{0,3}){3,200}$")
_BLANK_LINE = re.compile(r"\n[ \t\r\f\v]*\n")
_MARKS = ".!?\u2026\u061f\u06d4\u0964\u0965"
# tried once in a run of marks, and not again when it fails: a hundred thousand points take no longer than letters
_END = re.compile(rf"(?<![{_MARKS}])[{_MARKS}]++[\"'\u201d\u2019\u00bb)\]*_]{{0,6}}(?=\s|$)")
_WIDE_END = re.compile("[\u3002\uff01\uff1f\uff61]+[\u300d\u300f\u201d\u2019\uff09)\"']{0,6}")
_TITLES = word_set(
    "dr mr mrs ms prof st rev hon sgt capt col gen lt gov sen rep mt ft fig nos vol pp ed eds vs approx ca cf al dept"
    " hr fr nr bd str sr sra srta dña mme mlle abs bzw ggf vgl evtl inkl zzgl tel sog inc jan feb apr jun jul"
    " aug sep sept oct nov dec"
)
"""Abbreviations after which the same sentence goes on, with a capital letter too."""
_DOTTED = re.compile(r"(?:[^\W\d_]\.){1,5}$")
_DOTTED_THEN_END = frozenset({"a.m.", "p.m.", "b.c.", "a.d."})
"""Dotted abbreviations that a sentence may end with; "etc." and its like are told by the capital that follows."""


def words(text: str) -> list[str]:
    """The words of a text, in order, as they stand there."""
    found = []
    for piece in _BETWEEN.split(_ITEM_NUMBER.sub(" ", text)):
        parts = _parts(piece) if not piece.isascii() and _UNSPACED_SIGN.search(piece) else [piece]
        found += [part for part in parts if any(map(str.isalnum, part))]
    return found


def _parts(piece: str) -> list[str]:
    """A piece without blanks as words: each character of a script without blanks is one, and what lies between."""
    return _UNSPACED_SIGN.sub(lambda hit: f" {hit[0]} ", piece).split()


def lines(text: str) -> list[str]:
    """The lines that are not blank, stripped."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def paragraphs(text: str) -> list[str]:
    """Blocks between blank lines that hold a letter or digit."""
    blocks = _BLANK_LINE.split("\n".join(text.splitlines()))
    return [block.strip() for block in blocks if any(map(str.isalnum, block))]


def bullets(text: str) -> list[str]:
    """The text of each bulleted item; a rule (`---`) is none, and neither is a numbered item."""
    found = []
    for line in text.splitlines():
        if (hit := _BULLET.match(line)) and not _RULE.match(line):
            found.append(line[hit.end() :].strip())
    return found


def numbered(text: str) -> list[tuple[int, str]]:
    """Number and text of each numbered item (`1.` or `1)`)."""
    found = []
    for line in text.splitlines():
        if hit := _NUMBERED.match(line):
            found.append((int(hit[1]), line[hit.end() :].strip()))
    return found


def sentences(text: str) -> list[str]:
    """The sentences of a text, with their closing marks."""
    found: list[str] = []
    for block in _joined_lines(text):
        found += [piece for piece in _sentences_of(block) if any(map(str.isalnum, piece))]
    return found


def _joined_lines(text: str) -> list[str]:
    """Lines without markers of lists and headings; one that begins with a small letter goes on with the line before."""
    blocks: list[list[str]] = []
    open_block = False
    for line in text.splitlines():
        hit = _BULLET.match(line) or _NUMBERED.match(line)
        bare = (line[hit.end() :] if hit else line).strip().lstrip("#>").strip()
        if bare and open_block and not hit and bare[0].islower():
            blocks[-1].append(bare)
        elif bare:
            blocks.append([bare])
        open_block = bool(bare)
    return [" ".join(block) for block in blocks]


def _sentences_of(block: str) -> list[str]:
    ends = [hit.end() for hit in _END.finditer(block) if _is_end(block, hit)]
    ends += [hit.end() for hit in _WIDE_END.finditer(block) if not block.startswith("と", hit.end())]
    found, start = [], 0
    for end in sorted({*ends, len(block)}):
        found.append(block[start:end].strip())
        start = end
    return found


def _is_end(block: str, hit: re.Match[str]) -> bool:
    after = block[hit.end() : hit.end() + 8].lstrip(" \t\"'\u201c\u2018\u00ab(*_")
    if after[:1].islower():
        return False
    if hit[0][0] != "." or hit[0].startswith("..") or not after:
        return True
    before = block[max(0, hit.start() - 20) : hit.start() + 1].split()[-1].lstrip("([\"'\u201c\u2018*_")
    if _DOTTED.fullmatch(before):
        # "5 p.m. Then" ends; "J. Smith", "e.g. Paris" and "U.S. Embassy" do not
        return before.lower() in _DOTTED_THEN_END
    if before.lower() == "no." and after[0].isdigit():
        return False
    return before[:-1].lower() not in _TITLES


def is_part_of_word(sign: str) -> bool:
    """Whether a character (or "") belongs to a word beside it: letters, digits and the marks that stand on them."""
    return bool(sign) and not _UNSPACED_SIGN.match(sign) and (sign.isalnum() or unicodedata.category(sign)[0] == "M")


def plain(text: str, case: bool = False) -> str:
    """A text as it is compared: composed characters, straight quotation marks; without `case` in small letters."""
    text = unicodedata.normalize("NFC", text).translate(_STRAIGHT)
    return text if case else text.casefold()


_STRAIGHT = str.maketrans("\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00a0\u202f", "''''\"\"\"\"  ")


def places(text: str, phrase: str) -> list[int]:
    """Where a phrase stands in a text as whole words; both as `plain` makes them.

    "Ann" stands in "Ann's", and not in "Anna". An end of the phrase that is no letter or digit ("C++") needs no
    boundary, and neither has a script without blanks.
    """
    found, start = [], text.find(phrase) if phrase else -1
    while start >= 0:
        end = start + len(phrase)
        before = is_part_of_word(phrase[0]) and is_part_of_word(text[start - 1 : start])
        after = is_part_of_word(phrase[-1]) and is_part_of_word(text[end : end + 1])
        if not before and not after:
            found.append(start)
        start = text.find(phrase, start + 1)
    return found


def shown(text: str, most: int = 60) -> str:
    """A piece of an answer for a reason: on one line, without characters that a terminal obeys, cut at `most`."""
    flat = " ".join(
        "".join(sign if sign.isprintable() or sign.isspace() else "\ufffd" for sign in text[: 4 * most]).split()
    )
    cut = flat if len(flat) <= most else flat[: most - 1].rstrip() + "\u2026"
    return f"\u201c{cut}\u201d"
