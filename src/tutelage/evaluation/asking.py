"""What every contender is asked and measured on, and by which number: all of it fixed before any answer is seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tutelage.data.reading import read_prompts
from tutelage.errors import DataError, UsageError
from tutelage.evaluation.answers import Answer
from tutelage.evaluation.contenders import FORMAT_MOST, with_system
from tutelage.evaluation.results import Asked
from tutelage.evaluation.scorers import SCORERS, Scored
from tutelage.evaluation.tasks import Task
from tutelage.evaluation.verdict import FEWEST, LOSS, Metric
from tutelage.recipe import CompareSettings
from tutelage.records import Conversation, Example, Role, Source, Turn
from tutelage.tuning.run import Run

SYSTEM = (
    "You are a helpful assistant. Do exactly what the user asks. Be correct, clear and complete, keep to the "
    "length and the form that are asked for, and write nothing but the answer."
)
"""The written system prompt where the user gives none."""


@dataclass(frozen=True, eq=False)
class Graded:
    """Prompts whose answers a scorer judges: what a task is made into.

    Attributes:
        name: what is measured, in words, as in "ROUGE-L of headlines".
        prompts: with their first reference, where there is one.
        score: of an answer to the prompt at a place.
    """

    name: str
    prompts: tuple[Asked, ...]
    score: Callable[[int, str], Scored]


@dataclass(frozen=True)
class Asking:
    """What is asked.

    Attributes:
        prompts: answered by every contender.
        choosing: conversations on which the base's format is chosen.
        measured: conversations whose reference answers' loss is measured.
        metric: what decides.
        notes: what a reader must know of how this came about.
        scorer: of the answers to all prompts, in order; None: nothing scores them.
    """

    prompts: tuple[Asked, ...]
    choosing: tuple[Example, ...]
    measured: tuple[Example, ...]
    metric: Metric
    notes: tuple[str, ...] = ()
    scorer: Callable[[Sequence[Answer]], Sequence[Scored]] | None = None

    def scored(self, answers: Sequence[Answer]) -> Sequence[Scored]:
        """What the scorer says of one contender's answers; nothing where there is none."""
        return self.scorer(answers) if self.scorer else ()


def asking(runs: Sequence[Run], prompts: Path | None, tasks: Sequence[Graded], settings: CompareSettings) -> Asking:
    """What the contenders are asked, and what decides: the tasks' scorers where there are tasks, else the loss.

    Args:
        prompts: a file of prompts to answer; None: the first held-out ones.
        tasks: what is asked instead.

    Raises:
        DataError: there is nothing to ask, or the runs hold nothing out together.
        UsageError: the file cannot be read, or both prompts and tasks are given.
    """
    if prompts is not None and tasks:
        raise UsageError("--prompts and --tasks both say what is asked; name one of them")
    held = held_by_all(runs, needed=not tasks)
    choosing, measured, note = halves(held)
    notes = (note,) if note else ()
    if tasks:
        return _of_tasks(tasks, held, Asking((), choosing, measured, LOSS, notes))
    if prompts is not None:
        return Asking(from_file(prompts, held), choosing, measured, LOSS, notes)
    if not held:
        raise DataError("this run holds no conversations out; name a file of prompts with --prompts")
    # The answers decide nothing here, so those of the other half may be looked at too where the first is short.
    first = [*measured, *(one for one in choosing if one not in measured)][: settings.prompts]
    asked = tuple(Asked(one.id, one.conversation.prompt, one.conversation.answer) for one in first)
    return Asking(asked, choosing, measured, LOSS, notes)


def graded(task: Task) -> Graded:
    """A task of a file, by the scorer of each item that decides."""

    def score(place: int, answer: str) -> Scored:
        item = task.items[place]
        return SCORERS[item.scorers[0]].score(answer, item)

    asked = []
    for item in task.items:
        answers = item.references if item.scorers[0] != "regex" else ()  # those are no answers, but patterns
        asked.append(Asked(item.id, item.turns, answers[0] if answers else None, item.category))
    return Graded(f"{task.scorer} of {task.name}", tuple(asked), score)


