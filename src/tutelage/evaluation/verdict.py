"""The verdict: is the tuned model better than the best of the others, and how sure is that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.evaluation.losses import Losses

RESAMPLES = 2_000
FEWEST = 6
"""Below this, even all conversations going one way happens by chance more often than one time in twenty."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the losses say.

    Attributes:
        text: one sentence for a person.
        better: the tuned model's loss is lower, and the whole interval agrees.
        opponent: the best of the others; "" where nothing could be compared.
        difference: relative difference of the loss per answer token (-0.3: 30% lower), None where nothing
            could be compared.
        low, high: its 95% interval, None where there are too few conversations.
        conversations: compared.
    """

    text: str
    better: bool
    opponent: str = ""
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    conversations: int = 0


def paired_interval(ours: Sequence[float], theirs: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """95% interval of sum(ours) / sum(theirs) - 1 over resampled conversations.

    The same conversations are drawn for both sides, so what makes a conversation hard for everybody cancels
    (the paired percentile bootstrap, Efron and Tibshirani 1993).

    Args:
        ours, theirs: summed losses of the same conversations in the same order, above 0.
    """
    mine, other = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    draws = np.random.default_rng(seed)
    made = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        chosen = draws.integers(len(mine), size=len(mine))
        made[number] = mine[chosen].sum() / other[chosen].sum() - 1
    low, high = np.quantile(made, (0.025, 0.975))
    return float(low), float(high)


def judge(tuned: Losses, others: Sequence[tuple[str, Losses]], seed: int = 0) -> Verdict:
    """The tuned model against the best of the others, by name; all measured on the same conversations.

    What is compared are the nats of the same texts, stop tokens excluded. With one tokenizer that is the loss
    per answer token; with two it is still fair, where a loss per token would not be.
    """
    count = len(tuned.answers)
    if not count or not others:
        return Verdict("No verdict: there are no held-out answers to measure the loss on.", False)
    name, best = min(others, key=lambda pair: pair[1].nats)
    difference = tuned.nats / best.nats - 1
    if count < FEWEST:
        text = f"No verdict: {count} held-out conversations are too few; at least {FEWEST} are needed."
        return Verdict(text, False, name, difference, None, None, count)
    low, high = paired_interval([a.nats for a in tuned.answers], [a.nats for a in best.answers], seed)
    where = (
        f"(95% interval {_signed(low)} to {_signed(high)}) on the reference answers of {count:,} held-out "
        f"conversations, measured against {name}, the best of the others."
    )
    if high < 0:
        text = f"The tuned model is better: its loss per answer token is {-difference:.1%} lower {where}"
    elif low > 0:
        text = f"The tuned model is worse: its loss per answer token is {difference:.1%} higher {where}"
    else:
        by = _signed(difference)
        text = f"No clear difference: the tuned model's loss per answer token differs by {by} {where}"
    return Verdict(text, high < 0, name, difference, low, high, count)


def _signed(share: float) -> str:
    return f"{share:+.1%}".replace("-", "−")
