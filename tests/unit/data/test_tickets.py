"""Ticket exports: every product's layout gives the same conversations; each row and message is accounted for."""

from __future__ import annotations

import csv
import io
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tutelage.data.reading import read
from tutelage.data.split import hold_out, leaks
from tutelage.data.tickets import LEFT_OUT, SIDES
from tutelage.errors import DataError, UsageError
from tutelage.recipe import DataSettings
from tutelage.records import Dataset, Role

Write = Callable[..., Path]
FILES = Path(__file__).parent / "tickets"
EXPORTS = {
    "zendesk.jsonl": ("zendesk", 13, 13),
    "zendesk_comments.csv": ("zendesk", 41, 37),
    "intercom.jsonl": ("intercom", 13, 13),
    "intercom_messages.csv": ("intercom", 53, 37),
    "freshdesk.json": ("freshdesk", 13, 13),
    "freshdesk_conversations.csv": ("freshdesk", 39, 37),
    "freshdesk_account.json": ("freshdesk", 13, 13),
    "andere.csv": ("tickets", 41, 37),
}
"""Format, rows read and rows used of each export of the same thirteen tickets."""
AT = "2024-03-05T14:{:02}:00Z"


def spoken(dataset: Dataset) -> list[str]:
    return [" | ".join(f"{t.role}: {t.text}" for t in e.conversation.turns) for e in dataset.examples]


