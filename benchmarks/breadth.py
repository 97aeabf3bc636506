"""How broad real data sets are, as docs/data.md shows it: kinds, topics, words, and what is told of each.

    python benchmarks/breadth.py                 # the table in docs/data.md, a minute
    python benchmarks/breadth.py --rows 50       # what is told of small samples: 20 of so many rows of each set

The sets lie in ../shared/data; the general set and the example help desk are this project's own.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from planted.rows import SHARED  # noqa: E402

from tutelage.data.breadth import survey  # noqa: E402
from tutelage.data.duplicates import drop_repeats  # noqa: E402
from tutelage.data.general import NAME  # noqa: E402
from tutelage.data.reading import read  # noqa: E402
from tutelage.recipe import DataSettings  # noqa: E402
from tutelage.records import Example  # noqa: E402

SETS = {
    "banking77": "prompt=text,response=category",
    "bitext_support": "",
    "star_support": "",
    "gsm8k": "",
    "flan_cot": "",
    "identity": "",
    "finegrained_qa_feedback": "",
    "superni": "",
    "dolly": "",
    "self_instruct": "",
    "oasst_en100/derived_sft.jsonl": "",
}
"""Narrow ones first; with how their columns are read."""
SAMPLES = 20


def sets() -> Iterator[tuple[str, Sequence[Example]]]:
    """Name and conversations of each set that is there, exact repeats dropped."""
    for name, columns in SETS.items():
        if (SHARED / name).exists():
            yield name.split("/")[0], drop_repeats(read(DataSettings(columns=columns), [str(SHARED / name)])).examples
    yield "examples/helpdesk", drop_repeats(read(DataSettings(), [str(HERE.parent / "examples/helpdesk")])).examples
    yield NAME, read(DataSettings(), [NAME]).examples


def row(name: str, examples: Sequence[Example]) -> list[str]:
    """One line of the table."""
    found = survey(examples)
    largest = found.kinds[0]
    return [
        name,
        f"{len(examples):,}",
        f"{largest.share:.0%} {largest.name}",
        f"{found.effective_kinds:.1f}",
        f"{found.effective_topics:.1f}",
        f"{len(found.subject_words)}",
        f"{found.likeness:.3f}",
        f"{found.distinct_answers:.0%}",
        "narrow" if found.narrow else "broad",
    ]


def main() -> None:
    """Print the table, or how often small samples are told narrow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not args.rows:
        print("| set | conversations | largest kind | kinds | topics | words | likeness | answers | told |")
        print("|---|---|---|---|---|---|---|---|---|")
        for name, examples in sets():
            print(f"| {' | '.join(row(name, examples))} |", flush=True)
        return
    rng = random.Random(args.seed)
    for name, examples in sets():
        few = [survey(rng.sample(list(examples), min(args.rows, len(examples))), topics=False) for _ in range(SAMPLES)]
        print(f"{name}: {sum(found.narrow for found in few)} of {SAMPLES} told narrow", flush=True)


if __name__ == "__main__":
    main()
