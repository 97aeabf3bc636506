"""The summed loss over trained tokens, block by block of the vocabulary, and only where something is trained.

A row of 2,048 tokens has 2 GB of fp32 logits with a vocabulary of 262,144. Only trained places need them. Their
gradient is formed while the logits are at hand (the idea of Cut Cross-Entropy, arXiv:2411.09009, and of Liger's
fused head, arXiv:2410.10989), and a block of the vocabulary is small enough to stay in a processor's cache.

Where the head is frozen (LoRA), the gradient by the hidden states is attention: the hidden states ask, the rows of
the head are both keys and values. So one pass with a running maximum gives loss and gradient, as in FlashAttention
(arXiv:2205.14135), and no logits are kept. Where the head is trained, the logits of `CHUNK` places are kept, since
its gradient needs the probabilities themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

CHUNK = 512
"""Places scored together."""
BLOCK = 2048
"""Rows of the head at a time, on a CPU: 512 x 2,048 fp32 logits are 4 MB."""
_GPU_BLOCK = 32_768


def _blocks(head: Tensor) -> Iterator[slice]:
    """Rows of the head that are multiplied together."""
    size = BLOCK if head.device.type == "cpu" else _GPU_BLOCK
    for start in range(0, len(head), size):
        yield slice(start, min(start + size, len(head)))


class _Words:
    """Scores of all words at some places, a block of the vocabulary at a time.

    The target's score is taken out of its block: its gradient, probability less 1, is then -others / (others + own),
    and a word of which the model is nearly sure loses no digits, in bfloat16 neither.

    Attributes:
        right: (n, 1) the targets' logits, complete after the last block.
    """

    def __init__(self, head: Tensor, bias: Tensor | None, hidden: Tensor, targets: Tensor) -> None:
        self.head, self.bias, self.hidden, self.targets = head, bias, hidden, targets
        self.right = torch.zeros(len(hidden), 1, device=hidden.device)
        widest = max((part.stop - part.start for part in _blocks(head)), default=0)
        # One buffer for all blocks: fresh pages would cost as much as the softmax itself.
        self._buffer = torch.empty(len(hidden) * widest, dtype=torch.float32, device=head.device)

    def exponentials(self, part: slice, floor: Tensor | None) -> tuple[Tensor, Tensor]:
        """exp(logits - most) (n, words of the block) but 0 at the targets, and most (n, 1), at least `floor`.

        The first result is overwritten by the next call.
        """
        shape = len(self.hidden), part.stop - part.start
        logits = self._buffer[: math.prod(shape)].view(shape)
        if self.head.dtype == logits.dtype:
            torch.mm(self.hidden, self.head[part].T, out=logits)
        else:
            logits.copy_(self.hidden @ self.head[part].T)
        if self.bias is not None:
            logits.add_(self.bias[part])
        most = logits.amax(-1, keepdim=True)
        if floor is not None:
            most = torch.maximum(most, floor)
        places = ((self.targets >= part.start) & (self.targets < part.stop)).nonzero().squeeze(-1)
        words = self.targets[places] - part.start
        self.right[places] = logits[places, words, None]
        logits[places, words] = -math.inf
        return logits.sub_(most).exp_(), most


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
        sink: Tensor | None,
    ) -> Tensor:
        """See `summed_loss`; `scale` multiplies loss and gradients."""
        needs = tuple(ctx.needs_input_grad[:3])
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        d_hidden = torch.empty_like(hidden) if needs[0] else None
        d_bias = torch.zeros_like(bias, dtype=torch.float32) if needs[2] and bias is not None else None
        d_head, fresh = _gradient_of(head, sink) if needs[1] else (None, False)
        for start in range(0, len(hidden), CHUNK):
            part = slice(start, start + CHUNK)
            some = hidden[part], targets[part], weights[part] * scale
            if d_head is None and d_bias is None:
                losses, gradient = _frozen(head, bias, *some, needed=needs[0])
            else:
                losses, gradient = _trained(head, bias, *some, d_head, d_bias, fresh)
                fresh = False
            total += losses.sum()
            if d_hidden is not None and gradient is not None:
                d_hidden[part] = gradient
        if d_head is not None and fresh:
            d_head.zero_()
        if sink is not None:
            sink.grad, d_head = d_head, None
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
        return (*gradients, None, None, None, None)


def _gradient_of(head: Tensor, sink: Tensor | None) -> tuple[Tensor, bool]:
    """Where the head's gradient is summed in fp32, and whether nothing is there yet."""
    if sink is not None and sink.grad is not None:
        return sink.grad, False
    return torch.empty_like(head, dtype=torch.float32), True


