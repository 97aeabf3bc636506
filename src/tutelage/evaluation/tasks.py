"""Tasks: prompts with what their answers are scored by, read from one file that anyone can write."""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.errors import DataError, UsageError
from tutelage.evaluation.following.checks import Check, read_checks
from tutelage.evaluation.scorers import SCORERS
from tutelage.evaluation.supernatural import is_supernatural, supernatural
from tutelage.evaluation.taskfiles import FileRow, rows_of
from tutelage.pages import cut, readable
from tutelage.records import ConversationError, Prompt, Role, Turn

SUFFIXES = (".jsonl", ".yaml", ".yml", ".json")
SHARED = ("scorer", "category", "system", "choices", "schema", "checks")
"""Fields that an item has, or the whole file."""
FIELDS = ("id", "prompt", "messages", "references", "distraction", *SHARED)
HEADER = ("task", *SHARED)
SHOWN = 60


@dataclass(frozen=True)
class Item:
    """A prompt, and what its answer is scored by.

    Attributes:
        turns: what is asked; ends with a user turn.
        references: answers that are wanted (regular expressions for the scorer regex); any of them will do.
        category: for the table; "" where there is none.
        scorers: by name; the first is the one that decides.
        choices: options, for the scorer choice.
        schema: JSON schema, for the scorer json_schema.
        checks: for the scorer instructions.
    """

    id: str
    turns: tuple[Turn, ...]
    references: tuple[str, ...] = ()
    category: str = ""
    scorers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    checks: tuple[Check, ...] = ()

    @property
    def prompt(self) -> Prompt:
        """What a model is asked."""
        return Prompt(self.id, self.turns)

    def lacks(self) -> str:
        """What the scorers need and the item does not have, in words; "" where it has all."""
        found = ((name, SCORERS[name].lacks(self)) for name in self.scorers)
        return next((f"the scorer {name}: {told}" for name, told in found if told), "")


@dataclass(frozen=True)
class Task:
    """Items that belong together.

    Attributes:
        name: for tables.
        file: where it was read from.
    """

    name: str
    items: tuple[Item, ...]
    file: str = ""

    @property
    def scorer(self) -> str:
        """The scorers that decide, in words, such as "ROUGE-L"."""
        return " and ".join(dict.fromkeys(SCORERS[item.scorers[0]].title for item in self.items))

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """What a model is asked, in order."""
        return tuple(item.prompt for item in self.items)

    def hash(self) -> str:
        """SHA-256 (first 16 hex digits) of what is asked and wanted: the same items give the same."""
        digest = hashlib.sha256()
        for item in self.items:
            digest.update(f"{item!r}\n".encode(errors="replace"))
        return digest.hexdigest()[:16]


