"""The learning rate's way, and what belongs to the optimizer but has no twin in torch."""

from __future__ import annotations

import math

import pytest
import torch

import tiny
from tutelage.model import adapters
from tutelage.recipe import TuningSettings
from tutelage.tuning.optim import Optimizer, rate


def rates(total: int, warmup: float, schedule: str, peak: float = 1.0) -> list[float]:
    settings = TuningSettings.model_validate({"warmup": warmup, "schedule": schedule})
    return [round(rate(step, total, settings, peak), 6) for step in range(total)]


def test_warm_up_then_cosine() -> None:
    """Ten steps, two of them rising by thirds; the peak stands at step 2."""
    assert rates(10, 0.2, "cosine") == [
        *(0.333333, 0.666667),
        *(1.0, 0.96194, 0.853553, 0.691342, 0.5, 0.308658, 0.146447, 0.03806),
    ]


def test_warm_up_then_linear() -> None:
    assert rates(6, 1 / 3, "linear", 3e-4) == [0.0001, 0.0002, 0.0003, 0.000225, 0.00015, 7.5e-05]


def test_constant() -> None:
    assert rates(5, 0.0, "constant", 2.0) == [2.0] * 5
    assert rates(5, 0.3, "constant") == [0.333333, 0.666667, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.5, 0.99])
@pytest.mark.parametrize("total", [1, 2, 3, 17])
def test_no_step_is_wasted(total: int, warmup: float, schedule: str) -> None:
    """Every rate is above 0 and at most the peak; it never rises again once it has fallen."""
    found = [
        rate(step, total, TuningSettings.model_validate({"warmup": warmup, "schedule": schedule}), 1.0)
        for step in range(total)
    ]
    assert all(0 < one <= 1 for one in found)
    top = found.index(max(found))
    assert found[top:] == sorted(found[top:], reverse=True)
    assert top <= math.ceil(total * warmup)


def test_tied_weights_are_updated_once() -> None:
    network = tiny.network("gemma3")
    optimizer = Optimizer(adapters.trainable(network), TuningSettings())
    assert network.lm_head.weight is network.model.embed_tokens.weight
    assert sum("embed" in name or "head" in name for name in optimizer.weights) == 1
    assert len(optimizer.weights) == len(list(network.parameters()))


def test_only_matrices_decay() -> None:
    weights = {"matrix": torch.nn.Parameter(torch.ones(2, 2)), "norm": torch.nn.Parameter(torch.ones(2))}
    optimizer = Optimizer(weights, TuningSettings(weight_decay=0.5))
    for weight in weights.values():
        weight.grad = torch.zeros_like(weight)
    optimizer.step(0.1, 0.0, 1.0)
    assert torch.equal(weights["matrix"].detach(), torch.full((2, 2), 0.95))
    assert torch.equal(weights["norm"].detach(), torch.ones(2))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_norm_of_a_gradient_that_is_no_number_is_none(bad: float) -> None:
    weights = {"a": torch.nn.Parameter(torch.ones(3)), "b": torch.nn.Parameter(torch.ones(3))}
    optimizer = Optimizer(weights, TuningSettings())
    assert optimizer.gradient_norm() == 0.0
    weights["a"].grad = torch.tensor([3.0, 0.0, 4.0])
    assert optimizer.gradient_norm() == 5.0
    weights["b"].grad = torch.tensor([1.0, bad, 1.0])
    assert not math.isfinite(optimizer.gradient_norm())


def test_forgotten_gradients_are_gone() -> None:
    weights = {"a": torch.nn.Parameter(torch.ones(3, dtype=torch.bfloat16))}
    optimizer = Optimizer(weights, TuningSettings())
    weights["a"].sum().backward()
    assert optimizer.masters["a"].grad is not None
    optimizer.forget()
    assert optimizer.masters["a"].grad is None and weights["a"].grad is None
