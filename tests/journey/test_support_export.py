"""The support lead's way: a CSV export looked at, curated, and read again as a data set."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from calling import Call

EXPORTS = Path(__file__).parents[1] / "unit" / "data" / "tickets"


def test_look_and_curate_a_ticket_export(call: Call) -> None:
    shutil.copy(EXPORTS / "zendesk_comments.csv", "tickets.csv")
    shown = call("look", "tickets.csv")
    assert (shown.status, "41 read = 37 used + 4 passed over" in shown.out) == (0, True)
    assert "zendesk" in shown.out and "internal note" in shown.out and "signature cut" in shown.out
    found = call("curate", "tickets.csv", "--out", "clean", "--json").json
    assert (found["conversations_made"], found["rows_read"]) == (13, 41)
    rows = [json.loads(line) for line in Path("clean/kept.jsonl").read_text().splitlines()]
    gone = [json.loads(line) for line in Path("clean/dropped.jsonl").read_text().splitlines()]
    assert len(rows) == found["conversations_kept"]
    assert sum(row["stage"] == "row" for row in gone) == 4
    assert "NB: " not in Path("clean/kept.jsonl").read_text() + Path("clean/dropped.jsonl").read_text()
    assert call("look", "clean", "--json").json["conversations_kept"] == len(rows)


def test_an_export_without_roles_is_told_what_to_do(call: Call) -> None:
    shutil.copy(EXPORTS / "andere.csv", "tickets.csv")
    refused = call("look", "tickets.csv")
    assert (refused.status, "data.agents=example.com" in refused.err) == (1, True)
    mapping = "ticket=Vorgangsnummer,time=Datum,author=Absender,body=Nachricht,internal=Intern"
    for words in ((), ("--columns", mapping)):
        shown = call("look", "tickets.csv", "data.agents=brambeck.example", "--json", *words)
        assert (shown.status, shown.json["conversations_kept"]) == (0, 12)
