"""What tasks say: every model's scores by task, by further scorer and by category, with intervals."""

from __future__ import annotations

from pathlib import Path

from tutelage.evaluation.harness import HarnessResult
from tutelage.evaluation.reporting.content import Column, Forest, Part, Row, Section, Table, Tile, Value
from tutelage.evaluation.reporting.pictures import bars_of
from tutelage.evaluation.scorers import SCORERS
from tutelage.evaluation.scores import Asked, Evaluation, Scores


def scored(found: Evaluation, folder: Path) -> Section | None:
    """The scores of all models that were evaluated together, each task by itself.

    Args:
        folder: of the run that the report is on; its model is the one that stands out.
    """
    if not found.models or not found.tasks:
        return None
    ours = own(found, folder)
    parts, notes = list[Part](), list[str]()
    for number, task in enumerate(found.tasks, 1):
        forest = _forest(found, task, ours, f"scores-{number}")
        parts += [forest] if forest else []
        parts.append(_table(found, task, ours, f"scores-{number}"))
        if task.left_out:
            notes.append(f"{task.name}: {task.left_out:,} of {task.items:,} prompts do not fit every model.")
    parts.append(_ends(found, ours))
    if len(found.models) > 1:
        notes.append(f"Differences are to {found.models[0].model}, on the same prompts, paired.")
    lead = "Mean scores in points of 100 with their 95% intervals; every model in its own template, the same prompts."
    return Section("scores", "Scores", lead, tuple(parts), tuple(notes))


def own(found: Evaluation, folder: Path) -> Scores:
    """The run's own model; the last one where none bears its name."""
    place = folder.resolve()
    return next((one for one in found.models if Path(one.model).resolve() == place), found.models[-1])


def _lines(found: Evaluation, task: Asked) -> list[tuple[str, str | None, str]]:
    """The rows of a task: what each is called, its category and its scorer."""
    lines: list[tuple[str, str | None, str]] = [(f"all, by {task.scorer}", None, "")]
    lines += [
        (f"all, by {SCORERS[name].title if name in SCORERS else name}", None, name) for name in found.scorers(task.name)
    ]
    return lines + [(name or "without a category", name, "") for name in found.categories(task.name)]


def _table(found: Evaluation, task: Asked, ours: Scores, key: str) -> Table:
    first, *others = found.models
    columns = [Column("what", "prompts of"), Column("prompts", "prompts", "count")]
    columns += [Column(f"model-{n}", f"{one.model} ({one.format})", "score") for n, one in enumerate(found.models, 1)]
    columns += [
        Column(f"gain-{n}", f"{one.model}, less {first.model}", "signed score") for n, one in enumerate(others, 2)
    ]
    rows = []
    for name, category, scorer in _lines(found, task):
        values: list[Value] = [name, len(first.values(task.name, category, scorer))]
        values += [one.mean(task.name, category, scorer) for one in found.models]
        gains = {one.model: found.gain(one, task.name, category, scorer) for one in others}
        mark = ""
        if gain := gains.get(ours.model):
            mark = "better" if gain.low > 0 else "worse" if gain.high < 0 else ""
        rows.append(Row((*values, *gains.values()), mark))
    return Table(key, f"{task.name}: scores in points of 100", tuple(columns), tuple(rows))


def _forest(found: Evaluation, task: Asked, ours: Scores, key: str) -> Forest | None:
    """The categories of the run's own model; without categories, the models beside each other."""
    if named := found.categories(task.name):
        rows = [(name or "without a category", ours.mean(task.name, name), "ours") for name in named]
        about = f"{task.name}: the score of {ours.model} by category"
    elif len(found.models) > 1:
        rows = [(one.model, one.mean(task.name), "ours" if one is ours else "") for one in found.models]
        about = f"{task.name}: the score of each model"
    else:
        return None
    about += ", with 95% intervals; the numbers stand in the table below it."
    return Forest(key, about, "mean score (points of 100)", "score", bars_of(rows))


def _ends(found: Evaluation, ours: Scores) -> Table:
    columns = (
        Column("model", "model"),
        Column("stop_rate", "answers that end", "share"),
        Column("mean_tokens", "tokens written", "mean"),
        Column("loss", "held-out loss", "loss"),
        Column("seconds", "took", "seconds"),
    )
    rows = tuple(
        Row((one.model, one.stop_rate, one.mean_tokens, one.loss, one.seconds), "ours" if one is ours else "")
        for one in found.models
    )
    return Table("scores-ends", "How these answers end", columns, rows)


def scored_tiles(found: Evaluation, folder: Path) -> list[Tile]:
    """The score of the first task at a glance."""
    if not found.models or not found.tasks:
        return []
    task = found.tasks[0]
    mean = own(found, folder).mean(task.name)
    return [Tile("score", f"points of 100 in {task.name}", mean.value, "score", f"{mean.count:,} prompts")]


def harnessed(found: HarnessResult) -> Section | None:
    """What lm-evaluation-harness's tasks gave, each metric as the harness names it."""
    if not found.scores:
        return None
    columns = (
        Column("task", "task"),
        Column("metric", "metric"),
        Column("value", "value", "loss"),
        Column("prompts", "prompts", "count"),
        Column("shots", "examples before each", "count"),
        Column("better", "better is"),
    )
    rows = tuple(
        Row((one.task, one.metric, one.interval, one.interval.count, one.shots, one.better)) for one in found.scores
    )
    shown = f"in the template {found.template}" if found.template else "as plain text"
    lead = f"Measured with lm-evaluation-harness {found.version}, {shown}."
    return Section(
        "harness", "Tasks of lm-evaluation-harness", lead, (Table("harness", "", columns, rows),), found.notes
    )
