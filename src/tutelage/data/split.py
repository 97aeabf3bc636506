"""A stable hold-out by content hash and by group, the check that nothing leaks, and mixing data sets."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tutelage.data.duplicates import key_of, near_pairs, spoken
from tutelage.data.ledger import Reason, set_aside
from tutelage.errors import DataError
from tutelage.records import Dataset, Example, Ledger, with_ids

FEWEST = 10
"""From so many conversations on, at least one is held out."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A training example that gives away a held-out one.

    `kind` is group (the same ticket or task), exact (the same conversation), prompt (the same question,
    answered otherwise) or near (most of the words' runs are shared).
    """

    train: Example
    held: Example
    kind: str
    similarity: float = 1.0

    def __str__(self) -> str:
        return f"{self.train.source} gives away the held-out {self.held.source} ({self.kind})"


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def hold_out(dataset: Dataset, share: float, most: int, seed: int = 0) -> tuple[Dataset, Dataset]:
    """A part for training and a part held out for measuring.

    Whole groups are held out, those with the smallest hash of their name first, until min(share of all,
    most) conversations are; a group too large for the room left is passed by. So the choice does not
    depend on the order of the rows, and adding rows moves few others. Conversations without a group of
    their own are held out together with those that start from the same prompt. With ten conversations or
    more and a share above 0 at least one is held out, where some group is at most half of the data.

    Returns:
        training part (in its ledger the others are dropped by the rule `held out`) and held-out part.
    """
    examples = dataset.examples
    families = list(map(_family, examples))
    chosen = _chosen(families, share, most, seed)
    if not chosen:  # most conversations start from one prompt: then their answers are what differs
        families = [example.group for example in examples]
        chosen = _chosen(families, share, most, seed)
    held = tuple(e for e, family in zip(examples, families, strict=True) if family in chosen)
    reason = Reason("held out", "kept aside for measuring")
    return set_aside(dataset, {example.id: reason for example in held}), _part(dataset, held)


def _family(example: Example) -> str:
    """The group; or, where it is just the conversation's own content, its prompt."""
    own = example.group == example.conversation.content_hash()
    return f"prompt {key_of(example.conversation.prompt)}" if own else example.group


def _chosen(families: Sequence[str], share: float, most: int, seed: int) -> set[str]:
    target = round(share * len(families))
    if share > 0 and len(families) >= FEWEST:
        target = max(1, target)
    room = min(target, most, len(families) - 1)
    if room <= 0:
        return set()
    sizes = Counter(families)
    chosen: set[str] = set()
    for group in sorted(sizes, key=lambda name: _rank(seed, name)):
        if sizes[group] <= room:
            chosen.add(group)
            room -= sizes[group]
    if not chosen:
        smallest = min(sizes, key=lambda name: (sizes[name], _rank(seed, name)))
        chosen = {smallest} if 2 * sizes[smallest] <= len(families) else set()
    return chosen


def _part(dataset: Dataset, examples: tuple[Example, ...]) -> Dataset:
    """Some examples as a data set of their own, with a ledger of their rows only."""
    rows = len({(e.source.file, row) for e in examples for row in e.source.rows})
    ledger = Ledger(rows, rows, 0, len(examples), len(examples), 0)
    files = {example.source.file for example in examples}
    formats = {file: name for file, name in dataset.formats.items() if file in files}
    return Dataset(examples, ledger=ledger, formats=formats)


def leaks(train: Dataset, held: Dataset, threshold: float = 0.8) -> tuple[Leak, ...]:
    """Every training example that gives away a held-out one, once, by its strongest kind.

    Near leaks share `threshold` of their runs of three words, over all that is said but the system turn.
    """
    found: dict[str, Leak] = {}
    kinds = (
        ("group", lambda example: example.group),
        ("exact", lambda example: key_of(example.conversation.turns)),
        ("prompt", lambda example: key_of(example.conversation.prompt)),
    )
    for kind, name in kinds:
        known: dict[str, list[Example]] = defaultdict(list)
        for example in held.examples:
            known[name(example)].append(example)
        for example in train.examples:
            if example.id not in found and name(example) in known:
                found[example.id] = Leak(example, known[name(example)][0], kind)
    rest = [example for example in train.examples if example.id not in found]
    ours = [spoken(example.conversation) for example in rest]
    for near in near_pairs(ours, [spoken(e.conversation) for e in held.examples], threshold):
        example = rest[near.first]
        if example.id not in found or near.similarity > found[example.id].similarity:
            found[example.id] = Leak(example, held.examples[near.second], "near", near.similarity)
    return tuple(found[example.id] for example in train.examples if example.id in found)


def drop_leaks(train: Dataset, held: Dataset, threshold: float = 0.8) -> Dataset:
    """The training part without the examples that give away held-out ones."""
    found = leaks(train, held, threshold)
    return set_aside(train, {leak.train.id: Reason("leak", str(leak)) for leak in found})


def mix(dataset: Dataset, other: Dataset, share: float, seed: int = 0) -> Dataset:
    """The data set with examples of another, chosen by hash, which then are `share` of the whole.

    Where the other holds fewer, all of it is taken. Those not taken are dropped by the rule `not mixed in`.

    Raises:
        DataError: for a share outside 0 to 1.
    """
    if not 0 <= share < 1:
        raise DataError(f"a share of {share} cannot be mixed in: it lies between 0 and 1, without 1")
    wanted = round(len(dataset) * share / (1 - share))
    order = sorted(other.examples, key=lambda example: _rank(seed, example.id))
    reason = Reason("not mixed in", f"{min(wanted, len(other))} of {len(other)} make up the share")
    taken = set_aside(other, {example.id: reason for example in order[wanted:]})
    both = (*dataset.examples, *taken.examples)
    return replace(
        dataset,
        examples=with_ids((e.conversation, e.source, e.group, e.tags) for e in both),
        dropped=(*dataset.dropped, *taken.dropped),
        findings=(*dataset.findings, *taken.findings),
        ledger=dataset.ledger + taken.ledger,
        repairs=dict(Counter(dataset.repairs) + Counter(taken.repairs)),
        ignored=(*dataset.ignored, *taken.ignored),
        formats={**dataset.formats, **taken.formats},
    )
