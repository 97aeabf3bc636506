"""The checks of `selfcheck` that compute: packs, steps, checkpoints, adapters and saved models against themselves."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tutelage.errors import UsageError
from tutelage.evaluation.checks import Found, LeftOut, Subject
from tutelage.model import adapters, layers
from tutelage.model.forward import Proof, attending, pack_loss, pack_token_losses
from tutelage.model.load import load
from tutelage.model.machine import quiet_libraries
from tutelage.recipe import TuningSettings
from tutelage.text.encode import Tokens
from tutelage.text.pack import Pack, Plan, make_pack, packs_of, plan
from tutelage.tuning import checkpoint
from tutelage.tuning.checkpoint import Progress
from tutelage.tuning.finish import save_model
from tutelage.tuning.fit import State, fit
from tutelage.tuning.optim import Optimizer
from tutelage.tuning.run import Step

SAME = 1e-6
"""Largest relative difference of numbers that should be the same but for float32's rounding."""
OTHER_WAY = 1e-4
"""The same where another order of many operations leads there: other kernels, a sum of products multiplied out."""
SMALL = 1e-3
"""A tensor of gradients whose values are all below this share of the largest one is compared with that share."""
LOGITS = 24
"""Tokens whose logits of all words are compared."""
STOPPED = 2
"""After so many steps the run of `resume` is stopped."""
Numbers = dict[str, Tensor]


def _difference(ours: Tensor, theirs: Tensor, least: float = 1e-30) -> float:
    """Largest absolute difference relative to the largest absolute value, or to `least` where that is larger;
    infinite where a number is none."""
    if ours.shape != theirs.shape:
        return math.inf
    ours, theirs = ours.detach().double().cpu(), theirs.detach().double().cpu()
    found = float((ours - theirs).abs().max() / theirs.abs().max().clamp_min(least))
    return found if math.isfinite(found) else math.inf


def _differences(ours: Numbers, theirs: Numbers) -> float:
    """The largest difference of any tensor, relative to its own largest value; where all of that are tiny beside
    the other tensors' (a gradient that is 0 but for rounding), to a thousandth of theirs."""
    if ours.keys() != theirs.keys():
        return math.inf
    least = SMALL * max(float(value.abs().max()) for value in theirs.values())
    return max(_difference(ours[name], theirs[name], least) for name in theirs)


def _flat(tensors: Numbers) -> Tensor:
    return torch.cat([tensors[name].detach().flatten() for name in sorted(tensors)])


def _tuned(subject: Subject, network: Any, dropout: float = 0.0) -> Any:
    """The network with the weights that are tuned, none of them at 0, so that each has a part in what is measured."""
    tuned = adapters.add(network, subject.adapter.model_copy(update={"dropout": dropout}), 0)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in adapters.trainable(tuned).values():
            if not weight.any():
                weight.copy_(torch.randn(weight.shape, generator=draw) * 0.02)
    return tuned


def _copy(subject: Subject, dropout: float = 0.0) -> Any:
    """A copy to tune; with LoRA, embedding and head are shared with the original, since they stay as they are."""
    network = subject.network
    ends = (network.get_input_embeddings(), network.get_output_embeddings())
    shared = {id(weight): weight for layer in ends for weight in layer.parameters()}
    return _tuned(subject, copy.deepcopy(network, {} if subject.adapter.kind == "full" else shared), dropout)


def _started(subject: Subject, settings: TuningSettings, dropout: float = 0.0) -> State:
    network = _copy(subject, dropout)
    layers.quicken(network)
    return State(network, Optimizer(adapters.trainable(network), settings))


def _row(items: Sequence[Tokens]) -> list[Pack]:
    """All of them in one row."""
    return packs_of(items, range(len(items)), sum(map(len, items)))


