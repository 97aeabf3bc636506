"""Pictures of a report: loss curves and forest plots by matplotlib, as SVG that a page may hold and may colour.

Each picture is drawn twice, wide and narrow, so that its letters can be read on a phone; the page shows one of them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tutelage.evaluation.intervals import Interval
from tutelage.evaluation.reporting.content import Bar, Curves, Forest, shown
from tutelage.evaluation.reporting.vector import COLOURS, vector
from tutelage.pages import cut, readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE, NARROW = 720, 350
"""Widths in pixels, at which letters have their full size."""
LETTERS = 12
"""Height of letters in pixels."""
LINE = 26
"""Height of a line of a forest plot."""
POINTS = 400
"""Steps that are drawn; more cannot be told apart, so each is the mean of its neighbours."""
LABEL = {WIDE: 34, NARROW: 17}
"""Characters of a label; the table beside the picture has all of it."""
SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tutelage",
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "font.size": LETTERS,
    "font.family": "DejaVu Sans",
    "path.simplify": True,
}

Point = tuple[int, float]


def picture(part: Forest | Curves) -> tuple[str, str]:
    """A picture as two SVG elements, the wide one and the narrow one; "" twice where there is nothing to draw.

    The same values give the same bytes. What people wrote stands in them as text.
    """
    if isinstance(part, Forest):
        return _both(part.key, part.about, lambda width: _forest(part, width)) if part.bars else ("", "")
    if len(part.training) + len(part.held_out) < 2:
        return "", ""
    return _both(part.key, part.about, lambda width: _curves(part, width))


def _both(key: str, about: str, drawn: Callable[[int], Figure]) -> tuple[str, str]:
    with _drawing():
        made = [vector(drawn(width), f"{key}-{width}", about) for width in (WIDE, NARROW)]
    return made[0], made[1]


@contextmanager
def _drawing() -> Iterator[None]:
    """Our settings, whatever the user's are; a letter that the measuring font lacks is no reason to complain."""
    import matplotlib

    with warnings.catch_warnings(), matplotlib.rc_context(SETTINGS):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def _figure(width: int, height: int) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width / 72, height / 72), dpi=72)


