"""Pieces of a data set as they may be shown to anybody: short, and with stand-ins for what is personal or secret."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tutelage.data import personal
from tutelage.data.near import near_groups
from tutelage.data.similar import ANSWER, QUESTION, WHOLE, View
from tutelage.pages import cut, readable
from tutelage.records import Dataset, Dropped, Example, Finding, Role

SHOWN = 480
"""Characters of a text that are shown."""
SAMPLES = 3
"""Rows shown for each rule."""
GROUPS, MEMBERS, NAMED = 6, 3, 12
"""Groups of near duplicates that are shown, members of each with their texts, and members with their rows."""
_TURN = re.compile(r" in turn (\d+)")
_TAIL = re.compile(r"(?:[^\s\u201c]*[\d@][^\s\u201c]*\s+)*[^\s\u201c]*(?=\s?\u2026)")
"""The word before an ellipsis, and words with digits or @ before it: it may be half of something personal."""


@dataclass(frozen=True, slots=True)
class Specimen:
    """A conversation, or a row that became none: where it stands, why it is shown, and the exchange that it is about.

    Attributes:
        asked, answered: beginnings of the question and its answer, personal data masked; "" where there is no text.
    """

    source: str
    reason: str
    asked: str = ""
    answered: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Conversations that are nearly the same in one view: how many, some of them, and the rows of some more."""

    view: str
    size: int
    members: tuple[Specimen, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repetition:
    """Near duplicates in one view: groups, and how many conversations are no group's first; the largest groups."""

    view: str
    groups: int
    surplus: int
    largest: tuple[Group, ...]


def hidden(text: str) -> str:
    """The text with [EMAIL], [PHONE] and so on for what is personal or secret; the kinds are those of `personal`."""
    pieces, end = [], 0
    for hit in personal.find(text):
        pieces += [text[end : hit.start], f"[{hit.kind}]"]
        end = hit.end
    return "".join([*pieces, text[end:]])


def shown(text: str, most: int = SHOWN) -> str:
    """The beginning of a text, masked before it is cut: half an address is not found any more."""
    return cut(readable(hidden(text)), most)


def excerpt(text: str, most: int = SHOWN) -> str:
    """A text that was cut by others before, at an ellipsis: what may be half of something personal is left out."""
    return cut(readable(re.sub(" +\u2026", " \u2026", _TAIL.sub("", hidden(text)))), most)


def reason_of(reason: str, examples: Iterable[Example] = ()) -> str:
    """A finding's reason without what is personal in the conversations that it quotes.

    A reason quotes pieces: an address may be cut, and a password stand without the word that tells it is one. So
    whatever is found in the whole texts is hidden by its words too.
    """
    values = {
        " ".join(turn.text[hit.start : hit.end].split())
        for example in examples
        for turn in example.conversation.turns
        for hit in personal.find(turn.text)
    }
    words = {word for value in values for word in value.split() if len(word) > 2}
    for piece in sorted(values | words, key=lambda piece: (-len(piece), piece)):
        reason = re.sub(rf"(?<!\w){re.escape(piece)}(?!\w)", "[\u2026]", reason)
    return excerpt(reason)


def samples(
    dataset: Dataset, ledgers: Sequence[Sequence[Dropped] | Sequence[Finding]]
) -> list[dict[str, tuple[Specimen, ...]]]:
    """For each ledger, by rule, the first few of its rows, with the exchange that each is about where there is one.

    Rows whose reasons differ in more than numbers come first.
    """
    few = [_few(rows) for rows in ledgers]
    texts = _texts(dataset, [row for rules in few for some in rules.values() for row in some])
    return [{rule: tuple(_specimen(row, texts) for row in some) for rule, some in rules.items()} for rules in few]


def _few(rows: Iterable[Dropped | Finding]) -> dict[str, list[Dropped | Finding]]:
    different: dict[str, dict[str, Dropped | Finding]] = defaultdict(dict)
    more: dict[str, list[Dropped | Finding]] = defaultdict(list)
    for row in rows:
        kinds = different[row.rule]
        if len(kinds) == SAMPLES:
            continue
        kind = re.sub(r"\d+", "0", row.reason)
        if kind not in kinds:
            kinds[kind] = row
        elif len(more[row.rule]) < SAMPLES:
            more[row.rule].append(row)
    return {rule: [*kinds.values(), *more[rule]][:SAMPLES] for rule, kinds in different.items()}


def _texts(dataset: Dataset, rows: Sequence[Dropped | Finding]) -> dict[str, list[Example]]:
    """The examples that rows come from, or that their reasons name, by their sources in words."""
    own = {row.source for row in rows}
    numbers = {int(number) for row in rows for number in re.findall(r":(\d{1,18})\b", row.reason)}
    found: dict[str, list[Example]] = defaultdict(list)
    for example in dataset.examples:
        if example.source in own or example.source.rows[0] in numbers:
            found[str(example.source)].append(example)
    return found


def _specimen(row: Dropped | Finding, texts: dict[str, list[Example]]) -> Specimen:
    own = texts.get(str(row.source), [])
    quoted = [example for source, some in texts.items() if source in row.reason for example in some]
    reason = reason_of(row.reason, [*own, *quoted])
    if len(own) != 1:  # nothing is left of it, or the row holds several and the finding does not say which
        return Specimen(readable(str(row.source)), reason)
    asked, answered = _exchange(own[0], row.reason)
    return Specimen(readable(str(row.source)), reason, shown(asked), shown(answered))


def _exchange(example: Example, reason: str) -> tuple[str, str]:
    """The question and answer that a reason speaks of, else the last."""
    turns = example.conversation.turns
    hit = _TURN.search(reason)
    end = int(hit[1]) if hit and 0 < int(hit[1]) <= len(turns) else len(turns)
    asked = next((turn.text for turn in reversed(turns[: end - 1]) if turn.role is Role.USER), "")
    return asked, turns[end - 1].text


def beginning(example: Example) -> Specimen:
    """An example's first exchange."""
    turns = example.conversation.turns
    end = next(place for place, turn in enumerate(turns, 1) if turn.role is Role.ASSISTANT)
    asked = "\n".join(turn.text for turn in turns[:end] if turn.role is Role.USER)
    more = len(turns) - end
    reason = f"the beginning; {more} more turn{'s' if more > 1 else ''}" if more else ""
    return Specimen(readable(str(example.source)), reason, shown(asked), shown(turns[end - 1].text))


def _sides(example: Example) -> Specimen:
    """All that each side says."""
    said = (
        "\n".join(t.text for t in example.conversation.turns if t.role is role) for role in (Role.USER, Role.ASSISTANT)
    )
    return Specimen(readable(str(example.source)), "", *map(shown, said))


def repetitions(examples: Sequence[Example]) -> tuple[Repetition, ...]:
    """Near duplicates over question and answer; of those that are none, over the questions and the answers alone."""
    whole, inside = _repetition(examples, WHOLE)
    alone = [example for place, example in enumerate(examples) if place not in inside]
    return whole, *(_repetition(alone, view)[0] for view in (QUESTION, ANSWER))


def _repetition(examples: Sequence[Example], view: View) -> tuple[Repetition, set[int]]:
    firsts = near_groups(map(view.text, examples)).tolist()
    sizes = Counter(firsts)
    large = sorted((first for first, size in sizes.items() if size > 1), key=lambda first: (-sizes[first], first))
    members: dict[int, list[int]] = {first: [] for first in large}
    for place, first in enumerate(firsts):
        if first in members:
            members[first].append(place)
    groups = tuple(_group(view, [examples[place] for place in members[first]]) for first in large[:GROUPS])
    inside = {place for places in members.values() for place in places}
    return Repetition(view.name, len(large), len(inside) - len(large), groups), inside


def _group(view: View, members: Sequence[Example]) -> Group:
    sources = tuple(readable(str(member.source)) for member in members[:NAMED])
    return Group(view.name, len(members), tuple(map(_sides, members[:MEMBERS])), sources)


def private(examples: Sequence[Example]) -> Iterator[tuple[str, int, int, int]]:
    """For each kind of personal data that is there: pieces of it, those in answers, and conversations with it."""
    pieces, told, holders = Counter[str](), Counter[str](), Counter[str]()
    for example in examples:
        found = [(hit.kind, turn.role) for turn in example.conversation.turns for hit in personal.find(turn.text)]
        pieces.update(kind for kind, _ in found)
        told.update(kind for kind, role in found if role is Role.ASSISTANT)
        holders.update({kind for kind, _ in found})
    for kind in personal.KINDS:
        if pieces[kind]:
            yield kind, pieces[kind], told[kind], holders[kind]
