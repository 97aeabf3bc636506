"""How many instructions a model keeps: of the whole suite, by category, by turn and by what stands beside them.

A share's interval is the exact one for what is either kept or not (Clopper and Pearson 1934): where all of ten prompts
are kept, or none, resampling them would leave no doubt at all. What tuning changed: `tutelage.evaluation.changes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.errors import DataError
from tutelage.evaluation.following.suite import Instruction
from tutelage.evaluation.intervals import Interval, above_all, share_interval

WHOLE = "whole"
NO_DISTRACTION = "none"


@dataclass(frozen=True, slots=True)
class Share:
    """One number about a group of prompts.

    Attributes:
        part: "whole", "category", "place" or "distraction".
        name: of the group within its part.
        kept: the share (0 to 1) of prompts all of whose instructions are kept. The groups of a part have wider
            intervals, so that all of them together are as sure as one is alone.
    """

    part: str
    name: str
    kept: Interval

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"part": self.part, "name": self.name, "kept": self.kept.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Share:
        """What `to_json` made."""
        return cls(content["part"], content["name"], Interval.from_json(content["kept"]))


def shares(asked: Sequence[Instruction], answers: Mapping[str, str]) -> tuple[Share, ...]:
    """One model: the whole first, then categories, places and distractions in the order of the prompts.

    Args:
        answers: by the prompts' ids.

    Raises:
        DataError: a prompt has no answer.
    """
    values = _values(asked, answers)
    return tuple(
        Share(part, name, share_interval(round(sum(values[at] for at in places)), len(places), sure))
        for part, name, places, sure in _groups(asked)
    )


def _values(asked: Sequence[Instruction], answers: Mapping[str, str]) -> list[float]:
    if missing := [one.prompt.id for one in asked if one.prompt.id not in answers]:
        raise DataError(f"{len(missing)} of {len(asked)} prompts have no answer, the first {missing[0]}")
    return [float(not one.failures(answers[one.prompt.id])) for one in asked]


def _groups(asked: Sequence[Instruction]) -> list[tuple[str, str, list[int], float]]:
    """Part, name, the places of its prompts, and how sure each end of its interval has to be."""
    found: dict[str, dict[str, list[int]]] = {WHOLE: {}, "category": {}, "place": {}, "distraction": {}}
    for at, one in enumerate(asked):
        names = (WHOLE, one.category, one.place, one.distraction or NO_DISTRACTION)
        for groups, name in zip(found.values(), names, strict=True):
            groups.setdefault(name, []).append(at)
    return [
        (part, name, places, above_all(len(groups)))
        for part, groups in found.items()
        for name, places in groups.items()
    ]
