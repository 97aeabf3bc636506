"""Is what was chosen better than chance? Small models tuned on it, on lots and on the longest, at equal tokens."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tutelage.data import split
from tutelage.data.reading import read
from tutelage.errors import DataError, UsageError
from tutelage.evaluation.losses import Losses, reference_losses
from tutelage.evaluation.verdict import FEWEST, RESAMPLES
from tutelage.model import adapters, layers, machine
from tutelage.model.forward import Proof, attending, pack_loss, prove
from tutelage.model.load import load
from tutelage.recipe import Recipe
from tutelage.records import Dataset, Example
from tutelage.selection.choosing import Budget, choose, wanted
from tutelage.selection.scoring import Bars, BaseScorer
from tutelage.text.encode import Tokens
from tutelage.text.pack import Plan, order, packs_of
from tutelage.tuning.fit import State, fit
from tutelage.tuning.optim import Optimizer
from tutelage.tuning.prepare import resolve
from tutelage.tuning.run import write_text

FILE = "prove.json"
TOKENS = 20_000
"""The most that one proxy is tuned on, in tokens of its conversations."""
FEWEST_SEEDS = 3
CHOSEN, RANDOM, LONGEST = "chosen", "random", "longest"
SAFETY = 1.15
"""The timed step does not prepare an adapter or an optimizer, or update weights."""
Nats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """Ours against theirs on the same held-out conversations.

    Attributes:
        difference: relative difference of the loss per answer token (-0.03: 3 % lower).
        low, high: its 95 % interval, None where there are too few conversations.
        text: the same for a person.
    """

    ours: str
    theirs: str
    difference: float
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Contender:
    """What the proxies of one choice gave.

    Attributes:
        losses: held-out loss per answer token in nats, by seed.
        examples, tokens: what each proxy was tuned on, by seed.
    """

    name: str
    losses: tuple[float, ...]
    examples: tuple[int, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Proving:
    """The evidence for or against a selection.

    Attributes:
        method: that chose.
        untuned: held-out loss per answer token of the base in the same template.
        tokens: what each proxy was cut to; `steps` optimizer steps each.
        held_out: conversations that all of them are measured on; `held_out_from`: where they are from.
        seconds: the whole took.
    """

    method: str
    untuned: float
    contenders: tuple[Contender, ...]
    differences: tuple[Difference, ...]
    tokens: int
    steps: int
    epochs: float
    held_out: int
    held_out_from: str
    seconds: float


@dataclass(frozen=True)
class Trial:
    """What all proxies have in common, and what each is tuned on: `drawn` by contender and seed."""

    scorer: BaseScorer
    network: Any
    proof: Proof
    recipe: Recipe
    held: Sequence[Example]
    drawn: Mapping[str, Sequence[Sequence[Tokens]]]
    tokens: int
    per_epoch: int

    @property
    def steps(self) -> int:
        """Optimizer steps of each proxy."""
        return max(1, round(self.per_epoch * self.recipe.tuning.epochs))


def prove_choice(
    pool: Dataset, chosen: Dataset, recipe: Recipe, scorer: BaseScorer, seeds: int = FEWEST_SEEDS
) -> Proving:
    """Tune proxies on what was chosen, on lots and on the longest, and measure all on one hold-out.

    The hold-out is `data.held_out`, or the part of the whole pool that tuning would hold out; nothing of it, and
    nothing that gives it away, is tuned on. Each seed draws its own lots, its own part of a set that has more than
    `TOKENS` tokens, its own order and start. All proxies have the same tokens within one conversation, and the same
    number of steps with about as many tokens in each.

    Args:
        pool: what was chosen from; chosen: what `choose` left of it.
        seeds: at least three.

    Raises:
        UsageError: nothing was to be selected, or fewer seeds.
        DataError: no conversation is left to tune on or to measure.
    """
    started = time.perf_counter()
    wanted(recipe.select, "--prove")
    if seeds < FEWEST_SEEDS:
        raise UsageError(f"--prove needs at least {FEWEST_SEEDS} seeds, since one run more or less says nothing")
    trial = _trial(pool, chosen, resolve(recipe), scorer, seeds)
    untuned = _foretell(trial)
    nats = _measured(trial)
    counts = np.array([answer.tokens for answer in untuned.answers])
    pairs = ((CHOSEN, RANDOM), (CHOSEN, LONGEST), (LONGEST, RANDOM))
    return Proving(
        recipe.select.method,
        untuned.per_token,
        tuple(_contender(name, rows.sum(1) / counts.sum(), trial.drawn[name]) for name, rows in nats.items()),
        tuple(differ(a, b, nats[a], nats[b]) for a, b in pairs if a in nats and b in nats),
        trial.tokens,
        trial.steps,
        trial.recipe.tuning.epochs,
        len(counts),
        recipe.data.held_out or "a share of the conversations that were chosen from",
        time.perf_counter() - started,
    )


def proven(
    pool: Dataset,
    chosen: Dataset,
    recipe: Recipe,
    seeds: int,
    folder: Path,
    say: Callable[[str], None],
    bars: Bars,
    console: Console | None = None,
) -> dict[str, Any]:
    """`prove_choice`, written to `prove.json` in the data set's folder and shown on the console where there is one."""
    found = prove_choice(pool, chosen, recipe, BaseScorer(recipe, say, bars), seeds)
    write_text(folder / FILE, json.dumps(asdict(found), indent=1) + "\n")
    if console:
        show(found, console)
    return asdict(found)


