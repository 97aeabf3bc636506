"""From the recipe's files to the plan of a run: read, curate, hold out, encode, certify."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.data import duplicates, personal, quality, split
from tutelage.data.reading import read
from tutelage.errors import DataError, UsageError
from tutelage.model.load import tokenizer_hash
from tutelage.recipe import Recipe, TuningSettings
from tutelage.records import Dataset, Dropped, Example
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


def gather(recipe: Recipe, seed: int, say: Callable[[str], None]) -> tuple[Dataset, Dataset, Dataset]:
    """Everything read and usable, what is trained on, and what is held out.

    Raises:
        DataError: the files cannot be used.
        UsageError: a mix is not FILE:SHARE.
    """
    personal.only_in_curate(recipe.personal)
    settings = recipe.data
    dataset = duplicates.drop_repeats(quality.apply(read(settings), recipe.quality))
    for entry in settings.mix:
        name, share = _mixed(entry)
        table = settings.model_copy(update={"columns": ""})
        other = duplicates.drop_repeats(quality.apply(read(table, [name]), recipe.quality))
        dataset = split.mix(dataset, other, share, seed)
    _tell(dataset, say)
    if settings.held_out:
        held = read(settings, [settings.held_out])
        shared = split.leaks(dataset, held)
        if shared:
            say(f"Careful: {len(shared)} held-out conversations are nearly the same as ones tuned on, e.g. {shared[0]}")
        return dataset, dataset, held
    train, held = split.hold_out(dataset, settings.hold_out, settings.hold_out_most, seed=0)
    if back := len(dataset) - len(train) - len(held):
        say(f"{back:,} more conversations are held back; a smaller data.hold_out leaves more to train on.")
    return split.settled(dataset, train, held), train, held


def _mixed(entry: str) -> tuple[str, float]:
    name, _, share = entry.rpartition(":")
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not name or not 0 < value < 1:
        raise UsageError(f"--mix {entry}: write FILE:SHARE, with a share between 0 and 1, e.g. general.jsonl:0.3")
    return name, value


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
    dataset, train, held = gather(recipe, settings.seed, say)
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
