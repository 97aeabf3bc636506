"""Which licence a data file comes with, as far as files near it say: licence files, notes, READMEs, data set cards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READ = 64 * 1024
"""Bytes that are read of a file; a licence is named near its top."""
MOST = 50
"""Files of a folder that are looked into."""
UP = 2
"""Folders above the data file's own that are looked into, where those below name none."""
_LICENCE_FILE = re.compile(r"licen[sc]e|copying", re.IGNORECASE)
_CARD = re.compile(r"^(?:read[-_. ]?me|data[-_ ]?(?:set[-_ ]?)?card|about|datasheet)", re.IGNORECASE)
_TEXTS = frozenset(("", ".md", ".txt", ".rst", ".markdown"))
_SAID = re.compile(
    r"^[\W_]{0,8}(?:(?:data[- ]?set|data)\s+)?(?:licen[sc]e|licensing(?: information)?|SPDX-License-Identifier)"
    r"[*_\s]{0,4}[:=|][*_\s]*\w",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^(?:#{1,6}\s*|[*_]{2})?(?:(?:data[- ]?set|data)\s+)?(?:licen[sc]e|licensing(?: information)?)\s*:?[*_#\s]*$",
    re.IGNORECASE,
)
_TITLE = re.compile(
    r"\blicen[sc]e\b|\bcopyright\b|\bpublic domain\b|\bcreative commons\b|\bCC0\b|\bCC.BY", re.IGNORECASE
)
_NOT_FOR_TRADE = re.compile(r"\bNC\b|\bnon.?commercial\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Licence:
    """What a file near the data says: the file, and its line that names the licence (or else its first line)."""

    file: str
    line: str

    @property
    def is_not_for_trade(self) -> bool:
        """Whether the line says that commercial use is not allowed."""
        return bool(_NOT_FOR_TRADE.search(self.line))


def licence_of(path: Path) -> Licence | None:
    """The licence that files near a data file name; None where no file does.

    Asked are, in this order, `FILE.license` beside it, then in its folder and up to two above: files with licence or
    copying in their names, then READMEs and data set cards that have a line or a section on the licence.
    """
    own = _read(path.with_name(f"{path.name}.license"))
    if own and (line := _said(own) or _first(own)):
        return Licence(str(path.with_name(f"{path.name}.license")), line)
    for folder in _folders(path):
        files = _texts(folder)
        named = [file for file in files if _LICENCE_FILE.search(file.name)]
        cards = [file for file in files if file not in named and _CARD.match(file.name)]
        for ask in (_said, _title):
            for file in named:
                if line := ask(_read(file)):
                    return Licence(str(file), line)
        for file in cards:
            if line := _said(_read(file)):
                return Licence(str(file), line)
    return None


def _folders(path: Path) -> Iterator[Path]:
    """The file's folder and those above it, but not a home folder's own, nor what has no folder above it."""
    folder = path.resolve().parent
    yield folder
    for above in list(folder.parents)[:UP]:
        if above in (Path.home(), Path(above.anchor)):
            return
        yield above


def _texts(folder: Path) -> list[Path]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _TEXTS)
    except OSError:
        return []
    wanted = [file for file in files if _LICENCE_FILE.search(file.name) or _CARD.match(file.name)]
    return [file for file in wanted[:MOST] if file.is_file()]


def _read(file: Path) -> list[str]:
    try:
        with file.open("rb") as stream:
            content = stream.read(READ)
    except OSError:
        return []
    return [line.strip() for line in content.decode("utf-8-sig", "replace").splitlines() if line.strip()]


def _first(lines: list[str]) -> str:
    return lines[0] if lines else ""


def _title(lines: list[str]) -> str:
    """The first line of a licence's text, with the next where that has the version."""
    if not any(_TITLE.search(line) for line in lines[:20]):
        return ""
    return " ".join(lines[:2]) if lines[1:] and lines[1].startswith("Version") else _first(lines)


def _said(lines: list[str]) -> str:
    """A line that names the licence, what a heading `Licence` has below it, or a card's `license:` list."""
    for place, line in enumerate(lines):
        following = lines[place + 1] if place + 1 < len(lines) else ""
        if _HEADING.match(line) and following and not following.startswith("#"):
            return following.removeprefix("- ")
        if _SAID.match(line):
            return line.strip("#*->| ")
    return ""
