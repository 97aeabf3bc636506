"""The numbers that reports show about a data set."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from tutelage.records import Dataset, Role

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


def lengths(numbers: Sequence[int]) -> Lengths:
    """Minimum, median, 95th percentile (nearest rank) and maximum."""
    if not numbers:
        return Lengths()
    ordered = sorted(numbers)
    p95 = ordered[min(len(ordered) - 1, max(0, -(-95 * len(ordered) // 100) - 1))]
    return Lengths(ordered[0], statistics.median(ordered), p95, ordered[-1])


def profile(dataset: Dataset) -> Profile:
    """Counts, lengths of every user text and every assistant text, shares, tags and findings."""
    conversations = [example.conversation for example in dataset.examples]
    turns = [turn for conversation in conversations for turn in conversation.turns]
    prompts = [turn.text for turn in turns if turn.role is Role.USER]
    answers = [turn.text for turn in turns if turn.role is Role.ASSISTANT]
    groups = Counter(example.group for example in dataset.examples)
    tags = Counter(tag for example in dataset.examples for tag in example.tags)

    def share(count: int, of: int) -> float:
        return count / of if of else 0.0

    system = sum(c.turns[0].role is Role.SYSTEM for c in conversations)
    questions = [sum(turn.role is Role.USER for turn in c.turns) for c in conversations]
    return Profile(
        conversations=len(conversations),
        turns=len(turns),
        roles=dict(Counter(turn.role.value for turn in turns)),
        groups=len(groups),
        largest_group=max(groups.values(), default=0),
        prompt_chars=lengths([len(text) for text in prompts]),
        prompt_words=lengths([len(text.split()) for text in prompts]),
        answer_chars=lengths([len(text) for text in answers]),
        answer_words=lengths([len(text.split()) for text in answers]),
        share_with_system=share(system, len(conversations)),
        share_multi_turn=share(sum(count > 1 for count in questions), len(conversations)),
        share_ending_punctuation=share(sum(text[-1:] in ENDINGS for text in answers if text), len(answers)),
        tags=dict(tags.most_common()),
        dropped=dict(Counter(row.rule for row in dataset.dropped).most_common()),
        findings=dict(Counter(found.rule for found in dataset.findings).most_common()),
    )
