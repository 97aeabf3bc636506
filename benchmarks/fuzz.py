"""Random and mutated inputs for every parser, guided by what they reach: writes a table, and each input that did harm.

    make fuzz                                                       # a minute for each
    make fuzz FUZZ="--seconds 180 --only 'json lines' recipes"
    python benchmarks/fuzz.py --seconds 180 --out docs/fuzzing.md   # the table as a file

Atheris (libFuzzer for Python) makes the inputs; what must hold for each is in tests/hostile, which `make test` asks
with a few fixed ones. A finding is told once for each place, made as small as a simple search finds, and kept in
--findings.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hostile.judging import Harness

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
LONGEST = 4096
"""Bytes of an input; harnesses that look for slowness make much of little."""
MEMORY_MB = 4096


@dataclass
class Outcome:
    """What a harness went through."""

    name: str
    executions: int = 0
    edges: int = 0
    kept: int = 0
    findings: list[str] = field(default_factory=list)


def child(name: str, seconds: int, place: Path) -> None:
    """Fuzzes one harness in this process, which libFuzzer ends; harm goes into files, so that it does not stop here."""
    import atheris

    with atheris.instrument_imports(include=["tutelage"]):
        from hostile import HARNESSES, judging
    harness = HARNESSES[name]
    seen: set[str] = set()

    def once(data: bytes) -> None:
        harm = judging.judged(harness, data)
        if harm and harm.where not in seen:
            seen.add(harm.where)
            (place / f"harm-{judging.name_of(harm)}").write_bytes(data)

    corpus = place / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(harness.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = place / "words"
    escaped = ["".join(rf"\x{byte:02x}" for byte in word) for word in harness.words]
    words.write_text("".join(f'"{word}"\n' for word in escaped))
    options = {
        "max_total_time": seconds,
        "max_len": LONGEST,
        "rss_limit_mb": MEMORY_MB,
        "timeout": 600,  # the harness counts computing itself; a template's own alarm ends this one, too
        **({"dict": words} if escaped else {}),
        "artifact_prefix": f"{place}/harm-",
        "print_final_stats": 1,
        "seed": 1,
    }
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)], once)
    atheris.Fuzz()


def fuzzed(name: str, harness: Harness, seconds: int, findings: Path) -> Outcome:
    """A harness in a process of its own, and what it found, made small."""
    from hostile.judging import judged, smaller

    outcome = Outcome(name)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        place = Path(folder)
        command = [sys.executable, __file__, "--child", name, "--seconds", str(seconds), "--findings", folder]
        done = subprocess.run(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env={**os.environ} | ENV)
        told = done.stderr.decode("utf-8", "replace")
        told = "\n".join(line for line in told.split("\n") if not line.startswith("INFO: Instrumenting"))
        outcome.executions = _last(r"number_of_executed_units:\s*(\d+)", told) or _last(r"#(\d+)\s", told)
        outcome.edges = _last(r"cov: (\d+)", told)
        outcome.kept = _last(r"corp: (\d+)/", told)
        for path in sorted(place.glob("harm-*")):
            data = path.read_bytes()
            harm = judged(harness, data)
            where = harm.where if harm else f"only while fuzzing ({path.name[:30]})"
            data = smaller(harness, data, harm.where) if harm else data
            kept = findings / f"{name.replace(' ', '_')}-{path.name.removeprefix('harm-')[:24]}"
            findings.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(data)
            outcome.findings.append(where)
            print(f"  {where}\n    {data[:300]!r}\n    {kept}\n{harm.told if harm else told[-3000:]}", file=sys.stderr)
        if done.returncode and not outcome.findings:
            outcome.findings.append(f"the process ended with status {done.returncode}")
            print(told[-3000:], file=sys.stderr)
    return outcome


ENV = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "RUST_BACKTRACE": "0"}


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def page(outcomes: list[Outcome], command: str) -> str:
    """The table as Markdown."""
    lines = [
        "# Hostile input",
        "",
        f"`{command}`, {date.today()}:",
        f"{platform.system()}, Python {platform.python_version()}. For each parser, inputs that Atheris (libFuzzer)",
        "made from the seeds in `tests/hostile`, guided by which lines of Tutelage they reach. Each must be read, or",
        "refused with one of Tutelage's errors: rows around a broken one are kept, both sums of the ledger hold, what",
        "is written is read back the same, and no input of 4 KB (40 KB where a text is repeated) takes more than",
        "5 seconds of computing.",
        "",
        "| parser | inputs | edges reached | inputs kept | found in this run |",
        "|---|---|---|---|---|",
    ]
    for each in outcomes:
        found = "; ".join(f"**{where}**" for where in each.findings) or "nothing"
        lines.append(f"| {each.name} | {each.executions:,} | {each.edges:,} | {each.kept:,} | {found} |")
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> None:
    """Fuzzes what is asked for, one after the other; status 1 where something was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each harness")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="names of harnesses; all without")
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"), help="folder for inputs that did harm")
    parser.add_argument("--out", type=Path, help="write the table here, too")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    args: Any = parser.parse_args(argv)
    if args.child:
        child(args.child, args.seconds, args.findings)
        return
    from hostile import HARNESSES

    if unknown := set(args.only) - set(HARNESSES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; known: {', '.join(HARNESSES)}")
    outcomes = []
    for name in args.only or HARNESSES:
        outcome = fuzzed(name, HARNESSES[name], args.seconds, args.findings)
        outcomes.append(outcome)
        told = f"{outcome.executions:,} inputs, {outcome.edges:,} edges, {len(outcome.findings)} findings"
        print(f"{name}: {told}", file=sys.stderr, flush=True)
    text = page(outcomes, f"python benchmarks/fuzz.py {shlex.join(argv or sys.argv[1:])}".strip())
    print(text)
    if args.out:
        args.out.write_text(text, encoding="utf-8")
    sys.exit(any(each.findings for each in outcomes))


if __name__ == "__main__":
    main()
