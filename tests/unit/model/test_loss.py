"""The chunked loss at its edges."""

from __future__ import annotations

import pytest
import torch

from tutelage.model.loss import summed_loss, token_losses


def test_by_hand() -> None:
    """Two places, three words: uniform logits cost log 3, a certain and right one costs nothing."""
    hidden = torch.tensor([[0.0], [40.0]])
    head = torch.tensor([[1.0], [-1.0], [-1.0]])
    targets, weights = torch.tensor([1, 0]), torch.tensor([2.0, 1.0])
    assert token_losses(hidden, head, None, targets).tolist() == pytest.approx([1.0986123, 0.0])
    assert summed_loss(hidden, head, None, targets, weights).item() == pytest.approx(2.1972246)
    assert summed_loss(hidden, head, None, targets, weights, 0.5).item() == pytest.approx(1.0986123)


def test_a_bias_counts() -> None:
    hidden, head = torch.zeros(1, 1), torch.zeros(2, 1)
    bias = torch.tensor([0.0, 1.0986123])
    assert token_losses(hidden, head, bias, torch.tensor([1])).item() == pytest.approx(0.2876821)
    assert summed_loss(hidden, head, bias, torch.tensor([0]), torch.ones(1)).item() == pytest.approx(1.3862944)


def test_no_place_costs_nothing_and_can_be_differentiated() -> None:
    hidden, head = torch.zeros(0, 4, requires_grad=True), torch.ones(7, 4, requires_grad=True)
    none = torch.zeros(0, dtype=torch.long)
    loss = summed_loss(hidden, head, None, none, torch.zeros(0))
    loss.backward()
    assert loss.item() == 0
    assert hidden.grad is not None and hidden.grad.shape == (0, 4)
    assert head.grad is not None and not head.grad.any()
    assert len(token_losses(hidden, head, None, none)) == 0


def test_a_weight_of_zero_costs_nothing_and_changes_nothing() -> None:
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(5, 4, generator=draw).requires_grad_()
    head = torch.randn(9, 4, generator=draw)
    targets, weights = torch.tensor([1, 2, 3, 4, 5]), torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0])
    summed_loss(hidden, head, None, targets, weights).backward()
    assert hidden.grad is not None
    assert [bool(row.any()) for row in hidden.grad] == [True, False, True, False, True]


def test_logits_that_are_no_numbers_show_in_the_loss() -> None:
    hidden, head = torch.ones(2, 2), torch.ones(3, 2)
    head[1, 1] = torch.nan
    loss = summed_loss(hidden, head, None, torch.tensor([0, 1]), torch.ones(2))
    assert torch.isnan(loss)


def test_the_gradients_of_one_loss_are_used_once() -> None:
    hidden, head = torch.ones(2, 2, requires_grad=True), torch.ones(3, 2)
    loss = summed_loss(hidden, head, None, torch.tensor([0, 1]), torch.ones(2))
    loss.backward(retain_graph=True)
    with pytest.raises(AttributeError):
        loss.backward()
