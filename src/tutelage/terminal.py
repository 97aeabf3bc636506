"""What a person sees in a terminal: bars, tables, colours. Everything here goes to stderr, results to stdout."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tutelage.data.breadth import Breadth
    from tutelage.data.profile import Profile
    from tutelage.evaluation.selfcheck import SelfCheck
    from tutelage.records import Dataset, Dropped, Example, Finding
    from tutelage.text.preview import Piece
    from tutelage.tuning.estimate import Estimate
    from tutelage.tuning.run import Step
    from tutelage.tuning.standing import Standing

ERRORS = Console(stderr=True, highlight=False, soft_wrap=True)
OUT = Console(highlight=False, soft_wrap=True)
LISTED = 6
"""Kinds and topics that are listed."""


def say(line: str) -> None:
    """A line for the person, on stderr."""
    ERRORS.print(escape(line))


class StepBar:
    """A bar over optimizer steps with speed, loss and time left; without a terminal, a line now and then."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("[bold]tuning"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TextColumn("{task.fields[speed]} tokens/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=ERRORS,
        )
        self._task = None if not ERRORS.is_terminal else self._bar.add_task("", total=None, loss="–", speed="–")

    def __enter__(self) -> StepBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def stepped(self, step: Step, planned: int) -> None:
        """Show one step."""
        held = f"{step.held_out_loss:.3f}" if step.held_out_loss is not None else ""
        if self._task is not None:
            self._bar.start()  # only now, so that lines printed while preparing do not redraw it
            self._bar.update(
                self._task,
                completed=step.step,
                total=planned,
                loss=f"{step.loss:.3f}",
                speed=f"{step.tokens_per_second:.0f}",
            )
        elif step.step in (1, planned) or step.step % max(1, planned // 20) == 0:
            say(f"step {step.step}/{planned}  loss {step.loss:.4f}  {step.tokens_per_second:.0f} tokens/s")
        if held:
            say(f"after step {step.step}: hold-out loss {held}")

    def sampled(self, question: str, answer: str) -> None:
        """Show what the model answers now."""
        ERRORS.print(Text(f"  {_short(question)}", style="dim"))
        ERRORS.print(Text(f"  → {_short(answer)}", style="cyan"))


def _short(text: str, most: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


@contextmanager
def counting(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar that is moved by calling what it gives; nothing is shown without a terminal."""
    bar = Progress(
        TextColumn(f"[bold]{what}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=ERRORS,
        transient=True,
        disable=not ERRORS.is_terminal,
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


class Bars:
    """A bar for each thing that is being done, called with its name, how much is done, and how much there is."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=ERRORS,
            transient=True,
            disable=not ERRORS.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, what: str, done: int, of: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what)
        self._bar.update(self._tasks[what], completed=done, total=of or None)


def show_dataset(dataset: Dataset, profile: Profile, drawn: int | None = None) -> None:
    """Counts of what was read, kept, dropped and flagged; where so many were drawn to be asked, of how many."""
    table = Table(show_header=False, box=None, padding=(0, 2))
    ledger, words, answers = dataset.ledger, profile.prompt_words, profile.answer_words
    rows = {
        "rows": f"{ledger.rows_read:,} read = {ledger.rows_used:,} used + {ledger.rows_passed_over:,} passed over",
        "conversations": f"{ledger.conversations_made:,} made = {ledger.conversations_kept:,} kept + "
        f"{ledger.conversations_dropped:,} dropped",
        "formats": ", ".join(sorted(set(dataset.formats.values()))),
        "turns": ", ".join(f"{count:,} {role}" for role, count in profile.roles.items() if count),
        "words in a prompt": f"{words.least} to {words.most:,}, half up to {words.median:g}, 95 % up to {words.p95:,}",
        "words in an answer": f"{answers.least} to {answers.most:,}, half up to {answers.median:g}, "
        f"95 % up to {answers.p95:,}",
        "with a system turn": f"{profile.share_with_system:.0%}",
        "several exchanges": f"{profile.share_multi_turn:.0%}",
        "tags": ", ".join(f"{count:,} {tag}" for tag, count in list(profile.tags.items())[:8]),
        "repairs": ", ".join(f"{count:,} × {name}" for name, count in dataset.repairs.items()),
    }
    for name, value in rows.items():
        if value:
            table.add_row(f"[bold]{name}", escape(value))
    OUT.print(table)
    flagged = "flagged" if drawn is None else f"flagged, of {drawn:,} conversations drawn by a seed; curate asks all"
    both: dict[str, Sequence[Dropped | Finding]] = {
        "dropped": dataset.dropped,
        flagged: [f for f in dataset.findings if f.action == "flag"],
    }
    for title, found in both.items():
        if found:
            listed = Table("rule", "rows", "first", title=f"{len(found):,} {title}", title_justify="left")
            rules = {row.rule: row for row in reversed(found)}
            counts = Counter(row.rule for row in found)
            for rule, first in rules.items():
                listed.add_row(rule, f"{counts[rule]:,}", escape(f"{first.source}: {first.reason}"))
            OUT.print(listed)
    for name, reason in dataset.ignored:
        OUT.print(Text(f"passed over {name}: {reason}", style="dim"))


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Something that takes a while and does not say how far it is."""
    with ERRORS.status(what):
        yield


def show_breadth(found: Breadth) -> None:
    """The largest kinds of instruction and topics, how varied they are, and the warning where they are not."""
    looked = f" (a sample of {found.sampled:,})" if found.sampled < found.of else ""
    varied = {
        f"kinds of instruction{looked}: as varied as {found.effective_kinds:.1f} equally frequent ones": [
            (kind.name, kind.share, f"{kind.general:.0%} of the general set") for kind in found.kinds[:LISTED]
        ],
        f"topics: as varied as {found.effective_topics:.1f} equally frequent ones": [
            (topic.name, topic.share, "") for topic in found.topics[:LISTED]
        ],
    }
    for title, rows in varied.items():
        table = Table(show_header=False, box=None, padding=(0, 2))
        for name, share, beside in rows:
            table.add_row(escape(name), f"{share:.0%}", "\u2588" * max(1, round(20 * share)), beside)
        if rows:
            OUT.print(Text(title, style="bold"))
            OUT.print(table)
    if found.narrow:
        OUT.print(Text(found.warning, style="bold yellow"))
        OUT.print(Text(found.advice))


def show_estimate(needed: Estimate) -> None:
    """What a run would take."""
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, value in {
        "run": needed.run,
        "rows": f"{needed.rows:,} read, {needed.conversations:,} conversations tuned on, {needed.held_out:,} held out",
        "tokens": f"{needed.tokens:,} over {needed.epochs:g} epochs; {needed.trained_tokens:,} trained in an epoch",
        "steps": f"{needed.steps:,}, learning rate up to {needed.lr:g}",
        "time": f"about {needed.seconds / 60:,.0f} minutes, at {needed.tokens_per_second:,.0f} tokens/s",
        "memory": f"{needed.memory / 1e9:.1f} GB of {needed.memory_there / 1e9:.1f} GB",
        "disk": f"{needed.disk / 1e9:.2f} GB; {needed.disk_free / 1e9:,.0f} GB are free",
    }.items():
        table.add_row(f"[bold]{name}", escape(value))
    OUT.print(table)
    if needed.memory > needed.memory_there:
        say("This does not fit into memory: try adapter.kind=lora, tuning.checkpointing=true, or a smaller base.")


def show_preview(shown: Sequence[tuple[Example, tuple[Piece, ...]]]) -> None:
    """Conversations coloured by what is trained; without colours the trained parts stand in ⟦ ⟧."""
    for example, parts in shown:
        trained = sum(part.tokens for part in parts if part.trained)
        total = sum(part.tokens for part in parts)
        OUT.rule(Text(f"{example.source} · {trained} of {total} tokens trained"), align="left")
        line = Text()
        for part in parts:
            style = "bold green" if part.trained else "dim"
            text = part.text if not (part.trained and OUT.color_system is None) else f"⟦{part.text}⟧"
            line.append(text, style=f"{style} reverse" if part.control else style)
        OUT.print(line)
        counts = " · ".join(f"{'trained' if part.trained else 'seen'} {part.tokens}" for part in parts)
        OUT.print(Text(counts, style="dim"))


def show_checks(found: SelfCheck) -> None:
    """A line for each check, and what all of them say together."""
    styles = {"passed": "green", "failed": "bold red", "does not apply": "yellow"}
    table = Table("check", "", "measured", "limit", "what was looked at")
    for check in found.checks:
        numbers = ["–" if number is None else f"{number:.3g}" for number in (check.measured, check.limit)]
        table.add_row(check.name, Text(check.state, styles[check.state]), *numbers, escape(check.sentence))
    OUT.print(table)
    states = [check.state.value for check in found.checks]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    left = f" ({found.left_out} more could not be used)" if found.left_out else ""
    OUT.print(
        f"{escape(found.model)}, {found.layers} of {found.of_layers} layers, template {escape(found.template)}, "
        f"{found.conversations} conversations{left}: {counts}; {found.seconds:.0f} s on {found.device}"
    )


def show_runs(found: Sequence[Standing]) -> None:
    """A line for each run, or two where the terminal is narrow, and what is broken about it."""
    rows: list[tuple[str, ...]] = [
        ("run", "state", "steps", "loss", "hold-out", "best", "tokens/s", "adapter", "base", "when")
    ]
    rows += [_row(one) for one in found]
    widths = [max(cell_len(row[place]) for row in rows) for place in range(len(rows[0]))]
    wide = sum(widths) + 2 * len(widths) <= OUT.width or not OUT.is_terminal
    for row, one in zip(rows, (None, *found), strict=True):
        cells = [cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        _print("  ".join(cells if wide else cells[:7]).rstrip(), STATES.get(one.state, "") if one else "bold")
        if not wide and (one is None or one.manifest):
            _print(f"    {', '.join(row[7:])}", "dim")
        if one and one.problem:
            _print(f"    {one.problem}", "red")
    waiting = [str(one.folder) for one in found if one.resumable]
    if waiting:
        _print(f"Can be resumed: {', '.join(waiting)}. Go on with: tutelage resume {waiting[-1]}")


STATES = {"running": "cyan", "stopped": "yellow", "died": "red", "broken": "red"}


def _row(one: Standing) -> tuple[str, ...]:
    manifest, held = one.manifest, [loss for _, loss in one.held_out]
    return (
        str(one.folder),
        one.state,
        f"{one.done}/{manifest.of_steps}" if manifest else "-",
        f"{one.loss:.3f}" if one.loss is not None else "-",
        f"{held[-1]:.3f}" if held else "-",
        f"{min(held):.3f}" if held else "-",
        f"{one.tokens_per_second:,.0f}" if one.tokens_per_second else "-",
        manifest.adapter if manifest else "-",
        _short_name(manifest.base.get("name", "-")) if manifest else "-",
        _local(manifest.created) if manifest else "-",
    )


def _short_name(base: str) -> str:
    """A base's name in a list: of a long path its end."""
    return Path(base).name if Path(base).is_absolute() else base


def show_run(one: Standing) -> None:
    """The main facts of a run, and its losses drawn over its steps."""
    from tutelage.tuning.curve import MARKS, draw, smooth

    facts = {name: value for name, value in _facts(one).items() if value}
    for name, value in facts.items():
        _print(f"{name:<9} {value}", "red" if name == "problem" else "")
    plain, points = _is_plain(), [(step.step, step.loss) for step in one.steps]
    window = len(points) // 15 | 1  # the losses of a long run's small steps are mostly noise
    height = min(max(OUT.height - len(facts) - 4, 8), 24) if OUT.is_terminal else 16
    drawn = draw(smooth(points, window), one.held_out, OUT.width - 1, height, plain)
    if not drawn:
        return
    curve = Text(drawn)
    curve.highlight_regex(MARKS[plain], "bold magenta")
    OUT.print()
    OUT.print(curve)
    mean = f", mean of {window} steps" if window > 1 else ""
    held = f"   {MARKS[plain]} hold-out loss" if one.held_out else ""
    _print(f"{'*' if plain else '⠤⠒'} training loss{mean}{held}   (over steps)", "dim")


def _facts(one: Standing) -> dict[str, str]:
    manifest, steps, held = one.manifest, one.steps, one.held_out
    facts = {"run": str(one.folder), "state": one.state, "problem": one.problem}
    if one.holder and one.state != "finished":
        facts["state"] += f"; process {one.holder.pid} on {one.holder.host}, since {_local(one.holder.since)}"
    if one.resumable and manifest:
        facts["next"] = f"saved at step {manifest.steps:,}; go on with: tutelage resume {one.folder}"
    if manifest:
        facts["base"] = f"{manifest.base.get('name', '-')}, template {manifest.template}, {manifest.adapter}"
        facts["steps"] = f"{one.done:,} of {manifest.of_steps:,}"
        if one.state == "running" and steps:
            left = (manifest.of_steps - one.done) * sum(step.seconds for step in steps) / len(steps)
            facts["steps"] += f", about {left / 60:,.0f} minutes left"
    if steps:
        facts["loss"] = f"{steps[0].loss:.3f} at first, {steps[-1].loss:.3f} last"
    if held:
        best = min(held, key=lambda point: point[1])
        facts["hold-out"] = f"{held[-1][1]:.3f} last, {best[1]:.3f} at best, after step {best[0]:,}"
    if one.tokens_per_second:
        tokens, seconds = sum(step.tokens for step in steps), sum(step.seconds for step in steps)
        facts["speed"] = f"{one.tokens_per_second:,.0f} tokens/s; {tokens:,} tokens in {seconds / 60:,.1f} minutes"
    if manifest:
        device, precision = (manifest.machine.get(name, "-") for name in ("device", "precision"))
        memory = f", {manifest.peak_memory / 1e9:.1f} GB at most" if manifest.peak_memory else ""
        facts["machine"] = f"{device}, {precision}, {manifest.machine.get('threads', '-')} threads{memory}"
        facts["when"] = _local(manifest.created)
    return facts


def _local(utc: str) -> str:
    try:
        return f"{datetime.fromisoformat(utc).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return utc or "-"


def _is_plain() -> bool:
    """Whether to draw in ASCII: braille dots cannot be encoded, or the language is C, or it is a bare console."""
    try:
        "⣿●┤└".encode(OUT.encoding)
    except UnicodeEncodeError:
        return True
    language = os.environ.get("LC_ALL") or os.environ.get("LANG")  # Python itself turns LC_CTYPE=C into UTF-8
    return os.environ.get("TERM") == "linux" or (language in ("C", "POSIX") and bool(sys.flags.utf8_mode))


def _print(line: str, style: str = "") -> None:
    """A line on stdout; what its encoding does not have becomes a question mark."""
    OUT.print(Text(line.encode(OUT.encoding, "replace").decode(OUT.encoding), style=style))
