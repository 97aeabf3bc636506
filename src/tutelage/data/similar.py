"""Near duplicates in a data set: one of each group stands for the others, which are flagged or dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from tutelage.data.duplicates import SHINGLE, jaccard, shingles, spoken
from tutelage.data.grams import Grams, Numbers, grams
from tutelage.data.ledger import Reason, set_aside
from tutelage.data.near import THRESHOLD, near_groups_of
from tutelage.data.spool import as_one, chosen, ids, in_parts
from tutelage.records import Dataset, Example, Finding, Role, Source

RULE = "near duplicate"
FEWEST_WORDS = 10
"""Shorter questions, and shorter answers, are not compared alone: labels and greetings repeat, and may."""
ROUNDS = 20
"""Chains, in which the ends have little in common, are taken apart in so many rounds at most."""


GROUPS = 100
"""Groups looked at in one go by a process."""


@dataclass(frozen=True, slots=True)
class View:
    """What of an example is compared."""

    name: str
    text: Callable[[Example], str]


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
    examples = dataset.examples
    faults = Counter(found.source for found in dataset.findings)
    whole = _represented(examples, WHOLE, faults, threshold)
    alone = chosen(examples, [place for place, name in enumerate(ids(examples)) if name not in whole])
    task = partial(_represented, alone, faults=faults, threshold=threshold)
    flags = list(as_one(alone, task, (QUESTION, ANSWER), "near duplicates: question, answer"))
    if action == "flag":
        flags.append(whole)
    rest = set_aside(dataset, whole) if action == "drop" else dataset
    flagged = [place for place, name in enumerate(ids(rest.examples)) if any(name in reasons for reasons in flags)]
    found = [
        Finding(example.source, reasons[example.id].rule, "flag", reasons[example.id].text)
        for example in chosen(rest.examples, flagged)
        for reasons in flags
        if example.id in reasons
    ]
    return replace(rest, findings=(*rest.findings, *found))


def _whole(example: Example) -> str:
    return spoken(example.conversation)


def _question(example: Example) -> str:
    return _said(example, Role.USER)


def _answer(example: Example) -> str:
    return _said(example, Role.ASSISTANT)


def _said(example: Example, role: Role) -> str:
    """All that one side says; nothing where that is only a few words."""
    text = "\n".join(turn.text for turn in example.conversation.turns if turn.role is role)
    return text if len(text.split(maxsplit=FEWEST_WORDS)) >= FEWEST_WORDS else ""


WHOLE = View("question and answer", _whole)
QUESTION = View("question", _question)
ANSWER = View("answer", _answer)


def _represented(
    examples: Sequence[Example], view: View, faults: Mapping[Source, int], threshold: float
) -> dict[str, Reason]:
    """For each example that another one stands for, by its id, the reason."""
    found: dict[str, Reason] = {}
    left = examples
    for _ in range(ROUNDS):
        found_in = in_parts(left, partial(_runs, view=view), f"near duplicates: {view.name}")
        groups = list(_shared(near_groups_of((block for part in found_in for block in part), threshold)))
        some = [groups[start : start + GROUPS] for start in range(0, len(groups), GROUPS)]
        again: list[int] = []
        task = partial(_stood_for, left, view=view, faults=faults, threshold=threshold)
        for reasons, others in as_one(left, task, some, f"near duplicates: {view.name}"):
            found |= reasons
            again += others
        if not again:
            break
        left = chosen(left, sorted(again))
    return found


def _stood_for(
    examples: Sequence[Example], groups: Sequence[Numbers], view: View, faults: Mapping[Source, int], threshold: float
) -> tuple[dict[str, Reason], list[int]]:
    """For the groups at these places: why others stand for whom, and the places of those that are near to none."""
    found: dict[str, Reason] = {}
    again: list[int] = []
    for places in groups:
        members = tuple(chosen(examples, places))
        best = min(members, key=lambda example: (faults.get(example.source, 0), -_length(example)))
        reasons = _near_to(best, members, view, threshold)
        found |= reasons
        names = zip(places.tolist(), members, strict=True)
        again += [place for place, each in names if each.id != best.id and each.id not in reasons]
    return found, again


def _runs(examples: Sequence[Example], view: View) -> list[Grams]:
    return list(grams(map(view.text, examples), SHINGLE))


def _shared(groups: Numbers) -> Iterator[Numbers]:
    """The places of those in a group of several, for one group after the other."""
    order = np.argsort(groups, kind="stable")
    edges = np.flatnonzero(np.append(True, groups[order][1:] != groups[order][:-1]))
    for start, end in zip(edges.tolist(), [*edges[1:].tolist(), len(order)], strict=True):
        if end - start > 1:
            yield order[start:end]


def _near_to(best: Example, members: Iterable[Example], view: View, threshold: float) -> dict[str, Reason]:
    runs = shingles(view.text(best))
    shares = ((example, jaccard(shingles(view.text(example)), runs)) for example in members if example.id != best.id)
    return {
        example.id: Reason(RULE, f"{view.name}: {share:.0%} the same as {best.source}")
        for example, share in shares
        if share >= threshold
    }


def _length(example: Example) -> int:
    return len(example.conversation.answer)
