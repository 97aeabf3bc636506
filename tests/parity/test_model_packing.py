"""Examples that share a row against the same examples one by one through the model's own forward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import tiny
from tutelage.model.forward import Proof, attending, pack_loss, pack_token_losses, prove, recompute
from tutelage.text.encode import Tokens
from tutelage.text.pack import make_pack

PACKED = ("llama", "gemma3", "phi", "gpt2", "phi3")  # grouped heads; window; head bias; absolute places; longrope
SHARED = Proof(True, 0.0, 0.0)


def untrained(length: int, seed: int) -> Tokens:
    item = tiny.tokens(length, seed)
    return Tokens(item.ids, np.zeros_like(item.weights), (), item.example)


def own_losses(network: Any, item: Tokens) -> Tensor:
    """The model's own cross entropy of each token but the first, with the example's weights."""
    ids = torch.from_numpy(item.ids.astype(np.int64))
    logits = network(input_ids=ids[None], use_cache=False).logits[0]
    return F.cross_entropy(logits[:-1], ids[1:], reduction="none") * torch.from_numpy(item.weights[1:])


def packed_loss(network: Any, items: list[Tokens]) -> Tensor:
    with attending(network, SHARED):
        loss = pack_loss(network, make_pack(items), SHARED, 1.0)
        loss.backward()
    return loss.detach()


@pytest.mark.parametrize("name", PACKED)
def test_a_neighbour_changes_no_bit_of_an_example(name: str) -> None:
    """Neighbours of the same lengths before and after: token losses, loss and gradients are the same bits."""
    network, middle = tiny.network(name), tiny.tokens(22, 9)
    rows = [[untrained(19, seed), middle, untrained(11, seed + 1)] for seed in (1, 3)]
    found = []
    for row in rows:
        with attending(network, SHARED):
            losses = pack_token_losses(network, make_pack(row), SHARED)
        found.append((losses, packed_loss(network, row), tiny.gradients(network)))
    (losses, loss, gradients), (losses_2, loss_2, gradients_2) = found
    assert torch.equal(losses, losses_2) and torch.equal(loss, loss_2)
    assert len(losses) == int((middle.weights > 0).sum()) and float(tiny.flat(gradients).abs().sum()) > 0
    unequal = [key for key in gradients if not torch.equal(gradients[key], gradients_2[key])]
    assert unequal == []


@pytest.mark.parametrize("name", PACKED)
def test_a_neighbours_logits_stay_while_the_example_changes_them_when_it_is_changed(name: str) -> None:
    """The last hidden states themselves, so that untrained places are looked at too."""
    network = tiny.network(name)

    def hidden(first: int, second: int) -> Tensor:
        pack = make_pack([tiny.tokens(19, first), tiny.tokens(22, second)])
        with attending(network, SHARED), torch.no_grad():
            made: Tensor = network.get_decoder()(
                input_ids=torch.from_numpy(pack.ids)[None],
                position_ids=torch.from_numpy(pack.positions)[None],
                use_cache=False,
                boundaries=pack.boundaries,
            ).last_hidden_state[0]
        return made

    before, after = hidden(1, 9), hidden(2, 9)
    assert torch.equal(before[19:], after[19:])
    assert not torch.equal(before[:19], after[:19])


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", PACKED)
def test_packed_is_one_by_one(name: str, attention: str) -> None:
    """Token losses, their sum and every gradient; most examples are longer than Gemma's window of 8."""
    network = tiny.network(name, attention=attention)
    items = [tiny.tokens(length, seed, fractional=True) for seed, length in enumerate((21, 5, 34, 9, 3))]
    own = torch.cat([own_losses(network, item) for item in items])
    own.sum().backward()
    theirs = tiny.gradients(network)
    loss = packed_loss(network, items)
    ours = tiny.gradients(network)
    with attending(network, SHARED):
        tokens = pack_token_losses(network, make_pack(items), SHARED)
    weights = torch.cat([torch.from_numpy(item.weights[1:]) for item in items])
    assert network.config._attn_implementation == attention
    tiny.agree(tokens * weights[weights > 0], own[weights > 0])
    tiny.agree(loss, own.sum(), 1e-6, 1e-6)
    tiny.agree(tiny.flat(ours), tiny.flat(theirs), 1e-6 if attention == "sdpa" else 2e-6, 1e-8)  # eager rounds more
    for key, gradient in theirs.items():
        tiny.agree(ours[key], gradient, 5e-6, 1e-6)


def test_past_the_window_the_window_counts() -> None:
    """Without its window the same weights give other losses: the test above would notice."""
    wide = tiny.network("gemma3")
    with torch.no_grad():
        narrow = own_losses(wide, tiny.tokens(34, 2))
        for layer in wide.model.layers:
            layer.self_attn.sliding_window = None
        wide.config.sliding_window = 1000
        assert tiny.residuals(own_losses(wide, tiny.tokens(34, 2)), narrow)[0] > 1e-3


@pytest.mark.parametrize("name", PACKED[:3])
def test_recomputed_activations_give_the_same_gradients(name: str) -> None:
    network, items = tiny.network(name), tiny.batch(5)
    network.train()
    loss, plain = packed_loss(network, items), tiny.gradients(network)
    calls = []
    for layer in network.model.layers:
        layer.mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    recompute(network)
    again = packed_loss(network, items)
    assert len(calls) == 2 * len(network.model.layers)
    assert torch.equal(loss, again)
    gradients = tiny.gradients(network)
    assert [key for key in plain if not torch.equal(plain[key], gradients[key])] == []


def test_in_bfloat16_packed_is_as_near_to_float32_as_one_by_one() -> None:
    network, items = tiny.network("gemma3"), tiny.batch(5)
    with torch.no_grad():
        right = torch.cat([own_losses(network, item) for item in items])
        narrow = tiny.network("gemma3")
        for weight in narrow.parameters():
            weight.data = weight.data.bfloat16()
        own = torch.cat([own_losses(narrow, item).float() for item in items])
        with attending(narrow, SHARED):
            tokens = pack_token_losses(narrow, make_pack(items), SHARED)
    weights = torch.cat([torch.from_numpy(item.weights[1:]) for item in items])
    assert prove(narrow).packed
    ours, theirs = tokens - right[weights > 0], (own - right)[weights > 0]
    assert float(ours.pow(2).mean()) < 2 * float(theirs.pow(2).mean())
