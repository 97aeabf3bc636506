"""evaluate(models, tasks): every model answers every task's items in its own template, and each answer is scored."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tutelage.errors import DataError, TemplateError, UsageError
from tutelage.evaluation.answers import Answer, context_length
from tutelage.evaluation.asking import held_by_all
from tutelage.evaluation.cellar import answered
from tutelage.evaluation.contenders import Contender
from tutelage.evaluation.losses import Losses, on_the_same
from tutelage.evaluation.opponents import at_its_best
from tutelage.evaluation.progress import Progress, counting
from tutelage.evaluation.results import OTHER_TOKENS
from tutelage.evaluation.scorers import SCORERS
from tutelage.evaluation.scores import Asked, Evaluation, Score, Scores, in_points
from tutelage.evaluation.tasks import Item, Task
from tutelage.model.load import locate
from tutelage.pages import readable
from tutelage.recipe import Recipe
from tutelage.records import Example
from tutelage.tuning.run import Run, is_run, write_text

FILE = "evaluate.json"
ROOM = 16
"""Tokens that a prompt has to leave for its answer, or its item is left out."""


def evaluate(
    models: Sequence[str],
    tasks: Sequence[Task],
    recipe: Recipe,
    say: Callable[[str], None],
    progress: Progress | None = None,
    out: Path | None = None,
) -> Evaluation:
    """Ask every model everything, one model in memory at a time, and score what it says.

    Writes `evaluate.json` into the folder of each model that is a run.

    Args:
        recipe: device, precision, threads and decoding.
        out: another file to write the result to.

    Raises:
        UsageError: a model is named twice.
        ModelError: a model cannot be loaded.
        DataError: there are no items, or none fits every model.
    """
    if len(set(models)) < len(models):
        raise UsageError("a model is named twice; name each once")
    if not any(task.items for task in tasks):
        raise DataError("the tasks hold no prompts")
    located = [locate(name, say) for name in models]
    runs = [Run(Path(name)) for name in models if is_run(Path(name))]
    held = held_by_all(runs, needed=False) if runs else ()
    found = []
    for name, place in zip(models, located, strict=True):
        start = time.monotonic()
        run = next((one for one in runs if str(one.folder) == name), runs[0] if runs else None)
        model = replace(at_its_best(place, recipe, say, run), name=name)
        scored, losses = _asked(model, tasks, held, recipe, progress)
        found.append(Scores(name, model.encoder.template.name, scored, losses, round(time.monotonic() - start, 2)))
        del model
        gc.collect()
    made = _on_the_same_items(tasks, found)
    for path in [*(run.folder / FILE for run in runs), *([out] if out else [])]:
        _write(path, made)
    return made


def _write(path: Path, made: Evaluation) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, made.to_json())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _asked(
    model: Contender, tasks: Sequence[Task], held: Sequence[Example], recipe: Recipe, progress: Progress | None
) -> tuple[tuple[Score, ...], Losses]:
    """The scores of all items that fit the model, and its losses of the held-out conversations."""
    places = [(task, item) for task in tasks for item in task.items if fits(model, item)]
    writing = counting(progress, f"{model.name}: writing answers", len(places))
    ask = model.ask([item.prompt for _, item in places])
    answers = answered(model.weights, model.network, [ask], recipe.decoding, writing, cut_loops=True)[0]
    reading = counting(progress, f"{model.name}: reference answers", len(held))
    losses = model.losses(held, reading) if held else Losses(())
    return tuple(scored(task, item, one) for (task, item), one in zip(places, answers, strict=True)), losses


def fits(model: Contender, item: Item) -> bool:
    """Whether the template takes the prompt, and the model can read it and say something."""
    most = context_length(model.network)
    try:
        length = len(model.encoder.prompt(model.shown(item.turns)))
    except TemplateError:
        return False
    return most is None or length + ROOM <= most


def scored(task: Task, item: Item, answer: Answer) -> Score:
    """An answer by every scorer of its item."""
    first, *others = [(name, SCORERS[name].score(answer.answer, item)) for name in item.scorers]
    rest = tuple((name, one.value) for name, one in others)
    return Score(task.name, item.id, item.category, first[1].value, first[1].reason, answer, rest)


def _on_the_same_items(tasks: Sequence[Task], found: Sequence[Scores]) -> Evaluation:
    """Only what every model could be asked, so that means can be compared.

    Raises:
        DataError: nothing is left.
    """
    shared = set.intersection(*({(one.task, one.id) for one in model.scores} for model in found))
    if not shared:
        raise DataError("no prompt of the tasks fits every model; the longest a model reads is in its config")
    losses = on_the_same([model.losses for model in found])
    models = tuple(
        replace(model, scores=tuple(one for one in model.scores if (one.task, one.id) in shared), losses=own)
        for model, own in zip(found, losses, strict=True)
    )
    asked = [
        Asked(task.name, task.scorer, task.hash(), len(task.items), _missing(task, shared))
        for task in tasks
        if task.items
    ]
    return Evaluation(tuple(asked), models)


def _missing(task: Task, shared: set[tuple[str, str]]) -> int:
    return sum((task.name, item.id) not in shared for item in task.items)


def show(made: Evaluation, console: Console) -> None:
    """Print the table: a row for each task and category, and for how the answers end."""
    console.print(table(made))
    for task in made.tasks:
        if task.left_out:
            line = f"{_clean(task.name)}: {task.left_out} of {task.items:,} prompts are left out,"
            console.print(Text(f"{line} since they do not fit every model.", style="dim"))
    if len({tuple(one.tokens for one in model.losses.answers) for model in made.models}) > 1:
        console.print(Text(OTHER_TOKENS, style="dim"))
    if len(made.models) > 1:
        console.print(Text(f"Differences are to {_clean(made.models[0].model)}, on the same prompts.", style="dim"))


def table(made: Evaluation) -> Table:
    """The mean of every task, category and further scorer with its 95 % interval, for each model."""
    caption = "points of 100 with 95% intervals; held-out loss in nats per answer token"
    shown = Table(header_style="bold", caption=caption, caption_justify="left")
    shown.add_column("")
    shown.add_column("prompts", justify="right")
    for model in made.models:
        shown.add_column(Text(f"{_clean(model.model)}\n{_clean(model.format)}"), justify="right")
    for task in made.tasks:
        shown.add_row(Text(f"{_clean(task.name)}: {task.scorer}", style="bold"), *_row(made, task.name))
        for scorer in made.scorers(task.name):
            shown.add_row(Text(f"  {SCORERS[scorer].title}"), *_row(made, task.name, scorer=scorer))
        for category in made.categories(task.name):
            shown.add_row(Text(f"  {_clean(category) or 'without a category'}"), *_row(made, task.name, category))
        shown.add_section()
    count = f"{len(made.models[0].scores):,}"
    shown.add_row("answers that stop", count, *(f"{model.stop_rate:.0%}" for model in made.models))
    shown.add_row("tokens an answer", count, *(f"{model.mean_tokens:,.0f}" for model in made.models))
    if any(model.loss is not None for model in made.models):
        held = f"{max(len(model.losses.answers) for model in made.models):,}"
        losses = ("–" if model.loss is None else f"{model.loss:.3f}" for model in made.models)
        shown.add_row("held-out loss", held, *losses)
    return shown


def _row(made: Evaluation, task: str, category: str | None = None, scorer: str = "") -> list[str | Text]:
    cells: list[str | Text] = [f"{len(made.models[0].values(task, category, scorer)):,}"]
    for place, model in enumerate(made.models):
        cell = Text(in_points(model.mean(task, category, scorer)))
        if place:
            gain = made.gain(model, task, category, scorer)
            style = "green" if gain.low > 0 else "red" if gain.high < 0 else "dim"
            cell.append(f"\n{in_points(gain, '+')}", style=style)
        cells.append(cell)
    return cells


def _clean(text: str) -> str:
    return readable(text).strip()
