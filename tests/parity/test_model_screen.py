"""The likeliest word through eight bits against the whole product in float32 (and its bound against float64)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from tutelage.errors import TuningError
from tutelage.model import screen
from tutelage.model.screen import Screen
from tutelage.model.words import next_words
from tutelage.recipe import DecodingSettings

WORDS, WIDTH = 1500, 48
GREEDY = DecodingSettings()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(screen, "SMALLEST", 1)
    if not screen._can():
        pytest.skip("this processor has no fast product in eight bits")
    yield


def head(seed: int, bias: bool = False) -> nn.Linear:
    """Rows of very different sizes, and some that are nearly the same."""
    draw = torch.Generator().manual_seed(seed)
    layer = nn.Linear(WIDTH, WORDS, bias=bias)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(WORDS, WIDTH, generator=draw) * torch.rand(WORDS, 1, generator=draw) ** 3)
        layer.weight[700:720] = layer.weight[20] + 1e-4 * torch.randn(20, WIDTH, generator=draw)
        if bias:
            layer.bias.copy_(torch.randn(WORDS, generator=draw))
    return layer.requires_grad_(False)


def states(count: int, seed: int) -> Tensor:
    """Hidden states with one place far larger than the others, as real ones have."""
    draw = torch.Generator().manual_seed(seed)
    made = torch.randn(count, WIDTH, generator=draw) * 10 ** (4 * torch.rand(count, 1, generator=draw) - 2)
    made[::2, 7] *= 40
    return made


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_likeliest_word_is_that_of_the_whole_product(seed: int, bias: bool) -> None:
    layer, hidden = head(seed, bias), states(200, seed)
    made = Screen(layer.weight, layer.bias).likeliest(hidden)
    assert made is not None
    most, words = layer(hidden).max(-1)
    torch.testing.assert_close(made[1], most, rtol=1e-5, atol=1e-6)
    sure = layer(hidden).topk(2).values  # beyond rounding, so that the order of additions cannot decide
    clear = sure[:, 0] - sure[:, 1] > 1e-5 * sure[:, 0].abs()
    assert clear.sum() > 100 and torch.equal(made[0][clear], words[clear])


@pytest.mark.parametrize("seed", range(3))
def test_scores_lie_within_their_bounds(seed: int) -> None:
    layer, hidden = head(seed, True), states(100, seed)
    made = Screen(layer.weight, layer.bias)
    rough, left = made._rough(hidden)
    exact = hidden.double() @ layer.weight.double().T + layer.bias.double()
    bound = torch.stack([made.bound(state, one) for state, one in zip(hidden, left, strict=True)])
    assert bool(((rough - exact).abs() <= bound).all())
    assert float(((rough - exact).abs() / bound).max()) > 0.05  # and they are not far too wide


def test_it_is_there_after_some_words_and_again_after_the_head_was_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "WORTH", 3)
    layer, hidden = head(0), states(2, 0)
    asked = [screen.likeliest(layer, hidden) for _ in range(3)]
    assert [made is None for made in asked] == [True, True, False]
    layer.weight.mul_(-1)
    assert screen.likeliest(layer, hidden) is None
    screen.likeliest(layer, hidden)
    made = screen.likeliest(layer, hidden)
    assert made is not None and torch.equal(made[0], layer(hidden).argmax(-1))


def test_what_cannot_be_told_apart_goes_through_the_whole_product() -> None:
    same = torch.ones(WORDS, WIDTH)
    assert Screen(same, None).likeliest(states(1, 0)) is None


def test_a_kernel_that_rounds_otherwise_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "WORTH", 1)
    layer, hidden = head(0), states(2, 0)
    monkeypatch.setattr(
        Screen, "_rough", lambda self, hidden: (torch.zeros(len(hidden), WORDS), torch.zeros(len(hidden)))
    )
    assert screen.likeliest(layer, hidden) is None


def test_next_words_are_the_same_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "WORTH", 1)
    network, hidden = nn.Module(), states(6, 1)
    layer = head(1)
    network.get_output_embeddings = lambda: layer  # type: ignore[assignment]
    found = next_words(network, hidden, GREEDY, ())
    kept = screen._kept[layer]
    assert kept.screen is not None and not kept.wrong
    monkeypatch.setattr(screen, "MOST", 0)
    assert found == next_words(network, hidden, GREEDY, ())
    monkeypatch.setattr(screen, "MOST", 8)
    with pytest.raises(TuningError, match="not a number"):
        next_words(network, torch.full((1, WIDTH), torch.nan), GREEDY, ())