def _gradients(network: Any, packs: Sequence[Pack], proof: Proof) -> tuple[Tensor, Numbers]:
    """The loss of the packs, and its gradients by all weights that are tuned."""
    weight, total = sum(pack.weight for pack in packs), 0.0
    with attending(network, proof):
        for pack in packs:
            loss = pack_loss(network, pack, proof, 1 / weight)
            loss.backward()
            total += loss.item()
    found = {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad.to_dense()
        for name, weight in adapters.trainable(network).items()
    }
    network.zero_grad(set_to_none=True)
    return torch.tensor([total], dtype=torch.float64), found


def _packed_only(subject: Subject) -> None:
    """
    Raises:
        LeftOut: the model's conversations never share a row.
    """
    if not subject.proof.packed:
        reason = subject.proof.reason
        raise LeftOut(f"this model is trained one conversation at a time through its own forward: {reason}")


def neighbours(subject: Subject) -> Found:
    """Another conversation beside it must change neither the losses nor the gradients of a conversation."""
    _packed_only(subject)
    if crossings := subject.seen.crossings:
        return Found(crossings, 0, "places are not counted from each conversation's start, or cross into the next one")
    first, second = subject.short[:2]
    words = int(subject.network.get_input_embeddings().weight.shape[0])
    silent = replace(first, weights=np.zeros_like(first.weights))
    network = _copy(subject)
    layers.quicken(network)
    found = []
    for neighbour in (silent, replace(silent, ids=(first.ids + 1) % words)):
        packs = _row([neighbour, second])
        with attending(network, subject.proof):
            losses = torch.cat([pack_token_losses(network, pack, subject.proof) for pack in packs])
        found.append((losses, _gradients(network, packs, subject.proof)[1]))
    (losses, gradients), (others, changed) = found
    what = "losses and gradients of a conversation while every token of its neighbour in the row changes"
    return Found(max(_difference(losses, others), _differences(gradients, changed)), SAME, what)


def accumulation(subject: Subject) -> Found:
    """How a step is cut into rows must not change it."""
    runs = []
    for room in (1, sum(map(len, subject.short))):
        settings = _settings(batch_size=len(subject.short), row_tokens=room)
        state = _started(subject, settings)
        runs.append((_steps(state, plan(len(subject.short), len(subject.short), 3.0, 0), subject, settings), state))
    (apart, one), (together, other) = runs
    pairs = list(zip(apart, together, strict=True))
    losses = max(abs(step.loss - same.loss) / same.loss for step, same in pairs)
    norms = max(abs(step.grad_norm - same.grad_norm) / same.grad_norm for step, same in pairs)
    weights, right = (_flat(dict(state.optimizer.masters)).double() for state in (one, other))
    # Adam divides each gradient by its own size, so a weight that has next to none moves by its rounding: what counts
    # is the mean.
    moved = float((weights - right).abs().mean() / right.abs().mean())
    # A lost factor shows in the norms alone, by far; their rounding is larger than that of losses and weights.
    found = max(losses, moved, norms if norms > OTHER_WAY else 0.0)
    what = f"a step of {len(subject.short)} rows and of one row: losses, gradient norms and weights of 3 steps"
    return Found(found, SAME, what)


def _settings(**changes: Any) -> TuningSettings:
    return TuningSettings(lr=1e-4, warmup=0.0, **changes)


def _steps(state: State, planned: Plan, subject: Subject, settings: TuningSettings) -> list[Step]:
    return list(fit(state, planned, subject.short, settings, subject.proof))


def packing(subject: Subject) -> Found:
    """One row of several conversations must give what the model's own forward gives of each alone."""
    _packed_only(subject)
    network = _copy(subject)
    loss, alone = _gradients(network, [make_pack([item]) for item in subject.short], Proof(False, 0.0, 0.0))
    layers.quicken(network)
    packed_loss, packed = _gradients(network, _row(subject.short), subject.proof)
    found = max(_difference(packed_loss, loss), _differences(packed, alone))
    what = f"loss and gradients of {len(subject.short)} texts in a row, and of each alone in the model's own way"
    return Found(found, OTHER_WAY, what)