def _bare(axes: Axes) -> None:
    """Nothing but a thin grid behind what is drawn."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, labelcolor=COLOURS["soft"], pad=6)
    axes.set_axisbelow(True)
    axes.patch.set_visible(False)


def _forest(part: Forest, width: int) -> Figure:
    from matplotlib.lines import Line2D

    sided = any(part.sides)
    top, bottom = (22 if sided else 6), 46
    height = top + bottom + LINE * len(part.bars)
    labels = [cut(readable(bar.label).replace("\n", " "), LABEL[width]) for bar in part.bars]
    margin = min(0.5, (max(map(len, labels)) * 6.6 + 14) / width)
    figure = _figure(width, height)
    axes = figure.add_axes((margin, bottom / height, 1 - margin - 26 / width, 1 - (top + bottom) / height))
    _bare(axes)
    low, high = part.bounds or _range(part)
    axes.set_xlim(low, high)
    axes.set_ylim(len(part.bars) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), labels)
    ticks = _ticks(low, high, 7 if width == WIDE else 4)
    axes.set_xticks(ticks, [shown(tick, part.form) for tick in ticks])
    axes.grid(axis="x", color=COLOURS["line"], linewidth=1)
    if part.neutral is not None:
        axes.axvline(part.neutral, color=COLOURS["soft"], linewidth=1.4)
        _sides(axes, part, (low, high), top)
    for place, bar in enumerate(part.bars):
        colour = COLOURS[{"ours": "ours", "better": "ours", "worse": "worse", "aside": "soft"}.get(bar.mark, "ink")]
        ends = [min(max(end, low), high) for end in (bar.interval.low, bar.interval.high)]
        if math.isfinite(bar.interval.low):
            axes.add_line(Line2D(ends, [place, place], color=colour, linewidth=2.4, clip_on=False))
        if math.isfinite(bar.interval.value):
            style = {"marker": "D" if bar.mark == "aside" else "o", "markersize": 8, "markeredgewidth": 2}
            axes.plot([bar.interval.value], [place], color=colour, clip_on=False, **style)  # type: ignore[arg-type]
    axes.set_xlabel(part.axis, color=COLOURS["soft"], labelpad=6)
    return figure


def _sides(axes: Axes, part: Forest, ends: tuple[float, float], top: int) -> None:
    """What it means to lie left and right of the neutral line, where there is room to say it."""
    neutral = part.neutral or 0.0
    for text, at, edge in ((f"← {part.sides[0]}", "right", ends[0]), (f"{part.sides[1]} →", "left", ends[1])):
        if abs(edge - neutral) > 0.22 * (ends[1] - ends[0]) and len(text) > 2:
            shift = -6 if at == "right" else 6
            axes.annotate(
                text,
                (neutral, -0.5),
                (shift, top - 16),
                textcoords="offset points",
                ha=at,
                va="baseline",
                color=COLOURS["soft"],
                annotation_clip=False,
            )


def _range(part: Forest) -> tuple[float, float]:
    """From the lowest to the highest end, the neutral value in it, with a little room."""
    values = [end for bar in part.bars for end in _ends(bar.interval)]
    values += [] if part.neutral is None else [part.neutral]
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.06 * (high - low) or max(abs(low), 0.5) / 10
    return low - room, high + room


def _ends(one: Interval) -> list[float]:
    return [end for end in (one.value, one.low, one.high) if math.isfinite(end)]


def _ticks(low: float, high: float, most: int) -> list[float]:
    from tutelage.tuning.curve import ticks

    return ticks(low, high, most)[0]


def _curves(part: Curves, width: int) -> Figure:
    from matplotlib.ticker import MaxNLocator

    height = 330 if width == WIDE else 300
    figure = _figure(width, height)
    left, right, low = 46 / width, 1 - 14 / width, 44 / height
    rates = [(step, value) for step, value in part.rates if math.isfinite(value)]
    share = 0.17 if rates else 0.0
    floor = low + (share + 0.08 if rates else 0.0)
    axes = figure.add_axes((left, floor, right - left, 1 - floor - 26 / height))
    _bare(axes)
    axes.grid(axis="y", color=COLOURS["line"], linewidth=1)
    training = _finite(part.training)
    held = _finite(part.held_out)
    axes.plot(*_columns(thinned(training)), color=COLOURS["soft"], linewidth=0.9, clip_on=False)
    axes.plot(*_columns(thinned(smooth(training))), color=COLOURS["ink"], linewidth=2, clip_on=False)
    style = {"marker": "o", "markersize": 6.5, "linewidth": 2.2}
    axes.plot(*_columns(held), color=COLOURS["ours"], clip_on=False, **style)  # type: ignore[arg-type]
    steps = [step for step, _ in (*training, *held, *rates)]
    ends = (min(steps), max(max(steps), min(steps) + 1))
    axes.set_xlim(*ends)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_locator(MaxNLocator(8 if width == WIDE else 4, integer=True))
    last = axes
    if rates:
        axes.tick_params(labelbottom=False)
        last = figure.add_axes((left, low, right - left, share))
        _bare(last)
        last.plot(*_columns(thinned(rates)), color=COLOURS["other"], linewidth=1.6, clip_on=False)
        top = max(value for _, value in rates) or 1.0
        last.set_xlim(*ends)
        last.set_ylim(0, top * 1.05)
        last.set_yticks([0, top], ["0", f"{top:.0e}".replace("e-0", "e-")])
        last.grid(axis="y", color=COLOURS["line"], linewidth=1)
        last.xaxis.set_major_locator(MaxNLocator(8 if width == WIDE else 4, integer=True))
    last.set_xlabel("step", color=COLOURS["soft"], labelpad=4)
    _legend(figure, held, bool(rates), width, height)
    return figure


def _legend(figure: Figure, held: Sequence[Point], rates: bool, width: int, height: int) -> None:
    """The names of the lines in their colours, in a row over the drawing."""
    names = (
        [("training", "ink")]
        + ([("● held-out", "ours")] if held else [])
        + ([("learning rate", "other")] if rates else [])
    )
    if width == WIDE:
        names.insert(1, ("each step", "soft"))
    across = 46.0
    for name, colour in names:
        figure.text(across / width, 1 - 13 / height, name, color=COLOURS[colour], ha="left", va="center")
        across += 7.0 * len(name) + 16


def _columns(points: Sequence[Point]) -> tuple[list[int], list[float]]:
    return [step for step, _ in points], [value for _, value in points]


def _finite(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if math.isfinite(point[1])]


def smooth(points: Sequence[Point]) -> list[Point]:
    """Each value as the mean of those around it, a twentieth of all."""
    from tutelage.tuning.curve import smooth as mean_around

    return mean_around(points, max(3, len(points) // 20)) if len(points) > 10 else list(points)


def thinned(points: Sequence[Point], most: int = POINTS) -> list[Point]:
    """At most `most` points, each the mean of its neighbours; the first and the last step stay."""
    size = math.ceil(len(points) / most) if points else 1
    if size == 1:
        return list(points)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    means = [(group[len(group) // 2][0], fmean(value for _, value in group)) for group in groups]
    return [(points[0][0], means[0][1]), *means[1:-1], (points[-1][0], means[-1][1])]


def bars_of(rows: Sequence[tuple[str, Interval | None, str]]) -> tuple[Bar, ...]:
    """Bars of those that have an interval."""
    return tuple(Bar(label, one, mark) for label, one, mark in rows if one is not None and math.isfinite(one.value))