def read_tasks(path: str | Path, examples: int = 0) -> tuple[Task, ...]:
    """The task of a file, or the tasks of a folder's files in the order of their names.

    JSON Lines: an item a line; a first line with `task` says what holds for all. YAML: the same as a list of items,
    or as a mapping with `items`. JSON: a task of Super-NaturalInstructions as it is.

    Args:
        examples: Super-NaturalInstructions: so many positive examples stand before each input.

    Raises:
        UsageError: there is no such file, or it is of another kind.
        DataError: at the first item that cannot be used, with file and line; and where names or ids stand twice.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.suffix in SUFFIXES and one.is_file())
        if not files:
            raise UsageError(f"{path}: no files of tasks ({', '.join(SUFFIXES)}) in this folder")
        return distinct([task for one in files for task in read_tasks(one, examples)])
    if not path.is_file():
        raise UsageError(f"there is no file of tasks at {path}. {_near(path)}")
    if path.suffix not in SUFFIXES:
        raise UsageError(
            f"{path}: tasks are written as {', '.join(SUFFIXES[:3])}, or a task of Super-NaturalInstructions"
        )
    if path.suffix == ".json":
        if not is_supernatural(path):
            raise DataError(
                f"{path}: JSON with tasks is a task of Super-NaturalInstructions (Definition and Instances); write "
                "tasks of your own as JSON Lines or YAML"
            )
        return (_supernatural_task(path, examples),)
    return (_own_task(path),)


def read_all(paths: Iterable[str | Path], most: int = 0, examples: int = 0) -> tuple[Task, ...]:
    """The tasks of several files and folders.

    Args:
        most: of each task only the first so many items; 0: all.

    Raises:
        UsageError, DataError: as `read_tasks`.
    """
    tasks = distinct([task for path in paths for task in read_tasks(path, examples)])
    return tuple(Task(task.name, task.items[:most] if most else task.items, task.file) for task in tasks)


def distinct(tasks: Sequence[Task]) -> tuple[Task, ...]:
    """The tasks.

    Raises:
        DataError: two of them have the same name.
    """
    name, count = Counter(task.name for task in tasks).most_common(1)[0] if tasks else ("", 0)
    if count > 1:
        files = " and ".join([task.file for task in tasks if task.name == name][:2])
        raise DataError(f"{files}: both hold a task named {_shown(name)}; give one another name")
    return tuple(tasks)


def _near(path: Path) -> str:
    here = [one.name for one in path.parent.iterdir() if one.suffix in SUFFIXES] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, here, 1, 0.5)
    return f"Did you mean {path.parent / close[0]}?" if close else "Name a file, or a folder of files"


def _supernatural_task(path: Path, examples: int) -> Task:
    name, instances = supernatural(path, examples)
    items = [
        Item(f"{number}" if not one.id else one.id, one.turns, one.references, one.category, ("rouge_l", "normalised"))
        for number, one in enumerate(instances, 1)
    ]
    twice = Counter(item.id for item in items)
    if any(count > 1 for count in twice.values()):  # in some files the same instance stands twice
        items = [Item(f"{item.id}/{number}", *_rest(item)) for number, item in enumerate(items, 1)]
    return Task(name, tuple(items), str(path))


def _rest(item: Item) -> tuple[Any, ...]:
    return (item.turns, item.references, item.category, item.scorers)


def _own_task(path: Path) -> Task:
    header: Mapping[str, Any] = {}
    name, items = path.name.removesuffix(path.suffix), dict[str, Item]()
    for number, row in enumerate(rows_of(path)):
        if number == 0 and "task" in row.value:
            _known(row, HEADER)
            header, name = row.value, _text(row, "task") or name
            continue
        item = _item(row, header)
        if item.id in items:
            raise DataError(f"{row.where}: the id {_shown(item.id)} stands twice in this task; ids have to differ")
        items[item.id] = item
    if not items:
        raise DataError(f'{path}: no items in this file; an item is {{"prompt": …, "references": […], "scorer": …}}')
    return Task(name, tuple(items.values()), str(path))


def _item(row: FileRow, header: Mapping[str, Any]) -> Item:
    _known(row, FIELDS)
    merged = FileRow(row.where, row.number, {name: header[name] for name in SHARED if name in header} | dict(row.value))
    checks = merged.value.get("checks")
    schema = merged.value.get("schema")
    if schema is not None and not isinstance(schema, Mapping):
        raise DataError(f'{row.where}: schema is a JSON schema, an object such as {{"type": "object"}}')
    item = Item(
        _text(merged, "id") or str(row.number),
        _turns(merged),
        _texts(merged, "references"),
        _text(merged, "category"),
        _scorers(merged),
        _texts(merged, "choices"),
        schema,
        read_checks(checks, row.where) if checks is not None else (),
    )
    if told := item.lacks():
        raise DataError(f"{row.where}: {told}")
    return item


def _known(row: FileRow, names: Sequence[str]) -> None:
    for key in row.value:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            raise DataError(f"{row.where}: there is no field {_shown(str(key))}; {hint}")


def _scorers(row: FileRow) -> tuple[str, ...]:
    names = _texts(row, "scorer")
    if not names:
        raise DataError(f"{row.where}: no scorer; there are {', '.join(SCORERS)}")
    for name in names:
        if name not in SCORERS:
            near = difflib.get_close_matches(name, SCORERS, 1, 0.5)
            hint = f"did you mean {near[0]}? There" if near else "there"
            raise DataError(f"{row.where}: there is no scorer {_shown(name)}; {hint} are {', '.join(SCORERS)}")
    if len(set(names)) < len(names):
        raise DataError(f"{row.where}: a scorer stands twice")
    return names


def _turns(row: FileRow) -> tuple[Turn, ...]:
    value, system = row.value, _text(row, "system")
    if ("prompt" in value) == ("messages" in value):
        raise DataError(f"{row.where}: an item has either a prompt or messages")
    turns = [Turn(Role.USER, _text(row, "prompt"))] if "prompt" in value else _messages(row)
    if system and turns[:1] and turns[0].role is not Role.SYSTEM:
        turns = [Turn(Role.SYSTEM, system), *turns]
    if not turns or not turns[-1].text.strip():
        raise DataError(f"{row.where}: the prompt is blank")
    try:
        return Prompt("", tuple(turns)).turns
    except ConversationError as error:
        raise DataError(f"{row.where}: {error}") from None


def _messages(row: FileRow) -> list[Turn]:
    found, given = [], row.value["messages"]
    for one in given if isinstance(given, list) else ():
        fits = isinstance(one, Mapping) and set(one) == {"role", "content"} and one["role"] in list(Role)
        if not fits or not isinstance(one["content"], str):
            raise DataError(f"{row.where}: each of messages is an object with role ({', '.join(Role)}) and content")
        found.append(Turn(Role(one["role"]), one["content"]))
    return found


def _text(row: FileRow, name: str) -> str:
    texts = _texts(row, name)
    if len(texts) > 1:
        raise DataError(f"{row.where}: {name} is one text, not several")
    return texts[0] if texts else ""


def _texts(row: FileRow, name: str) -> tuple[str, ...]:
    """A text or a list of them; numbers, true and false are taken as they are written in JSON."""
    value = row.value.get(name)
    found = []
    for one in value if isinstance(value, list) else [] if value is None else [value]:
        if isinstance(one, bool):
            one = "true" if one else "false"
        if not isinstance(one, str | int | float):
            raise DataError(f"{row.where}: {name} is a text or a list of texts")
        found.append(str(one))
    return tuple(found)


def _shown(text: str) -> str:
    return cut(readable(text), SHOWN)
