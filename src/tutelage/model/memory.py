"""What tuning needs in memory, from a model's config and the headers of its files, before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import safe_open

from tutelage.errors import ModelError
from tutelage.model.load import Located
from tutelage.model.loss import CHUNK
from tutelage.model.machine import quiet_libraries
from tutelage.recipe import Recipe

PROGRAM = 0.65e9
"""Python, torch and transformers themselves, in bytes."""
SAFETY = 1.1
FOUR_BITS = 0.52
"""Bytes of a weight in 4 bits with its share of the scales (QLoRA with double quantization: 4.127 bits)."""


@dataclass(frozen=True)
class Shape:
    """What a model's memory follows from: numbers of weights, layers, widths and words.

    `matrices` is the number of weights in all matrices but embedding and head, `linear` the sum of their sides: LoRA
    has rank times that many weights. `kept` is how many tensors as wide as its inner layer a block keeps for the
    backward pass.
    """

    weights: int
    matrices: int
    linear: int
    layers: int
    width: int
    inner: int
    heads: int
    vocabulary: int
    kept: int = 5


def shape_of(located: Located) -> Shape:
    """Read from config.json and the safetensors headers; no weight is read."""
    from transformers import AutoConfig

    with quiet_libraries():
        config: Any = AutoConfig.from_pretrained(located.folder, local_files_only=True, trust_remote_code=False)
    config = config.get_text_config()
    weights, matrices, linear, names = 0, 0, 0, set[str]()
    for path in sorted(located.folder.glob("*.safetensors")):
        with safe_open(str(path), framework="pt") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 # no mapping
            names |= {".".join(name.split(".")[-3:]) for name in file.keys()}  # noqa: SIM118
        weights += sum(torch.Size(shape).numel() for shape in shapes)
        inside = [shape for shape in shapes if len(shape) == 2 and config.vocab_size not in shape]
        matrices += sum(torch.Size(shape).numel() for shape in inside)
        linear += sum(map(sum, inside))
    width = config.hidden_size
    inner = getattr(config, "intermediate_size", None)
    heads = getattr(config, "num_attention_heads", None) or 0  # a state-space model has none
    head = getattr(config, "head_dim", None) or (width // heads if heads else 0)
    return Shape(
        weights,
        matrices,
        linear,
        config.num_hidden_layers,
        width,
        inner if isinstance(inner, int) else 4 * width,
        heads * head,
        config.vocab_size,
        # `layers.quicken` keeps gate and up of a gated block; of others all that goes through it may be kept.
        2 if {f"mlp.{part}_proj.weight" for part in ("gate", "up", "down")} <= names else 5,
    )


def needed(shape: Shape, recipe: Recipe, dtype: torch.dtype, row: int, trained: int) -> float:
    """Bytes at the peak of a step.

    Args:
        row: most tokens that go through the network together; trained: how many of them are trained.
    """
    size = dtype.itemsize
    full = recipe.adapter.kind == "full"
    changing = shape.weights if full else recipe.adapter.rank * shape.linear
    # AdamW's two moments, and a master where the weights themselves are narrower or not the base's.
    state = changing * (8 + (0 if full and size == 4 else 4))
    # Saved for the backward pass: a layer's inputs and norms, queries to output, and the inner layer's.
    layer = (8 * shape.width + 4 * shape.heads + shape.kept * shape.inner) * size
    saved = row * (shape.layers * shape.width * size + layer if recipe.tuning.checkpointing else shape.layers * layer)
    scored = min(CHUNK, trained)
    loss = scored * shape.vocabulary * size if full else 3 * scored * shape.width * 4
    head = 4 * shape.vocabulary * shape.width if full else 0
    narrow = shape.matrices if recipe.adapter.kind == "qlora" else 0
    kept = (shape.weights - narrow) * size + narrow * FOUR_BITS
    # The head's gradient is there when everything is still kept; the other gradients come as that goes.
    return (PROGRAM + kept + state + max(saved + loss + head, 4 * changing)) * SAFETY


def fitted(
    recipe: Recipe, shape: Shape, dtype: torch.dtype, lengths: Sequence[int], budget: float
) -> tuple[Recipe, float]:
    """The recipe, changed as little as makes it fit into `budget` bytes, and what it then needs.

    In this order: shorter rows, recomputed activations, both, and LoRA in place of full tuning; rows and recomputation
    leave the result as it is.

    Args:
        lengths: tokens of each conversation.

    Raises:
        ModelError: nothing fits, with the least that would.
    """
    least = float("inf")
    for changed in _ways(recipe, max(lengths)):
        row = longest_row(changed, lengths)
        bytes_needed = needed(shape, changed, dtype, row, row)
        least = min(least, bytes_needed)
        if bytes_needed <= budget:
            return changed, bytes_needed
    raise ModelError(
        f"this run needs at least {least / 1e9:.1f} GB of memory, and {budget / 1e9:.1f} GB may be used; "
        "take a smaller base, a smaller adapter.rank, or a smaller tuning.max_length"
    )


def longest_row(recipe: Recipe, lengths: Sequence[int]) -> int:
    """The most tokens that can go through the network together: a row's, or a step's where that is less."""
    step = sum(sorted(lengths, reverse=True)[: recipe.tuning.batch_size])
    return min(max(recipe.tuning.row_tokens, max(lengths)), step)


def _ways(recipe: Recipe, longest: int) -> Iterator[Recipe]:
    """The recipe as it is, then changed more and more."""
    rows = sorted({recipe.tuning.row_tokens, *(size for size in (1024, 512, 1) if size < recipe.tuning.row_tokens)})
    kinds = [recipe] if recipe.adapter.kind != "full" else [recipe, _with_lora(recipe)]
    for one in kinds:
        for again in sorted({one.tuning.checkpointing, True}):
            for row in reversed(rows):
                update = {"row_tokens": max(row, longest if row == 1 else row), "checkpointing": again}
                yield one.model_copy(update={"tuning": one.tuning.model_copy(update=update)})


def _with_lora(recipe: Recipe) -> Recipe:
    # A learning rate that was chosen for full tuning would be wrong for LoRA: its default is taken.
    tuning = recipe.tuning.model_copy(update={"lr": 0.0})
    adapter = recipe.adapter.model_copy(update={"kind": "lora"})
    return recipe.model_copy(update={"adapter": adapter, "tuning": tuning})


def said(before: Recipe, after: Recipe) -> str:
    """What was changed, as settings; "" where nothing was."""
    changes = {
        "adapter.kind": (before.adapter.kind, after.adapter.kind),
        "tuning.row_tokens": (before.tuning.row_tokens, after.tuning.row_tokens),
        "tuning.checkpointing": (before.tuning.checkpointing, after.tuning.checkpointing),
    }
    listed = [f"{name}={str(new).lower()}" for name, (old, new) in changes.items() if old != new]
    return ", ".join([*listed, "LoRA's default tuning.lr"] if before.tuning.lr != after.tuning.lr else listed)
