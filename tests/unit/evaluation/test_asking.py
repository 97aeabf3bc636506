"""What is asked and measured: fixed before any answer is seen, and never what one of the runs was tuned on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from made import examples_of, talk

from tutelage.errors import DataError, UsageError
from tutelage.evaluation.answers import Answer
from tutelage.evaluation.asking import (
    SYSTEM,
    Graded,
    as_used,
    asking,
    from_file,
    graded,
    halves,
    held_by_all,
    written,
)
from tutelage.evaluation.results import Asked
from tutelage.evaluation.scorers import Scored
from tutelage.evaluation.tasks import read_tasks
from tutelage.evaluation.verdict import LOSS, Metric
from tutelage.recipe import CompareSettings
from tutelage.records import Example
from tutelage.tuning.run import Run

MANY = examples_of([talk(f"Question {number}?", f"Answer {number}.") for number in range(40)])


def held(folder: Path, examples: tuple[Example, ...]) -> Run:
    """A run of which nothing but the hold-out is there."""
    folder.mkdir()
    run = Run(folder)
    run.write_held_out(examples)
    return run


def test_the_halves_are_apart_and_follow_from_the_ids() -> None:
    choosing, measured, note = halves(MANY)
    assert (len(choosing), len(measured)) == (20, 20)
    assert {one.id for one in choosing} | {one.id for one in measured} == {one.id for one in MANY}
    assert [one for one in MANY if one in measured] == list(measured)
    again, _, _ = halves(MANY[::-1])
    assert {one.id for one in again} == {one.id for one in choosing}
    assert "20 held-out conversations, the loss is of the other 20" in note


def test_most_of_a_large_hold_out_is_measured() -> None:
    large = [replace(MANY[0], id=str(number)) for number in range(300)]
    choosing, measured, _ = halves(large)
    assert (len(choosing), len(measured)) == (64, 236)


def test_a_tiny_hold_out_serves_for_both_and_it_is_said() -> None:
    choosing, measured, note = halves(MANY[:11])
    assert choosing == measured == MANY[:11] and "too small to be halved" in note
    assert halves(()) == ((), (), "")


def test_only_what_every_run_holds_out_is_measured(tmp_path: Path) -> None:
    one, other = held(tmp_path / "a", MANY[:30]), held(tmp_path / "b", MANY[10:])
    assert [example.id for example in held_by_all([one, other])] == [example.id for example in MANY[10:30]]
    strange = held(tmp_path / "c", MANY[30:])
    with pytest.raises(DataError, match="hold no conversation out together"):
        held_by_all([one, strange])
    assert held_by_all([one, strange], needed=False) == ()


def test_the_measured_half_is_asked_first(tmp_path: Path) -> None:
    run = held(tmp_path / "a", MANY)
    found = asking([run], None, [], CompareSettings(prompts=25))
    _, measured, _ = halves(MANY)
    assert found.metric is LOSS and [one.id for one in found.prompts[:20]] == [one.id for one in measured]
    assert len({one.id for one in found.prompts}) == 25 and found.prompts[0].reference is not None
    assert found.scored(()) == ()


def test_nothing_to_ask(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--prompts"):
        asking([Run(tmp_path)], None, [], CompareSettings())
    with pytest.raises(UsageError, match="name one of them"):
        asking([Run(tmp_path)], tmp_path / "a", [task(3)], CompareSettings())


def task(count: int, name: str = "length", reference: str | None = "ab") -> Graded:
    """A task whose score is an answer's length in tenths."""
    asked = tuple(Asked(str(place), talk(f"{name} {place}"), reference) for place in range(count))
    return Graded(name, asked, lambda place, answer: Scored(len(answer) / 10, f"{name} {place}"))


def answers(texts: list[str]) -> list[Answer]:
    return [Answer("", text, True, 1) for text in texts]


def test_a_task_decides_by_its_scorer(tmp_path: Path) -> None:
    found = asking([held(tmp_path / "a", MANY)], None, [task(3)], CompareSettings(prompts=1))
    assert found.metric == Metric("length", True) and [one.id for one in found.prompts] == ["0", "1", "2"]
    assert (len(found.choosing), len(found.measured)) == (20, 20)
    assert found.scored(answers(["a", "", "abc"])) == [
        Scored(0.1, "length 0"),
        Scored(0, "length 1"),
        Scored(0.3, "length 2"),
    ]


def test_a_file_of_tasks_is_scored_by_the_scorer_of_each_item(tmp_path: Path) -> None:
    path = tmp_path / "capitals.jsonl"
    rows = [
        {"id": "n", "prompt": "Norway?", "references": ["Oslo"], "scorer": "exact", "category": "north"},
        {"id": "d", "prompt": "Two digits?", "references": ["^[0-9]{2}$"], "scorer": "regex"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = graded(read_tasks(path)[0])
    north, digits = made.prompts
    assert (north.reference, north.category, digits.reference) == ("Oslo", "north", None)
    values = [made.score(place, text).value for place, text in ((0, "Oslo"), (0, "42"), (1, "42"), (1, "Oslo"))]
    assert values == [1, 0, 1, 0] and made.name.endswith(" of capitals")


def test_several_tasks_keep_their_prompts_apart(tmp_path: Path) -> None:
    found = asking([held(tmp_path / "a", MANY)], None, [task(2), task(1, "width")], CompareSettings())
    assert [one.id for one in found.prompts] == ["length: 0", "length: 1", "width: 0"]
    assert found.metric.name == "the mean score of 2 tasks (length, width)"
    assert [one.reason for one in found.scored(answers(["", "", ""]))] == ["length 0", "length 1", "width 0"]


def test_without_a_hold_out_half_of_the_tasks_prompts_choose_the_format(tmp_path: Path) -> None:
    found = asking([held(tmp_path / "a", ())], None, [task(30)], CompareSettings())
    chosen, scored = {one.id for one in found.choosing}, [one.id for one in found.prompts]
    assert (len(chosen), len(scored), chosen & set(scored)) == (15, 15, set()) and found.measured == ()
    reasons = [one.reason for one in found.scored(answers([""] * 15))]
    assert reasons == [f"length {name}" for name in scored]
    assert "15 prompts of the tasks, the scores are of the other 15" in found.notes[0]
    bare = asking([held(tmp_path / "b", ())], None, [task(30, reference=None)], CompareSettings())
    assert (len(bare.prompts), bare.choosing) == (30, ()) and "plain text" in bare.notes[0]
    with pytest.raises(DataError, match="no prompts"):
        asking([held(tmp_path / "c", MANY)], None, [task(0)], CompareSettings())


def test_prompts_get_the_system_text_that_the_run_is_used_with(tmp_path: Path) -> None:
    shared = examples_of([talk("a", "b", system="Be brief."), talk("c", "d", system="Be brief.")])
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"id": "x", "prompt": "Hi"}\n')
    assert from_file(path, shared)[0].turns == talk("Hi", system="Be brief.")
    assert from_file(path, MANY)[0].turns == talk("Hi")
    own = Asked("y", talk("Hi", system="Mine."))
    assert as_used([own], shared) == (own,)


def test_the_written_system_prompt(tmp_path: Path) -> None:
    named = tmp_path / "system.txt"
    named.write_text("\ufeff Be kind.\n")
    assert written(None, CompareSettings()) == SYSTEM
    assert written(None, CompareSettings(system=str(named))) == written(named, CompareSettings()) == "Be kind."
