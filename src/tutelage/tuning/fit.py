"""The training loop. What a caller does with a step (log, save, stop, draw a bar) is not its business."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tutelage.errors import TuningError
from tutelage.model.forward import Proof, attending, pack_loss, pack_token_losses
from tutelage.recipe import TuningSettings
from tutelage.text.encode import Tokens
from tutelage.text.pack import Plan, best_fit, make_pack, packs_of
from tutelage.tuning.optim import Optimizer, rate
from tutelage.tuning.run import Step


class NotFinite(TuningError):
    """A loss or gradient that is not a number; `examples` are the ids of the step's examples."""

    def __init__(self, what: str, step: int, examples: tuple[str, ...]) -> None:
        super().__init__(f"step {step}: the {what} is not a number; nothing was changed by this step")
        self.examples = examples


@dataclass
class State:
    """Everything that changes while tuning. The order of the data and the random numbers of a step follow
    from (seed, step), so this, the plan and the recipe are enough to go on with the same numbers."""

    network: Any
    optimizer: Optimizer
    step: int = 0


def seed_step(seed: int, step: int) -> None:
    """Random numbers (dropout) of a step, the same whether or not the run was interrupted before it."""
    digest = hashlib.sha256(f"{seed}:{step}".encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def fit(state: State, plan: Plan, tokens: Sequence[Tokens], settings: TuningSettings, proof: Proof) -> Iterator[Step]:
    """Do the steps that are left, one for each `next`.

    The summed loss of all packs of a step is divided once by the sum of the step's weights, so the way a
    step is cut into packs changes nothing but rounding.

    Raises:
        NotFinite: before the weights are touched.
    """
    while state.step < len(plan):
        started = time.perf_counter()
        seed_step(settings.seed, state.step)
        state.network.train()
        packs = packs_of(tokens, plan.steps[state.step], settings.row_tokens)
        weight = sum(pack.weight for pack in packs)
        examples = tuple(name for pack in packs for name in pack.examples)
        loss = 0.0
        with attending(state.network, proof):
            for pack in packs:
                part = pack_loss(state.network, pack, proof, 1 / weight)
                loss += part.item()
                if not math.isfinite(loss):
                    state.optimizer.forget()
                    raise NotFinite("loss", state.step + 1, pack.examples)
                part.backward()
        norm = state.optimizer.gradient_norm()
        if not math.isfinite(norm):
            state.optimizer.forget()
            raise NotFinite("gradient", state.step + 1, examples)
        lr = rate(state.step, len(plan), settings, settings.lr)
        state.optimizer.step(lr, norm, settings.clip)
        state.step += 1
        seconds = time.perf_counter() - started
        count = sum(map(len, packs))
        yield Step(state.step, loss, count, sum(pack.trained for pack in packs), count / seconds, lr, norm, seconds)


def held_out_loss(network: Any, tokens: Sequence[Tokens], proof: Proof, row_tokens: int) -> float:
    """Loss per trained token over held-out examples, in nats; not a number where there are none."""
    training = network.training
    network.eval()
    total, count = 0.0, 0
    with attending(network, proof):
        for row in best_fit([len(item) for item in tokens], row_tokens):
            pack = make_pack([tokens[place] for place in row])
            total += float(pack_token_losses(network, pack, proof).double().sum())
            count += pack.trained
    network.train(training)
    return total / count if count else math.nan
