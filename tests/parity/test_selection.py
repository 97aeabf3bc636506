"""Selection against slow obvious twins: losses and places one by one through the model's own forward, the greedy cover
over all distances, and the bounds that it promises."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

import tiny
from tutelage.model.forward import prove
from tutelage.records import Role, Turn
from tutelage.selection.cover import Cover, Points, apart, directions, farthest_first
from tutelage.selection.measuring import difficulties, mean_hidden
from tutelage.text.encode import Encoder, Tokens

FAMILIES = ("llama", "gemma3", "gemma2", "phi", "granite", "mamba", "lfm2", "gpt2")
"""Packed ones and such as go one by one: soft caps, a biased head, scaled logits, states, convolutions."""


def conversations(encoder: Encoder) -> list[Tokens]:
    """Questions with answers of many lengths; one of two exchanges, one with nothing in its answer."""
    made = []
    for place, (question, answer) in enumerate(zip(tiny.QUESTIONS, tiny.ANSWERS, strict=True)):
        turns = [Turn(Role.USER, question), Turn(Role.ASSISTANT, answer)]
        if place == 3:
            turns += [Turn(Role.USER, "Why?"), Turn(Role.ASSISTANT, "It has been so for long.")]
        if place == 5:
            turns[1] = Turn(Role.ASSISTANT, "")
        made.append(encoder.encode(turns, str(place)))
    return made


@torch.no_grad()
def one_loss(network: Any, ids: list[int], places: list[int]) -> float:
    """Summed loss of the tokens at some places, from the model's own logits of this text alone."""
    logits = network(input_ids=torch.tensor([ids])).logits[0].double()
    return sum(float(F.cross_entropy(logits[place - 1], torch.tensor(ids[place]))) for place in places)


def by_hand(network: Any, item: Tokens, bos: int, stop: int) -> tuple[float, float, int]:
    """With the question, without it, and the number of tokens; answers are found by their weights, not their spans."""
    ids, weights = item.ids.tolist(), item.weights.tolist()
    places = [place for place, weight in enumerate(weights) if weight and ids[place] != stop]
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    alone = 0.0
    for run in runs:
        text = [bos, *(ids[place] for place in run)]
        alone += one_loss(network, text, list(range(1, len(text))))
    return one_loss(network, ids, places), alone, len(places)


@pytest.mark.parametrize("name", FAMILIES)
def test_difficulty_is_that_of_each_conversation_alone(name: str) -> None:
    network, encoder = tiny.network(name), Encoder(tiny.tokenizer(), "plain")
    items = conversations(encoder)
    ours = difficulties(network, prove(network), items, 0)
    theirs = np.array([by_hand(network, item, 0, 1) for item in items])
    assert ours[5].tolist() == [0, 0, 0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    scored = theirs[:, 2] > 0
    np.testing.assert_allclose(ours[scored, 0] / ours[scored, 1], theirs[scored, 0] / theirs[scored, 1], rtol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_places_are_those_of_each_conversation_alone(name: str) -> None:
    network, encoder = tiny.network(name), Encoder(tiny.tokenizer(), "plain")
    items = conversations(encoder)
    ours = mean_hidden(network, prove(network), items, 0)
    with torch.no_grad():
        theirs = np.stack(
            [
                network(input_ids=torch.tensor(item.ids[None].astype(np.int64)), output_hidden_states=True)
                .hidden_states[-1][0, 1:]
                .mean(0)
                .numpy()
                for item in items
            ]
        )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert len(np.unique(ours.round(3), axis=0)) == len(items)


def distances(points: Points) -> NDArray[np.float64]:
    wide = points.astype(np.float64)
    made: NDArray[np.float64] = np.sqrt(((wide[:, None] - wide[None]) ** 2).sum(-1))
    return made


def cloud(count: int, seed: int, width: int = 3) -> Points:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_the_cover_is_that_over_all_distances(seed: int) -> None:
    points = directions(cloud(60, seed))
    table, slow, reach = distances(points), [0], [np.inf]
    while len(slow) < 20:
        nearest = [min(table[place, taken] for taken in slow) if place not in slow else -1 for place in range(60)]
        slow.append(int(np.argmax(nearest)))
        reach.append(max(nearest))
    cover = Cover(points)
    fast = [next(found) for found in [farthest_first(cover)] for _ in range(20)]
    assert [place for place, _ in fast] == slow
    np.testing.assert_allclose([far for _, far in fast], reach, rtol=1e-4)
    for place in set(range(60)) - set(slow):
        assert table[place, cover.by[place]] <= table[place, slow[:19]].min() + 1e-4


@pytest.mark.parametrize("seed", range(6))
def test_the_cover_reaches_at_most_twice_as_far_as_the_best(seed: int) -> None:
    points = cloud(11, seed, 2)
    table = distances(points)
    for count in (1, 2, 3, 4):
        best = min(table[:, list(chosen)].min(1).max() for chosen in combinations(range(11), count))
        chosen = [place for place, _ in farthest_first(Cover(points))][:count]
        assert table[:, chosen].min(1).max() <= 2 * best + 1e-5


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [2, 5, 17])
def test_half_of_the_covers_distance_is_always_found_often_enough(seed: int, count: int) -> None:
    points = cloud(80, seed)
    least = [far for _, far in farthest_first(Cover(points))][count - 1] / 2
    order = np.random.default_rng(seed + 100).permutation(80).tolist()
    table, slow = distances(points), list[int]()
    for place in order:
        if all(table[place, taken] >= least for taken in slow):
            slow.append(place)
    assert list(apart(Cover(points), order, least)) == slow
    assert len(slow) >= count


def test_directions_are_of_length_one_around_the_middle() -> None:
    points = directions(cloud(50, 1, 8) + 100)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-5)
    alike = directions(np.full((4, 8), 7, np.float32))
    assert np.abs(alike).max() == 0
