"""Everything that the data page shows, as plain numbers and short texts in which personal data is masked."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tutelage.data import quality, specimens, store, tickets
from tutelage.data.breadth import Breadth
from tutelage.data.exchange import unit
from tutelage.data.languages import language
from tutelage.data.licences import Licence, licence_of
from tutelage.data.specimens import Repetition, Specimen
from tutelage.pages import cut, readable
from tutelage.records import Dataset, Dropped, Example, Finding, Role

EDGES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Lengths in words at which a bar of a histogram ends."""
MOST = 12
"""Bars of a list; what is less frequent is counted together."""
NAME = 200
"""Characters of a file's name, a licence's line or a tag that are shown."""
UNTOLD = "not clear (too short, names, code)"
OTHERS = "all others"
EXAMPLES = 3
ABOUT: Mapping[str, str] = {
    "repeat": "The same stood there before, word for word",
    "near duplicate": "Nearly the same as another conversation",
    "contamination": "Holds an item of a benchmark",
    "layout": "The row is not laid out like the others",
    "unreadable": "The row cannot be read",
    "roles": "The turns are not in an order that makes a conversation",
    "role name": "Nothing known says who is speaking",
    "unanswered": "Nobody answers",
    "untrained": "Nothing in it is to be learned",
    "not text": "Holds pictures or sound; only text can be learned",
    "time": "The time cannot be read",
    "ticket": "Nothing says which ticket the message belongs to",
    "kept aside for measuring": "Meant for measuring, not for tuning",
}
"""What rules without a function of their own look for."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of something: its name, how many, and their share of all, 0 to 1."""

    name: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file, its size in bytes and SHA-256 (-1 and "" where it is not there any more), and what came of it."""

    name: str
    format: str
    bytes: int
    sha256: str
    conversations: int
    licence: Licence | None


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """A rule by which something was dropped or flagged: how often, as a share, what it means, and some of its rows."""

    rule: str
    count: int
    share: float
    about: str
    samples: tuple[Specimen, ...]


@dataclass(frozen=True, slots=True)
class Private:
    """Personal data of one kind: pieces of it, those in answers, and conversations with it. The values are nowhere."""

    kind: str
    pieces: int
    in_answers: int
    conversations: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What is in a data set, and what became of every row.

    Attributes:
        conversations: kept ones.
        looked_at: so many of them languages, repetitions, personal data and breadth were counted on.
        funnel: rows read and used, conversations made and kept; shares of the largest.
        passed_over, dropped, flagged: by rule, the most frequent first; shares of rows read, conversations made, kept.
        flagged_conversations: with a flag or more.
        repairs: small mends by name.
        prompts, answers: histograms of their lengths in words (characters in scripts without blanks between words).
        long: conversations that may well be too long to be tuned on whole.
        shape: turns, groups and the like, by name.
        private: personal data by kind.
        examples: some conversations, evenly spread.
        ignored: files that hold no examples, with the reason.
    """

    conversations: int
    looked_at: int
    funnel: tuple[Bar, ...]
    passed_over: tuple[RuleFacts, ...]
    dropped: tuple[RuleFacts, ...]
    flagged: tuple[RuleFacts, ...]
    flagged_conversations: int
    repairs: Mapping[str, int]
    prompts: tuple[Bar, ...]
    answers: tuple[Bar, ...]
    long: int
    shape: Mapping[str, int]
    tags: tuple[Bar, ...]
    languages_asked: tuple[Bar, ...]
    languages_answered: tuple[Bar, ...]
    repetitions: tuple[Repetition, ...]
    private: tuple[Private, ...]
    breadth: Breadth | None
    examples: tuple[Specimen, ...]
    files: tuple[FileFacts, ...]
    ignored: tuple[tuple[str, str], ...]


