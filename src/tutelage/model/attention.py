"""Attention for rows of several examples: each example attends within itself, whatever the backend.

The transformers library lets a model's attention be replaced by name. Ours calls causal attention once for
each example of the row, so no mask of T x T is ever made and a neighbour cannot be seen: its tokens are not
among the operands. On a CUDA card, one call of a kernel for texts of different lengths does the same for a whole row.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
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
    if cache is not None:
        cache.keep(_layer(module), key, value, boundaries)
    elif _has_kernel(query) and not (dropout and module.training):
        return row_at_once(_kernel(), query, key, value, boundaries, scaling, sliding_window), None
    gone = dropout if module.training else 0.0
    if cache is None and not gone and flash_serves(query, value, boundaries, sliding_window):
        made: torch.Tensor = RowAttention.apply(query, key, value, boundaries, scaling)  # type: ignore[no-untyped-call]
        return made, None
    return _one_by_one(module, query, key, value, boundaries, scaling, gone, sliding_window, cache), None


def _one_by_one(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    boundaries: tuple[int, ...],
    scaling: float | None,
    dropout: float,
    window: int | None,
    cache: KeyValues | None,
) -> torch.Tensor:
    lengths = [end - start for start, end in pairwise(boundaries)]
    made = []
    # Split rather than sliced: the gradient of a slice is a row of zeros for each example.
    texts = zip(*(tensor.split(lengths, 2) for tensor in (query, key, value)), strict=True)
    for number, (asked, seen, told) in enumerate(texts):
        if cache is not None and (before := cache.before(_layer(module), number)) is not None:
            seen, told = (torch.cat(parts, 2) for parts in zip(before, (seen, told), strict=True))
        band = _band(asked.shape[2], seen.shape[2], window, query.device)
        made.append(
            F.scaled_dot_product_attention(
                asked,
                _for_each_head(seen, query),
                _for_each_head(told, query),
                attn_mask=band,
                dropout_p=dropout,
                is_causal=band is None,
                scale=scaling,
            ).transpose(1, 2)
        )
    return torch.cat(made, dim=1)


_FLASH, _FLASH_BACKWARD = (
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention_for_cpu_backward",
)


def flash_serves(query: torch.Tensor, value: torch.Tensor, boundaries: tuple[int, ...], window: int | None) -> bool:
    """Whether PyTorch's attention kernel for the processor can be called directly for each example of a row."""
    known = query.device.type == "cpu" and all(hasattr(torch.ops.aten, name) for name in (_FLASH, _FLASH_BACKWARD))
    within = window is None or max(end - start for start, end in pairwise(boundaries)) <= window
    return known and within and query.shape[-1] == value.shape[-1] and query.shape[0] == 1


class RowAttention(torch.autograd.Function):
    """Causal attention of each example of a row, its result written into one tensor.

    `F.scaled_dot_product_attention` calls the same kernel (FlashAttention-2, arXiv:2307.08691, for a processor), but
    keeps for the backward pass each example's result beside the row that the next layer keeps, and keys and values
    once for each query that shares them. Here they are repeated only while they are used: the kernel's own sharing
    works on as many cores as there are key heads (one of Gemma's).
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        boundaries: tuple[int, ...],
        scaling: float | None,
    ) -> torch.Tensor:
        """query: (1, heads, T, d); key, value: (1, key heads, T, d); the result is (1, T, heads, d)."""
        made = query.new_empty(1, query.shape[2], query.shape[1], query.shape[3])
        sums = []
        for start, end in pairwise(boundaries):
            texts = (_for_each_head(part[:, :, start:end], query) for part in (query, key, value))
            one, log_sum = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(*texts, 0.0, True, scale=scaling)
            made[:, start:end] = one.transpose(1, 2)
            sums.append(log_sum)
        ctx.save_for_backward(query, key, value, made, *sums)
        ctx.boundaries, ctx.scaling = boundaries, scaling
        return made

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> Any:
        """Gradients by query, key and value."""
        query, key, value, made, *sums = ctx.saved_tensors
        # Laid out as the linear layers before them want it: place by place.
        gradients = [part.new_empty(1, part.shape[2], part.shape[1], part.shape[3]) for part in (query, key, value)]
        for (start, end), log_sum in zip(pairwise(ctx.boundaries), sums, strict=True):
            texts = (_for_each_head(part[:, :, start:end], query) for part in (query, key, value))
            given, result = (part[:, start:end].transpose(1, 2) for part in (outer[0], made))
            found = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
                given, *texts, result, log_sum, 0.0, True, scale=ctx.scaling
            )
            for gradient, part in zip(gradients, found, strict=True):
                shared = part.shape[1] // gradient.shape[2]
                whole = part.unflatten(1, (-1, shared)).sum(2) if shared > 1 else part
                gradient[:, start:end] = whole.transpose(1, 2)
        return (*(gradient.transpose(1, 2) for gradient in gradients), None, None)


def row_at_once(
    kernel: Callable[..., torch.Tensor],
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    boundaries: tuple[int, ...],
    scaling: float | None,
    window: int | None,
) -> torch.Tensor:
    """What `examples_apart` gives for a row, from one call of `torch.nn.attention.varlen.varlen_attn`.

    Args:
        kernel: takes (T, heads, d) of all texts, their offsets and the longest length; its window counts the
            tokens before a token, without itself, and 0 after it makes it causal.
    """
    offsets, longest = _offsets(boundaries, query.device), max(end - start for start, end in pairwise(boundaries))
    asked, seen, told = (part[0].transpose(0, 1) for part in (query, key, value))
    made = kernel(
        asked,
        seen,
        told,
        offsets,
        offsets,
        longest,
        longest,
        scale=scaling,
        window_size=(-1 if window is None else window - 1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return made[None]


@lru_cache(maxsize=4)
def _offsets(boundaries: tuple[int, ...], device: torch.device) -> torch.Tensor:
    with torch.inference_mode(False):  # kept for a later step, whose backward pass could not use an inference tensor
        return torch.tensor(boundaries, dtype=torch.int32, device=device)


@lru_cache(maxsize=1)
def _kernel() -> Any:
    """PyTorch's attention for texts of different lengths, None where this version has none that knows windows."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    known = inspect.signature(varlen_attn).parameters
    return varlen_attn if {"window_size", "enable_gqa", "scale"} <= set(known) else None


def _has_kernel(query: torch.Tensor) -> bool:
    """Whether the kernel takes these: half precision on a card with tensor cores of Ampere or later, 256 wide."""
    if query.device.type != "cuda" or query.dtype not in (torch.bfloat16, torch.float16) or _kernel() is None:
        return False
    return query.shape[-1] <= 256 and torch.cuda.get_device_capability(query.device) >= (8, 0)


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
