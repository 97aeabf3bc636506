"""A base model that scores conversations, loaded when it is first needed; what it once measured is kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tutelage.recipe import Recipe
from tutelage.records import Example
from tutelage.selection import kept
from tutelage.text.encode import Encoder, Tokens, encode_all

if TYPE_CHECKING:
    import torch

    from tutelage.model.forward import Proof
    from tutelage.model.load import Located

_FORM = 1
"""Goes up when the same base gives the same conversation other scores."""
CHUNK = 512
"""Conversations between two writes to the disk: a stopped selection goes on from there."""
Bars = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Opened:
    """The network in memory; `most` is the longest text in tokens that it reads."""

    network: Any
    proof: Proof
    most: int


class BaseScorer:
    """See `choosing.Scorer`. Scores are those of the conversation as tuning would see it: a longer one than
    `tuning.max_length` is shortened in the same way."""

    def __init__(self, recipe: Recipe, say: Callable[[str], None], bars: Bars = lambda what, done, of: None) -> None:
        self.recipe, self.say, self.bars = recipe, say, bars

    @cached_property
    def located(self) -> Located:
        """The base, found."""
        from tutelage.model.load import locate

        return locate(self.recipe.model.base, self.say)

    @cached_property
    def encoder(self) -> Encoder:
        """The base's tokenizer with the template that tuning would choose."""
        from tutelage.model.load import load_tokenizer

        template = self.recipe.model.template
        name = self.located.template if template == "auto" and self.located.template else template
        return Encoder(load_tokenizer(self.located), name)

    @cached_property
    def dtype(self) -> torch.dtype:
        """The number format that it computes in; sets the threads, with which that is measured."""
        from tutelage.model import machine

        machine.set_threads(self.recipe.model.threads)
        return machine.choose_precision(self.recipe.model.precision, machine.choose_device(self.recipe.model.device))

    @cached_property
    def _opened(self) -> Opened:
        from tutelage.model import machine
        from tutelage.model.forward import plain, prove
        from tutelage.model.load import load

        loaded = load(self.located, machine.choose_device(self.recipe.model.device), self.dtype, self.say)
        most = getattr(plain(loaded.network).config.get_text_config(), "max_position_embeddings", None)
        return Opened(loaded.network, prove(loaded.network), int(most) if most else self.recipe.tuning.max_length)

    @cached_property
    def folder(self) -> Path:
        """Where the scores of this base, template, tokenizer, number format and length are kept."""
        from tutelage.model.load import located_hash, tokenizer_hash
        from tutelage.model.machine import cache_folder

        tuning = self.recipe.tuning
        made_by = (
            _FORM,
            located_hash(self.located),
            self.encoder.template.jinja,
            tokenizer_hash(self.encoder.tokenizer),
        )
        name = repr((*made_by, str(self.dtype), tuning.max_length, tuning.too_long))
        return cache_folder() / "scores" / hashlib.sha256(name.encode()).hexdigest()[:32]

    def _lead(self) -> int:
        """What begins a text: the beginning of a sequence, else the end of the one before."""
        bos = self.encoder.bos
        return int(self.encoder.tokenizer.eos_token_id) if bos is None else bos

    def tokens(self, examples: Sequence[Example]) -> dict[str, Tokens]:
        """What tuning would see of each, by its id; those that it would drop are missing."""
        tuning = self.recipe.tuning
        encoded = encode_all(self.encoder, examples, tuning.max_length, tuning.too_long)
        return {item.example: item for item in encoded.tokens}

    def lengths(self, examples: Sequence[Example]) -> NDArray[np.int64]:
        """See `choosing.Scorer`."""
        items = self.tokens(examples)
        return np.array([len(items.get(example.id, ())) for example in examples], np.int64)

    def difficulty(self, examples: Sequence[Example]) -> NDArray[np.float64]:
        """See `choosing.Scorer`."""
        from tutelage.selection.measuring import difficulties

        given, alone, tokens = self._measured("ifd", examples, difficulties).T
        found: NDArray[np.float64] = np.full(len(examples), np.nan)
        np.divide(given, alone, out=found, where=(tokens > 0) & (alone > 0))
        return found

    def places(self, examples: Sequence[Example]) -> NDArray[np.float32]:
        """See `choosing.Scorer`."""
        from tutelage.selection.measuring import mean_hidden

        return self._measured("place", examples, mean_hidden)

    def _measured(self, kind: str, examples: Sequence[Example], measure: Callable[..., NDArray[Any]]) -> NDArray[Any]:
        """(n, width) numbers of each conversation, kept or measured now; not numbers where they cannot be."""
        known = kept.take(self.folder, kind)
        missing = [example for example in examples if _name(example) not in known]
        for start in range(0, len(missing), CHUNK):
            part = missing[start : start + CHUNK]

            def progress(share: float, done: int = start, more: int = len(part)) -> None:
                self.bars(f"measuring ({kind})", done + int(share * more), len(missing))

            items = {name: item for name, item in self._read(part).items() if len(item) <= self._opened.most}
            if items:
                rows = measure(self._opened.network, self._opened.proof, list(items.values()), self._lead(), progress)
                kept.put(self.folder, kind, list(items), rows)
                known |= zip(items, rows, strict=True)
        unknown = np.full_like(next(iter(known.values()), np.zeros(3)), np.nan)
        return np.stack([known.get(_name(example), unknown) for example in examples])

    def _read(self, examples: Sequence[Example]) -> dict[str, Tokens]:
        """The tokens of each that tuning would keep, by its content."""
        items = self.tokens(examples)
        return {_name(example): items[example.id] for example in examples if example.id in items}


def _name(example: Example) -> str:
    """What scores are kept under: an id may have a counter behind it."""
    return example.conversation.content_hash()
