"""Layers that give the same numbers faster: LoRA's linear layers, root-mean-square norms, products of few rows.

`quicken` puts a faster forward on the layers that it knows. Which formula a norm has is found out by trying it, not
taken from its name; a layer that does something else keeps its own forward.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from peft.tuners.lora.layer import Linear as LoraLayer
from torch import Tensor, nn

PARTS = ("lora", "norm")
"""What makes tuning faster, each to be left out by name; `narrow` is for decoding."""
NARROW = 80
"""Rows up to which a matrix library is faster with the weight on the left: twice at 2 to 16, 1.2 times beyond 32."""
PIECES = 8
"""Parts into which a weight is cut for one row."""
_SAME = {torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 2e-3}
"""Largest relative difference between a norm's own output and ours."""


def quicken(network: Any, parts: Sequence[str] = PARTS) -> dict[str, int]:
    """Give the network's layers a faster forward where one is known; returns how many layers of each part got it."""
    made: Counter[str] = Counter()
    for module in network.modules():
        for part in parts:
            faster = None if "forward" in vars(module) else _KNOWN[part](module)
            if faster is not None:
                module.forward = faster
                made[part] += 1
    return dict(made)


class _LoraProduct(torch.autograd.Function):
    """x W^T + b + scale (x A^T) B^T (Hu et al. 2021, arXiv:2106.09685), the second product added in place."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float
    ) -> Tensor:
        """x: (..., in); weight: (out, in); down: (rank, in); up: (out, rank); the result is (..., out)."""
        flat = x.reshape(-1, x.shape[-1])
        small, wide = down.to(x.dtype), up.to(x.dtype)
        inner = flat @ small.T
        out = flat @ weight.T if bias is None else torch.addmm(bias, flat, weight.T)
        out.addmm_(inner, wide.T, alpha=scale)
        ctx.save_for_backward(flat, inner, down, up)
        ctx.weight, ctx.scale, ctx.shape = weight, scale, x.shape
        return out.view(*x.shape[:-1], len(weight))

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> Any:
        """Gradients by x, down and up; the base's weight and bias are frozen."""
        flat, inner, down, up = ctx.saved_tensors
        small, wide = down.to(flat.dtype), up.to(flat.dtype)
        outer_flat = outer[0].reshape(-1, outer[0].shape[-1])
        through = (outer_flat @ wide).mul_(ctx.scale)
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = (outer_flat @ ctx.weight).addmm_(through, small).view(ctx.shape)
        d_down = (through.T @ flat).to(down.dtype)
        d_up = (inner.T @ outer_flat).mul_(ctx.scale).T.to(up.dtype)
        return d_x, None, None, d_down, d_up, None


def _faster_lora(layer: nn.Module) -> Callable[..., Tensor] | None:
    if type(layer) is not LoraLayer or type(layer.base_layer) is not nn.Linear or layer.active_adapters != ["default"]:
        return None
    base: Any = layer.base_layer
    own: Callable[..., Tensor] = layer.forward
    down, up = layer.lora_A["default"], layer.lora_B["default"]
    plain = isinstance(layer.lora_dropout["default"], nn.Identity) and "default" not in layer.lora_variant
    frozen = not any(weight.requires_grad for weight in base.parameters())
    if not (plain and frozen and down.bias is None and up.bias is None):
        return None

    def forward(x: Tensor, *others: Any, **named: Any) -> Tensor:
        if others or named or layer.disable_adapters or layer.merged or layer.active_adapters != ["default"]:
            return own(x, *others, **named)
        scale = layer.scaling["default"]
        made: Tensor = _LoraProduct.apply(x, base.weight, base.bias, down.weight, up.weight, scale)
        return made

    return forward


class _Norm(torch.autograd.Function):
    """x / sqrt(mean(x^2) + eps) * (shift + w), computed in float32 (Zhang and Sennrich 2019, arXiv:1910.07467)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float, shift: float) -> Tensor:
        """x: (..., d); weight: (d,)."""
        wide = x.float()
        inverse = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        ctx.shift = shift
        made: Tensor = (wide * inverse).mul_(weight.float() + shift)
        return made.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> Any:
        """Gradients by x and weight."""
        x, weight, inverse = ctx.saved_tensors
        straight = x.float() * inverse
        d_out = outer[0].float()
        d_weight = None
        if ctx.needs_input_grad[1]:
            d_weight = (d_out * straight).flatten(0, -2).sum(0).to(weight.dtype)
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = d_out * (weight.float() + ctx.shift)
            along = (d_x * straight).mean(-1, keepdim=True)
            d_x = d_x.sub_(straight.mul_(along)).mul_(inverse).to(x.dtype)
        return d_x, d_weight, None, None


@torch.no_grad()
def _faster_norm(layer: nn.Module) -> Callable[..., Tensor] | None:
    owner: Any = layer
    weight = getattr(owner, "weight", None)
    eps = getattr(layer, "eps", getattr(layer, "variance_epsilon", None))
    if not type(layer).__name__.endswith("RMSNorm") or weight is None or weight.ndim != 1 or not isinstance(eps, float):
        return None
    # Small values, so that another eps or another place for it would show.
    x = torch.linspace(-1, 1, 3 * len(weight), device=weight.device).sin().view(3, -1) * eps**0.5
    try:
        own = layer(x.to(weight.dtype))
    except (RuntimeError, TypeError, ValueError):
        return None
    for shift in (0.0, 1.0):
        ours = _norm(x.to(weight.dtype), weight, eps, shift)
        if own.shape == ours.shape and (own - ours).abs().max() <= _SAME[weight.dtype] * own.abs().max():
            # The layer's weight of that moment: tuned in several processes, it is another tensor in each pass.
            return lambda x, shift=shift: _norm(x, owner.weight, eps, shift)
    return None


def _norm(x: Tensor, weight: Tensor, eps: float, shift: float) -> Tensor:
    made: Tensor = _Norm.apply(x, weight, eps, shift)  # type: ignore[no-untyped-call]
    return made


def product(x: Tensor, weight: Tensor) -> Tensor:
    """x W^T (n, out) for x (n, in) and weight (out, in), without gradients; the result may be a transposed view."""
    if x.device.type != "cpu" or weight.dtype != torch.float32 or len(x) > NARROW:
        return x @ weight.T
    if len(x) == 1 and len(weight) % PIECES == 0 and weight.is_contiguous():
        # A product of a matrix and one vector uses one core; several of them use all, and the memory's whole speed.
        pieces = weight.view(PIECES, -1, weight.shape[1])
        return torch.bmm(pieces, x.T.expand(PIECES, -1, -1)).view(1, -1)
    return (weight @ x.T).T


def _faster_narrow(layer: nn.Module) -> Callable[..., Tensor] | None:
    if type(layer) is not nn.Linear or layer.weight.dtype != torch.float32 or layer.weight.device.type != "cpu":
        return None

    def forward(x: Tensor) -> Tensor:
        rows = x.numel() // x.shape[-1]
        if torch.is_grad_enabled() or not 0 < rows <= NARROW:
            return nn.functional.linear(x, layer.weight, layer.bias)
        made = product(x.reshape(rows, -1), layer.weight).contiguous().view(*x.shape[:-1], -1)
        return made if layer.bias is None else made.add_(layer.bias)

    return forward


_KNOWN: dict[str, Callable[[nn.Module], Callable[..., Tensor] | None]] = {
    "lora": _faster_lora,
    "norm": _faster_norm,
    "narrow": _faster_narrow,
}
