"""Keys and values of texts that are read or written side by side: each text has a slot of its own length."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

GROWTH = 128
"""Places added to every slot when the longest text fills its own."""


def shared_length(rows: Sequence[Sequence[int]], most: int) -> int:
    """Tokens with which all rows begin, at most `most`."""
    if len(rows) < 2:
        return 0
    first, last = min(map(list, rows)), max(map(list, rows))
    length = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return max(0, min(length, most))


class KeyValues:
    """What attention layers have seen, kept in place: nothing is padded, moved or copied when a token comes.

    Attributes:
        lengths: tokens of each slot's text; slots in use are the first ones.
        prefix: holds one text, with which all texts of the row in hand begin and which is not in the row.
    """

    def __init__(self, slots: int, prefix: KeyValues | None = None) -> None:
        self.slots, self.prefix = slots, prefix
        self.lengths: list[int] = []
        self._filling: list[tuple[int, int]] = []  # slot and place where each text of the row in hand goes
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}
        self._room = 0
        self._places = torch.zeros(0)
        self._ends = torch.zeros(0)

    def admit(self, lengths: Sequence[int], prefix: KeyValues | None = None) -> None:
        """The next row through the network holds new texts of these lengths, one for each of the next slots."""
        self.prefix = prefix
        self._filling = [(len(self.lengths) + number, self.offset) for number in range(len(lengths))]
        self.lengths += [length + self.offset for length in lengths]
        self._make_room(max(self.lengths) + 1)

    def extend(self, counts: Sequence[int]) -> list[int]:
        """The next row holds so many further tokens of each text in use; returns where each of them begins."""
        starts, self.prefix = self.lengths, None
        self._filling = list(enumerate(starts))
        self.lengths = [start + count for start, count in zip(starts, counts, strict=True)]
        self._make_room(max(self.lengths) + 1)
        return starts

    def shorten(self, lengths: Sequence[int]) -> None:
        """What stands beyond these lengths is forgotten."""
        self.lengths = list(lengths)

    def _make_room(self, longest: int) -> None:
        self._room = max(self._room, -(-longest // GROWTH) * GROWTH)

    @property
    def offset(self) -> int:
        """Tokens of the prefix."""
        return self.prefix.lengths[0] if self.prefix else 0

    def before(self, layer: int, number: int) -> tuple[Tensor, Tensor] | None:
        """Keys and values (1, key heads, P, d) of what stands before a text of the row in hand, None for nothing."""
        store, slot, end = (self.prefix, 0, self.offset) if self.prefix else (self, *self._place(number))
        if not end:
            return None
        keys, values = store._layers[layer]
        return keys[slot : slot + 1, :, :end], values[slot : slot + 1, :, :end]

    def _place(self, number: int) -> tuple[int, int]:
        return self._filling[number] if self._filling else (0, 0)

    def advance(self, device: torch.device) -> Tensor:
        """The next row holds one token for each text in use; returns their positions (n, 1)."""
        positions = torch.tensor(self.lengths, device=device)
        self._filling = []
        self.lengths = [length + 1 for length in self.lengths]
        longest = max(self.lengths)
        self._make_room(longest)
        self._ends = positions
        self._places = torch.arange(longest, device=device)
        return positions[:, None]

    def leave(self, slots: Sequence[int]) -> list[int]:
        """Texts that are done give up their slots; returns the old slot of each text that stays, in its new order."""
        left = sorted(set(range(len(self.lengths))) - set(slots))
        kept = len(left)
        # Those at the end move into the gaps; the others stay where they are.
        gaps = [slot for slot in slots if slot < kept]
        movers = [slot for slot in left if slot >= kept]
        order = list(range(kept))
        for gap, mover in zip(sorted(gaps), movers, strict=True):
            order[gap] = mover
            for keys, values in self._layers.values():
                keys[gap, :, : self.lengths[mover]] = keys[mover, :, : self.lengths[mover]]
                values[gap, :, : self.lengths[mover]] = values[mover, :, : self.lengths[mover]]
        self.lengths = [self.lengths[slot] for slot in order]
        return order

    def keep(self, layer: int, key: Tensor, value: Tensor, boundaries: tuple[int, ...]) -> None:
        """Keys and values (1, heads, T, d) of the admitted texts, which stand one after the other."""
        if not self._filling:
            return
        shared = self.before(layer, 0) if self.prefix else None
        for place, (store, part) in enumerate(zip(self._of(layer, key, value), (key, value), strict=True)):
            for (slot, at), (start, end) in zip(self._filling, pairwise(boundaries), strict=True):
                store[slot, :, at : at + end - start] = part[0, :, start:end]
                if shared is not None:
                    store[slot, :, :at] = shared[place][0]

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float | None, window: int | None
    ) -> Tensor:
        """One new token of each text looks back over its own text; (n, 1, heads, d).

        Args:
            query: (n, heads, 1, d); key, value: (n, key heads, 1, d).
            window: a token sees itself and the `window - 1` before it; None: all.
        """
        count, heads, _, width = query.shape
        keys, values = self._of(layer, key, value)
        slots = torch.arange(count, device=query.device)
        keys[slots, :, self._ends] = key[:, :, 0]
        values[slots, :, self._ends] = value[:, :, 0]
        longest = len(self._places)
        seen = self._places <= self._ends[:, None]
        if window is not None:
            seen = seen & (self._places > self._ends[:, None] - window)
        # The heads that share keys are asked as a text of several tokens is: nothing has to be repeated.
        shared = query.view(count, key.shape[1], heads // key.shape[1], width)
        made = F.scaled_dot_product_attention(
            shared,
            keys[:count, :, :longest],
            values[:count, :, :longest],
            attn_mask=seen[:, None, None, :],
            scale=scaling,
        )
        return made.reshape(count, 1, heads, width)

    def _of(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """A layer's two stores (slots, key heads, room, d), made or enlarged where needed."""
        found = self._layers.get(layer)
        if found is None or found[0].shape[2] < self._room:
            grown = tuple(
                torch.zeros(self.slots, part.shape[1], self._room, part.shape[3], dtype=part.dtype, device=part.device)
                for part in (key, value)
            )
            for old, new in zip(found or (), grown, strict=False):
                new[:, :, : old.shape[2]] = old
            found = self._layers[layer] = (grown[0], grown[1])
        return found
