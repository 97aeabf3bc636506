"""Every check on a table of answers that pass and answers that fail, and on any text whatever."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.errors import DataError
from tutelage.evaluation.following.checks import CHECKS, Check, checked, parameters_of, read_check, read_checks
from tutelage.evaluation.following.counting import words
from tutelage.evaluation.tasks import read_tasks

HERE = Path(__file__).parent
FEWEST = 6
"""Answers that pass, and answers that fail, for each check."""


def rows() -> list[dict[str, Any]]:
    """A check, answers that pass it and answers that fail it."""
    return [json.loads(line) for line in (HERE / "tables.jsonl").read_text(encoding="utf-8").splitlines()]


ROWS = rows()
ANSWERS = sorted({answer for row in ROWS for kind in ("passes", "fails") for answer in row[kind]})


def every_check() -> list[Check]:
    """Each check with each of its tables' parameters."""
    return [read_check(row["check"]) for row in ROWS]


def scored() -> list[list[str]]:
    """Every check on every answer of all tables, alone and all together."""
    return [[check.failure(answer) for answer in ANSWERS] for check in every_check()]


def test_each_check_has_a_table() -> None:
    for kind in ("passes", "fails"):
        counts: Counter[str] = Counter()
        for row in ROWS:
            counts[row["check"]["name"]] += len(set(row[kind]))
        short = {name: counts[name] for name in CHECKS if counts[name] < FEWEST}
        assert not short, f"checks with fewer than {FEWEST} answers in {kind} of tables.jsonl: {short}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(map(str, row["check"].values()))[:60])
def test_table(row: dict[str, Any]) -> None:
    check = read_check(row["check"])
    assert {answer: check.failure(answer) for answer in row["passes"]} == dict.fromkeys(row["passes"], "")
    assert [answer for answer in row["fails"] if not check.failure(answer)] == []


def test_every_parameter_stands_in_a_table() -> None:
    used: dict[str, set[str]] = {}
    for row in ROWS:
        used.setdefault(row["check"]["name"], set()).update(row["check"])
    unused = {name: found for name in CHECKS if (found := set(parameters_of(name)) - used[name])}
    assert not unused, f"parameters that stand in no row of tables.jsonl: {unused}"


def test_a_blank_answer_passes_only_what_may_be_none_of() -> None:
    for check in every_check():
        limits = [check.parameters.get(name, 0) for name in ("exactly", "at_least")]
        if any(limits) or not {"at_most", "exactly"}.intersection(check.parameters):
            assert check.failure("") and check.failure(" \n\t "), check


def test_the_page_lists_every_check_with_its_parameters() -> None:
    page = (HERE.parents[3] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    section = page.partition("### The checks\n")[2].partition("\n#")[0]
    table = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \|$", section, re.MULTILINE)
    assert {name: tuple(re.findall(r"`(\w+)`", told)) for name, told in table} == {
        name: parameters_of(name) for name in CHECKS
    }


def test_the_pages_own_task_file_is_read(tmp_path: Path) -> None:
    page = (HERE.parents[3] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    (example,) = (block for block in re.findall(r"```jsonl\n(.*?)```", page, re.DOTALL) if '"our tone"' in block)
    path = tmp_path / "own.jsonl"
    path.write_text(example, encoding="utf-8")
    (task,) = read_tasks(path)
    answers = ["Open the page of your account and press reset.", "- Green\n- Black\n- White"]
    assert [checked(answer, item.checks) for answer, item in zip(answers, task.items, strict=True)] == [(), ()]


def test_scored_twice_and_in_any_order_equal() -> None:
    first = scored()
    places = list(range(len(ANSWERS)))
    random.Random(0).shuffle(places)
    for check, row in zip(every_check(), first, strict=True):
        again = {place: check.failure(ANSWERS[place]) for place in places}
        assert [again[place] for place in range(len(ANSWERS))] == row


@pytest.mark.parametrize("seed", ["1", "4242"])
def test_a_fresh_process_gives_the_same(seed: str) -> None:
    program = "import json, test_following_checks as own; print(json.dumps(own.scored()))"
    paths = os.pathsep.join([str(HERE), *filter(None, sys.path)])
    command = [sys.executable, "-c", program]
    made = subprocess.run(
        command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths}
    )
    assert json.loads(made.stdout) == scored()


MARKS = st.sampled_from(
    "- ;* ;1. ;2) ;# ;```;|;---;\";„;{;};[;];P.S.;e.g. ;...;!;。;walnut;Mira;yes;I don't know;İ;ß;ǅ;本".split(";")  # noqa: SIM905
)
SIGNS = st.sampled_from(
    ["\n", "\n\n", "\ud800", "\x00", "\x1b[2J", "\u202e", "\u2028", "👨\u200d👩", "9" * 5000, "[" * 3000, "a" * 2000]
)
TEXTS = st.one_of(
    st.text(st.characters(), max_size=80), st.lists(MARKS | SIGNS | st.text(max_size=5), max_size=12).map("".join)
)


@settings(max_examples=100, deadline=None)
@given(answer=TEXTS)
def test_no_text_is_an_error(answer: str) -> None:
    for check in every_check():
        told = check.failure(answer)
        assert told == check.failure(answer)
        assert told == "" or (told.startswith(f"{check.name}: ") and told.isprintable())


def test_long_answers_take_little_longer_than_reading_them() -> None:
    """Runs of marks that a careless pattern would try again and again; a stuck check never comes back from here."""
    for piece in (". ", "*", "- ", "|-", "`", "[a", '"', "1. \n", "a@", "ab ", "=", "\n \n", "\u3002", "x "):
        answer = piece * (40_000 // len(piece))
        for check in {check.name: check for check in every_check()}.values():
            check.failure(answer)


def test_checked_tells_all_failures_in_order() -> None:
    given: list[dict[str, Any]] = [
        {"name": "words", "at_most": 2},
        {"name": "uppercase"},
        {"name": "ends", "text": "!"},
    ]
    assert checked("NO!", given) == ()
    assert [told.partition(":")[0] for told in checked("It is late.", given)] == ["words", "uppercase", "ends"]
    assert checked("It is late.", [read_check(one) for one in given]) == checked("It is late.", given)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["check"]["name"]))
