"""The loop: what a step says, what it must refuse, and that it teaches a model to stop."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import tiny
from tutelage.errors import TuningError
from tutelage.model import adapters
from tutelage.model.forward import Proof, prove
from tutelage.model.generate import decode
from tutelage.model.load import in_precision
from tutelage.recipe import AdapterSettings, DecodingSettings, TuningSettings
from tutelage.records import Role, Turn
from tutelage.text.encode import Encoder, Tokens
from tutelage.text.pack import plan
from tutelage.tuning import fit as fitting
from tutelage.tuning.fit import NotFinite, State, fit, held_out_loss
from tutelage.tuning.optim import Optimizer

SETTINGS = TuningSettings(batch_size=4, lr=1e-3, row_tokens=40)
SHARED = Proof(True, 0, 0)


def started(name: str = "llama", kind: str = "full", **changes: Any) -> tuple[State, TuningSettings]:
    settings = SETTINGS.model_copy(update=changes)
    network = adapters.add(tiny.network(name), AdapterSettings(kind=kind, rank=4), 0)
    return State(network, Optimizer(adapters.trainable(network), settings)), settings


def test_what_a_step_says() -> None:
    state, settings = started(prompt_weight=0.5)
    items = [tiny.tokens(length, seed, fractional=True) for seed, length in enumerate((10, 20, 30))]
    steps = list(fit(state, plan(3, 2, 2, 0), items, settings, SHARED))
    assert [step.step for step in steps] == [1, 2, 3, 4] and state.step == 4
    assert steps[0].tokens + steps[1].tokens == steps[2].tokens + steps[3].tokens == 60
    trained = sum(int((item.weights > 0).sum()) for item in items)
    assert steps[0].trained_tokens + steps[1].trained_tokens == trained
    assert all(step.loss > 0 and step.grad_norm > 0 and step.tokens_per_second > 0 for step in steps)
    assert [step.lr for step in steps[1:]] == sorted((step.lr for step in steps[1:]), reverse=True)


def test_a_step_is_done_only_when_it_is_asked_for() -> None:
    """The loop is a generator: what its caller does between two steps sees the weights after the first."""
    state, settings = started()
    before = {name: weight.detach().clone() for name, weight in state.optimizer.weights.items()}
    steps = fit(state, plan(8, 4, 1, 0), tiny.batch(), settings, SHARED)
    assert state.step == 0
    next(steps)
    assert state.step == 1
    assert not torch.equal(before["lm_head.weight"], state.network.lm_head.weight)
    assert all(weight.grad is None for weight in state.optimizer.weights.values())


def test_the_loss_is_the_weighted_mean_of_the_whole_step() -> None:
    """With fractional weights too: weighted sum of token losses over the sum of weights."""
    state, settings = started()
    items = [tiny.tokens(length, seed, fractional=True) for seed, length in enumerate((10, 20, 30, 7))]
    total = weight = 0.0
    with torch.no_grad():
        for item in items:
            ids = torch.from_numpy(item.ids.astype(np.int64))
            losses = torch.nn.functional.cross_entropy(
                state.network(input_ids=ids[None]).logits[0, :-1], ids[1:], reduction="none"
            )
            total += float((losses * torch.from_numpy(item.weights[1:])).sum())
            weight += float(item.weights[1:].sum())
    step = next(fit(state, plan(4, 4, 1, 0), items, settings, SHARED))
    assert abs(step.loss - total / weight) < 1e-6 * step.loss


def snapshot(state: State) -> list[Tensor]:
    parts = [*state.optimizer.weights.values(), *state.optimizer.tensors().values()]
    return [part.detach().clone() for part in parts]


def same(before: list[Tensor], after: list[Tensor]) -> bool:
    return all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_damaged_weight_stops_before_the_step(bad: float, dtype: torch.dtype) -> None:
    """Planted after two good steps: weights, moments and count stay; the error is a TuningError with the rows."""
    network = in_precision(tiny.network("llama"), dtype)
    state = State(network, Optimizer(adapters.trainable(network), SETTINGS))
    steps = fit(state, plan(8, 4, 3, 0), tiny.batch(), SETTINGS, SHARED)
    next(steps)
    next(steps)
    with torch.no_grad():
        network.model.layers[1].mlp.up_proj.weight[3, 3] = bad
    before = snapshot(state)
    with pytest.raises(NotFinite, match=r"step 3: the (loss|gradient) is not a number; nothing was changed") as caught:
        next(steps)
    assert isinstance(caught.value, TuningError)
    assert set(caught.value.examples) <= {item.example for item in tiny.batch()} and caught.value.examples
    assert state.step == 2 and same(before, snapshot(state))
    assert all(weight.grad is None for weight in state.optimizer.weights.values())


def test_an_infinite_loss_names_the_examples_of_its_row() -> None:
    """One token's embedding is infinite; only the row that holds it is named, though others came before."""
    state, settings = started(row_tokens=1)
    items = [tiny.tokens(10, seed) for seed in range(4)]
    free = next(token for token in range(2, tiny.VOCABULARY) if all(token not in item.ids for item in items))
    items[2].ids[5] = free
    with torch.no_grad():
        state.network.model.embed_tokens.weight[free] = math.inf
    before = snapshot(state)
    with pytest.raises(NotFinite) as caught:
        next(fit(state, plan(4, 4, 1, 0), items, settings, SHARED))
    assert caught.value.examples == ("e2",)
    assert same(before, snapshot(state))


