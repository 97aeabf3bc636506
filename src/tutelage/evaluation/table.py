"""A comparison in the terminal: its table, a few answers side by side, and the verdict."""

from __future__ import annotations

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tutelage.evaluation.results import OTHER_TOKENS, Asked, Comparison, ContenderResult
from tutelage.evaluation.verdict import Verdict, signed
from tutelage.pages import readable

SHOWN_CHARACTERS = 700


def in_words(result: ContenderResult) -> str:
    """One contender's numbers in a line."""
    parts = [f"format {result.format}"]
    if score := result.score:
        parts.append(f"score {100 * score.value:.1f}")
    if result.loss is not None:
        parts.append(f"loss per answer token {result.loss:.3f}")
    parts.append(f"stopped {result.stop_rate:.0%}")
    parts.append(f"looped {result.loop_rate:.0%}")
    parts.append(f"{result.mean_tokens:.0f} tokens an answer")
    return ", ".join(parts)


def table(comparison: Comparison) -> Table:
    """The numbers of all contenders; nothing of them is cut where a terminal is narrow."""
    made = Table(title=None, title_justify="left", header_style="bold")
    made.add_column("contender", overflow="fold")
    made.add_column("format", overflow="fold")
    scored = any(result.scores for result in comparison.contenders)
    headings = ["loss/token", "with stop", "stopped", "looped", "tokens read", "written"]
    for heading in ["score", *headings] if scored else headings:
        made.add_column(heading, justify="right", overflow="fold")
    decisive = [_decisive(comparison, result) for result in comparison.contenders]
    best = max((value for value in decisive if value is not None), default=None)
    for result, value in zip(comparison.contenders, decisive, strict=True):
        style = "bold green" if value is not None and value == best else ""
        of_loss = "" if scored else style
        read = result.mean_prompt_tokens
        cells = [
            number(result.loss, of_loss),
            number(result.loss_with_stop),
            Text(f"{result.stop_rate:.0%}"),
            Text(f"{result.loop_rate:.0%}"),
            Text("–" if read is None else f"{read:,.0f}"),
            Text(f"{result.mean_tokens:,.0f}"),
        ]
        if scored:
            cells.insert(0, Text(f"{100 * result.score.value:.1f}" if result.score else "–", style=style))
        made.add_row(_text(_of_seeds(result)), _text(result.format), *cells)
    return made


def _decisive(comparison: Comparison, result: ContenderResult) -> float | None:
    """The number that decides, the larger the better; None where this contender has none, or none to be compared."""
    if comparison.verdict.metric.score:
        return result.score.value if result.score else None
    return None if result.loss is None or not comparison.one_tokenizer else -result.loss


def _of_seeds(result: ContenderResult) -> str:
    return f"{result.name} ({len(result.seeds)} seeds)" if result.more else result.name


def gain_of(verdict: Verdict, opponent: str) -> str:
    """What the tuned model gains over one opponent, with its interval; "" where they were not compared."""
    found = next((one.interval for one in verdict.gains if one.opponent == opponent), None)
    if found is None:
        return ""
    value, low, high = (signed(end, verdict.metric) for end in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def number(value: float | None, style: str = "") -> Text:
    """A loss with three places, a dash where there is none."""
    return Text("–" if value is None else f"{value:.3f}", style=style)


def formats_line(result: ContenderResult) -> str:
    """What each format gave for a base model, the best first, and on how many conversations."""
    return ", ".join(f"{tried.name} {tried.loss:.3f} (of {tried.conversations})" for tried in result.formats)


def show(comparison: Comparison, console: Console, answers: int = 3) -> None:
    """Print the table, the verdict and the first few prompts with all answers.

    Args:
        answers: prompts shown.
    """
    for place, asked in enumerate(comparison.prompts[:answers]):
        console.print(_side_by_side(comparison, place, asked))
    console.print(table(comparison))
    for result in comparison.contenders:
        if result.formats:
            line = f"{result.name}, loss per token by format: {formats_line(result)}"
            console.print(_text(line, "dim"))
    for one in comparison.verdict.gains:
        console.print(_text(f"tuned gains over {one.opponent}: {gain_of(comparison.verdict, one.opponent)}"))
    for note in comparison.notes:
        console.print(_text(note, "dim"))
    if comparison.left_out:
        line = f"{comparison.left_out} held-out conversations did not fit every contender."
        console.print(Text(line, style="dim"))
    if not comparison.one_tokenizer:
        console.print(Text(OTHER_TOKENS, style="dim"))
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
        shown = _text(answer.answer).append(end, style="red")
        if result.scores:
            shown.append(f"  [{100 * result.scores[place]:.0f}: {_text(result.reasons[place])}]", style="dim")
        grid.add_row(_text(result.name), shown)
    return Panel(grid, title=_text(asked.id), title_align="left", border_style="dim")


def _text(text: str, style: str = "") -> Text:
    """Text fit for a terminal: without control characters, which could move the cursor, and not too long."""
    clean = readable(text).strip()
    return Text(clean if len(clean) <= SHOWN_CHARACTERS else clean[:SHOWN_CHARACTERS] + " …", style)
