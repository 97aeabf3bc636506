"""Two models' replies and texts, compared pair by pair: every number before and after, with its interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from tutelage.errors import DataError
from tutelage.evaluation.intervals import ONE_SIDE, above_all, difference, score_difference
from tutelage.evaluation.plaintext import Perplexity
from tutelage.evaluation.retention import DECLINED, FOLLOWING, HARMLESS, Change, Reply, Retention, Side

FEWEST = 4
"""A category or kind with fewer prompts or texts gets no row of its own."""
PLACES = {"user": "asked in the user's turn", "system": "asked in the system turn"}
ENDS = (
    ("ended by itself", "stopped", "share", 1),
    ("repeats itself", "looped", "share", -1),
    ("length", "tokens", "tokens", 0),
)
"""Of all answers: a name in words, the answer's field, its unit, and whether more is better."""


def retention(before: Side, after: Side, seed: int = 0) -> Retention:
    """Two models' replies and texts, compared pair by pair; prompts that only one of them answered are left out.

    Args:
        seed: of the intervals' resampling.

    Raises:
        DataError: the two have no prompt in common, or were given other texts.
    """
    texts = [[one.id for one in side.perplexity.texts] for side in (before, after)]
    ids = [[one.answer.id for one in side.replies] for side in (before, after)]
    other = set(ids[1])
    shared = [one for one in ids[0] if one in other]
    if texts[0] != texts[1] or (not shared and any(ids)):
        raise DataError("the two models were not given the same prompts and texts, so nothing can be compared")
    left_out = tuple(sorted(other.symmetric_difference(ids[0])))
    before, after = _in_order(before, shared), _in_order(after, shared)
    made = [*_following(before, after, seed), *_texts(before.perplexity, after.perplexity, seed)]
    for part, name in ((HARMLESS, "harmless prompts answered"), (DECLINED, "others declined")):
        made.append(_valued("refusals", name, before.of(part), after.of(part), seed))
    for name, field, unit, sign in ENDS:
        values = [[float(getattr(one.answer, field)) for one in side.replies] for side in (before, after)]
        made.append(_paired("answers", name, unit, sign, values[0], values[1], seed))
    return Retention(before, after, tuple(one for one in made if one.difference.count), left_out)


def _in_order(side: Side, ids: Sequence[str]) -> Side:
    replies = {one.answer.id: one for one in side.replies}
    return replace(side, replies=tuple(replies[one] for one in ids))


def _following(before: Side, after: Side, seed: int) -> list[Change]:
    """All instructions together, then by category, by the turn they stand in and by what stands beside them."""
    sides = before.of(FOLLOWING), after.of(FOLLOWING)
    groups: dict[tuple[int, str], list[int]] = {}
    for place, one in enumerate(sides[0]):
        beside = f"beside a distraction: {one.distraction}" if one.distraction else "without a distraction"
        for kind, name in enumerate((one.category, PLACES.get(one.place, ""), beside)):
            groups.setdefault((kind, name), []).append(place)
    shown = {key: places for key, places in groups.items() if key[1] and len(places) >= FEWEST}
    made = [_valued("following", "instructions kept", *sides, seed)]
    for kind, name in sorted(shown, key=lambda key: key[0]):
        picked = [[side[place] for place in shown[kind, name]] for side in sides]
        made.append(_valued("following", name, picked[0], picked[1], seed, above_all(len(shown))))
    return made


def _texts(before: Perplexity, after: Perplexity, seed: int) -> list[Change]:
    """All texts together, then by kind."""
    counted = Counter(one.kind for one in before.texts)
    kinds = [kind for kind, count in counted.items() if count >= FEWEST]
    made = [_bits("plain text", before, after, seed)]
    return made + [_bits(kind, before.of(kind), after.of(kind), seed, above_all(len(kinds))) for kind in kinds]


def _valued(
    part: str, name: str, before: Sequence[Reply], after: Sequence[Reply], seed: int, sure: float = ONE_SIDE
) -> Change:
    values = [[one.value for one in side] for side in (before, after)]
    return _paired(part, name, "share", 1, values[0], values[1], seed, sure)


def _bits(name: str, before: Perplexity, after: Perplexity, seed: int, sure: float = ONE_SIDE) -> Change:
    """Texts count by their bytes, so that the mean is the bits per byte of all of them together."""
    values = []
    for side in (before, after):
        scale = len(side.texts) / max(1, side.bytes) / math.log(2)
        values.append([one.nats * scale for one in side.texts])
    return _paired("text", name, "bits", -1, values[0], values[1], seed, sure)


def _paired(
    part: str,
    name: str,
    unit: str,
    sign: int,
    before: Sequence[float],
    after: Sequence[float],
    seed: int,
    sure: float = ONE_SIDE,
) -> Change:
    means = [fmean(values) if values else math.nan for values in (before, after)]
    between = score_difference if unit == "share" else difference
    found = between(after, before, seed, sure, sure)
    return Change(part, name, unit, sign, means[0], means[1], found)