def _contender(name: str, losses: Nats, drawn: Sequence[Sequence[Tokens]]) -> Contender:
    sizes = tuple(sum(map(len, part)) for part in drawn)
    return Contender(name, tuple(losses.tolist()), tuple(map(len, drawn)), sizes)


def _trial(pool: Dataset, chosen: Dataset, recipe: Recipe, scorer: BaseScorer, seeds: int) -> Trial:
    train, held = _apart(pool, recipe)
    sets = {CHOSEN: chosen, RANDOM: pool}
    if recipe.select.method != LONGEST:
        plain = recipe.select.model_copy(update={"method": LONGEST, "quotas": ()})
        sets[LONGEST] = choose(pool, plain, scorer)
    items = scorer.tokens(train.examples)
    own = {name: [items[e.id] for e in found.examples if e.id in items] for name, found in sets.items()}
    sizes = {name: sum(map(len, found)) for name, found in own.items()}
    tokens = min(TOKENS, *sizes.values())
    drawn = {name: [_draw(found, tokens, seed) for seed in range(seeds)] for name, found in own.items()}
    fewest = min(len(part) for parts in drawn.values() for part in parts)
    if not fewest:
        raise DataError(f"--prove: too little is chosen, or all of it is held out ({sizes} tokens are left)")
    usual = sum(map(len, drawn[RANDOM])) / seeds / recipe.tuning.batch_size
    device = machine.choose_device(recipe.model.device)
    network = load(scorer.located, device, scorer.dtype, scorer.say).network
    per_epoch = max(1, min(fewest, round(usual)))
    return Trial(scorer, network, prove(network), recipe, held.examples, drawn, tokens, per_epoch)


def _apart(pool: Dataset, recipe: Recipe) -> tuple[Dataset, Dataset]:
    """What may be tuned on, and what is measured."""
    settings = recipe.data
    if settings.held_out:
        train, held = pool, read(settings, [settings.held_out])
    else:
        train, held = split.hold_out(pool, settings.hold_out, settings.hold_out_most)
    if not held.examples:
        raise DataError(
            "--prove needs held-out conversations: more rows, a larger data.hold_out, or data.held_out=FILE"
        )
    return split.drop_leaks(train, held), held


def _draw(items: Sequence[Tokens], tokens: int, seed: int) -> list[Tokens]:
    """As many of these as have so many tokens, in an order that follows from the seed and their ids alone."""
    lots = sorted(items, key=lambda item: hashlib.sha256(f"prove {seed} {item.example}".encode()).digest())
    lengths = np.array([len(item) for item in lots], np.int64)
    return [lots[place] for place in Budget(None, tokens).within(range(len(lots)), lengths)]


