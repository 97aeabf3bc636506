"""Attention for rows of several examples: each example attends within itself, whatever the backend.

The transformers library lets a model's attention be replaced by name. Ours calls causal attention once for
each example of the row, so no mask of T x T is ever made and a neighbour cannot be seen: its tokens are not
among the operands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from transformers import PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from tutelage.errors import ModelError

NAME = "tutelage"
_UNKNOWN = ("softcap", "s_aux", "position_bias", "head_mask", "cu_seqlens")  # what ours does not compute


def examples_apart(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    boundaries: tuple[int, ...] | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each example of a row.

    Args:
        query: (1, heads, T, d).
        key, value: (1, key heads, T, d); each serves heads / key heads queries.
        scaling: factor of the scores; None: 1 / sqrt(d).
        sliding_window: a token sees itself and the `sliding_window - 1` before it.
        boundaries: offsets where examples begin, and T.

    Returns:
        (1, T, heads, d) and None.

    Raises:
        ModelError: the layer asks for something that this does not compute.
    """
    odd = [name for name in _UNKNOWN if others.get(name) is not None]
    if boundaries is None or odd or getattr(module, "is_causal", True) is False or attention_mask is not None:
        raise ModelError(
            f"this model's attention cannot be split by example ({', '.join(odd) or 'no boundaries'})"
        )
    repeat = query.shape[1] // key.shape[1]
    if repeat > 1:
        shape = (1, key.shape[1], repeat, *key.shape[2:])
        key = key[:, :, None].expand(shape).flatten(1, 2)
        value = value[:, :, None].expand(*shape[:-1], value.shape[-1]).flatten(1, 2)
    made = []
    for start, end in zip(boundaries, boundaries[1:], strict=False):
        part = slice(start, end)
        band = None
        if sliding_window is not None and end - start > sliding_window:
            place = torch.arange(end - start, device=query.device)
            distance = place[:, None] - place[None, :]
            band = (distance >= 0) & (distance < sliding_window)
        made.append(
            F.scaled_dot_product_attention(
                query[:, :, part],
                key[:, :, part],
                value[:, :, part],
                attn_mask=band,
                dropout_p=dropout if module.training else 0.0,
                is_causal=band is None,
                scale=scaling,
            )
        )
    return torch.cat(made, dim=2).transpose(1, 2), None


def _no_mask(*_: Any, **__: Any) -> None:
    """No mask tensor is needed: examples are apart and causal by construction."""


ALL_ATTENTION_FUNCTIONS.register(NAME, examples_apart)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, _no_mask)


@contextmanager
def apart(network: PreTrainedModel) -> Iterator[None]:
    """The network attends within examples inside this block, and as before after it.

    Raises:
        ModelError: the network's attention cannot be replaced.
    """
    before = network.config._attn_implementation
    try:
        network.set_attn_implementation(NAME)
    except (ValueError, NotImplementedError, ImportError) as error:
        raise ModelError(f"this model's attention cannot be replaced: {error}") from error
    try:
        yield
    finally:
        network.set_attn_implementation(before)
