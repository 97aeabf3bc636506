"""Runs of words as numbers: what near duplicates and contamination are counted in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tutelage.data.duplicates import UNSPACED, folded

BLOCK = 1 << 16
"""Texts handled at a time; a text's number within its block has to fit 16 bits. Large blocks go back to the system
when they are freed, small ones stay with the process."""
BITS = 40
"""Bits of a run's hash. Of the 200 runs of a pair, two collide in one pair of 50 million."""
MASK = np.uint64((1 << BITS) - 1)
WORD = rf"[{UNSPACED}]|[\p{{L}}\p{{N}}_&&[^{UNSPACED}]]+"
"""What `duplicates.shingles` takes for a word, as Polars writes it."""
Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Grams:
    """The distinct runs of words of some texts, one text after the other.

    Attributes:
        hashes: of `BITS` bits, ascending within a text.
        sizes: how many of them each text has.
    """

    hashes: Hashes
    sizes: Numbers

    @property
    def owners(self) -> Numbers:
        """For every hash the number of its text."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)


def grams(texts: Iterable[str], size: int) -> Iterator[Grams]:
    """The distinct runs of `size` words of every text, `BLOCK` texts at a time.

    Words are those of `duplicates.shingles`, and so are short texts: fewer words are one run; no words, none.
    """
    source = iter(texts)
    while block := list(islice(source, BLOCK)):
        yield _block(block, size)


def merged(blocks: Iterable[Grams]) -> Iterator[Grams]:
    """The same texts in blocks as large as `grams` makes them."""
    waiting: list[Grams] = []
    for block in blocks:
        if waiting and sum(len(each.sizes) for each in waiting) + len(block.sizes) > BLOCK:
            yield _as_one(waiting)
            waiting = []
        waiting.append(block)
    if waiting:
        yield _as_one(waiting)


def _as_one(blocks: Sequence[Grams]) -> Grams:
    if len(blocks) == 1:
        return blocks[0]
    return Grams(np.concatenate([each.hashes for each in blocks]), np.concatenate([each.sizes for each in blocks]))


def unique(values: Hashes) -> Hashes:
    """The distinct values, ascending. NumPy's own `unique` hashes integers, which takes twenty times as long."""
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def spread(values: Hashes) -> Hashes:
    """Numbers scattered over 64 bits (the last steps of MurmurHash3, Appleby 2011)."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        values = (values ^ (values >> np.uint64(33))) * np.uint64(factor)
    return values ^ (values >> np.uint64(33))


def _words(texts: Sequence[str]) -> tuple[Hashes, Numbers]:
    """A hash of every word of the texts, in order, and how many words each text has."""
    import polars  # slow to import, and not needed where nothing is compared

    found = polars.Series([folded(text) for text in texts], dtype=polars.String).str.extract_all(WORD)
    counts = found.list.len().to_numpy().astype(np.int64)
    return found.explode(empty_as_null=False).hash().to_numpy(), counts


def _block(texts: Sequence[str], size: int) -> Grams:
    words, counts = _words(texts)
    owners = np.repeat(np.arange(len(texts)), counts)
    first = np.cumsum(counts) - counts
    whole = np.flatnonzero(owners[: max(0, len(owners) - size + 1)] == owners[size - 1 :])
    runs = [_runs(words, owners, size, whole)]
    runs += [_runs(words, owners, short, first[counts == short]) for short in range(1, size)]
    distinct = unique(np.concatenate(runs))
    sizes = np.bincount((distinct >> np.uint64(BITS)).astype(np.int64), minlength=len(texts))
    return Grams(distinct & MASK, sizes)


def _runs(words: Hashes, owners: Numbers, size: int, starts: Numbers) -> Hashes:
    """The runs of so many words that start there: the text's number, and below it `BITS` bits of hash."""
    mixed = np.full(len(starts), size, np.uint64)
    for place in range(size):
        mixed = spread(mixed + words[starts + place])
    return (owners[starts].astype(np.uint64) << np.uint64(BITS)) | (mixed >> np.uint64(64 - BITS))
