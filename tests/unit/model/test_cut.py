"""The first layers of every family: the weights are the whole model's, and what they compute is too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from tutelage.model import adapters
from tutelage.model.load import load
from tutelage.model.machine import quiet_libraries
from tutelage.recipe import AdapterSettings

CPU = torch.device("cpu")


def nothing(line: str) -> None:
    """A `say` that nobody hears."""


# Of one layer, transformers' RWKV divides by zero; and of two, a pair of limits in Falcon's config looks like a list of
# one for each.
@pytest.mark.parametrize("name", sorted(set(tiny.MODELS) - {"rwkv", "falcon_h1"}))
def test_one_layer_of_two(name: str, tmp_path: Path) -> None:
    folder = tiny.save(tmp_path, name)
    whole, cut = (load(str(folder), CPU, torch.float32, nothing, layers=count).network for count in (0, 1))
    assert cut.config.get_text_config().num_hidden_layers == 1
    ours, theirs = cut.state_dict(), whole.state_dict()
    assert 0 < len(ours) < len(theirs)
    assert [key for key, value in ours.items() if not torch.equal(value, theirs[key])] == []


def test_kinds_of_layers_follow_and_what_is_saved_loads_again(tmp_path: Path) -> None:
    kinds = ["sliding_attention", "full_attention", "full_attention", "sliding_attention"]
    network = tiny.gemma3(num_hidden_layers=4, layer_types=kinds)
    (tmp_path / "whole").mkdir()
    with quiet_libraries():
        network.save_pretrained(tmp_path / "whole")
    tiny.tokenizer().save_pretrained(tmp_path / "whole")
    cut: Any = load(str(tmp_path / "whole"), CPU, torch.float32, nothing, layers=2).network
    assert cut.config.layer_types == kinds[:2]
    network.model.layers = network.model.layers[:2]  # type: ignore[union-attr]
    network.config.layer_types, network.config.num_hidden_layers = kinds[:2], 2
    ids = torch.arange(2, 34)[None]
    with torch.no_grad():
        right = network.eval()(ids).logits
        assert torch.equal(cut(ids).logits, right)
        with quiet_libraries():
            cut.save_pretrained(tmp_path / "cut")
        tiny.tokenizer().save_pretrained(tmp_path / "cut")
        again: Any = load(str(tmp_path / "cut"), CPU, torch.float32, nothing).network
        tiny.agree(again(ids).logits, right)


def test_more_layers_than_there_are_is_all_of_them(tmp_path: Path) -> None:
    network = load(str(tiny.save(tmp_path)), CPU, torch.float32, nothing, layers=9).network
    assert network.config.num_hidden_layers == 2


def test_an_adapter_for_all_layers_is_merged_into_the_first(tmp_path: Path) -> None:
    base = tiny.save(tmp_path / "base")
    tuned = adapters.add(load(str(base), CPU, torch.float32, nothing).network, AdapterSettings(rank=4), 0)
    with torch.no_grad():
        for weight in adapters.trainable(tuned).values():
            weight.fill_(0.05)
    adapters.save_adapter(tuned, tmp_path / "adapter")
    whole, cut = (
        load(str(tmp_path / "adapter"), CPU, torch.float32, nothing, layers=count).network for count in (0, 1)
    )
    key = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(cut.state_dict()[key], whole.state_dict()[key])
    assert not torch.equal(cut.state_dict()[key], tiny.network("llama").state_dict()[key])
