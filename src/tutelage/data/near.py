"""Near duplicates within one set of texts, or between two: every pair above the threshold, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.data import joining
from tutelage.data.duplicates import SHINGLE, Near
from tutelage.data.grams import Grams, Numbers, grams, merged
from tutelage.data.joining import COMPARED, SLACK, Entries, Sets

THRESHOLD = 0.8
"""Texts that share this much of their runs of three words are nearly the same."""
INDEXED = 1 << 22
"""Entries of one index; where there are more, indexes are made one after the other, each of a part of the tokens."""


@dataclass(frozen=True, slots=True)
class Join:
    """What is needed to find pairs of a text of `ours` and one of `theirs`, which is in the index.

    Attributes:
        entries: the rarest tokens of `ours`, one of which a text shares with any that similar.
        starts, counts: for each entry where in the index its partners start, and how many there are.
    """

    ours: Sets
    theirs: Sets
    entries: Entries
    index: Entries
    starts: Numbers
    counts: Numbers
    threshold: float


@dataclass(frozen=True, slots=True)
class Pairs:
    """Places of texts, and the Jaccard similarity of their runs of words."""

    first: Numbers
    second: Numbers
    similarity: NDArray[np.float64]

    def rows(self) -> list[tuple[int, int, float]]:
        """The pairs one by one."""
        return list(zip(self.first.tolist(), self.second.tolist(), self.similarity.tolist(), strict=True))


def near_duplicates(texts: Sequence[str], threshold: float = THRESHOLD) -> tuple[Near, ...]:
    """All pairs of texts whose runs' Jaccard similarity reaches the threshold, the first before the second.

    Exact but for colliding hashes, and without comparing all with all: two sets that similar share one of the
    rarest few runs of each, and the place of that run bounds what they can share at most (prefix, length and
    positional filters: Bayardo et al. 2007; Xiao et al. 2008, "Efficient similarity joins for near duplicate
    detection"). What is left is compared in full. Equal sets of runs are compared once.

    Args:
        texts: any number; beside them about 15 bytes for each of their words are needed.
        threshold: above 0, at most 1.
    """
    sets, alike = _distinct(grams(texts, SHINGLE))
    copies = _members(alike)
    found = {(a, b, 1.0) for own in copies for place, a in enumerate(own) for b in own[place + 1 :]}
    for join in _joins(sets, threshold):
        for first, second in _candidates(join, join.counts):
            for one, other, similarity in _compared(join, first, second).rows():
                found |= {(min(a, b), max(a, b), similarity) for a in copies[one] for b in copies[other]}
    return tuple(Near(*pair) for pair in sorted(found))


def near_groups(texts: Iterable[str], threshold: float = THRESHOLD) -> Numbers:
    """For every text the place of the first text in its group; groups are connected by near-duplicate pairs.

    The pairs are those of `near_duplicates`, but none is looked for where both are connected already: ten
    thousand versions of one text do not take fifty million comparisons.
    """
    return near_groups_of(grams(texts, SHINGLE), threshold)


def near_groups_of(blocks: Iterable[Grams], threshold: float = THRESHOLD) -> Numbers:
    """`near_groups`, of texts given as their runs of words."""
    sets, alike = _distinct(blocks)
    groups = np.arange(len(sets.sizes))
    for join in _joins(sets, threshold):
        for few in (True, False):  # neighbours in the index first: they connect most
            asked = np.minimum(join.counts, 1) if few else np.where(_is_connected(join, groups), 0, join.counts)
            for first, second in _candidates(join, asked):
                apart = groups[first] != groups[second]
                _connect(groups, _compared(join, first[apart], second[apart]))
    places = np.arange(len(alike))
    worded = np.flatnonzero(alike >= 0)
    _, firsts = np.unique(alike[worded], return_index=True)
    places[worded] = worded[firsts[groups[alike[worded]]]]
    return places


def near_between(a: Iterable[str], b: Iterable[str], threshold: float = THRESHOLD) -> tuple[Near, ...]:
    """All pairs of a text of `a` and one of `b`, as `duplicates.near_pairs` finds them; only `b` is held in memory."""
    blocks = list(grams(b, SHINGLE))
    table = joining.frequencies(blocks)
    theirs = joining.ordered(blocks, table, 1)
    index = joining.indexed(joining.entries(theirs, _needed(theirs, threshold)), theirs.sizes)
    found: list[tuple[int, int, float]] = []
    before = 0
    for block in grams(a, SHINGLE):
        join = _join_between(joining.ordered([block], table, 1), theirs, index, threshold)
        for first, second in _candidates(join, join.counts):
            found += [(before + one, other, like) for one, other, like in _compared(join, first, second).rows()]
        before += len(block.sizes)
    return tuple(Near(*pair) for pair in sorted(found))


def _needed(sets: Sets, threshold: float) -> Numbers:
    """How many runs of each text another one has to have at least."""
    needed: Numbers = np.ceil(threshold * sets.sizes - SLACK).astype(np.int64)
    return needed


def _largest(entries: Entries, sizes: Numbers, threshold: float) -> Numbers:
    """The size up to which another text may reach the threshold where this is the first token that both share."""
    own = sizes[entries.rows]
    most = (own - entries.places) * (1 + threshold) / threshold - own
    largest: Numbers = np.floor(most + SLACK).astype(np.int64)
    return largest


def _distinct(found: Iterable[Grams]) -> tuple[Sets, Numbers]:
    """The texts without repeats; and for every text its number among them."""
    blocks, alike = joining.distinct(list(merged(found)))
    return joining.ordered(blocks, joining.frequencies(blocks), 2), alike


def _joins(sets: Sets, threshold: float) -> Iterator[Join]:
    """Each text beside the larger ones, for a part of the tokens at a time; a pair may be found in several parts."""
    needed = _needed(sets, threshold)
    parts = 1 + int(joining.shown(sets, needed).sum()) // INDEXED
    for part in range(parts):
        index = joining.indexed(joining.entries(sets, needed, part, parts), sets.sizes)
        keys = joining.keys(index.tokens, sets.sizes[index.rows])
        ends = np.searchsorted(keys, joining.keys(index.tokens, _largest(index, sets.sizes, threshold)), "right")
        starts = np.arange(1, len(keys) + 1)
        yield Join(sets, sets, index, index, starts, np.maximum(ends - starts, 0), threshold)


def _join_between(ours: Sets, theirs: Sets, index: Entries, threshold: float) -> Join:
    needed = _needed(ours, threshold)
    entries = joining.entries(ours, needed)
    keys = joining.keys(index.tokens, theirs.sizes[index.rows])
    starts = np.searchsorted(keys, joining.keys(entries.tokens, needed[entries.rows]), "left")
    largest = _largest(entries, ours.sizes, threshold)
    ends = np.searchsorted(keys, joining.keys(entries.tokens, largest), "right")
    return Join(ours, theirs, entries, index, starts, np.maximum(ends - starts, 0), threshold)


def _candidates(join: Join, counts: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs that may reach the threshold, each once, at most `COMPARED` at a time."""
    for left, right in joining.looked_up(join.entries.rows, join.starts, counts):
        first, second = join.entries.rows[left], join.index.rows[right]
        own, other = join.ours.sizes[first], join.theirs.sizes[second]
        most = (other - join.index.places[right]) * (1 + join.threshold)
        may = most + SLACK >= join.threshold * (own + other)
        one, two = joining.pairs_of(first[may], second[may])
        for place in range(0, len(one), COMPARED):
            yield one[place : place + COMPARED], two[place : place + COMPARED]


def _compared(join: Join, first: Numbers, second: Numbers) -> Pairs:
    """Those of the pairs that reach the threshold."""
    shared = joining.shared(first, second, join.ours, join.theirs)
    similarity = shared / (join.ours.sizes[first] + join.theirs.sizes[second] - shared)
    near = similarity >= join.threshold
    return Pairs(first[near], second[near], similarity[near])


def _members(alike: Numbers) -> list[list[int]]:
    """For each distinct text the places of all that equal it."""
    members: list[list[int]] = [[] for _ in range(int(alike.max(initial=-1)) + 1)]
    for place, number in enumerate(alike.tolist()):
        if number >= 0:
            members[number].append(place)
    return members


def _is_connected(join: Join, groups: Numbers) -> NDArray[np.bool_]:
    """Whether an entry and all its partners are of one group already."""
    own = groups[join.index.rows]
    changes = np.append(0, np.cumsum(own[1:] != own[:-1]))[: len(own)]
    connected: NDArray[np.bool_] = changes == changes[join.starts + join.counts - 1]
    return connected


def _connect(groups: Numbers, pairs: Pairs) -> None:
    """Give both sides of every pair the smaller of their numbers, until nothing changes."""
    while True:
        one, other = groups[pairs.first], groups[pairs.second]
        if np.array_equal(one, other):
            return
        smaller = np.minimum(one, other)
        np.minimum.at(groups, one, smaller)
        np.minimum.at(groups, other, smaller)
        while not np.array_equal(groups, groups[groups]):
            groups[:] = groups[groups]
