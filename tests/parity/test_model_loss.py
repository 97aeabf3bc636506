"""The chunked loss against a naive loop, autograd, and the model's own cross entropy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import tiny
from tutelage.model import loss as loss_module
from tutelage.model.forward import Proof, attending, pack_loss
from tutelage.model.loss import summed_loss, token_losses
from tutelage.text.pack import make_pack

CHUNK = 128
PLACES = (1, CHUNK - 1, CHUNK, 2 * CHUNK + 37)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 128 places and blocks of 128 words, so that 300 words make three blocks, the last one short."""
    monkeypatch.setattr(loss_module, "CHUNK", CHUNK)
    monkeypatch.setattr(loss_module, "BLOCK", 128)


def parts(count: int, dtype: torch.dtype = torch.float32, bias: bool = True) -> tuple[Tensor, ...]:
    """Hidden states, head, bias, targets and fractional weights (some of them 0)."""
    draw = torch.Generator().manual_seed(count)
    hidden = torch.randn(count, 24, generator=draw).to(dtype).requires_grad_()
    head = torch.randn(300, 24, generator=draw).to(dtype).requires_grad_()
    shift = torch.randn(300, generator=draw).to(dtype).requires_grad_() if bias else None
    targets = torch.randint(0, 300, (count,), generator=draw)
    weights = torch.rand(count, generator=draw) * (torch.rand(count, generator=draw) > 0.2)
    return hidden, head, shift, targets, weights


def naive(hidden: Tensor, head: Tensor, bias: Tensor | None, targets: Tensor, weights: Tensor) -> Tensor:
    """One place after the other, in float64."""
    total = torch.zeros((), dtype=torch.float64)
    for place in range(len(hidden)):
        logits = head.double() @ hidden[place].double()
        if bias is not None:
            logits = logits + bias.double()
        total = total + (logits.logsumexp(0) - logits[targets[place]]) * weights[place]
    return total


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("count", PLACES)
def test_loss_and_gradients_are_those_of_a_naive_loop(count: int, bias: bool) -> None:
    hidden, head, shift, targets, weights = parts(count, bias=bias)
    asked = [part for part in (hidden, head, shift) if part is not None]
    right = naive(hidden, head, shift, targets, weights)
    theirs = torch.autograd.grad(right, asked)
    loss = summed_loss(hidden, head, shift, targets, weights)
    ours = torch.autograd.grad(loss, asked)
    tiny.agree(loss, right, 1e-6, 1e-6)
    for mine, other in zip(ours, theirs, strict=True):
        tiny.agree(mine, other, 1e-6, 1e-7)


@pytest.mark.parametrize("scale", [1.0, 1 / 1234.5])
def test_scale_and_an_outer_factor_multiply_loss_and_gradients(scale: float) -> None:
    hidden, head, bias, targets, weights = parts(CHUNK + 3)
    plain = torch.autograd.grad(summed_loss(hidden, head, bias, targets, weights), [hidden, head, bias])
    loss = summed_loss(hidden, head, bias, targets, weights, scale)
    scaled = torch.autograd.grad(loss * 3, [hidden, head, bias])
    tiny.agree(loss, naive(hidden, head, bias, targets, weights) * scale, 1e-6, 1e-6)
    for mine, other in zip(scaled, plain, strict=True):
        tiny.agree(mine, other * (3 * scale), 1e-6, 1e-7)


def test_a_bfloat16_head_is_as_near_to_the_truth_as_autograd() -> None:
    hidden, head, bias, targets, weights = parts(2 * CHUNK + 37, torch.bfloat16)
    asked = [hidden, head, bias]
    right = torch.autograd.grad(naive(*(part.double() for part in asked), targets, weights), asked)
    logits = (hidden @ head.T + bias).float()
    theirs = torch.autograd.grad((F.cross_entropy(logits, targets, reduction="none") * weights).sum(), asked)
    loss = summed_loss(hidden, head, bias, targets, weights)
    ours = torch.autograd.grad(loss, asked)
    assert loss.dtype == torch.float32
    assert [gradient.dtype for gradient in ours] == [torch.bfloat16] * 3
    for mine, other, true in zip(ours, theirs, right, strict=True):
        assert float((mine - true).double().norm()) < 1.1 * float((other - true).double().norm()) + 1e-6


def test_only_what_asks_for_gradients_gets_them() -> None:
    """A frozen head under LoRA, and a frozen body."""
    hidden, head, bias, targets, weights = parts(CHUNK + 3)
    whole = torch.autograd.grad(summed_loss(hidden, head, bias, targets, weights), [hidden, head, bias])
    frozen = summed_loss(hidden, head.detach(), bias.detach(), targets, weights)
    tiny.agree(torch.autograd.grad(frozen, hidden)[0], whole[0])
    body = summed_loss(hidden.detach(), head, bias, targets, weights)
    assert all(map(torch.equal, torch.autograd.grad(body, [head, bias]), whole[1:]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_sink_takes_the_heads_gradient_of_several_losses(dtype: torch.dtype) -> None:
    """What autograd would have summed, in fp32, and nothing is passed back to the head."""
    hidden, head, _, targets, weights = parts(2 * CHUNK + 37, dtype, bias=False)
    sink = torch.nn.Parameter(head.detach().float())
    for part in (slice(0, 200), slice(200, None)):
        summed_loss(hidden[part], head, None, targets[part], weights[part], 0.5, sink).backward()
    theirs = torch.autograd.grad(naive(hidden.double(), head.double(), None, targets, weights) * 0.5, head)[0]
    assert head.grad is None and sink.grad is not None and sink.grad.dtype == torch.float32
    if dtype == torch.float32:
        tiny.agree(sink.grad, theirs, 1e-6, 1e-7)
    else:
        assert float((sink.grad - theirs).norm() / theirs.norm()) < 1e-2


def test_token_losses_are_the_parts_of_the_sum() -> None:
    hidden, head, bias, targets, weights = parts(2 * CHUNK + 37)
    each = token_losses(hidden, head, bias, targets)
    own = F.cross_entropy(hidden @ head.T + bias, targets, reduction="none")
    tiny.agree(each, own)
    tiny.agree((each * weights).sum(), summed_loss(hidden, head, bias, targets, weights), 1e-6, 1e-6)


def test_large_logits_stay_finite() -> None:
    hidden, head, bias, targets, weights = parts(40)
    loud = hidden.detach() * 1e4
    own = (F.cross_entropy(loud @ head.T + bias, targets, reduction="none") * weights).sum()
    tiny.agree(summed_loss(loud, head, bias, targets, weights), own, 1e-6, 1e-6)


@pytest.mark.parametrize("name", ["llama", "phi", "gemma3"])
def test_it_is_the_models_own_loss(name: str) -> None:
    """Our sum over an example of one, against the `loss` that the model itself returns for labels."""
    network, item = tiny.network(name), tiny.tokens(30, 4)
    ids = torch.from_numpy(item.ids.astype(np.int64))
    labels = torch.where(torch.from_numpy(item.weights) > 0, ids, -100)
    own = network(input_ids=ids[None], labels=labels[None]).loss
    own.backward()
    theirs = tiny.gradients(network)
    proof, pack = Proof(True, 0, 0), make_pack([item])
    with attending(network, proof):
        loss = pack_loss(network, pack, proof, 1 / pack.weight)
        loss.backward()
    tiny.agree(loss, own, 1e-6, 1e-6)
    tiny.agree(tiny.flat(tiny.gradients(network)), tiny.flat(theirs), 1e-6, 1e-8)
