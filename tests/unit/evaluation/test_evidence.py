"""The evidence page on a tiny model: what it asks and draws, that it goes on where it was, and what it writes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

import evidence
import evidence_data as data
import evidence_system as system
import evidence_unseen as unseen
import evidence_work as work
from evidence_work import Bench, Clock

import tiny
from tutelage.records import Role
from tutelage.tuning.run import Run

TASKS = {
    "task1_mood": ("Sentiment Analysis", "Say how it feels.", "good"),
    "task2_again": ("Paraphrasing", "Say it in other words.", "It is a long red house"),
    "task3_ask": ("Question Generation", "Write a question.", "What is a red house for"),
    "task4_odd": ("Word Semantics", "Name the odd one.", "red"),
    "task5_talk": ("Dialogue Generation", "Go on with the talk.", "I like it very much too"),
    "task074_ask": (None, "Ask about the text.", "Why is the house so red"),
    "task7_answer": ("Question Answering", "Answer.", "yes"),
}


@pytest.fixture(scope="module", autouse=True)
def fewer() -> Iterator[None]:
    """Dolly's training part is 24 rows here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "DOLLY_TRAIN", 24)
        yield


@pytest.fixture(scope="module")
def sets(fewer: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small sets in the layouts of the real ones."""
    folder = tmp_path_factory.mktemp("sets")
    (folder / "superni" / "tasks").mkdir(parents=True)
    index = [{"task": name, "category": category} for name, (category, _, _) in TASKS.items()]
    (folder / "superni" / "index.json").write_text(json.dumps(index))
    for name, (category, definition, answer) in TASKS.items():
        examples = [{"input": f"shown {at}", "output": answer} for at in (1, 2)] if name == "task2_again" else []
        task = {
            "Definition": [definition],
            "Categories": [category],
            "Positive Examples": examples,
            "Instances": [
                {"id": f"{name}-{at}", "input": f"house {at}", "output": [f"{answer} {at}"]} for at in range(12)
            ],
        }
        (folder / "superni" / "tasks" / f"{name}.json").write_text(json.dumps(task))
    (folder / "dolly").mkdir()
    rows = [
        {"instruction": f"What is {at}?", "context": "", "response": f"A number, {at}.", "category": "open_qa"}
        for at in range(data.DOLLY_TRAIN + 12)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "dolly" / "dolly_subset_7k.jsonl").write_text(lines)
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.save(tmp_path_factory.mktemp("base") / "llama"))


def length(prompt: str, answer: str) -> int:
    return len(f"{prompt} {answer}".split())


def test_no_category_is_on_both_sides(sets: Path) -> None:
    train, test = data.parted(data.sources(sets))
    assert {one.category for one in test} == {"Sentiment Analysis", "Paraphrasing"}
    assert {one.name for one in train} == set(TASKS) - {"task1_mood", "task2_again"}
    assert next(one for one in train if one.name == "task074_ask").category == "Question Generation"
    assert set(data.TRIED).isdisjoint(data.TESTED)


def test_draws_hold_the_budget_and_both_lengths(sets: Path) -> None:
    train, _ = data.parted(data.sources(sets))
    for seed in range(5):
        rows, spent = data.drawn(train, 100, seed, length)
        assert spent == sum(length(*row) for row in rows) <= 100
        assert len(set(rows)) == len(rows)
        long = sum(len(answer.split()) > data.WORDY for _, answer in rows)
        assert abs(2 * long - len(rows)) <= 1
    assert data.drawn(train, 100, 0, length) == data.drawn(train, 100, 0, length)
    assert data.drawn(train, 100, 0, length) != data.drawn(train, 100, 1, length)
    everything, _ = data.drawn(train, 10**6, 0, length)
    assert sorted(everything) == sorted(row for one in train for row in one.rows())


def test_fewer_tasks_are_among_more(sets: Path) -> None:
    train, _ = data.parted(data.sources(sets))
    for seed in range(5):
        names = [[one.name for one in data.nested(train, count, seed)] for count in (1, 2, 4, 5)]
        assert [len(one) for one in names] == [1, 2, 4, 5]
        assert all(few == more[: len(few)] for few, more in pairwise(names))


def test_what_is_asked(sets: Path, tmp_path: Path) -> None:
    _, test = data.parted(data.sources(sets))
    found = {one.item.id: one for one in data.asked(test, 4, length, tmp_path)}
    assert len(found) == 8
    own = next(one for one in found.values() if one.task == "task2_again")
    at = own.item.id.rpartition("/")[2]
    assert own.item.turns[-1].text == f"Say it in other words.\n\nhouse {at}"
    assert own.item.references == (f"It is a long red house {at}",)
    assert own.alone[-1].text == f"house {at}"
    assert [turn.text for turn in own.shots[:2]] == ["Say it in other words.\n\nshown 1", "It is a long red house"]
    assert own.shots[4:] == own.item.turns
    assert "Input: shown 2\nOutput: It is a long red house" in own.inside[-1].text
    # A task without examples lends instances, never those that are asked.
    lent = [one for one in found.values() if one.task == "task1_mood"]
    shown = {turn.text.rpartition(" ")[2] for one in lent for turn in one.shots[:4:2]}
    assert len(shown) == 2 and shown.isdisjoint(one.item.id.rpartition("/")[2] for one in lent)


def page(sets: Path, base: str, folder: Path, *more: str) -> list[str]:
    """A tiny page of claim (a)."""
    given = ["--base", base, "--data", str(sets), "--cache", str(folder / "cache"), "--out", str(folder / "page.md")]
    given += ["--tokens", "600", "--items", "2", "--seeds", "2", "--counts", "2", "4", "--threads", "1", *more]
    (folder / "cache").mkdir(exist_ok=True)
    return evidence.measured(evidence.parser().parse_args(given), "python benchmarks/evidence.py", lambda line: None)


@pytest.fixture(scope="module")
def made(sets: Path, base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page that was interrupted once, and its cache."""
    folder: Path = tmp_path_factory.mktemp("page")
    limits = dict(unseen.LIMITS)
    patch = pytest.MonkeyPatch()
    patch.setattr(unseen, "LIMITS", {of_dolly: 4 for of_dolly in limits})
    tuned, calls = work.tune, [0]

    def killed(*given: object, **named: object) -> Run:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return tuned(*given, **named)  # type: ignore[arg-type]

    patch.setattr(work, "tune", killed)
    with pytest.raises(KeyboardInterrupt):
        page(sets, base, folder, "--only", "a")
    page(sets, base, folder, "--only", "a", "d")
    (folder / "calls").write_text(str(calls[0]))
    patch.setattr(work, "tune", lambda *given: pytest.fail("tuned again"))
    before = (folder / "page.md").read_text()
    page(sets, base, folder, "--only", "a", "d")
    assert (folder / "page.md").read_text() == before
    patch.undo()
    return folder


@pytest.mark.slow
def test_it_goes_on_where_it_was(made: Path) -> None:
    wanted = len(unseen.CANDIDATES) + 2 * 2 + 2  # the loss of answers only is that of the runs on most tasks
    assert int((made / "calls").read_text()) == wanted + 1  # the one that was interrupted is begun again
    runs = [Run(one) for one in (made / "cache" / "runs").iterdir()]
    assert len(runs) == wanted and all(run.manifest().finished for run in runs)
    tokens = [run.manifest().tokens for run in runs]
    assert max(tokens) <= 630 and min(tokens) >= 400


@pytest.mark.slow
def test_the_page(made: Path) -> None:
    text = (made / "page.md").read_text(encoding="utf-8")
    assert text.startswith("# Evidence\n") and text.count("## Unseen kinds of task") == 1
    assert text.count("Measured on ") == text.count("\n## ") == 2  # sections may be of different machines
    rows = [line for line in text.split("\n") if line.startswith("| ")]
    for name in (
        "base, input alone",
        "base, definition, chat template",
        "base, 2 examples as turns",
        "tuned on 4 tasks",
    ):
        assert any(row.startswith(f"| {name} |") for row in rows), name
    assert [row.split(" | ")[0] for row in rows if row[2].isdigit()] == ["| 2", "| 4", "| 0", "| 0.1", "| 1"]
    assert (made / "pictures" / "evidence-tasks.svg").read_text(encoding="utf-8").count("<svg") == 1


def test_seeds_draw_others_and_equal_runs_share_a_key(sets: Path, base: str, tmp_path: Path) -> None:
    bench = Bench(base, sets, tmp_path)
    rows = [("a", "b"), ("c", "d")]
    settings = {"tuning": {"seed": 0, "epochs": 1.0}}
    assert bench.run_key(rows, settings) == bench.run_key(list(rows), {"tuning": {"epochs": 1.0, "seed": 0}})
    others = bench.run_key(rows[::-1], settings), bench.run_key(rows, {"tuning": {"seed": 1, "epochs": 1.0}})
    assert len({bench.run_key(rows, settings), *others}) == 3


def test_the_time_left_follows_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(work.time, "monotonic", lambda: now[0])
    said: list[str] = []
    clock = Clock(said.append)
    clock.plan({"one": 100.0, "two": 300.0, "three": 50.0})
    clock.skip("three")
    assert clock.left == 400
    with clock.piece("one"):
        now[0] += 250
    assert clock.left == 750 and "about 7 minutes left" in said[1]


def test_what_a_run_follows_from_is_in_its_key(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(base, tmp_path, tmp_path)
    before = bench.run_key([("a", "b")], {})
    monkeypatch.setattr(work, "code", lambda: "later")
    assert bench.run_key([("a", "b")], {}) != before


def test_the_desk_keeps_its_turns() -> None:
    talks = system.desk()
    rows = [json.loads(line)["messages"] for line in system.TRAIN.read_text(encoding="utf-8").splitlines()]
    assert sorted(len(one.turns) for one in talks) == sorted(map(len, rows))
    assert any(len(one.turns) > 3 for one in talks) and any(one.turns[0].role is Role.SYSTEM for one in talks)
