"""The next word of each text from its last hidden state: the likeliest, or drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tutelage.errors import TuningError
from tutelage.model import screen
from tutelage.model.layers import product
from tutelage.recipe import DecodingSettings

BLOCK = 2048
"""Words scored together on a CPU."""


def scores_of(inner: Any, hidden: Tensor) -> Tensor:
    """(n, V) from last hidden states (n, d)."""
    head = inner.get_output_embeddings()
    bias = getattr(head, "bias", None)
    made = product(hidden, head.weight).float()
    return made if bias is None else made + bias


def next_words(inner: Any, hidden: Tensor, settings: DecodingSettings, draws: Sequence[torch.Generator]) -> list[int]:
    """The next id of each text from its last hidden state (n, d)."""
    head = inner.get_output_embeddings()
    found: list[int]
    if settings.temperature or hidden.device.type != "cpu" or head.weight.dtype != torch.float32:
        found = choose(scores_of(inner, hidden), settings, draws).tolist()
        return found
    screened = screen.likeliest(head, hidden)
    if screened is not None:
        _check(screened[1])
        found = screened[0].tolist()
        return found
    # Greedy: block by block, since 40 texts have 42 MB of logits, of which one number each is wanted.
    bias = getattr(head, "bias", None)
    most = torch.full((len(hidden),), -math.inf)
    likeliest = torch.zeros(len(hidden), dtype=torch.long)
    for start in range(0, len(head.weight), BLOCK):
        part = slice(start, start + BLOCK)
        scores = product(hidden, head.weight[part])
        highest, places = (scores if bias is None else scores + bias[part]).max(-1)
        likeliest = torch.where(highest > most, places + start, likeliest)
        most = torch.maximum(most, highest)
    _check(most)
    found = likeliest.tolist()
    return found


def _check(most: Tensor) -> None:
    """Refuses largest logits that are no numbers."""
    if not bool(torch.isfinite(most).all()):
        raise TuningError(
            "the model's output is not a number; its weights are damaged (was the learning rate too high?)"
        )


def choose(logits: Tensor, settings: DecodingSettings, draws: Sequence[torch.Generator]) -> Tensor:
    """The next id of each row (n,): the likeliest, or drawn from the likeliest that make up top_p.

    Raises:
        TuningError: the model's output is not a number.
    """
    most, likeliest = logits.max(-1)
    _check(most)
    if settings.temperature == 0:
        return likeliest
    # Less the largest first: a tiny temperature would make infinities of the logits themselves.
    weights = ((logits - most[:, None]) / settings.temperature).softmax(-1).cpu()
    if settings.top_p < 1:
        ordered, ranks = weights.sort(-1, descending=True)
        beyond = ordered.cumsum(-1) - ordered >= settings.top_p
        weights = torch.zeros_like(weights).scatter(-1, ranks, ordered.masked_fill(beyond, 0))
    chosen = [int(torch.multinomial(row, 1, generator=draw)) for row, draw in zip(weights, draws, strict=True)]
    return torch.tensor(chosen, device=logits.device)
