"""report.md: the same report as Markdown, in which people's and models' text stays text."""

from __future__ import annotations

import re

from tutelage.evaluation.reporting.content import Answers, Block, Item, Link, Part, Report, Said, Section, Table, shown

_ACTING = re.compile(r"[\\`*_\[\]<>&|~#!$:@]")
_LEADING = re.compile(r"^(\d{1,9})?([-+=.)])(?=\s|$|[-+=])")
_TICKS = re.compile("`+")


def inline(text: str) -> str:
    """A text in a line of Markdown, on which nothing in it has an effect: no markup, link, table or block."""
    line = _ACTING.sub(lambda hit: f"\\{hit[0]}", " ".join(text.split()))
    line = line.replace("www.", "www\\.")
    return _LEADING.sub(lambda hit: f"{hit[1] or ''}\\{hit[2]}", line)


def _bold(text: str) -> str:
    return f"**{inline(text) or '–'}**"  # without a text the stars alone would be a rule across the page


def fenced(text: str) -> str:
    """A text as a block that is shown as it is: its fence is longer than any that the text holds."""
    longest = max(map(len, _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def markdown(report: Report) -> str:
    """The whole report.

    Args:
        report: tidied; see `tidy`.
    """
    head = report.headline
    made = [f"# {inline(report.name)}", inline(report.subtitle), f"## {inline(head.word)}", inline(head.text)]
    made += [_bold(head.todo)] if head.todo else []
    made += [f"> {inline(note)}" for note in report.notes]
    if report.tiles:
        made.append("\n".join(_tile(one.label, shown(one.value, one.form), one.note) for one in report.tiles))
    made += _section(report.verdict) if report.verdict else []
    made += _answers(report.answers) if report.answers else []
    for one in (*report.sections, *report.after):
        made += _section(one)
    return "\n\n".join(one for one in made if one) + "\n"


def _tile(label: str, value: str, note: str) -> str:
    more = f": {inline(note)}" if note else ""
    return f"- {_bold(value)} {inline(label)}{more}"


def _section(one: Section) -> list[str]:
    parts = [text for part in one.parts for text in _part(part)]
    return [f"## {inline(one.title)}", inline(one.lead), *parts, *map(inline, one.notes)]


def _part(part: Part) -> list[str]:
    if isinstance(part, Table):
        return [f"### {inline(part.caption)}", _table(part)] if part.rows else []
    if isinstance(part, Block):
        return [f"### {inline(part.caption)}", fenced(part.text)]
    if isinstance(part, Link):
        return [f"[{inline(part.caption)}](<{part.href}>) {inline(part.path)}"]
    return []


def _table(part: Table) -> str:
    head = " | ".join(inline(column.heading) or " " for column in part.columns)
    rule = " | ".join("---:" if column.form else "---" for column in part.columns)
    rows = [" | ".join(inline(cell) or " " for cell in cells) for cells in part.cells()]
    return "\n".join(f"| {line} |" for line in (head, rule, *rows))


def _answers(found: Answers) -> list[str]:
    made = ["## Answers side by side", inline(f"{len(found.items):,} of {found.of:,} prompts. {found.note}")]
    for title, numbers in (("Gained most", found.gained), ("Lost most", found.lost)):
        if numbers:
            made.append(f"{title}: prompts {', '.join(f'{number:,}' for number in numbers)}")
    return made + [text for one in found.items for text in _item(one, found.gain_form)]


def _item(one: Item, gain_form: str) -> list[str]:
    parts = [one.id, one.category]
    if one.gain is not None:
        parts.append(f"{shown(one.gain, gain_form)} over {one.against}")
    made = [f"### {one.number:,}: {inline(', '.join(part for part in parts if part))}"]
    for who, text in one.turns:
        made += [f"{inline(who) or 'before'}:", fenced(text)]
    return made + [text for said in one.answers for text in _said(said)]


def _said(one: Said) -> list[str]:
    parts = [one.ends, f"{one.tokens:,} tokens"] if one.ends else []
    parts += [f"score {shown(one.score, 'score')}"] if one.score is not None else []
    parts += [f"loss {shown(one.loss, 'loss')}"] if one.loss is not None else []
    parts += [f"{shown(one.same, 'share')} of the reference's words"] if one.same is not None else []
    parts += [one.reason] if one.reason else []
    told = f" ({inline(', '.join(parts))})" if parts else ""
    return [f"{_bold(one.name)}{told}", fenced(one.text)]
