"""Likelihoods of continuations: in packs and shared where texts are the same, and one after the other in full."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import tiny
from tutelage.evaluation import likelihoods as room
from tutelage.evaluation.likelihoods import likelihoods
from tutelage.model.forward import prove

Pair = tuple[list[int], list[int]]


def slow(network: Any, context: list[int], continuation: list[int]) -> tuple[float, bool]:
    """From the logits of the whole text."""
    ids = torch.tensor([[*context, *continuation]])
    with torch.no_grad():
        odds = network(input_ids=ids).logits[0, len(context) - 1 : -1].double().log_softmax(-1)
    wanted = torch.tensor(continuation)
    return float(odds.gather(1, wanted[:, None]).sum()), bool((odds.argmax(-1) == wanted).all())


def best(network: Any, ids: list[int]) -> int:
    with torch.no_grad():
        return int(network(input_ids=torch.tensor([ids])).logits[0, -1].argmax())


def pairs(network: Any) -> list[Pair]:
    """Of many lengths; some share all but the last token, some are one text cut at other places, some are greedy."""
    draw = np.random.default_rng(5)
    made: list[Pair] = []
    for length, more in ((1, 1), (4, 2), (30, 9), (12, 1), (7, 20)):
        text = draw.integers(2, tiny.VOCABULARY, length + more).tolist()
        made += [(text[:length], text[length:]), (text[:length], [*text[length:-1], 7]), (text[:1], text[1:])]
    first = draw.integers(2, tiny.VOCABULARY, 6).tolist()
    right = best(network, first)
    wrong = (right + 1) % tiny.VOCABULARY
    made += [(first, [right]), (first, [wrong]), (first, [right, best(network, [*first, right])])]
    made += [(first, [wrong, best(network, [*first, wrong])]), (first, [right, wrong])]
    return made


@pytest.mark.parametrize("name", ["llama", "gemma3", "gemma2", "phi3", "mamba", "phi"])
@pytest.mark.parametrize("at_once", [3, 128])
def test_equal_the_whole_forward(name: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed, apart where rows would change each other, and through the model's own forward where it must."""
    monkeypatch.setattr(room, "PLACES", at_once)
    network: Any = tiny.network(name)
    asked, told = pairs(network), list[int]()
    found = likelihoods(network, prove(network), asked, told.append)
    expected = [slow(network, *pair) for pair in asked]
    assert [one.nats for one in found] == pytest.approx([nats for nats, _ in expected], rel=2e-5, abs=1e-5)
    assert [one.greedy for one in found] == [greedy for _, greedy in expected]
    assert [one.greedy for one in found[-5:]] == [True, False, True, False, False]
    assert sum(told) == len(asked)


def test_what_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four letters after one question are one text; nothing after a question is certain."""
    network: Any = tiny.network("llama")
    texts: list[int] = []
    row = room._row

    def counted(network: Any, proof: Any, chosen: Any, counts: Any) -> Any:
        texts.extend(len(text) for text in chosen)
        return row(network, proof, chosen, counts)

    monkeypatch.setattr(room, "_row", counted)
    found = likelihoods(network, prove(network), [([5, 6, 7], [letter]) for letter in (9, 10, 11, 12)] + [([5], [])])
    assert texts == [3] and (found[-1].nats, found[-1].greedy) == (0.0, True)
    assert len({one.nats for one in found[:4]}) == 4
