"""A comparison for people: a table and a few answers in the terminal; JSON and a page of HTML in the run."""

from __future__ import annotations

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tutelage.evaluation.page import page
from tutelage.evaluation.results import OTHER_TOKENS, Asked, Comparison, ContenderResult
from tutelage.tuning.run import Run, write_text

SHOWN_CHARACTERS = 700


def save(comparison: Comparison, run: Run) -> None:
    """Write compare.json and compare.html into the run's folder."""
    write_text(run.folder / "compare.json", comparison.to_json())
    write_text(run.folder / "compare.html", page(comparison, run.steps()))


def in_words(result: ContenderResult) -> str:
    """One contender's numbers in a line."""
    parts = [f"format {result.format}"]
    if result.loss is not None:
        parts.append(f"loss per answer token {result.loss:.3f}")
    parts.append(f"stopped {result.stop_rate:.0%}")
    parts.append(f"looped {result.loop_rate:.0%}")
    parts.append(f"{result.mean_tokens:.0f} tokens an answer")
    return ", ".join(parts)


def table(comparison: Comparison) -> Table:
    """The numbers of all contenders."""
    made = Table(title=None, title_justify="left", header_style="bold")
    made.add_column("contender")
    made.add_column("format")
    for heading in ("loss/token", "with stop", "stopped", "looped", "tokens/answer"):
        made.add_column(heading, justify="right")
    lowest = min((result.loss for result in comparison.contenders if result.loss is not None), default=None)
    for result in comparison.contenders:
        best = result.loss is not None and result.loss == lowest and comparison.one_tokenizer
        made.add_row(
            _text(result.name),
            _text(result.format),
            Text(number(result.loss), style="bold green" if best else ""),
            number(result.loss_with_stop),
            f"{result.stop_rate:.0%}",
            f"{result.loop_rate:.0%}",
            f"{result.mean_tokens:.0f}",
        )
    return made


def number(value: float | None) -> str:
    """A loss with three places, a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def formats_line(result: ContenderResult) -> str:
    """What each format gave for a base model, the best first, and on how many conversations."""
    return ", ".join(f"{tried.name} {tried.loss:.3f} (of {tried.conversations})" for tried in result.formats)


def show(comparison: Comparison, console: Console, answers: int = 3) -> None:
    """Print the table, the verdict and the first few prompts with all answers.

    Args:
        answers: prompts shown.
    """
    console.print(table(comparison))
    for result in comparison.contenders:
        if result.formats:
            line = f"{result.name}, loss per token by format: {formats_line(result)}"
            console.print(_text(line, "dim"))
    if comparison.left_out:
        line = f"{comparison.left_out} held-out conversations did not fit every contender."
        console.print(Text(line, style="dim"))
    if not comparison.one_tokenizer:
        console.print(Text(OTHER_TOKENS, style="dim"))
    for place, asked in enumerate(comparison.prompts[:answers]):
        console.print(_side_by_side(comparison, place, asked))
    console.print(_text(comparison.verdict.text, "bold green" if comparison.better else "bold"))


def _side_by_side(comparison: Comparison, place: int, asked: Asked) -> Panel:
    grid = Table(expand=True, show_lines=False, box=None, padding=(0, 1))
    grid.add_column("", ratio=1, style="dim")
    grid.add_column("", ratio=5)
    grid.add_row("asked", _text(asked.turns[-1].text))
    if asked.reference is not None:
        grid.add_row("reference", _text(asked.reference, "green"))
    for result in comparison.contenders:
        answer = result.answers[place]
        end = "" if answer.stopped else "  … repeats itself" if answer.looped else "  … did not stop"
        grid.add_row(_text(result.name), _text(answer.answer).append(end, style="red"))
    return Panel(grid, title=_text(asked.id), title_align="left", border_style="dim")


def _text(text: str, style: str = "") -> Text:
    """Text fit for a terminal: without control characters, which could move the cursor, and not too long."""
    clean = "".join(c for c in text if c.isprintable() or c == "\n").strip()
    return Text(clean if len(clean) <= SHOWN_CHARACTERS else clean[:SHOWN_CHARACTERS] + " …", style)
