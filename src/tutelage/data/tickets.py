"""Help-desk tickets as conversations: messages threaded by ticket and time, cleaned, grouped by customer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tutelage.data.drafts import Draft
from tutelage.data.htmltext import QUOTED
from tutelage.data.mailtext import clean
from tutelage.data.rows import Row, RowError, as_text
from tutelage.data.ticketcolumns import TABLE
from tutelage.data.ticketlayouts import (
    BOT,
    EVENT,
    INTERNAL,
    NO,
    NOTE,
    PRESETS,
    PUBLIC,
    SPAM,
    YES,
    Layout,
    Sent,
    Value,
    word,
)
from tutelage.data.times import Moment, moment
from tutelage.errors import DataError, UsageError
from tutelage.recipe import DataSettings
from tutelage.records import Finding, Role, Source, Turn

LAYOUTS = (*PRESETS, TABLE)
SIDES: Mapping[str, Role | str] = {
    **dict.fromkeys(
        (
            *("customer", "user", "end user", "enduser", "requester", "contact", "client", "lead", "visitor", "guest"),
            *("incoming", "inbound", "in", "received", "kunde", "kundin", "anfragender", "eingehend", "besucher"),
        ),
        Role.USER,
    ),
    **dict.fromkeys(
        (
            *("agent", "admin", "support", "staff", "operator", "assistant", "team", "teammate", "employee", "owner"),
            *("light agent", "outgoing", "outbound", "out", "mitarbeiter", "mitarbeiterin", "bearbeiter", "ausgehend"),
        ),
        Role.ASSISTANT,
    ),
    **dict.fromkeys(("bot", "system", "automation", "trigger", "workflow", "answer bot", "auto", "automatic"), BOT),
    **dict.fromkeys(("note", "internal", "internal note", "private note", "interne notiz", "notiz"), NOTE),
}
"""Every name of a side that exports use, in small letters with spaces; anything else is refused."""
NO_TEXT, QUOTE_ONLY, REPEAT = "no text", "quote only", "repeat"
LEFT_OUT: Mapping[str, str] = {
    NOTE: "an internal note",
    BOT: "written by a bot or a rule",
    EVENT: "an event, not a message",
    SPAM: "the ticket or message is spam or deleted",
    NO_TEXT: "the body holds no text",
    QUOTE_ONLY: "the body holds only what somebody else wrote",
    REPEAT: "the same message stood there before",
}
"""Rules by which a message is left out though nothing is wrong with its row; these are no bad rows."""
NOBODY = frozenset(("", "unknown", "anonymous", "none", "null", "n/a", "-", "unbekannt", "anonym", *SIDES))
_EMAIL = re.compile(r"[\w.+'%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_MACHINE = re.compile(r"(?:no|do[-_.]?not)[-_.]?reply|mailer-daemon|postmaster|bounces?\b|auto(?:mated|reply)", re.I)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; `order` breaks ties of time, `row` is where it stands."""

    role: Role
    text: str
    time: Moment
    order: int
    row: int
    cuts: tuple[str, ...]


