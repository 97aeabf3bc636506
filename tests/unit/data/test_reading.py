"""Files to a Dataset whose ledgers add up, and prompts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tutelage.data import store
from tutelage.data.reading import read, read_prompts
from tutelage.errors import DataError, UsageError
from tutelage.recipe import DataSettings
from tutelage.records import Dataset, Role

Write = Callable[..., Path]
PAIR = {"prompt": "a", "response": "b"}


def pairs(count: int) -> list[dict[str, str]]:
    return [{"prompt": f"question {n}", "response": f"answer {n}"} for n in range(count)]


def adds_up(dataset: Dataset) -> bool:
    stages = Counter(row.stage for row in dataset.dropped)
    ledger = dataset.ledger
    return (
        ledger.balances()
        and ledger.rows_passed_over == stages["row"]
        and ledger.conversations_dropped == stages["conversation"]
        and ledger.conversations_kept == len(dataset)
    )


GOOD_LINE = st.sampled_from(
    [
        b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}',
        b'{"messages": [{"role": "user", "content": "c"}, {"role": "assistant", "content": " d "}]}',
    ]
)
ANY_LINE = st.sampled_from(
    [
        b'{"messages": [{"role": "user", "content": "a"}]}',
        b'{"messages": [{"role": "assistant", "content": "a"}]}',
        b'{"messages": 7}',
        b'{"other": 7}',
        b"{broken",
        b"\xff",
        b"",
    ]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.one_of(GOOD_LINE, ANY_LINE, st.binary(max_size=20)), max_size=25), st.booleans())
def test_both_sums_hold_whatever_the_lines(write: Write, lines: list[bytes], folder: bool) -> None:
    first = b'{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}'
    path = write("any/rows.jsonl", b"\n".join([first, *lines]))
    read_lines = [line for line in b"\n".join([first, *lines]).split(b"\n") if line.strip()]
    try:
        dataset = read(DataSettings(max_bad=1), [str(path.parent if folder else path)])
    except DataError:  # more than half of 100 rows are bad, which is no sum
        return
    assert (adds_up(dataset), dataset.ledger.rows_read) == (True, len(read_lines))


def test_one_bad_line_stops_nothing(write: Write) -> None:
    dataset = read(DataSettings(max_bad=0), [str(write("rows.jsonl", b'{"a\n' + json.dumps(PAIR).encode()))])
    assert (len(dataset), adds_up(dataset)) == (1, True)


def test_too_many_bad_rows_stop_with_five_reasons(write: Write) -> None:
    path = write("rows.jsonl", json.dumps(PAIR).encode() + b"\n{" * 7)
    with pytest.raises(DataError, match=r"7 of 8 rows in all .*87\.5%; allowed 1\.0%") as told:
        read(DataSettings(), [str(path)])
    message = str(told.value)
    assert (message.count("not valid JSON"), "and 2 more" in message, "--max-bad 0.89" in message) == (
        5,
        True,
        True,
    )
    assert len(read(DataSettings(max_bad=0.89), [str(path)])) == 1


def test_dropped_rows_and_conversations_stand_in_order(write: Write) -> None:
    rows: list[object] = [{"messages": [{"role": role, "content": "a"}]} for role in ("user", "who", "user")]
    fine = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    dataset = read(DataSettings(), [str(write("rows.jsonl", [*rows, fine]))])
    assert [(row.source.rows, row.stage) for row in dataset.dropped] == [
        ((1,), "conversation"),
        ((2,), "row"),
        ((3,), "conversation"),
    ]


def test_a_share_below_the_limit_is_read(write: Write) -> None:
    rows = [json.dumps(row).encode() for row in pairs(300)]
    path = write("rows.jsonl", b"\n".join([b"{", *rows[:100], b"{", *rows[100:]]))
    dataset = read(DataSettings(), [str(path)])
    assert (len(dataset), [row.source.rows for row in dataset.dropped]) == (300, [(1,), (102,)])


def test_a_hopeless_file_is_not_read_to_its_end(write: Write) -> None:
    path = write("rows.jsonl", json.dumps(PAIR).encode() + b"\n{" * 5000)
    with pytest.raises(DataError, match="of 100 rows so far"):
        read(DataSettings(), [str(path)])


NOTHING = {
    "empty.jsonl": b"",
    "blank.jsonl": b"\n \n",
    "header.csv": b"prompt,response\n",
    "none.json": b"[]",
}


@pytest.mark.parametrize("name", NOTHING)
def test_an_empty_file_is_an_error(write: Write, name: str) -> None:
    with pytest.raises(DataError, match="holds no rows"):
        read(DataSettings(), [str(write(name, NOTHING[name]))])


def test_nothing_left_is_an_error_with_the_reasons(write: Write) -> None:
    path = write("rows.jsonl", [{"messages": [{"role": "user", "content": "a"}]}])
    with pytest.raises(DataError, match="no conversation is left of 1 rows:\n  1: unanswered"):
        read(DataSettings(), [str(path)])


def test_one_bad_row_alone_is_nothing_left(write: Write) -> None:
    with pytest.raises(DataError, match="no conversation is left of 1 rows:\n  1: unreadable"):
        read(DataSettings(), [str(write("rows.jsonl", b"{broken"))])


def test_no_files_is_an_error() -> None:
    with pytest.raises(DataError, match="no files given"):
        read(DataSettings())


def test_a_folder_with_nothing_known_answers_with_a_mapping(write: Write) -> None:
    path = write("folder/rows.csv", "body,verdict\nsome text,yes\n")
    with pytest.raises(DataError, match="--columns"):
        read(DataSettings(), [str(path.parent)])


def test_in_a_folder_other_layouts_are_ignored(write: Write) -> None:
    folder = write("folder/rows.jsonl", [PAIR]).parent
    write("folder/index.json", json.dumps([{"task": "a", "size": 1}]))
    dataset = read(DataSettings(), [str(folder)])
    assert (len(dataset), dataset.ignored) == (
        1,
        ((str(folder / "index.json"), "no examples: columns task, size"),),
    )


def test_a_file_named_twice_is_read_once(write: Write) -> None:
    path = write("folder/rows.jsonl", [PAIR])
    dataset = read(DataSettings(), [str(path), str(path.parent)])
    assert (len(dataset), dataset.ignored) == (1, ((str(path), "named twice"),))


def test_settings_that_contradict_are_usage_errors(write: Write) -> None:
    path = str(write("rows.jsonl", [PAIR]))
    with pytest.raises(UsageError, match="contradict"):
        read(DataSettings(columns="prompt=a,response=b", format="alpaca"), [path])
    with pytest.raises(UsageError, match=r"data\.columns"):
        read(DataSettings(instruction="Sort:"), [path])


def test_files_default_to_the_settings(write: Write) -> None:
    path = str(write("rows.jsonl", [PAIR]))
    assert read(DataSettings(files=(path,))) == read(DataSettings(), [path])


def test_sources_are_files_and_line_numbers(write: Write) -> None:
    path = write("rows.jsonl", b"\n" + json.dumps(PAIR).encode())
    assert str(read(DataSettings(), [str(path)]).examples[0].source) == f"{path}:2"


def test_progress_counts_rows(write: Write) -> None:
    seen: list[tuple[str, int, int]] = []
    files = [str(write("a.jsonl", pairs(2500))), str(write("b.jsonl", pairs(10)))]
    read(DataSettings(), files, lambda *told: seen.append(told))
    assert seen == [("rows read", count, 0) for count in (200, 2200, 2500, 2510)]


def test_a_stored_data_set_is_read_back(write: Write, tmp_path: Path) -> None:
    first = read(DataSettings(), [str(write("a.jsonl", pairs(3)))])
    store.save(first, tmp_path / "stored")
    again = read(DataSettings(), [str(tmp_path / "stored")])
    both = read(DataSettings(), [str(tmp_path / "stored"), str(write("b.jsonl", pairs(4)))])
    assert (again, len(both), adds_up(both)) == (first, 7, True)
    assert [e.id for e in both.examples[:3]] == [e.id for e in first.examples]


def asked(path: Path) -> list[tuple[str, str]]:
    return [(p.id, " | ".join(f"{t.role}: {t.text}" for t in p.turns)) for p in read_prompts(path)]


def test_prompts_in_every_form(write: Write) -> None:
    user, answer = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    rows: list[dict[str, object]] = [
        {"id": "x", "prompt": "Hi"},
        {"id": 7, "messages": [user, answer]},
        {"messages": [user, answer, user]},
        {"prompt": [{"role": "system", "content": "s"}, user]},
        {"instruction": "Add.", "input": "1, 2", "output": "3"},
        {"question": "Why?", "answer": "Because.", "system": "s"},
    ]
    assert asked(write("prompts.jsonl", rows)) == [
        ("x", "user: Hi"),
        ("7", "user: a"),
        ("3", "user: a | assistant: b | user: a"),
        ("4", "system: s | user: a"),
        ("5", "user: Add.\n\n1, 2"),
        ("6", "system: s | user: Why?"),
    ]


def test_prompts_of_a_text_file_are_its_lines(write: Write) -> None:
    assert asked(write("prompts.txt", "Hi\r\n\n{{Why}}?")) == [("1", "user: Hi"), ("3", "user: {{Why}}?")]


BAD_PROMPTS: dict[str, tuple[object, str]] = {
    "blank": ([{"prompt": " "}], "prompts.jsonl:1: the prompt is blank"),
    "none": ([{"prompt": "a"}, {"text": "b"}], r"prompts.jsonl:2: no prompt: .*columns: text"),
    "twice": ([{"prompt": "a", "id": "1"}, {"prompt": "b", "id": 1}], "the id 1 stands 2 times"),
    "broken": (b'{"prompt": "a"}\n{', "prompts.jsonl:2: not valid JSON"),
    "empty": (b"", "no prompts"),
    "order": ([{"messages": [{"role": "user", "content": "a"}] * 2}], "turn 2 is user after user"),
}


@pytest.mark.parametrize("case", BAD_PROMPTS)
def test_a_row_that_is_no_prompt_is_an_error(write: Write, case: str) -> None:
    content, reason = BAD_PROMPTS[case]
    with pytest.raises(DataError, match=reason):
        read_prompts(write("prompts.jsonl", content))


def test_a_missing_prompt_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_prompts(tmp_path / "prompts.txt")


def test_roles_stay_an_enum(write: Write) -> None:
    turn = read_prompts(write("prompts.jsonl", [{"prompt": "a"}]))[0].turns[0]
    assert turn.role is Role.USER
