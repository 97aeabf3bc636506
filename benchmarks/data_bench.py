"""The data room against planted defects, near copies, personal data, real data sets and size: docs/data-quality.md.

    make data-bench                                              # some two minutes; scale at 10,000 conversations
    python benchmarks/data_bench.py --only scale --sizes 10000 100000 1000000
    python benchmarks/data_bench.py --only defects --seed 7      # other rows, other wordings

What is planted, and how, is in benchmarks/planted, written apart from the rules. Sections that are not run keep what
stands in the page. Flagged clean rows, missed rows and wrongly reported values go to files in --keep, for reading.
"""

from __future__ import annotations

import argparse
import platform
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from measured import defects, near, personal, scale, sets  # noqa: E402
from measured.table import Section  # noqa: E402

SECTIONS: Mapping[str, Callable[[argparse.Namespace], Section]] = {
    "defects": defects.measure,
    "near": near.measure,
    "personal": personal.measure,
    "sets": sets.measure,
    "scale": scale.measure,
}


def written(page: str, section: Section, command: str) -> str:
    """The page with this section put in, or in place of the one of the same title."""
    text = f"## {section.title}\n\n`{command}`, {date.today()}:\n\n" + "\n".join(section.lines) + "\n"
    found = re.search(rf"^## {re.escape(section.title)}\n.*?(?=^## |\Z)", page, re.S | re.M)
    if found:
        return page[: found.start()] + text + "\n" + page[found.end() :]
    return page.rstrip("\n") + "\n\n" + text + "\n"


def main() -> None:
    """Run the sections asked for, print and write them; exit 1 where a goal is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=50, help="defects of each kind; 3,000 rows for every 50")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000], help="conversations for scale")
    parser.add_argument("--rows", type=int, default=3000, help="rows with near copies")
    parser.add_argument("--speed-rows", type=int, default=7000, help="rows for the race with datasketch")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "tutelage-data-bench")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "data-quality.md")
    args = parser.parse_args()
    args.keep.mkdir(parents=True, exist_ok=True)
    command = f"python benchmarks/data_bench.py {shlex.join(sys.argv[1:])}".strip()
    head = (
        "# What the data room finds\n\nPlanted defects, near copies and personal data, found by the public functions "
        "of `tutelage.data`;\nwritten by `make data-bench`. Goals that are not met are in bold.\n"
    )
    page = args.out.read_text(encoding="utf-8") if args.out.exists() else head
    failed = []
    for name in args.only:
        section = SECTIONS[name](args)
        print(f"\n## {section.title}\n\n" + "\n".join(section.lines), flush=True)
        page = written(page, section, command)
        args.out.write_text(page.rstrip("\n") + "\n", encoding="utf-8")
        failed += [f"{name}: {goal}" for goal in section.failed]
    print(f"\n{platform.machine()}, Python {platform.python_version()}; files for reading are in {args.keep}")
    if failed:
        raise SystemExit("not met: " + "; ".join(failed))


if __name__ == "__main__":
    main()
