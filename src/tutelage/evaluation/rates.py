"""How answers end and how long they are: stop rate, looping rate, refusal rate, length, each with its counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

from tutelage.evaluation.answers import Answer
from tutelage.evaluation.refusals import refusal


@dataclass(frozen=True, slots=True)
class Rates:
    """What several answers have in common.

    Attributes:
        answers: how many there are.
        stopped: of them, ended by the model itself before the limit.
        looped: of them, not stopped and repeating themselves at their end.
        refused: of them, declining to do what was asked (`refusals.refusal`).
        mean_tokens, median_tokens: tokens of an answer, its stop token included; 0 where there is none.
    """

    answers: int
    stopped: int
    looped: int
    refused: int
    mean_tokens: float
    median_tokens: float

    @property
    def stop_rate(self) -> float:
        """Share of the answers that the model ended itself; 0 where there are no answers, as for the other rates."""
        return self.stopped / max(1, self.answers)

    @property
    def loop_rate(self) -> float:
        """Share of the answers that repeat themselves."""
        return self.looped / max(1, self.answers)

    @property
    def refusal_rate(self) -> float:
        """Share of the answers that refuse."""
        return self.refused / max(1, self.answers)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Rates:
        """What `to_json` made."""
        counts = {name: int(content[name]) for name in ("answers", "stopped", "looped", "refused")}
        return cls(**counts, mean_tokens=float(content["mean_tokens"]), median_tokens=float(content["median_tokens"]))

    def in_words(self) -> str:
        """One line with every count."""
        of = f"of {self.answers:,}"
        return (
            f"{self.stopped:,} {of} answers stop, {self.looped:,} repeat themselves, {self.refused:,} refuse; "
            f"{self.median_tokens:,.0f} tokens in the middle, {self.mean_tokens:,.1f} on average"
        )


def rates(answers: Sequence[Answer]) -> Rates:
    """The rates of these answers."""
    lengths = [answer.tokens for answer in answers]
    return Rates(
        len(answers),
        sum(answer.stopped for answer in answers),
        sum(answer.looped for answer in answers),
        sum(bool(refusal(answer.answer)) for answer in answers),
        fmean(lengths) if lengths else 0.0,
        float(median(lengths)) if lengths else 0.0,
    )