def _of_tasks(tasks: Sequence[Graded], held: Sequence[Example], plan: Asking) -> Asking:
    """The plan with the tasks' prompts; without a hold-out, half of them are kept for choosing the base's format."""
    asked = [
        (task, place, replace(one, id=f"{task.name}: {one.id}" if len(tasks) > 1 else one.id))
        for task in tasks
        for place, one in enumerate(task.prompts)
    ]
    if not asked:
        raise DataError("the tasks hold no prompts")
    if not held:
        examples = [_as_example(one) for _, _, one in asked if one.reference]
        choosing, _, _ = halves(examples)
        if len(choosing) < len(examples):
            chosen = {example.id for example in choosing}
            asked = [kept for kept in asked if kept[2].id not in chosen]
            note = f"The base's format is chosen on {len(choosing)} prompts of the tasks, the scores are of the other "
            plan = replace(plan, choosing=choosing, notes=(f"{note}{len(asked):,}.",))
        else:
            note = "The base is shown in plain text: there are no held-out conversations to choose its format on."
            plan = replace(plan, choosing=(), notes=(note,))
    names = ", ".join(task.name for task in tasks[:3]) + (", …" if len(tasks) > 3 else "")
    metric = Metric(names if len(tasks) == 1 else f"the mean score of {len(tasks)} tasks ({names})", True)
    prompts = as_used([one for _, _, one in asked], held)

    def score(answers: Sequence[Answer]) -> list[Scored]:
        return [task.score(place, given.answer) for (task, place, _), given in zip(asked, answers, strict=True)]

    return replace(plan, prompts=prompts, metric=metric, scorer=score)


def _as_example(asked: Asked) -> Example:
    turns = (*asked.turns, Turn(Role.ASSISTANT, asked.reference or ""))
    return Example(asked.id, Conversation(turns), Source("tasks", ()))


def held_by_all(runs: Sequence[Run], needed: bool = True) -> tuple[Example, ...]:
    """The conversations that every one of the runs holds out: what one of them was tuned on measures nothing.

    Args:
        needed: whether it is an error that there are none.

    Raises:
        DataError: each holds some out, but none is held out by all.
    """
    first, *others = [run.held_out() for run in runs]
    shared = set.intersection({one.id for one in first}, *({one.id for one in other} for other in others))
    if needed and first and not shared and any(others):
        raise DataError(
            "the runs hold no conversation out together, so there is none that measures them all; compare them on "
            "tasks with --tasks, or tune them with the same data.held_out"
        )
    return tuple(one for one in first if one.id in shared)


def halves(held: Sequence[Example]) -> tuple[tuple[Example, ...], tuple[Example, ...], str]:
    """Conversations to choose a format on, the others to measure on, and what to say of it.

    Which half a conversation is in follows from its id alone. Each half keeps its order.
    """
    if len(held) < 2 * FEWEST:
        note = (
            "The hold-out is too small to be halved: the base's format is chosen on the same "
            f"{len(held)} conversations that are measured, which favours the base a little."
        )
        return tuple(held), tuple(held), note if held else ""
    ranked = sorted(held, key=lambda one: hashlib.sha256(one.id.encode()).digest())
    chosen = {one.id for one in ranked[: min(len(held) // 2, FORMAT_MOST)]}
    choosing = tuple(one for one in held if one.id in chosen)
    measured = tuple(one for one in held if one.id not in chosen)
    note = f"The base's format is chosen on {len(choosing)} held-out conversations, the loss is of the other "
    return choosing, measured, f"{note}{len(measured):,}."


def from_file(prompts: Path, held: Sequence[Example]) -> tuple[Asked, ...]:
    """The prompts of a file; those without a system turn get the one that the run is used with, for everybody."""
    found = [Asked(prompt.id, prompt.turns) for prompt in read_prompts(prompts)]
    return as_used(found, held)


def as_used(asked: Sequence[Asked], held: Sequence[Example]) -> tuple[Asked, ...]:
    """Prompts with the system text that all the run's conversations begin with, where they share one.

    A model tuned with it is used with it: prompts that have no system turn get it, for everybody.
    """
    first = [example.conversation.turns[0] for example in held]
    texts = {turn.text if turn.role is Role.SYSTEM else "" for turn in first}
    usual = texts.pop() if len(texts) == 1 else ""
    given = [one.turns[0].role is Role.SYSTEM for one in asked]
    return tuple(
        one if own else replace(one, turns=with_system(one.turns, usual)) for one, own in zip(asked, given, strict=True)
    )


def written(system: Path | None, settings: CompareSettings) -> str:
    """The written system prompt.

    Raises:
        UsageError: the file cannot be read, or is blank.
    """
    path = system or (Path(settings.system) if settings.system else None)
    if path is None:
        return SYSTEM
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: the system prompt cannot be read: {error}") from error
    if not text:
        raise UsageError(f"{path}: this file is blank; write the system prompt into it")
    return text
