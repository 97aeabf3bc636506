"""The field's claims about instruction tuning, measured at laptop scale with real data: docs/evidence.md.

    make evidence                                        # all of it; some three hours on two cores
    python benchmarks/evidence.py --only a --seeds 3     # one claim
    python benchmarks/evidence.py --only a e --tokens 2000 --items 4 --seeds 1 --out /tmp/page.md    # a try

a: unseen kinds of task, and how many tasks it takes; e: a system prompt against tuning; b: quality against quantity;
c: narrow data and what it makes a model forget; d: which tokens the loss counts. Every run and every answer is kept
in --cache: started again, it goes on where it was, inside a run too. Sections that are not measured keep what stands
in the page.
"""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import evidence_choice  # noqa: E402
import evidence_loss  # noqa: E402
import evidence_narrow  # noqa: E402
import evidence_system  # noqa: E402
import evidence_unseen  # noqa: E402
from data_bench import written  # noqa: E402
from evidence_work import Bench  # noqa: E402
from measured.table import Section  # noqa: E402

import tutelage  # noqa: E402
from tutelage import terminal  # noqa: E402
from tutelage.errors import TutelageError  # noqa: E402
from tutelage.model import machine  # noqa: E402
from tutelage.tuning.lock import hold  # noqa: E402

CLAIMS: Mapping[str, Any] = {
    "a": evidence_unseen,
    "e": evidence_system,
    "b": evidence_choice,
    "c": evidence_narrow,
    "d": evidence_loss,
}
"""Modules with TITLE, planned(bench) and measure(bench), in the order in which they are measured."""
ROOT = HERE.parent
MACHINE = "Measured on"


def head() -> str:
    """What the page begins with."""
    return (
        "# Evidence\n\nWhat the field says of instruction tuning, measured again with a small base and "
        "public data sets,\nwhatever came out; written by `make evidence` (`benchmarks/evidence.py`). Goals that are "
        "not met are in bold.\nScores are in points of 100 with 95 % intervals: over prompts and, where there are "
        "several, seeds.\n\n"
    )


def machine_line(base: str, threads: int) -> str:
    """The machine and the versions that made a section, in a line."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))
    return (
        f"{MACHINE} {platform.machine()}, {machine.set_threads(threads)} threads, {platform.system()}, base {base}, "
        f"Python {platform.python_version()}, {versions}, tutelage {tutelage.__version__}."
    )


def bench_of(args: argparse.Namespace, say: Callable[[str], None]) -> Bench:
    """Where everything is."""
    return Bench(
        args.base,
        args.data,
        args.cache.absolute(),
        args.tokens,
        args.items,
        args.seeds,
        tuple(args.counts),
        args.out.parent / "pictures",
        args.instruct,
        args.threads,
        say,
    )


def measured(args: argparse.Namespace, command: str, say: Callable[[str], None] = terminal.say) -> list[str]:
    """Measure the claims asked for and write each into the page as soon as it is there; returns goals not met."""
    bench = bench_of(args, say)
    failed = []
    for name in args.only:
        bench.clock.plan(CLAIMS[name].planned(bench))
    say(f"At most {bench.clock.left / 60:.0f} minutes by guess; what is in {bench.cache} already takes none.")
    for name in args.only:
        section: Section = CLAIMS[name].measure(bench)
        section.say(machine_line(args.base, args.threads))
        for piece in CLAIMS[name].planned(bench):
            bench.clock.todo.pop(piece, None)
        while section.lines and not section.lines[-1]:
            section.lines.pop()
        print(f"\n## {section.title}\n\n" + "\n".join(section.lines), flush=True)
        page = args.out.read_text(encoding="utf-8") if args.out.exists() else head()
        args.out.parent.mkdir(parents=True, exist_ok=True)
        page = written(page, section, command)
        args.out.write_text(page.rstrip("\n") + "\n", encoding="utf-8")
        failed += [f"{name}: {goal}" for goal in section.failed]
    return failed


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--only", nargs="+", choices=list(CLAIMS), default=list(CLAIMS))
    made.add_argument("--base", default="starter")
    made.add_argument("--instruct", default="", help="for c: a model that can be made to forget")
    made.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="the public data sets")
    made.add_argument("--cache", type=Path, default=ROOT / "runs" / "evidence")
    made.add_argument("--tokens", type=int, default=30_000, help="of a run, prompts and answers together")
    made.add_argument("--items", type=int, default=20, help="prompts of each tested task; of dolly twice as many")
    made.add_argument("--seeds", type=int, default=3, help="of a and e")
    made.add_argument("--counts", type=int, nargs="+", default=[5, 15, 35], help="of tasks to tune on, for a")
    made.add_argument("--threads", type=int, default=0, help="0: one for each physical core")
    made.add_argument("--out", type=Path, default=ROOT / "docs" / "evidence.md")
    return made


def main() -> None:
    """Measure, print and write; exit 1 where a goal is not met."""
    args = parser().parse_args()
    if not args.data.is_dir():
        raise SystemExit(f"there is no folder {args.data}; name the one with superni and dolly by --data")
    command = f"python benchmarks/evidence.py {shlex.join(sys.argv[1:])}".strip()
    args.cache.mkdir(parents=True, exist_ok=True)
    try:
        with hold(args.cache):
            failed = measured(args, command)
    except TutelageError as error:
        raise SystemExit(f"{error}\nStarted again, it goes on from here.") from error
    if failed:
        raise SystemExit("not met: " + "; ".join(failed))


if __name__ == "__main__":
    main()