class _Ticket:
    """What was met of one ticket."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.customers: dict[str, None] = {}
        self.tags: dict[str, None] = {}
        self.seen: set[tuple[Role, str, float | None, float | None]] = set()


class Threads:
    """Takes the rows of one file in any order, and makes a draft of each ticket at the end."""

    def __init__(self, layout: Layout, settings: DataSettings) -> None:
        if settings.instruction:
            raise UsageError("data.instruction is for tables read with prompt= and response=, not for tickets")
        self.layout = layout
        self._agents = _agents(settings.agents)
        self._tickets: dict[str, _Ticket] = {}
        self._order = 0
        self._day_first = self._month_first = False
        self._file = ""

    def check(self, file: str, values: Sequence[Value]) -> None:
        """Refuse a file in which nothing tells customers from support.

        Raises:
            DataError: with what to do.
        """
        for value in values:
            try:
                if any(self._side(sent) is not None for sent in self.layout.messages(value)):
                    return
            except RowError:  # a role that is not known is told with its row
                return
        raise DataError(
            f"{file}: nothing tells the customers' messages from the support side's: no role, no requester\n"
            "Name the support side's e-mail domain, data.agents=example.com (the authors need e-mail addresses), "
            "or map a column: --columns ticket=…,time=…,role=…,body=…"
        )

    def take(self, row: Row) -> list[Finding]:
        """The messages of a row into their tickets; why some of several are left out.

        Raises:
            RowError: where no message of the row can be used.
        """
        self._file = row.source.file
        used, missed = 0, list[tuple[int, RowError]]()
        for number, sent in enumerate(list(self.layout.messages(row.value)), 1):  # all or none of a broken row
            try:
                self._add(sent, row.source.rows[0])
                used += 1
            except RowError as error:
                missed.append((number, error))
        if not used:
            worst = [error for _, error in missed if error.rule not in LEFT_OUT] or [error for _, error in missed]
            raise worst[0] if worst else RowError("holds no message", NO_TEXT)
        return [Finding(row.source, e.rule, "repair", f"message {number} left out: {e}") for number, e in missed]

    def _add(self, sent: Sent, row: int) -> None:
        if sent.left_out:
            raise RowError(LEFT_OUT[sent.left_out], sent.left_out)
        if _is_internal(sent.internal):
            raise RowError(LEFT_OUT[NOTE], NOTE)
        side = self._side(sent)
        if side in (NOTE, BOT):
            raise RowError(LEFT_OUT[side], side)
        name = as_text(sent.ticket, "the ticket").strip()
        if not name:
            raise RowError("no ticket id", "ticket")
        time = moment(sent.time)
        cleaned = clean(as_text(sent.body, "the body"), sent.markup)
        if not cleaned.text:
            rule = QUOTE_ONLY if QUOTED in cleaned.cuts else NO_TEXT
            raise RowError(LEFT_OUT[rule], rule)
        if not isinstance(side, Role):
            raise RowError("nothing says which side wrote it: no role, and no author's e-mail address", "role name")
        ticket = self._tickets.setdefault(name, _Ticket())
        same = (side, cleaned.text, time.month_first, time.day_first)
        if same in ticket.seen:
            raise RowError(LEFT_OUT[REPEAT], REPEAT)
        ticket.seen.add(same)
        self._order += 1
        self._day_first |= time.month_first is None
        self._month_first |= time.day_first is None
        ticket.messages.append(Message(side, cleaned.text, time, self._order, row, cleaned.cuts))
        ticket.tags.update(dict.fromkeys(sent.tags))
        for who in (sent.customer, sent.author if side is Role.USER else None):
            if (known := _identity(who)) not in NOBODY:
                ticket.customers[known] = None

    def _side(self, sent: Sent) -> Role | str | None:
        """Which side wrote a message, or the rule by which it is left out; None where nothing tells.

        Raises:
            RowError: for a role that no export is known to use, where the author's address does not tell either.
        """
        role, author = _said(sent.role), _said(sent.author)
        if _named(role) in SIDES:
            return SIDES[_named(role)]
        address = _EMAIL.search(author[:300])
        if address and self._agents:
            return self._by_address(address.group())
        if role:
            raise RowError(
                f"{role!r} is no known role (customer, agent, bot and their like); "
                "or set data.agents to the support side's e-mail domain",
                "role name",
            )
        if author and any("." not in each for each in self._agents):
            return Role.ASSISTANT if author in self._agents else Role.USER
        return SIDES.get(_named(author))

    def _by_address(self, address: str) -> Role | str:
        name, _, domain = address.partition("@")
        if _MACHINE.match(name):
            return BOT
        ours = any(each in (address, domain) or domain.endswith(f".{each}") for each in self._agents)
        return Role.ASSISTANT if ours else Role.USER

    def finish(self) -> Iterator[tuple[Source, Draft]]:
        """A draft of each ticket, with the rows that it was made of."""
        day_first = self._day_first and not self._month_first
        groups = _groups({name: list(ticket.customers) for name, ticket in self._tickets.items()})
        for name, ticket in self._tickets.items():
            messages = sorted(ticket.messages, key=lambda sent: (sent.time.seconds(day_first), sent.order))
            rows = tuple(sorted({message.row for message in messages}))
            turns, repairs = _turns(messages)
            yield Source(self._file, rows), Draft(turns, groups[name], tuple(ticket.tags), tuple(repairs))


def _said(value: object) -> str:
    return as_text(value, "the role or author").strip().lower()


def _named(role: str) -> str:
    return role.replace("_", " ").replace("-", " ")


def _agents(setting: str) -> tuple[str, ...]:
    return tuple(name.lower().removeprefix("@") for name in re.split(r"[\s,;]+", setting) if name)


def _is_internal(value: object) -> bool:
    """Whether a cell says that a message is internal; what is neither yes nor no is refused, not shown."""
    said = word(value)
    if said in YES | INTERNAL:
        return True
    if not said or said in NO | PUBLIC:
        return False
    raise RowError(f"{said[:40]!r} says neither that the message is internal nor that it is not", "internal")


def _identity(who: object) -> str:
    """A customer's e-mail address, id or name, so that one customer is one however it is written."""
    text = as_text(who, "the customer").strip().lower() if who is not None else ""
    address = _EMAIL.search(text[:300])
    return address.group() if address else text


def _turns(messages: Sequence[Message]) -> tuple[tuple[Turn, ...], list[str]]:
    """Neighbouring messages of one side as one turn; what support writes before any question is left out."""
    turns: list[tuple[Role, list[str]]] = []
    repairs: list[str] = []
    asked = any(message.role is Role.USER for message in messages)
    for message in messages:
        if asked and not turns and message.role is Role.ASSISTANT:
            repairs.append("opening before any question cut")
            continue
        repairs += message.cuts
        if turns and turns[-1][0] is message.role:
            turns[-1][1].append(message.text)
            repairs.append("neighbouring messages merged")
        else:
            turns.append((message.role, [message.text]))
    return tuple(Turn(role, "\n\n".join(texts)) for role, texts in turns), repairs


def _groups(customers: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """A group for each ticket: tickets that share a customer, directly or through others, share it.

    The name is a hash: who the customer is does not go into the data set.
    """
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while (parent := above.setdefault(name, name)) != name:
            above[name] = above[parent]
            name = parent
        return name

    for known in customers.values():
        for other in known[1:]:
            low, high = sorted((top(known[0]), top(other)))
            above[high] = low
    return {
        ticket: f"customer {hashlib.sha256(top(known[0]).encode()).hexdigest()[:12]}" if known else f"ticket {ticket}"
        for ticket, known in customers.items()
    }
