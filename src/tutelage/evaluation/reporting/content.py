"""What a report says, as plain values: JSON, page and Markdown show these very ones, in the same words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tutelage import pages
from tutelage.evaluation.intervals import Interval

Value = str | int | float | Interval | None
"""A cell: a text, a number, a number with its interval, or nothing."""


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _seconds(value: float) -> str:
    if value < 90:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min" if value < 5400 else f"{value / 3600:.1f} h"


NUMBERS: Mapping[str, Callable[[Any], str]] = {
    "count": "{:,}".format,
    "mean": "{:,.1f}".format,
    "loss": lambda value: _minus(f"{value:.3f}"),
    "rate": lambda value: f"{value:.1e}",
    "share": "{:.0%}".format,
    "score": lambda value: _minus(f"{100 * value:.1f}"),
    "signed score": lambda value: _minus(f"{100 * value:+.1f}"),
    "signed percent": lambda value: _minus(f"{value:+.1%}"),
    "signed bits": lambda value: _minus(f"{value:+.3f}"),
    "signed mean": lambda value: _minus(f"{value:+,.1f}"),
    "seconds": _seconds,
    "bytes": pages.size,
}
"""How a number is shown, by the name of its form."""


def shown(value: Value, form: str) -> str:
    """A cell as a reader sees it; a dash where there is nothing, or nothing finite."""
    if isinstance(value, Interval):
        ends = [shown(end, form) for end in (value.value, value.low, value.high)]
        return ends[0] if "–" in ends[1:] else f"{ends[0]} ({ends[1]} to {ends[2]})"
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    return value if isinstance(value, str) else NUMBERS[form](value)


def plain(value: Value) -> Any:
    """A cell for JSON."""
    if isinstance(value, Interval):
        return value.to_json()
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its name in JSON, its heading, and the form of its numbers ("" for texts)."""

    key: str
    heading: str
    form: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row. `mark` is "ours" for the tuned model, "better" or "worse" where the row says so, "aside" for controls."""

    values: tuple[Value, ...]
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; `folded` ones are opened by the reader."""

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    folded: bool = False

    def cells(self) -> list[list[str]]:
        """Every row as a reader sees it."""
        forms = [column.form for column in self.columns]
        return [[shown(*pair) for pair in zip(row.values, forms, strict=True)] for row in self.rows]

    def to_json(self) -> dict[str, Any]:
        """Columns with their forms, and a row as an object by the columns' keys."""
        columns = [{"key": one.key, "heading": one.heading, "form": one.form} for one in self.columns]
        keys = [one.key for one in self.columns]
        rows = [dict(zip(keys, map(plain, row.values), strict=True)) for row in self.rows]
        return {"key": self.key, "caption": self.caption, "columns": columns, "rows": rows}


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a forest plot."""

    label: str
    interval: Interval
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Forest:
    """Intervals under one another, over one scale.

    Attributes:
        about: what it shows, for those who do not see it; its numbers stand in the table `of` too.
        neutral: where neither side is better; None: nowhere.
        sides: what it means to lie left and right of it.
        bounds: the ends of the scale where it has natural ones.
    """

    key: str
    about: str
    axis: str
    form: str
    bars: tuple[Bar, ...]
    neutral: float | None = None
    sides: tuple[str, str] = ("", "")
    bounds: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Curves:
    """Losses by step: `training` and `held_out` in nats per trained token, and the learning rate, as (step, value)."""

    key: str
    about: str
    training: tuple[tuple[int, float], ...]
    held_out: tuple[tuple[int, float], ...]
    rates: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A text on its own: commands to type (`code`), or what somebody wrote."""

    caption: str
    text: str
    code: bool = False
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A page that lies near the report: its address from the report's folder, and its path."""

    caption: str
    href: str
    path: str


