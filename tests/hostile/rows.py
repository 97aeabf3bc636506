"""Rows of every format with anything in their cells, and tickets of every layout."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hostile.drawing import PIECES, Draw
from hostile.files import ALL_BAD, adds_up, written
from hostile.judging import Harness
from tutelage.data import columns
from tutelage.data.cells import GROUPS, TAGS
from tutelage.data.formats import FORMATS
from tutelage.data.reading import read
from tutelage.data.rows import Row
from tutelage.errors import DataError, UsageError
from tutelage.records import Dataset, Source

AT = "2024-03-05T14:30:0{}Z"
MESSAGES = (
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
    [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}],
    [{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}],
    [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}],
    [{"role": "User "}, {"role": 7, "content": {}}, "text", None],
    [{"role": "system", "content": " "}, {"role": "tool", "content": "x", "weight": 0.5, "train": True}],
)
NAMES = (
    *("messages", "conversations", "prompt", "response", "instruction", "input", "output", "context", "history"),
    *(
        "system",
        "question",
        "answer",
        "gold",
        "passages",
        "chosen",
        "rejected",
        "Definition",
        "Instances",
        "Positive Examples",
    ),
    *("Examples", "Events", "instances", "tools", "Categories", "Domains", "comments", "conversation_parts", "source"),
    *("id", "role", "body", "created_at", "ticket_id", "public", "author", "author_id", "requester", "requester_id"),
    *("html_body", "users", "via", "incoming", "private", "internal", "status", "tags", "text", *GROUPS, *TAGS, ""),
)
TICKETS: Mapping[str, Mapping[str, object]] = {
    "zendesk": {
        "id": 900001,
        "requester_id": 1,
        "comments": [
            {"author_id": 1, "public": True, "html_body": "<p>Where is it?</p>", "created_at": AT.format(1)},
            {"author_id": 2, "public": True, "plain_body": "On its way.", "created_at": AT.format(2)},
        ],
    },
    "intercom": {
        "id": "900001",
        "created_at": 1709649000,
        "source": {"body": "<p>Where is it?</p>", "author": {"type": "user", "id": "u"}},
        "conversation_parts": {
            "conversation_parts": [
                {"part_type": "comment", "body": "On its way.", "created_at": 1709649060, "author": {"type": "admin"}}
            ]
        },
    },
    "freshdesk": {
        "id": 900001,
        "requester_id": 7,
        "created_at": AT.format(0),
        "description_text": "Where is it?",
        "conversations": [
            {"incoming": False, "private": False, "body_text": "On its way.", "created_at": AT.format(1)}
        ],
    },
}
ASKED = "Where is it?"


def _altered(draw: Draw, value: object, depth: int = 4) -> object:
    """A copy with some of its cells, at any depth, something else, gone or new."""
    if depth and isinstance(value, Mapping) and draw.below(8):
        made = {name: _altered(draw, cell, depth - 1) for name, cell in value.items() if draw.below(12)}
        for _ in range(draw.below(3)):
            made[draw.one_of(NAMES)] = _cell(draw)
        return made
    if depth and isinstance(value, list) and draw.below(8):
        listed = [_altered(draw, each, depth - 1) for each in value if draw.below(12)]
        return listed * (1 + draw.below(2)) + [_cell(draw)] * (draw.below(4) == 3)
    return _cell(draw) if draw.below(4) == 3 else value


def _cell(draw: Draw) -> object:
    return draw.one_of(MESSAGES) if draw.below(4) == 1 else draw.value()


def _asked(dataset: Dataset) -> list[str]:
    return [turn.text for example in dataset.examples for turn in example.conversation.prompt]


def formats(data: bytes) -> None:
    """A broken row of a format between two good ones costs nobody else anything."""
    draw = Draw(data)
    name = draw.one_of([name for name, each in FORMATS.items() if not each.threads and name != "flan_tsv"])
    good = json.loads(FORMATS[name].example)
    broken = _altered(draw, good)
    rows = [good, broken if isinstance(broken, Mapping) else {"x": broken}, good]
    path = written("rows.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    dataset = read(ALL_BAD.model_copy(update={"format": name}), [str(path)])
    adds_up(dataset)
    numbers = [example.source.rows[0] for example in dataset.examples]
    assert numbers.count(1) == numbers.count(3) == 1, numbers
    adds_up(read(ALL_BAD, [str(path)]))


def tickets(data: bytes) -> None:
    """A broken ticket costs no other one; both sums hold."""
    draw = Draw(data)
    name = draw.one_of(tuple(TICKETS))
    broken = _altered(draw, {**TICKETS[name], "id": "broken"})
    rows = [TICKETS[name], broken if isinstance(broken, Mapping) else {"x": broken}]
    if draw.below(2):
        rows.reverse()
    path = written("tickets.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    dataset = read(ALL_BAD.model_copy(update={"format": name}), [str(path)])
    adds_up(dataset)
    assert ASKED in _asked(dataset), dataset


def ticket_table(data: bytes) -> None:
    """A table with a row a message: any rows beside the two of a good ticket."""
    draw = Draw(data)
    good: list[dict[str, object]] = [
        {"ticket_id": "900001", "created_at": AT.format(1), "role": "customer", "body": ASKED},
        {"ticket_id": "900001", "created_at": AT.format(2), "role": "agent", "body": "On its way."},
    ]
    rows = [good[0]]
    for number in range(1 + draw.below(4)):
        row: dict[str, object] = {
            "ticket_id": draw.one_of((1, 2, "x", None, f"{number}")),
            "created_at": draw.one_of((AT.format(number), "03/04/2024", "13.04.2024 10:00", 1709649060, draw.value(1))),
            "role": draw.one_of(("agent", "customer", "bot", "note", "", draw.value(0))),
            "body": draw.one_of((draw.text(), draw.text(), draw.value(1))),
            draw.one_of(NAMES): draw.value(1),
        }
        rows.append(row)
    path = written("tickets.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in (*rows, good[1])))
    dataset = read(ALL_BAD.model_copy(update={"format": "tickets"}), [str(path)])
    adds_up(dataset)
    assert ASKED in _asked(dataset), dataset


def mapping(data: bytes) -> None:
    """Any text as --columns, over a row whose columns it may name."""
    draw = Draw(data)
    row = {draw.one_of(NAMES): draw.value() for _ in range(4)}
    text = data.decode("utf-8", "ignore")
    try:
        format = columns.mapped(text)
    except UsageError:
        format = columns.mapped("prompt=prompt,response=response")
    assert str(columns.unknown("f", [row])).startswith("f: ") and columns.without("f", [row], format)
    if not format.missing(row):
        list(format.convert(Row(Source("f", (1,)), row), ALL_BAD))


_SEEDS = (b"", *(bytes([n, 7 * n % 256, 3, 3, 1, n]) * 6 for n in range(0, 240, 13)), "".join(PIECES).encode()[:300])
HARNESSES = {
    "formats": Harness(formats, _SEEDS),
    "tickets": Harness(tickets, _SEEDS),
    "ticket table": Harness(ticket_table, _SEEDS),
    "columns": Harness(
        mapping,
        (b"prompt=text,response=category", b"ticket=a,time=b,role=c,body=d", b"prompt=a,prompt=b", b"=,==,", *_SEEDS),
        (DataError, UsageError),
        (b"prompt=", b",response=", b"ticket=", b",time=", b",role=", b",body=", b"context=", b"group="),
    ),
}
