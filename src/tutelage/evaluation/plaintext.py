"""Forgetting: how well a model still expects plain text of many kinds, by the packed loss and without a template.

The texts were written for this project, so no model has met them. A loss per token depends on how the tokenizer cuts;
the loss per byte does not, so models with different tokenizers can be compared by it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tutelage.evaluation.answers import context_length
from tutelage.evaluation.losses import ROW_TOKENS
from tutelage.model.forward import Proof, attending, pack_token_losses
from tutelage.text.encode import Encoder, Tokens
from tutelage.text.pack import best_fit, make_pack

FILE = Path(__file__).with_name("plaintext.jsonl")


@dataclass(frozen=True, slots=True)
class PlainText:
    """A text, its kind ("letter", "code", "german") and its language, natural or not."""

    id: str
    kind: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class TextLoss:
    """One text.

    Attributes:
        nats: summed loss of its tokens; the first one is not among them where the model expects no BOS before it.
        tokens, bytes: how many were predicted; bytes of UTF-8.
    """

    id: str
    kind: str
    nats: float
    tokens: int
    bytes: int


@dataclass(frozen=True)
class Perplexity:
    """What a model makes of several texts.

    Attributes:
        texts: in their order.
    """

    texts: tuple[TextLoss, ...]

    @property
    def nats(self) -> float:
        """Summed loss."""
        return math.fsum(one.nats for one in self.texts)

    @property
    def tokens(self) -> int:
        """Predicted tokens."""
        return sum(one.tokens for one in self.texts)

    @property
    def bytes(self) -> int:
        """Predicted bytes."""
        return sum(one.bytes for one in self.texts)

    @property
    def per_token(self) -> float:
        """exp(nats / tokens): how many tokens the model wavers between; not a number without texts."""
        return _power(self.nats, self.tokens)

    @property
    def per_byte(self) -> float:
        """exp(nats / bytes): the same for bytes, whatever the tokenizer; not a number without texts."""
        return _power(self.nats, self.bytes)

    @property
    def bits_per_byte(self) -> float:
        """nats / bytes / ln 2; not a number without texts."""
        return self.nats / self.bytes / math.log(2) if self.bytes else math.nan

    def of(self, kind: str) -> Perplexity:
        """Of the texts of one kind."""
        return Perplexity(tuple(one for one in self.texts if one.kind == kind))

    def to_json(self) -> dict[str, Any]:
        """As a JSON object; the sums are there for a reader, `from_json` makes them again."""
        names = ("per_token", "per_byte", "bits_per_byte")
        sums = {name: value if math.isfinite(value := getattr(self, name)) else None for name in names}
        return sums | {"texts": [asdict(one) for one in self.texts]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Perplexity:
        """What `to_json` made."""
        return cls(tuple(TextLoss(**row) for row in content["texts"]))


def _power(nats: float, count: int) -> float:
    if not count:
        return math.nan
    mean = nats / count
    return math.exp(mean) if mean < 700 else math.inf


@lru_cache(1)
def plain_texts() -> tuple[PlainText, ...]:
    """The texts that come with Tutelage, under its licence."""
    return tuple(PlainText(**json.loads(line)) for line in FILE.read_text(encoding="utf-8").splitlines() if line)


def windows(ids: Sequence[int], first: int, most: int | None) -> list[Tokens]:
    """A text in parts that a model can read, every predicted token in exactly one of them.

    Each part has as much of the text before it as fits, and at least one token; so the last one is full too, as in
    lm-evaluation-harness.

    Args:
        ids: the whole text, what is not predicted at its beginning included.
        first: where the predicted part begins, at least 1.
        most: tokens that the model reads, None: any number.
    """
    size, made, done = max(2, most or len(ids)), [], first
    while done < len(ids):
        end = min(len(ids), done - 1 + size)
        start = max(0, end - size)
        weights = np.zeros(end - start, np.float32)
        weights[done - start :] = 1.0
        made.append(Tokens(np.asarray(ids[start:end], np.int32), weights, (), ""))
        done = end
    return made


def text_losses(
    network: Any,
    encoder: Encoder,
    proof: Proof,
    texts: Iterable[PlainText] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Perplexity:
    """The loss of each text, without a template, after the BOS where the model expects one.

    Texts that are longer than the model reads are cut; see `windows`.

    Args:
        proof: how packs go through this network (`model.forward.prove`).
        texts: None: `plain_texts()`.
        progress: called with the number of parts measured since the last call.
    """
    chosen = tuple(plain_texts() if texts is None else texts)
    encoded = [encoder.plain(text.text) for text in chosen]
    parts = [(place, part) for place, ids in enumerate(encoded) for part in windows(ids, 1, context_length(network))]
    nats = [0.0] * len(chosen)
    for (place, _), losses in zip(
        parts, part_losses(network, proof, [part for _, part in parts], progress), strict=True
    ):
        nats[place] += float(losses.sum())
    return Perplexity(
        tuple(
            TextLoss(text.id, text.kind, total, max(0, len(ids) - 1), _bytes(text.text, ids, encoder))
            for text, ids, total in zip(chosen, encoded, nats, strict=True)
        )
    )


def _bytes(text: str, ids: Sequence[int], encoder: Encoder) -> int:
    """Bytes that are predicted: all of them after a BOS, else all but those of the first token."""
    whole = len(text.encode())
    return whole if encoder.bos is not None else whole - len(encoder.text(ids[:1]).encode())


def part_losses(
    network: Any, proof: Proof, parts: Sequence[Tokens], progress: Callable[[int], None] | None = None
) -> list[NDArray[np.float64]]:
    """(predicted,) losses in nats of each part, in their order; several share a row where the model is packed."""
    found: dict[int, NDArray[np.float64]] = {}
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode(), attending(network, proof):
            for row in best_fit([len(part) for part in parts], ROW_TOKENS):
                pack = make_pack([parts[place] for place in row])
                nats = pack_token_losses(network, pack, proof).float().cpu().numpy().astype(np.float64)
                ends = np.cumsum([int((parts[place].weights[1:] > 0).sum()) for place in row])
                found |= dict(zip(row, np.split(nats, ends[:-1]), strict=True))
                if progress:
                    progress(len(row))
    finally:
        network.train(was_training)
    return [found[place] for place in range(len(parts))]