def even_plan(lengths: Sequence[int], per_epoch: int, steps: int, seed: int) -> Plan:
    """So many steps that each have about as many tokens, whatever the lengths; each epoch in a new order.

    Args:
        lengths: tokens of each example, at least `per_epoch` of them.
    """
    made: list[tuple[int, ...]] = []
    for epoch in range(-(-steps // per_epoch)):
        places = order(len(lengths), seed, epoch)
        ends = list(accumulate(lengths[place] for place in places))
        start = 0
        for number in range(1, per_epoch + 1):
            aim = bisect_left(ends, ends[-1] * number / per_epoch) + 1
            end = max(start + 1, min(aim, len(places) - (per_epoch - number)))
            made.append(tuple(places[start:end]))
            start = end
    return Plan(tuple(made[:steps]), per_epoch)


def _foretell(trial: Trial) -> Losses:
    """Say what it will take, from one timed step and the untuned base's losses, which are the result."""
    scorer, settings = trial.scorer, trial.recipe.tuning
    started = time.perf_counter()
    untuned = reference_losses(trial.network, scorer.encoder, trial.proof, trial.held)
    if not untuned.answers:
        raise DataError("--prove: no held-out conversation can be measured; they are longer than the base reads")
    measuring = time.perf_counter() - started
    network = _lora(trial, 0)
    items = trial.drawn[RANDOM][0]
    step = even_plan([len(item) for item in items], trial.per_epoch, 1, 0).steps[0]
    packs = packs_of(items, step, settings.row_tokens)
    spent = 0.0
    for _ in range(2):  # the first touches memory for the first time and is slower than all that follow
        started = time.perf_counter()
        network.train()
        with attending(network, trial.proof):
            for pack in packs:
                pack_loss(network, pack, trial.proof, 1.0).backward()
        spent = time.perf_counter() - started
        network.zero_grad(set_to_none=True)
    proxies = sum(map(len, trial.drawn.values()))
    whole = proxies * trial.tokens * settings.epochs
    seconds = whole * spent / sum(map(len, packs)) * SAFETY + proxies * measuring
    scorer.say(
        f"Proving: {proxies} proxies ({', '.join(trial.drawn)}; {len(trial.drawn[RANDOM])} seeds), each on "
        f"{trial.tokens:,} tokens for {settings.epochs:g} epochs in {trial.steps} steps: {whole:,.0f} tokens, and "
        f"{len(untuned.answers)} held-out conversations each. About {max(1, seconds / 60):,.0f} minutes."
    )
    return untuned


def _measured(trial: Trial) -> dict[str, Nats]:
    """(seeds, conversations) summed loss of each held-out answer, by contender."""
    total, done = trial.steps * sum(map(len, trial.drawn.values())), 0
    found: dict[str, list[list[float]]] = {name: [] for name in trial.drawn}
    for seed in range(len(trial.drawn[RANDOM])):
        for name, parts in trial.drawn.items():
            network = _lora(trial, seed)
            settings = trial.recipe.tuning.model_copy(update={"seed": seed})
            state = State(network, Optimizer(adapters.trainable(network), settings))
            plan = even_plan([len(item) for item in parts[seed]], trial.per_epoch, trial.steps, seed)
            for _ in fit(state, plan, parts[seed], settings, trial.proof):
                done += 1
                trial.scorer.bars("tuning proxies", done, total)
            losses = reference_losses(network, trial.scorer.encoder, trial.proof, trial.held)
            found[name].append([answer.nats for answer in losses.answers])
    return {name: np.array(rows) for name, rows in found.items()}


def _lora(trial: Trial, seed: int) -> Any:
    """The base with a fresh adapter: modules of its own around the same weights, which LoRA leaves as they are."""
    weights = {id(weight): weight for weight in trial.network.parameters()}
    network = copy.deepcopy(trial.network, weights)
    made = adapters.add(network, trial.recipe.adapter.model_copy(update={"kind": "lora"}), seed)
    layers.quicken(made)
    return made


def differ(ours: str, theirs: str, our_nats: Nats, their_nats: Nats, seed: int = 0) -> Difference:
    """The relative difference of two contenders' loss, and its 95 % interval.

    Conversations are resampled, the same for both sides (the paired bootstrap, Efron and Tibshirani 1993). Seeds are
    too few for that: three that agree by chance would look certain. Each draw instead adds Student's t with one
    degree of freedom less than there are seeds, times the standard error of their mean.

    Args:
        our_nats, their_nats: (seeds, conversations) summed losses, above 0.
    """
    mine, other = our_nats.sum(0), their_nats.sum(0)
    by = float(mine.sum() / other.sum() - 1)
    if len(mine) < FEWEST:
        text = f"No verdict: {len(mine)} held-out conversations are too few; at least {FEWEST} are needed"
        return Difference(ours, theirs, by, None, None, text)
    draws = np.random.default_rng(seed)
    chosen = draws.integers(len(mine), size=(RESAMPLES, len(mine)))
    made = mine[chosen].sum(1) / other[chosen].sum(1) - 1
    each = our_nats.sum(1) / their_nats.sum(1) - 1
    made += draws.standard_t(len(each) - 1, RESAMPLES) * each.std(ddof=1) / np.sqrt(len(each))
    low, high = (float(edge) for edge in np.quantile(made, (0.025, 0.975)))
    if high < 0:
        text = f"better than {theirs} by {-100 * by:.1f} % ({-100 * high:.1f} to {-100 * low:.1f})"
    elif low > 0:
        text = f"worse than {theirs} by {100 * by:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
    else:
        reach = f"{_percent(by)} ({_percent(low)} to {_percent(high)})"
        text = f"not distinguishable from {theirs}: the loss differs by {reach}"
    return Difference(ours, theirs, by, low, high, text)


def _percent(share: float) -> str:
    return f"{100 * share:+.1f} %".replace("-", "−")


def show(proving: Proving, console: Console) -> None:
    """A table of the contenders, and a sentence for each difference."""
    table = Table("tuned on", "conversations", "tokens", "held-out loss per answer token", "by seed")
    table.add_row("nothing (the base)", "", "", f"{proving.untuned:.4f}", "")
    for contender in proving.contenders:
        name = f"{CHOSEN} ({proving.method})" if contender.name == CHOSEN else contender.name
        table.add_row(
            name,
            _range(contender.examples),
            _range(contender.tokens),
            f"{sum(contender.losses) / len(contender.losses):.4f}",
            ", ".join(f"{loss:.4f}" for loss in contender.losses),
        )
    console.print(table)
    for difference in proving.differences:
        console.print(f"{difference.ours}: {difference.text}")
    console.print(
        f"95 % intervals over {proving.held_out} held-out conversations ({proving.held_out_from}) and "
        f"{len(proving.contenders[0].losses)} seeds; {proving.steps} steps each; {proving.seconds:,.0f} s",
        markup=False,
    )


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"
