"""Losses drawn with characters: small pictures to the letter, and what holds for every picture."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.tuning.curve import MARKS, draw, smooth, ticks

SIDES = ("1237", "4568")
FALLING = [(1, 4.0), (2, 3.0), (3, 2.0), (4, 1.0)]
ASCII = """\
4 +***
  |   ***
3 +      **O**
  |           ***
2 +              *****
  |                   ***  O
1 +                      ***
  ++-------+-------+-------+
   1       2       3       4"""
BRAILLE = """\
4 ┤⠉⠒⠤⢄⡀
  │    ⠈⠉⠒⠢⢄⣀
3 ┤         ●⠉⠒⠢⠤⣀
  │               ⠉⠑⠢⠤⣀⡀
2 ┤                    ⠈⠉⠒⠒⠤⢄⣀
  │                           ●⠑⠢⠤⣀
1 ┤                                ⠉⠑⠒⠤⣀
  └┬────────┬────────┬────────┬────────┬
   1        2        3        4        5"""


def test_a_picture_in_ascii() -> None:
    assert draw(FALLING, [(2, 3.0), (4, 1.4)], 28, 9, ascii=True) == ASCII


def test_a_picture_in_braille() -> None:
    points = [(step, 4.75 - 0.75 * step) for step in range(1, 6)]
    assert draw(points, [(2, 3.0), (4, 1.4)], 40, 9) == BRAILLE


def test_the_dots_are_where_unicode_says() -> None:
    """A character's name lists its dots: 1, 2, 3 and 7 down its left side, 4, 5, 6 and 8 down its right."""
    lines = draw([(1, 10.0), (101, 0.0), (201, 5.0)], [], 60, 18).split("\n")[:-2]
    start = lines[0].index("┤") + 1
    dots = [
        (2 * column + side, 4 * row + SIDES[side].index(dot))
        for row, line in enumerate(lines)
        for column, char in enumerate(line[start:])
        if char != " "
        for dot in unicodedata.name(char).removeprefix("BRAILLE PATTERN DOTS-")
        for side in (0, 1)
        if dot in SIDES[side]
    ]
    across, down = 2 * (60 - start) - 1, 4 * 16 - 1
    for x, y in dots:
        loss = 10 - 20 * x / across if x <= across / 2 else 10 * x / across - 5
        assert abs(y - (10 - loss) / 10 * down) <= 1.5
    assert {x for x, _ in dots} == set(range(across + 1))


def test_nothing_to_draw() -> None:
    assert draw([], [], 80, 20) == draw([(1, math.nan)], [(2, math.inf)], 80, 20) == ""


@pytest.mark.parametrize("ascii", [False, True])
def test_losses_that_are_no_numbers_are_passed_over(ascii: bool) -> None:
    strange = [(5, math.nan), (6, math.inf), (7, -math.inf)]
    assert draw(FALLING + strange, strange, 60, 12, ascii) == draw(FALLING, [], 60, 12, ascii)


@pytest.mark.parametrize("ascii", [False, True])
def test_one_step_and_a_flat_line(ascii: bool) -> None:
    """The only step is on the axis, and no step that never was."""
    one = draw([(7, 2.0)], [], 40, 10, ascii).split("\n")
    assert one[-1].split() == ["7"]
    assert sum(len(line[5:].strip()) for line in one[:-2]) == 1
    flat = draw([(1, 2.0), (9, 2.0)], [], 40, 10, ascii).split("\n")
    assert [len(line) for line in flat[:-1] if len(line) > 20] == [40, 40]  # the line itself, and the axis


@pytest.mark.parametrize("ascii", [False, True])
@pytest.mark.parametrize("value", [1.0, 1.5, 2.0, 3.5])
def test_the_numbers_at_the_axis_are_true(ascii: bool, value: float) -> None:
    """A mark at a loss that has a number stands in the row of that number."""
    lines = draw([(1, 0.9), (10, 4.1)], [(5, value)], 60, 24, ascii).split("\n")
    row = next(line for line in lines if MARKS[ascii] in line)
    assert row.split()[0] == f"{value:.1f}"


@pytest.mark.parametrize(
    ("first", "last", "width"), [(111_019, 602_318, 45), (2_518_466, 3_512_240, 24), (22_864_306, 61_010_233, 25)]
)
def test_numbers_of_steps_do_not_run_into_each_other(first: int, last: int, width: int) -> None:
    drawn = draw([(first, 1.0), (last, 2.0)], [], width, 8)
    numbers = [int(number) for number in drawn.split("\n")[-1].split()]
    assert numbers and numbers == sorted(numbers) and first <= numbers[0] and numbers[-1] <= last


@given(
    st.lists(st.floats(-1e6, 1e6), max_size=300),
    st.lists(st.tuples(st.integers(1, 400), st.floats(-1e6, 1e6)), max_size=5),
    st.integers(0, 200),
    st.integers(0, 60),
    st.booleans(),
)
def test_every_picture_fits(
    losses: list[float], held: list[tuple[int, float]], width: int, height: int, ascii: bool
) -> None:
    drawn = draw(list(enumerate(losses, 1)), held, width, height, ascii)
    if not losses and not held:
        assert drawn == ""
        return
    lines = drawn.split("\n")
    assert len(lines) == max(height, 6) and max(map(len, lines)) <= max(width, 24)
    assert drawn.isascii() == ascii
    assert (MARKS[ascii] in drawn) == bool(held)


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0.9, 4.1, 4, [1, 2, 3, 4]),
        (0, 1, 4, [0, 0.5, 1]),
        (1, 250, 5, [50, 100, 150, 200, 250]),
        (2.01, 2.04, 2, [2.02, 2.04]),
    ],
)
def test_ticks_are_round_numbers_in_the_range(low: float, high: float, most: int, expected: list[float]) -> None:
    assert ticks(low, high, most)[0] == pytest.approx(expected)


def test_smoothing_is_the_mean_of_the_neighbours() -> None:
    points = [(1, 1.0), (2, 4.0), (3, 1.0), (4, 7.0)]
    assert smooth(points, 3) == [(1, 2.5), (2, 2.0), (3, 4.0), (4, 4.0)]
    assert smooth(points, 1) == points
    assert smooth([], 3) == []


def test_a_long_run_is_drawn_by_the_means_of_its_steps() -> None:
    """Losses that jump between 1 and 3 at each of 100,000 steps are a flat line at 2."""
    points = [(step, 1.0 + 2 * (step % 2)) for step in range(1, 100_001)]
    assert draw(points, [], 80, 20).count("\n") == 19
    rows = [
        line.split()[0]
        for line in draw([*points, (100_001, 2.0)], [(1, 1.0), (2, 3.0)], 80, 21, True).split("\n")
        if "****" in line
    ]
    assert rows == ["2.0"]
