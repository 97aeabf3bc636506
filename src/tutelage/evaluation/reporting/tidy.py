"""Every text of a report made fit to be shown, in one place: nothing in it acts, and none is endless."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from tutelage.evaluation.reporting.content import Block, Row
from tutelage.pages import cut, readable

TEXT, CELL, BLOCK = 3_000, 600, 13_000
"""Characters of a text, of a cell of a table, and of a text on its own."""

Content = TypeVar("Content")


def tidy(content: Content) -> Content:
    """The same with each text cut to what a reader reads, and characters that act on a screen made visible."""
    made: Content = _tidy(content, TEXT)
    return made


def _tidy(value: Any, most: int) -> Any:
    if isinstance(value, str):
        return readable(cut(value, most))
    if isinstance(value, tuple):
        return tuple(_tidy(one, most) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        most = {Block: BLOCK, Row: CELL}.get(type(value), TEXT)
        return replace(value, **{one.name: _tidy(getattr(value, one.name), most) for one in fields(value)})
    return value
