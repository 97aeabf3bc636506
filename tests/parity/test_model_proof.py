"""Which models may share rows, and that the others train through their own forward, one example at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import tiny
from tutelage.model import adapters
from tutelage.model.forward import AFTER_HEAD, Proof, attending, pack_loss, pack_token_losses, prove
from tutelage.recipe import AdapterSettings, TuningSettings
from tutelage.text.encode import Tokens
from tutelage.text.pack import make_pack, plan
from tutelage.tuning.fit import State, fit
from tutelage.tuning.optim import Optimizer

ALONE = {
    "gemma2": "softcap",
    "granite": "logits_scaling=4.0",
    "cohere": "logit_scale=0.25",
    "mamba": "neighbours in a row are seen",
    "falcon_h1": "neighbours in a row are seen",
    "lfm2": "neighbours in a row are seen",
    "llama4": "no sliding window",
    "mixtral": "auxiliary loss",
    "rwkv": "cannot be replaced",
    "gpt": "cannot be replaced",
}


def own_loss(network: Any, item: Tokens) -> Tensor:
    """The model's own mean cross entropy over the trained tokens, as its `labels` argument gives it."""
    ids = torch.from_numpy(item.ids.astype(np.int64))
    labels = torch.where(torch.from_numpy(item.weights) > 0, ids, -100)
    loss: Tensor = network(input_ids=ids[None], labels=labels[None], use_cache=False).loss
    return loss


@pytest.mark.parametrize("name", ["llama", "gemma3", "phi", "gpt2", "phi3"])
def test_attention_with_a_linear_head_shares_rows(name: str) -> None:
    proof = prove(tiny.network(name))
    assert (proof.packed, proof.reason, proof.leak) == (True, "", 0.0)
    assert proof.loss_difference < 1e-6


@pytest.mark.parametrize("name", ALONE)
def test_other_models_are_found_out_with_the_reason(name: str) -> None:
    proof = prove(tiny.network(name))
    assert not proof.packed
    assert ALONE[name] in proof.reason


def test_a_soft_cap_on_small_logits_is_found_too() -> None:
    """It changes the loss by too little to be measured now, but not when the logits have grown."""
    network = tiny.network("gemma3")
    network.config.final_logit_softcapping = 1e5
    proof = prove(network)
    assert proof.loss_difference < 1e-6
    assert (proof.packed, "final_logit_softcapping" in proof.reason) == (False, True)


def test_an_unnamed_change_of_the_output_is_measured() -> None:
    network = tiny.network("llama")
    head = network.lm_head
    head.register_forward_hook(lambda module, given, made: made * 1.001)
    proof = prove(network)
    assert (proof.packed, "linear head" in proof.reason) == (False, True)
    assert not any(name in proof.reason for name in AFTER_HEAD)


def test_a_proof_leaves_the_model_as_it_was() -> None:
    for name in ("llama", "gemma2", "mamba"):
        network = tiny.network(name)
        before = {key: value.clone() for key, value in network.state_dict().items()}
        attention = network.config._attn_implementation
        prove(network)
        assert network.config._attn_implementation == attention
        assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize("name", ALONE)
def test_what_does_not_share_rows_has_its_own_loss(name: str) -> None:
    """The sum over a pack is the sum of the model's own losses of each example; so are its gradients."""
    network, items = tiny.network(name), tiny.batch(4)
    proof = Proof(False, 0, 0)
    counts = [float(item.weights.sum()) for item in items]
    own = sum((own_loss(network, item) * count for item, count in zip(items, counts, strict=True)), torch.zeros(()))
    own.backward()
    theirs = tiny.gradients(network)
    pack = make_pack(items)
    with attending(network, proof):
        loss = pack_loss(network, pack, proof, 1 / sum(counts))
        loss.backward()
        tokens = pack_token_losses(network, pack, proof)
    tiny.agree(loss * sum(counts), own, 1e-6, 1e-6)
    tiny.agree(tiny.flat(tiny.gradients(network)) * sum(counts), tiny.flat(theirs), 2e-6, 1e-8)
    if name != "mixtral":  # its loss has an auxiliary part; token losses have none
        tiny.agree(tokens.sum(), own, 1e-6, 1e-6)


def test_the_auxiliary_loss_of_a_mixture_is_trained_and_not_counted_as_token_loss() -> None:
    network, item = tiny.network("mixtral"), tiny.tokens(20, 1)
    ids = torch.from_numpy(item.ids.astype(np.int64))
    logits = network(input_ids=ids[None]).logits[0]
    weights = torch.from_numpy(item.weights[1:])
    plain = (F.cross_entropy(logits[:-1], ids[1:], reduction="none") * weights).sum()
    proof, pack = Proof(False, 0, 0), make_pack([item])
    tiny.agree(pack_token_losses(network, pack, proof).sum(), plain, 1e-6, 1e-6)
    assert pack_loss(network, pack, proof, 1.0).item() > plain.item() + 1e-3


@pytest.mark.parametrize("kind", ["full", "lora"])
@pytest.mark.parametrize("name", tiny.MODELS)
def test_every_model_learns(name: str, kind: str) -> None:
    """Six steps over four examples lower the loss, whichever way the packs take."""
    if (name, kind) == ("llama4", "lora"):
        pytest.skip("PEFT puts LoRA on Llama 4's router, which returns two tensors, and fails")
    loaded = tiny.network(name)
    proof = prove(loaded)
    network = adapters.add(loaded, AdapterSettings(kind=kind, rank=8), 0)
    settings = TuningSettings(batch_size=4, lr=0.01, warmup=0.0, schedule="constant")
    state = State(network, Optimizer(adapters.trainable(network), settings))
    steps = list(fit(state, plan(4, 4, 6, 0), tiny.batch(4), settings, proof))
    losses = [step.loss for step in steps]
    assert len(losses) == 6
    assert losses[-1] < losses[0] - 0.1
