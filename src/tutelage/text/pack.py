"""Which conversations make a step, and how those of a step share rows of tokens."""

from __future__ import annotations

import bisect
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.text.encode import Tokens


@dataclass(frozen=True, eq=False)
class Pack:
    """Whole examples side by side in one row of T tokens.

    Attributes:
        ids: (T,) token ids.
        targets: (T,) the id to predict at each place: the next token of the same example.
        weights: (T,) weight of that prediction; 0 at each example's last place, which predicts nothing.
        positions: (T,) place within the example, from 0.
        boundaries: offsets where examples begin, and T: n + 1 numbers.
        examples: ids of the n examples.
    """

    ids: NDArray[np.int64]
    targets: NDArray[np.int64]
    weights: NDArray[np.float32]
    positions: NDArray[np.int64]
    boundaries: tuple[int, ...]
    examples: tuple[str, ...]

    @property
    def trained(self) -> int:
        """Predictions with a weight above 0."""
        return int((self.weights > 0).sum())

    @property
    def weight(self) -> float:
        """Sum of the weights: what the summed loss is divided by."""
        return float(self.weights.sum(dtype=np.float64))

    def __len__(self) -> int:
        return len(self.ids)

    def apart(self) -> tuple[Pack, ...]:
        """Each example in a row of its own."""
        return tuple(
            Pack(
                self.ids[start:end],
                self.targets[start:end],
                self.weights[start:end],
                self.positions[start:end],
                (0, end - start),
                (name,),
            )
            for name, start, end in zip(self.examples, self.boundaries, self.boundaries[1:], strict=False)
        )


def make_pack(tokens: Sequence[Tokens]) -> Pack:
    """One row of whole examples; targets never cross from one example into the next."""
    ids = np.concatenate([item.ids for item in tokens]).astype(np.int64)
    targets, weights, positions = np.zeros_like(ids), np.zeros(len(ids), np.float32), np.zeros_like(ids)
    boundaries = [0]
    for item in tokens:
        start, end = boundaries[-1], boundaries[-1] + len(item.ids)
        targets[start : end - 1] = item.ids[1:]
        weights[start : end - 1] = item.weights[1:]
        positions[start:end] = np.arange(len(item.ids))
        boundaries.append(end)
    return Pack(ids, targets, weights, positions, tuple(boundaries), tuple(item.example for item in tokens))


def best_fit(lengths: Sequence[int], room: int) -> list[list[int]]:
    """Indices of `lengths` in rows of at most `room`: longest first, each into the fullest row that has space.

    A length above `room` gets a row of its own. Best-fit decreasing; see Ding et al. 2024 (arXiv:2404.10830)
    for its use in training. Equal inputs give equal rows.
    """
    rows: list[list[int]] = []
    space: list[tuple[int, int]] = []  # (room left, row), sorted
    for index in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        found = bisect.bisect_left(space, (lengths[index], -1))
        if found < len(space):
            left, row = space.pop(found)
        else:
            left, row = max(room, lengths[index]), len(rows)
            rows.append([])
        rows[row].append(index)
        bisect.insort(space, (left - lengths[index], row))
    return rows


def order(count: int, seed: int, epoch: int) -> list[int]:
    """The order of an epoch: a function of seed and epoch alone, the same on every machine."""
    digest = hashlib.sha256(f"{seed}/{epoch}".encode()).digest()
    places = list(range(count))
    random.Random(int.from_bytes(digest[:8], "big")).shuffle(places)
    return places


@dataclass(frozen=True)
class Plan:
    """Which examples make which optimizer step, known before the first one.

    Attributes:
        steps: for each step the indices of its examples.
        per_epoch: steps in one epoch.
    """

    steps: tuple[tuple[int, ...], ...]
    per_epoch: int

    def __len__(self) -> int:
        return len(self.steps)


def plan(count: int, batch_size: int, epochs: float, seed: int, max_steps: int = 0) -> Plan:
    """All steps of a run: each epoch is a new order, cut into batches; a short last batch is kept.

    Args:
        count: examples.
        batch_size: examples in one step.
        epochs: may be a fraction; at least one step is planned.
        max_steps: upper bound, 0 for none. A bound beyond `epochs` does not add steps.
    """
    per_epoch = -(-count // batch_size)
    total = max(1, round(per_epoch * epochs))
    total = min(total, max_steps) if max_steps else total
    steps: list[tuple[int, ...]] = []
    epoch = 0
    while len(steps) < total:
        places = order(count, seed, epoch)
        steps += [tuple(places[at : at + batch_size]) for at in range(0, count, batch_size)]
        epoch += 1
    return Plan(tuple(steps[:total]), per_epoch)


def packs_of(tokens: Sequence[Tokens], indices: Sequence[int], row_tokens: int) -> list[Pack]:
    """The rows of one step."""
    chosen = [tokens[index] for index in indices]
    rows = best_fit([len(item.ids) for item in chosen], row_tokens)
    return [make_pack([chosen[place] for place in sorted(row)]) for row in rows]
