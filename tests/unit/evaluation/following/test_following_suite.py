"""The suite that comes with Tutelage: what it is made of, and that every prompt of it can be passed and failed."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tutelage.errors import DataError
from tutelage.evaluation.following.checks import CHECKS
from tutelage.evaluation.following.suite import DISTRACTIONS, FILE, Instruction, read_suite, suite, suite_task
from tutelage.evaluation.scorers import SCORERS
from tutelage.evaluation.tasks import read_tasks
from tutelage.records import Role

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
CATEGORIES = {
    "language",
    "json",
    "lists",
    "length",
    "words",
    "start and end",
    "case",
    "persona",
    "not knowing",
    "order",
    "secret",
    "several at once",
}
ANSWERS: dict[str, dict[str, list[str]]] = {
    row["id"]: row for row in map(json.loads, (HERE / "answers.jsonl").read_text(encoding="utf-8").splitlines())
}
"""For each prompt answers that pass and answers that fail, by its id."""


@pytest.mark.parametrize("one", suite(), ids=lambda one: one.prompt.id)
def test_every_prompt_can_be_passed_and_failed(one: Instruction) -> None:
    given = ANSWERS[one.prompt.id]
    assert given["passes"] and given["fails"]
    assert {answer: one.failures(answer) for answer in given["passes"]} == dict.fromkeys(given["passes"], ())
    assert [answer for answer in given["fails"] if not one.failures(answer)] == []


def test_nothing_answers_the_suite_without_reading_it() -> None:
    """No answer, and no one answer for all; every prompt's own text given back keeps few."""
    assert set(ANSWERS) == {one.prompt.id for one in suite()}
    for same in ("", " \n", "!", "I don't know.", "Yes.", "I am sorry, but I can't help with that.", "{}", "- a\n- b"):
        kept = sum(not one.failures(same) for one in suite())
        assert kept <= (0.15 * len(suite()) if words_in(same) else 0), same
    echoes = sum(not one.failures(one.prompt.turns[-1].text) for one in suite())
    assert echoes < 0.15 * len(suite())


def words_in(text: str) -> bool:
    """Whether anything is said."""
    return any(map(str.isalnum, text))


def test_answers_of_other_prompts_pass_few() -> None:
    """The first answer that passes each prompt, tried on all the others: what is asked for tells them apart."""
    said = [ANSWERS[one.prompt.id]["passes"][0] for one in suite()][::8]
    kept = sum(not one.failures(answer) for one in suite() for answer in said)
    assert kept < 0.1 * len(suite()) * len(said)


def test_what_it_is_made_of() -> None:
    counts = Counter(one.category for one in suite())
    assert len(suite()) >= 160 and set(counts) == CATEGORIES and min(counts.values()) >= 8
    assert sum(one.place == "system" for one in suite()) >= 0.4 * len(suite())
    assert sum(bool(one.distraction) for one in suite()) >= 0.3 * len(suite())
    assert {one.distraction for one in suite()} == set(DISTRACTIONS)
    for place in ("system", "user"):
        assert {one.category for one in suite() if one.place == place} == CATEGORIES
    assert {check.name for one in suite() for check in one.checks} == set(CHECKS)
    assert len({tuple(turn.text for turn in one.prompt.turns) for one in suite()}) == len(suite())
    assert all(len(one.checks) > 1 for one in suite() if one.category == "several at once")


def test_distractions_are_what_they_say() -> None:
    for one in suite():
        said = [turn.text for turn in one.prompt.turns if turn.role is not Role.SYSTEM]
        assert (len(said) > 1) == (one.distraction == "history"), one.prompt.id
        assert (len(said[-1]) > 350) == (one.distraction == "long text"), one.prompt.id
        if one.distraction == "later wish":
            assert one.place == "system", one.prompt.id


def test_it_is_a_task_file_and_comes_with_the_package() -> None:
    (task,) = read_tasks(FILE)
    assert task == suite_task() and task.name == "following" and len(task.items) == len(suite())
    for item, one in zip(task.items, suite(), strict=True):
        assert (item.prompt, item.category, item.checks) == (one.prompt, one.category, one.checks)
        answer = ANSWERS[item.id]["fails"][0]
        scored = SCORERS["instructions"].score(answer, item)
        assert (scored.value, scored.reason) == (0.0, "; ".join(one.failures(answer)))
    resource = files("tutelage.evaluation.following") / "suite.jsonl"
    assert resource.read_bytes() == FILE.read_bytes()
    # a wheel holds what these patterns name; an editable install shows everything
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["tutelage"]
    assert any(FILE in (ROOT / "src" / "tutelage").glob(pattern) for pattern in patterns)


def line(**changes: Any) -> str:
    """A line of a suite."""
    row = {
        "id": "a",
        "category": "case",
        "scorer": "instructions",
        "prompt": "Shout!",
        "checks": [{"name": "uppercase"}],
    }
    return json.dumps({**row, **changes}) + "\n"


def test_a_suite_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(line(system="No commas.", distraction="history") + line(id="b"), encoding="utf-8")
    first, second = read_suite(path)
    assert (first.place, first.distraction, second.place, second.distraction) == ("system", "history", "user", "")
    assert first.failures("NO") == () and first.failures("no") != ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (line(distraction="noise"), "line 1: distraction is one of long text, quoted instruction"),
        (line(distraction=["history"]), "line 1: distraction is one of"),
        (line(scorer="exact", references="A"), "the item a is scored by exact, not by instructions"),
        (line(checks=[{"name": "loud"}]), "line 1: there is no check “loud”"),
        (line() + line(), "line 2: the id a stands twice"),
        ("", "no items"),
    ],
)
def test_a_wrong_suite_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        read_suite(path)
