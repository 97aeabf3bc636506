"""A path, folder, pattern or hub data set as rows, with where each row came from."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.data import general
from tutelage.data.jsonrows import read_document, read_lines
from tutelage.data.opening import PLAIN, SUFFIXES, Kind, recognise, suffix
from tutelage.data.rows import Row
from tutelage.data.tablerows import read_parquet, read_table
from tutelage.errors import DataError
from tutelage.records import Dropped

NO_EXAMPLES = frozenset(
    {
        *(".md", ".txt", ".rst", ".html", ".htm", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".svg"),
        *(".yaml", ".yml", ".toml", ".cfg", ".ini", ".py", ".ipynb", ".sh"),
    }
)
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_TRAINING = re.compile(r"(?:^|[-_./])train", re.I)
_MEASURING = re.compile(r"(?:^|[-_./])(?:test|valid|validation|val|dev|eval)(?:$|[-_./0-9])", re.I)


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file that may hold examples. `named`: the user named this very file, so it has to hold some."""

    path: Path
    kind: Kind
    named: bool


@dataclass(slots=True)
class Found:
    """What stands behind a name: the files to read, and those that hold no examples, with the reason."""

    files: list[DataFile] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)


def find(name: str) -> Found:
    """The files behind a path, a folder, a pattern (`*`, `?`), a hub data set (`owner/name`) or the name `general`.

    Raises:
        DataError: where nothing of the name exists (with near names), or a named file holds no rows.
    """
    name = general.located(name)
    if not name.strip():
        raise DataError("an empty name: name a file, a folder or a hub data set with examples")
    if (shown := _shown(name)) != name:
        raise DataError(f"{shown}: {_BAD_NAME}")
    path = Path(name).expanduser()
    if path.is_dir():
        return _in_folder(path)
    if path.is_file():
        return Found([_named(path)])
    if path.exists():
        raise DataError(f"{name}: not a regular file (a pipe or device?); write its content to a file first")
    if glob.has_magic(name):
        return _by_pattern(str(path))
    if _HUB_NAME.fullmatch(name) and path.suffix not in SUFFIXES and not path.parent.exists():
        return _from_hub(name)
    raise DataError(f"{name}: no such file or folder{_near(path)}")


def rows(file: DataFile) -> Iterator[Row | Dropped]:
    """The rows of one file; what cannot be read as a row is a `Dropped` with its number and reason.

    Raises:
        DataError: where the file as a whole cannot be read.
    """
    readers = {
        Kind.JSONL: read_lines,
        Kind.JSON: read_document,
        Kind.TABLE: read_table,
        Kind.PARQUET: read_parquet,
    }
    if file.kind not in readers:
        raise DataError(_unreadable(file.path, file.kind))
    return readers[file.kind](file.path)


def read_rows(name: str) -> Iterator[Row | Dropped]:
    """All rows behind a name, file by file in sorted order.

    Raises:
        DataError: as `find` and `rows`.
    """
    for file in find(name).files:
        yield from rows(file)


_BAD_NAME = "the name holds bytes that are no UTF-8, and could not be written into a data set or report; rename it"


