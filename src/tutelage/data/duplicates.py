"""Whole-set rules: exact repeats, and near repeats between two sets of texts."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.data import spool
from tutelage.data.ledger import Reason, set_aside
from tutelage.data.sameness import folded as folded
from tutelage.data.sameness import key_of as key_of
from tutelage.data.sameness import normal as normal
from tutelage.records import Conversation, Dataset

SHINGLE = 3
"""Words in a shingle."""
UNSPACED = r"\u0E00-\u0E7F\u3040-\u30FF\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\U00020000-\U0003FFFF"
"""Chinese, Japanese and Thai are written without blanks: each of these characters counts as a word."""
_WORD = re.compile(f"[{UNSPACED}]|[^\\W{UNSPACED}]+")
Shingles = frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Near:
    """Two texts that share most of their shingles, by their places in the two sets."""

    first: int
    second: int
    similarity: float


def spoken(conversation: Conversation) -> str:
    """What user, assistant and tools say; a system turn is left out, since whole data sets share one."""
    return "\n".join(turn.text for turn in conversation.turns if turn.role != "system")


def drop_repeats(dataset: Dataset) -> Dataset:
    """The data set without conversations that repeat an earlier one; the first is kept.

    Repeats are equal in every turn after `normal`. The reason names the row that is repeated.
    """
    firsts = _firsts(spool.keys_of(dataset.examples))
    places = np.flatnonzero(firsts != np.arange(len(firsts)))
    stood = np.unique(firsts[places])
    kept = spool.chosen(dataset.examples, stood)
    sources = {place: example.source for place, example in zip(stood.tolist(), kept, strict=True)}
    repeats = {
        name: Reason("repeat", f"repeats {sources[first]}")
        for place, (name, first) in enumerate(zip(spool.ids(dataset.examples), firsts.tolist(), strict=True))
        if first != place
    }
    return set_aside(dataset, repeats)


def _firsts(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each key, a row of two numbers, the place of the first one that equals it."""
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    sorted_keys = keys[order]
    new = np.append(True, (sorted_keys[1:] != sorted_keys[:-1]).any(axis=1))[: len(order)]
    firsts = np.empty(len(order), np.int64)
    firsts[order] = order[np.flatnonzero(new)[np.cumsum(new) - 1]]
    return firsts


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
