"""What a run needs in memory, and what is changed so that it fits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import tiny
from tutelage.errors import ModelError
from tutelage.model.load import locate
from tutelage.model.memory import PROGRAM, Shape, fitted, longest_row, needed, said, shape_of
from tutelage.recipe import Recipe

# Gemma 3 270M, as its files say; the least and most that was measured of it stands in the tests below.
GEMMA = Shape(268_098_176, 100_270_080, 239_616, 18, 640, 2048, 1024, 262_144)
LENGTHS = [40, 90, 200, 120, 60, 80, 30, 90, 110]


def recipe(kind: str = "full", **tuning: object) -> Recipe:
    return Recipe.model_validate({"adapter": {"kind": kind}, "tuning": {"batch_size": 8} | tuning})


def test_a_models_shape_is_read_without_its_weights(tmp_path: Path) -> None:
    shape = shape_of(locate(str(tiny.save(tmp_path / "m", "gemma3")), print))
    network = tiny.network("gemma3")
    assert shape.weights == sum(weight.numel() for weight in network.parameters())
    linears = [m for m in network.model.modules() if type(m) is torch.nn.Linear]
    assert shape.linear == sum(sum(module.weight.shape) for module in linears)
    assert (shape.layers, shape.width, shape.inner, shape.heads, shape.vocabulary) == (2, 32, 48, 48, tiny.VOCABULARY)


@pytest.mark.parametrize("name", ["mamba", "gpt2", "mixtral", "rwkv"])
def test_every_kind_of_model_has_a_shape(name: str, tmp_path: Path) -> None:
    shape = shape_of(locate(str(tiny.save(tmp_path / "m", name)), print))
    assert (shape.layers, shape.width, shape.vocabulary) == (2, 32, tiny.VOCABULARY)
    assert needed(shape, recipe("lora"), torch.float32, 64, 32) > PROGRAM


@pytest.mark.parametrize(
    ("kind", "tuning"),
    [("full", {}), ("lora", {}), ("full", {"checkpointing": True}), ("lora", {"row_tokens": 64})],
)
def test_more_of_anything_needs_more(kind: str, tuning: dict[str, object]) -> None:
    chosen = recipe(kind, **tuning)
    base = needed(GEMMA, chosen, torch.float32, 400, 200)
    assert base > PROGRAM
    assert needed(GEMMA, chosen, torch.float32, 8000, 200) > base
    assert needed(GEMMA, chosen, torch.float32, 8000, 400) > needed(GEMMA, chosen, torch.float32, 8000, 200)
    narrow = needed(GEMMA, chosen, torch.bfloat16, 400, 200)
    assert narrow < base if kind == "lora" else narrow > base  # bfloat16 weights have float32 masters beside them


@pytest.mark.parametrize(
    ("kind", "row", "trained", "measured"), [("full", 1071, 470, 3.82e9), ("lora", 1071, 470, 2.55e9)]
)
def test_what_was_measured_of_smollm2_lies_within_a_tenth(kind: str, row: int, trained: int, measured: float) -> None:
    """Peaks of whole processes in `benchmarks/results.md`, float32, short rows, 8 a step."""
    shape = Shape(134_515_008, 106_168_320, 305_280, 30, 576, 1536, 576, 49_152, 2)
    assert measured < needed(shape, recipe(kind), torch.float32, row, trained) < 1.15 * measured


def test_a_gated_block_keeps_two_and_any_other_up_to_five(tmp_path: Path) -> None:
    kept = {name: shape_of(locate(str(tiny.save(tmp_path / name, name)), print)).kept for name in ("llama", "gpt2")}
    assert kept == {"llama": 2, "gpt2": 5}


def test_recomputing_and_lora_need_less() -> None:
    full, lora = (needed(GEMMA, recipe(kind), torch.float32, 2000, 900) for kind in ("full", "lora"))
    again = needed(GEMMA, recipe(checkpointing=True), torch.float32, 2000, 900)
    assert lora < again < full


def test_the_longest_row_is_a_row_or_a_step() -> None:
    assert longest_row(recipe(row_tokens=2048), LENGTHS) == sum(sorted(LENGTHS)[1:])
    assert longest_row(recipe(row_tokens=300), LENGTHS) == 300
    assert longest_row(recipe(row_tokens=10), LENGTHS) == 200


def test_nothing_changes_where_it_fits_and_less_and_less_is_left_where_it_does_not() -> None:
    lengths = [1000] * 9
    asked = recipe(row_tokens=4096, lr=2e-5)
    budgets = [20e9, 8.0e9, 6.5e9, 5.5e9, 2.7e9]
    found = [fitted(asked, GEMMA, torch.float32, lengths, budget) for budget in budgets]
    assert all(need <= budget for (_, need), budget in zip(found, budgets, strict=True))
    changes = [said(asked, chosen) for chosen, _ in found]
    assert changes[0] == ""
    assert changes[1].startswith("tuning.row_tokens=") and "checkpointing" not in changes[1]
    assert "tuning.checkpointing=true" in changes[2] and "adapter.kind" not in changes[2]
    assert changes[-1].startswith("adapter.kind=lora")
    assert found[-1][0].tuning.lr == 0  # LoRA's own default is looked up again
    assert changes[-1].endswith("LoRA's default tuning.lr") and found[-1][0].tuning.epochs == asked.tuning.epochs
    assert found[1][0].tuning.lr == 2e-5
    assert len({need for _, need in found}) > 3


def test_what_cannot_fit_says_what_it_would_need() -> None:
    with pytest.raises(ModelError, match=r"needs at least \d\.\d GB of memory, and 1\.0 GB may be used"):
        fitted(recipe(), GEMMA, torch.float32, LENGTHS, 1e9)
