"""The summed loss over trained tokens, in chunks, with the vocabulary head only where something is trained.

A row of 2,048 tokens has 2 GB of fp32 logits with a vocabulary of 262,144. Only trained places need them, a
chunk at a time, and forming the gradient while the chunk is there saves keeping or computing it again (the idea
of Cut Cross-Entropy, arXiv:2411.09009, and of Liger's fused head, arXiv:2410.10989).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK = 256


class _SummedLoss(torch.autograd.Function):
    """sum_i w_i * (logsumexp(h_i W^T + b) - (h_i W^T + b)[y_i]), its gradients made in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        weights: Tensor,
        scale: float,
    ) -> Tensor:
        """See `summed_loss`; `scale` multiplies loss and gradients."""
        needs_hidden, needs_head = ctx.needs_input_grad[0], ctx.needs_input_grad[1]
        needs_bias = bias is not None and ctx.needs_input_grad[2]
        d_hidden = torch.empty_like(hidden) if needs_hidden else None
        d_head = torch.zeros_like(head, dtype=torch.float32) if needs_head else None
        d_bias = torch.zeros_like(bias, dtype=torch.float32) if needs_bias and bias is not None else None
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        # One buffer for all chunks: fresh 268 MB pages for each would cost as much as the softmax itself.
        buffer = torch.empty(min(CHUNK, len(hidden)), len(head), dtype=head.dtype, device=head.device)
        for start in range(0, len(hidden), CHUNK):
            part = slice(start, start + CHUNK)
            some = hidden[part]
            logits = torch.mm(some, head.T, out=buffer[: len(some)]).float()
            if bias is not None:
                logits += bias
            losses, gradient = _losses_and_gradient(logits, targets[part], weights[part] * scale)
            total += losses.sum()
            gradient = gradient.to(head.dtype)
            if d_hidden is not None:
                d_hidden[part] = gradient @ head
            if d_head is not None:
                if d_head.dtype == gradient.dtype:
                    d_head.addmm_(gradient.T, some)
                else:
                    d_head += gradient.T @ some
            if d_bias is not None:
                d_bias += gradient.sum(0)
        ctx.gradients = (
            d_hidden,
            d_head.to(head.dtype) if d_head is not None else None,
            d_bias.to(bias.dtype) if d_bias is not None and bias is not None else None,
        )
        return total

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> Any:  # torch passes one gradient, of the loss
        """The stored gradients times the outer one, which is 1 wherever the loss itself is minimised."""
        factor = outer[0]
        gradients = ctx.gradients
        del ctx.gradients
        if float(factor) != 1.0:
            gradients = tuple(item * factor if item is not None else None for item in gradients)
        return (*gradients, None, None, None)


def _losses_and_gradient(logits: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted losses (n,) and the loss's gradient by the logits (n, V), written over them."""
    most = logits.max(-1, keepdim=True).values
    right = logits.gather(-1, targets[:, None])
    logits.sub_(most).exp_()
    total = logits.sum(-1, keepdim=True)
    losses = (total.log() + most - right).squeeze(-1) * weights
    logits.mul_(weights[:, None] / total)
    logits.scatter_add_(-1, targets[:, None], -weights[:, None])
    return losses, logits


def summed_loss(
    hidden: Tensor, head: Tensor, bias: Tensor | None, targets: Tensor, weights: Tensor, scale: float = 1.0
) -> Tensor:
    """The weighted sum of token losses, times `scale`.

    Args:
        hidden: (N, d) last hidden states at the places that predict.
        head: (V, d) the output layer's weight; bias: (V,) or None.
        targets: (N,) ids; weights: (N,) floats.
        scale: 1 / (sum of weights of the whole optimizer step), so that backward needs no second pass.

    Returns:
        A scalar in nats.
    """
    result: Tensor = _SummedLoss.apply(hidden, head, bias, targets, weights, scale)  # type: ignore[no-untyped-call]
    return result


@torch.no_grad()
def token_losses(hidden: Tensor, head: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
    """(N,) losses in nats, one for each place; no gradient."""
    made = [torch.zeros(0, device=hidden.device)]
    for start in range(0, len(hidden), CHUNK):
        logits = (hidden[start : start + CHUNK] @ head.T).float()
        if bias is not None:
            logits += bias
        right = logits.gather(-1, targets[start : start + CHUNK, None]).squeeze(-1)
        made.append(logits.logsumexp(-1) - right)
    return torch.cat(made)
