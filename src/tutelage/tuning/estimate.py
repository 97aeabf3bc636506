"""What a run would take, before it is started: the real data, and a few real tokens through the real model."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tutelage.model import adapters, layers, machine
from tutelage.model.forward import attending, pack_loss, prove
from tutelage.model.load import load, load_tokenizer, locate
from tutelage.recipe import Recipe
from tutelage.text.encode import Encoder
from tutelage.text.pack import packs_of
from tutelage.tuning.job import within_memory
from tutelage.tuning.optim import Optimizer
from tutelage.tuning.prepare import Prepared, prepare
from tutelage.tuning.run import new_folder

SAFETY = 1.15
"""The measured step has no hold-out, samples or checkpoints in it."""


@dataclass(frozen=True)
class Estimate:
    """What it takes: counts, seconds, bytes. `memory` is of this process at its highest; `disk` of the run folder."""

    run: str
    rows: int
    conversations: int
    held_out: int
    tokens: int
    trained_tokens: int
    steps: int
    epochs: float
    lr: float
    seconds: float
    tokens_per_second: float
    memory: int
    memory_there: int
    disk: int
    disk_free: int


def estimate(recipe: Recipe, say: Callable[[str], None]) -> Estimate:
    """Prepare everything, time one step without changing anything, and add up.

    Raises:
        TutelageError: whatever would stop the run itself before its first step.
    """
    located = locate(recipe.model.base, say)
    template = located.template if recipe.model.template == "auto" and located.template else recipe.model.template
    prepared = prepare(recipe, Encoder(load_tokenizer(located), template), say)
    prepared = within_memory(prepared, recipe, located, say)
    prepared.certificate.check()
    recipe, certificate = prepared.recipe, prepared.certificate
    machine.set_threads(recipe.model.threads)
    device = machine.choose_device(recipe.model.device)
    loaded = load(located, device, machine.choose_precision(recipe.model.precision, device), say)
    proof = prove(loaded.network)
    network = adapters.add(loaded.network, recipe.adapter, recipe.tuning.seed)
    layers.quicken(network)
    optimizer = Optimizer(adapters.trainable(network), recipe.tuning)
    weights = sum(weight.numel() for weight in optimizer.weights.values())
    packs = packs_of(prepared.train.tokens, prepared.plan.steps[0], recipe.tuning.row_tokens)
    network.train()
    spent = []
    for _ in range(2):  # the first touches memory for the first time and is slower than all that follow
        started = time.perf_counter()
        with attending(network, proof):
            for pack in packs:
                pack_loss(network, pack, proof, 1.0).backward()
        spent.append(time.perf_counter() - started)
        optimizer.forget()
    speed = sum(map(len, packs)) / spent[-1]
    tokens = _tokens(prepared)
    folder = new_folder(recipe.out, recipe.data.files)
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    saved = weights * (2 if recipe.adapter.kind == "full" and str(loaded.dtype).endswith("16") else 4)
    return Estimate(
        run=str(folder),
        rows=certificate.rows_read,
        conversations=certificate.examples,
        held_out=len(prepared.held.tokens),
        tokens=tokens,
        trained_tokens=certificate.trained_tokens,
        steps=len(prepared.plan),
        epochs=recipe.tuning.epochs,
        lr=recipe.tuning.lr,
        seconds=tokens / speed * SAFETY,
        tokens_per_second=speed,
        memory=machine.peak_memory_bytes() + 8 * weights,  # AdamW's two moments come with the first update
        memory_there=machine.memory_bytes(),
        disk=saved + (12 * weights if recipe.tuning.save_every or recipe.tuning.keep_checkpoint else 0),
        disk_free=shutil.disk_usage(Path(there)).free,
    )


def _tokens(prepared: Prepared) -> int:
    """Tokens over all steps of the plan."""
    lengths = [len(item) for item in prepared.train.tokens]
    return sum(lengths[place] for step in prepared.plan.steps for place in step)
