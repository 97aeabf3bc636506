"""AdamW on fp32 master weights, and the learning rate's way up and down."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tutelage.recipe import TuningSettings
from tutelage.tuning.distributed import ALONE, Party, Rows, in_parts, rows_of


def rate(step: int, total: int, settings: TuningSettings, peak: float) -> float:
    """Learning rate of step `step` (from 0) of `total`: linear warm-up, then cosine, linear or constant."""
    rising = math.ceil(total * settings.warmup)
    if step < rising:
        return peak * (step + 1) / (rising + 1)
    done = (step - rising) / max(1, total - rising)
    if settings.schedule == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * done))
    return peak * (1 - done) if settings.schedule == "linear" else peak


class Optimizer:
    """AdamW whose moments and weights are fp32, whatever the network computes in.

    Pure bf16 weights lose small updates: at a learning rate of 1e-6, 98 % of them never move. Where a weight
    is bf16, an fp32 master is updated and rounded back; gradients of several backward passes are summed in fp32.
    Of weights in parts over several processes, the masters are this process's rows, and share their memory.
    """

    def __init__(
        self, weights: Mapping[str, torch.nn.Parameter], settings: TuningSettings, party: Party = ALONE
    ) -> None:
        self.weights, self.party = dict(weights), party
        self.parted = {name: weight for name, weight in self.weights.items() if in_parts(weight)}
        self.masters: dict[str, torch.nn.Parameter] = {name: _master(weight) for name, weight in self.weights.items()}
        decayed = [master for master in self.masters.values() if master.ndim > 1]
        others = [master for master in self.masters.values() if master.ndim <= 1]
        self.adam = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": settings.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            betas=settings.betas,
            fused=True,
        )
        for name, weight in self.weights.items():
            if name in self.parted:  # FSDP2 sums their gradients itself, in fp32
                continue
            if weight is not self.masters[name]:
                weight.master = self.masters[name]  # type: ignore[attr-defined] # `pack_loss` sums the head's there
            weight.register_post_accumulate_grad_hook(_sum_in_master)

    def gradient_norm(self) -> float:
        """Norm over all gradients of all processes; not a number where one of them is not."""
        for name, weight in self.parted.items():
            if weight.grad is not None:
                self.masters[name].grad, weight.grad = weight.grad.to_local(), None  # type: ignore[attr-defined]
        if not self.parted:
            self.party.sum_gradients(self.masters.values())
        norms = [torch.linalg.vector_norm(m.grad) for m in self.masters.values() if m.grad is not None]
        norm = float(torch.linalg.vector_norm(torch.stack(norms))) if norms else 0.0
        return math.sqrt(self.party.total(norm**2)[0]) if self.parted else norm

    def step(self, lr: float, norm: float, clip: float) -> None:
        """One update; gradients above `clip` are scaled down to it and then forgotten."""
        # The fused update divides each gradient as it reads it, which saves a pass over all of them.
        self.adam.grad_scale = torch.tensor((norm + 1e-6) / clip) if clip and norm > clip else None  # type: ignore[attr-defined]
        for group in self.adam.param_groups:
            group["lr"] = lr
        self.adam.step()
        self.forget()
        with torch.no_grad():
            for name, weight in self.weights.items():
                if weight is not self.masters[name] and name not in self.parted:
                    weight.copy_(self.masters[name])

    def forget(self) -> None:
        """Drop all gradients."""
        self.adam.zero_grad(set_to_none=True)
        for weight in self.weights.values():
            weight.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """Masters and moments by name, for a checkpoint: of weights in parts, this process's rows (`rows`)."""
        found: dict[str, Tensor] = {}
        for name, master in self.masters.items():
            found[f"master/{name}"] = master.detach()
            for key, value in self.adam.state.get(master, {}).items():
                found[f"{key}/{name}"] = value
        return found

    def rows(self) -> dict[str, Rows]:
        """Which rows the tensors of weights in parts are, by the tensors' names."""
        found = {}
        for name, weight in self.parted.items():
            rows = rows_of(weight, self.party)
            for key in ("master", "exp_avg", "exp_avg_sq"):
                if rows is not None:
                    found[f"{key}/{name}"] = rows
        return found

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        with torch.no_grad():
            for name, master in self.masters.items():
                master.copy_(tensors[f"master/{name}"])
                if name not in self.parted:
                    self.weights[name].copy_(master)
                if f"step/{name}" in tensors:  # a weight that never had a gradient has no moments
                    self.adam.state[master] = {
                        key: tensors[f"{key}/{name}"].to(master.device, copy=True)
                        for key in ("step", "exp_avg", "exp_avg_sq")
                    }


def _master(weight: torch.nn.Parameter) -> torch.nn.Parameter:
    """What AdamW updates: the weight, an fp32 copy of it, or this process's rows of one in parts."""
    if in_parts(weight):
        parted: Any = weight.detach()
        return torch.nn.Parameter(parted.to_local())
    return weight if weight.dtype == torch.float32 else torch.nn.Parameter(weight.detach().float())


def _sum_in_master(weight: Tensor) -> None:
    """Moves a weight's fresh gradient into its master's, dense and in fp32, so that none is kept twice."""
    fresh, master = weight.grad, getattr(weight, "master", weight)
    if fresh is None or (master is weight and not fresh.is_sparse):
        return
    weight.grad = None
    if master.grad is None:
        master.grad = fresh.to_dense().float()
    elif fresh.is_sparse:
        master.grad.index_add_(0, fresh._indices()[0], fresh._values().float())
    else:
        master.grad.add_(fresh)
