"""Whole-set rules: exact repeats, and near repeats between two sets of texts."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.data.ledger import Reason, set_aside
from tutelage.records import Conversation, Dataset, Source, Turn

SHINGLE = 3
"""Words in a shingle."""
UNSPACED = r"\u0E00-\u0E7F\u3040-\u30FF\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\U00020000-\U0003FFFF"
"""Chinese, Japanese and Thai are written without blanks: each of these characters counts as a word."""
_WORD = re.compile(f"[{UNSPACED}]|[^\\W{UNSPACED}]+")
_UNSEEN = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
"""Soft hyphen, zero-width space, joiners and direction marks: they stand in a text and nobody sees them."""
Shingles = frozenset[tuple[str, ...]]


def _narrow() -> dict[int, str | None]:
    """What `normal` replaces: full- and half-width forms by the character they stand for, the unseen by nothing."""
    forms = ((code, unicodedata.decomposition(chr(code)).split()) for code in range(0x3000, 0x10000))
    table = {code: chr(int(form[1], 16)) for code, form in forms if form[:1] in (["<wide>"], ["<narrow>"])}
    return {**table, **dict.fromkeys(map(ord, _UNSEEN))}


_NARROW = _narrow()
_REPLACED = re.compile("[" + "".join(map(re.escape, map(chr, _NARROW))) + "]")


@dataclass(frozen=True, slots=True)
class Near:
    """Two texts that share most of their shingles, by their places in the two sets."""

    first: int
    second: int
    similarity: float


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
    content = [[turn.role.value, normal(turn.text), turn.is_trained] for turn in turns]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def spoken(conversation: Conversation) -> str:
    """What user, assistant and tools say; a system turn is left out, since whole data sets share one."""
    return "\n".join(turn.text for turn in conversation.turns if turn.role != "system")


def drop_repeats(dataset: Dataset) -> Dataset:
    """The data set without conversations that repeat an earlier one; the first is kept.

    Repeats are equal in every turn after `normal`. The reason names the row that is repeated.
    """
    first: dict[str, Source] = {}
    repeats: dict[str, Reason] = {}
    for example in dataset.examples:
        key = key_of(example.conversation.turns)
        if key in first:
            repeats[example.id] = Reason("repeat", f"repeats {first[key]}")
        else:
            first[key] = example.source
    return set_aside(dataset, repeats)


def shingles(text: str) -> Shingles:
    """The distinct runs of three words; a shorter text is one run; no words, none."""
    found = _WORD.findall(folded(text))
    if 0 < len(found) < SHINGLE:
        return frozenset([tuple(found)])
    return frozenset(zip(*(found[start:] for start in range(SHINGLE)), strict=False))


def near_pairs(a: Sequence[str], b: Sequence[str], threshold: float = 0.8) -> tuple[Near, ...]:
    """All pairs of a text of `a` and one of `b` whose shingles' Jaccard similarity reaches the threshold.

    Exact, not estimated: two sets that similar share one of the rarest shingles of either (prefix
    filtering, Bayardo et al. 2007), so only those are looked up in an inverted index.

    Args:
        a: texts.
        b: texts; pairs are named by the places in `a` and `b`.
        threshold: above 0, at most 1.
    """
    ours, theirs = list(map(shingles, a)), list(map(shingles, b))
    counts = Counter(shingle for side in (ours, theirs) for each in side for shingle in each)

    def rarest(each: Shingles) -> list[tuple[str, ...]]:
        shown = len(each) and len(each) - math.ceil(threshold * len(each) - 1e-9) + 1
        return sorted(each, key=lambda shingle: (counts[shingle], shingle))[:shown]

    index: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, each in enumerate(theirs):
        for shingle in rarest(each):
            index[shingle].append(place)
    found = []
    for place, each in enumerate(ours):
        candidates = {other for shingle in rarest(each) for other in index.get(shingle, ())} if each else set()
        for other in sorted(candidates):
            similarity = jaccard(each, theirs[other])
            if similarity >= threshold:
                found.append(Near(place, other, similarity))
    return tuple(found)


def jaccard(a: Shingles, b: Shingles) -> float:
    """Shared shingles as a share of all; 0 where both are empty."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared) if shared else 0.0
