"""A budget in conversations or tokens, and which conversations it is spent on; the others are dropped with a reason."""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tutelage.data.ledger import Reason, set_aside
from tutelage.errors import DataError, UsageError
from tutelage.recipe import Recipe, SelectSettings
from tutelage.records import Dataset, Example
from tutelage.selection.cover import Cover, apart, directions, farthest_first
from tutelage.selection.scoring import Bars, BaseScorer

RULE = "not selected"
_UNREAD = "the base cannot read it whole (longer than tuning.max_length, or refused by the template)"


class Scorer(Protocol):
    """What a base model says about conversations; nothing is loaded or computed before it is asked for."""

    def lengths(self, examples: Sequence[Example]) -> NDArray[np.int64]:
        """(n,) tokens of each conversation; 0 where it cannot be tuned on."""

    def difficulty(self, examples: Sequence[Example]) -> NDArray[np.float64]:
        """(n,) instruction-following difficulty; not a number where it cannot be measured."""

    def places(self, examples: Sequence[Example]) -> NDArray[np.float32]:
        """(n, d) mean hidden states; not numbers where they cannot be measured."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many conversations and tokens; None: any number."""

    count: int | None
    tokens: int | None

    def within(self, order: Iterable[int], lengths: NDArray[np.int64]) -> list[int]:
        """The first of an order, up to the one that no longer fits."""
        taken: list[int] = []
        tokens = 0
        for place in order:
            tokens += int(lengths[place])
            if len(taken) == self.count or (self.tokens is not None and tokens > self.tokens):
                break
            taken.append(place)
        return taken

    def less(self, count: int, tokens: int) -> Budget:
        """What is left of it."""
        return Budget(
            None if self.count is None else max(0, self.count - count),
            None if self.tokens is None else max(0, self.tokens - tokens),
        )

    def part(self, start: float, end: float) -> Budget:
        """The part between two shares of 1; parts side by side add up to the whole."""
        return Budget(*(None if n is None else round(n * end) - round(n * start) for n in (self.count, self.tokens)))

    def ended(self, taken: int) -> str:
        """Where it ended, for the reason of those that are not in it."""
        if self.tokens is None or taken == self.count:
            return f"ends at {taken:,}"
        return f"of {self.tokens:,} tokens ends at {taken:,}"


@dataclass(frozen=True)
class Way:
    """How a method goes through conversations: `order` by their places, the first taken first; `note` says of one
    that was not taken how it stands, and is asked after the last was taken."""

    order: Iterator[int]
    note: Callable[[int], str]


def wanted(settings: SelectSettings, by: str = "") -> bool:
    """Whether anything is to be selected.

    by: who cannot do without, such as --prove.

    Raises:
        UsageError: a method, quotas or `by` without a budget.
    """
    if settings.budget or settings.tokens:
        return True
    if settings.method != "random":
        by = f"select.method={settings.method}"
    elif settings.quotas:
        by = "select.quotas"
    if by:
        raise UsageError(f"{by} needs a budget: select.budget=N conversations, or select.tokens=N tokens")
    return False


def only_in_curate(settings: SelectSettings) -> None:
    """Where nothing is selected, asking for it is refused rather than passed by.

    Raises:
        UsageError: with the command that selects.
    """
    if settings != SelectSettings():
        raise UsageError(
            "select.*: only curate selects; tutelage curate FILES --out DATASET select.budget=…, then tune DATASET"
        )


def selected(dataset: Dataset, recipe: Recipe, say: Callable[[str], None], bars: Bars) -> Dataset:
    """`choose` with the recipe's base, and a line for the person on what was chosen."""
    if not wanted(recipe.select):
        return dataset
    kept = choose(dataset, recipe.select, BaseScorer(recipe, say, bars), say)
    say(f"Selected {len(kept):,} of {len(dataset):,} conversations ({recipe.select.method}).")
    return kept


