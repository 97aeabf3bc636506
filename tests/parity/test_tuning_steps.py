"""One optimizer step, however it is cut into rows and in whichever precision, against plain torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import tiny
from tutelage.model import adapters
from tutelage.model.forward import Proof, attending, pack_loss, prove
from tutelage.model.layers import quicken
from tutelage.model.load import in_precision
from tutelage.recipe import AdapterSettings, TuningSettings
from tutelage.text.encode import Tokens
from tutelage.text.pack import Pack, make_pack, packs_of, plan
from tutelage.tuning import fit as fitting
from tutelage.tuning.fit import State, fit
from tutelage.tuning.optim import Optimizer

CUTS = {"8x1": 1, "4x2": 64, "1x8": 10_000}
SHARED = Proof(True, 0, 0)


def eight() -> list[Tokens]:
    """Eight examples of which exactly two fit in 64 tokens; their trained parts differ in size a lot."""
    made = [tiny.tokens(length, seed) for seed, length in enumerate((22, 31, 25, 28, 23, 30, 26, 27))]
    for place, item in enumerate(made):
        item.weights[: len(item) - 2 - 3 * place] = 0
    return made


def settings(**changes: Any) -> TuningSettings:
    return TuningSettings(**{"batch_size": 8, "lr": 1e-4, "row_tokens": 1} | changes)


def after(
    name: str, kind: str, chosen: TuningSettings, count: int = 5, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Losses of the steps, and all weights at the end."""
    loaded = in_precision(tiny.network(name), dtype)
    proof = prove(loaded)
    network = adapters.add(loaded, AdapterSettings(kind=kind, rank=4), 0)
    assert quicken(network)  # the naive loop below has the model's own layers
    state = State(network, Optimizer(adapters.trainable(network), chosen))
    losses = [step.loss for step in fit(state, plan(8, 8, count, 0), eight(), chosen, proof)]
    return torch.tensor(losses, dtype=torch.float64), tiny.flat(state.optimizer.weights)


def agree_but_few(ours: Tensor, theirs: Tensor, most: float) -> None:
    """All weights within `most` but one in ten thousand, which is within 20 times that; the mean within 1e-8.

    AdamW divides a gradient by its own size. In Gemma's o_proj one weight of 15,000 has a gradient a millionth of
    the others': it is mostly rounding, and so is this weight's step.
    """
    tiny.agree(ours, theirs, 20 * most, 1e-8)
    beyond = (ours - theirs).abs() > most * theirs.abs().max()
    assert int(beyond.sum()) <= len(ours) / 10_000


def test_the_cuts_are_what_their_names_say() -> None:
    found = {name: [len(pack.examples) for pack in packs_of(eight(), range(8), room)] for name, room in CUTS.items()}
    assert found == {"8x1": [1] * 8, "4x2": [2] * 4, "1x8": [8]}


@pytest.mark.parametrize("kind", ["full", "lora"])
@pytest.mark.parametrize("name", ["llama", "gemma3", "lfm2"])
def test_eight_rows_of_one_are_four_of_two_are_one_of_eight(name: str, kind: str) -> None:
    runs = {cut: after(name, kind, settings(row_tokens=room)) for cut, room in CUTS.items()}
    for cut in ("4x2", "1x8"):
        tiny.agree(runs[cut][0], runs["8x1"][0], 1e-6, 3e-7)
        agree_but_few(runs[cut][1], runs["8x1"][1], 1e-6)


