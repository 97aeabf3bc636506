"""Packing loses, splits and repeats nothing; the plan of a run is a function of its settings alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.text.encode import Tokens
from tutelage.text.pack import best_fit, make_pack, order, packs_of, plan

ORDERS = {
    (0, 0): [4, 7, 3, 0, 1, 6, 11, 10, 9, 5, 8, 2],
    (0, 1): [11, 1, 10, 8, 0, 2, 3, 7, 4, 6, 9, 5],
    (7, 0): [1, 4, 11, 7, 9, 8, 0, 10, 5, 6, 3, 2],
}
"""By seed and epoch, written down once: a run that is resumed elsewhere goes on with the same data."""

lengths_of = st.lists(st.integers(1, 60), max_size=60)


def tokens_of(lengths: list[int]) -> list[Tokens]:
    """Examples of these lengths, every id and weight different from every other."""
    made, start = [], 1
    for number, length in enumerate(lengths):
        ids = np.arange(start, start + length, dtype=np.int32)
        made.append(Tokens(ids, ids.astype(np.float32) / 1000, ((1, length),), f"example {number}"))
        start += length
    return made


@settings(max_examples=200, deadline=None, derandomize=True)
@given(lengths_of, st.integers(1, 80))
def test_best_fit_keeps_every_item_and_never_exceeds_the_room(lengths: list[int], room: int) -> None:
    rows = best_fit(lengths, room)
    assert sorted(place for row in rows for place in row) == list(range(len(lengths)))
    assert all(sum(lengths[place] for place in row) <= room or len(row) == 1 for row in rows)
    assert rows == best_fit(lengths, room)


def naive_best_fit(lengths: list[int], room: int) -> list[list[int]]:
    """Best-fit decreasing with plain loops; among equally full rows the first."""
    rows: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        left = [room - sum(lengths[other] for other in row) for row in rows]
        fitting = [number for number, space in enumerate(left) if space >= lengths[place]]
        if fitting:
            rows[min(fitting, key=lambda number: (left[number], number))].append(place)
        else:
            rows.append([place])
    return rows


@settings(max_examples=200, deadline=None, derandomize=True)
@given(lengths_of, st.integers(1, 80))
def test_best_fit_is_best_fit_decreasing(lengths: list[int], room: int) -> None:
    assert best_fit(lengths, room) == naive_best_fit(lengths, room)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(lengths_of, st.integers(1, 80))
def test_packs_hold_every_example_whole_and_apart(lengths: list[int], room: int) -> None:
    tokens = tokens_of(lengths)
    packs = packs_of(tokens, range(len(tokens)), room)
    by_name = {item.example: item for item in tokens}
    assert Counter(name for pack in packs for name in pack.examples) == Counter(by_name.keys())
    for pack in packs:
        assert (pack.boundaries[0], pack.boundaries[-1]) == (0, len(pack))
        assert len(pack) <= room or len(pack.examples) == 1
        for name, start, end in zip(pack.examples, pack.boundaries[:-1], pack.boundaries[1:], strict=True):
            item = by_name[name]
            assert pack.ids[start:end].tolist() == item.ids.tolist()
            assert pack.positions[start:end].tolist() == list(range(len(item)))
            assert pack.targets[start:end].tolist() == [*item.ids[1:].tolist(), 0]
            assert pack.weights[start:end].tolist() == [*item.weights[1:].tolist(), 0.0]


def test_a_pack_counts_what_is_trained() -> None:
    weights = np.asarray([1.0, 0.0, 0.25, 1.0], np.float32)
    pack = make_pack([Tokens(np.arange(4, dtype=np.int32), weights, ((3, 4),), name) for name in "ab"])
    assert (pack.trained, pack.weight, len(pack)) == (4, 2.5, 8)
    assert pack.boundaries == (0, 4, 8)
    assert (pack.ids.dtype, pack.targets.dtype, pack.positions.dtype) == (np.int64, np.int64, np.int64)


def test_the_order_is_the_same_on_every_machine() -> None:
    assert order(12, seed=0, epoch=0) == ORDERS[0, 0]
    assert order(12, seed=0, epoch=1) == ORDERS[0, 1]
    assert order(12, seed=7, epoch=0) == ORDERS[7, 0]
    assert order(0, 0, 0) == []


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(1, 50), st.integers(1, 20), st.floats(0.01, 4), st.integers(0, 99), st.integers(0, 30))
def test_a_plan_is_whole_epochs_cut_into_batches(count: int, batch: int, epochs: float, seed: int, most: int) -> None:
    made = plan(count, batch, epochs, seed, most)
    per_epoch = -(-count // batch)
    wanted = max(1, round(per_epoch * epochs))
    assert (made.per_epoch, len(made)) == (per_epoch, min(wanted, most) if most else wanted)
    for epoch in range(-(-len(made) // per_epoch)):
        steps = made.steps[epoch * per_epoch : (epoch + 1) * per_epoch]
        assert [place for step in steps for place in step] == order(count, seed, epoch)[: sum(map(len, steps))]
        assert {len(step) for step in steps[:-1]} <= {batch}


def test_a_fraction_of_an_epoch_is_a_fraction_of_its_steps() -> None:
    assert [len(plan(100, 10, epochs, 0)) for epochs in (0.001, 0.5, 1, 1.5, 3)] == [1, 5, 10, 15, 30]
    assert plan(100, 10, 3, 0, max_steps=4).steps == plan(100, 10, 3, 0).steps[:4]
    assert len(plan(100, 10, 1, 0, max_steps=99)) == 10
