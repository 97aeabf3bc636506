"""Time and peak memory of the command line on any number of conversations, each run a process of its own."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from planted.rows import clean_rows
from planted.scale import write_many

from measured.table import Section

TITLE = "Scale"


def measure(args: argparse.Namespace) -> Section:
    """`look` and `curate` at each size asked for."""
    section = Section(TITLE)
    section.say(
        "Conversations recombined from real sentences, some 1,000 bytes each, one of a hundred a repeat; each command",
        "is a process of its own, whose peak memory the system counts.",
    )
    rows: list[list[object]] = []
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "many.jsonl"
            written = write_many(clean_rows(), path, size, args.seed)
            for command in (["look", str(path)], ["curate", str(path), "--out", f"{scratch}/out"]):
                seconds, cpu, peak, said = run(command)
                note = "" if said is None else section.goal(f"{command[0]} {size}", False, said)
                took = [f"{seconds:.1f} s", f"{cpu:.1f} s", f"{size / seconds:,.0f}", f"{peak:.2f} GB"]
                rows.append([f"{size:,}", f"{written / 1e6:,.0f} MB", command[0], *took, note])
    section.table(["conversations", "JSONL", "command", "took", "of it CPU", "a second", "peak memory", ""], rows)
    return section


def run(arguments: list[str]) -> tuple[float, float, float, str | None]:
    """Seconds, seconds of CPU, peak resident memory in GB (of the process itself), and what it said where it failed."""
    with tempfile.TemporaryFile("w+") as said:
        started = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-m", "tutelage", *arguments], stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        lines = said.read().strip().split("\n")
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 1e9, lines[-1] if child.returncode else None
