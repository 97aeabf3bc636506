"""The loss of reference answers: how well a model, shown in a given way, expects what people wrote."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from tutelage.errors import TemplateError
from tutelage.evaluation.answers import context_length
from tutelage.model.cache import KeyValues, shared_length
from tutelage.model.forward import Proof, alike_up_to, attending, pack_token_losses, plain
from tutelage.model.slots import WORTH, read_prefix
from tutelage.records import Example, Turn
from tutelage.text.encode import Encoder, Tokens
from tutelage.text.pack import best_fit, make_pack

ROW_TOKENS = 2048


@dataclass(frozen=True, slots=True)
class AnswerLoss:
    """One conversation's last answer.

    Attributes:
        example: the example's id.
        nats: summed loss of the answer's tokens, the stop token not among them.
        tokens: how many those are.
        stop_nats: loss of the stop token.
    """

    example: str
    nats: float
    tokens: int
    stop_nats: float


@dataclass(frozen=True)
class Losses:
    """The last answers of several conversations.

    Attributes:
        answers: in the order of the conversations.
        left_out: ids of conversations that are longer than the model reads or that the template refuses.
    """

    answers: tuple[AnswerLoss, ...]
    left_out: tuple[str, ...] = ()

    @property
    def nats(self) -> float:
        """Summed loss, stop tokens excluded."""
        return sum(answer.nats for answer in self.answers)

    @property
    def tokens(self) -> int:
        """Answer tokens, stop tokens excluded."""
        return sum(answer.tokens for answer in self.answers)

    @property
    def per_token(self) -> float:
        """Nats per answer token, stop tokens excluded; not a number where there is none."""
        return self.nats / self.tokens if self.tokens else float("nan")

    @property
    def per_token_with_stop(self) -> float:
        """Nats per answer token, stop tokens included; not a number where there is none."""
        total = self.nats + sum(answer.stop_nats for answer in self.answers)
        count = self.tokens + len(self.answers)
        return total / count if count else float("nan")

    def among(self, ids: Collection[str]) -> Losses:
        """These conversations only, so that models are compared on the same ones."""
        return Losses(tuple(answer for answer in self.answers if answer.example in ids), self.left_out)


def on_the_same(measured: Sequence[Losses]) -> tuple[Losses, ...]:
    """Each one's losses on the conversations that all of them could measure."""
    if not measured:
        return ()
    shared = set.intersection(*({answer.example for answer in losses.answers} for losses in measured))
    return tuple(losses.among(shared) for losses in measured)


def joined(first: Losses, second: Losses) -> Losses:
    """The losses of two sets of conversations, in their order."""
    return Losses(first.answers + second.answers, first.left_out + second.left_out)


def _last_only(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns with nothing trained but the last answer."""
    earlier = tuple(replace(turn, trained=False) for turn in turns[:-1])
    return (*earlier, replace(turns[-1], trained=True))


def _encoded(network: Any, encoder: Encoder, examples: Sequence[Example]) -> tuple[list[Tokens], list[str]]:
    most = context_length(network)
    tokens, left_out = [], []
    for example in examples:
        try:
            item = encoder.encode(_last_only(example.conversation.turns), example.id)
        except TemplateError:
            left_out.append(example.id)
            continue
        if most is not None and len(item) > most:
            left_out.append(example.id)
        else:
            tokens.append(item)
    return tokens, left_out


def _without_prefix(network: Any, proof: Proof, tokens: list[Tokens]) -> tuple[KeyValues | None, list[Tokens]]:
    """What all conversations begin with (a system text), read once; and the conversations after it."""
    rows = [item.ids.tolist() for item in tokens]
    # The last token before what is measured stays, since it predicts the first of it.
    most = min((int(np.flatnonzero(item.weights)[0]) - 1 for item in tokens), default=0)
    length = shared_length(rows, most)
    long = max(map(len, rows), default=0) > alike_up_to(plain(network))
    if not proof.packed or length < WORTH or long:
        return None, tokens
    after = [Tokens(item.ids[length:], item.weights[length:], (), item.example) for item in tokens]
    return read_prefix(plain(network), rows[0][:length]), after


def reference_losses(
    network: Any,
    encoder: Encoder,
    proof: Proof,
    examples: Sequence[Example],
    progress: Callable[[int], None] | None = None,
) -> Losses:
    """The loss of each conversation's last answer given all that stands before it.

    Args:
        proof: how packs go through this network (`model.forward.prove`).
        progress: called with the number of conversations measured since the last call.
    """
    tokens, left_out = _encoded(network, encoder, examples)
    was_training = network.training
    network.eval()
    measured: dict[int, AnswerLoss] = {}
    try:
        with torch.inference_mode(), attending(network, proof):
            prefix, tokens = _without_prefix(network, proof, tokens)
            for row in best_fit([len(item) for item in tokens], ROW_TOKENS):
                pack = make_pack([tokens[place] for place in row])
                nats = pack_token_losses(network, pack, proof, prefix).float().cpu().numpy().astype(np.float64)
                ends = np.cumsum([int((tokens[place].weights[1:] > 0).sum()) for place in row])
                for place, part in zip(row, np.split(nats, ends[:-1]), strict=True):
                    # The stop token ends every trained turn, so it is the last of the weighted places.
                    name, count = tokens[place].example, len(part) - 1
                    measured[place] = AnswerLoss(name, float(part[:-1].sum()), count, float(part[-1]))
                if progress:
                    progress(len(row))
    finally:
        network.train(was_training)
    return Losses(tuple(measured[place] for place in range(len(tokens))), tuple(left_out))