def choose(
    dataset: Dataset, settings: SelectSettings, scorer: Scorer, say: Callable[[str], None] = lambda line: None
) -> Dataset:
    """The data set with what the budget is spent on; the others are dropped by the rule `not selected`.

    The same conversations are chosen in whatever order they come. Where both `budget` and `tokens` are given, the
    one that ends first counts. A conversation longer than all tokens of the budget is passed over; the budget ends
    at the first that no longer fits.

    Raises:
        UsageError: a method without a budget, or quotas that are none.
        DataError: a tag that no conversation has, or nothing fits into the budget.
    """
    if not wanted(settings):
        return dataset
    # Everything below works in the order of the hashes, so that rows may stand in any.
    examples = sorted(dataset.examples, key=lambda example: _lot(settings.seed, example.id))
    lengths = scorer.lengths(examples) if settings.tokens else np.ones(len(examples), np.int64)
    whole = Budget(settings.budget or None, settings.tokens or None)
    reasons = _unfit(examples, lengths, whole)
    taken_count = taken_tokens = 0
    for name, share, places in _parts(examples, settings):
        budget = whole.part(*share) if name else whole.less(taken_count, taken_tokens)
        those = [place for place in places if examples[place].id not in reasons]
        if not those:
            continue
        part, sizes = [examples[place] for place in those], lengths[those]
        way = WAYS[settings.method](part, settings, scorer, budget, sizes)
        taken = budget.within(way.order, sizes)
        taken_count, taken_tokens = taken_count + len(taken), taken_tokens + int(sizes[taken].sum())
        if name and len(taken) == len(part) and len(part) != budget.count:
            say(f"All {len(part):,} conversations with the tag {name} are taken; they do not fill its share.")
        ended = f"{f'the share of {name}' if name else 'the budget'} {budget.ended(len(taken))}"
        chosen = set(taken)
        for place, example in enumerate(part):
            if place not in chosen:
                note = way.note(place)
                reasons[example.id] = Reason(RULE, note if note == _UNREAD else f"{note}; {ended}")
    if not taken_count and examples:
        raise DataError(f"no conversation fits into the budget; e.g. {next(iter(reasons.values())).text}")
    return set_aside(dataset, reasons)


def _lot(seed: int, name: str) -> bytes:
    """An example's place in the order of a seed: other than in `split`, so that no lot decides on both."""
    return hashlib.sha256(f"select {seed} {name}".encode()).digest()


def _unfit(examples: Sequence[Example], lengths: NDArray[np.int64], whole: Budget) -> dict[str, Reason]:
    """What no order can help: conversations that cannot be tuned on, or have more tokens than the whole budget."""
    found: dict[str, Reason] = {}
    for example, length in zip(examples, lengths.tolist(), strict=True):
        if not length:
            found[example.id] = Reason(RULE, _UNREAD)
        elif whole.tokens is not None and length > whole.tokens:
            found[example.id] = Reason(RULE, f"{length:,} tokens, more than the whole budget of {whole.tokens:,}")
    return found


Part = tuple[str, tuple[float, float], list[int]]


def _parts(examples: Sequence[Example], settings: SelectSettings) -> list[Part]:
    """Tag, its part of the budget and its conversations; last, under "", those with none of the tags.

    A conversation with several of the tags counts for the one named first.
    """
    parts: list[Part] = []
    left, begun = list(range(len(examples))), 0.0
    for tag, share in _quotas(settings.quotas).items():
        mine = [place for place in left if tag in examples[place].tags]
        if not mine and not any(tag in example.tags for example in examples):
            raise DataError(f"select.quotas: no conversation has the tag {tag}{_tags(examples, tag)}")
        left = [place for place in left if tag not in examples[place].tags]
        parts.append((tag, (begun, min(1.0, begun + share)), mine))
        begun += share
    return [*parts, ("", (begun, 1.0), left)]


def _tags(examples: Sequence[Example], tag: str) -> str:
    there = sorted({tag for example in examples for tag in example.tags})
    near = difflib.get_close_matches(tag, there, 1, 0.5)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are {', '.join(there[:8])}" if there else "; this data has no tags"


def _quotas(entries: Sequence[str]) -> dict[str, float]:
    """
    Raises:
        UsageError: an entry is not TAG:SHARE, or the shares are more than the whole.
    """
    found: dict[str, float] = {}
    for entry in entries:
        tag, _, share = entry.rpartition(":")
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if not tag or not 0 < value <= 1 or tag in found:
            raise UsageError(f"select.quotas: {entry} is not TAG:SHARE with a share between 0 and 1, each tag once")
        found[tag] = value
    if sum(found.values()) > 1 + 1e-9:
        raise UsageError(f"select.quotas: the shares add up to {sum(found.values()):g}, more than the whole")
    return found


def _by_lot(part: Sequence[Example], *_: object) -> Way:
    return Way(iter(range(len(part))), lambda place: f"drawn {_place(place, part)}")


