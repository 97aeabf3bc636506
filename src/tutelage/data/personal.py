"""Personal data and secrets: found, counted, and masked with stand-ins that a key undoes. Values are never shown."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tutelage.data import personal_shapes as shapes
from tutelage.data import secret_shapes as secrets
from tutelage.data import spool, store
from tutelage.data.telephone import phones
from tutelage.errors import DataError, UsageError
from tutelage.recipe import PersonalSettings
from tutelage.records import Conversation, Dataset, Example, Turn

KINDS = ("KEY", "PASSWORD", "EMAIL", "IBAN", "CARD", "IP", "PHONE")
"""What is looked for, in this order: a piece that one kind has claimed is not looked at again."""
_NUMBER = re.compile(r"[0-9](?:[^0-9]{0,4}[0-9]){6}")
"""Digits as near to each other as in every number that is looked for: most texts have none, and are done with."""
_NUMBERS = ("IBAN", "CARD", "PHONE")
KEY_KIND = "tutelage personal key"
_STAND_IN = re.compile(rf"\[(?:{'|'.join(KINDS)})-\d{{1,9}}(?:\.\d{{1,9}})?\]")
_FINDERS: Mapping[str, Callable[[str], Iterator[tuple[int, int]]]] = {
    "KEY": secrets.keys,
    "PASSWORD": secrets.passwords,
    "EMAIL": shapes.emails,
    "IBAN": shapes.ibans,
    "CARD": shapes.cards,
    "IP": shapes.addresses,
    "PHONE": phones,
}


@dataclass(frozen=True, slots=True)
class Hit:
    """A piece of a text that is personal or secret: of what kind, and where. It does not hold the value."""

    kind: str
    start: int
    end: int


def find(text: str) -> list[Hit]:
    """Every piece of personal data in a text, in order; no two overlap."""
    taken: list[Hit] = []
    numbers = _NUMBER.search(text) is not None
    for kind in KINDS:
        if not numbers and kind in _NUMBERS:
            continue
        found = [Hit(kind, start, end) for start, end in _FINDERS[kind](text)]
        if found:
            taken = sorted([*_wider(taken, found), *_free(found, taken)], key=lambda hit: hit.start)
    return taken


def _wider(taken: list[Hit], found: Iterable[Hit]) -> Iterator[Hit]:
    """What is taken; a password that is the beginning of something longer (my pin is 0171 …) is that."""
    spans = list(found)
    for hit in taken:
        wider = (each for each in spans if each.start == hit.start and each.end > hit.end)
        yield next(wider, hit) if hit.kind == "PASSWORD" else hit


def _free(found: Iterable[Hit], taken: list[Hit]) -> Iterator[Hit]:
    """Those of `found` that touch none of `taken`; both are in order."""
    place = 0
    for hit in found:
        while place < len(taken) and taken[place].end <= hit.start:
            place += 1
        if place == len(taken) or taken[place].start >= hit.end:
            yield hit


def count(dataset: Dataset) -> dict[str, int]:
    """How many pieces of each kind stand in the turns of a data set."""
    counts: Counter[str] = Counter()
    for part in spool.in_parts(dataset.examples, _counted, "personal data"):
        counts.update(part)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def _counted(examples: Sequence[Example]) -> Counter[str]:
    return Counter(hit.kind for example in examples for turn in example.conversation.turns for hit in find(turn.text))


def key_file(folder: Path) -> Path:
    """Where the key of a data set's folder lies: beside it, so that handing the folder on does not hand on the key."""
    return folder.with_name(f"{folder.name}.key.json")


