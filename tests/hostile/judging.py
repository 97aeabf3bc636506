"""Whether one hostile input does harm: an exception that is none of ours, a property that fails, or too much time."""

from __future__ import annotations

import hashlib
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tutelage.errors import TutelageError

SECONDS = 5.0
"""Of computing that one input may take; the inputs are small."""


@dataclass(frozen=True)
class Harness:
    """One parser under fire.

    Attributes:
        check: does with some bytes what a user's file would have done; fails where a property does not hold.
        seeds: inputs to start from, written by hand: what is known to hurt.
        allowed: the errors by which the parser may refuse; empty where a bad row may stop nothing.
        words: what the parser's language is made of, for a fuzzer to put in.
        quick: so many inputs are tried in `make test`.
    """

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    allowed: tuple[type[TutelageError], ...] = ()
    words: tuple[bytes, ...] = ()
    quick: int = 200


@dataclass(frozen=True)
class Harm:
    """What an input did. `where`: the same for the same fault, so that it is told once."""

    where: str
    told: str


class TooSlow(BaseException):
    """Not an Exception: no handler for whatever a template or library raises may swallow it."""


@contextmanager
def bounded(seconds: float = SECONDS) -> Iterator[None]:
    """Raises TooSlow after so many seconds of computing, counted for this process alone."""

    def stop(number: int, frame: object) -> None:
        raise TooSlow(f"more than {seconds:g} s of computing")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def judged(harness: Harness, data: bytes) -> Harm | None:
    """What the input did, or None where it was read, or refused as it should be."""
    try:
        with bounded():
            harness.check(data)
    except harness.allowed as error:
        if not str(error).strip():
            return Harm(type(error).__name__, "refused without a word")
    except BaseException as error:  # a panic in a library is no Exception either
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return Harm(_where(error), "".join(traceback.format_exception(error))[-6000:])
    return None


def _where(error: BaseException) -> str:
    """The kind of error and the last line of ours that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "tutelage" in frame.filename or "hostile" in frame.filename]
    frame = (ours or frames)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}" if not isinstance(error, TooSlow) else "time"
    return f"{type(error).__name__} {place}"


def smaller(harness: Harness, data: bytes, where: str, tries: int = 400) -> bytes:
    """As few bytes as a simple search finds that still do the same harm: parts are left out, ever smaller ones."""

    def same(shorter: bytes) -> bool:
        harm = judged(harness, shorter)
        return harm is not None and harm.where == where

    size = max(1, len(data) // 2)
    while tries > 0:
        place = 0
        while place < len(data) and tries > 0:
            shorter = data[:place] + data[place + size :]
            tries -= 1
            if same(shorter):
                data = shorter
            else:
                place += size
        if size == 1:
            break
        size //= 2
    return data


def name_of(harm: Harm) -> str:
    """A file's name for what was found."""
    return hashlib.sha256(harm.where.encode()).hexdigest()[:10]
