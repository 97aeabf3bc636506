"""An evaluation from models and tasks to its table and its file."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tutelage.errors import DataError, UsageError
from tutelage.evaluation import cellar
from tutelage.evaluation.answers import Answer, generate_together
from tutelage.evaluation.evaluate import FILE, _on_the_same_items, evaluate, scored, show
from tutelage.evaluation.intervals import score_difference, score_interval
from tutelage.evaluation.losses import AnswerLoss, Losses
from tutelage.evaluation.results import OTHER_TOKENS
from tutelage.evaluation.scorers import SCORERS
from tutelage.evaluation.scores import Evaluation, Scores
from tutelage.evaluation.tasks import Item, Task
from tutelage.recipe import Recipe, build
from tutelage.records import Example, Role, Turn
from tutelage.tuning.run import Run

RECIPE = build({"model": {"device": "cpu", "precision": "float32", "threads": 1}, "decoding": {"max_new_tokens": 12}})

# PEFT reads a name that transformers has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


@pytest.fixture
def tasks(examples: tuple[Example, ...]) -> list[Task]:
    """What the run knows by heart, in two categories; and one task with a prompt that no tiny model can read."""
    items = tuple(
        Item(
            str(place),
            one.conversation.prompt,
            (one.conversation.answer,),
            "even" if place % 2 else "odd",
            ("exact", "chrf"),
        )
        for place, one in enumerate(examples)
    )
    long = Item("long", (Turn(Role.USER, "word " * 600),), ("x",), "", ("contains",))
    short = Item("short", (Turn(Role.USER, "word"),), ("x",), "", ("contains",))
    return [Task("by heart", items), Task("of all lengths", (long, short))]


def ask(models: list[Any], tasks: list[Task], recipe: Recipe = RECIPE, **more: Any) -> Evaluation:
    return evaluate([str(one) for one in models], tasks, recipe, lambda line: None, **more)


def test_every_answer_is_scored_and_kept(base: Path, run: Run, tasks: list[Task], tmp_path: Path) -> None:
    told: dict[str, tuple[int, int]] = {}
    made = ask(
        [run.folder, base],
        tasks,
        progress=lambda what, done, of: told.update({what: (done, of)}),
        out=tmp_path / "new" / "scores.json",
    )
    tuned, plain = made.models
    assert [(one.name, one.items, one.left_out) for one in made.tasks] == [
        ("by heart", 12, 0),
        ("of all lengths", 2, 1),
    ]
    assert [(one.task, one.id) for one in tuned.scores] == [(one.task, one.id) for one in plain.scores]
    items = {(task.name, item.id): item for task in tasks for item in task.items}
    for one in (*tuned.scores, *plain.scores):
        item = items[one.task, one.id]
        assert (one.value, one.reason) == _pair(item.scorers[0], one.answer.answer, item)
        assert dict(one.others) == {name: _pair(name, one.answer.answer, item)[0] for name in item.scorers[1:]}
    assert all(done == of for done, of in told.values()) and len(told) == 4
    assert (run.folder / FILE).read_text() == (tmp_path / "new" / "scores.json").read_text() == made.to_json()
    assert Evaluation.from_json(made.to_json()) == made


def _pair(name: str, answer: str, item: Item) -> tuple[float, str]:
    scored = SCORERS[name].score(answer, item)
    return scored.value, scored.reason


def test_means_and_gains_are_those_of_the_values(base: Path, run: Run, tasks: list[Task]) -> None:
    made = ask([base, run.folder], tasks[:1])
    plain, tuned = made.models
    assert made.categories("by heart") == ["odd", "even"] and made.scorers("by heart") == ["chrf"]
    own = [one.value for one in tuned.scores]
    other = [one.value for one in plain.scores]
    assert tuned.mean("by heart") == score_interval(own)
    assert made.gain(tuned, "by heart") == score_difference(own, other)
    assert made.gain(tuned).value == pytest.approx(sum(own) / 12 - sum(other) / 12)
    assert tuned.mean("by heart", "even").count == 6
    assert sum(own) > sum(other)  # it has learned them by heart
    content = json.loads(made.to_json())["models"][1]["means"]["by heart"]
    assert content["gain over the first model"] == made.gain(tuned, "by heart").to_json()
    assert content["categories"]["odd"] == tuned.mean("by heart", "odd").to_json()


def test_the_held_out_loss_is_of_what_the_run_holds_out(base: Path, run: Run, tasks: list[Task]) -> None:
    alone, both = ask([run.folder], tasks[:1]), ask([run.folder, base], tasks[:1])
    held = {one.id for one in run.held_out()}
    assert {one.example for one in alone.models[0].losses.answers} == held
    assert alone.models[0].loss == both.models[0].loss
    assert both.models[1].loss is not None and both.models[0].loss is not None
    assert both.models[0].loss < both.models[1].loss
    assert ask([base], tasks[:1]).models[0].loss is None


def test_the_second_time_nothing_is_asked(
    run: Run, tasks: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cellar.SWITCH, str(tmp_path / "answers.sqlite"))
    first = ask([run.folder], tasks)
    monkeypatch.setattr(cellar, "generate_together", _never)
    second = ask([run.folder], tasks)
    assert [replace(one, seconds=0.0) for one in first.models] == [replace(one, seconds=0.0) for one in second.models]
    monkeypatch.setattr(cellar, "generate_together", generate_together)


def _never(*given: Any, **named: Any) -> Any:
    raise AssertionError("the model was asked")


def test_the_table_shows_every_number(base: Path, run: Run, tasks: list[Task]) -> None:
    hostile = Task("by \x1b[31mheart", tasks[0].items)
    made = ask([base, run.folder], [hostile, tasks[1]])
    console = Console(file=io.StringIO(), width=200)
    show(made, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in text
    for shown in (
        "exact match",
        "chrF",
        "odd",
        "even",
        "answers that stop",
        "held-out loss",
        "1 of 2 prompts are left",
    ):
        assert shown in text
    gain = made.gain(made.models[1], hostile.name)
    assert f"{100 * gain.value:+.1f}" in text and f"{made.models[1].loss:.3f}" in text


def test_what_cannot_be_evaluated_is_refused(base: Path, tasks: list[Task], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="named twice"):
        ask([base, base], tasks)
    with pytest.raises(DataError, match="no prompts"):
        ask([base], [])
    with pytest.raises(DataError, match="no prompt of the tasks fits"):
        ask([base], [Task("long", tasks[1].items[:1])])
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        ask([base], tasks[:1], out=tmp_path / "file" / "scores.json")
    with pytest.raises(UsageError, match="evaluate again"):
        Evaluation.from_json('{"tasks": []}')


def test_only_items_that_every_model_was_asked_are_compared(tasks: list[Task]) -> None:
    """One model could not read the second item, the other not the third; and they cut answers into other tokens."""
    every = [scored(tasks[0], item, Answer(item.id, "x", True, 1)) for item in tasks[0].items[:4]]
    losses = [Losses((AnswerLoss("a", 3.0, tokens, 0.1),)) for tokens in (3, 4)]
    models = [
        Scores("one", "plain", (every[0], *every[2:]), losses[0]),
        Scores("two", "plain", (*every[:2], every[3]), losses[1]),
    ]
    made = _on_the_same_items([Task("by heart", tasks[0].items[:4])], models)
    assert [[one.id for one in model.scores] for model in made.models] == [["0", "3"]] * 2
    assert made.tasks[0].left_out == 2
    console = Console(file=io.StringIO(), width=200)
    show(made, console)
    assert OTHER_TOKENS[:40] in console.file.getvalue()  # type: ignore[attr-defined]
