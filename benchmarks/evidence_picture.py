"""The picture of the evidence page, by matplotlib, as SVG; the same values give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tutelage.evaluation.intervals import Interval

SETTINGS: Any = {"svg.fonttype": "path", "svg.hashsalt": "tutelage", "font.size": 11, "font.family": "DejaVu Sans"}
COLOURS = ("#8a8a8a", "#d9822b")


def curve(path: Path, points: Mapping[int, Interval], levels: Mapping[str, float], under: str, beside: str) -> None:
    """Values with intervals over a number, and levels to hold against them as lines; in points of 100.

    Args:
        path: of the SVG that is written.
        points: by the number.
        levels: by name.
        under, beside: what the axes are called.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        numbers, found = list(points), list(points.values())
        value = [100 * one.value for one in found]
        reach = [[100 * (one.value - one.low) for one in found], [100 * (one.high - one.value) for one in found]]
        axes.errorbar(numbers, value, yerr=reach, marker="o", capsize=4, color="#1f6fb2", label="tuned")
        for (name, level), colour in zip(levels.items(), COLOURS, strict=False):
            axes.axhline(100 * level, color=colour, linestyle="--", label=name)
        axes.set_xticks(numbers)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(under)
        axes.set_ylabel(beside)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
