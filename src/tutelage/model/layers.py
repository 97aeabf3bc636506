"""Layers that give the same numbers faster or in less memory: LoRA's linear layers, root-mean-square norms, gated
feed-forward blocks, products of few rows.

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

PARTS = ("lora", "norm", "gated")
"""What makes tuning faster or smaller, each to be left out by name; `narrow` is for decoding."""
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


def _is_plain_lora(layer: nn.Module) -> bool:
    """Whether a layer is LoRA beside a frozen linear layer, without dropout, variants or biases of its own."""
    if type(layer) is not LoraLayer or type(layer.base_layer) is not nn.Linear or layer.active_adapters != ["default"]:
        return False
    base: Any = layer.base_layer
    down, up = layer.lora_A["default"], layer.lora_B["default"]
    plain = isinstance(layer.lora_dropout["default"], nn.Identity) and "default" not in layer.lora_variant
    frozen = not any(weight.requires_grad for weight in base.parameters())
    return plain and frozen and down.bias is None and up.bias is None


def _is_in_use(layer: Any) -> bool:
    """Whether a plain LoRA layer's matrices count at this moment."""
    return not layer.disable_adapters and not layer.merged and layer.active_adapters == ["default"]


def _faster_lora(layer: nn.Module) -> Callable[..., Tensor] | None:
    if not _is_plain_lora(layer):
        return None
    known: Any = layer
    base, own = known.base_layer, layer.forward
    down, up = known.lora_A["default"], known.lora_B["default"]

    def forward(x: Tensor, *others: Any, **named: Any) -> Tensor:
        if others or named or not _is_in_use(known):
            made: Tensor = own(x, *others, **named)
        else:
            scale = known.scaling["default"]
            made = _LoraProduct.apply(x, base.weight, base.bias, down.weight, up.weight, scale)  # type: ignore[no-untyped-call]
        return made

    return forward


class _GatedProduct(torch.autograd.Function):
    """A gated feed-forward block's last layer (Shazeer 2020, arXiv:2002.05202), (act(gate) * up) W^T + b, with LoRA.

    act(gate) and its product with `up` are as large as gate and up, and cheap: they are made again in the backward
    pass instead of being kept, which is a quarter and more of what a step keeps.
    """

    @staticmethod
    def forward(
        ctx: Any,
        gate: Tensor,
        up: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        lora: tuple[float, Callable[[Tensor], Tensor]],
        down: Tensor | None,
        wide: Tensor | None,
    ) -> Tensor:
        """gate, up: (..., in); weight: (out, in); lora: scale and act; down: (rank, in), wide: (out, rank) or None."""
        scale, act = lora
        flat = (act(gate) * up).flatten(0, -2)
        out = flat @ weight.T if bias is None else torch.addmm(bias, flat, weight.T)
        inner = None
        if down is not None and wide is not None:
            inner = flat @ down.to(flat.dtype).T
            out.addmm_(inner, wide.to(flat.dtype).T, alpha=scale)
        ctx.save_for_backward(gate, up, inner, down, wide)
        ctx.weight, ctx.lora = weight, lora
        return out.view(*gate.shape[:-1], len(weight))

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> Any:
        """Gradients by gate, up, weight, bias, down and wide, each where it is needed."""
        gate, up, inner, down, wide = ctx.saved_tensors
        (scale, act), needs = ctx.lora, ctx.needs_input_grad
        with torch.enable_grad():
            opened = gate.detach().requires_grad_()
            active = act(opened)
        kept = active.detach()
        flat = (kept * up).flatten(0, -2)
        d_out = outer[0].flatten(0, -2)
        d_flat = d_out @ ctx.weight
        d_weight = d_out.T @ flat if needs[2] else None
        d_bias = d_out.sum(0) if needs[3] else None
        d_down = d_wide = None
        if inner is not None:
            through = (d_out @ wide.to(flat.dtype)).mul_(scale)
            d_flat.addmm_(through, down.to(flat.dtype))
            d_down = (through.T @ flat).to(down.dtype)
            d_wide = (inner.T @ d_out).mul_(scale).T.to(wide.dtype)
        d_product = d_flat.view_as(gate)
        d_up = d_product * kept
        (d_gate,) = torch.autograd.grad(active, opened, d_product.mul_(up))
        return d_gate, d_up, d_weight, d_bias, None, d_down, d_wide


def _gated(gate: Tensor, up: Tensor, last: Any, act: Callable[[Tensor], Tensor]) -> Tensor:
    made: Tensor
    if type(last) is nn.Linear:
        made = _GatedProduct.apply(gate, up, last.weight, last.bias, (1.0, act), None, None)  # type: ignore[no-untyped-call]
        return made
    base, down, wide = last.base_layer, last.lora_A["default"].weight, last.lora_B["default"].weight
    made = _GatedProduct.apply(gate, up, base.weight, base.bias, (last.scaling["default"], act), down, wide)  # type: ignore[no-untyped-call]
    return made


@torch.no_grad()
def _faster_gated(block: nn.Module) -> Callable[..., Tensor] | None:
    owner: Any = block
    if not all(
        isinstance(getattr(block, name, None), nn.Module) for name in ("gate_proj", "up_proj", "down_proj", "act_fn")
    ):
        return None
    last, act, own = owner.down_proj, owner.act_fn, block.forward
    if type(last) is not nn.Linear and not _is_plain_lora(last):
        return None
    weight = last.weight if type(last) is nn.Linear else last.base_layer.weight
    x = torch.linspace(-3, 3, 3 * len(weight), device=weight.device).sin().view(3, -1).to(weight.dtype)
    try:
        expected = own(x)
        ours = _gated(owner.gate_proj(x), owner.up_proj(x), last, act)
    except (RuntimeError, TypeError, ValueError):
        return None
    if expected.shape != ours.shape or (expected - ours).abs().max() > _SAME[weight.dtype] * expected.abs().max():
        return None

    def forward(x: Tensor) -> Tensor:
        if not torch.is_grad_enabled() or not (type(last) is nn.Linear or _is_in_use(last)):
            made: Tensor = own(x)
            return made
        return _gated(owner.gate_proj(x), owner.up_proj(x), last, act)

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
    "gated": _faster_gated,
    "narrow": _faster_narrow,
}
