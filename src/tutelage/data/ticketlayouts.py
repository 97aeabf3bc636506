"""Layouts of help-desk exports: from a row as Zendesk, Intercom, Freshdesk or any table has it to its messages.

Field names are those of the products' public references: Zendesk's ticket comments, Intercom's conversations
and their parts, Freshdesk's tickets with conversations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from tutelage.data.messages import as_list
from tutelage.data.rows import RowError

Value = Mapping[str, object]
NOTE, BOT, EVENT, SPAM = "internal note", "bot message", "event", "spam"
PARTS = ("ticket", "time", "author", "role", "body", "customer", "internal")
"""What a mapping of columns can name."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as its export has it; cells are not looked at yet.

    `internal` is None where the export does not say; `left_out` is the rule by which the message is kept
    out; `markup`: the body is HTML.
    """

    ticket: object
    time: object
    body: object
    author: object = None
    role: object = None
    customer: object = None
    internal: object = None
    left_out: str = ""
    markup: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """How one kind of export is read: whether a row is of this kind, and the messages in a row."""

    name: str
    fits: Callable[[Value], bool]
    messages: Callable[[Value], Iterable[Sent]]
    example: str


@cache
def fold(name: str) -> str:
    """A column's name in small letters with `_`: "Ticket ID" is ticket_id."""
    return re.sub(r"[\W_]+", "_", name[:100].lower()).strip("_")


def folded(value: Value) -> dict[str, object]:
    """A row's cells by their folded column names."""
    return {fold(name): cell for name, cell in value.items()}


def first(cells: Mapping[str, object], names: Iterable[str]) -> object:
    """The first of these cells that holds something; None where none does."""
    return next((cells[name] for name in names if cells.get(name) not in (None, "")), None)


def inside(value: object) -> Value:
    """An object in a cell; an empty one where there is none."""
    return value if isinstance(value, Mapping) else {}


def objects(value: object, what: str) -> list[Value]:
    """The objects in a list.

    Raises:
        RowError: where the cell is no list of objects.
    """
    listed = as_list(value)
    if listed is None or not all(isinstance(each, Mapping) for each in listed):
        raise RowError(f"{what} is not a list of objects", "layout")
    return [each for each in listed if isinstance(each, Mapping)]


def _names(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list | tuple) else ()
    return tuple(each.strip() for each in listed if isinstance(each, str) and each.strip())


YES = frozenset(("true", "1", "1.0", "yes", "ja", "wahr"))
NO = frozenset(("false", "0", "0.0", "no", "nein", "falsch"))
INTERNAL = frozenset(("private", "internal", "internal note", "note", "intern", "privat"))
PUBLIC = frozenset(("public", "external", "reply", "comment", "public reply", "öffentlich", "extern"))


def word(value: object) -> str:
    """A short cell in small letters, to be compared."""
    return "" if value is None else str(value)[:60].strip().lower()


def is_yes(value: object) -> bool:
    """Whether a flag is set in JSON or CSV."""
    return word(value) in YES


def turned(public: object) -> object:
    """What a flag for public messages says of internal ones; a value that is not known stays, to be refused."""
    if word(public) in YES | PUBLIC:
        return False
    return True if word(public) in NO | INTERNAL else public


# Zendesk: tickets with `comments` (the full JSON export, one ticket a line), or a row for each comment

_ZENDESK_BODY = ("html_body", "plain_body", "body", "comment", "comment_body")
_ZENDESK_TIME = ("created_at", "created", "timestamp", "comment_created_at")
_ZENDESK_AUTOMATIC = ("rule", "system", "automation", "answer_bot", "answer_bot_for_web_widget")
_IN_CC = ("collaborator_ids", "email_cc_ids")


def _fits_zendesk(value: Value) -> bool:
    cells = folded(value)
    comments = as_list(cells.get("comments"))
    if comments:
        comment = inside(comments[0])
        return bool({"author_id", "author"} & set(comment)) and bool(set(_ZENDESK_BODY) & set(comment))
    flat = "ticket_id" in cells and ("public" in cells or "is_public" in cells)
    return flat and bool(set(_ZENDESK_BODY) & set(cells)) and bool(set(_ZENDESK_TIME) & set(cells))


def zendesk(value: Value) -> Iterator[Sent]:
    """A ticket's comments. Who is not the requester or in copy is support; `public` false is a note.

    Comments by triggers and automations (`via.channel`, author -1) are the bot's; calls are events.
    """
    cells = folded(value)
    cells = {**folded(inside(cells.get("ticket"))), **cells}
    if "comments" not in cells:
        yield _zendesk_comment(cells, cells, first(cells, ("ticket_id",)))
        return
    for comment in objects(cells["comments"], "comments"):
        yield _zendesk_comment(folded(comment), cells, first(cells, ("id", "ticket_id")))


