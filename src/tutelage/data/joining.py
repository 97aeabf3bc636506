"""Sets of runs that share enough, found without comparing all with all: the parts of a set similarity join."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.data.grams import BITS, BLOCK, Grams, Hashes, Numbers, spread, unique

LOOKED_UP = 1 << 22
"""Places of the index looked at side by side."""
COMPARED = 1 << 16
"""Pairs compared in full side by side; a pair's number has to fit 16 bits."""
SLACK = 1e-9
"""For bounds in floating point: a pair on the bound is looked at, and decided when it is compared."""
_LONGEST = (1 << 16) - 1
_TOKEN = np.uint64(BITS + 8)
"""A token is a run's hash below how often the run occurs: ascending tokens are ever more frequent runs."""
Places = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Sets:
    """Texts as ascending tokens, the rarest first.

    Attributes:
        tokens: of one text after the other, without hidden ones, which no text that matters has.
        starts: where each text's tokens start; one more than there are texts.
        sizes: how many runs each text has, hidden ones too.
    """

    tokens: Hashes
    starts: Numbers
    sizes: Numbers

    @property
    def counts(self) -> Numbers:
        """How many tokens stand in `tokens` for each text."""
        return np.diff(self.starts)


@dataclass(frozen=True, slots=True)
class Entries:
    """Tokens that texts are looked up by: the text, the token's place among all of the text's, and the token."""

    rows: Places
    places: Places
    tokens: Hashes


def distinct(blocks: list[Grams]) -> tuple[list[Grams], Numbers]:
    """The texts without those whose runs equal an earlier text's; for each text its number there, -1 without words."""
    sizes = _joined([block.sizes for block in blocks])
    worded = np.flatnonzero(sizes)
    prints = np.concatenate([np.zeros(0, np.uint64), *map(_prints, blocks)])[worded]
    _, first, number = np.unique(prints, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    alike = np.full(len(sizes), -1)
    alike[worded] = rank[number]
    kept = np.zeros(len(sizes), bool)
    kept[worded[first]] = True
    before = 0
    for place, block in enumerate(blocks):
        own = kept[before : before + len(block.sizes)]
        before += len(block.sizes)
        if not own.all():
            blocks[place] = Grams(block.hashes[np.repeat(own, block.sizes)], block.sizes[own])
    return blocks, alike


def _prints(block: Grams) -> Hashes:
    """A hash of each text's set of runs: the sum of theirs."""
    sums: Hashes = np.append(np.uint64(0), np.cumsum(spread(block.hashes), dtype=np.uint64))
    ends = np.cumsum(block.sizes)
    found: Hashes = sums[ends] - sums[ends - block.sizes]
    return found


def _joined(parts: Sequence[Numbers]) -> Numbers:
    return np.concatenate([np.zeros(0, np.int64), *parts])


def frequencies(blocks: Sequence[Grams]) -> NDArray[np.uint8]:
    """How many texts have a run, up to 255, by the lower bits of its hash; runs that share them count together.

    Any order of all runs serves the join, so this rough one does, in 2 to 4 bytes a run and at most 1 GB.
    """
    total = sum(len(block.hashes) for block in blocks)
    table = np.zeros(1 << min(max(total.bit_length() + 1, 16), 30), np.uint8)
    for block in blocks:
        slots = np.sort((block.hashes & np.uint64(len(table) - 1)).astype(np.uint32))
        places = np.flatnonzero(np.append(True, slots[1:] != slots[:-1]))[: len(slots)]
        counts = np.diff(places, append=len(slots)) + table[slots[places]]
        table[slots[places]] = np.minimum(counts, 255)
    return table


def ordered(blocks: list[Grams], table: NDArray[np.uint8], least: int) -> Sets:
    """Texts as tokens; runs that fewer than `least` texts have are hidden. Empties `blocks`, to spare memory."""
    tokens = np.empty(sum(len(block.hashes) for block in blocks), np.uint64)
    counts, sizes, filled = [], [], 0
    while blocks:
        block = blocks.pop(0)
        often = table[block.hashes & np.uint64(len(table) - 1)]
        shown = often >= least
        owners = block.owners[shown]
        ranked = (often[shown].astype(np.uint64) << np.uint64(BITS)) | block.hashes[shown]
        ascending = np.sort((owners.astype(np.uint64) << _TOKEN) | ranked)
        tokens[filled : filled + len(ascending)] = ascending & np.uint64((1 << int(_TOKEN)) - 1)
        counts.append(np.bincount(owners, minlength=len(block.sizes)))
        sizes.append(block.sizes)
        filled += len(ascending)
    return Sets(tokens[:filled], np.append(0, np.cumsum(_joined(counts))), _joined(sizes))


def entries(sets: Sets, needed: Numbers, part: int = 0, parts: int = 1) -> Entries:
    """The rarest tokens of each text: of those shown, what any text that shares `needed` of all has one of.

    Args:
        part, parts: only the tokens of one of so many parts, to spare memory.
    """
    counts, hidden = shown(sets, needed), sets.sizes - sets.counts
    rows, places, tokens = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)], [np.zeros(0, np.uint64)]
    for start in range(0, len(counts), BLOCK):
        count = counts[start : start + BLOCK]
        own = np.repeat(np.arange(start, start + len(count), dtype=np.int32), count)
        within = ranges(np.zeros(len(count), np.int64), count)
        token = sets.tokens[sets.starts[own] + within]
        asked = token % np.uint64(parts) == part
        rows.append(own[asked])
        places.append((within + hidden[own]).astype(np.int32)[asked])
        tokens.append(token[asked])
    return Entries(np.concatenate(rows), np.concatenate(places), np.concatenate(tokens))


