"""Mixing other data in by share: chosen by hash, counted by size, so that the share is one of tokens and stays put."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tutelage.data.duplicates import key_of
from tutelage.data.ledger import Reason, set_aside
from tutelage.errors import DataError, UsageError
from tutelage.records import Dataset, Example

Size = Callable[[Example], int]


@dataclass(frozen=True, slots=True)
class Portion:
    """What is taken of one source.

    Attributes:
        name: of the source.
        asked: the share of the whole that it was to have.
        share: the share that it has.
        taken, of: conversations taken, and how many there are.
    """

    name: str
    asked: float
    share: float
    taken: int
    of: int

    def told(self) -> str:
        """What was taken, for a person; says so where all of it is too little."""
        part = f"{self.taken:,} of {self.of:,}" if self.taken < self.of else f"all {self.of:,}"
        said = f"Mixed in {part} conversations of {self.name}: {self.share:.1%} of the tokens"
        if self.taken == self.of and self.share < self.asked * 0.98:
            return f"{said}, not the {self.asked:.0%} asked for, since there are no more. A larger file gives more."
        return f"{said}."


def parse(entries: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """FILE:SHARE entries as names with their shares.

    Raises:
        UsageError: an entry is none, or the shares leave nothing for the data itself.
    """
    found = tuple(map(_entry, entries))
    if (total := sum(share for _, share in found)) >= 1:
        listed = " ".join(f"--mix {entry}" for entry in entries)
        raise UsageError(f"{listed}: the shares add up to {total:g}, and nothing is left for the data itself")
    return found


def _entry(entry: str) -> tuple[str, float]:
    name, _, text = entry.rpartition(":")
    wanted = "write FILE:SHARE, with a share between 0 and 1, e.g. general:0.2"
    if not name:
        raise UsageError(f"--mix {entry}: there is no share; {wanted}")
    try:
        share = float(text)
    except ValueError:
        raise UsageError(f"--mix {entry}: the share {text!r} is no number; {wanted}") from None
    if not 0 < share < 1:  # also refuses nan
        near = f"; for {text} % write {name}:{share / 100:g}" if 1 <= share < 100 else ""
        raise UsageError(f"--mix {entry}: the share {text} is not between 0 and 1{near or f'; {wanted}'}")
    return name, share


def mix(
    dataset: Dataset, others: Sequence[tuple[str, Dataset, float]], size: Size, seed: int = 0
) -> tuple[tuple[Dataset, ...], tuple[Portion, ...]]:
    """What is taken of each other data set, so that each is its share of the whole, by size.

    Each other set is taken in the order of the hashes of its conversations, up to where its size is nearest to what
    it should be: so the share is off by half a conversation at most, the order of rows does not matter, and rows
    added to a file move few of the choices. Where there is too little, all is taken. Conversations that are not taken
    are dropped by the rule `not mixed in`. Taken ones have ids that none in `dataset` and no other has.

    Args:
        dataset: what is mixed into; it is not changed.
        others: name, data set and share of each source.
        size: of a conversation, in tokens where there is a tokenizer.
        seed: other seeds choose others.

    Raises:
        DataError: for shares that are negative, or leave nothing for the data set itself.
    """
    total = sum(share for _, _, share in others)
    if total >= 1 or any(share < 0 for _, _, share in others):
        raise DataError(f"shares of {total:g} in all cannot be mixed in: they lie between 0 and 1, without 1")
    own = sum(map(size, dataset.examples)) if others else 0
    used = {example.id for example in dataset.examples}
    taken, sizes = [], []
    for _, other, share in others:
        order = sorted(other.examples, key=lambda example: _rank(seed, example.id))
        chosen = list(_up_to(own * share / (1 - total), order, size))
        sizes.append(sum(number for _, number in chosen))
        reason = Reason("not mixed in", f"{len(chosen)} of {len(other)} make up the share of {share:g}")
        left = set_aside(other, {example.id: reason for example in order[len(chosen) :]})
        taken.append(replace(left, examples=tuple(_renamed(left.examples, used))))
    whole = max(1, own + sum(sizes))
    portions = (
        Portion(name, share, number / whole, len(part), len(other))
        for (name, other, share), part, number in zip(others, taken, sizes, strict=True)
    )
    return tuple(taken), tuple(portions)


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _up_to(wanted: float, order: Sequence[Example], size: Size) -> Iterator[tuple[Example, int]]:
    """The first examples whose sizes add up to what is nearest to `wanted`."""
    total = 0
    for example in order:
        number = size(example)
        if total + number / 2 > wanted or total >= wanted:
            return
        total += number
        yield example, number


def _renamed(examples: Sequence[Example], used: set[str]) -> Iterator[Example]:
    """The examples with ids that are not used yet; they are entered into `used`."""
    for example in examples:
        name, number = example.id, 1
        while name in used:
            number += 1
            name = f"{example.conversation.content_hash()}-{number}"
        used.add(name)
        yield example if name == example.id else replace(example, id=name)


def joined(dataset: Dataset, others: Sequence[Dataset]) -> Dataset:
    """One data set of all examples, the other's after its own, and of all their ledgers."""
    for other in others:
        dataset = Dataset(
            examples=(*dataset.examples, *other.examples),
            dropped=(*dataset.dropped, *other.dropped),
            findings=(*dataset.findings, *other.findings),
            ledger=dataset.ledger + other.ledger,
            repairs=dict(Counter(dataset.repairs) + Counter(other.repairs)),
            ignored=(*dataset.ignored, *other.ignored),
            formats={**dataset.formats, **other.formats},
        )
    return dataset


def apart(dataset: Dataset, held: Dataset) -> Dataset:
    """The data set without conversations that start from the same prompt as a held-out one."""
    known = {key_of(example.conversation.prompt) for example in held.examples}
    reason = Reason("leak", "starts from the same prompt as a held-out conversation")
    return set_aside(dataset, {e.id: reason for e in dataset.examples if key_of(e.conversation.prompt) in known})


def characters(example: Example) -> int:
    """The size of a conversation where there is no tokenizer: its characters stand in for tokens."""
    return sum(len(turn.text) for turn in example.conversation.turns)