def _shown(name: str) -> str:
    """A name as it can be printed and written: bytes that are no UTF-8 as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _unreadable(path: Path, kind: Kind) -> str:
    read_from = "rows are read from JSON Lines, JSON, CSV, TSV and Parquet, each also as .gz"
    if kind is Kind.TEXT:
        return f"{path} is plain text, not a file of rows with questions and answers; {read_from}\n{PLAIN}"
    return f"{path}: not text (a spreadsheet, archive or picture?); {read_from}"


def _named(path: Path) -> DataFile:
    kind = recognise(path)
    if kind in (Kind.TEXT, Kind.OTHER):
        raise DataError(_unreadable(path, kind))
    return DataFile(path, kind, True)


def _in_folder(folder: Path) -> Found:
    found = Found()
    for place, folders, names in os.walk(folder, onerror=_closed):
        hidden = [name for name in folders if name.startswith(".")]
        found.ignored += [(_shown(str(Path(place, name))), "hidden folder") for name in hidden]
        folders[:] = sorted(set(folders) - set(hidden))
        for name in sorted(names):
            _sort_in(Path(place, name), found)
    found.files.sort(key=lambda file: file.path)
    found.ignored.sort()
    if not found.files:
        seen = ", ".join(Path(name).name for name, _ in found.ignored[:5]) or "nothing"
        texts = [name for name, _ in found.ignored if name.endswith(".txt") and "license" not in name.lower()]
        told = f"; {texts[0]} is plain text, without questions and answers\n{PLAIN}" if texts else ""
        raise DataError(f"{folder}: no file of rows in this folder (it holds {seen}){told}")
    return found


def _closed(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be opened: {error.strerror}") from error


def _by_pattern(pattern: str) -> Found:
    found = Found()
    for name in sorted(glob.glob(pattern, recursive=True)):
        if not Path(name).is_dir():
            _sort_in(Path(name), found)
    if not found.files:
        raise DataError(f"{pattern}: no file of rows matches this pattern")
    return found


def _sort_in(path: Path, found: Found) -> None:
    if (shown := _shown(str(path))) != str(path):
        found.ignored.append((shown, _BAD_NAME))
    elif path.name.startswith("."):
        found.ignored.append((str(path), "hidden file"))
    elif suffix(path) in NO_EXAMPLES:
        found.ignored.append((str(path), "not a file of rows"))
    elif not path.is_file():
        found.ignored.append((str(path), "a broken link, or no regular file"))
    elif path.stat().st_size == 0:
        found.ignored.append((str(path), "empty"))
    elif (kind := recognise(path)) in (Kind.TEXT, Kind.OTHER):
        found.ignored.append((str(path), "not a file of rows"))
    else:
        found.files.append(DataFile(path, kind, False))


def _near(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        above = next(place for place in path.parents if place.is_dir())
        return f" (there is no folder {folder}; {above} exists)"
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    folded = {name.lower(): name for name in names}
    near = [folded[name] for name in difflib.get_close_matches(path.name.lower(), folded, 3, 0.6)]
    if near:
        return f"; did you mean {' or '.join(str(folder / name) for name in near)}?"
    return f"; {folder} holds {', '.join(names[:8])}" if names else f"; {folder} is empty"


def _from_hub(name: str) -> Found:
    import huggingface_hub  # slow to import, and needed for this source only
    from huggingface_hub.errors import RepositoryNotFoundError

    patterns = [f"*{ending}{packed}" for ending in SUFFIXES for packed in ("", ".gz")]
    try:
        folder = huggingface_hub.snapshot_download(name, repo_type="dataset", allow_patterns=patterns)
    except RepositoryNotFoundError as error:
        told = "no such file or folder here, and no such public data set on the hub"
        raise DataError(f"{name}: {told}; check the spelling, or log in if it is private") from error
    except Exception as error:  # the client passes on whatever its transport raises
        told = "no such file or folder here, and the hub could not be asked"
        why = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no details'}"
        raise DataError(f"{name}: {told} ({why}); download the data set and give its folder") from error
    return _training_part(_in_folder(Path(folder)), Path(folder))


def _training_part(found: Found, folder: Path) -> Found:
    """Of a hub data set with splits, the training files: its test files are for measuring, not for tuning."""
    inside = {file: str(file.path.relative_to(folder)) for file in found.files}
    if not any(_TRAINING.search(name) for name in inside.values()):
        return found
    aside = [file for file, name in inside.items() if _MEASURING.search(name) and not _TRAINING.search(name)]
    told = "another split than train; name the file itself to read it"
    ignored = [*found.ignored, *((str(file.path), told) for file in aside)]
    return Found([file for file in found.files if file not in aside], ignored)
