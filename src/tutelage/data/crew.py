"""Work on the parts of a large data set in several processes: results in order, few parts under way at a time."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TypeVar

from tutelage.errors import DataError

A = TypeVar("A")
B = TypeVar("B")
Tell = Callable[[str, int, int], None]
"""Told what is done, how much of it, and of how much."""
AHEAD = 3
"""Parts handed out for each process: enough that none waits, few enough that memory stays bounded."""


class Crew:
    """Processes, and a folder for what does not fit into memory; both are gone when the `with` block ends.

    Args:
        processes: how many; 0 does everything in this process.
        beside: a folder that the temporary folder is made in; None: the system's place for temporary files.
    """

    def __init__(self, processes: int = 0, beside: Path | None = None) -> None:
        try:
            self._temporary = tempfile.TemporaryDirectory(prefix=".tutelage-", dir=beside)
        except OSError as error:
            raise DataError(f"{beside or tempfile.gettempdir()}: cannot be written to: {error.strerror}") from error
        self.folder = Path(self._temporary.name)
        self.tell: Tell | None = None
        self._files: list[BinaryIO] = []
        self._tasks = 0
        # Started afresh, not forked: a forked child inherits the locks of threads that do not exist in it.
        fresh = multiprocessing.get_context("spawn")
        self._window = AHEAD * processes
        self._pool = ProcessPoolExecutor(processes, fresh, _undisturbed) if processes else None

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)
        for file in self._files:
            file.close()
        self._temporary.cleanup()

    def file(self) -> BinaryIO:
        """A new file in the temporary folder, to be written; it is closed at the end, if not before."""
        self._files.append((self.folder / f"part-{len(self._files)}").open("wb"))
        return self._files[-1]

    def ordered(self, task: Callable[[A], B], parts: Iterable[A], what: str = "", of: int = 0) -> Iterator[B]:
        """What the task makes of each part, in their order. What `parts` raises comes after the results before it.

        Args:
            what, of: told to `tell` with the number of parts that are done; nothing is told where `what` is empty.

        Raises:
            DataError: where a process ended before its work did.
        """
        for done, found in enumerate(self._each(task, parts), 1):
            if self.tell and what:
                self.tell(what, done, of)
            yield found

    def _each(self, task: Callable[[A], B], parts: Iterable[A]) -> Iterator[B]:
        if self._pool is None:
            yield from map(task, parts)
            return
        self._tasks += 1
        path = self.folder / f"task-{self._tasks}"
        path.write_bytes(pickle.dumps(task))  # once, and not with every part: what a rule learned may be large
        under_way: deque[Future[B]] = deque()
        source, raised = iter(parts), None
        try:
            while True:
                while source and len(under_way) < self._window:
                    try:
                        under_way.append(self._pool.submit(_done, str(path), next(source)))
                    except StopIteration:
                        source = iter(())
                        break
                    except DataError as error:
                        source, raised = iter(()), error
                        break
                if not under_way:
                    break
                yield under_way.popleft().result()
        except BrokenProcessPool as error:
            raise DataError("a process that worked on the data ended early; is there too little memory?") from error
        finally:
            for each in under_way:
                each.cancel()
        if raised:
            raise raised


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _undisturbed() -> None:
    """Ctrl-C reaches every process of a terminal: the first one decides, the others are told."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _done(path: str, part: Any) -> Any:
    return _task(path)(part)


@lru_cache(maxsize=1)
def _task(path: str) -> Callable[[Any], Any]:
    task: Callable[[Any], Any] = pickle.loads(Path(path).read_bytes())
    return task
