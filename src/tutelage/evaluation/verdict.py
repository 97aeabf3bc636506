"""The verdict: is the tuned model better than the best of the others, how sure is that, and how much is it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutelage.evaluation.intervals import RESAMPLES as RESAMPLES
from tutelage.evaluation.intervals import Interval, above_all, ratio, score_difference, smallest

FEWEST = 6
"""Below this, even all conversations going one way happens by chance more often than one time in twenty."""
NEGLIGIBLE, SMALL, LARGE = 0.02, 0.05, 0.15
"""Gains in plain words: below 2 points of 100 (or 2 % of the loss) negligible, below 5 small, from 15 on large."""


class Kind(StrEnum):
    """Who somebody in the comparison is."""

    TUNED = "tuned"
    BASE = "base"
    PROMPT = "prompt"
    EXAMPLES = "examples"
    RUN = "run"
    MODEL = "model"


class Said(StrEnum):
    """What the verdict says: the tuned model is better; what was enough instead of it; neither; nothing."""

    BETTER = "better"
    BASE = "base"
    PROMPT = "prompt"
    EXAMPLES = "examples"
    RUN = "run"
    MODEL = "model"
    EVEN = "even"
    NONE = "none"


_ENOUGH = {
    Kind.BASE: "The base was enough",
    Kind.PROMPT: "A prompt was enough",
    Kind.EXAMPLES: "Examples were enough",
    Kind.RUN: "Another run was enough",
    Kind.MODEL: "The other model was enough",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """What decides. It is fixed before any answer is seen.

    Attributes:
        name: in words, as in "ROUGE-L of headlines".
        score: a score from 0 to 1, of which more is better; else a loss, of which less is better.
    """

    name: str
    score: bool


LOSS = Metric("loss per token of the reference answers, under each contender's own prompt, stop tokens apart", False)


@dataclass(frozen=True, eq=False)
class Measured:
    """One contender's numbers.

    Attributes:
        values: (prompts,) or (seeds, prompts): a score of each prompt, or the nats of its reference answer.
    """

    name: str
    kind: Kind
    values: ArrayLike


@dataclass(frozen=True, slots=True)
class Gain:
    """What the tuned model gains over one opponent, above 0 where it is better.

    Attributes:
        interval: in points of 1, or as a share of the opponent's loss.
        won, lost: shares of the prompts on which the tuned model is better and worse.
    """

    opponent: str
    interval: Interval
    won: float
    lost: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the numbers say.

    Attributes:
        text: a few sentences for a person.
        better: the tuned model is better than every opponent, and the whole interval agrees.
        opponent: the best of the others; "" where nothing could be compared.
        difference: tuned less opponent in the metric's own sign: of the loss as a share (-0.3: 30 % lower), of a score
            in points of 1 (0.1: 10 points of 100 more); None where nothing could be compared.
        low, high: its 95% interval, None where there are too few prompts.
        conversations: compared.
        said: in one word.
        metric: what decided.
        gains: over each opponent.
    """

    text: str
    better: bool
    opponent: str = ""
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    conversations: int = 0
    said: Said = Said.NONE
    metric: Metric = LOSS
    gains: tuple[Gain, ...] = ()

    @property
    def tone(self) -> str:
        """better, worse or even: what colours show."""
        worse = (self.low if not self.metric.score else -(self.high or 0.0)) if self.low is not None else None
        return "better" if self.better else "worse" if worse is not None and worse > 0 else "even"


def gain(ours: Measured, theirs: Measured, metric: Metric, opponents: int = 1, seed: int = 0) -> Gain:
    """What one gains over the other on the same prompts.

    The low end is sure by itself, since better than the best means better than all of them. The high end is wider
    where the best of several was picked on these very prompts, for its luck shows there too.

    Args:
        opponents: how many the best was picked from.
    """
    mine, other = _means(ours.values), _means(theirs.values)
    if metric.score:
        found = score_difference(ours.values, theirs.values, seed, above=above_all(opponents))
        wins, losses = mine > other, mine < other
    else:
        found = -ratio(ours.values, theirs.values, seed, below=above_all(opponents))
        wins, losses = mine < other, mine > other
    return Gain(theirs.name, found, _share(wins), _share(losses))


