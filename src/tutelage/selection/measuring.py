"""What a base model thinks of conversations: the loss of their answers with and without the question, and where it
places them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tutelage.model.forward import Proof, attending, pack_hidden, pack_token_losses
from tutelage.text.encode import Tokens
from tutelage.text.pack import Pack, best_fit, make_pack

ROW_TOKENS = 2048
Progress = Callable[[float], None]
"""Called with the share of 1 that is done."""


def answers_given(item: Tokens) -> Tokens:
    """The conversation with a weight of 1 on the answers' own tokens; their stop tokens say nothing about questions."""
    weights = np.zeros(len(item), np.float32)
    for start, end in item.spans:
        weights[start : end - 1] = 1
    return Tokens(item.ids, weights, item.spans, item.example)


def answers_alone(item: Tokens, lead: int) -> list[Tokens]:
    """Each answer's own tokens after the one that begins a text, and nothing else; the same ids as in `answers_given`.

    lead: the beginning of a sequence, or where the model has none the end of the one before.
    """
    texts = (np.concatenate([np.array([lead], np.int32), item.ids[start : end - 1]]) for start, end in item.spans)
    return [
        Tokens(ids, np.concatenate([np.zeros(1), np.ones(len(ids) - 1)]).astype(np.float32), (), item.example)
        for ids in texts
    ]


def difficulties(
    network: Any, proof: Proof, items: Sequence[Tokens], lead: int, progress: Progress = lambda share: None
) -> NDArray[np.float64]:
    """(n, 3) the summed loss in nats of each conversation's answers after all that stands before them, their summed
    loss each alone, and their number of tokens.

    The first over the second is the instruction-following difficulty (Li et al. 2023, "From Quantity to Quality",
    arXiv:2308.12032); with several answers, of all of them together. Both sides have the same tokens, so it does not
    matter that the paper divides means.
    """
    alone = [part for item in items for part in answers_alone(item, lead)]
    nats = summed_losses(network, proof, [*map(answers_given, items), *alone], progress)
    found = np.zeros((len(items), 3))
    found[:, 0] = nats[: len(items)]
    owners = np.repeat(np.arange(len(items)), [len(item.spans) for item in items])
    np.add.at(found[:, 1], owners, nats[len(items) :])
    np.add.at(found[:, 2], owners, [len(part) - 1 for part in alone])
    return found


def summed_losses(
    network: Any, proof: Proof, items: Sequence[Tokens], progress: Progress = lambda share: None
) -> NDArray[np.float64]:
    """(n,) summed loss in nats at each one's weighted places; packed, so no padding is computed."""
    found = np.zeros(len(items))
    scored = [place for place, item in enumerate(items) if (item.weights[1:] > 0).any()]
    done = 0
    with _reading(network, proof):
        for row, pack in _packs([items[place] for place in scored]):
            nats = pack_token_losses(network, pack, proof).double().cpu().numpy()
            places = [scored[place] for place in row]
            counts = [int((items[place].weights[1:] > 0).sum()) for place in places]
            found[places] = np.add.reduceat(nats, np.cumsum([0, *counts[:-1]]))
            done += len(row)
            progress(done / len(scored))
    return found


def mean_hidden(
    network: Any, proof: Proof, items: Sequence[Tokens], lead: int, progress: Progress = lambda share: None
) -> NDArray[np.float32]:
    """(n, d) mean of the last hidden states over each conversation's tokens, a beginning of sequence left out: it sees
    nothing but itself, and would draw short conversations together."""
    made: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(items)
    done = 0
    with _reading(network, proof):
        for row, pack in _packs(items):
            hidden = pack_hidden(network, pack, proof).float()
            for place, start, end in zip(row, pack.boundaries, pack.boundaries[1:], strict=False):
                skipped = int(end - start > 1 and pack.ids[start] == lead)
                made[place] = hidden[start + skipped : end].mean(0).cpu().numpy()
            done += len(row)
            progress(done / len(items))
    return np.stack(made)


def _packs(items: Sequence[Tokens]) -> Iterator[tuple[list[int], Pack]]:
    """Rows of whole conversations, with their places."""
    for row in best_fit([len(item) for item in items], ROW_TOKENS):
        yield row, make_pack([items[place] for place in row])


@contextmanager
def _reading(network: Any, proof: Proof) -> Iterator[None]:
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode(), attending(network, proof):
            yield
    finally:
        network.train(was_training)
