"""What a run survives, counted: writes docs/reliability.md.

    make reliability                                            # 200 kills; some ten minutes
    python benchmarks/reliability.py --kills 1000 --flips 100   # at night

The same checks, fewer of each, are in `make test` (tests/parity/test_tuning_crashes.py and test_tuning_ranks.py).
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "parity")]

import test_tuning_ranks as several  # noqa: E402

import hurting  # noqa: E402
import ranks  # noqa: E402
from tutelage.model.load import locate  # noqa: E402
from tutelage.tuning import checkpoint  # noqa: E402
from tutelage.tuning.checkpoint import Progress  # noqa: E402
from tutelage.tuning.job import resume, tune  # noqa: E402
from tutelage.tuning.work import Watch  # noqa: E402


@dataclass(frozen=True)
class Line:
    """A row of the table: what was done, how often, what came of it, whether that is what must be."""

    what: str
    count: int
    outcome: str
    holds: bool


def kills(folder: Path, count: int, kind: str) -> Line:
    """SIGKILL at random moments."""
    found = hurting.killed_at_random(folder, count, kind)
    for problem in found.problems:
        print(f"    {problem}", file=sys.stderr)
    outcome = (
        f"{found.ended} runs ended, all with the bits of a run that was never disturbed; {found.anew} were killed "
        f"before their first checkpoint; at most {found.lost} steps had to be done again"
    )
    if found.problems:
        outcome = f"{len(found.problems)} problems, e.g. {found.problems[0]}"
    return Line(f"SIGKILL at a random moment, {kind}, a checkpoint a step", found.kills, outcome, not found.problems)


def stops(folder: Path, kind: str) -> Line:
    """Stopped after every step, and after every pair of steps, and taken up again."""
    right = hurting.weights_of(tune(hurting.recipe_for(folder, "straight", kind)))
    differing, count = 0, 0
    for first in range(1, 6):
        for second in range(first, 6):
            out = f"parts-{first}-{second}"
            recipe = hurting.recipe_for(folder, out, kind, save_every=0)
            hurting.refusal(lambda r=recipe, at=first: tune(r, _stopping(at)))  # type: ignore[misc]
            if second > first:
                hurting.refusal(lambda o=out, at=second: resume(folder / o, _stopping(at)))  # type: ignore[misc]
            differing += bool(hurting.unequal(hurting.weights_of(resume(folder / out)), right))
            count += 1
    outcome = f"{count - differing} of {count} ended with the same bits"
    return Line(f"stopped after every step, once and twice, {kind}", count, outcome, not differing)


def _stopping(at: int) -> Watch:
    import signal

    def stepped(step: object, planned: int) -> None:
        if getattr(step, "step", 0) == at:
            os.kill(os.getpid(), signal.SIGTERM)

    return Watch(stepped=stepped)


def full_disk(folder: Path) -> Line:
    """Saving with a limit on the size of files, at every size."""
    tensors = {"master/a": torch.rand(40), "exp_avg/a": torch.rand(3)}
    numbers = (0.0, 0, None, 0, 0, "r", "d", "t", "k", "b")
    place = folder / "checkpoints"
    first = checkpoint.save(place, 1, tensors, Progress(1, *numbers))
    most = max(path.stat().st_size for path in first.iterdir())
    wrong = 0
    for limit in range(most + 1):
        child = hurting.in_child(lambda: checkpoint.save(place, 2, tensors, Progress(2, *numbers)), limit)
        status, found = hurting.status_of(child), checkpoint.latest(place)
        step = checkpoint.load(found)[1].step if found else 0
        wrong += (status, step) != ((3, 1) if limit < most else (0, 2))
    outcome = f"refused with a sentence and the old checkpoint whole in {most + 1 - wrong} of {most + 1}"
    return Line(
        f"saving where no file may pass a limit, every limit from 0 to {most} bytes", most + 1, outcome, not wrong
    )


def full_disk_in_a_run(folder: Path, count: int) -> Line:
    """A whole run under a limit, then without."""
    run, draw = hurting.stopped_run(folder), random.Random(3)
    shutil.copytree(run.folder, folder / "right")
    kept = folder / "kept"
    shutil.copytree(run.folder, kept)
    right, wrong = hurting.weights_of(resume(folder / "right")), 0
    for _ in range(count):
        shutil.rmtree(run.folder)
        shutil.copytree(kept, run.folder)
        status = hurting.status_of(hurting.in_child(lambda: resume(run.folder), draw.randrange(70_000)))
        again = resume(run.folder) if status else run
        wrong += status not in (0, 3) or bool(hurting.unequal(hurting.weights_of(again), right))
    outcome = f"{count - wrong} of {count} said so and ended with the same bits once there was room"
    return Line("a run where no file may pass a random limit", count, outcome, not wrong)


def flips(folder: Path, count: int) -> Line:
    """One bit of every kind of file of a stopped run."""
    run, draw, unseen = hurting.stopped_run(folder), random.Random(4), Counter[str]()
    for name in hurting.FILES:
        for _ in range(count):
            before = hurting.flipped(run.folder / name, draw)
            unseen[name] += not hurting.refusal(lambda: resume(run.folder))
            (run.folder / name).write_bytes(before)
    missed = unseen.total()
    total = count * len(hurting.FILES)
    outcome = f"{total - missed} of {total} refused, with the file's name" + (f"; missed in {unseen}" if missed else "")
    what = f"one bit flipped in each of {len(hurting.FILES)} files of a stopped run, {count} times"
    return Line(what, total, outcome, not missed)


def flips_of_tuned(folder: Path, count: int, kind: str) -> Line:
    """One bit of every file of a tuned model."""
    run, draw, missed = tune(hurting.recipe_for(folder, "run", kind)), random.Random(5), 0
    places = [*(path for path in sorted(run.tuned.rglob("*")) if path.is_file()), run.folder / "manifest.json"]
    for path in places:
        for _ in range(count):
            before = hurting.flipped(path, draw)
            missed += not hurting.refusal(lambda: (locate(str(run.folder), lambda line: None), run.manifest()))
            path.write_bytes(before)
    total = count * len(places)
    what = f"one bit flipped in each of {len(places)} files of a tuned model, {kind}, {count} times"
    return Line(what, total, f"{total - missed} of {total} refused, with the file's name", not missed)


def processes(folder: Path, size: int) -> Line:
    """Ten steps in several processes against one: every case of the parity tests, uneven rows among them."""
    ranks.together(size, several.run_cases, folder, within=300)
    worst = 0.0
    for case in several.CASES:
        alone, found = several.results(case), ranks.kept(folder / f"{case}.safetensors")
        worst = max(worst, *(float((found[name] - alone[name]).abs().max()) for name in alone if name != "seen"))
    what = f"{size} processes against one, ten steps at lr 1e-4, float32: {', '.join(several.CASES)}"
    return Line(what, len(several.CASES), f"largest difference of a weight {worst:.1e} (limit 1e-6)", worst < 1e-6)


def handed_on(folder: Path, case: str, sizes: tuple[int, ...]) -> Line:
    """Saved on some processes, taken up by others, against one that never stopped."""
    several.from_to(several.ALONE, folder / "whole", case, 0, 10)
    for size, first, last in zip(sizes, (0, 3, 7), (3, 7, 10), strict=True):
        if size == 1:
            several.from_to(several.ALONE, folder / "parts", case, first, last)
        else:
            ranks.together(size, several.from_to, folder / "parts", case, first, last, within=300)
    right, found = (checkpoint.load(folder / name / "step-10")[0] for name in ("whole", "parts"))
    worst = max(float((found[name] - right[name]).abs().max()) for name in right)
    what = f"{case}: stopped and taken up on {', '.join(map(str, sizes))} processes"
    return Line(what, 1, f"largest difference of a weight or moment {worst:.1e} (limit 1e-6)", worst < 1e-6)


def main() -> None:
    """Run all, print and write the table; exit 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--flips", type=int, default=10)
    parser.add_argument("--runs", type=int, default=20, help="whole runs on a full disk")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "reliability.md")
    args = parser.parse_args()
    torch.set_num_threads(1)
    checks: list[Callable[[Path], Line]] = [
        lambda folder: kills(folder, args.kills // 2, "lora"),
        lambda folder: kills(folder, args.kills - args.kills // 2, "full"),
        lambda folder: stops(folder, "lora"),
        lambda folder: stops(folder, "full"),
        full_disk,
        lambda folder: full_disk_in_a_run(folder, args.runs),
        lambda folder: flips(folder, args.flips),
        lambda folder: flips_of_tuned(folder, 10 * args.flips, "lora"),
        lambda folder: flips_of_tuned(folder, 10 * args.flips, "full"),
        lambda folder: processes(folder, 2),
        lambda folder: processes(folder, 4),
        lambda folder: handed_on(folder, "gemma3-full", (2, 1, 2)),
        lambda folder: handed_on(folder, "llama-lora", (1, 4, 3)),
    ]
    lines = []
    for check in checks:
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            line = check(Path(folder))
            print(f"{'holds' if line.holds else 'FAILS'}  {line.what}: {line.outcome}", file=sys.stderr)
            row = f"| {line.what} | {line.count} | {line.outcome} | {'yes' if line.holds else '**no**'} "
            lines.append(f"{row}| {time.monotonic() - started:.0f} s |")
    command = f"python benchmarks/reliability.py {shlex.join(sys.argv[1:])}".strip()
    head = [
        "# What a run survives",
        "",
        f"`{command}`, {date.today()}:",
        f"{platform.system()}, Python {platform.python_version()}, torch {torch.__version__}, a tiny model with",
        "hold-out and dropout, six steps a run, one thread. [scaling.md](scaling.md) has several processes.",
        "",
        "| what was done | times | what came of it | holds | took |",
        "|---|---|---|---|---|",
    ]
    tail = [
        "",
        "`make nightly` stops the real starter in bfloat16 at three steps, with LoRA and in full, with hold-out and",
        "early stopping, and wants the same bits; ten minutes and more where the processor has no bfloat16 arithmetic.",
    ]
    args.out.write_text("\n".join([*head, *lines, *tail]) + "\n", encoding="utf-8")
    sys.exit(any("**no**" in line for line in lines))


if __name__ == "__main__":
    main()