def resume(subject: Subject) -> Found:
    """A run that is stopped, saved to disk and taken up again must give the same bits, LoRA's dropout included."""
    half, dropout, folder = -(-len(subject.short) // 2), 0.1, subject.folder / "checkpoints"
    settings, planned = _settings(batch_size=half), plan(len(subject.short), half, 2.0, 0)
    try:
        whole = _started(subject, settings, dropout)
    except UsageError:  # PEFT knows no dropout beside the stacked weights of a mixture of experts
        dropout = 0.0
        whole = _started(subject, settings, dropout)
    steps: list[Step] = []
    for step in fit(whole, planned, subject.short, settings, subject.proof):
        steps.append(step)
        if step.step == STOPPED:
            checkpoint.save(folder, step.step, whole.optimizer.tensors(), _progress(step.step))
    kept = checkpoint.latest(folder)
    assert kept is not None
    tensors, progress = checkpoint.load(kept)
    again = _started(subject, settings, dropout)
    again.optimizer.restore(tensors)
    again.step = progress.step
    rest = _steps(again, planned, subject, settings)
    right, found = whole.optimizer.tensors(), again.optimizer.tensors()
    unequal = sum(name not in found or not torch.equal(found[name], right[name]) for name in right)
    numbers = [[(step.step, step.loss, step.grad_norm) for step in some] for some in (steps[STOPPED:], rest)]
    wrong = unequal + int(numbers[0] != numbers[1])
    what = f"weights and moments with other bits after steps {STOPPED + 1} to {len(planned)} from a checkpoint on disk"
    return Found(wrong, 0, what)


def _progress(step: int) -> Progress:
    same = "of this process"  # nothing that a run is made of can change between the two halves
    return Progress(step, 0.0, 0, None, 0, 0, same, same, same, same, same)


def _logits(network: Any, subject: Subject) -> Tensor:
    """(T, V) of the beginning of the longest of the short texts, by the model's own forward."""
    ids = max((item.ids for item in subject.short), key=len)[:LOGITS].astype(np.int64)
    network.eval()
    with torch.no_grad():
        made: Tensor = network(input_ids=torch.from_numpy(ids)[None].to(subject.network.device), use_cache=False).logits
    return made[0].float()


def merge(subject: Subject) -> Found:
    """An adapter that is merged into the weights must say what it said beside them."""
    if subject.adapter.kind == "full":
        raise LeftOut("every weight is tuned, so there is nothing to merge")
    network = _copy(subject)
    base, beside = _logits(subject.network, subject), _logits(network, subject)
    if _difference(beside, base) < 1e-3:
        return Found(math.inf, OTHER_WAY, "the adapter changes nothing, so merging it shows nothing")
    merged = _logits(adapters.merge(network), subject)
    return Found(_difference(merged, beside), OTHER_WAY, "logits with LoRA merged into the weights, and beside them")


def save(subject: Subject) -> Found:
    """The saved model, and the saved adapter on it, must be what they were in memory once they are loaded."""
    device = subject.network.device
    what = "logits of the model, saved and loaded, and in memory"
    loaded = load(str(subject.saved), device, torch.float32, _nobody)
    found = _difference(_logits(loaded.network, subject), _logits(subject.network, subject))
    if subject.adapter.kind == "full":
        return Found(found, SAME, what)
    tuned = _tuned(subject, loaded.network)
    with quiet_libraries():
        save_model(tuned, subject.encoder, subject.folder / "adapter")
    again = load(str(subject.folder / "adapter"), device, torch.float32, _nobody, merge=False)
    other = _difference(_logits(again.network, subject), _logits(tuned, subject))
    return Found(max(found, other), SAME, what.replace("the model", "the model and of an adapter"))


def _nobody(line: str) -> None:
    """A `say` that nobody hears."""