def overview(
    dataset: Dataset, files: Sequence[str], sample: Sequence[Example], breadth: Breadth | None, long: int
) -> Overview:
    """The numbers and specimens of a data set after the rules.

    Args:
        files: what the user named; a data set folder among them is a file of its own.
        sample: the examples that languages, repetitions and personal data are counted on; all, or some of them.
        long: conversations of more words than this are counted as long.
    """
    ledger, counted = dataset.ledger, _counted(dataset.examples, long)
    passed = [row for row in dataset.dropped if row.stage == "row"]
    gone = [row for row in dataset.dropped if row.stage != "row"]
    flags = [found for found in dataset.findings if found.action == "flag"]
    few = specimens.samples(dataset, (passed, gone, flags))
    return Overview(
        conversations=len(dataset),
        looked_at=len(sample),
        funnel=_funnel(ledger.rows_read, ledger.rows_used, ledger.conversations_made, ledger.conversations_kept),
        passed_over=_rules(passed, few[0], ledger.rows_read),
        dropped=_rules(gone, few[1], ledger.conversations_made),
        flagged=_rules(flags, few[2], len(dataset)),
        flagged_conversations=len({found.source for found in flags}),
        repairs=dict(dataset.repairs),
        prompts=histogram(counted.asked),
        answers=histogram(counted.answered),
        long=counted.long,
        shape=counted.shape(),
        tags=_bars(counted.tags, len(dataset)),
        languages_asked=_languages(sample, Role.USER),
        languages_answered=_languages(sample, Role.ASSISTANT),
        repetitions=specimens.repetitions(sample),
        private=tuple(Private(*counts) for counts in specimens.private(sample)),
        breadth=breadth and _masked(breadth),
        examples=tuple(map(specimens.beginning, _spread(dataset.examples, EXAMPLES))),
        files=tuple(_files(dataset, files, counted.files)),
        ignored=tuple((name_of(name), readable(reason)) for name, reason in dataset.ignored),
    )


@dataclass(slots=True)
class _Counted:
    """What one walk through all conversations counts; of many they lie on a disk."""

    asked: Counter[int] = field(default_factory=Counter)
    answered: Counter[int] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    groups: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    long: int = 0

    def shape(self) -> dict[str, int]:
        names = ("turns", "with several exchanges", "with a system turn", "with tools")
        return {
            **{name: self.kinds[name] for name in names},
            "groups (customers, threads, tasks)": len(self.groups),
            "conversations of the largest group": max(self.groups.values(), default=0),
        }


def _counted(examples: Iterable[Example], long: int) -> _Counted:
    counted = _Counted()
    for example in examples:
        turns = example.conversation.turns
        roles = Counter(turn.role for turn in turns)
        lengths = [(turn.role, unit(turn.text)) for turn in turns if turn.role in (Role.USER, Role.ASSISTANT)]
        counted.asked.update(length for role, length in lengths if role is Role.USER)
        counted.answered.update(length for role, length in lengths if role is Role.ASSISTANT)
        counted.long += sum(length for _, length in lengths) > long
        counted.tags.update(example.tags)
        counted.files[example.source.file] += 1
        counted.groups[example.group] += 1
        counted.kinds["turns"] += len(turns)
        counted.kinds["with several exchanges"] += roles[Role.USER] > 1
        counted.kinds["with a system turn"] += bool(roles[Role.SYSTEM])
        counted.kinds["with tools"] += bool(roles[Role.TOOL])
    return counted


def histogram(lengths: Counter[int]) -> tuple[Bar, ...]:
    """How many lengths fall between two edges; empty bars only between others."""
    counts = Counter[int]()
    for length, count in lengths.items():
        counts[bisect_left(EDGES, length)] += count
    if not counts:
        return ()
    places, of = range(min(counts), max(counts) + 1), counts.total()
    return tuple(Bar(_between(place), counts[place], counts[place] / of) for place in places)


def _between(place: int) -> str:
    if place == len(EDGES):
        return f"more than {EDGES[-1]:,}"
    least, most = (EDGES[place - 1] + 1 if place else 0), EDGES[place]
    return f"{most:,}" if least == most else f"{least:,}\u2013{most:,}"


