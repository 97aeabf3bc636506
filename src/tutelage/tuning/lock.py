"""One process at a time works on a run's folder; a lock that a dead process left behind is recognised."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import filelock

from tutelage.errors import TuningError
from tutelage.tuning.run import write_text

NOTE = "lock.json"
"""Says who holds the folder; it goes when the process ends in order."""
_LOCK = ".lock"
"""The system's lock itself, which it frees when a process dies, however it dies.

The empty file stays when a run has ended. Removing it would open a gap: who waits at the removed file, and who comes
next and makes a new one, would both hold the run.
"""


@dataclass(frozen=True)
class Holder:
    """The process that holds a run's folder, or held it when it died.

    Attributes:
        since: when it took the folder, in UTC.
        alive: whether it still runs; None where it is on another machine and nobody here can know.
    """

    pid: int
    host: str
    since: str
    alive: bool | None


@contextmanager
def hold(folder: Path, say: Callable[[str], None] = lambda line: None) -> Iterator[None]:
    """Hold a run's folder until the block is left.

    Raises:
        TuningError: another process holds it, or one on another machine may; or the folder cannot be written.
    """
    lock = filelock.FileLock(str(folder / _LOCK))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        found = _noted(folder)
        by = f"process {found.pid} on {found.host}, since {found.since}" if found else "another process"
        raise TuningError(f"{folder} is in use by {by}. Wait for it, or stop it; nothing was changed here") from error
    except OSError as error:
        raise TuningError(f"{folder} cannot be locked: {error.strerror}; is the disk full?") from error
    try:
        if left := _noted(folder):
            if left.host != socket.gethostname():
                raise TuningError(
                    f"{folder} was taken by process {left.pid} on {left.host} since {left.since}, and from here nobody "
                    f"can see whether it still runs. If it does not, remove {folder / NOTE} and try again"
                )
            say(f"Process {left.pid}, which held {folder} since {left.since}, is gone without an ending; going on.")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        note = {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
        write_text(folder / NOTE, json.dumps(note) + "\n")
        try:
            yield
        finally:
            (folder / NOTE).unlink(missing_ok=True)
    finally:
        lock.release()


def holder(folder: Path) -> Holder | None:
    """Who holds a run's folder, or held it when it died; None where nobody does."""
    found = _noted(folder)
    if found is None or found.host != socket.gethostname():
        return found
    lock = filelock.FileLock(str(folder / _LOCK))
    try:
        with lock.acquire(timeout=0):
            return Holder(**{**asdict(found), "alive": False})
    except filelock.Timeout:
        return Holder(**{**asdict(found), "alive": True})
    except OSError:  # a folder that may only be read
        return found


def _noted(folder: Path) -> Holder | None:
    """What the note says; a note that cannot be read (cut off by a crash) counts as a dead process of this machine."""
    try:
        text = (folder / NOTE).read_text(encoding="utf-8")
    except OSError:
        return None
    try:
        note = json.loads(text)
        return Holder(int(note["pid"]), str(note["host"]), str(note["since"]), None)
    except (ValueError, TypeError, KeyError):
        return Holder(0, socket.gethostname(), "an unknown time", None)