def test_a_check_goes_to_json_and_back(row: dict[str, Any]) -> None:
    assert read_check(row["check"]).to_json() == row["check"]


WRONG: list[tuple[object, str]] = [
    ("words", "a check is an object with a name"),
    ({"at_most": 3}, "a check is an object with a name"),
    ({"name": "wrods", "at_most": 3}, "there is no check “wrods”; there are language, persona"),
    ({"name": "words"}, "give exactly, at_least or at_most"),
    ({"name": "words", "exactly": 3, "at_most": 4}, "exactly stands without"),
    ({"name": "words", "at_least": 5, "at_most": 4}, "at_least 5 is more than at_most 4"),
    ({"name": "words", "at_most": "4"}, "the parameter at_most: input should be a valid integer, not “'4'”"),
    ({"name": "words", "at_most": -1}, "greater than or equal to 0"),
    ({"name": "words", "atmost": 4}, "no parameter “atmost”; there are exactly, at_least, at_most"),
    ({"name": "uppercase", "case": True}, "no parameter “case”; there is none"),
    ({"name": "include"}, "the parameter words is missing"),
    ({"name": "include", "words": []}, "at least 1 item"),
    ({"name": "include", "words": [" "]}, "the parameter words.0"),
    ({"name": "language", "language": "Klingon"}, "“Klingon” is no language that is told here"),
    ({"name": "secret", "word": "cat"}, "needs 4 letters"),
    ({"name": "secret", "word": "two words"}, "the parameter word"),
    ({"name": "json", "only": True}, "only needs keys"),
    ({"name": "json", "types": {"a": "integer"}}, "the parameter types.a"),
    ({"name": "table"}, "give columns or rows"),
    ({"name": "order", "items": ["one"]}, "at least 2 items"),
    ({"name": "order", "items": ["one", "One"]}, "stands twice"),
]


@pytest.mark.parametrize(("row", "told"), WRONG)
def test_a_wrong_check_is_refused_with_its_place(row: object, told: str) -> None:
    with pytest.raises(DataError) as caught:
        read_check(row, "suite.jsonl, line 7")
    assert str(caught.value).startswith("suite.jsonl, line 7: ") and told in str(caught.value)


@pytest.mark.parametrize("given", [[], None, {"name": "uppercase"}, "uppercase"])
def test_checks_are_a_list_of_at_least_one(given: object) -> None:
    with pytest.raises(DataError, match="line 3: checks is a list of at least one check"):
        read_checks(given, "line 3")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("one", 1),
        ("well-known e.g. 3.5 and/or", 4),
        ("a \u2013 b -- c", 3),
        ("1. a\n2. b", 2),
        ("東京 Tower", 3),
    ],
)
def test_words_as_people_count_them(text: str, count: int) -> None:
    assert len(words(text)) == count
