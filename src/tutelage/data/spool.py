"""Examples on a disk: written once, read part by part, in several processes where there are some.

A row is written as Python's own `marshal` writes plain values: a tenth of the time that JSON or Parquet take to
become Python objects again, and the file is never read by anybody else. In memory are some 60 bytes a row.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from tutelage.data.crew import Crew
from tutelage.data.sameness import key_of
from tutelage.errors import DataError
from tutelage.records import Conversation, Example, Role, Source, Turn, Unheld, with_ids

A = TypeVar("A")
T = TypeVar("T")
PART = 2000
"""Examples handled at a time."""
Made = tuple[Conversation, Source, str, tuple[str, ...]]
Numbers = NDArray[np.int64]
_Row = tuple[str, str, tuple[str, ...], str, tuple[int, ...], tuple[tuple[int, str, bool | None], ...]]
_ROLES = tuple(Role)
_NUMBER = {role: number for number, role in enumerate(_ROLES)}


@dataclass(frozen=True, slots=True)
class Packed:
    """Examples as bytes, one after the other.

    Attributes:
        sizes: bytes of each.
        hashes: of their content, 8 bytes each.
        keys: the first 16 bytes of their `sameness.key_of`, as two numbers each.
        names: ids, by place, of those that have another than they would get; for examples that had theirs before.
    """

    content: bytes
    sizes: Numbers
    hashes: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    names: Mapping[int, str] | None = None


def packed(made: Iterable[Made]) -> Packed:
    """Conversations with their source, group and tags as bytes."""
    rows, hashes, keys = [], [], []
    for conversation, source, group, tags in made:
        name = conversation.content_hash()
        turns = tuple((_NUMBER[turn.role], turn.text, turn.trained) for turn in conversation.turns)
        rows.append(marshal.dumps((name, group or name, tags, source.file, source.rows, turns)))
        hashes.append(name)
        keys.append(key_of(conversation.turns)[:32])
    return Packed(
        b"".join(rows),
        np.array([len(row) for row in rows], np.int64),
        _numbers(hashes),
        _numbers(keys).reshape(-1, 2),
    )


class Spool:
    """A file that examples are written into, one pack after the other."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self._stream = crew.file()
        self._packs: list[Packed] = []
        self._names: dict[int, str] = {}
        self._named = False
        self.count = 0

    def add(self, pack: Packed) -> None:
        """Write a pack behind the others.

        Raises:
            DataError: where there is no room.
        """
        try:
            self._stream.write(pack.content)
        except OSError as error:
            told = "data of this size is worked on beside what is written there"
            raise DataError(f"{self._stream.name}: cannot be written: {error.strerror} ({told})") from error
        self._packs.append(Packed(b"", pack.sizes, pack.hashes, pack.keys))
        if pack.names is not None:
            self._named = True
            self._names |= {self.count + place: name for place, name in pack.names.items()}
        self.count += len(pack.sizes)

    def examples(self) -> Spooled:
        """All that was written, with ids; nothing can be added afterwards."""
        self._stream.close()
        nothing = Packed(b"", np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros((0, 2), np.uint64))
        packs = [nothing, *self._packs]
        starts = np.append(0, np.cumsum(np.concatenate([pack.sizes for pack in packs])))
        hashes = np.concatenate([pack.hashes for pack in packs])
        keys = np.concatenate([pack.keys for pack in packs])
        written = Written(
            Path(self._stream.name), self.crew, starts, hashes, keys, self._names if self._named else _renamed(hashes)
        )
        return Spooled(written, np.arange(len(hashes)))


@dataclass(frozen=True, slots=True)
class Written:
    """A file of examples, and what is known of each without reading it; see `Packed`.

    Attributes:
        starts: where each starts in the file; one more than there are examples.
        renamed: the ids of those whose content stood there before, by their place.
    """

    path: Path
    crew: Crew | None
    starts: Numbers
    hashes: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    renamed: dict[int, str]


@dataclass(frozen=True, slots=True)
class Part:
    """Some examples of a file: where each starts and ends there, and the ids that are not their content's hash."""

    path: str
    starts: Numbers
    ends: Numbers
    renamed: dict[int, str]

    def read(self) -> list[Example]:
        """The examples."""
        if not len(self.starts):
            return []
        first, last = int(self.starts[0]), int(self.ends[-1])
        with open(self.path, "rb") as stream:
            stream.seek(first)
            if last - first <= 2 * int((self.ends - self.starts).sum()):
                whole = memoryview(stream.read(last - first))
                spans = zip((self.starts - first).tolist(), (self.ends - first).tolist(), strict=True)
                rows = [marshal.loads(whole[start:end]) for start, end in spans]
            else:
                rows = []
                for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
                    stream.seek(start)
                    rows.append(marshal.loads(stream.read(end - start)))
        return [_example(row, self.renamed.get(place)) for place, row in enumerate(rows)]


