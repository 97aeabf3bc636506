"""Benchmark items in training rows: found, counted, written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.data import contamination, store
from tutelage.data.contamination import Item, check, read_items, touches
from tutelage.errors import DataError
from tutelage.records import Conversation, Dataset, Ledger, Role, Source, Turn, with_ids

Make = Callable[..., Dataset]
ASKED = "A train leaves at nine and drives at sixty miles an hour; when does it arrive in Boston?"
TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=10).map(" ".join), max_size=8)


def items(*texts: str) -> list[Item]:
    return [Item("bench.jsonl", str(number), text) for number, text in enumerate(texts, 1)]


def of(texts: list[str]) -> Dataset:
    made = [
        (Conversation((Turn(Role.USER, text), Turn(Role.ASSISTANT, "."))), Source("f", (n,)), "", ())
        for n, text in enumerate(texts, 1)
    ]
    return Dataset(with_ids(made), ledger=Ledger(len(made), len(made), 0, len(made), len(made), 0))


def runs(text: str, size: int) -> set[tuple[str, ...]]:
    words = [word for word in text.split() if word != "."]
    return {tuple(words[at : at + size]) for at in range(max(1, len(words) - size + 1))} - {()}


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from([0.1, 0.5, 1.0]), st.sampled_from([2, 4]))
def test_touches_equal_comparing_all_with_all(rows: list[str], asked: list[str], share: float, words: int) -> None:
    slow = [
        (row, item, len(held) / len(runs(asked[item], words)))
        for row in range(len(rows))
        for item in range(len(asked))
        if (held := runs(rows[row], words) & runs(asked[item], words))
        and len(held) >= share * len(runs(asked[item], words)) - 1e-9
    ]
    made = of(rows)
    found = touches(made, items(*asked), share, words)
    places = {example.id: place for place, example in enumerate(made.examples)}
    assert [(places[hit.example], int(hit.item.id) - 1, hit.share) for hit in found] == slow


def test_an_item_in_a_question_or_an_answer_is_found(dataset: Make) -> None:
    made = dataset(
        (f"Solve: {ASKED.upper()}", "At ten."),
        ("Give me an exercise.", f"Here is one. {ASKED} Good luck!"),
        ("A train leaves at nine. When does it arrive?", "Nobody knows."),
    )
    found = touches(made, items(ASKED, "Something else that is asked here and that nobody wrote before"))
    assert [(hit.source.rows, hit.item.id, hit.share) for hit in found] == [((1,), "1", 1.0), ((2,), "1", 1.0)]


def test_half_of_an_item_is_enough_and_less_is_not(dataset: Make) -> None:
    words = ASKED.split()  # 18 words: 11 runs of eight
    rows = [(" ".join(words[:count]), "Yes.") for count in (11, 12, 13)]
    found = touches(dataset(*rows), items(ASKED))
    assert [(hit.source.rows, hit.share) for hit in found] == [((3,), 6 / 11)]


def test_short_items_are_found_only_as_all_that_is_said(dataset: Make) -> None:
    found = touches(
        dataset(("What is two", "and two"), ("What is two and two then?", "Four")), items("What is two and two")
    )
    assert [hit.source.rows for hit in found] == [(1,)]


def test_without_benchmarks_nothing_is_looked_for(dataset: Make) -> None:
    made = dataset((ASKED, "At ten."))
    assert check(made, ()) == (made, None)
    assert contamination.counts(None) == {}


def test_curated_data_names_rows_and_items(dataset: Make, write: Callable[..., Path], tmp_path: Path) -> None:
    longer = f"{ASKED} Think well about it before you say anything."
    bench = write(
        "bench.jsonl",
        [{"id": "q7", "question": ASKED}, {"id": "q8", "question": longer}, {"id": "q9", "question": "x"}],
    )
    made, found = check(dataset((ASKED, "At ten."), ("Hello", "Hi")), [str(bench)])
    assert found is not None
    assert [(hit.item.id, hit.source.rows) for hit in found] == [("q7", (1,)), ("q8", (1,))]
    assert [(flag.rule, flag.action, flag.reason) for flag in made.findings] == [
        ("contamination", "flag", f"holds 100% of the item q7 of {bench}")
    ]
    assert (contamination.counts(found), len(made)) == ({"touching": 1, "touched_items": 2}, 2)
    store.save(made, tmp_path / "out")
    contamination.write(found, tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "contaminated.jsonl").read_text().splitlines()]
    assert rows[0] == {
        "benchmark": str(bench),
        "item": "q7",
        "example": made.examples[0].id,
        "file": "made",
        "rows": [1],
        "share": 1.0,
    }
    assert [row["share"] for row in rows] == [1.0, round(11 / 19, 4)]
    assert store.load(tmp_path / "out") == made
    store.save(made, tmp_path / "out")
    contamination.write(None, tmp_path / "out")
    assert not (tmp_path / "out" / "contaminated.jsonl").exists()


def test_a_benchmark_may_be_prompts_or_any_data_set(write: Callable[..., Path]) -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a b"}]
    task = {"Definition": ["Add."], "Instances": [{"input": "1, 2", "output": ["3"]}]}
    read = read_items([str(write("a.jsonl", [{"id": "m", "messages": chat}])), str(write("task1.json", [task]))])
    assert [(item.id == "m", item.text) for item in read] == [(True, "a b"), (False, "Add.\n\n1, 2")]


def test_what_is_no_benchmark_is_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no prompt: a row has"):
        read_items([str(write("x.jsonl", [{"a": 1}]))])
    with pytest.raises(DataError, match="gone"):
        read_items([str(tmp_path / "gone.jsonl")])
