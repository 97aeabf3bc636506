"""The numbers that reports show about a data set."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.data.spool import in_parts
from tutelage.records import Dataset, Example, Role

ENDINGS = ".!?)]}\"'`:\u2026\u3002\uff01\uff1f\u201d\u2019"


@dataclass(frozen=True, slots=True)
class Lengths:
    """Minimum, median, 95th percentile and maximum of some lengths; all 0 where there are none."""

    least: int = 0
    median: float = 0
    p95: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """What is in a data set. Shares lie between 0 and 1; `tags` and `findings` count conversations."""

    conversations: int
    turns: int
    roles: Mapping[str, int]
    groups: int
    largest_group: int
    prompt_chars: Lengths
    prompt_words: Lengths
    answer_chars: Lengths
    answer_words: Lengths
    share_with_system: float
    share_multi_turn: float
    share_ending_punctuation: float
    tags: Mapping[str, int]
    dropped: Mapping[str, int]
    findings: Mapping[str, int]

    def as_dict(self) -> dict[str, object]:
        """The profile as plain values for JSON."""
        return asdict(self)


def lengths(numbers: Sequence[int] | NDArray[np.int64]) -> Lengths:
    """Minimum, median, 95th percentile (nearest rank) and maximum."""
    ordered = np.sort(np.asarray(numbers, np.int64))
    if not len(ordered):
        return Lengths()
    p95 = ordered[min(len(ordered) - 1, max(0, -(-95 * len(ordered) // 100) - 1))]
    middle = (ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2])
    median = int(middle[0]) if len(ordered) % 2 else float(sum(map(int, middle)) / 2)
    return Lengths(int(ordered[0]), median, int(p95), int(ordered[-1]))


@dataclass(frozen=True, slots=True)
class _Counted:
    """The numbers of a part of a data set: lengths of texts by role, hashes of groups, and counts."""

    sizes: Mapping[str, NDArray[np.int64]]
    groups: NDArray[np.uint64]
    counts: Counter[str]
    roles: Counter[str]
    tags: Counter[str]


def _counted(examples: Sequence[Example]) -> _Counted:
    chars: dict[Role, list[int]] = {Role.USER: [], Role.ASSISTANT: []}
    words: dict[Role, list[int]] = {Role.USER: [], Role.ASSISTANT: []}
    counts: Counter[str] = Counter(conversations=len(examples))
    roles: Counter[str] = Counter()
    for example in examples:
        turns = example.conversation.turns
        counts["system"] += turns[0].role is Role.SYSTEM
        counts["several"] += sum(turn.role is Role.USER for turn in turns) > 1
        for turn in turns:
            roles[turn.role.value] += 1
            if turn.role in chars:
                chars[turn.role].append(len(turn.text))
                words[turn.role].append(len(turn.text.split()))
            if turn.role is Role.ASSISTANT and turn.text:
                counts["ended"] += turn.text[-1:] in ENDINGS
    sizes = {
        f"{role.value} {name}": np.array(of[role]) for name, of in (("chars", chars), ("words", words)) for role in of
    }
    groups = b"".join(hashlib.blake2b(example.group.encode(), digest_size=8).digest() for example in examples)
    tags = Counter(tag for example in examples for tag in example.tags)
    return _Counted(sizes, np.frombuffer(groups, np.uint64), counts, roles, tags)


def profile(dataset: Dataset) -> Profile:
    """Counts, lengths of every user text and every assistant text, shares, tags and findings."""
    parts = list(in_parts(dataset.examples, _counted, "lengths"))
    counts, roles, tags = Counter[str](), Counter[str](), Counter[str]()
    for part in parts:
        counts.update(part.counts)
        roles.update(part.roles)
        tags.update(part.tags)
    _, groups = np.unique(
        np.concatenate([np.zeros(0, np.uint64), *(part.groups for part in parts)]), return_counts=True
    )

    def found(name: str) -> Lengths:
        return lengths(np.concatenate([np.zeros(0, np.int64), *(part.sizes[name].astype(np.int64) for part in parts)]))

    def share(count: int, of: int) -> float:
        return count / of if of else 0.0

    return Profile(
        conversations=counts["conversations"],
        turns=roles.total(),
        roles=dict(roles),
        groups=len(groups),
        largest_group=int(groups.max(initial=0)),
        prompt_chars=found("user chars"),
        prompt_words=found("user words"),
        answer_chars=found("assistant chars"),
        answer_words=found("assistant words"),
        share_with_system=share(counts["system"], counts["conversations"]),
        share_multi_turn=share(counts["several"], counts["conversations"]),
        share_ending_punctuation=share(counts["ended"], roles[Role.ASSISTANT.value]),
        tags=dict(tags.most_common()),
        dropped=dict(Counter(row.rule for row in dataset.dropped).most_common()),
        findings=dict(Counter(found.rule for found in dataset.findings).most_common()),
    )
