"""Time and peak memory of the command line on any number of conversations, each run a process of its own."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from planted.rows import clean_rows
from planted.scale import write_many

from measured.table import Section
from tutelage.data.crew import processors

TITLE = "Scale"
GOAL_SIZE = 1_000_000
GOALS = {"look": (90, 1.5), "curate": (720, 4.0)}
"""Seconds and GB for so many conversations on two processors."""


def measure(args: argparse.Namespace) -> Section:
    """`look` and `curate` at each size asked for."""
    section = Section(TITLE)
    section.say(
        "Conversations recombined from real sentences, some 1,000 bytes each, one of a hundred a repeat; each command",
        f"is run on its own, on {processors()} processors. CPU is of all its processes. So is the peak memory: their",
        "resident sizes added up five times a second, pages that they share counted for each.",
    )
    rows: list[list[object]] = []
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "many.jsonl"
            written = write_many(clean_rows(), path, size, args.seed)
            for command in (["look", str(path)], ["curate", str(path), "--out", f"{scratch}/out"]):
                ran = run(command)
                note = "" if ran.said is None else section.goal(f"{command[0]} {size}", False, ran.said)
                if not note and size >= GOAL_SIZE:
                    seconds, memory = GOALS[command[0]]
                    met = ran.seconds <= seconds and ran.peak <= memory
                    note = section.goal(f"{command[0]} {size}", met, f"goal: {seconds} s, {memory} GB")
                cost = [f"{1e3 * ran.seconds / size:.2f} ms", f"{1e3 * ran.cpu / size:.2f} ms"]
                took = [f"{ran.seconds:.1f} s", f"{ran.cpu:.1f} s", *cost, f"{ran.peak:.2f} GB"]
                rows.append([f"{size:,}", f"{written / 1e6:,.0f} MB", command[0], *took, note])
    names = ["conversations", "JSONL", "command", "took", "CPU", "took a row", "CPU a row", "peak memory", ""]
    section.table(names, rows)
    return section


@dataclass(frozen=True, slots=True)
class Ran:
    """A command's seconds, seconds of CPU and peak memory in GB of all its processes; what it said where it failed."""

    seconds: float
    cpu: float
    peak: float
    said: str | None


def run(arguments: list[str]) -> Ran:
    """Run a command of the command line and measure it."""
    with tempfile.TemporaryFile("w+") as said:
        started = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-m", "tutelage", *arguments], stdout=subprocess.DEVNULL, stderr=said)
        done, peak = Event(), [0]
        watcher = Thread(target=_watch, args=(child.pid, done, peak))
        watcher.start()
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        done.set()
        watcher.join()
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        lines = said.read().strip().split("\n")
    alone = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    failed = lines[-1] if child.returncode else None
    return Ran(seconds, used.ru_utime + used.ru_stime, max(peak[0], alone) / 1e9, failed)


def _watch(pid: int, done: Event, peak: list[int]) -> None:
    """Keep the largest sum of the resident memory of a process and all that it started, where /proc tells it."""
    while not done.wait(0.2):
        peak[0] = max(peak[0], sum(map(_resident, _family(pid))))


def _family(pid: int) -> list[int]:
    """A process, and all that it started, and so on."""
    parents: dict[int, list[int]] = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(path.read_text().rpartition(")")[2].split()[1])].append(int(path.parent.name))
    found = [pid]
    for each in found:
        found += parents[each]
    return found


def _resident(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
