"""Files of tasks: what is read from them, and what is said of those that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tutelage.errors import DataError, TutelageError, UsageError
from tutelage.evaluation.tasks import read_all, read_tasks
from tutelage.records import Role, Turn

SUPERNATURAL = {
    "Definition": ["Name the capital."],
    "Categories": ["Geography"],
    "Positive Examples": [{"input": "Italy", "output": "Rome", "explanation": ""}],
    "Negative Examples": [],
    "Instances": [
        {"id": "t-1", "input": "France", "output": ["Paris"]},
        {"id": "t-2", "input": "Spain", "output": ["Madrid", "Villa de Madrid"]},
    ],
}


def lines(folder: Path, *rows: object, name: str = "capitals.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_json_lines_with_what_holds_for_all_in_the_first(tmp_path: Path) -> None:
    path = lines(
        tmp_path,
        {"task": "Capitals", "scorer": ["contains", "chrf"], "category": "Europe", "system": "Be brief."},
        {"prompt": "France?", "references": "Paris"},
        {"id": "es", "prompt": "Spain?", "references": ["Madrid"], "category": "Iberia", "scorer": "exact"},
        {"messages": [{"role": "user", "content": "2 + 2"}], "references": 4, "scorer": "number"},
    )
    (task,) = read_tasks(path)
    assert (task.name, task.file, [item.id for item in task.items]) == ("Capitals", str(path), ["2", "es", "4"])
    first, second, third = task.items
    assert first.turns == (Turn(Role.SYSTEM, "Be brief."), Turn(Role.USER, "France?"))
    assert (first.scorers, first.category, first.references) == (("contains", "chrf"), "Europe", ("Paris",))
    assert (second.scorers, second.category) == (("exact",), "Iberia")
    assert (third.references, third.turns[-1].text) == (("4",), "2 + 2")
    assert task.scorer == "contains and exact match and number"


def test_yaml_as_a_list_and_as_a_mapping_gives_the_same(tmp_path: Path) -> None:
    row = "  - prompt: Is it so?\n    references: no\n  - prompt: Which?\n    references: [007, 1.50]\n"
    (tmp_path / "a.yaml").write_text(f"task: T\nscorer: exact\nitems:\n{row}", encoding="utf-8")
    (tmp_path / "b.yml").write_text(
        "- task: T\n  scorer: exact\n" + row.replace("  - ", "- ").replace("    ", "  "), encoding="utf-8"
    )
    (first,), (second,) = read_tasks(tmp_path / "a.yaml"), read_tasks(tmp_path / "b.yml")
    # YAML itself would read false, 7 and 1.5.
    assert [item.references for item in first.items] == [("no",), ("007", "1.50")]
    assert [item.turns for item in first.items] == [item.turns for item in second.items]
    assert (first.name, first.scorer) == (second.name, second.scorer)


def test_supernatural_instructions_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "task001_capitals.json"
    path.write_text(json.dumps(SUPERNATURAL), encoding="utf-8")
    (plain,), (shown,) = read_tasks(path), read_tasks(path, examples=1)
    assert [item.id for item in plain.items] == ["t-1", "t-2"]
    assert [item.references for item in plain.items] == [("Paris",), ("Madrid", "Villa de Madrid")]
    assert {item.category for item in plain.items} == {"Geography"}
    assert plain.items[0].scorers == ("rouge_l", "normalised")
    (asked,), (with_example,) = (one.items[0].turns for one in (plain, shown))
    assert "Name the capital." in asked.text and "France" in asked.text and "Rome" not in asked.text
    assert "Rome" in with_example.text


def test_a_folder_is_read_in_the_order_of_names_and_can_be_cut(tmp_path: Path) -> None:
    rows = [{"prompt": str(place), "references": "x", "scorer": "exact"} for place in range(5)]
    lines(tmp_path, *rows, name="b.jsonl")
    lines(tmp_path, *rows[:2], name="a.jsonl")
    (tmp_path / "readme.txt").write_text("no task")
    assert [(task.name, len(task.items)) for task in read_tasks(tmp_path)] == [("a", 2), ("b", 5)]
    cut = read_all([tmp_path], most=3)
    assert [(task.name, [item.id for item in task.items]) for task in cut] == [
        ("a", ["1", "2"]),
        ("b", ["1", "2", "3"]),
    ]


def test_the_hash_is_of_what_is_asked_and_wanted(tmp_path: Path) -> None:
    row = {"prompt": "France?", "references": "Paris", "scorer": "exact"}
    paths = [
        lines(tmp_path, row, name="a.jsonl"),
        lines(tmp_path, {"task": "named", "scorer": "exact"}, {"id": "1"} | row, name="b.jsonl"),
        lines(tmp_path, row | {"references": "Lyon"}, name="c.jsonl"),
    ]
    first, same, other = (read_tasks(path)[0].hash() for path in paths)
    assert first == same != other


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"references": "x", "scorer": "exact"}, "either a prompt or messages"),
        ({"prompt": "a", "messages": [], "scorer": "exact"}, "either a prompt or messages"),
        ({"prompt": " ", "references": "x", "scorer": "exact"}, "blank"),
        ({"prompt": "a", "references": "x"}, "no scorer; there are exact"),
        ({"prompt": "a", "references": "x", "scorer": "exakt"}, "did you mean exact?"),
        ({"prompt": "a", "references": "x", "scorer": ["exact", "exact"]}, "stands twice"),
        ({"prompt": "a", "scorer": "exact"}, "needs a reference"),
        ({"prompt": "a", "reference": "x", "scorer": "exact"}, "did you mean references?"),
        ({"prompt": "a", "references": {"x": 1}, "scorer": "exact"}, "a text or a list of texts"),
        ({"prompt": "a", "schema": [], "scorer": "json_schema"}, "a JSON schema, an object"),
        ({"messages": [{"role": "king", "content": "a"}], "references": "x", "scorer": "exact"}, "role"),
        ({"messages": [{"role": "assistant", "content": "a"}], "references": "x", "scorer": "exact"}, "line 1"),
        ([1], "line 1"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_with_its_line(tmp_path: Path, row: object, told: str) -> None:
    with pytest.raises(DataError) as caught:
        read_tasks(lines(tmp_path, row))
    assert told in str(caught.value) and "line 1" in str(caught.value) and "capitals.jsonl" in str(caught.value)


def test_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    row = {"id": "a", "prompt": "a", "references": "x", "scorer": "exact"}
    (tmp_path / "more").mkdir()
    (tmp_path / "plain.txt").write_text("a")
    (tmp_path / "own.json").write_text("{}")
    twins = [lines(tmp_path, row), lines(tmp_path / "more", row)]
    cases = [
        (DataError, [lines(tmp_path, row, row, name="ids.jsonl")], "line 2: the id a stands twice"),
        (DataError, [lines(tmp_path, name="empty.jsonl")], "no items"),
        (DataError, [tmp_path / "own.json"], "Super-NaturalInstructions"),
        (DataError, twins, "both hold a task named capitals"),
        (UsageError, [tmp_path / "capitale.jsonl"], "Did you mean"),
        (UsageError, [tmp_path / "plain.txt"], "tasks are written as"),
    ]
    for kind, paths, told in cases:
        with pytest.raises(kind, match=told):
            read_all(paths)


@pytest.mark.parametrize("suffix", [".jsonl", ".yaml", ".json"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300) | st.text(alphabet='{}[]:,"- \nabc0*&!%|>', max_size=200).map(str.encode))
def test_any_file_is_read_or_refused_in_words(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(content)
    try:
        assert all(task.items for task in read_tasks(path))
    except TutelageError as error:
        assert str(path) in str(error)
