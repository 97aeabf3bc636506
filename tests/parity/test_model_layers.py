"""The faster layers against the layers' own forward, as transformers and PEFT wrote them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tiny
from tutelage.model import adapters
from tutelage.model.forward import Proof, attending, pack_loss
from tutelage.model.layers import NARROW, PARTS, quicken
from tutelage.model.load import in_precision
from tutelage.recipe import AdapterSettings
from tutelage.text.pack import make_pack

SHARED = Proof(True, 0, 0)
LORA = AdapterSettings(rank=4, alpha=12)


def tuned(name: str, kind: str = "lora", dtype: torch.dtype = torch.float32, **settings: Any) -> Any:
    """A network whose adapter is no longer at its start."""
    network = in_precision(tiny.network(name), dtype)
    made = adapters.add(network, LORA.model_copy(update={"kind": kind} | settings), 0)
    draw = torch.Generator().manual_seed(1)
    for key, weight in adapters.trainable(made).items():
        if "lora_" in key:
            weight.data = torch.randn(weight.shape, generator=draw) * 0.2
    return made.train()


def losses(network: Any) -> tuple[Tensor, dict[str, Tensor]]:
    with attending(network, SHARED):
        loss = pack_loss(network, make_pack(tiny.batch(5)), SHARED, 1.0)
        loss.backward()
    return loss.detach(), tiny.gradients(network)


@pytest.mark.parametrize("kind", ["full", "lora"])
@pytest.mark.parametrize("name", ["llama", "gemma3", "phi", "phi3", "lfm2"])
@pytest.mark.parametrize("parts", [*((part,) for part in PARTS), PARTS])
def test_loss_and_gradients_are_those_of_the_layers_own_forward(name: str, kind: str, parts: tuple[str, ...]) -> None:
    right, theirs = losses(tuned(name, kind))
    network = tuned(name, kind)
    made = quicken(network, parts)
    loss, ours = losses(network)
    has = {"lora": kind == "lora", "norm": name != "phi", "gated": name in ("llama", "gemma3")}
    assert set(made) == {part for part in parts if has[part]}
    tiny.agree(loss, right, 1e-6, 1e-6)
    tiny.agree(tiny.flat(ours), tiny.flat(theirs), 1e-5, 1e-8)


@pytest.mark.parametrize("narrow", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("part", PARTS)
def test_they_round_no_more_than_the_layers_own_forward(part: str, narrow: torch.dtype) -> None:
    """Gradients are no further from those of a wider format: float32 for bfloat16, float64 for float32."""
    wide = torch.float64 if narrow == torch.float32 else torch.float32
    right = tiny.flat(losses(tuned("gemma3", dtype=wide))[1])
    distances = []
    for parts in ((), (part,)):
        network = tuned("gemma3", dtype=narrow)
        quicken(network, parts)
        distances.append(float((tiny.flat(losses(network)[1]) - right).norm()))
    assert distances[1] < 1.15 * distances[0]


def test_a_neighbour_changes_no_bit_of_an_example_with_them() -> None:
    found = []
    for seed in (1, 3):
        network = tuned("gemma3")
        quicken(network)
        before, middle, after = tiny.tokens(19, seed), tiny.tokens(22, 9), tiny.tokens(11, seed + 1)
        before.weights[:] = after.weights[:] = 0
        with attending(network, SHARED):
            loss = pack_loss(network, make_pack([before, middle, after]), SHARED, 1.0)
            loss.backward()
        found.append((loss.detach(), tiny.flat(tiny.gradients(network))))
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])


def test_each_linear_layer_with_lora_gets_it_and_each_norm() -> None:
    network = tuned("gemma3")
    norms = [module for module in network.modules() if type(module).__name__ == "Gemma3RMSNorm"]
    assert quicken(network) == {"lora": 14, "norm": len(norms), "gated": 2}
    assert quicken(network) == {}  # once is enough


def test_what_is_not_plain_lora_keeps_its_own_forward() -> None:
    assert quicken(tuned("llama", dropout=0.5), ("lora",)) == {}
    network = tuned("llama")
    network.base_model.model.model.layers[0].mlp.up_proj.lora_variant["default"] = object()
    assert quicken(network, ("lora",)) == {"lora": 13}


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_a_gated_block_keeps_only_what_goes_into_its_activation(kind: str) -> None:
    """The activation and its product are as wide as the gate, and were kept: a quarter and more of a step."""
    kept = []
    for parts in (("lora",), ("lora", "gated")):
        network, seen = tuned("llama", kind), {}
        quicken(network, parts)
        weights = {weight.untyped_storage().data_ptr() for weight in network.parameters()}

        def keep(part: Tensor, seen: dict[int, Tensor] = seen, weights: set[int] = weights) -> Tensor:
            if part.untyped_storage().data_ptr() not in weights:
                seen[part.untyped_storage().data_ptr()] = part
            return part

        with attending(network, SHARED), torch.autograd.graph.saved_tensors_hooks(keep, lambda part: part):
            pack_loss(network, make_pack(tiny.batch(5)), SHARED, 1.0)
        kept.append(sum(part.untyped_storage().nbytes() for part in seen.values()))
    config = tiny.network("llama").config
    wide = 4 * config.intermediate_size * len(make_pack(tiny.batch(5))) * config.num_hidden_layers
    assert kept[0] - kept[1] == 2 * wide


def test_an_adapter_that_is_switched_off_is_off() -> None:
    network, ids = tuned("llama"), torch.tensor([[2, 3, 4, 5]])
    quicken(network)
    base = tiny.network("llama")
    quicken(base)
    with torch.no_grad(), network.disable_adapter():
        assert torch.equal(network(ids).logits, base(ids).logits)
    with torch.no_grad():
        assert not torch.equal(network(ids).logits, base(ids).logits)


@pytest.mark.parametrize("rows", [1, 2, 5, NARROW, NARROW + 1])
@pytest.mark.parametrize("bias", [True, False])
def test_a_product_of_few_rows_is_the_linear_layers(rows: int, bias: bool) -> None:
    layer, x = nn.Linear(40, 24, bias=bias), torch.randn(rows, 1, 40)
    right = layer(x)
    assert quicken(nn.Sequential(layer), ("narrow",)) == {"narrow": 1}
    with torch.no_grad():
        made = layer(x)
    assert made.is_contiguous()
    tiny.agree(made, right)
    assert layer(x).requires_grad


class OddRMSNorm(nn.Module):
    """Named as one, but eps is added outside the root."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(8)), 1e-6

    def forward(self, x: Tensor) -> Tensor:
        return x / (x.pow(2).mean(-1, keepdim=True).sqrt() + self.eps) * self.weight


def test_a_norm_with_another_formula_keeps_it() -> None:
    assert quicken(nn.Sequential(OddRMSNorm())) == {}
