"""Which weights change, and which targets are refused."""

from __future__ import annotations

import pytest
import torch

import tiny
from tutelage.errors import UsageError
from tutelage.model import adapters
from tutelage.recipe import AdapterSettings


def test_full_trains_every_weight_once() -> None:
    network = tiny.network("gemma3")
    network.requires_grad_(False)
    assert adapters.add(network, AdapterSettings(kind="full"), 0) is network
    assert sorted(adapters.trainable(network)) == sorted(name for name, _ in network.named_parameters())


def test_lora_stands_beside_every_linear_layer_but_the_head() -> None:
    network = adapters.add(tiny.network("llama"), AdapterSettings(rank=3, alpha=6.5), 0)
    names = {name.split(".lora_")[0].rpartition(".")[2] for name in adapters.trainable(network)}
    assert names == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert len(adapters.trainable(network)) == 2 * 7 * 2
    layer = network.get_base_model().model.layers[0].self_attn.q_proj
    assert layer.lora_A["default"].weight.shape == (3, 32)
    assert layer.scaling["default"] == 6.5 / 3
    assert not layer.lora_B["default"].weight.any()


def test_named_targets() -> None:
    network = adapters.add(tiny.network("llama"), AdapterSettings(targets="q_proj, v_proj,"), 0)
    assert {name.split(".")[-4] for name in adapters.trainable(network)} == {"q_proj", "v_proj"}


@pytest.mark.parametrize("name", ["mamba", "falcon_h1"])
def test_all_linear_leaves_out_what_peft_refuses(name: str) -> None:
    network = adapters.add(tiny.network(name), AdapterSettings(), 0)
    names = list(adapters.trainable(network))
    assert any("in_proj" in key for key in names)
    assert not any("out_proj" in key or "conv1d" in key for key in names)


@pytest.mark.parametrize(
    ("name", "targets", "reason"),
    [
        ("llama", "nonesuch", "nonesuch"),
        ("llama", "q_proj,lm_head", "only adapter.kind=full can tune the output head"),
        ("gemma3", "q_proj,embed_tokens", "only adapter.kind=full can tune the output head"),
        ("mamba", "out_proj", "incompatible"),
    ],
)
def test_targets_that_cannot_be(name: str, targets: str, reason: str) -> None:
    """The loss reads the head's own weight, so LoRA on it would be trained without effect; tied ones share it."""
    with pytest.raises(UsageError, match=f"adapter.targets={targets}: .*{reason}"):
        adapters.add(tiny.network(name), AdapterSettings(targets=targets), 0)


def test_embeddings_that_are_not_tied_may_have_lora() -> None:
    network = adapters.add(tiny.network("llama"), AdapterSettings(targets="embed_tokens"), 0)
    assert len(adapters.trainable(network)) == 2


def test_the_base_is_frozen() -> None:
    network = adapters.add(tiny.network("llama"), AdapterSettings(), 0)
    frozen = [name for name, weight in network.named_parameters() if not weight.requires_grad]
    assert not any("lora" in name for name in frozen) and "lm_head" in "".join(frozen)
    assert torch.is_grad_enabled()