def table(rows: Sequence[Mapping[str, object]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def said(role: str, body: str, minute: int = 0, ticket: object = 1, **more: object) -> dict[str, object]:
    return {"ticket_id": ticket, "created_at": AT.format(minute), "role": role, "body": body, **more}


def adds_up(dataset: Dataset) -> bool:
    stages = Counter(row.stage for row in dataset.dropped)
    ledger = dataset.ledger
    return (
        ledger.balances()
        and ledger.rows_passed_over == stages["row"]
        and ledger.conversations_dropped == stages["conversation"]
        and ledger.conversations_kept == len(dataset)
    )


def rules(dataset: Dataset) -> list[tuple[tuple[int, ...], str]]:
    return [(row.source.rows, row.rule) for row in dataset.dropped]


@pytest.fixture(scope="module")
def wanted() -> list[list[str]]:
    tickets = json.loads((FILES / "expected.json").read_text(encoding="utf-8"))
    return sorted([f"{role}: {text}" for role, text in ticket["turns"]] for ticket in tickets)


def export(name: str) -> Dataset:
    return read(DataSettings(agents="brambeck.example" if name == "andere.csv" else ""), [str(FILES / name)])


@pytest.mark.parametrize("name", EXPORTS)
def test_every_layout_gives_the_same_conversations(name: str, wanted: list[list[str]]) -> None:
    dataset = export(name)
    found = sorted([f"{t.role}: {t.text}" for t in e.conversation.turns] for e in dataset.examples)
    ledger = dataset.ledger
    assert found == wanted
    assert (*dataset.formats.values(), ledger.rows_read, ledger.rows_used) == EXPORTS[name]
    assert (adds_up(dataset), len({e.group for e in dataset.examples})) == (True, 10)


@pytest.mark.parametrize("name", EXPORTS)
def test_no_note_no_bot_and_no_quote_is_learned(name: str) -> None:
    text = "\n".join(spoken(export(name)))
    whole = (FILES / name).read_text(encoding="utf-8")
    for secret in ("NB: ", "(earlier mail)", "assistant bot", "We have received your request"):
        assert secret not in text
    assert "NB: " in whole and "(earlier mail)" in whole


def test_messages_left_out_of_a_nested_ticket_are_named() -> None:
    found = Counter(finding.rule for finding in export("zendesk.jsonl").findings)
    assert found == {"internal note": 2, "bot message": 2}
    first = export("zendesk.jsonl").findings[0]
    assert (str(first.source).rpartition("/")[2], first.reason) == (
        "zendesk.jsonl:1",
        "message 2 left out: an internal note",
    )


def test_the_hold_out_never_splits_a_customer(write: Write) -> None:
    rows = [
        said(role, f"{role} of ticket {ticket}", minute, ticket, author=f"c{ticket % 12}@x.example")
        for ticket in range(40)
        for minute, role in enumerate(("customer", "agent"))
    ]
    for row in rows:
        if row["role"] == "agent":
            row["author"] = "help@shop.example"
    dataset = read(DataSettings(), [str(write("t.csv", table(rows)))])
    train, held = hold_out(dataset, 0.3, 64)
    assert (len({e.group for e in dataset.examples}), len(held) > 0) == (12, True)
    assert {e.group for e in train.examples}.isdisjoint(e.group for e in held.examples)
    assert [leak for leak in leaks(train, held) if leak.kind == "group"] == []
    assert "x.example" not in "".join(e.group for e in dataset.examples)


def test_tickets_that_share_a_customer_through_another_are_one_group(write: Write) -> None:
    rows = [
        said("customer", f"{who}?", minute, ticket, author=who)
        for minute, (ticket, who) in enumerate(
            [(1, "A <a@x.example>"), (2, "a@x.example"), (2, "b"), (3, "B"), (4, "")]
        )
    ]
    rows += [said("agent", f"{ticket}!", 30, ticket) for ticket in (1, 2, 3, 4)]
    groups = [e.group for e in read(DataSettings(), [str(write("t.csv", table(rows)))]).examples]
    assert (groups[0] == groups[1] == groups[2], groups[3]) == (True, "ticket 4")


def test_the_same_side_is_merged_and_an_open_end_cut(write: Write) -> None:
    rows = [
        said("agent", "Welcome to the shop.", 0),
        said("customer", "One?", 1),
        said("customer", "Two?", 2),
        said("agent", "Both.", 3),
        said("agent", "Really.", 4),
        said("customer", "Three?", 5),
        said("customer", "Never answered?", 6, 2),
        said("agent", "Never asked.", 7, 3),
    ]
    dataset = read(DataSettings(), [str(write("t.csv", table(rows)))])
    assert spoken(dataset) == ["user: One?\n\nTwo? | assistant: Both.\n\nReally."]
    assert dataset.repairs == {
        "opening before any question cut": 1,
        "neighbouring messages merged": 2,
        "unanswered end cut": 1,
    }
    assert dataset.examples[0].source.rows == (1, 2, 3, 4, 5, 6)
    assert rules(dataset) == [((7,), "unanswered"), ((8,), "roles")]


def test_each_unusable_row_is_named_and_nothing_else_is_lost(write: Write) -> None:
    rows = [
        said("customer", "Where is it?"),
        said("agent", "On its way.", 9),
        said("customer", "x", ticket=""),
        {**said("customer", "x"), "created_at": ""},
        {**said("customer", "x"), "created_at": "soon"},
        said("overlord", "x"),
        said("", "x"),
        said("agent", "   "),
        said("agent", "> only a quote"),
        said("agent", "secret", is_internal="true"),
        said("agent", "secret", is_internal="perhaps"),
        said("bot", "Beep."),
        said("note", "secret"),
        said("agent", "On its way.", 9),
    ]
    dataset = read(DataSettings(max_bad=1), [str(write("t.csv", table(rows)))])
    assert spoken(dataset) == ["user: Where is it? | assistant: On its way."]
    assert rules(dataset) == [
        ((3,), "ticket"),
        ((4,), "time"),
        ((5,), "time"),
        ((6,), "role name"),
        ((7,), "role name"),
        ((8,), "no text"),
        ((9,), "quote only"),
        ((10,), "internal note"),
        ((11,), "internal"),
        ((12,), "bot message"),
        ((13,), "internal note"),
        ((14,), "repeat"),
    ]
    assert adds_up(dataset)
    reasons = {row.rule: row.reason for row in dataset.dropped}
    assert "'soon' cannot be read; write it like" in next(r.reason for r in dataset.dropped if "soon" in r.reason)
    assert reasons["internal"] == "'perhaps' says neither that the message is internal nor that it is not"
    assert any("'overlord' is no known role" in r.reason and "data.agents" in r.reason for r in dataset.dropped)


def test_what_is_left_out_by_its_nature_is_no_bad_row(write: Write) -> None:
    rows = [said("customer", "Where?"), said("agent", "Here.", 1)] + [said("bot", f"Beep {n}", 2) for n in range(500)]
    dataset = read(DataSettings(max_bad=0), [str(write("t.csv", table(rows)))])
    assert (len(dataset), dataset.ledger.rows_passed_over, adds_up(dataset)) == (1, 500, True)
    with pytest.raises(DataError, match="cannot be used"):
        rows = [{**row, "created_at": "soon"} if row["role"] == "bot" else row for row in rows]
        read(DataSettings(max_bad=0), [str(write("u.csv", table([{**row, "role": "agent"} for row in rows[1:]])))])


@pytest.mark.parametrize("name", SIDES)
def test_every_name_of_a_side_is_known(write: Write, name: str) -> None:
    rows = [said("customer", "1"), said("agent", "2", 1), said(name.title().replace(" ", "_"), "3", 2)]
    dataset = read(DataSettings(), [str(write("t.csv", table(rows)))])
    ends = {Role.ASSISTANT: "2\n\n3"}.get(SIDES[name], "2")
    assert (spoken(dataset), SIDES[name] in (*Role, *LEFT_OUT)) == ([f"user: 1 | assistant: {ends}"], True)


def test_the_support_side_by_its_domain(write: Write) -> None:
    authors = ("Ann <ann@mail.example>", "jo@help.shop.example", "no-reply@shop.example", "boss@partner.example", "Jo")
    rows = [
        {"ticket": 1, "date": f"05.03.2024 14:0{n}", "from": author, "message": f"message {n}"}
        for n, author in enumerate(authors)
    ]
    path = str(write("t.csv", table(rows)))
    dataset = read(DataSettings(agents="shop.example, @boss.example boss@partner.example", max_bad=0.5), [path])
    assert spoken(dataset) == ["user: message 0 | assistant: message 1\n\nmessage 3"]
    assert rules(dataset) == [((3,), "bot message"), ((5,), "role name")]
    with pytest.raises(DataError, match=r"nothing tells the customers.*\n.*data\.agents=example\.com"):
        read(DataSettings(), [path])


def test_the_support_side_by_its_ids(write: Write) -> None:
    rows = [
        {"Ticket ID": 1, "Author ID": author, "Public": public, "Created": AT.format(n), "Comment": f"{n}"}
        for n, (author, public) in enumerate([(17, "Public"), (9, "Internal"), (9, "yes"), (17, "perhaps")])
    ]
    path = str(write("t.csv", table(rows)))
    dataset = read(DataSettings(agents="9, 10", max_bad=0.5), [path])
    assert (spoken(dataset), rules(dataset)) == (
        ["user: 0 | assistant: 2"],
        [((2,), "internal note"), ((4,), "internal")],
    )
    with pytest.raises(DataError, match="no role, no requester"):
        read(DataSettings(), [path])


def test_a_format_that_no_row_has_is_told_with_a_row_of_it(write: Write) -> None:
    with pytest.raises(DataError, match=r"no row is of the format freshdesk \(columns: a\)\nA row of it: .*incoming"):
        read(DataSettings(format="freshdesk"), [str(write("t.csv", "a\n1\n"))])


COLUMNS = "ticket=Nr,time=wann,role=wer,body=was"


def test_a_mapping_reads_any_table(write: Write) -> None:
    rows = [
        {"Nr": 5, "wann": "5.3.2024 14:31", "wer": "Agent", "was": "Hier.", "privat": "nein", "Kunde": 3},
        {"Nr": 5, "wann": "5.3.2024 14:30", "wer": "Kunde", "was": "Wo?", "privat": "nein", "Kunde": 3},
        {"Nr": 5, "wann": "5.3.2024 14:29", "wer": "Agent", "was": "secret", "privat": "ja", "Kunde": 3},
    ]
    path = str(write("t.csv", table(rows)))
    dataset = read(DataSettings(columns=f"{COLUMNS},internal=privat,customer=kunde"), [path])
    assert (spoken(dataset), rules(dataset)) == (["user: Wo? | assistant: Hier."], [((3,), "internal note")])
    assert dataset.examples[0].group.startswith("customer ")
    shown = [
        {"Nr": 5, "wann": f"14:3{n}", "wer": who, "was": who, "public": n < 2}
        for n, who in enumerate(("user", "agent"))
    ]
    path = str(write("u.jsonl", [{**row, "wann": 1709649000 + 60 * n} for n, row in enumerate(shown)]))
    assert spoken(read(DataSettings(columns=f"{COLUMNS},internal=public"), [path])) == ["user: user | assistant: agent"]


WRONG = {
    "ticket=a,time=b,body=c": r"role=COLUMN is missing \(or author",
    "time=a,role=b,body=c": "ticket=COLUMN is missing; write ticket=",
    "ticket=a,role=b,body=c": "time=COLUMN is missing; write ticket=",
    "ticket=a,time=b,rolle=c,body=d": "did you mean role=…",
    "ticket=a,time=b,role=c,body=d,response=e": "is not PART=COLUMN with PART one of ticket, time",
}


@pytest.mark.parametrize("columns", WRONG)
def test_a_wrong_mapping_is_a_usage_error(write: Write, columns: str) -> None:
    with pytest.raises(UsageError, match=WRONG[columns]):
        read(DataSettings(columns=columns), [str(write("t.csv", "a,b\n1,2\n"))])


def test_an_instruction_is_not_for_tickets(write: Write) -> None:
    with pytest.raises(UsageError, match="not for tickets"):
        settings = DataSettings(columns="ticket=a,time=b,role=c,body=d", instruction="Sort:")
        read(settings, [str(write("t.csv", "a,b,c,d\n1,2,3,4\n"))])


NEARLY = {
    "created_at,role,body": 'which ticket a message belongs to.*ticket_id.*"ticket=COLUMN,time=created_at,role=role',
    "Ticket ID,role,body": 'when a message was sent.*"ticket=Ticket ID,time=COLUMN,role=role,body=body"',
    "ticket,date,message": 'who wrote a message.*role, author_role.*"ticket=ticket,time=date,role=COLUMN,body=message"',
}


@pytest.mark.parametrize("names", NEARLY)
def test_a_table_that_is_nearly_one_is_told_what_is_missing(write: Write, names: str) -> None:
    cells = ",".join("x" for _ in names.split(","))
    with pytest.raises(DataError, match=f"(?s)nearly a ticket export, but no column says {NEARLY[names]}"):
        read(DataSettings(), [str(write("t.csv", f"{names}\n{cells}\n"))])


def test_day_and_clock_in_two_columns(write: Write) -> None:
    rows = [
        {"ticket": 1, "date": "03/14/2024", "time": "9:05 AM", "role": "agent", "text": "2"},
        {"ticket": 1, "date": "03/04/2024", "time": "11:00 PM", "role": "customer", "text": "1"},
    ]
    assert spoken(read(DataSettings(), [str(write("t.csv", table(rows)))])) == ["user: 1 | assistant: 2"]


def test_day_first_where_the_file_says_so(write: Write) -> None:
    days = ("05/03/2024", "04/04/2024", "25/12/2023")
    rows = [{**said(("agent", "customer", "customer")[n], f"{n}"), "created_at": day} for n, day in enumerate(days)]
    assert spoken(read(DataSettings(), [str(write("t.csv", table(rows)))])) == ["user: 2 | assistant: 0"]


def test_the_same_time_keeps_the_order_of_the_rows(write: Write) -> None:
    rows = [said(("customer", "agent")[n % 2], f"{n}", 5) for n in range(8)]
    turns = read(DataSettings(), [str(write("t.csv", table(rows)))]).examples[0].conversation.turns
    assert [turn.text for turn in turns] == [str(n) for n in range(8)]


NESTED: dict[str, tuple[dict[str, object], str, list[str]]] = {
    "Zendesk's users beside a ticket tell the roles": (
        {
            "ticket": {"id": 3, "requester_id": 1},
            "users": [{"id": 4, "role": "end-user"}],
            "comments": [
                {"id": 1, "author_id": 1, "public": True, "body": "a", "created_at": AT.format(1)},
                {"id": 2, "author_id": 4, "public": True, "body": "b", "created_at": AT.format(2)},
                {"id": 3, "author_id": 9, "public": True, "body": "c", "created_at": AT.format(3)},
                {
                    "id": 4,
                    "author_id": 9,
                    "public": True,
                    "body": "d",
                    "type": "VoiceComment",
                    "created_at": AT.format(4),
                },
            ],
        },
        "user: a\n\nb | assistant: c",
        ["event"],
    ),
    "Zendesk's people in copy are customers": (
        {
            "id": 3,
            "requester": {"id": 1},
            "email_cc_ids": [4],
            "comments": [
                {"author_id": 4, "public": True, "body": "a", "created_at": AT.format(1)},
                {"author": {"id": 5, "role": "agent"}, "public": True, "body": "b", "created_at": AT.format(2)},
            ],
        },
        "user: a | assistant: b",
        [],
    ),
    "Intercom's AI agent and events": (
        {
            "id": "3",
            "created_at": 1709649000,
            "source": {"body": "<p>a</p>", "author": {"type": "user", "id": "u"}},
            "conversation_parts": [
                {
                    "part_type": "comment",
                    "body": "<p>beep</p>",
                    "created_at": 1709649001,
                    "author": {"type": "admin", "from_ai_agent": True},
                },
                {"part_type": "note_and_reopen", "body": "x", "created_at": 1709649002, "author": {"type": "admin"}},
                {"part_type": "assignment", "body": "x", "created_at": 1709649003, "author": {"type": "admin"}},
                {"part_type": "close", "body": "<p>b</p>", "created_at": 1709649004, "author": {"type": "admin"}},
            ],
        },
        "user: a | assistant: b",
        ["bot message", "internal note", "event"],
    ),
    "Freshdesk's forwards, surveys and deleted notes": (
        {
            "id": 3,
            "requester_id": 1,
            "created_at": AT.format(0),
            "description": "<div>a</div>",
            "conversations": [
                {"incoming": False, "private": False, "body": "b", "created_at": AT.format(1), "source": 0},
                {"incoming": False, "private": False, "body": "x", "created_at": AT.format(2), "source": 8},
                {"incoming": True, "private": False, "body": "x", "created_at": AT.format(3), "source": 6},
                {"incoming": True, "private": False, "body": "x", "created_at": AT.format(3), "deleted": True},
                {"incoming": False, "private": False, "body": "c", "created_at": "never"},
                {"incoming": "perhaps", "private": False, "body": "c", "created_at": AT.format(4)},
            ],
        },
        "user: a | assistant: b",
        ["internal note", "event", "spam", "time", "role name"],
    ),
}


@pytest.mark.parametrize("case", NESTED)
def test_what_the_products_mark(write: Write, case: str) -> None:
    row, conversation, left_out = NESTED[case]
    dataset = read(DataSettings(), [str(write("t.jsonl", [row]))])
    assert (spoken(dataset), [f.rule for f in dataset.findings]) == ([conversation], left_out)


def test_a_ticket_with_nothing_to_use_is_passed_over(write: Write) -> None:
    fine = {
        "id": 1,
        "requester_id": 1,
        "created_at": AT.format(0),
        "description": "a",
        "conversations": [{"incoming": False, "private": False, "body": "b", "created_at": AT.format(1)}],
    }
    rows: list[dict[str, object]] = [{**fine, "id": 2, "spam": True}, {**fine, "id": 3, "conversations": 7}]
    rows += [{"id": 4, "comments": []}]
    dataset = read(DataSettings(max_bad=1), [str(write("t.jsonl", [fine, *rows]))])
    assert (len(dataset), rules(dataset), adds_up(dataset)) == (
        1,
        [((2,), "spam"), ((3,), "layout"), ((4,), "time")],
        True,
    )


def test_a_list_of_tickets_under_its_name(write: Write) -> None:
    rows = [json.loads(line) for line in (FILES / "zendesk.jsonl").read_text(encoding="utf-8").splitlines()]
    path = write("t.json", json.dumps({"tickets": rows, "next_page": None, "count": len(rows)}))
    assert spoken(read(DataSettings(), [str(path)])) == spoken(export("zendesk.jsonl"))


@pytest.mark.parametrize("count", [6_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_very_many_messages_in_one_ticket_and_bodies_of_megabytes(write: Write, count: int) -> None:
    since = time.process_time()
    rows = [f"1,{1709649000 + n},{('customer', 'agent')[n // 3 % 2]},message {n}\n" for n in range(count)]
    random.Random(0).shuffle(rows)
    big = '2,1709649000,customer,"' + "word " * 400_000 + '"\n2,1709649001,agent,"' + "<p>x</p>" * 10_000 + '"\n'
    path = write("t.csv", "ticket_id,created_at,role,body\n" + "".join(rows) + big)
    dataset = read(DataSettings(), [str(path)])
    assert [len(e.conversation.turns) for e in dataset.examples] == [-(-count // 3) // 2 * 2, 2]
    assert (len(dataset.examples[1].conversation.turns[0].text), adds_up(dataset)) == (1_999_999, True)
    assert time.process_time() - since < 30


def test_another_encoding_costs_its_rows_only(write: Write) -> None:
    head = b"ticket_id,created_at,role,body\n1,1709649000,customer,Wo?\n"
    rows = b"1,1709649001,agent,Gr\xfc\xdfe\n1,1709649002,agent,Da.\n"
    dataset = read(DataSettings(max_bad=0.5), [str(write("t.csv", head + rows))])
    assert (spoken(dataset), [r.reason for r in dataset.dropped]) == (
        ["user: Wo? | assistant: Da."],
        ["line 3: not UTF-8: save the file as UTF-8"],
    )


MESSAGE = st.tuples(
    st.sampled_from(["1", "2", "3", ""]),
    st.sampled_from(["customer", "agent", "note", "bot", "who"]),
    st.sampled_from(
        ["Where is it?", "Here.", "Hi,\n\nyes.\n\nRegards\nJo", "> secret", "ok\n> secret", "", "<p>so</p>"]
    ),
    st.booleans(),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(MESSAGE, max_size=14), st.randoms(use_true_random=False))
def test_any_order_of_the_rows_gives_the_same(
    write: Write, messages: list[tuple[str, str, str, bool]], chance: random.Random
) -> None:
    rows = [
        said(role, f"secret {body}" if note else body, n, ticket, is_internal=note, author=f"{ticket}@{n % 2}.example")
        for n, (ticket, role, body, note) in enumerate(messages)
    ]
    rows += [said("customer", "a?", 58, "last"), said("agent", "b.", 59, "last")]
    mixed = chance.sample(rows, len(rows))
    first, second = (read(DataSettings(max_bad=1), [str(write("t.jsonl", these))]) for these in (rows, mixed))
    assert sorted(spoken(first)) == sorted(spoken(second))
    assert sorted(e.group for e in first.examples) == sorted(e.group for e in second.examples)
    assert (adds_up(first), first.ledger) == (True, second.ledger)
    assert "secret" not in "".join(spoken(first))
    used = {row for e in first.examples for row in e.source.rows}
    gone = {row for dropped in first.dropped for row in dropped.source.rows}
    assert (used | gone, used & gone) == (set(range(1, len(rows) + 1)), set())


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just(AT.format(1)), st.just("agent")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        *("id", "ticket_id", "comments", "author_id", "author", "public", "body", "created_at", "requester_id", "role"),
        *("conversation_parts", "source", "contacts", "tags", "part_type", "conversations", "incoming", "private"),
        *("description", "helpdesk_ticket", "notes", "users", "via", "internal", "conversation_id", "message_type"),
    ]
)
OBJECT = st.dictionaries(FIELDS, ANYTHING, max_size=6)
ROW = st.dictionaries(FIELDS, st.one_of(ANYTHING, OBJECT, st.lists(OBJECT, max_size=2)), max_size=8)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(["zendesk", "intercom", "freshdesk", "tickets"]), st.lists(ROW, min_size=1, max_size=6))
def test_whatever_stands_in_the_cells_nothing_crashes(write: Write, format: str, rows: list[dict[str, object]]) -> None:
    fine = (FILES / {"tickets": "andere.csv"}.get(format, f"{format}.jsonl")).with_suffix(".jsonl")
    good = b"\n".join(fine.read_bytes().split(b"\n")[:2]) + b"\n" if fine.exists() else b""
    path = write("t.jsonl", good + b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    try:
        dataset = read(DataSettings(format=format, max_bad=1), [str(path)])
    except DataError:
        return
    assert (adds_up(dataset), dataset.ledger.rows_read) == (True, len(good.splitlines()) + len(rows))
