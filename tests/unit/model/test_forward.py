"""Packs through the network: places, the way chosen by the proof, and recomputation."""

from __future__ import annotations

import math

import pytest
import torch

import tiny
from tutelage.errors import ModelError, UsageError
from tutelage.model import adapters
from tutelage.model.forward import Proof, attending, pack_loss, pack_token_losses, plain, prove, recompute
from tutelage.model.load import in_precision
from tutelage.recipe import AdapterSettings
from tutelage.text.pack import make_pack

SHARED, ALONE = Proof(True, 0, 0), Proof(False, 0, 0)


def test_plain_is_the_model_inside_a_wrapper() -> None:
    network = tiny.network("llama")
    assert plain(network) is network
    assert plain(adapters.add(network, AdapterSettings(rank=2), 0)) is network


@pytest.mark.parametrize("proof", [SHARED, ALONE])
def test_token_losses_stand_at_weighted_places_in_order(proof: Proof) -> None:
    """One for each trained token, whichever way; an untrained example adds none."""
    network = tiny.network("llama")
    items = tiny.batch(4)
    items[1].weights[:] = 0
    pack = make_pack(items)
    with attending(network, proof):
        losses = pack_token_losses(network, pack, proof)
        total = pack_loss(network, pack, proof, 0.5)
    assert losses.shape == (pack.trained,)
    tiny.agree(total, losses.sum() / 2, 1e-6, 1e-6)
    with attending(network, proof):
        alone = [pack_token_losses(network, make_pack([item]), proof) for item in items]
    tiny.agree(losses, torch.cat(alone))
    assert len(alone[1]) == 0


def test_the_loss_of_the_adapter_is_measured_through_the_adapter() -> None:
    network = adapters.add(tiny.network("llama"), AdapterSettings(rank=2), 0)
    pack, before = make_pack(tiny.batch(3)), []
    for _ in range(2):
        with attending(network, SHARED):
            before.append(pack_token_losses(network, pack, SHARED))
        for name, weight in adapters.trainable(network).items():
            if "lora_B" in name:
                torch.nn.init.normal_(weight)
    assert not torch.equal(before[0], before[1])


def test_outside_of_its_block_packing_is_an_error_and_not_a_leak() -> None:
    """The model's own attention would let neighbours see each other."""
    network = tiny.network("llama")
    with attending(network, SHARED):
        right = pack_token_losses(network, make_pack(tiny.batch(2)), SHARED)
    wrong = pack_token_losses(network, make_pack(tiny.batch(2)), ALONE)
    tiny.agree(right, wrong)
    with attending(network, SHARED), pytest.raises(ModelError, match="no boundaries"):
        network(input_ids=torch.tensor([[1, 2, 3]]))


def test_a_proof_in_bfloat16_has_its_own_limits() -> None:
    proof = prove(in_precision(tiny.network("llama"), torch.bfloat16))
    assert (proof.packed, proof.leak) == (True, 0.0)
    assert 0 < proof.loss_difference < 2e-2


def test_a_model_that_gives_no_numbers_is_not_packed() -> None:
    network = tiny.network("llama")
    with torch.no_grad():
        network.model.norm.weight[0] = math.nan
    assert not prove(network).packed


def test_a_mixture_without_an_auxiliary_loss_shares_rows() -> None:
    network = tiny.network("mixtral")
    network.config.output_router_logits = False
    assert prove(network).packed


def test_an_error_of_any_kind_on_the_fast_way_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny.network("llama")

    def broken() -> None:
        raise RuntimeError("odd shapes")

    monkeypatch.setattr(network, "get_decoder", broken)
    assert prove(network).reason == "it cannot share rows: odd shapes"


def test_a_model_that_cannot_recompute_says_so() -> None:
    with pytest.raises(UsageError, match=r"tuning\.checkpointing: .*does not support"):
        recompute(tiny.network("gpt"))