def _zendesk_comment(comment: Mapping[str, object], ticket: Mapping[str, object], number: object) -> Sent:
    author = inside(comment.get("author"))
    requester = inside(ticket.get("requester"))
    name = first(comment, ("author_id", "user_id")) or author.get("id")
    email = first(comment, ("author_email",)) or author.get("email")
    customer = first(ticket, ("requester_id", "requester_email")) or requester.get("id") or requester.get("email")
    if not author and name is None:
        name = comment.get("author")
    via = inside(comment.get("via")).get("channel") or comment.get("via_channel")
    kind = str(comment.get("type") or "Comment")
    public = first(comment, ("public", "is_public"))
    automatic = via in _ZENDESK_AUTOMATIC or str(name) == "-1"
    return Sent(
        ticket=number,
        time=first(comment, _ZENDESK_TIME),
        body=first(comment, _ZENDESK_BODY),
        author=email or name,
        role=first(comment, ("author_role", "role")) or author.get("role") or _zendesk_role(name, email, ticket),
        customer=customer,
        internal=None if public is None else turned(public),
        left_out=BOT if automatic else EVENT if "voice" in kind.lower() else "",
        markup=bool(comment.get("html_body")),
        tags=_names(ticket.get("tags")),
    )


def _zendesk_role(name: object, email: object, ticket: Mapping[str, object]) -> str | None:
    """By the list of people where the export has one, else by who asked; None where nothing tells."""
    for person in as_list(ticket.get("users")) or ():
        if inside(person).get("id") == name and inside(person).get("role"):
            return str(inside(person)["role"])
    requester = inside(ticket.get("requester"))
    copied = [each for field in _IN_CC for each in as_list(ticket.get(field)) or ()]
    asking = [ticket.get("requester_id"), requester.get("id"), *copied]
    if name is not None and (known := {str(each) for each in asking if each is not None}):
        return "end-user" if str(name) in known else "agent"
    asking = [ticket.get("requester_email"), ticket.get("requester"), requester.get("email")]
    if email and (known := {each.lower() for each in asking if isinstance(each, str) and "@" in each}):
        return "end-user" if str(email).lower() in known else "agent"
    return None


# Intercom: conversations with `source` and `conversation_parts`, or a row for each part

_INTERCOM_SAID = ("comment", "open", "close", "message", "conversation_message", "quick_reply", "")
_INTERCOM_AUTOMATIC = ("automated", "campaigns_initiated", "operator_initiated")
_PART_TYPE, _AUTHOR_TYPE = ("part_type", "message_type"), ("author_type", "message_author_type")


def _fits_intercom(value: Value) -> bool:
    cells = folded(value)
    if "conversation_parts" in cells:
        return "id" in cells
    needed = (("conversation_id",), _PART_TYPE, _AUTHOR_TYPE, ("body", "message_body"))
    return all(any(name in cells for name in names) for names in needed)


def intercom(value: Value) -> Iterator[Sent]:
    """A conversation's first message (`source`) and its parts; only what people wrote is a message.

    Parts of the type note (or note_and_…) are internal; assignments, snoozes and the like are events; what
    bots and the AI agent wrote, and campaigns, are the bot's.
    """
    cells = folded(value)
    if "conversation_parts" not in cells:
        yield _intercom_row(cells)
        return
    parts = cells["conversation_parts"]
    listed = objects(inside(parts).get("conversation_parts", parts), "conversation_parts")
    number, people = cells.get("id"), inside(cells.get("contacts")).get("contacts")
    contact = next(iter(objects(people or (), "contacts")), inside(cells.get("user")))
    tags = tuple(
        str(inside(tag).get("name")) for tag in as_list(inside(cells.get("tags")).get("tags")) or () if inside(tag)
    )
    opening = inside(first(cells, ("source", "conversation_message")))
    if opening:
        automatic = opening.get("delivered_as") in _INTERCOM_AUTOMATIC
        time = opening.get("created_at") or cells.get("created_at")
        yield _intercom_part(opening, number, contact, tags, time, BOT if automatic else "")
    for part in listed:
        yield _intercom_part(part, number, contact, tags, part.get("created_at"), _intercom_rule(part.get("part_type")))


def _intercom_rule(kind: object) -> str:
    named = str(kind or "").strip().lower()
    if named == "note" or named.startswith("note_"):
        return NOTE
    return "" if named in _INTERCOM_SAID else EVENT


def _intercom_part(
    part: Value, number: object, contact: Value, tags: tuple[str, ...], time: object, left_out: str
) -> Sent:
    author = inside(part.get("author"))
    machine = author.get("from_ai_agent") is True or author.get("is_ai_answer") is True
    return Sent(
        ticket=number,
        time=time,
        body=part.get("body"),
        author=author.get("email") or author.get("id"),
        role=author.get("type"),
        customer=contact.get("id") or contact.get("external_id"),
        left_out=left_out or (BOT if machine else ""),
        markup=True,
        tags=tags,
    )