def test_an_infinite_gradient_of_a_finite_loss_names_the_whole_step(monkeypatch: pytest.MonkeyPatch) -> None:
    state, settings = started()
    real = fitting.pack_loss

    def steep(*given: Any) -> Tensor:
        loss = real(*given)
        loss.register_hook(lambda gradient: gradient * math.inf)
        return loss

    monkeypatch.setattr(fitting, "pack_loss", steep)
    before = snapshot(state)
    with pytest.raises(NotFinite, match="the gradient is not a number") as caught:
        next(fit(state, plan(4, 4, 1, 0), tiny.batch(4), settings, SHARED))
    assert sorted(caught.value.examples) == ["e0", "e1", "e2", "e3"]
    assert same(before, snapshot(state))


def test_the_held_out_loss_is_per_token_and_leaves_the_mode() -> None:
    state, _ = started()
    items = tiny.batch(5)
    whole = held_out_loss(state.network, items, SHARED, 10_000)
    one_by_one = held_out_loss(state.network, items, SHARED, 1)
    alone = held_out_loss(state.network, items, Proof(False, 0, 0), 40)
    assert abs(whole - one_by_one) < 1e-6 * whole and abs(whole - alone) < 1e-6 * whole
    assert not state.network.training
    state.network.train()
    held_out_loss(state.network, items, SHARED, 40)
    assert state.network.training
    assert math.isnan(held_out_loss(state.network, [], SHARED, 40))


@pytest.mark.parametrize("name", ["llama", "gemma3", "lfm2"])
@pytest.mark.parametrize("kind", ["full", "lora"])
def test_a_model_that_learned_one_example_answers_it_and_stops_by_itself(name: str, kind: str, tmp_path: Path) -> None:
    """The same encoder trains and asks: exactly the answer, then the stop token."""
    encoder = Encoder(tiny.tokenizer(), "plain")
    question, answer = Turn(Role.USER, tiny.QUESTIONS[2]), Turn(Role.ASSISTANT, tiny.ANSWERS[2])
    item: Tokens = encoder.encode((question, answer), "one")
    loaded = tiny.network(name)
    proof = prove(loaded)
    network = adapters.add(loaded, AdapterSettings(kind=kind, rank=16), 0)
    settings = TuningSettings(batch_size=1, lr=0.01, warmup=0.0, schedule="constant")
    state = State(network, Optimizer(adapters.trainable(network), settings))
    for step in fit(state, plan(1, 1, 150, 0), [item], settings, proof):
        if step.loss < 0.02:
            break
    made = decode(network, [encoder.prompt((question,))], encoder.stop_ids, DecodingSettings(max_new_tokens=100))[0]
    assert (encoder.decode(made.ids), made.stopped) == (answer.text, True)
