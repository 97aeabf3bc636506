"""Ticket exports of any other help desk: a table with a row a message, by its usual or its named columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from tutelage.data.ticketlayouts import BOT, PARTS, Layout, Sent, Value, first, fold, is_yes, turned

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "ticket": (
        *("ticket_id", "ticket", "ticket_number", "ticket_no", "ticket_nr", "ticketnummer", "conversation_id"),
        *("case_id", "case_number", "case", "thread_id", "issue_id", "vorgangsnummer", "vorgang"),
    ),
    "time": (
        *("created_at", "time", "timestamp", "date", "datetime", "sent_at", "created", "message_time", "sent"),
        *("message_created_at", "comment_created_at", "zeit", "datum", "zeitpunkt", "erstellt_am", "gesendet_am"),
    ),
    "role": (
        *("role", "author_role", "sender_role", "author_type", "sender_type", "user_type", "direction", "side"),
        *("rolle", "richtung"),
    ),
    "author": (
        *("author_email", "from_email", "sender_email", "from", "email", "author", "sender", "author_name"),
        *("sender_name", "author_id", "absender", "verfasser", "autor", "von"),
    ),
    "body": (
        *("body", "message", "text", "content", "comment", "html_body", "plain_body", "body_text", "message_body"),
        *("comment_body", "nachricht", "inhalt"),
    ),
    "customer": (
        *("customer_id", "customer", "customer_email", "requester_id", "requester_email", "requester", "contact_id"),
        *("contact_email", "client_id", "kunde", "kundennummer", "kunden_id"),
    ),
    "internal": ("internal", "is_internal", "private", "is_private", "is_note", "visibility", "intern"),
}
"""The usual names of columns in small letters, the likelier first."""
PUBLIC = ("public", "is_public", "öffentlich")
"""Columns that say the contrary of `internal`."""
MACHINE = ("is_bot", "bot", "automated", "is_automated", "automatic")
DAY_AND_CLOCK = (("date", "time"), ("datum", "uhrzeit"), ("datum", "zeit"))
"""Columns that say when only together."""
WHO = ("role", "author")
_CLOCK = re.compile(r"\d{1,2}:\d\d")


def found(columns: Sequence[str]) -> dict[str, str]:
    """Part to column, for the parts that have one of their usual names."""
    there = _there(tuple(columns))
    return {part: there[part][0] for part in COLUMNS if there[part]}


def _lacks(parts: Mapping[str, str]) -> list[str]:
    lacking = [part for part in ("ticket", "time", "body") if part not in parts]
    return lacking if any(part in parts for part in WHO) else [*lacking, "role"]


def _fits(value: Value) -> bool:
    return not _lacks(found(list(value)))


@lru_cache(64)
def _there(columns: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The columns of a table that may hold each part, the likelier first; a table's rows share them."""
    names = {fold(name): name for name in reversed(columns)}
    usual = {**COLUMNS, "public": PUBLIC, "machine": MACHINE}
    for part, (day, clock) in enumerate(DAY_AND_CLOCK):
        usual[f"clock {part}"] = (day, clock) if day in names and clock in names else ()
    return {part: tuple(names[name] for name in listed if name in names) for part, listed in usual.items()}


def _by_usual_names(value: Value) -> Iterator[Sent]:
    there = _there(tuple(value))
    picked = {part: first(value, there[part]) for part in PARTS}
    for part in range(len(DAY_AND_CLOCK)):
        if (both := there[f"clock {part}"]) and _CLOCK.match(str(value[both[1]])):
            picked["time"] = f"{value[both[0]]} {value[both[1]]}"
    if picked["internal"] is None and (public := first(value, there["public"])) is not None:
        picked["internal"] = turned(public)
    yield _sent(picked, BOT if is_yes(first(value, there["machine"])) else "")


def _sent(parts: Mapping[str, object], left_out: str = "") -> Sent:
    ticket, time, author, role, body, customer, internal = (parts.get(part) for part in PARTS)
    return Sent(ticket, time, body, author, role, customer, internal, left_out)


TABLE = Layout(
    "tickets",
    _fits,
    _by_usual_names,
    '{"ticket_id": 7, "created_at": "2024-03-05T14:30:00Z", "role": "customer", "body": "Where is my parcel?"} '
    "(a row a message)",
)
"""Any table with a ticket, a time, a body, and a role or an author under their usual names."""


def mapped(columns: Mapping[str, str]) -> Layout:
    """The layout that a mapping of parts to columns describes; internal=public says it the other way round."""

    def messages(value: Value) -> Iterator[Sent]:
        lowered = {name.lower(): cell for name, cell in value.items()}
        picked = {part: value.get(name, lowered.get(name.lower())) for part, name in columns.items()}
        if columns.get("internal", "").lower() in PUBLIC and picked["internal"] not in (None, ""):
            picked["internal"] = turned(picked["internal"])
        yield _sent(picked)

    return Layout("tickets by columns", lambda value: True, messages, "")


def advice(file: str, columns: Sequence[str]) -> str:
    """What to say of a table that is a ticket export but for one column; "" for any other table."""
    parts = found(columns)
    lacking = _lacks(parts)
    if len(lacking) != 1 or "body" in lacking:
        return ""
    told = {
        "ticket": "which ticket a message belongs to",
        "time": "when a message was sent",
        "role": "who wrote a message",
    }[lacking[0]]
    usual = ", ".join(COLUMNS[lacking[0]][:4])
    mapping = ",".join(f"{part}={parts.get(part, 'COLUMN')}" for part in ("ticket", "time", *WHO, "body", "internal"))
    mapping = ",".join(pair for pair in mapping.split(",") if not pair.endswith("=COLUMN") or lacking[0] in pair)
    return (
        f"{file}: nearly a ticket export, but no column says {told} (columns: {', '.join(columns)})\n"
        f"Add it to the export ({usual} are recognised), or name it: --columns {json.dumps(mapping)}"
    )