def test_a_mean_of_means_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same comparison with each row's loss divided by the row's own trained tokens fails by far."""

    def mean_of_means(network: Any, pack: Pack, proof: Proof, scale: float) -> Tensor:
        rows = {1: 8, 2: 4, 8: 1}[len(pack.examples)]
        return pack_loss(network, pack, proof, 1 / (pack.weight * rows))

    monkeypatch.setattr(fitting, "pack_loss", mean_of_means)
    (losses, weights), (losses_2, weights_2) = (
        after("llama", "full", settings(row_tokens=room)) for room in (1, 10_000)
    )
    assert tiny.residuals(losses, losses_2)[0] > 1e-3
    assert tiny.residuals(weights, weights_2)[0] > 1e-4


def naive_loss(network: Any, items: list[Tokens]) -> Tensor:
    """Every example through the model alone; the sum over all trained tokens divided once."""
    total = torch.zeros(())
    for item in items:
        ids = torch.from_numpy(item.ids.astype(np.int64))
        logits = network(input_ids=ids[None], use_cache=False).logits[0, :-1].float()
        total = total + (F.cross_entropy(logits, ids[1:], reduction="none") * torch.from_numpy(item.weights[1:])).sum()
    return total / sum(float(item.weights[1:].sum()) for item in items)


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_five_steps_are_those_of_a_plain_torch_loop(name: str) -> None:
    """torch's AdamW, torch's clipping, one example at a time, decay on matrices only."""
    chosen = settings(weight_decay=0.1, clip=0.3, warmup=0.0, schedule="constant", row_tokens=64)
    losses, weights = after(name, "full", chosen)
    network = tiny.network(name)
    groups = [
        {"params": [w for w in network.parameters() if w.ndim > 1], "weight_decay": 0.1},
        {"params": [w for w in network.parameters() if w.ndim == 1], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr=1e-4, betas=chosen.betas, foreach=False)
    right, norms = [], []
    for _ in range(5):
        loss = naive_loss(network, eight())
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(network.parameters(), 0.3)))
        adam.step()
        adam.zero_grad()
        right.append(loss.item())
    assert min(norms) > 0.3  # clipping had something to do
    tiny.agree(losses, torch.tensor(right), 1e-6, 1e-6)
    agree_but_few(weights, tiny.flat(dict(network.named_parameters())), 5e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["full", "lora"])
@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_the_loss_curve_of_fifty_steps_is_that_of_a_plain_float32_loop(
    name: str, kind: str, dtype: torch.dtype
) -> None:
    """PEFT's own layers, torch's AdamW and clipping, one example at a time; the loss falls by a tenth or more."""
    chosen = settings(lr=1e-3, warmup=0.0, schedule="constant", clip=1.0, row_tokens=64)
    losses, _ = after(name, kind, chosen, 50, dtype)
    twin = adapters.add(tiny.network(name), AdapterSettings(kind=kind, rank=4), 0).train()
    changing = list(adapters.trainable(twin).values())
    adam = torch.optim.AdamW(changing, lr=chosen.lr, betas=chosen.betas, weight_decay=0.0, foreach=False)
    right = []
    for _ in range(50):
        loss = naive_loss(twin, eight())
        loss.backward()
        for weight in changing:
            weight.grad = weight.grad.to_dense() if weight.grad is not None else None
        torch.nn.utils.clip_grad_norm_(changing, 1.0)
        adam.step()
        adam.zero_grad()
        right.append(loss.item())
    assert right[-1] < 0.9 * right[0]
    limits = (1e-5, 1e-6) if dtype == torch.float32 else (2e-2, 2e-3)
    tiny.agree(losses, torch.tensor(right, dtype=torch.float64), *limits)


@pytest.mark.parametrize("clip", [0.0, 0.01, 1.0, 1e9])
def test_clipping_is_torchs(clip: float) -> None:
    """Norm and scaled gradients, for no clip, one that bites and one that does not.

    The scaled gradients are read from the first moment, of which the first step makes (1 - beta) times them.
    """
    network, twin = tiny.network("llama"), tiny.network("llama")
    optimizer = Optimizer(adapters.trainable(network), settings())
    naive_loss(network, eight()).backward()
    naive_loss(twin, eight()).backward()
    norm = optimizer.gradient_norm()
    optimizer.step(1e-4, norm, clip)
    share = 1 - settings().betas[0]
    seen = {name: optimizer.adam.state[m]["exp_avg"] / share for name, m in optimizer.masters.items()}
    right = float(torch.nn.utils.clip_grad_norm_(twin.parameters(), clip or float("inf")))
    assert abs(norm - right) < 1e-6 * right
    tiny.agree(tiny.flat(seen), tiny.flat(tiny.gradients(twin)), 1e-6, 1e-7)


def test_bfloat16_weights_have_float32_masters_that_move() -> None:
    """Against a loop that keeps its own float32 copies: the same masters; and at lr 1e-6 hardly any is lost."""
    chosen = settings(lr=1e-6, warmup=0.0, schedule="constant", clip=0.0, row_tokens=64)
    network, twin = (in_precision(tiny.network("llama"), torch.bfloat16) for _ in range(2))
    start = {name: weight.detach().float().clone() for name, weight in network.named_parameters()}
    state = State(network, Optimizer(adapters.trainable(network), chosen))
    for _ in fit(state, plan(8, 8, 10, 0), eight(), chosen, SHARED):
        pass

    copies = {name: torch.nn.Parameter(weight.detach().float()) for name, weight in twin.named_parameters()}
    adam = torch.optim.AdamW(copies.values(), lr=1e-6, betas=chosen.betas, weight_decay=0.0, fused=True)
    for places in plan(8, 8, 10, 0).steps:
        packs = packs_of(eight(), places, 64)
        sums = {name: torch.zeros_like(copy) for name, copy in copies.items()}
        with attending(twin, SHARED):
            for pack in packs:
                pack_loss(twin, pack, SHARED, 1 / sum(part.weight for part in packs)).backward()
                for name, gradient in tiny.gradients(twin).items():
                    sums[name] += gradient.float()
        for name, copy in copies.items():
            copy.grad = sums[name]
        adam.step()
        for name, weight in twin.named_parameters():
            weight.data.copy_(copies[name])
    masters = state.optimizer.masters
    assert {master.dtype for master in masters.values()} == {torch.float32}
    # The head's gradient is summed in float32 at once; the twin's was rounded to bfloat16 before.
    assert [name for name in copies if not torch.equal(masters[name], copies[name])] == ["lm_head.weight"]
    tiny.agree(masters["lm_head.weight"], copies["lm_head.weight"], 1e-5, 1e-7)
    assert all(torch.equal(weight, masters[name].bfloat16()) for name, weight in network.named_parameters())
    head = "lm_head.weight"
    moved = float((masters[head] != start[head]).float().mean())
    shown = float((network.lm_head.weight.float() != start[head]).float().mean())
    assert moved > 0.99
    assert shown < 0.05  # ten such steps do not show in bfloat16: without masters each would have been lost


def test_bfloat16_tuning_follows_float32_tuning() -> None:
    """The changes of the weights over five steps differ by no more than the forward's rounding makes gradients."""
    moves = []
    for dtype in (torch.float32, torch.bfloat16):
        network = in_precision(tiny.network("llama"), torch.bfloat16)  # the same start for both
        network = in_precision(network, dtype)
        start = {name: weight.detach().float().clone() for name, weight in network.named_parameters()}
        chosen = settings(lr=1e-4, warmup=0.0, schedule="constant", row_tokens=64)
        state = State(network, Optimizer(adapters.trainable(network), chosen))
        losses = [step.loss for step in fit(state, plan(8, 8, 5, 0), eight(), chosen, SHARED)]
        masters = state.optimizer.masters
        moves.append((losses, tiny.flat({name: masters[name].detach() - start[name] for name in start})))
    (losses, move), (losses_2, move_2) = moves
    assert max(abs(a - b) / a for a, b in zip(losses, losses_2, strict=True)) < 1e-2
    assert float(F.cosine_similarity(move, move_2, dim=0)) > 0.98


