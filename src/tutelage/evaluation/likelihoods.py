"""How likely a model holds given continuations, and whether greedy decoding would write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tutelage.evaluation.losses import ROW_TOKENS
from tutelage.model.forward import Proof, attending, pack_hidden, plain
from tutelage.text.encode import Tokens
from tutelage.text.pack import best_fit, make_pack

PLACES = 128
"""Places whose logits are in memory at once: a vocabulary can have a quarter of a million entries."""

Pair = tuple[Sequence[int], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """One continuation.

    Attributes:
        nats: the logarithm of its probability after its context.
        greedy: each of its tokens is the likeliest one.
    """

    nats: float
    greedy: bool


def likelihoods(
    network: Any,
    proof: Proof,
    pairs: Sequence[Pair],
    progress: Callable[[int], None] | None = None,
) -> list[Likelihood]:
    """Of each (context, continuation), token ids, in order.

    What differs in its last token only is read once: the options of a multiple choice by letter cost as much as one.

    Args:
        proof: how packs go through this network (`model.forward.prove`).
        pairs: contexts have at least one token.
        progress: called with the number of continuations measured since the last call.
    """
    found = [Likelihood(0.0, True)] * len(pairs)
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, (context, continuation) in enumerate(pairs):
        if continuation:
            groups.setdefault((*context, *continuation)[:-1], []).append(place)
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode(), attending(network, proof):
            for read, members in _read(network, proof, pairs, groups):
                for place in members:
                    found[place] = read.of(pairs[place][1])
                if progress:
                    progress(len(members))
    finally:
        network.train(was_training)
    return found


@dataclass(frozen=True)
class _Read:
    """A text's last places: what the model expects there.

    Attributes:
        nats: (n - 1,) of each token that stands there.
        best: (n,) the likeliest id.
        last: (V,) log-probabilities of what comes after the text.
    """

    nats: Tensor
    best: list[int]
    last: Tensor

    def of(self, continuation: Sequence[int]) -> Likelihood:
        """Of a continuation that, but for its last token, the text ends with."""
        count = len(continuation)
        within = self.nats[len(self.nats) - count + 1 :]
        nats = float(within.double().sum()) + float(self.last[continuation[-1]])
        return Likelihood(nats, self.best[len(self.best) - count :] == list(continuation))


def _read(
    network: Any, proof: Proof, pairs: Sequence[Pair], groups: Mapping[tuple[int, ...], list[int]]
) -> Iterator[tuple[_Read, list[int]]]:
    texts = list(groups)
    for row in best_fit([len(text) for text in texts], ROW_TOKENS):
        chosen = [texts[place] for place in row]
        counts = [max(len(pairs[place][1]) for place in groups[text]) for text in chosen]
        for text, read in zip(chosen, _row(network, proof, chosen, counts), strict=True):
            yield read, groups[text]


def _row(network: Any, proof: Proof, texts: Sequence[tuple[int, ...]], counts: Sequence[int]) -> Iterator[_Read]:
    """Each text's last `count` places."""
    inner = plain(network)
    if not proof.packed:
        for text, count in zip(texts, counts, strict=True):
            logits = inner(input_ids=torch.tensor([text], device=inner.device), use_cache=False).logits[0]
            yield _places(text, logits[len(text) - count :], lambda rows: rows)
        return
    parts = [Tokens(np.asarray(text, np.int32), np.zeros(len(text), np.float32), (), "") for text in texts]
    pack = make_pack(parts)
    hidden = pack_hidden(network, pack, proof)
    head: Any = inner.get_output_embeddings()
    for text, count, end in zip(texts, counts, pack.boundaries[1:], strict=True):
        yield _places(text, hidden[end - count : end], head)


def _places(text: Sequence[int], states: Tensor, head: Callable[[Tensor], Tensor]) -> _Read:
    """
    Args:
        states: (n, ·) of the text's last places.
        head: makes (·, V) logits of them.
    """
    count = len(states)
    targets = torch.tensor([*text[len(text) - count + 1 :], 0], device=states.device)  # what follows the last is open
    nats, best, last = [], list[int](), torch.empty(0)
    for start in range(0, count, PLACES):
        odds = head(states[start : start + PLACES]).float().log_softmax(-1)
        nats.append(odds.gather(1, targets[start : start + PLACES, None])[:, 0])
        best += odds.argmax(-1).tolist()
        last = odds[-1].cpu()
    return _Read(torch.cat(nats)[:-1].cpu(), best, last)