@dataclass(slots=True)
class _Masker:
    """Stand-ins given out so far. Spellings of one value share a number: [EMAIL-3], [EMAIL-3.2]."""

    values: dict[str, str]
    avoid: frozenset[str]
    known: dict[tuple[str, str], str] = field(default_factory=dict)
    numbers: dict[tuple[str, str], str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for stand_in, value in self.values.items():
            kind = stand_in[1:].partition("-")[0]
            self.known[kind, value] = stand_in
            self.numbers.setdefault((kind, shapes.identity(kind, value)), stand_in[1:-1].partition(".")[0])

    def mask(self, text: str) -> str:
        """The text with stand-ins for what is found in it."""
        pieces, end = [], 0
        for hit in find(text):
            pieces += [text[end : hit.start], self._stand_in(hit.kind, text[hit.start : hit.end])]
            self.counts[hit.kind] += 1
            end = hit.end
        return "".join([*pieces, text[end:]]) if pieces else text

    def _stand_in(self, kind: str, value: str) -> str:
        if (kind, value) in self.known:
            return self.known[kind, value]
        same = (kind, shapes.identity(kind, value))
        if same in self.numbers:
            made = self._unused(f"{self.numbers[same]}.", 2)
        else:
            made = self._unused(f"{kind}-", 1 + sum(known == kind for known, _ in self.numbers))
            self.numbers[same] = made[1:-1]
        self.known[kind, value], self.values[made] = made, value
        return made

    def _unused(self, start: str, number: int) -> str:
        while (made := f"[{start}{number}]") in self.values or made in self.avoid:
            number += 1
        return made


def mask(dataset: Dataset, key: Path) -> Dataset:
    """The data set with stand-ins for personal data, the same for the same value everywhere; counted in `repairs`.

    Groups, tags and the reasons of the ledger are masked too. The key is written before this returns, readable only
    by its owner; one that is there already is gone on with, so that several data sets can share it.

    Raises:
        DataError: the key cannot be read or written, or the file is something else.
    """
    masker = _Masker(read_key(key) if key.exists() else {}, frozenset(_stand_ins(dataset)))
    before = len(masker.values)
    made = _changed(dataset, masker.mask)
    if len(masker.values) > before or not key.exists():
        _write_key(key, masker.values)
    repairs = Counter(dataset.repairs)
    repairs.update({f"{kind} masked": masker.counts[kind] for kind in KINDS if masker.counts[kind]})
    return replace(made, repairs=dict(repairs))


def masked(dataset: Dataset, settings: PersonalSettings, folder: Path) -> Dataset:
    """The data set that is to be written into a folder: masked where that is asked for, with the key beside the folder.

    Raises:
        DataError: as `mask`.
    """
    return mask(dataset, key_file(folder)) if settings.mask else dataset


def told(counts: Mapping[str, int]) -> str:
    """Counts in a sentence; "" where nothing was found."""
    listed = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    return f"Personal data: {listed}; personal.mask=true writes stand-ins for it." if listed else ""


def only_in_curate(settings: PersonalSettings) -> None:
    """Where nothing is masked, asking for it is refused rather than passed by.

    Raises:
        UsageError: with the command that masks.
    """
    if settings.mask:
        raise UsageError("personal.mask: only curate masks; tutelage curate FILES --out DATASET personal.mask=true")


def unmask(dataset: Dataset, key: Path) -> Dataset:
    """The data set with the values that a key has for the stand-ins in it.

    Raises:
        DataError: the file is no such key.
    """
    values = read_key(key)
    return _changed(dataset, lambda text: _STAND_IN.sub(lambda hit: values.get(hit[0], hit[0]), text))


def unmask_file(masked: Path, key: Path, out: Path) -> int:
    """Any file of text, or a data set's folder, with the values that a key has for the stand-ins in it.

    In JSON and JSON Lines a value is written as JSON has it. A file that is written is readable only by its owner.

    Returns:
        How many stand-ins of the key were found.

    Raises:
        DataError: the key is none, the file cannot be read, or there is something at `out` already.
    """
    values = read_key(key)
    if out.exists():
        raise DataError(f"{out}: is there already; name another file, or move it away")
    if masked.is_dir():
        dataset = store.load(masked)
        found = sum(text in values for text in _stand_ins(dataset))
        store.save(unmask(dataset, key), out)
        return found
    if masked.suffix in (".json", ".jsonl"):
        values = {stand_in: json.dumps(value, ensure_ascii=False)[1:-1] for stand_in, value in values.items()}
    try:
        text = masked.read_text(encoding="utf-8", errors="surrogateescape")
        found = sum(hit in values for hit in _STAND_IN.findall(text))
        _write_closed(out, _STAND_IN.sub(lambda hit: values.get(hit[0], hit[0]), text).encode(errors="surrogateescape"))
    except OSError as error:
        raise DataError(f"{error.filename or masked}: {error.strerror}") from error
    return found


def _stand_ins(dataset: Dataset) -> Iterator[str]:
    """What looks like a stand-in before anything is masked: from another key, or written by somebody."""
    for example in dataset.examples:
        for text in (example.group, *example.tags, *(turn.text for turn in example.conversation.turns)):
            yield from _STAND_IN.findall(text)


def _changed(dataset: Dataset, change: Callable[[str], str]) -> Dataset:
    """The data set with every text changed; ids follow the new content."""

    def made() -> Iterator[spool.Made]:
        for example in dataset.examples:
            turns = tuple(_turn(turn, change) for turn in example.conversation.turns)
            group = "" if example.group == example.conversation.content_hash() else change(example.group)
            yield Conversation(turns), example.source, group, tuple(map(change, example.tags))

    return replace(
        dataset,
        examples=spool.renewed(dataset.examples, made()),
        dropped=tuple(replace(row, reason=change(row.reason)) for row in dataset.dropped),
        findings=tuple(replace(found, reason=change(found.reason)) for found in dataset.findings),
    )


def _turn(turn: Turn, change: Callable[[str], str]) -> Turn:
    text = change(turn.text)
    return turn if text == turn.text else replace(turn, text=text)


def read_key(path: Path) -> dict[str, str]:
    """Values by stand-in.

    Raises:
        DataError: where the file is no key.
    """
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or content.get("kind") != KEY_KIND:
            raise DataError(f"{path}: is no key to masked data; name another file or move this one away")
        return {str(stand_in): str(value) for stand_in, value in content["values"].items()}
    except OSError as error:
        raise DataError(f"{path}: the key cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, AttributeError, RecursionError):
        # without the error itself, which may quote a value
        raise DataError(f"{path}: is no key to masked data, or a damaged one") from None


def _write_key(path: Path, values: Mapping[str, str]) -> None:
    content = json.dumps({"kind": KEY_KIND, "values": dict(values)}, ensure_ascii=True, indent=1).encode()
    try:
        _write_closed(path, content)
    except OSError as error:
        raise DataError(f"{path}: the key to the masked data cannot be written: {error.strerror}") from error


def _write_closed(path: Path, content: bytes) -> None:
    """Through a temporary file that is closed to others from the moment it exists, and then renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
