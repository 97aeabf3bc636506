"""report.html: one page without scripts or network, in which people's and models' text stays text."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

from tutelage import pages
from tutelage.evaluation.reporting.content import (
    Answers,
    Curves,
    Forest,
    Item,
    Link,
    Part,
    Piece,
    Report,
    Said,
    Section,
    Table,
    Tile,
    shown,
)
from tutelage.evaluation.reporting.pictures import picture

PAGE = Path(__file__).with_name("report.html")
OPEN = 5
"""Prompts whose answers are seen at once; the others are opened."""
SUMMARY = 110
"""Characters of a prompt in the line that opens it."""
UNDRAWN = "The picture is not drawn, since matplotlib is missing: pip install 'tutelage[report]', and write it again."


def page(report: Report) -> str:
    """The whole page. Everything that comes from data or models stands in it as escaped text.

    Args:
        report: tidied; see `tidy`.
    """
    skeleton, policy = pages.skeleton(PAGE)
    head = report.headline
    sections = [*report.sections, *report.after]
    first = _section(report.verdict) if report.verdict else ""
    return Template(skeleton).substitute(
        policy=escape(policy, quote=False),
        name=escape(report.name),
        about=escape(report.subtitle),
        tone=head.tone if head.tone in ("better", "worse", "even") else "even",
        word=escape(head.word),
        verdict=escape(head.text),
        todo=escape(head.todo),
        notes="".join(f'<p class="warn">{escape(note)}</p>' for note in report.notes),
        tiles="".join(_tile(one) for one in report.tiles),
        contents=_contents(report, sections),
        first=first,
        before="\n".join(_section(one) for one in report.sections),
        answers=_answers(report.answers) if report.answers else "",
        after="\n".join(_section(one) for one in report.after),
    )


def _contents(report: Report, sections: list[Section]) -> str:
    named = [(one.key, one.title) for one in sections]
    if report.verdict:
        named.insert(0, (report.verdict.key, report.verdict.title))
    if report.answers:
        named.insert(len(report.sections) + bool(report.verdict), ("answers", "Answers side by side"))
    return "".join(f'<a href="#{escape(key)}">{escape(title)}</a>' for key, title in named)


def _tile(one: Tile) -> str:
    note = f'<div class="note">{escape(one.note)}</div>' if one.note else ""
    value = escape(shown(one.value, one.form))
    return f'<div class="tile"><div class="big">{value}</div><div>{escape(one.label)}</div>{note}</div>'


def _section(one: Section) -> str:
    lead = f"<p>{escape(one.lead)}</p>" if one.lead else ""
    notes = "".join(f'<p class="soft">{escape(note)}</p>' for note in one.notes)
    parts = "".join(_part(part) for part in one.parts)
    return f'<section class="card" id="{escape(one.key)}"><h2>{escape(one.title)}</h2>{lead}{parts}{notes}</section>'


def _part(part: Part) -> str:
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Forest | Curves):
        return _picture(part)
    if isinstance(part, Link):
        link = f'<a href="{escape(part.href)}">{escape(part.caption)}</a>'
        return f'<p>{link} <span class="soft">{escape(part.path)}</span></p>'
    text = (
        f'<pre class="text">{escape(part.text)}</pre>' if part.code else f'<div class="text">{escape(part.text)}</div>'
    )
    return _fold(part.caption, text) if part.folded else text


def _fold(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def _picture(part: Forest | Curves) -> str:
    """Wide and narrow; the page shows one of them. Without matplotlib, a sentence in their place."""
    try:
        wide, narrow = picture(part)
    except ImportError:
        return f'<p class="soft">{escape(UNDRAWN)}</p>'
    if not wide:
        return ""
    return f'<figure><div class="wide">{wide}</div><div class="narrow">{narrow}</div></figure>'


def _table(part: Table) -> str:
    if not part.rows:
        return ""
    numeric = [' class="n"' if column.form else "" for column in part.columns]
    head = "".join(
        f'<th scope="col"{kind}>{escape(column.heading)}</th>'
        for column, kind in zip(part.columns, numeric, strict=True)
    )
    rows = ""
    for row, cells in zip(part.rows, part.cells(), strict=True):
        mark = f' class="{row.mark}"' if row.mark in ("ours", "better", "worse", "aside") else ""
        made = "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(cells, numeric, strict=True))
        rows += f"<tr{mark}>{made}</tr>"
    caption = "" if part.folded else f"<caption>{escape(part.caption)}</caption>"
    table = f'<div class="scroll"><table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    return _fold(part.caption, table) if part.folded else table


def _answers(found: Answers) -> str:
    jumps = ""
    for title, numbers in (("Gained most", found.gained), ("Lost most", found.lost)):
        if numbers:
            links = " ".join(f'<a href="#prompt-{number}">{number:,}</a>' for number in numbers)
            jumps += f"<p>{title}: prompts {links}</p>"
    counts = f"{len(found.items):,} of {found.of:,} prompts."
    items = "\n".join(_item(one, found.gain_form, place < OPEN) for place, one in enumerate(found.items))
    return (
        f'<section id="answers"><h2>Answers side by side</h2><p class="soft">{counts} {escape(found.note)}</p>'
        f"{jumps}{items}</section>"
    )


def _item(one: Item, gain_form: str, opened: bool) -> str:
    asked = " ".join(one.turns[-1][1].split()) if one.turns else ""
    line = asked if len(asked) <= SUMMARY else f"{asked[:SUMMARY].rstrip()} …"
    gain = ""
    if one.gain is not None:
        tone = "yes" if one.gain > 0 else "no" if one.gain < 0 else ""
        gain = f'<span class="badge {tone}">{escape(shown(one.gain, gain_form))} over {escape(one.against)}</span>'
    category = f'<span class="badge">{escape(one.category)}</span>' if one.category else ""
    turns = "".join(
        f'<div class="role">{escape(who)}</div><div class="text">{escape(text)}</div>' for who, text in one.turns
    )
    columns = "".join(_said(said) for said in one.answers)
    changed = ""
    if one.changes and any(piece.how for piece in one.changes):
        inner = f'<div class="text">{"".join(map(_change, one.changes))}</div>'
        changed = f'<div class="changed">{_fold(f"From the answer of {one.against} to the tuned one", inner)}</div>'
    return (
        f'<details class="item" id="prompt-{one.number}"{" open" if opened else ""}><summary><b>{one.number:,}</b> '
        f'{escape(line)} {gain}</summary><div class="asked">{category}<span class="id">{escape(one.id)}</span>{turns}'
        f'</div><div class="columns">{columns}</div>{changed}</details>'
    )


def _said(one: Said) -> str:
    kind = "column ours" if one.ours else "column"
    badges = []
    if one.ends:
        badges.append(("yes" if one.ends == "stopped" else "no", one.ends))
        badges.append(("", f"{one.tokens:,} tokens"))
    if one.score is not None:
        badges.append(("", f"score {shown(one.score, 'score')}"))
    if one.loss is not None:
        badges.append(("", f"loss {shown(one.loss, 'loss')}"))
    if one.same is not None:
        badges.append(("", f"{shown(one.same, 'share')} of the reference's words"))
    marks = "".join(f'<span class="badge {tone}">{escape(text)}</span>' for tone, text in badges)
    reason = f'<p class="soft">{escape(one.reason)}</p>' if one.reason else ""
    text = "".join(map(_piece, one.pieces)) or '<span class="soft">(nothing)</span>'
    return (
        f'<div class="{kind}"><h3>{escape(one.name)}</h3><div>{marks}</div><div class="text">{text}</div>{reason}</div>'
    )


def _piece(one: Piece) -> str:
    return f"<mark>{escape(one.text)}</mark>" if one.how == "same" else escape(one.text)


def _change(one: Piece) -> str:
    tag = {"ours": "ins", "theirs": "del"}.get(one.how)
    return f"<{tag}>{escape(one.text)}</{tag}>" if tag else escape(one.text)
