"""Attention for rows of several examples: each example attends within itself, whatever the backend.

The transformers library lets a model's attention be replaced by name. Ours calls causal attention once for
each example of the row, so no mask of T x T is ever made and a neighbour cannot be seen: its tokens are not
among the operands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from transformers import PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from tutelage.errors import ModelError
from tutelage.model.cache import KeyValues

NAME = "tutelage"
# What ours does not compute.
_UNKNOWN = ("softcap", "s_aux", "sinks", "position_bias", "head_mask", "cu_seqlens", "indices", "block_indices")


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
    cache: KeyValues | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each example of a row.

    Args:
        query: (1, heads, T, d).
        key, value: (1, key heads, T, d); each serves heads / key heads queries.
        scaling: factor of the scores; None: 1 / sqrt(d).
        attention_mask: None, or the window's width from `_window`.
        sliding_window: a token sees itself and the `sliding_window - 1` before it.
        boundaries: offsets where examples begin, and T.
        cache: keeps keys and values; without boundaries, the row is one new token of each text in it,
            query (n, heads, 1, d).

    Returns:
        (1, T, heads, d), with a cache alone (n, 1, heads, d); and None.

    Raises:
        ModelError: the layer asks for something that this does not compute.
    """
    known = boundaries is not None or cache is not None
    if problem := _problem(module, attention_mask, sliding_window, others) or ("" if known else "no boundaries"):
        raise ModelError(f"this model's attention cannot be split by example ({problem})")
    if boundaries is None:
        assert cache is not None
        return cache.attend(_layer(module), query, key, value, scaling, sliding_window), None
    before = None
    if cache is not None:
        cache.keep(_layer(module), key, value, boundaries)
        before = cache.before(_layer(module))
    lengths = [end - start for start, end in pairwise(boundaries)]
    made = []
    # Split rather than sliced: the gradient of a slice is a row of zeros for each example.
    for asked, seen, told in zip(*(tensor.split(lengths, 2) for tensor in (query, key, value)), strict=True):
        if before is not None:
            seen, told = (torch.cat(parts, 2) for parts in zip(before, (seen, told), strict=True))
        band = _band(asked.shape[2], seen.shape[2], sliding_window, query.device)
        made.append(
            F.scaled_dot_product_attention(
                asked,
                _for_each_head(seen, query),
                _for_each_head(told, query),
                attn_mask=band,
                dropout_p=dropout if module.training else 0.0,
                is_causal=band is None,
                scale=scaling,
            ).transpose(1, 2)
        )
    return torch.cat(made, dim=1), None


def _problem(module: torch.nn.Module, mask: torch.Tensor | None, window: int | None, others: dict[str, Any]) -> str:
    """What a layer asks for that this attention does not compute; "" where there is nothing."""
    odd = [name for name in _UNKNOWN if others.get(name) is not None]
    if getattr(module, "is_causal", True) is False or others.get("is_causal") is False:
        odd.append("not causal")
    if mask is not None and (mask.ndim or int(mask) != window):
        odd.append("a mask that is no sliding window")
    return ", ".join(odd)


def _for_each_head(part: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """Keys or values (1, key heads, T, d) as (1, heads, T, d), each for the queries that share it."""
    repeat = query.shape[1] // part.shape[1]
    if repeat == 1:
        return part
    return part[:, :, None].expand(-1, -1, repeat, -1, -1).flatten(1, 2)


def _band(asked: int, seen: int, window: int | None, device: torch.device) -> torch.Tensor | None:
    """(asked, seen) what the last `asked` of `seen` tokens look at; None where plain causal attention is that."""
    if asked == seen and (window is None or asked <= window):
        return None
    places = torch.arange(seen, device=device)
    distance = places[seen - asked :, None] - places[None, :]
    return (distance >= 0) & (distance < (seen if window is None else window))


def _layer(module: torch.nn.Module) -> int:
    number = getattr(module, "layer_idx", None)
    if not isinstance(number, int):
        raise ModelError("this model's attention layers have no numbers")
    return number


def _window(*_: Any, local_size: int | None = None, use_vmap: bool = False, **__: Any) -> torch.Tensor | None:
    """In place of a mask: examples are apart and causal by construction, so only a window's width is told.

    A layer that is given a width which is not its own sliding window (attention in chunks) is refused there.

    Raises:
        ModelError: the model adds a mask of its own.
    """
    if use_vmap:
        raise ModelError("this model's attention cannot be split by example (a mask of its own)")
    return None if local_size is None else torch.tensor(local_size)


ALL_ATTENTION_FUNCTIONS.register(NAME, examples_apart)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, _window)


@contextmanager
def apart(network: PreTrainedModel) -> Iterator[None]:
    """The network attends within examples inside this block, and as before after it.

    Raises:
        ModelError: the network's attention cannot be replaced.
    """
    before = network.config._attn_implementation
    if not network._can_set_attn_implementation():  # asked first, since the setter would only log a remark
        raise ModelError("this model's attention cannot be replaced")
    try:
        network.set_attn_implementation(NAME)
    except (ValueError, NotImplementedError, ImportError) as error:
        raise ModelError(f"this model's attention cannot be replaced: {error}") from error
    try:
        yield
    finally:
        network.set_attn_implementation(before)