Part = Table | Forest | Curves | Block | Link


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report under its own heading.

    Attributes:
        lead: what it says in a sentence or two; "" where the table says it.
        notes: what a reader must know to take the numbers for what they are.
    """

    key: str
    title: str
    lead: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """Those among its parts."""
        return tuple(part for part in self.parts if isinstance(part, Table))


@dataclass(frozen=True, slots=True)
class Headline:
    """What comes first. `tone` is better, worse or even; `word` says it in two or three words, `todo` what follows."""

    word: str
    text: str
    tone: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """One number at a glance."""

    key: str
    label: str
    value: Value
    form: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer; `how` is "" or "same" (as in the reference), or "ours" and "theirs" in a comparison."""

    text: str
    how: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer to a prompt, or its reference (`ends` is "" then).

    Attributes:
        pieces: the text, with what is the same as in the reference marked.
        ends: "stopped", "did not stop" or "repeats itself".
        score: by the task's scorer; reason: of it. loss: per token of the reference answer, in nats.
        same: share of the reference's words that stand in the answer in the same order.
    """

    name: str
    pieces: tuple[Piece, ...]
    ours: bool = False
    ends: str = ""
    tokens: int = 0
    score: float | None = None
    reason: str = ""
    loss: float | None = None
    same: float | None = None

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Item:
    """A prompt with its answers.

    Attributes:
        number: counted from 1 in the comparison.
        turns: who spoke, and what; the prompt itself is the last.
        gain: of the tuned model over the best opponent on this prompt, above 0 where it is better: in points of 1, or
            as a share of the opponent's loss. None where it was not measured.
        changes: from the best opponent's answer (`against`) to the tuned model's, word by word.
    """

    number: int
    id: str
    category: str
    turns: tuple[tuple[str, str], ...]
    answers: tuple[Said, ...]
    gain: float | None = None
    against: str = ""
    changes: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Answers:
    """Prompts side by side; `of` is how many were asked, `gain_form` how a gain is shown."""

    of: int
    note: str
    gain_form: str
    items: tuple[Item, ...]
    gained: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All of it, in the order in which it is read."""

    name: str
    subtitle: str
    headline: Headline
    verdict: Section | None
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]
    answers: Answers | None
    after: tuple[Section, ...]
    notes: tuple[str, ...] = ()

    @property
    def all_sections(self) -> tuple[Section, ...]:
        """Every section, in order."""
        first = (self.verdict,) if self.verdict else ()
        return (*first, *self.sections, *self.after)

    def to_json(self) -> dict[str, Any]:
        """Plain values; pictures are not among them, since their numbers stand in the tables."""
        head = self.headline
        return {
            "run": self.name,
            "about": self.subtitle,
            "verdict": {"word": head.word, "text": head.text, "tone": head.tone, "todo": head.todo},
            "at_a_glance": [
                {"key": one.key, "label": one.label, "value": plain(one.value), "form": one.form, "note": one.note}
                for one in self.tiles
            ],
            "sections": [_section(one) for one in self.all_sections],
            "answers": _answers(self.answers) if self.answers else None,
            "notes": list(self.notes),
        }


def _section(one: Section) -> dict[str, Any]:
    texts = [{"caption": part.caption, "text": part.text} for part in one.parts if isinstance(part, Block)]
    links = [{"caption": part.caption, "path": part.path} for part in one.parts if isinstance(part, Link)]
    return {
        "key": one.key,
        "title": one.title,
        "lead": one.lead,
        "notes": list(one.notes),
        "tables": [table.to_json() for table in one.tables],
        "texts": texts,
        "links": links,
    }


def _answers(found: Answers) -> dict[str, Any]:
    return {
        "prompts": found.of,
        "shown": len(found.items),
        "note": found.note,
        "gain_form": found.gain_form,
        "items": [_item(one) for one in found.items],
    }


def _item(one: Item) -> dict[str, Any]:
    names = ("name", "ends", "tokens", "score", "reason", "loss", "same", "text")
    answers = [{name: plain(getattr(said, name)) for name in names} for said in one.answers]
    turns = [{"who": who, "text": text} for who, text in one.turns]
    return {"number": one.number, "id": one.id, "category": one.category, "gain": plain(one.gain)} | {
        "turns": turns,
        "answers": answers,
    }


def unique(sections: Sequence[Section]) -> bool:
    """Whether every table has a key of its own: pages and scripts find them by it."""
    keys = [table.key for section in sections for table in section.tables]
    return len(keys) == len(set(keys))