def _by_length(part: Sequence[Example], *_: object) -> Way:
    """Zhao et al. 2024 (arXiv:2402.04833): the longest answers are a baseline that is hard to beat."""
    sizes = [sum(len(turn.text) for turn in example.conversation.turns if turn.is_trained) for example in part]
    order = sorted(range(len(part)), key=lambda place: -sizes[place])
    rank = _ranks(order)
    return Way(iter(order), lambda place: f"{sizes[place]:,} characters answered, {_place(rank[place], part)}")


def _by_difficulty(part: Sequence[Example], settings: SelectSettings, scorer: Scorer, *_: object) -> Way:
    order, note = _difficult(part, scorer)
    return Way(iter(order), note)


def _difficult(part: Sequence[Example], scorer: Scorer) -> tuple[list[int], Callable[[int], str]]:
    """The hardest first of those below 1, then those from 1 on, which look mismatched (Li et al. 2023); and what is
    said of each. What cannot be measured is not in the order."""
    scores = scorer.difficulty(part)
    readable = [place for place in range(len(part)) if math.isfinite(scores[place])]
    order = sorted(readable, key=lambda place: (scores[place] >= 1, abs(scores[place] - 1)))
    rank = _ranks(order)

    def note(place: int) -> str:
        if place not in rank:
            return _UNREAD
        unhelped = ", the question does not help" if scores[place] >= 1 else ""
        return f"ifd {scores[place]:.3g}{unhelped}, {_place(rank[place], part)}"

    return order, note


def _by_breadth(part: Sequence[Example], settings: SelectSettings, scorer: Scorer, *_: object) -> Way:
    cover, readable = _cover(part, scorer)
    at = _ranks(readable)

    def note(place: int) -> str:
        if place not in at:
            return _UNREAD
        nearest = part[readable[int(cover.by[at[place]])]].source
        return f"{cover.far[at[place]]:.2f} from {nearest}, the nearest one chosen"

    return Way((readable[place] for place, _ in farthest_first(cover)), note)


def _by_both(
    part: Sequence[Example], settings: SelectSettings, scorer: Scorer, budget: Budget, lengths: NDArray[np.int64]
) -> Way:
    """By difficulty, passing over what is too near to one taken already (DEITA; Liu et al. 2023, arXiv:2312.15685).

    How far is far enough follows from the budget. The greedy cover of the same size has its points at least some
    distance from each other. Balls of less than half of that around what is taken cannot cover two of them: so a
    walk that asks for half the distance always finds enough, and keeps as much breadth as it can promise.
    """
    cover, readable = _cover(part, scorer)
    at = _ranks(readable)
    reach: list[float] = []

    def covering() -> Iterator[int]:
        for place, distance in farthest_first(cover):
            reach.append(distance)
            yield readable[place]

    count = len(budget.within(covering(), lengths))
    least = reach[count - 1] / 2 if count > 1 else 0.0
    hard, said = _difficult(part, scorer)
    order = [at[place] for place in hard if place in at]
    walked = Cover(cover.points)
    taken: set[int] = set()

    def walk() -> Iterator[int]:
        for place in chain(apart(walked, order, least), order):
            if place not in taken:
                taken.add(place)
                yield readable[place]

    def note(place: int) -> str:
        if place not in at:
            return _UNREAD
        near = at[place]
        if not 0 <= walked.far[near] < least:
            return said(place)
        twin = part[readable[int(walked.by[near])]].source
        return f"{said(place)}, but {walked.far[near]:.2f} from {twin}, which was taken ({least:.2f} is far enough)"

    return Way(walk(), note)


WAYS: dict[str, Callable[[Sequence[Example], SelectSettings, Scorer, Budget, NDArray[np.int64]], Way]] = {
    "random": _by_lot,
    "longest": _by_length,
    "ifd": _by_difficulty,
    "diverse": _by_breadth,
    "quality_diverse": _by_both,
}


def _cover(part: Sequence[Example], scorer: Scorer) -> tuple[Cover, list[int]]:
    """The conversations that can be measured as points, and their places in the part."""
    places = scorer.places(part)
    readable = np.flatnonzero(np.isfinite(places).all(1))
    return Cover(directions(places[readable])), readable.tolist()


def _ranks(order: Sequence[int]) -> dict[int, int]:
    return {place: rank for rank, place in enumerate(order)}


def _place(rank: int, part: Sequence[Example]) -> str:
    """`1,204th of 2,000`."""
    number = rank + 1
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending} of {len(part):,}"
