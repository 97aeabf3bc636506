"""What the data is: turns, conversations, examples, and what became of every row that was read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tutelage.errors import DataError


class Role(StrEnum):
    """Who speaks. Nothing else is a role: a name in a file is mapped to one of these or refused."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `trained` None means: assistant turns are trained, others are not."""

    role: Role
    text: str
    trained: bool | None = None

    @property
    def is_trained(self) -> bool:
        """Whether the loss looks at this turn; only assistant turns ever are."""
        return self.role is Role.ASSISTANT and self.trained is not False


_AFTER: Mapping[Role, frozenset[Role | None]] = {
    Role.SYSTEM: frozenset({None}),
    Role.USER: frozenset({None, Role.SYSTEM, Role.ASSISTANT}),
    Role.TOOL: frozenset({Role.ASSISTANT, Role.TOOL}),
    Role.ASSISTANT: frozenset({Role.USER, Role.TOOL}),
}
"""What may stand before a turn of a role; None: nothing."""


class ConversationError(DataError):
    """The turns do not make a conversation; the message is the reason given in the ledger."""


def check_order(turns: Sequence[Turn]) -> None:
    """The one place where the order of roles is checked.

    An optional system turn comes first; then a user or tool turn is answered by the assistant, again and
    again. Several tool results may stand side by side.

    Raises:
        ConversationError: with the number of the first turn out of place.
    """
    previous: Role | None = None
    for number, turn in enumerate(turns, 1):
        if previous not in _AFTER[turn.role]:
            after = f"after {previous}" if previous else "at the start"
            raise ConversationError(f"turn {number} is {turn.role} {after}")
        previous = turn.role


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns in a valid order that end with an assistant's.

    Raises:
        ConversationError: where the order is wrong or no assistant turn ends it.
    """

    turns: tuple[Turn, ...]

    def __post_init__(self) -> None:
        if not self.turns:
            raise ConversationError("no turns")
        check_order(self.turns)
        if self.turns[-1].role is not Role.ASSISTANT:
            raise ConversationError(f"ends with {self.turns[-1].role}, not with an answer")

    @property
    def prompt(self) -> tuple[Turn, ...]:
        """Everything before the last answer."""
        return self.turns[:-1]

    @property
    def answer(self) -> str:
        """The last assistant turn's text."""
        return self.turns[-1].text

    def content_hash(self) -> str:
        """SHA-256 (first 16 hex digits) of roles, texts and what is trained: same content, same hash."""
        content = ((turn.role.value, turn.text, turn.is_trained) for turn in self.turns)
        return hashlib.sha256(as_json(content).encode()).hexdigest()[:16]


def as_json(content: Iterable[tuple[str, str, bool]]) -> str:
    """Roles, texts and what is trained as `json.dumps` writes lists of them, in half the time: millions are hashed."""
    quoted = json.encoder.encode_basestring_ascii
    turns = (f"[{quoted(role)}, {quoted(text)}, {'true' if trained else 'false'}]" for role, text, trained in content)
    return f"[{', '.join(turns)}]"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question to a model: turns that end with user or tool."""

    id: str
    turns: tuple[Turn, ...]

    def __post_init__(self) -> None:
        check_order(self.turns)
        if not self.turns or self.turns[-1].role not in (Role.USER, Role.TOOL):
            raise ConversationError("a prompt ends with a user or tool turn")


@dataclass(frozen=True, slots=True)
class Source:
    """Where something came from: a file and its rows, counted from 1 (the line number in JSONL)."""

    file: str
    rows: tuple[int, ...]

    def __str__(self) -> str:
        rows = ", ".join(map(str, self.rows[:3])) + (", …" if len(self.rows) > 3 else "")
        return f"{self.file}:{rows}"


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation to learn from, with an id that follows from its content."""

    id: str
    conversation: Conversation
    source: Source
    group: str = ""
    tags: tuple[str, ...] = ()


class Unheld(Sequence[Example]):
    """Examples that lie on a disk: read when they are asked for, and never all at once."""

    def ids(self) -> Iterator[str]:
        """Their ids in order, for which nothing has to be read."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule saw in an example: `action` is drop, flag or repair; `reason` is for a person."""

    source: Source
    rule: str
    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row or conversation that is not used. `stage` is row (never became a conversation) or conversation."""

    source: Source
    stage: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """The two sums that must hold: read = used + passed over; made = kept + dropped."""

    rows_read: int = 0
    rows_used: int = 0
    rows_passed_over: int = 0
    conversations_made: int = 0
    conversations_kept: int = 0
    conversations_dropped: int = 0

    def __add__(self, other: Ledger) -> Ledger:
        mine, theirs = self.counts(), other.counts()
        return Ledger(**{name: mine[name] + theirs[name] for name in mine})

    def counts(self) -> dict[str, int]:
        """The six counts by name."""
        return {name: int(getattr(self, name)) for name in self.__slots__}

    def balances(self) -> bool:
        """Whether both sums hold."""
        rows = self.rows_read == self.rows_used + self.rows_passed_over
        return rows and self.conversations_made == self.conversations_kept + self.conversations_dropped


@dataclass(frozen=True, slots=True)
class Dataset:
    """Examples with everything that did not become one.

    `repairs` counts small mends by name (an answer trimmed, an unanswered end cut). `ignored` names files
    in a folder that hold no examples, with the reason.
    """

    examples: Sequence[Example]
    dropped: tuple[Dropped, ...] = ()
    findings: tuple[Finding, ...] = ()
    ledger: Ledger = Ledger()
    repairs: Mapping[str, int] = field(default_factory=dict)
    ignored: tuple[tuple[str, str], ...] = ()
    formats: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.examples)

    def data_hash(self) -> str:
        """SHA-256 over the examples' ids in order."""
        ids = self.examples.ids() if isinstance(self.examples, Unheld) else (e.id for e in self.examples)
        return hashlib.sha256("\n".join(ids).encode()).hexdigest()


def with_ids(
    made: Iterable[tuple[Conversation, Source, str, tuple[str, ...]]], seen: Counter[str] | None = None
) -> tuple[Example, ...]:
    """Examples with content ids; where content repeats, the second gets `-2`, the third `-3`.

    Args:
        made: conversation, source, group ("" = its own content) and tags.
        seen: counts of hashes given out before, updated in place.
    """
    seen = Counter() if seen is None else seen
    examples = []
    for conversation, source, group, tags in made:
        key = conversation.content_hash()
        seen[key] += 1
        name = key if seen[key] == 1 else f"{key}-{seen[key]}"
        examples.append(Example(name, conversation, source, group or key, tags))
    return tuple(examples)
