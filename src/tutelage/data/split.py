"""A stable hold-out by content hash and by group, and the check that nothing leaks."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.data.duplicates import key_of, spoken
from tutelage.data.ledger import Reason, set_aside
from tutelage.data.near import THRESHOLD, near_between
from tutelage.records import Dataset, Example, Ledger

FEWEST = 10
"""From so many conversations on, at least one is held out."""
HELD_OUT = Reason("held out", "kept aside for measuring")
HELD_BACK = Reason("held back", "kept from training, so that the parts stay the same when rows are added")


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

    A group is kept from training where the hash of its name, as a fraction, is below the share, whatever else is
    in the data: so adding rows never moves an old one from one part to the other, their order does not matter,
    and no group stands on both sides. Of the conversations kept from training the first `most`, by the hash of
    their group and their own, are measured. The others are held back: training on them would mean that a
    conversation moves into training once others are measured in its place.

    Conversations without a group of their own are of one group with those that start from the same prompt. A
    group of more than half of the conversations is always trained on. Below ten conversations nothing is held
    out; from ten on, where no hash is below the share, the group with the smallest stands in, until one is.

    Returns:
        training part (in its ledger the others are dropped by the rules `held out` and `held back`) and the
        held-out part.
    """
    examples = dataset.examples
    families = list(map(_family, examples))
    chosen = _chosen(families, share, seed) if most else set()
    if most and not chosen:  # most conversations start from one prompt: then their answers are what differs
        families = [example.group for example in examples]
        chosen = _chosen(families, share, seed)
    aside = [(e, family) for e, family in zip(examples, families, strict=True) if family in chosen]
    aside.sort(key=lambda pair: (_rank(seed, pair[1]), _rank(seed, pair[0].id)))
    held = {example.id for example, _ in aside[:most]}
    reasons = {example.id: HELD_OUT if example.id in held else HELD_BACK for example, _ in aside}
    return set_aside(dataset, reasons), _part(dataset, tuple(e for e in examples if e.id in held))


def settled(dataset: Dataset, train: Dataset, held: Dataset) -> Dataset:
    """The data set with the conversations that are in neither part entered as held back."""
    used = {example.id for part in (train, held) for example in part.examples}
    return set_aside(dataset, {example.id: HELD_BACK for example in dataset.examples if example.id not in used})


def _family(example: Example) -> str:
    """The group; or, where it is just the conversation's own content, its prompt."""
    own = example.group == example.conversation.content_hash()
    return f"prompt {key_of(example.conversation.prompt)}" if own else example.group


def _chosen(families: Sequence[str], share: float, seed: int) -> set[str]:
    """The groups that are kept from training."""
    if share <= 0 or len(families) < FEWEST:
        return set()
    sizes = Counter(families)
    ranks = {name: _rank(seed, name) for name, size in sizes.items() if 2 * size <= len(families)}
    chosen = {name for name, rank in ranks.items() if int.from_bytes(rank[:8]) < share * 2**64}
    if not chosen and ranks:
        chosen = {min(ranks, key=lambda name: ranks[name])}
    if len(chosen) == len(sizes):  # something has to be trained on
        chosen.remove(max(ranks, key=lambda name: ranks[name]))
    return chosen


def _part(dataset: Dataset, examples: tuple[Example, ...]) -> Dataset:
    """Some examples as a data set of their own, with a ledger of their rows only."""
    rows = len({(e.source.file, row) for e in examples for row in e.source.rows})
    ledger = Ledger(rows, rows, 0, len(examples), len(examples), 0)
    files = {example.source.file for example in examples}
    formats = {file: name for file, name in dataset.formats.items() if file in files}
    return Dataset(examples, ledger=ledger, formats=formats)


def leaks(train: Dataset, held: Dataset, threshold: float = THRESHOLD) -> tuple[Leak, ...]:
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
    ours = (spoken(example.conversation) for example in rest)
    for near in near_between(ours, [spoken(e.conversation) for e in held.examples], threshold):
        example = rest[near.first]
        if example.id not in found or near.similarity > found[example.id].similarity:
            found[example.id] = Leak(example, held.examples[near.second], "near", near.similarity)
    return tuple(found[example.id] for example in train.examples if example.id in found)


def drop_leaks(train: Dataset, held: Dataset, threshold: float = THRESHOLD) -> Dataset:
    """The training part without the examples that give away held-out ones."""
    found = leaks(train, held, threshold)
    return set_aside(train, {leak.train.id: Reason("leak", str(leak)) for leak in found})
