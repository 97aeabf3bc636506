"""Rules that measure an example against what is usual in its data set: what that is, is learned first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from tutelage.data.spool import chosen, in_parts
from tutelage.records import Dataset, Example, Finding

N = TypeVar("N")
K = TypeVar("K")
ENOUGH = 20_000
"""Examples from which a habit is learned where `few` of them do; more of them say the same, and take longer."""


@dataclass(frozen=True, slots=True)
class Usual(Generic[N, K]):
    """One such rule. Its functions are a module's own: they run in other processes where a data set is large.

    Attributes:
        note: what is seen in some of the examples.
        known: what all that was seen says.
        ask: the finding of an example, or None, by what is known.
        few: `ENOUGH` examples, drawn by a fixed seed, are enough to learn from; False: all of them are noted.
    """

    note: Callable[[Sequence[Example]], N]
    known: Callable[[Sequence[N]], K]
    ask: Callable[[Example, K], Finding | None]
    few: bool = False

    def __call__(self, dataset: Dataset) -> dict[str, Finding]:
        """The findings in a data set by the ids of its examples."""
        return found(dataset.examples, {"": self})[""]


Rules = Mapping[str, Usual[Any, Any]]


def found(examples: Sequence[Example], rules: Rules) -> dict[str, dict[str, Finding]]:
    """What each rule finds, by its name and the ids of the examples."""
    findings: dict[str, dict[str, Finding]] = {name: {} for name in rules}
    known = learned(examples, rules)
    for part in in_parts(examples, partial(_asked, rules=rules, known=known), "rules on the whole"):
        for name, key, finding in part:
            findings[name][key] = finding
    return findings


def learned(examples: Sequence[Example], rules: Rules) -> dict[str, Any]:
    """What each rule has to know of the examples, by its name."""
    some = examples
    if len(examples) > ENOUGH:
        some = chosen(examples, np.sort(np.random.default_rng(0).choice(len(examples), ENOUGH, replace=False)))
    known: dict[str, Any] = {}
    for few, seen in ((True, some), (False, examples)):
        notes = {name: rule.note for name, rule in rules.items() if rule.few == few}
        if notes:
            parts = list(in_parts(seen, partial(_noted, notes=notes), "what is usual"))
            known |= {name: rules[name].known([part[name] for part in parts]) for name in notes}
    return known


def _noted(examples: Sequence[Example], notes: Mapping[str, Callable[[Sequence[Example]], Any]]) -> dict[str, Any]:
    return {name: note(examples) for name, note in notes.items()}


def _asked(examples: Sequence[Example], rules: Rules, known: Mapping[str, Any]) -> list[tuple[str, str, Finding]]:
    return [
        (name, example.id, finding)
        for example in examples
        for name, rule in rules.items()
        if (finding := rule.ask(example, known[name]))
    ]
