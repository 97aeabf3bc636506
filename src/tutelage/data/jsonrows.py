"""Rows of JSON Lines and JSON files, read strictly: what another reader might take differently is no row."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tutelage.data import opening
from tutelage.data.opening import BOM
from tutelage.data.rows import Row, RowError, passed_over
from tutelage.errors import DataError
from tutelage.records import Dropped, Source

DOCUMENT_LIMIT = 1024**3
"""A JSON document (not JSON Lines) is held in memory as a whole; larger ones are refused."""
DIGITS = 4300
"""Longest whole number, Python's own limit."""
SPACE = " \t\r\n"
HOLDERS = ("data", "rows", "examples", "items", "records", "samples", "dataset", "train", "tickets")
PARTS = frozenset({"messages", "conversations", "conversation", "Events", "instances", "prompt", "chosen"})
JsonRow = Mapping[str, object] | RowError
_SUSPECT = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)|[\ud800-\udfff]")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class StrictJson:
    """A JSON decoder that notes faults instead of raising, so that the place after a value stays known."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_constant=self._constant,
            parse_int=self._int,
            parse_float=self._float,
        )

    def value(self, text: str, start: int = 0) -> tuple[object, int]:
        """The value that starts at `start`, and where it ends; faults of earlier values are forgotten.

        Raises:
            RowError: where the text is no JSON value or is nested too deeply.
        """
        self.faults.clear()
        try:
            value, end = self._decoder.raw_decode(text, start)
        except json.JSONDecodeError as error:
            raise RowError(f"not valid JSON: {error.msg.lower()} at character {error.pos + 1}") from None
        except RecursionError:
            raise RowError("nested too deeply") from None
        return value, end

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            self.faults.append(f"the key {json.dumps(twice)} stands twice in one object")
        return fields

    def _constant(self, name: str) -> None:
        self.faults.append(f"{name} is no JSON number")

    def _int(self, digits: str) -> int:
        if len(digits) > DIGITS:
            self.faults.append(f"a number of {len(digits):,} digits")
            return 0
        return int(digits)

    def _float(self, digits: str) -> float:
        number = float(digits)
        if math.isinf(number):
            self.faults.append(f"the number {digits[:20]} is too large")
        return number


def check_characters(value: object) -> None:
    """Refuse text that cannot be written as UTF-8 or holds NUL.

    Raises:
        RowError: with what was found.
    """
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        broken = "\udc80" <= text[error.start] <= "\udcff"
        told = "not UTF-8" if broken else "half of a surrogate pair (\\ud800…\\udfff)"
        raise RowError(f"holds {told}" if not broken else f"the text is {told}") from None
    if _NUL.search(text):
        raise RowError("holds a NUL character")


def _row(decoder: StrictJson, value: object, suspect: bool) -> Mapping[str, object]:
    if decoder.faults:
        raise RowError(decoder.faults[0])
    if not isinstance(value, dict):
        kind = {"list": "a list", "str": "text", "NoneType": "null", "bool": "true or false"}
        raise RowError(f"{kind.get(type(value).__name__, 'a number')} where an object is expected")
    if suspect:
        check_characters(value)
    return value


def _line(decoder: StrictJson, line: bytes | None) -> Mapping[str, object]:
    if line is None:
        raise RowError(f"the line is longer than {opening.LINE_LIMIT // 1024**2} MB")
    if line.startswith(BOM):
        raise RowError("a byte order mark in the middle of the file (were files joined?)")
    if b"\0" in line:
        raise RowError("holds a NUL byte")
    try:
        text = line.decode().strip(SPACE)
    except UnicodeDecodeError as error:
        raise RowError(f"not UTF-8 at byte {error.start + 1}: save the file as UTF-8") from None
    value, end = decoder.value(text)
    if end < len(text):
        raise RowError(f"not valid JSON: more text after the value at character {end + 1}")
    return _row(decoder, value, "\\u" in text and bool(_SUSPECT.search(text)))


def read_lines(path: Path) -> Iterator[Row | Dropped]:
    """The rows of a JSON Lines file, numbered by line; a bad line is one entry and ends nothing."""
    with opening.open_bytes(path) as stream:
        yield from parsed(str(path), opening.lines(stream))


def parsed(file: str, numbered: Iterable[tuple[int, bytes | None]]) -> Iterator[Row | Dropped]:
    """Numbered lines of a JSON Lines file as rows; None stands for a line over the limit; blank ones are no rows."""
    decoder = StrictJson()
    for number, line in numbered:
        if line is not None and not line.strip():
            continue
        source = Source(file, (number,))
        try:
            yield Row(source, _line(decoder, line))
        except RowError as error:
            yield passed_over(source, error)


def read_document(path: Path) -> Iterator[Row | Dropped]:
    """The rows of a JSON file: a list of objects, an object holding such a list, or one object.

    Rows are numbered from 1. Of a Super-NaturalInstructions task file each instance is a row, with the
    task's other fields beside it.

    Raises:
        DataError: where the file is no JSON as a whole, or too large to be read at once.
    """
    with opening.open_bytes(path) as stream:
        content = stream.read(DOCUMENT_LIMIT + 1)
    if len(content) > DOCUMENT_LIMIT:
        raise DataError(f"{path}: JSON of more than {DOCUMENT_LIMIT:,} bytes; write it as JSON Lines, a row a line")
    text = content.removeprefix(BOM).decode("utf-8", "surrogateescape")
    del content
    suspect = bool(_SUSPECT.search(text))
    start = _skip(text, 0)
    elements = _list_rows if text[start : start + 1] == "[" else _object_rows
    for number, found in enumerate(elements(path, text, start, suspect), 1):
        source = Source(str(path), (number,))
        yield passed_over(source, found) if isinstance(found, RowError) else Row(source, found)


def _skip(text: str, start: int) -> int:
    while start < len(text) and text[start] in SPACE:
        start += 1
    return start


def _broken(path: Path, text: str, place: int, told: str) -> DataError:
    line = text.count("\n", 0, place) + 1
    return DataError(f"{path}: line {line}: {told}; the file cannot be read past this place")


def _list_rows(path: Path, text: str, start: int, suspect: bool) -> Iterator[JsonRow]:
    decoder = StrictJson()
    start = _skip(text, start + 1)
    while text[start : start + 1] != "]":
        try:
            value, end = decoder.value(text, start)
        except RowError as error:
            raise _broken(path, text, start, str(error)) from None
        try:
            yield _row(decoder, value, suspect)
        except RowError as error:
            yield error
        start = _skip(text, end)
        if text[start : start + 1] == ",":
            start = _skip(text, start + 1)
        elif text[start : start + 1] != "]":
            raise _broken(path, text, start, "the list goes on without a comma, or does not end")
    if (rest := _skip(text, start + 1)) < len(text):
        raise _broken(path, text, rest, "more text after the list")


def _object_rows(path: Path, text: str, start: int, suspect: bool) -> Iterator[Mapping[str, object] | RowError]:
    decoder = StrictJson()
    try:
        value, end = decoder.value(text, start)
    except RowError as error:
        raise _broken(path, text, start, str(error)) from None
    if (rest := _skip(text, end)) < len(text):
        raise _broken(path, text, rest, "more text after the object")
    try:
        whole = _row(decoder, value, suspect)
    except RowError as error:
        yield error
        return
    for row in _held(path, whole):
        if isinstance(row, Mapping):
            yield row
        else:
            yield RowError("not an object")


def _held(path: Path, whole: Mapping[str, object]) -> Iterator[object]:
    instances = whole.get("Instances")
    if isinstance(instances, list):
        for instance in instances:
            yield {**whole, "Instances": [instance]}
        return
    lists = {
        name: value
        for name, value in whole.items()
        if isinstance(value, list) and value and isinstance(value[0], dict) and name not in PARTS
    }
    named = [name for name in lists if name in HOLDERS] or (list(lists) if len(whole) == len(lists) else [])
    if named and len(lists) > 1:
        told = f"holds several lists ({', '.join(lists)})"
        raise DataError(f"{path}: {told}; save the one to learn from as a file of its own")
    if not named:
        yield whole
    else:
        yield from lists[named[0]]
