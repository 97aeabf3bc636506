"""Rows of a file some at a time, and what becomes of them: the part of reading that several processes share out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from tutelage.data import columns, formats
from tutelage.data.drafts import Draft, finish
from tutelage.data.formats import Format
from tutelage.data.jsonrows import parsed
from tutelage.data.opening import Kind, lines, open_bytes
from tutelage.data.rows import Row, RowError, passed_over
from tutelage.data.sources import DataFile, rows
from tutelage.data.spool import Made, Packed, packed
from tutelage.errors import DataError, UsageError
from tutelage.recipe import DataSettings
from tutelage.records import Dropped, Source

FIRST = 200
"""Rows of a file's first batch, from which its format is recognised."""
ROWS = 2000
BYTES = 8 * 1024**2
"""A batch is full when it has so many rows, or a file's lines of so many bytes."""
Line = tuple[int, bytes | None]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a file: read already, or lines of JSON with their numbers."""

    file: str
    ready: Sequence[Row | Dropped] = ()
    lines: Sequence[Line] = ()

    def rows(self) -> Iterator[Row | Dropped]:
        """The rows, and in place of those that cannot be read the reason."""
        yield from self.ready
        yield from parsed(self.file, self.lines)


@dataclass(slots=True)
class Converted:
    """What became of a batch.

    Attributes:
        rows: how many there were.
        passed: how many of them became no conversation.
        made: conversations; none where they are in `pack`.
        dropped: rows and conversations that cannot be used, each with the number of its row in the batch, from 1.
        repairs: small mends by name.
    """

    rows: int = 0
    passed: int = 0
    made: list[Made] = field(default_factory=list)
    dropped: list[tuple[int, Dropped]] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)
    pack: Packed | None = None


def batches(file: DataFile) -> Iterator[Batch]:
    """The rows of a file in order. Where it cannot be read on, those read before come first.

    Raises:
        DataError: as `sources.rows`.
    """
    most, size, raised = FIRST, 0, None
    ready: list[Row | Dropped] = []
    raw: list[Line] = []
    try:
        for each in _lines(file) if file.kind is Kind.JSONL else rows(file):
            if isinstance(each, tuple):
                raw.append(each)
                size += len(each[1] or b"")
            else:
                ready.append(each)
            if len(raw) + len(ready) >= most or size >= BYTES:
                yield Batch(str(file.path), ready, raw)
                most, size, ready, raw = ROWS, 0, [], []
    except DataError as error:
        raised = error
    if raw or ready:
        yield Batch(str(file.path), ready, raw)
    if raised:
        raise raised


def _lines(file: DataFile) -> Iterator[Line]:
    with open_bytes(file.path) as stream:
        yield from ((number, line) for number, line in lines(stream) if line is None or line.strip())


def asked_format(settings: DataSettings) -> Format | None:
    """The format that the settings ask for; None where it is to be recognised.

    Raises:
        UsageError: for an unknown format or a wrong mapping of columns.
    """
    if settings.columns:
        if settings.format != "auto":
            raise UsageError(f"columns and format ({settings.format}) contradict each other; give one of them")
        return columns.mapped(settings.columns)
    if settings.instruction:
        told = "data.instruction is put before the prompts of a table read with columns"
        raise UsageError(f"{told}: give data.columns=prompt=…,response=… too")
    return None if settings.format == "auto" else formats.named(settings.format)


@lru_cache(maxsize=8)
def _format(settings: DataSettings, name: str) -> Format | None:
    return (asked_format(settings) or formats.named(name)) if name else None


def converted(batch: Batch, settings: DataSettings, name: str) -> Converted:
    """The conversations of a batch, by the format of that name; none where the name is "", as of a file of bad rows."""
    found, format = Converted(), _format(settings, name)
    for found.rows, row in enumerate(batch.rows(), 1):
        outcome = convert(row, format, settings, found) if isinstance(row, Row) and format else row
        if isinstance(outcome, Dropped):
            found.passed += 1
            found.dropped.append((found.rows, outcome))
    return found


def packed_up(batch: Batch, settings: DataSettings, name: str) -> Converted:
    """As `converted`, with the conversations as bytes."""
    found = converted(batch, settings, name)
    found.pack, found.made = packed(found.made), []
    return found


def convert(row: Row, format: Format, settings: DataSettings, found: Converted) -> Dropped | None:
    """A row's conversations into `found`; or why there are none."""
    try:
        check_columns(row, format)
        drafts = list(format.convert(row, settings))
        if not drafts:
            raise RowError("holds no conversation", "layout")
    except RowError as error:
        return passed_over(row.source, error)
    for draft in drafts:
        keep(draft, row.source, found)
    return None


def check_columns(row: Row, format: Format) -> None:
    """
    Raises:
        RowError: where the row lacks what the format needs.
    """
    if missing := format.missing(row.value):
        raise RowError(f"lacks the column {', '.join(missing)}", "layout")


def keep(draft: Draft, source: Source, found: Converted) -> None:
    """A draft as a conversation, or the reason why it is none."""
    try:
        finished = finish(draft)
    except RowError as error:
        found.dropped.append((found.rows, Dropped(source, "conversation", error.rule, str(error))))
        return
    found.made.append((finished.conversation, source, draft.group, draft.tags))
    found.repairs.update(finished.repairs)
