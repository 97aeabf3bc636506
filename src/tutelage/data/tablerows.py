"""Rows of CSV, TSV and Parquet files."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tutelage.data import opening
from tutelage.data.rows import Row, RowError, passed_over
from tutelage.errors import DataError
from tutelage.records import Dropped, Source

RECORD_LINES = 5000
"""A cell may span so many lines; past it, the quote that opened it was never closed."""
SAMPLE = 50
_TOO_LONG = "\ud800"  # stands for a line over the limit; decoding never yields it
_BROKEN = re.compile("[\udc80-\udcff]")
_NAME = re.compile(r"[\w .#/()&-]{1,40}")
Record = tuple[int, list[str]]


def read_table(path: Path) -> Iterator[Row | Dropped]:
    r"""The rows of a CSV or TSV file, numbered from 1 without the header.

    A TSV file whose first line does not look like column names has none: with two columns they are
    `question` and `answer`, with three also `explanation` (FLAN's chain-of-thought files, in which `\n`
    stands for a new line), else `column 1` and so on. In such a file, and in a TSV file whose quotes do
    not follow CSV's rules, quotes are ordinary characters.

    Raises:
        DataError: where two columns have one name, or the names are not UTF-8.
    """
    with opening.open_bytes(path) as stream:
        texts = (_decoded(line) for _, line in opening.lines(stream))
        sample = [line for _, line in zip(range(SAMPLE), texts, strict=False)]
        delimiter = _delimiter(path, sample)
        header: list[str] | None = None
        plain = delimiter == "\t" and _is_plain(sample)
        if delimiter == "\t":
            header = _missing_header([line.rstrip("\r").split("\t") for line in sample if line.strip()])
            plain = plain or header is not None
        source = _chain(sample, texts)
        records = _plain_records(source) if plain else _quoted_records(source, delimiter)
        yield from _rows(path, records, header)


def _decoded(line: bytes | None) -> str:
    return _TOO_LONG if line is None else line.decode("utf-8", "surrogateescape")


def _chain(first: Iterable[str], rest: Iterator[str]) -> Iterator[str]:
    yield from first
    yield from rest


def _delimiter(path: Path, sample: Sequence[str]) -> str:
    first = next((line for line in sample if line.strip()), "")
    own = opening.TABLES.get(opening.suffix(path), ",")
    if own in first:
        return own
    best = max(",\t;|", key=first.count)
    return best if best in first else own


def _is_plain(sample: Sequence[str]) -> bool:
    if not any('"' in line for line in sample):
        return True
    try:
        list(csv.reader((line + "\n" for line in sample), delimiter="\t", strict=True))
    except csv.Error as error:
        if "unexpected end" not in str(error):
            return True
    widths = {line.count("\t") for line in sample if line.strip()}
    quoted_names = all(name.startswith('"') for name in sample[0].split("\t"))
    return len(widths) == 1 and not quoted_names and not any('""' in line for line in sample)


def _missing_header(cells: Sequence[Sequence[str]]) -> list[str] | None:
    if not cells:
        return None
    first, rest = cells[0], cells[1:]
    names = [name.strip().strip('"') for name in first]
    looks = all(_NAME.fullmatch(name) for name in names) and len(set(names)) == len(names)
    recurs = any(len(row) == len(first) and any(a == b for a, b in zip(row, first, strict=True)) for row in rest)
    if looks and not recurs:
        return None
    known = ["question", "answer", "explanation"]
    return known[: len(first)] if len(first) in (2, 3) else [f"column {n}" for n in range(1, len(first) + 1)]


def _plain_records(texts: Iterator[str]) -> Iterator[Record | tuple[int, RowError]]:
    for number, line in enumerate(texts, 1):
        if line.strip():
            yield number, line.rstrip("\r").split("\t")


def _quoted_records(texts: Iterator[str], delimiter: str) -> Iterator[Record | tuple[int, RowError]]:
    """Records with the line each starts in. After a fault, reading goes on one line further."""
    csv.field_size_limit(opening.LINE_LIMIT)
    pushed: deque[str] = deque()
    taken: list[str] = []

    def feed() -> Iterator[str]:
        while True:
            line = pushed.popleft() if pushed else next(texts, None)
            if line is None:
                return
            taken.append(line)
            if len(taken) > RECORD_LINES:
                raise RowError(f"a cell of more than {RECORD_LINES:,} lines: is a quote not closed?")
            yield line + "\n"

    number = 1
    reader = csv.reader(feed(), delimiter=delimiter, strict=True)
    while True:
        taken.clear()
        try:
            record = next(reader, None)
        except (csv.Error, RowError) as error:
            reason = error if isinstance(error, RowError) else RowError(f"not valid CSV: {error}")
            yield number, reason
            pushed.extendleft(reversed(taken[1:]))
            number += 1
            reader = csv.reader(feed(), delimiter=delimiter, strict=True)
            continue
        if record is None:
            return
        if record:
            yield number, record
        number += len(taken)


def _names(path: Path, header: Sequence[str]) -> list[str]:
    names = [name.strip() or f"column {number}" for number, name in enumerate(header, 1)]
    if any(_BROKEN.search(name) for name in names):
        raise DataError(f"{path}: the column names are not UTF-8: save the file as UTF-8")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{path}: two columns are named {twice[0]!r}; rename one")
    return names


def _rows(
    path: Path, records: Iterator[Record | tuple[int, RowError]], header: list[str] | None
) -> Iterator[Row | Dropped]:
    unescape = header is not None
    number = 0
    for line, record in records:
        if header is None and not isinstance(record, RowError):
            header = _names(path, record)
            continue
        if not isinstance(record, RowError) and not any(cell.strip() for cell in record):
            continue
        number += 1
        source = Source(str(path), (number,))
        try:
            if isinstance(record, RowError):
                raise record
            cells = _checked(record, header or [], line)
            values = [cell.replace("\\n", "\n") for cell in cells] if unescape else cells
            yield Row(source, dict(zip(header or [], values, strict=True)))
        except RowError as error:
            yield passed_over(source, RowError(f"line {line}: {error}", error.rule))


def _checked(cells: list[str], header: Sequence[str], line: int) -> list[str]:
    for cell in cells:
        if _TOO_LONG in cell:
            raise RowError(f"longer than {opening.LINE_LIMIT // 1024**2} MB")
        if "\0" in cell:
            raise RowError("holds a NUL byte")
        if not cell.isascii() and _BROKEN.search(cell):
            raise RowError("not UTF-8: save the file as UTF-8")
    if cells[0].startswith("\ufeff"):
        raise RowError("a byte order mark in the middle of the file (were files joined?)")
    if len(cells) != len(header):
        raise RowError(f"{len(cells)} cells where the header has {len(header)}")
    return cells


def read_parquet(path: Path) -> Iterator[Row | Dropped]:
    """The rows of a Parquet file, numbered from 1.

    Raises:
        DataError: where the file is damaged.
    """
    import polars  # heavy, and needed for this format only

    try:
        with opening.open_bytes(path) as stream:
            frame = polars.read_parquet(io.BytesIO(stream.read()))
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:  # the latter is no Exception
        raise DataError(f"{path}: not a readable Parquet file: {error}") from error
    number = 0
    for part in frame.iter_slices(10_000):
        for value in part.iter_rows(named=True):
            number += 1
            yield Row(Source(str(path), (number,)), value)
