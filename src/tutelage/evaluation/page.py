"""compare.html: one page without scripts or network, in which people's and models' text stays text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from tutelage import pages
from tutelage.evaluation.answers import Answer
from tutelage.evaluation.results import OTHER_TOKENS, Asked, Comparison, ContenderResult
from tutelage.model.generate import LOOP_TIMES, LOOP_TOKENS
from tutelage.records import Role, Turn
from tutelage.tuning.run import Step

ROLES = {Role.USER: "asked", Role.ASSISTANT: "answered", Role.SYSTEM: "system", Role.TOOL: "tool"}
PAGE = Path(__file__).with_name("page.html")


def page(comparison: Comparison, steps: Sequence[Step] = ()) -> str:
    """The whole page. Everything that comes from data or models stands in it as escaped text."""
    skeleton, policy = pages.skeleton(PAGE)
    curve = _curve(steps)
    return Template(skeleton).substitute(
        policy=escape(policy, quote=False),
        name=escape(Path(comparison.run).resolve().name),
        how=_how(comparison),
        tone=_tone(comparison),
        verdict=escape(comparison.verdict.text),
        numbers=_numbers(comparison),
        chart=f'<section class="card"><h2>Loss while tuning</h2>{curve}</section>' if curve else "",
        items="\n".join(_item(comparison, place, asked) for place, asked in enumerate(comparison.prompts)),
    )


def _how(comparison: Comparison) -> str:
    decoding = comparison.decoding
    greedy = decoding.temperature == 0
    how = "always the likeliest token" if greedy else f"temperature {decoding.temperature:g}"
    return (
        f"The tuned model beside its base, on the same {len(comparison.prompts):,} prompts. "
        f"Answers have at most {decoding.max_new_tokens:,} tokens; {how}."
    )


def _tone(comparison: Comparison) -> str:
    low = comparison.verdict.low
    return "better" if comparison.better else "worse" if low is not None and low > 0 else "even"


def _numbers(comparison: Comparison) -> str:
    losses = [result.loss for result in comparison.contenders if result.loss is not None]
    lowest = min(losses) if losses and comparison.one_tokenizer else None
    rows = "".join(_row(result, lowest) for result in comparison.contenders)
    headings = ("loss per token", "with stop token", "stopped", "looped", "tokens per answer")
    head = "".join(f'<th class="n">{heading}</th>' for heading in headings)
    return (
        f"<table><thead><tr><th>contender</th><th>format</th>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"{_notes(comparison)}"
    )


def _row(result: ContenderResult, lowest: float | None) -> str:
    best = " best" if result.loss is not None and result.loss == lowest else ""
    with_stop = _loss(result.loss_with_stop)
    return (
        f"<tr><td>{escape(result.name)}</td><td>{escape(result.format)}</td>"
        f'<td class="n{best}">{_loss(result.loss)}</td><td class="n">{with_stop}</td>'
        f'<td class="n">{result.stop_rate:.0%}</td><td class="n">{result.loop_rate:.0%}</td>'
        f'<td class="n">{result.mean_tokens:.0f}</td></tr>'
    )


def _loss(value: float | None) -> str:
    return "&ndash;" if value is None else f"{value:.3f}"


def _notes(comparison: Comparison) -> str:
    notes = [
        "Loss: nats per token of the held-out reference answers; lower is better. Stopped: answers that the "
        "model ended itself. The base is shown in the format in which it expects the reference answers best, "
        "and its answers also count as stopped where it begins the next turn. Looped: answers that were cut, and "
        f"do not count as stopped, because they said the same {LOOP_TIMES} times over ({LOOP_TOKENS} tokens or more)."
    ]
    if comparison.left_out:
        notes.append(f"{comparison.left_out:,} held-out conversations did not fit every contender.")
    if not comparison.one_tokenizer:
        notes.append(OTHER_TOKENS)
    made = "".join(f'<p class="soft">{escape(note)}</p>' for note in notes)
    for result in comparison.contenders:
        if result.formats:
            made += _formats(result)
    for text in dict.fromkeys(result.system for result in comparison.contenders if result.system):
        made += _fold("The written system prompt", f'<div class="text">{escape(text)}</div>')
    return made


def _formats(result: ContenderResult) -> str:
    rows = "".join(
        f'<tr><td>{escape(tried.name)}</td><td class="n">{tried.loss:.3f}</td>'
        f'<td class="n">{tried.loss_with_stop:.3f}</td><td class="n">{tried.conversations:,}</td></tr>'
        for tried in result.formats
    )
    headings = ("loss per token", "with stop token", "conversations")
    head = "<tr><th>format</th>" + "".join(f'<th class="n">{heading}</th>' for heading in headings) + "</tr>"
    note = '<p class="soft">All were tried on the first conversations, the two best on more.</p>'
    return _fold(
        f"{result.name}: every format that was tried",
        f"{note}<table><thead>{head}</thead><tbody>{rows}</tbody></table>",
    )


def _fold(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def _item(comparison: Comparison, place: int, asked: Asked) -> str:
    columns = []
    if asked.reference is not None:
        columns.append(_column("reference", asked.reference, ""))
    for result in comparison.contenders:
        answer = result.answers[place]
        columns.append(_column(result.name, answer.answer, _badges(answer), result.name == "tuned"))
    earlier = "".join(_turn(turn) for turn in asked.turns[:-1])
    if earlier:
        earlier = _fold("What was said before", earlier)
    return (
        f'<article class="item"><header><span class="id">{escape(asked.id)}</span>{earlier}'
        f'{_turn(asked.turns[-1])}</header><div class="columns">{"".join(columns)}</div></article>'
    )


def _turn(turn: Turn) -> str:
    return f'<div class="role">{ROLES[turn.role]}</div><div class="text">{escape(turn.text)}</div>'


def _column(name: str, text: str, badges: str, ours: bool = False) -> str:
    kind = "column ours" if ours else "column"
    return f'<div class="{kind}"><h3>{escape(name)}</h3>{badges}<div class="text">{escape(text)}</div></div>'


def _badges(answer: Answer) -> str:
    kind, end = ("yes", "stopped") if answer.stopped else ("no", "repeats itself" if answer.looped else "did not stop")
    count = f'<span class="badge">{answer.tokens:,} tokens</span>'
    return f'<div><span class="badge {kind}">{end}</span>{count}</div>'


WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 520, 240, 44, 30, 22
MOST_POINTS = 600


def _curve(steps: Sequence[Step]) -> str:
    """The training loss by step, and the hold-out's where it was measured; "" with fewer than two steps."""
    known = [step for step in steps if math.isfinite(step.loss)]
    if len(known) < 2:
        return ""
    held = [(step.step, step.held_out_loss) for step in known if step.held_out_loss is not None]
    values = [step.loss for step in known] + [loss for _, loss in held]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    first, last = known[0].step, known[-1].step

    def at(step: int, loss: float) -> str:
        across = LEFT + (WIDTH - LEFT - 8) * (step - first) / max(1, last - first)
        return f"{across:.1f},{TOP + (HEIGHT - TOP - BOTTOM) * (high - loss) / span:.1f}"

    every = -(-len(known) // MOST_POINTS)
    points = " ".join(at(step.step, step.loss) for step in known[::every])
    made = [_axes(low, high, first, last), f'<polyline class="curve" points="{points}"/>']
    label = "training"
    if held:
        label = "grey: training, green: hold-out"
        made.append(f'<polyline class="held" points="{" ".join(at(*point) for point in held)}"/>')
        for across, down in (at(*point).split(",") for point in held):
            made.append(f'<circle class="dot" cx="{across}" cy="{down}" r="3"/>')
    made.append(f'<text x="{WIDTH - 8}" y="12" text-anchor="end">{label} (nats per token)</text>')
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Loss by step">{"".join(made)}</svg>'


def _axes(low: float, high: float, first: int, last: int) -> str:
    made = []
    for part in range(4):
        down = TOP + (HEIGHT - TOP - BOTTOM) * part / 3
        value = high - (high - low) * part / 3
        made.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 8}" y1="{down:.1f}" y2="{down:.1f}"/>')
        made.append(f'<text x="{LEFT - 6}" y="{down + 4:.1f}" text-anchor="end">{value:.2f}</text>')
    foot = HEIGHT - 10
    made.append(f'<text x="{LEFT}" y="{foot}">step {first:,}</text>')
    made.append(f'<text x="{WIDTH - 8}" y="{foot}" text-anchor="end">step {last:,}</text>')
    return "".join(made)
