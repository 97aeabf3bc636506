"""Files as bytes: unpacked under a cap, read line by line under a bound, recognised by what they hold."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from tutelage.errors import DataError

LINE_LIMIT = 16 * 1024 * 1024
"""Longest line in bytes; a longer one is skipped without being held in memory."""
UNPACKED_LIMIT = 1024**3
"""Gzip may unpack to this many bytes whatever its ratio."""
UNPACKED_RATIO = 200
"""Beyond UNPACKED_LIMIT, gzip may unpack to this many times its size; text rarely passes 20."""
BOM = b"\xef\xbb\xbf"
TABLES = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet", *TABLES)

PLAIN = (
    "Write questions and answers about the text, a row for each, e.g. "
    '{"prompt": "What is …?", "response": "It is …"}; or add a column with the answer wanted for each text and name '
    'both: --columns "prompt=text,response=ANSWER"'
)
"""What one can do who has text without questions and answers."""


class Kind(StrEnum):
    """How a file's bytes are to be read."""

    JSONL = "JSON Lines"
    JSON = "JSON"
    TABLE = "table"
    PARQUET = "Parquet"
    TEXT = "plain text"
    OTHER = "not text"


class _Unpacked(io.RawIOBase):
    """A gzip file's content, which refuses to grow without bound."""

    def __init__(self, packed: IO[bytes], path: Path) -> None:
        self._packed, self._path = packed, path
        self._inner = gzip.GzipFile(fileobj=packed)
        self._allowed = max(UNPACKED_LIMIT, UNPACKED_RATIO * path.stat().st_size)
        self._total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            count = self._inner.readinto(buffer)
        except (OSError, EOFError, zlib.error) as error:
            where = f"after {self._total:,} unpacked bytes"
            raise DataError(f"{self._path}: the gzip data is damaged {where}: pack it again") from error
        self._total += count
        if self._total > self._allowed:
            told = f"unpacks to more than {self._allowed:,} bytes from {self._path.stat().st_size:,}"
            raise DataError(f"{self._path}: {told}; if that is right, unpack it yourself first")
        return count

    def close(self) -> None:
        self._inner.close()
        self._packed.close()
        super().close()


def open_bytes(path: Path) -> io.BufferedReader:
    """A file's bytes, unpacked where it is gzip (whatever its name).

    Raises:
        DataError: the file cannot be opened; while reading: it is damaged or unpacks past the cap.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error.strerror}") from error
    if stream.peek(2)[:2] != b"\x1f\x8b":
        return stream
    return io.BufferedReader(_Unpacked(stream, path), 1 << 16)


def lines(stream: io.BufferedReader, limit: int | None = None) -> Iterator[tuple[int, bytes | None]]:
    r"""Numbered lines, split on `\n` only and without it; None for a line over the limit, never held whole.

    A byte order mark at the start of the file is skipped.
    """
    limit = LINE_LIMIT if limit is None else limit
    number = 0
    while line := stream.readline(limit + 2):
        number += 1
        ended = line.endswith(b"\n")
        if len(line.rstrip(b"\n")) > limit:
            while not ended and (rest := stream.readline(1 << 20)):
                ended = rest.endswith(b"\n")
            yield number, None
            continue
        if number == 1 and line.startswith(BOM):
            line = line[len(BOM) :]
        yield number, line[:-1] if ended else line


def suffix(path: Path) -> str:
    """The extension that tells the format: `.jsonl` for `faq.jsonl.gz`."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def recognise(path: Path) -> Kind:
    """How to read a file, by its content where the extension does not fit it.

    Raises:
        DataError: the file cannot be opened, or is UTF-16.
    """
    with open_bytes(path) as stream:
        start = stream.peek(8)[:8]
        if start.startswith(b"PAR1"):
            return Kind.PARQUET
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise DataError(f"{path}: the text is UTF-16; save it as UTF-8")
        found = [line for _, line in _few(lines(stream), 20) if line is None or line.strip()]
    if start.startswith((b"PK\x03\x04", b"\x89PNG", b"\xff\xd8\xff", b"%PDF", b"\x7fELF")):
        return Kind.OTHER
    if not found:
        return _by_suffix(path)
    return _by_lines(path, found[0], found[1:])


def _few(source: Iterator[tuple[int, bytes | None]], most: int) -> Iterator[tuple[int, bytes | None]]:
    for _, item in zip(range(most), source, strict=False):
        yield item


def _by_suffix(path: Path) -> Kind:
    named = suffix(path)
    if named in TABLES:
        return Kind.TABLE
    known = {".jsonl": Kind.JSONL, ".ndjson": Kind.JSONL, ".json": Kind.JSON, ".parquet": Kind.PARQUET}
    return known.get(named, Kind.TEXT)


def _by_lines(path: Path, first: bytes | None, more: list[bytes | None]) -> Kind:
    named = _by_suffix(path)
    if named is Kind.PARQUET:
        raise DataError(f"{path}: named .parquet, but it does not start like a Parquet file")
    opening = (first or b"").lstrip()[:1]
    if opening in (b"{", b"["):
        if first is not None and _is_json(first):
            if more:
                return Kind.JSONL
            return Kind.JSONL if opening == b"{" and named is not Kind.JSON else Kind.JSON
        if named is Kind.TABLE:
            return Kind.TABLE
        if named is not Kind.JSONL:
            return Kind.JSON
        alone = (first or b"").strip() in (b"{", b"[")
        broken = bool(more) and _is_json(more[0] or b"") and (first or b"").strip() != b"["
        return Kind.JSON if (alone or opening == b"[") and not broken else Kind.JSONL
    if named in (Kind.JSONL, Kind.JSON):
        if any(line is None or line.lstrip()[:1] == b"{" for line in more):
            return Kind.JSONL
        return Kind.TABLE if first and (b"," in first or b"\t" in first) else named
    return named


def _is_json(line: bytes) -> bool:
    with suppress(ValueError, RecursionError):
        json.loads(line)
        return True
    return False
