"""Near duplicates in a data set: one of each group stands for the others, which are flagged or dropped."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tutelage.data.duplicates import jaccard, shingles, spoken
from tutelage.data.ledger import Reason, set_aside
from tutelage.data.near import THRESHOLD, near_groups
from tutelage.records import Dataset, Example, Finding, Role, Source

RULE = "near duplicate"
FEWEST_WORDS = 10
"""Shorter questions, and shorter answers, are not compared alone: labels and greetings repeat, and may."""
ROUNDS = 20
"""Chains, in which the ends have little in common, are taken apart in so many rounds at most."""


@dataclass(frozen=True, slots=True)
class View:
    """What of an example is compared."""

    name: str
    text: Callable[[Example], str]


WHOLE = View("question and answer", lambda example: spoken(example.conversation))
QUESTION = View("question", lambda example: _said(example, Role.USER))
ANSWER = View("answer", lambda example: _said(example, Role.ASSISTANT))


def mark_near(dataset: Dataset, action: Literal["off", "flag", "drop"], threshold: float = THRESHOLD) -> Dataset:
    """The data set with its near duplicates flagged, or with one of each group only.

    Three times groups are looked for: over question and answer together, over the questions and over the
    answers alone (from `FEWEST_WORDS` words on); system turns are left out. In a group the best stands for all
    that are near to it: fewest findings of the quality rules; of these, the longest last answer; of these, the
    first. Those not near to it, linked through others, make groups again. The reason of each one names the row
    that stands for it. Dropped are only those that are near in question and answer together: another answer to
    the same question, or the same answer to another one, may be something to learn, and is flagged.

    Args:
        action: off (the data set as it is), flag or drop.
        threshold: share of the runs of three words that a pair has in common.
    """
    if action == "off":
        return dataset
    faults = Counter(found.source for found in dataset.findings)
    whole = _represented(dataset.examples, WHOLE, faults, threshold)
    alone = tuple(example for example in dataset.examples if example.id not in whole)
    flags = [_represented(alone, view, faults, threshold) for view in (QUESTION, ANSWER)]
    if action == "flag":
        flags.append(whole)
    rest = set_aside(dataset, whole) if action == "drop" else dataset
    found = [
        Finding(example.source, reasons[example.id].rule, "flag", reasons[example.id].text)
        for example in rest.examples
        for reasons in flags
        if example.id in reasons
    ]
    return replace(rest, findings=(*rest.findings, *found))


def _said(example: Example, role: Role) -> str:
    """All that one side says; nothing where that is only a few words."""
    text = "\n".join(turn.text for turn in example.conversation.turns if turn.role is role)
    return text if len(text.split(maxsplit=FEWEST_WORDS)) >= FEWEST_WORDS else ""


def _represented(
    examples: Sequence[Example], view: View, faults: Mapping[Source, int], threshold: float
) -> dict[str, Reason]:
    """For each example that another one stands for, by its id, the reason."""
    found: dict[str, Reason] = {}
    left = list(examples)
    for _ in range(ROUNDS):
        groups: dict[int, list[Example]] = defaultdict(list)
        for example, group in zip(left, near_groups(map(view.text, left), threshold).tolist(), strict=True):
            groups[group].append(example)
        left = []
        for members in groups.values():
            if len(members) > 1:
                best = min(members, key=lambda example: (faults.get(example.source, 0), -_length(example)))
                reasons = _near_to(best, members, view, threshold)
                found |= reasons
                left += [example for example in members if example is not best and example.id not in reasons]
    return found


def _near_to(best: Example, members: Sequence[Example], view: View, threshold: float) -> dict[str, Reason]:
    runs = shingles(view.text(best))
    shares = ((example, jaccard(shingles(view.text(example)), runs)) for example in members if example is not best)
    return {
        example.id: Reason(RULE, f"{view.name}: {share:.0%} the same as {best.source}")
        for example, share in shares
        if share >= threshold
    }


def _length(example: Example) -> int:
    return len(example.conversation.answer)