def _funnel(read: int, used: int, made: int, kept: int) -> tuple[Bar, ...]:
    names = ("rows read", "rows used", "conversations made of them", "conversations kept")
    most = max(read, used, made, kept, 1)
    return tuple(Bar(name, count, count / most) for name, count in zip(names, (read, used, made, kept), strict=True))


def _rules(
    rows: Sequence[Dropped] | Sequence[Finding], samples: Mapping[str, tuple[Specimen, ...]], of: int
) -> tuple[RuleFacts, ...]:
    counts = Counter(row.rule for row in rows)
    return tuple(
        RuleFacts(rule, count, _share(count, of), about(rule), samples[rule]) for rule, count in counts.most_common()
    )


def about(rule: str) -> str:
    """What a rule looks for, in a sentence: the one that stands at the rule itself."""
    if rule in ABOUT or rule in tickets.LEFT_OUT:
        return ABOUT.get(rule) or tickets.LEFT_OUT[rule]
    found = quality.RULES.get(rule) or quality.SET_RULES.get(rule)
    first = (found.__doc__ or "").strip().partition("\n")[0] if found else ""
    return first.removesuffix(", by the ids of examples.").removesuffix(", by the ids of their examples.").rstrip(".")


def _bars(counts: Counter[str], of: int) -> tuple[Bar, ...]:
    """The most frequent, and the others as one bar."""
    bars = [Bar(name_of(specimens.hidden(name)), n, _share(n, of)) for name, n in counts.most_common(MOST)]
    rest = counts.total() - sum(bar.count for bar in bars)
    return (*bars, Bar(OTHERS, rest, _share(rest, of))) if rest else tuple(bars)


def _languages(examples: Sequence[Example], role: Role) -> tuple[Bar, ...]:
    """What one side of each conversation speaks, all its turns together."""
    said = ("\n".join(t.text for t in e.conversation.turns if t.role is role) for e in examples)
    counts = Counter(language(text) or UNTOLD for text in said)
    return _bars(counts, len(examples))


def _masked(breadth: Breadth) -> Breadth:
    """The breadth with its examples masked; they are shortened already."""
    kinds = tuple(replace(each, examples=tuple(map(specimens.excerpt, each.examples))) for each in breadth.kinds)
    topics = tuple(
        replace(
            each,
            name=specimens.excerpt(each.name),
            words=tuple(map(specimens.excerpt, each.words)),
            examples=tuple(map(specimens.excerpt, each.examples)),
        )
        for each in breadth.topics
    )
    return replace(breadth, kinds=kinds, topics=topics)


def _spread(examples: Sequence[Example], most: int) -> list[Example]:
    """A few examples, as far from each other as can be, in order."""
    few = min(most, len(examples))
    return [examples[(2 * place + 1) * len(examples) // (2 * few)] for place in range(few)]


def _files(dataset: Dataset, names: Sequence[str], came: Mapping[str, int]) -> Iterator[FileFacts]:
    """The files that were read, in order; of a data set folder its conversations, and what they were made from."""
    for name in names:
        if store.is_dataset(Path(name)):
            path = Path(name) / store.PARTS[0]
            with path.open("rb") as stream:
                yield _file(path, "data set of this program", sum(1 for _ in stream))
    for name, format in sorted(dataset.formats.items()):
        yield _file(Path(name), format, came.get(name, 0))


def _file(path: Path, format: str, conversations: int) -> FileFacts:
    licence = licence_of(path)
    if licence:
        licence = Licence(name_of(licence.file), name_of(specimens.hidden(licence.line)))
    try:
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        size = path.stat().st_size
    except OSError:
        size, sha256 = -1, ""
    return FileFacts(readable(str(path)), format, size, sha256, conversations, licence)


def name_of(text: str) -> str:
    """A name on one line, not too long."""
    return cut(readable(" ".join(text.split())), NAME)


def _share(count: int, of: int) -> float:
    return count / of if of else 0.0
