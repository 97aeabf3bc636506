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
from tutelage.model.forward import Proof, attending, one_pass, pack_loss, pack_token_losses
from tutelage.recipe import TuningSettings
from tutelage.text.encode import Tokens
from tutelage.text.pack import Pack, Plan, best_fit, make_pack
from tutelage.tuning.distributed import ALONE, Party, deal, idle
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
    from (seed, step), so this, the plan and the recipe are enough to go on with the same numbers.
    In several processes, `party` says which one this is."""

    network: Any
    optimizer: Optimizer
    step: int = 0
    party: Party = ALONE


def seed_step(seed: int, step: int, rank: int = 0) -> None:
    """Random numbers (dropout) of a step and process, the same whether or not the run was interrupted before it."""
    digest = hashlib.sha256((f"{seed}:{step}:{rank}" if rank else f"{seed}:{step}").encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def fit(state: State, plan: Plan, tokens: Sequence[Tokens], settings: TuningSettings, proof: Proof) -> Iterator[Step]:
    """Do the steps that are left, one for each `next`.

    The summed loss of all packs of a step is divided once by the sum of the step's weights, so the way a
    step is cut into packs, and dealt over processes, changes nothing but rounding.

    Raises:
        NotFinite: before the weights are touched.
    """
    party = state.party
    room = _room(state.network, proof, tokens, settings.row_tokens, party)
    while state.step < len(plan):
        started = time.perf_counter()
        seed_step(settings.seed, state.step, party.rank)
        state.network.train()
        dealt = deal(tokens, plan.steps[state.step], room, party.size)
        packs = [pack for share in dealt for pack in share]
        weight = sum(pack.weight for pack in packs)
        losses = []
        with attending(state.network, proof):
            for pack in dealt[party.rank]:
                part = pack_loss(state.network, pack, proof, 1 / weight)
                losses.append(part.item())
                part.backward()
        losses = party.all(losses)
        loss, norm = sum(losses), state.optimizer.gradient_norm()
        if not math.isfinite(loss) or not math.isfinite(norm):
            state.optimizer.forget()
            raise _not_finite(state.step + 1, packs, losses)
        lr = rate(state.step, len(plan), settings, settings.lr)
        state.optimizer.step(lr, norm, settings.clip)
        state.step += 1
        seconds = time.perf_counter() - started
        count = sum(len(tokens[place]) for place in plan.steps[state.step - 1])
        trained = sum(pack.trained for pack in packs)
        yield Step(state.step, loss, count, trained, count / seconds, lr, norm, seconds)


def _room(network: Any, proof: Proof, tokens: Sequence[Tokens], row_tokens: int, party: Party) -> int:
    """Tokens in a row. Processes that exchange weights must go through the network equally often: a row is one
    example where some rows would be taken apart."""
    longest = max(map(len, tokens), default=0)
    return row_tokens if party.size == 1 or one_pass(network, proof, longest) else 1


def _not_finite(step: int, packs: Sequence[Pack], losses: Sequence[float]) -> NotFinite:
    """Names the first pack whose loss is not a number, or else all of the step's examples."""
    for pack, loss in zip(packs, losses, strict=True):
        if not math.isfinite(loss):
            return NotFinite("loss", step, pack.examples)
    return NotFinite("gradient", step, tuple(name for pack in packs for name in pack.examples))


def held_out_loss(network: Any, tokens: Sequence[Tokens], proof: Proof, row_tokens: int, party: Party = ALONE) -> float:
    """Loss per trained token over held-out examples, in nats; not a number where there are none.

    The rows are dealt over the processes; all get the same number, and the same result.
    """
    training = network.training
    network.eval()
    total, count = 0.0, 0
    room = _room(network, proof, tokens, row_tokens, party)
    rows = [[tokens[place] for place in row] for row in best_fit([len(item) for item in tokens], room)]
    with attending(network, proof):
        for first in range(0, len(rows), party.size):
            mine = first + party.rank
            pack = make_pack(rows[mine]) if mine < len(rows) else idle(make_pack(rows[first]))
            total += float(pack_token_losses(network, pack, proof).double().sum())
            count += pack.trained
    network.train(training)
    everything, places = party.total(total, count)
    return everything / places if places else math.nan
