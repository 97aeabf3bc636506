"""Attention within examples: small cases by hand, and everything it must refuse."""

from __future__ import annotations

import inspect
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

import tiny
from tutelage.errors import ModelError
from tutelage.model import attention
from tutelage.model.attention import NAME, apart, examples_apart, row_at_once


def module(**attributes: Any) -> torch.nn.Module:
    made = torch.nn.Module().eval()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def parts(heads: int, keys: int, length: int = 9) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(heads)
    return tuple(torch.randn(1, count, length, 4, generator=draw) for count in (heads, keys, keys))  # type: ignore[return-value]


def by_hand(
    query: Tensor, key: Tensor, value: Tensor, boundaries: tuple[int, ...], scale: float, window: int
) -> Tensor:
    """Token after token: which ones it sees, their softmax, their mean."""
    out = torch.zeros(1, query.shape[2], query.shape[1], query.shape[3])
    for start, end in pairwise(boundaries):
        for place in range(start, end):
            seen = slice(max(start, place - window + 1), place + 1)
            for head in range(query.shape[1]):
                own = head * key.shape[1] // query.shape[1]
                scores = key[0, own, seen] @ query[0, head, place] * scale
                out[0, place, head] = scores.softmax(0) @ value[0, own, seen]
    return out


@pytest.mark.parametrize("boundaries", [(0, 9), (0, 4, 9), (0, 1, 2, 9), (0, 3, 6, 8, 9)])
@pytest.mark.parametrize(("heads", "keys"), [(4, 4), (4, 2), (4, 1)])
@pytest.mark.parametrize(("scale", "window"), [(None, None), (0.3, None), (0.3, 1), (0.3, 3), (None, 4), (None, 50)])
def test_by_hand(boundaries: tuple[int, ...], heads: int, keys: int, scale: float | None, window: int | None) -> None:
    query, key, value = parts(heads, keys)
    mask = None if window is None else torch.tensor(window)
    made, weights = examples_apart(
        module(), query, key, value, mask, scaling=scale, sliding_window=window, boundaries=boundaries
    )
    assert weights is None and made.is_contiguous()
    tiny.agree(made, by_hand(query, key, value, boundaries, scale or 0.5, window or 99), 1e-6, 1e-7)


@pytest.mark.parametrize("boundaries", [(0, 9), (0, 4, 9), (0, 1, 2, 9)])
@pytest.mark.parametrize(("heads", "keys"), [(4, 4), (4, 2), (4, 1)])
def test_gradients_by_hand(boundaries: tuple[int, ...], heads: int, keys: int) -> None:
    found = []
    for way in ("ours", "by hand"):
        query, key, value = (part.requires_grad_() for part in parts(heads, keys))
        if way == "ours":
            made, _ = examples_apart(module(), query, key, value, None, scaling=0.3, boundaries=boundaries)
            assert type(made.grad_fn).__name__ == "RowAttentionBackward"
        else:
            made = by_hand(query, key, value, boundaries, 0.3, 99)
        (made * torch.linspace(-1, 2, made.numel()).view_as(made)).sum().backward()
        found.append((query.grad, key.grad, value.grad))
    for ours, right in zip(*found, strict=True):
        tiny.agree(ours, right, 1e-6, 1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_row_in_one_function_is_the_row_text_by_text(dtype: torch.dtype) -> None:
    found = []
    for way in ("at once", "one by one"):
        query, key, value = (part.to(dtype).requires_grad_() for part in parts(4, 2, 31))
        if way == "at once":
            made = attention.RowAttention.apply(query, key, value, (0, 11, 12, 31), 0.3)
        else:
            made = attention._one_by_one(module(), query, key, value, (0, 11, 12, 31), 0.3, 0.0, None, None)
        (made.float() ** 2).sum().backward()
        found.append((made, query.grad, key.grad, value.grad))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*found, strict=True))


def documented(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    offsets: Tensor,
    key_offsets: Tensor,
    longest: int,
    longest_key: int,
    *,
    scale: float | None = None,
    window_size: tuple[int, int] = (-1, -1),
    enable_gqa: bool = False,
) -> Tensor:
    """What PyTorch's documentation says that its kernel for texts of different lengths computes; it needs a GPU."""
    assert offsets.dtype == key_offsets.dtype == torch.int32 and torch.equal(offsets, key_offsets)
    assert longest == longest_key == int((offsets[1:] - offsets[:-1]).max())
    assert enable_gqa == (query.shape[1] != key.shape[1])
    out = torch.zeros_like(query)
    before, after = window_size
    for start, end in pairwise(offsets.tolist()):
        for place in range(start, end):
            first = start if before < 0 else max(start, place - before)
            last = end if after < 0 else min(end, place + after + 1)
            for head in range(query.shape[1]):
                own = head * key.shape[1] // query.shape[1]
                scores = key[first:last, own] @ query[place, head] * (scale or query.shape[-1] ** -0.5)
                out[place, head] = scores.softmax(0) @ value[first:last, own]
    return out


