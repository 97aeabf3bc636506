"""How far a piece of work is, told to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def counting(progress: Progress | None, what: str, of: int) -> Callable[[int], None] | None:
    """A callback for pieces of work, which tells `progress` the sum; None where nobody looks."""
    if progress is None:
        return None
    told, done = progress, 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        told(what, done, of)

    return add
