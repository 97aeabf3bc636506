"""What a person sees in a terminal: bars, tables, colours. Everything here goes to stderr, results to stdout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

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
    from tutelage.data.profile import Profile
    from tutelage.records import Dataset, Dropped, Example, Finding
    from tutelage.text.preview import Piece
    from tutelage.tuning.estimate import Estimate
    from tutelage.tuning.run import Run, Step

ERRORS = Console(stderr=True, highlight=False, soft_wrap=True)
OUT = Console(highlight=False, soft_wrap=True)


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
        self._bar.update(self._tasks[what], completed=done, total=of)


def show_dataset(dataset: Dataset, profile: Profile) -> None:
    """Counts of what was read, kept, dropped and flagged."""
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
    both: dict[str, Sequence[Dropped | Finding]] = {"dropped": dataset.dropped, "flagged": dataset.findings}
    for title, found in both.items():
        if found:
            listed = Table("rule", "rows", "first", title=f"{len(found):,} {title}", title_justify="left")
            rules = {row.rule: row for row in reversed(found)}
            for rule, first in rules.items():
                count = sum(row.rule == rule for row in found)
                listed.add_row(rule, f"{count:,}", escape(f"{first.source}: {first.reason}"))
            OUT.print(listed)
    for name, reason in dataset.ignored:
        OUT.print(Text(f"passed over {name}: {reason}", style="dim"))


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


def show_runs(runs: Sequence[Run]) -> None:
    """One line for each run."""
    table = Table("run", "base", "adapter", "steps", "loss", "hold-out", "state")
    for run in runs:
        manifest, steps = run.manifest(), run.steps()
        held = [step.held_out_loss for step in steps if step.held_out_loss is not None]
        table.add_row(
            str(run.folder),
            manifest.base["name"],
            manifest.adapter,
            f"{manifest.steps}/{manifest.of_steps}",
            f"{steps[-1].loss:.3f}" if steps else "–",
            f"{held[-1]:.3f}" if held else "–",
            "finished" if manifest.finished else "stopped",
        )
    OUT.print(table)