def _frozen(
    head: Tensor, bias: Tensor | None, hidden: Tensor, targets: Tensor, weights: Tensor, needed: bool
) -> tuple[Tensor, Tensor | None]:
    """Weighted losses (n,) and, where it is needed, the gradient by `hidden` (n, d): one pass, nothing kept."""
    words = _Words(head, bias, hidden, targets)
    most = torch.full_like(words.right, -math.inf)
    others = torch.zeros_like(words.right)
    d_hidden = torch.zeros_like(hidden, dtype=torch.float32) if needed else None
    for part in _blocks(head):
        before = most
        exponentials, most = words.exponentials(part, before)
        shrink = (before - most).exp_()
        others.mul_(shrink).add_(exponentials.sum(-1, keepdim=True))
        if d_hidden is not None:
            _add_product(d_hidden.mul_(shrink), exponentials, head[part])
    total = others + (words.right - most).exp_()
    losses = (total.log() + (most - words.right)).squeeze(-1)
    if d_hidden is not None:
        d_hidden.sub_(others * head[targets]).mul_(weights[:, None] / total)
    return losses * weights, d_hidden


def _trained(
    head: Tensor,
    bias: Tensor | None,
    hidden: Tensor,
    targets: Tensor,
    weights: Tensor,
    d_head: Tensor | None,
    d_bias: Tensor | None,
    fresh: bool,
) -> tuple[Tensor, Tensor]:
    """Weighted losses (n,) and the gradient by `hidden` (n, d); those by head and bias are added to what is there.

    Each block's exponentials are kept as they are, against the block's own maximum; what turns them into
    probabilities is one number a place and block, and is multiplied into the places' hidden states.

    fresh: `d_head` holds nothing yet and is written over.
    """
    words = _Words(head, bias, hidden, targets)
    parts = list(_blocks(head))
    kept = torch.empty(len(hidden) * len(head), dtype=head.dtype, device=head.device)
    highest, sums, blocks = [], [], []
    for part in parts:
        exponentials, most = words.exponentials(part, None)
        room = kept[len(hidden) * part.start : len(hidden) * part.stop].view_as(exponentials)
        blocks.append(room.copy_(exponentials))
        highest.append(most)
        sums.append(exponentials.sum(-1, keepdim=True))
    most = torch.maximum(torch.cat(highest, 1).amax(-1, keepdim=True), words.right)
    factors = (torch.cat(highest, 1) - most).exp_()
    others = (torch.cat(sums, 1) * factors).sum(-1, keepdim=True)
    total = others + (words.right - most).exp_()
    losses = (total.log() + (most - words.right)).squeeze(-1)
    factors.mul_(weights[:, None] / total)
    wide = hidden.float()
    own = others * weights[:, None] / total
    d_hidden = -own * head[targets]
    for number, (part, block) in enumerate(zip(parts, blocks, strict=True)):
        factor = factors[:, number, None]
        d_hidden.addcmul_((block @ head[part]).float(), factor)
        if d_head is not None:
            _add_product(d_head[part], block.T, (wide * factor).to(head.dtype), fresh)
        if d_bias is not None:
            d_bias[part] += block.T.float() @ factor[:, 0]
    if d_head is not None:
        d_head.index_add_(0, targets, -own * wide)
    if d_bias is not None:
        d_bias.index_add_(0, targets, -own[:, 0])
    return losses * weights, d_hidden


def _add_product(total: Tensor, left: Tensor, right: Tensor, fresh: bool = False) -> None:
    """total += left @ right, in fp32 whatever `right` is; fresh: total = left @ right."""
    if right.dtype != total.dtype:
        product = left.to(right.dtype) @ right
        _ = total.copy_(product) if fresh else total.add_(product)
    elif fresh:
        torch.mm(left, right, out=total)
    else:
        total.addmm_(left, right)


def summed_loss(
    hidden: Tensor,
    head: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    weights: Tensor,
    scale: float = 1.0,
    sink: Tensor | None = None,
) -> Tensor:
    """The weighted sum of token losses, times `scale`.

    Args:
        hidden: (N, d) last hidden states at the places that predict.
        head: (V, d) the output layer's weight; bias: (V,) or None.
        targets: (N,) ids; weights: (N,) floats.
        scale: 1 / (sum of weights of the whole optimizer step), so that backward needs no second pass.
        sink: the head's gradient is added to this tensor's `grad` at once, in fp32, and not passed back: the
            gradient of a large vocabulary then never stands twice.

    Returns:
        A scalar in nats.
    """
    result: Tensor = _SummedLoss.apply(hidden, head, bias, targets, weights, scale, sink)  # type: ignore[no-untyped-call]
    return result


@torch.no_grad()
def token_losses(hidden: Tensor, head: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
    """(n,) losses in nats, one for each place; no gradient."""
    made = [torch.zeros(0, device=hidden.device)]
    for start in range(0, len(hidden), CHUNK):
        some = hidden[start : start + CHUNK]
        ones = torch.ones(len(some), device=hidden.device)
        made.append(_frozen(head, bias, some, targets[start : start + CHUNK], ones, needed=False)[0])
    return torch.cat(made)