@pytest.mark.parametrize("boundaries", [(0, 9), (0, 4, 9), (0, 1, 2, 9)])
@pytest.mark.parametrize(("heads", "keys"), [(4, 4), (4, 2), (4, 1)])
@pytest.mark.parametrize(("scale", "window"), [(None, None), (0.3, 1), (0.3, 3), (None, 50)])
def test_a_row_at_once(
    boundaries: tuple[int, ...], heads: int, keys: int, scale: float | None, window: int | None
) -> None:
    """The call of the kernel that a GPU has, against attention within each example."""
    query, key, value = parts(heads, keys)
    mask = None if window is None else torch.tensor(window)
    made = row_at_once(documented, query, key, value, boundaries, scale, window)
    apart, _ = examples_apart(
        module(), query, key, value, mask, scaling=scale, sliding_window=window, boundaries=boundaries
    )
    tiny.agree(made, apart, 1e-6, 1e-7)


def test_offsets_made_while_measuring_serve_a_step_of_tuning() -> None:
    with torch.inference_mode():
        kept = attention._offsets((0, 3, 11), torch.device("cpu"))
    assert not kept.is_inference() and kept.tolist() == [0, 3, 11]


def test_the_kernel_takes_what_is_passed() -> None:
    """Every argument's name is one of this PyTorch's own."""
    kernel = attention._kernel()
    known = set(inspect.signature(kernel).parameters)
    assert set(inspect.signature(documented).parameters) - {"offsets", "key_offsets", "longest", "longest_key"} <= known
    assert not attention._has_kernel(torch.zeros(1, 1, 1, 64, dtype=torch.bfloat16))  # no GPU


def test_dropout_only_while_training() -> None:
    query, key, value = parts(4, 2)
    given = {"attention_mask": None, "dropout": 0.5, "boundaries": (0, 4, 9)}
    plain, _ = examples_apart(module(), query, key, value, **given | {"dropout": 0.0})  # type: ignore[arg-type]
    assert torch.equal(examples_apart(module(), query, key, value, **given)[0], plain)  # type: ignore[arg-type]
    torch.manual_seed(0)
    training = module().train()
    assert not torch.equal(examples_apart(training, query, key, value, **given)[0], plain)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attributes", "given", "reason"),
    [
        ({}, {"boundaries": None}, "no boundaries"),
        ({}, {"softcap": 50.0}, "softcap"),
        ({}, {"s_aux": torch.zeros(4)}, "s_aux"),
        ({}, {"position_bias": torch.zeros(4)}, "position_bias"),
        ({}, {"is_causal": False}, "not causal"),
        ({"is_causal": False}, {}, "not causal"),
        ({}, {"attention_mask": torch.zeros(1, 1, 9, 9)}, "a mask that is no sliding window"),
        ({}, {"attention_mask": torch.tensor(4)}, "a mask that is no sliding window"),
        ({}, {"attention_mask": torch.tensor(4), "sliding_window": 5}, "a mask that is no sliding window"),
    ],
)
def test_what_it_does_not_compute_it_refuses(attributes: dict[str, Any], given: dict[str, Any], reason: str) -> None:
    query, key, value = parts(4, 2)
    with pytest.raises(ModelError, match=rf"cannot be split by example \({reason}\)"):
        examples_apart(
            module(**attributes), query, key, value, **{"attention_mask": None, "boundaries": (0, 9)} | given
        )


def test_a_mask_of_the_models_own_is_refused() -> None:
    from transformers.masking_utils import create_causal_mask

    network = tiny.network("llama")
    embedded = torch.zeros(1, 5, 32)
    given = {"attention_mask": None, "past_key_values": None, "position_ids": torch.arange(5)[None]}
    with apart(network):
        assert create_causal_mask(network.config, embedded, **given) is None
        with pytest.raises(ModelError, match="a mask of its own"):
            create_causal_mask(
                network.config, embedded, **given, or_mask_function=lambda batch, head, query, key: query < 3
            )


@pytest.mark.parametrize("before", ["eager", "sdpa"])
def test_the_block_ends_as_it_began(before: str) -> None:
    network = tiny.network("gemma3", attention=before)
    with apart(network):
        assert network.config._attn_implementation == NAME
    assert network.config._attn_implementation == before
    with pytest.raises(ZeroDivisionError), apart(network):
        raise ZeroDivisionError
    assert network.config._attn_implementation == before


def test_attention_that_cannot_be_replaced_is_an_error_without_a_remark(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ModelError, match="cannot be replaced"), apart(tiny.network("gpt")):
        pass
    assert caplog.records == []