def test_gradients_of_several_rows_are_summed_in_float32() -> None:
    """Three backward passes in bfloat16: the masters hold the float32 sum, and no second copy is kept."""
    network, twin = (in_precision(tiny.network("gemma3"), torch.bfloat16) for _ in range(2))
    adapters.add(network, AdapterSettings(kind="full"), 0)  # with sparse gradients of the embedding
    optimizer = Optimizer(adapters.trainable(network), settings())
    packs = [make_pack([item]) for item in eight()[:3]]
    sums: dict[str, Tensor] = {}
    for pack in packs:
        for model in (network, twin):
            with attending(model, SHARED):
                pack_loss(model, pack, SHARED, 1.0).backward()
        for name, gradient in tiny.gradients(twin).items():
            sums[name] = sums[name] + gradient.float() if name in sums else gradient.float()
    assert all(weight.grad is None for weight in network.parameters())
    for name, master in optimizer.masters.items():
        assert master.grad is not None and master.grad.dtype == torch.float32
        if name == "model.embed_tokens.weight":  # the tied head's is never rounded to bfloat16, unlike the twin's
            assert float((master.grad - sums[name]).norm() / sums[name].norm()) < 5e-3
        else:
            assert torch.equal(master.grad, sums[name]), name
    assert any(not torch.equal(total, total.bfloat16().float()) for total in sums.values())
