"""Points that lie far from each other: the greedy cover, and a walk that takes only what is far enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]


def directions(places: Points) -> Points:
    """(n, d) unit vectors from the mean of all places to each; a place at the mean itself becomes 0.

    A language model's hidden states lie in a narrow cone (Mu and Viswanath 2018, "All-but-the-Top"): from its middle
    they point apart, from 0 all one way.
    """
    if not len(places):
        return places
    made: Points = places - places.mean(0, dtype=np.float64).astype(np.float32)
    lengths = np.linalg.norm(made, axis=1, keepdims=True)
    made /= np.where(lengths > 1e-6 * max(float(lengths.max(initial=0)), 1e-30), lengths, np.inf)
    return made


class Cover:
    """Points of which some are taken.

    Attributes:
        points: (n, d).
        far: (n,) distance of each point to the nearest one taken; infinite before the first, -1 for those taken.
        by: (n,) which one that is; -1 before the first.
    """

    def __init__(self, points: Points) -> None:
        self.points = points
        self.far = np.full(len(points), np.inf, np.float32)
        self.by = np.full(len(points), -1, np.int64)
        self._squares = np.einsum("nd,nd->n", points, points)

    def take(self, place: int) -> None:
        """Take a point: one product of (n, d) with (d,)."""
        squares = self._squares + self._squares[place] - 2 * (self.points @ self.points[place])
        distance = np.sqrt(np.maximum(squares, 0))
        nearer = distance < self.far
        self.far[nearer] = distance[nearer]
        self.by[nearer] = place
        self.far[place] = -1


def farthest_first(cover: Cover) -> Iterator[tuple[int, float]]:
    """The first point, then again and again the one farthest from all before, with that distance.

    Each is taken when the next is asked for: who stops before that has not taken the last.
    Stopped after k points, every point lies within twice the distance of any k points that could have been chosen
    (Gonzalez 1985, "Clustering to minimize the maximum intercluster distance"), and no better factor can be had in
    polynomial time; Sener and Savarese 2018 (arXiv:1708.00489) choose training data by it. Of points equally far the
    first is taken.
    """
    for number in range(len(cover.points)):
        place = int(cover.far.argmax()) if number else 0
        yield place, float(cover.far[place])
        cover.take(place)


def apart(cover: Cover, order: Iterable[int], least: float) -> Iterator[int]:
    """Those of an order that are at least so far from every one before; each is taken when the next is asked for."""
    for place in order:
        if cover.far[place] >= least:
            yield place
            cover.take(place)