def judge(tuned: Measured, others: Sequence[Measured], metric: Metric = LOSS, seed: int = 0) -> Verdict:
    """The tuned model against the best of the others, all on the same prompts in the same order.

    For a loss, what is compared are the nats of the same texts, stop tokens excluded. With one tokenizer that is the
    loss per answer token; with two it is still fair, where a loss per token would not be.
    """
    count = np.atleast_2d(np.asarray(tuned.values)).shape[1]
    if not count or not others:
        missing = "prompts with a score" if metric.score else "held-out answers to measure the loss on"
        return Verdict(f"No verdict: there are no {missing}.", False, metric=metric)
    gains = tuple(gain(tuned, other, metric, len(others), seed) for other in others)
    over = smallest([one.interval for one in gains])
    best = min(zip(gains, others, strict=True), key=lambda pair: pair[0].interval.value)
    shown = over if metric.score else -over
    if count < FEWEST:
        text = f"No verdict: {count:,} prompts are too few; at least {FEWEST} are needed."
        return Verdict(text, False, best[0].opponent, shown.value, None, None, count, Said.NONE, metric, gains)
    said = _said(over, best[1].kind)
    text = _text(said, over, *best, len(others), metric)
    better = said is Said.BETTER
    return Verdict(text, better, best[0].opponent, shown.value, shown.low, shown.high, count, said, metric, gains)


def _said(over: Interval, kind: Kind) -> Said:
    if over.low > 0:
        return Said.BETTER
    return Said(kind.value) if over.high < NEGLIGIBLE else Said.EVEN


def _text(said: Said, over: Interval, best: Gain, who: Measured, opponents: int, metric: Metric) -> str:
    sure = f"(95% interval {signed(over.low, metric)} to {signed(over.high, metric)})"
    among = f"{best.opponent}, the best of the {opponents} opponents" if opponents > 1 else f"{best.opponent}"
    where = f"on {over.count:,} prompts, by {metric.name}"
    on = f"It is better on {best.won:.0%} of them and worse on {best.lost:.0%}."
    much = f"{size(abs(over.value))} {'gain' if over.value > 0 else 'loss'}"
    if said is Said.BETTER:
        return (
            f"The tuned model is better: it gains {_amount(over.value, metric)} {sure} over {among}, {where}. "
            f"That is a {much}. {on}"
        )
    if said is Said.EVEN:
        return (
            f"Not distinguishable: the tuned model gains {signed(over.value, metric)} {sure} over {among}, {where}. "
            f"{on}{_needed(over)}"
        )
    if over.high < 0:
        return (
            f"{_ENOUGH[who.kind]}: the tuned model is worse than {among}, by {_amount(-over.value, metric)} {sure}, "
            f"{where}. {on}"
        )
    return (
        f"{_ENOUGH[who.kind]}: over {among}, the tuned model gains {signed(over.value, metric)} {sure}, "
        f"at best a negligible gain, {where}. {on}"
    )


def size(share: float) -> str:
    """A gain in a plain word."""
    return "negligible" if share < NEGLIGIBLE else "small" if share < SMALL else "clear" if share < LARGE else "large"


def _amount(share: float, metric: Metric) -> str:
    return f"{100 * share:.1f} points of 100" if metric.score else f"{share:.1%} of the loss"


def signed(share: float, metric: Metric) -> str:
    """A gain with its sign, in points of 100 or in percent of the loss."""
    unit = "" if metric.score else "%"
    return f"{100 * share:+.1f}{unit}".replace("-", "−")


def _needed(over: Interval) -> str:
    """How many prompts would show a difference of this size: the interval shrinks with the root of their number."""
    half = max(over.value - over.low, over.high - over.value)
    if abs(over.value) < half / 10:
        return ""
    count = int(over.count * (half / abs(over.value)) ** 2) + 1
    digits = 10 ** max(0, len(str(count)) - 2)
    return f" About {-(-count // digits) * digits:,} prompts would show whether a difference of this size is there."


def _means(values: ArrayLike) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.atleast_2d(np.asarray(values, np.float64)).mean(0)
    return found


def _share(which: NDArray[np.bool_]) -> float:
    return float(which.mean()) if len(which) else 0.0
