"""From the recipe's files to the plan of a run: read, curate, hold out, encode, certify."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.data import breadth, duplicates, mixing, personal, quality, split
from tutelage.data.reading import read
from tutelage.errors import DataError
from tutelage.model.load import tokenizer_hash
from tutelage.recipe import QualitySettings, Recipe, TuningSettings
from tutelage.records import Dataset, Dropped, Example
from tutelage.selection import choosing
from tutelage.text import shelf
from tutelage.text.certificate import Certificate, walk
from tutelage.text.encode import Encoded, Encoder, encode_all
from tutelage.text.pack import Plan, packs_of, plan

MEASURED: dict[str, tuple[float, float]] = {
    "lora": (1e-3, 1.5),
    "qlora": (1e-3, 1.5),
    "full": (3e-5, 2.0),
}
"""Learning rate and epochs by adapter kind, from the experiments in LOG.md."""
LOOKED_AT = 2000
"""Whether data is one task shows in so many conversations."""


@dataclass(frozen=True)
class Prepared:
    """All that is decided before the first step.

    Attributes:
        recipe: with every default filled in.
        dataset: everything read, with its ledgers.
        train, held: what is trained on and what is held out, as tokens with their examples.
        plan: the examples of every step.
        certificate: what the plan's batches train on.
        read: the examples to train on and to hold out as they were before they were encoded.
    """

    recipe: Recipe
    dataset: Dataset
    train: Encoded
    held: Encoded
    plan: Plan
    encoder: Encoder
    certificate: Certificate
    read: tuple[Sequence[Example], Sequence[Example]]


def resolve(recipe: Recipe) -> Recipe:
    """The recipe with the measured learning rate and epochs where none are given."""
    lr, epochs = MEASURED[recipe.adapter.kind]
    tuning = recipe.tuning.model_copy(update={"lr": recipe.tuning.lr or lr, "epochs": recipe.tuning.epochs or epochs})
    return recipe.model_copy(update={"tuning": tuning})


def gather(
    recipe: Recipe, seed: int, say: Callable[[str], None], size: mixing.Size
) -> tuple[Dataset, Dataset, Dataset]:
    """Everything read and usable, what is trained on, and what is held out.

    The hold-out is of the data itself, whatever is mixed in, so that runs with and without a mix measure the same.

    Args:
        size: of a conversation, in tokens: what the shares of a mix are counted in.

    Raises:
        DataError: the files cannot be used.
        UsageError: a mix is not FILE:SHARE.
    """
    personal.only_in_curate(recipe.personal)
    choosing.only_in_curate(recipe.select)
    settings, wanted = recipe.data, mixing.parse(recipe.data.mix)
    dataset = duplicates.drop_repeats(quality.apply(read(settings), recipe.quality))
    if settings.held_out:
        own, train, held = dataset, dataset, _held_out(recipe, say)
    else:
        train, held = split.hold_out(dataset, settings.hold_out, settings.hold_out_most, seed=0)
        own = split.settled(dataset, train, held)
    others, table = [], settings.model_copy(update={"columns": "", "instruction": "", "format": "auto"})
    for name, share in wanted:
        other = duplicates.drop_repeats(quality.apply(read(table, [name]), recipe.quality))
        others.append((name, mixing.apart(other, held), share))
    taken, portions = mixing.mix(train, others, size, seed)
    train = mixing.joined(train, taken)
    _tell(mixing.joined(dataset, taken), say)
    for portion in portions:
        say(portion.told())
    if settings.held_out and (shared := split.leaks(train, held)):
        say(f"Careful: {len(shared)} held-out conversations are nearly the same as ones tuned on, e.g. {shared[0]}")
    if back := len(dataset) + sum(map(len, taken)) - len(train) - (0 if settings.held_out else len(held)):
        say(f"{back:,} more conversations are held back; a smaller data.hold_out leaves more to train on.")
    return mixing.joined(own, taken), train, held


def _held_out(recipe: Recipe, say: Callable[[str], None]) -> Dataset:
    """The file that `data.held_out` names, without what no rule keeps: blank ones, and exact repeats, which would count
    twice. The settings that mend or drop more are for training: what is measured on stays as it was written.

    Raises:
        DataError: nothing is left.
    """
    name = recipe.data.held_out
    held = read(recipe.data, [name])
    kept = duplicates.drop_repeats(quality.apply(held, QualitySettings(off=recipe.quality.off)))
    if dropped := Counter(row.rule for row in kept.dropped[len(held.dropped) :]):
        listed = ", ".join(f"{count:,} × {rule}" for rule, count in dropped.most_common())
        say(f"Held-out file {name}: {len(kept):,} conversations kept; dropped: {listed}.")
    if not kept.examples:
        raise DataError(f"{name}: no conversation is left to measure on; each is blank")
    return kept


def _warn(train: Dataset, say: Callable[[str], None]) -> None:
    """Say so where the data is one task, with what to mix in."""
    found = breadth.survey(train.examples, topics=False, most=LOOKED_AT)
    if found.narrow:
        say(f"{found.warning} {found.advice}")


def _tell(dataset: Dataset, say: Callable[[str], None]) -> None:
    ledger = dataset.ledger
    say(
        f"Read {ledger.rows_read:,} rows: {ledger.conversations_kept:,} conversations kept, "
        f"{ledger.conversations_dropped:,} dropped, {ledger.rows_passed_over:,} rows passed over."
    )
    for name, reason in dataset.ignored[:5]:
        say(f"Passed over {name}: {reason}")
    for rule, count in Counter(f"{row.rule}" for row in dataset.dropped).most_common(5):
        first = next(row for row in dataset.dropped if row.rule == rule)
        say(f"  {count:,} × {rule}, e.g. {first.source}: {first.reason}")
    flags = Counter(found.rule for found in dataset.findings if found.action == "flag")
    if flags:
        listed = ", ".join(f"{count:,} {rule}" for rule, count in flags.most_common(4))
        say(f"`tutelage curate` would flag: {listed}.")


def prepare(recipe: Recipe, encoder: Encoder, say: Callable[[str], None], kept: Path | None = None) -> Prepared:
    """Everything before the first step, certificate included (not yet checked).

    Args:
        kept: where `keep_tokens` may have put the same tokens before.

    Raises:
        DataError: nothing is left to train on.
    """
    recipe = resolve(recipe)
    settings: TuningSettings = recipe.tuning
    dataset, train, held = gather(recipe, settings.seed, say, lambda example: _tokens_of(example, encoder, settings))
    if not kept and not recipe.data.mix:
        _warn(train, say)
    taught, measured = (
        (kept and shelf.take(kept / name, key, examples)) or encode_all(encoder, examples, *how)
        for name, key, examples, how in _to_encode(settings, encoder, train.examples, held.examples)
    )
    for dropped in (taught.dropped + measured.dropped)[:3]:
        say(f"Dropped {dropped.source}: {dropped.rule}, {dropped.reason}")
    if not taught.tokens:
        reason = f"{taught.dropped[0].source}: {taught.dropped[0].reason}" if taught.dropped else "all are held out"
        raise DataError(f"no conversation is left to train on; {reason}")
    steps = plan(len(taught.tokens), settings.batch_size, settings.epochs, settings.seed, settings.max_steps)
    certificate = certify(recipe, dataset, taught, measured, encoder)
    return Prepared(recipe, dataset, taught, measured, steps, encoder, certificate, (train.examples, held.examples))


def _tokens_of(example: Example, encoder: Encoder, settings: TuningSettings) -> int:
    """Tokens of a conversation as it is tuned on: 0 where it would be dropped."""
    return sum(map(len, encode_all(encoder, (example,), settings.max_length, settings.too_long).tokens))


def _to_encode(
    settings: TuningSettings, encoder: Encoder, train: Sequence[Example], held: Sequence[Example]
) -> Iterator[tuple[str, str, Sequence[Example], tuple[Any, ...]]]:
    """For each of both parts: its name, the key of its tokens, its examples, and how they are encoded."""
    made_by = tokenizer_hash(encoder.tokenizer), template_hash(encoder)
    for name, examples, weight in (("train", train, settings.prompt_weight), ("held", held, 0.0)):
        how = (settings.max_length, settings.too_long, weight)
        yield name, shelf.key_of(examples, *made_by, *how), examples, how


def keep_tokens(prepared: Prepared, folder: Path) -> None:
    """Put the tokens where `prepare` finds them; a disk that refuses costs nothing but encoding again."""
    parts = {"train": prepared.train, "held": prepared.held}
    for name, key, examples, _ in _to_encode(prepared.recipe.tuning, prepared.encoder, *prepared.read):
        with contextlib.suppress(OSError):
            shelf.put(folder / name, key, examples, parts[name])


def template_hash(encoder: Encoder) -> str:
    """SHA-256 of the chat template."""
    return hashlib.sha256(encoder.template.jinja.encode()).hexdigest()


def certify(recipe: Recipe, dataset: Dataset, taught: Encoded, held: Encoded, encoder: Encoder) -> Certificate:
    """The certificate over every batch of one epoch."""
    settings = recipe.tuning
    epoch = plan(len(taught.tokens), settings.batch_size, 1.0, settings.seed)
    packs = (pack for step in epoch.steps for pack in packs_of(taught.tokens, step, settings.row_tokens))
    seen = walk(packs, taught.examples, taught.tokens, encoder)
    from_data = not recipe.data.held_out
    late = taught.dropped + (held.dropped if from_data else ())
    ledger = dataset.ledger
    return Certificate(
        **{
            **ledger.counts(),
            "conversations_kept": ledger.conversations_kept - len(late),
            "conversations_dropped": ledger.conversations_dropped + len(late),
        },
        dropped=_by_rule(dataset.dropped + late),
        sources=dict(Counter(example.source.file for example in taught.examples)),
        examples=seen.examples.total(),
        tokens=seen.tokens,
        trained_tokens=seen.trained_tokens,
        trained_turns=sum(turn.is_trained for example in taught.examples for turn in example.conversation.turns),
        stops_trained=seen.stops_trained,
        answers_equal=seen.answers_equal,
        rows_untrained=seen.rows_untrained,
        crossings=seen.crossings,
        control_in_text=seen.control_in_text,
        mask_errors=seen.mask_errors,
        shortened=len(taught.shortened),
        turns_cut=taught.turns_cut,
        held_out=len(held.examples) if from_data else 0,
        template=encoder.template.name,
        template_hash=template_hash(encoder),
        tokenizer_hash=tokenizer_hash(encoder.tokenizer),
        data_hash=_data_hash(taught.examples + held.examples),
    )


def _by_rule(dropped: tuple[Dropped, ...]) -> dict[str, int]:
    return dict(Counter(f"{row.stage}: {row.rule}" for row in dropped))


def _data_hash(examples: tuple[Example, ...]) -> str:
    return hashlib.sha256("\n".join(example.id for example in examples).encode()).hexdigest()