def _intercom_row(cells: Mapping[str, object]) -> Sent:
    return Sent(
        ticket=first(cells, ("conversation_id",)),
        time=first(cells, ("message_created_at", "created_at")),
        body=first(cells, ("message_body", "body")),
        author=first(cells, ("message_author_email", "author_email", "message_author_id", "author_id")),
        role=first(cells, _AUTHOR_TYPE),
        customer=first(cells, ("contact_id", "user_id")),
        left_out=_intercom_rule(first(cells, _PART_TYPE)),
        markup=True,
    )


# Freshdesk: tickets with `conversations`, the older export's `helpdesk_ticket`, or a row for each conversation

_FORWARDED, _SURVEY, _OUTBOUND = "8", "6", "10"
_FRESHDESK_BODY = ("body", "body_html", "body_text")


def _fits_freshdesk(value: Value) -> bool:
    cells = folded(value)
    if isinstance(cells.get("helpdesk_ticket"), Mapping):
        return True
    if "conversations" in cells:
        return "requester_id" in cells or "incoming" in inside(next(iter(as_list(cells["conversations"]) or ()), None))
    return {"ticket_id", "incoming", "private"} <= set(cells) and bool(set(_FRESHDESK_BODY) & set(cells))


def freshdesk(value: Value) -> Iterator[Sent]:
    """A ticket's description and its conversations: `incoming` is the customer's, `private` a note.

    What was forwarded to somebody else (source 8) is internal, the answer to a survey (6) an event. A
    ticket that starts with a mail from support (source 10) has support's description.
    """
    cells = folded(value)
    cells = folded(inside(cells.get("helpdesk_ticket"))) or cells
    listed = first(cells, ("conversations", "notes"))
    if listed is None and "incoming" in cells:
        yield _freshdesk_part(cells, first(cells, ("ticket_id",)), first(cells, ("requester_id",)), "", ())
        return
    number, customer = first(cells, ("display_id", "id")), first(cells, ("requester_id",))
    gone = SPAM if is_yes(cells.get("spam")) or is_yes(cells.get("deleted")) else ""
    tags = _names(cells.get("tags"))
    described = first(cells, ("description", "description_text"))
    html = first(cells, ("description_html",)) or described
    yield Sent(
        ticket=number,
        time=cells.get("created_at"),
        body=html,
        author=customer,
        role="agent" if str(cells.get("source")) == _OUTBOUND else "customer",
        customer=customer,
        left_out=gone,
        markup=True,
        tags=tags,
    )
    for part in objects(listed or (), "conversations"):
        yield _freshdesk_part(folded(inside(part.get("note")) or part), number, customer, gone, tags)


def _freshdesk_part(
    part: Mapping[str, object], number: object, customer: object, gone: str, tags: tuple[str, ...]
) -> Sent:
    source = str(part.get("source"))
    incoming = part.get("incoming")
    side = "customer" if is_yes(incoming) else "agent" if word(incoming) in NO else incoming
    rule = SPAM if is_yes(part.get("deleted")) else {_FORWARDED: NOTE, _SURVEY: EVENT}.get(source, "")
    html = first(part, ("body_html", "body"))
    return Sent(
        ticket=number,
        time=part.get("created_at"),
        body=html or part.get("body_text"),
        author=first(part, ("from_email", "user_id")),
        role=side,
        customer=customer,
        internal=first(part, ("private",)),
        left_out=gone or rule,
        markup=bool(html),
        tags=tags,
    )


PRESETS = (
    Layout(
        "zendesk",
        _fits_zendesk,
        zendesk,
        '{"id": 7, "requester_id": 1, "comments": [{"author_id": 1, "public": true, "plain_body": "Where is it?", '
        '"created_at": "2024-03-05T14:30:00Z"}, {"author_id": 2, "public": true, "plain_body": "On its way.", '
        '"created_at": "2024-03-05T15:00:00Z"}]}',
    ),
    Layout(
        "intercom",
        _fits_intercom,
        intercom,
        '{"id": "7", "created_at": 1709649000, "source": {"body": "<p>Where is it?</p>", "author": {"type": "user"}}, '
        '"conversation_parts": {"conversation_parts": [{"part_type": "comment", "body": "<p>On its way.</p>", '
        '"created_at": 1709650800, "author": {"type": "admin"}}]}}',
    ),
    Layout(
        "freshdesk",
        _fits_freshdesk,
        freshdesk,
        '{"id": 7, "requester_id": 1, "created_at": "2024-03-05T14:30:00Z", "description_text": "Where is it?", '
        '"conversations": [{"incoming": false, "private": false, "body_text": "On its way.", '
        '"created_at": "2024-03-05T15:00:00Z"}]}',
    ),
)
"""The products' layouts, each with its rows of tickets and its rows of messages."""
