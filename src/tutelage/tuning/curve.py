"""Losses drawn with characters over numbered axes: braille dots where they can be printed, plain ASCII elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean

Point = tuple[int, float]
"""A step and its loss."""
MARKS = {False: "●", True: "O"}
"""What stands for a loss of the hold-out, in braille and in ASCII drawings; it occurs nowhere else in one."""
NARROWEST, LOWEST = 24, 6
"""Characters in which a drawing still says something; a smaller one is asked for and this one is given."""


def smooth(points: Sequence[Point], window: int) -> list[Point]:
    """Each loss as the mean of the `window` losses around it, of fewer at the ends."""
    half = window // 2
    return [
        (step, fmean(value for _, value in points[max(0, place - half) : place + half + 1]))
        for place, (step, _) in enumerate(points)
    ]


def draw(points: Sequence[Point], held: Sequence[Point], width: int, height: int, ascii: bool = False) -> str:
    """The training loss as a line, the hold-out's as single marks.

    Args:
        points, held: in the order of their steps. Losses that are no finite numbers are passed over.
        width, height: of the drawing with its axes, in characters.
        ascii: use nothing but ASCII.

    Returns:
        `height` lines of at most `width` characters; "" where there is nothing to draw.
    """
    line, marks = _finite(points), _finite(held)
    if not line and not marks:
        return ""
    width, rows = max(width, NARROWEST), max(height, LOWEST) - 2
    steps = [step for step, _ in line + marks]
    first, done = min(steps), max(steps)
    last = max(done, first + 1)
    low, high = _room([value for _, value in line + marks])
    levels, unit = ticks(low, high, max(4, rows // 2))
    labels = [_label(level, unit) for level in levels]
    margin = max(map(len, labels)) + 1
    columns = width - margin - 1
    wide, tall = (1, 1) if ascii else (2, 4)  # dots in a character

    def place(point: Point) -> tuple[int, int]:
        x = (point[0] - first) / (last - first) * (columns * wide - 1)
        return round(x), round((high - point[1]) / (high - low) * (rows * tall - 1))

    cells = _cells(_dots([place(point) for point in _thinned(line, columns * wide)]), ascii)
    for x, y in map(place, marks):
        cells[y // tall, x // wide] = MARKS[ascii]
    named = {place((first, level))[1] // tall: label for level, label in zip(levels, labels, strict=True)}
    drawn = []
    for row in range(rows):
        axis = ("+" if ascii else "┤") if row in named else ("|" if ascii else "│")
        inside = "".join(cells.get((row, column), " ") for column in range(columns))
        drawn.append(f"{named.get(row, ''):>{margin - 1}} {axis}{inside}".rstrip())
    numbers = {place((step, low))[0] // wide: str(step) for step in _whole_ticks(first, done, columns // 8)}
    return "\n".join([*drawn, *_floor(numbers, margin, columns, ascii)])


def ticks(low: float, high: float, most: int) -> tuple[list[float], float]:
    """At most about `most` round numbers from `low` to `high`, and the distance between them (1, 2 or 5 × 10ⁿ)."""
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    unit = next(times * power for times in (1, 2, 5, 10) if times * power >= least * (1 - 1e-9))
    return [n * unit for n in range(math.ceil(low / unit - 1e-9), math.floor(high / unit + 1e-9) + 1)], unit


def _whole_ticks(first: int, last: int, most: int) -> list[int]:
    if last - first <= max(1, most):
        return list(range(first, last + 1))
    return [round(tick) for tick in ticks(first, last, max(1, most))[0]]


def _label(level: float, unit: float) -> str:
    """With as many decimals as neighbours `unit` apart differ in."""
    exponent = math.floor(math.log10(unit) + 1e-9)
    return f"{level:.{max(0, -exponent)}f}" if -6 < exponent < 7 else f"{level:.2e}"


def _finite(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if math.isfinite(point[1])]


def _room(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest value, with some room around a flat line."""
    low, high = min(values), max(values)
    if high - low > 1e-9 * max(abs(low), abs(high), 1e-9):
        return low, high
    room = abs(low) / 10 or 1.0
    return low - room, high + room


def _thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most `most` points, each the mean of its neighbours: what lies closer than a dot cannot be seen."""
    size = math.ceil(len(points) / most)
    groups = [points[start : start + size] for start in range(0, len(points), size)] if size > 1 else []
    means = [(round(fmean(step for step, _ in group)), fmean(value for _, value in group)) for group in groups]
    return means or list(points)


def _dots(places: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Every dot on the straight lines from each place to the next."""
    yield from places[:1]
    for (x, y), (to_x, to_y) in pairwise(places):
        count = max(abs(to_x - x), abs(to_y - y), 1)
        for part in range(1, count + 1):
            yield round(x + (to_x - x) * part / count), round(y + (to_y - y) * part / count)


def _cells(dots: Iterator[tuple[int, int]], ascii: bool) -> dict[tuple[int, int], str]:
    """The character of each (row, column) in which there is a dot."""
    if ascii:
        return {(y, x): "*" for x, y in dots}
    bits: dict[tuple[int, int], int] = {}
    for x, y in dots:
        # Unicode numbers the dots down the left column, down the right one, and the lowest two last.
        bit = (1 << (y % 4 + 3 * (x % 2))) if y % 4 < 3 else (0x40 << (x % 2))
        bits[y // 4, x // 2] = bits.get((y // 4, x // 2), 0) | bit
    return {cell: chr(0x2800 + found) for cell, found in bits.items()}


def _floor(numbers: dict[int, str], margin: int, columns: int, ascii: bool) -> tuple[str, str]:
    """The lower axis and the numbers under it; one that would touch its neighbour is left out."""
    corner, flat, tick = ("+", "-", "+") if ascii else ("└", "─", "┬")
    axis, under = [flat] * columns, ""
    for column, text in numbers.items():
        start = min(max(0, margin + 1 + column - len(text) // 2), margin + 1 + columns - len(text))
        if not under or start > len(under):
            axis[column] = tick
            under = under.ljust(start) + text
    return " " * margin + corner + "".join(axis), under