class Spooled(Unheld):
    """Examples in a file, all of it or those at some places, in their order there."""

    def __init__(self, written: Written, places: Numbers) -> None:
        self._written, self._places = written, places

    def __reduce__(self) -> tuple[type[Spooled], tuple[Written, Numbers]]:
        return Spooled, (replace(self._written, crew=None), self._places)

    @property
    def crew(self) -> Crew | None:
        """The processes that work on them; None where this is one of these."""
        return self._written.crew

    @property
    def keys(self) -> NDArray[np.uint64]:
        """For each the first 16 bytes of `sameness.key_of`, as two numbers."""
        return self._written.keys[self._places]

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Example: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Example]: ...
    def __getitem__(self, place: int | slice) -> Example | Sequence[Example]:
        if isinstance(place, slice):
            return Spooled(self._written, self._places[place])
        return self._part(self._places[[place]]).read()[0]

    def __iter__(self) -> Iterator[Example]:
        for part in self.parts():
            yield from part.read()

    def ids(self) -> Iterator[str]:
        renamed = self._written.renamed
        hashes = self._written.hashes[self._places]
        for place, value in zip(self._places.tolist(), hashes.tolist(), strict=True):
            yield renamed.get(place) or f"{value:016x}"

    def at(self, places: Sequence[int] | Numbers) -> Spooled:
        """Those at some places, which ascend."""
        return Spooled(self._written, self._places[np.asarray(places, np.int64)])

    def parts(self) -> Iterator[Part]:
        """All of them, `PART` at a time, as what another process can read."""
        for start in range(0, len(self._places), PART):
            yield self._part(self._places[start : start + PART])

    def _part(self, places: Numbers) -> Part:
        known = self._written
        renamed = {n: known.renamed[place] for n, place in enumerate(places.tolist()) if place in known.renamed}
        return Part(str(known.path), known.starts[places], known.starts[places + 1], renamed)


def in_parts(examples: Sequence[Example], task: Callable[[Sequence[Example]], T], what: str = "") -> Iterator[T]:
    """What a function makes of each part of some examples, in order: those in memory are one part.

    Args:
        task: of examples that lie on a disk it is called in other processes, so it has to be a function of a module,
            or a `partial` of one.
        what: the task's name for the person who waits.
    """
    if not isinstance(examples, Spooled):
        yield task(examples)
    elif examples.crew:
        yield from examples.crew.ordered(partial(_read, task), examples.parts(), what, -(-len(examples) // PART))
    else:
        yield from map(partial(_read, task), examples.parts())


def as_one(examples: Sequence[Example], task: Callable[[A], T], things: Iterable[A], what: str = "") -> Iterator[T]:
    """What a function makes of each thing, for work that needs the whole of some examples, which `task` holds: one
    process for each where they lie on a disk."""
    crew = examples.crew if isinstance(examples, Spooled) else None
    things = list(things)
    yield from crew.ordered(task, things, what, len(things)) if crew else map(task, things)


def chosen(examples: Sequence[Example], places: Sequence[int] | Numbers) -> Sequence[Example]:
    """The examples at some places, which ascend."""
    return examples.at(places) if isinstance(examples, Spooled) else tuple(examples[place] for place in places)


def ids(examples: Sequence[Example]) -> Iterable[str]:
    """The ids of examples in order."""
    return examples.ids() if isinstance(examples, Unheld) else (example.id for example in examples)


def keys_of(examples: Sequence[Example]) -> NDArray[np.uint64]:
    """For each example the first 16 bytes of `sameness.key_of`, as two numbers."""
    if isinstance(examples, Spooled):
        return examples.keys
    return _numbers(key_of(example.conversation.turns)[:32] for example in examples).reshape(-1, 2)


def renewed(examples: Sequence[Example], made: Iterable[Made]) -> Sequence[Example]:
    """Examples with other content in place of some: in memory where those are, else in a file of their own."""
    if not isinstance(examples, Spooled):
        return with_ids(made)
    spool, source = Spool(examples.crew or Crew()), iter(made)
    while block := list(islice(source, PART)):
        spool.add(packed(block))
    return spool.examples()


def _numbers(digits: Iterable[str]) -> NDArray[np.uint64]:
    """Hexadecimal digits, one text after the other, as a number for every 16 of them."""
    return np.frombuffer(bytes.fromhex("".join(digits)), ">u8").astype(np.uint64)


def _read(task: Callable[[Sequence[Example]], T], part: Part) -> T:
    return task(part.read())


def _example(row: _Row, name: str | None) -> Example:
    content, group, tags, file, rows, turns = row
    conversation = Conversation(tuple(Turn(_ROLES[role], text, trained) for role, text, trained in turns))
    return Example(name or content, conversation, Source(file, rows), group, tags)


def _renamed(hashes: NDArray[np.uint64]) -> dict[int, str]:
    """The ids, by place, of examples whose content stood there before: `-2`, `-3`, … behind its hash."""
    order = np.argsort(hashes, kind="stable")
    same = np.append(False, hashes[order][1:] == hashes[order][:-1])
    found: dict[int, str] = {}
    number = 1
    for position in np.flatnonzero(same).tolist():
        number = number + 1 if same[position - 1] else 2
        found[int(order[position])] = f"{int(hashes[order[position]]):016x}-{number}"
    return found