def shown(sets: Sets, needed: Numbers) -> Numbers:
    """How many entries each text has: hidden tokens, the rarest of all, are among the first and need none."""
    counts: Numbers = np.clip(sets.counts - needed + 1, 0, sets.counts)
    return counts


def indexed(found: Entries, sizes: Numbers) -> Entries:
    """Entries ordered by token, then by the size of their text, then by its place."""
    order = np.argsort(keys(found.tokens, sizes[found.rows]), kind="stable")
    return Entries(found.rows[order], found.places[order], found.tokens[order])


def keys(tokens: Hashes, sizes: Numbers) -> Hashes:
    """What an index is ordered by."""
    return (tokens << np.uint64(16)) | np.clip(sizes, 0, _LONGEST).astype(np.uint64)


def looked_up(rows: Places, starts: Numbers, counts: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Entries beside the entries of the index that they are to be compared with, in bounded portions.

    All of a text's stand in the same portion, so that a pair of texts can be made to stand there once.

    Args:
        rows: the text of each entry.
        starts, counts: for each entry where in the index its partners start, and how many there are.
    """
    asked = np.flatnonzero(counts)
    asked = asked[np.argsort(rows[asked], kind="stable")]
    done = np.cumsum(counts[asked])
    last = np.flatnonzero(np.append(np.diff(rows[asked]) != 0, True))[: len(asked)]
    place = 0
    while place < len(asked):
        room = LOOKED_UP + (done[place - 1] if place else 0)
        end = max(np.searchsorted(done[last], room, "right") - 1, np.searchsorted(last, place))
        chosen, place = asked[place : last[end] + 1], int(last[end]) + 1
        yield np.repeat(chosen, counts[chosen]), ranges(starts[chosen], counts[chosen])


def pairs_of(first: Places, second: Places) -> tuple[Numbers, Numbers]:
    """The distinct pairs, in order."""
    packed = unique((first.astype(np.uint64) << np.uint64(32)) | second.astype(np.uint64)).view(np.int64)
    return packed >> 32, packed & ((1 << 32) - 1)


def shared(first: Numbers, second: Numbers, ours: Sets, theirs: Sets) -> Numbers:
    """How many runs each of at most `COMPARED` pairs shares."""
    # Two ascending rows of numbers: NumPy's stable sort (timsort) merges them in one pass.
    both = np.sort(np.concatenate((_numbered(ours, first), _numbered(theirs, second))), kind="stable")
    equal = both[:-1][both[1:] == both[:-1]]
    return np.bincount((equal >> _TOKEN).astype(np.int64), minlength=len(first))


def _numbered(sets: Sets, rows: Numbers) -> Hashes:
    """The tokens of some texts, each below the number of its text in `rows`."""
    counts = sets.counts[rows]
    numbers = np.repeat(np.arange(len(rows), dtype=np.uint64), counts)
    return (numbers << _TOKEN) | sets.tokens[ranges(sets.starts[rows], counts)]


def ranges(starts: Numbers, counts: Numbers) -> Numbers:
    """start, start + 1, … for each start, as many as its count says."""
    ends = np.cumsum(counts)
    found: Numbers = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + counts, counts)
    return found
