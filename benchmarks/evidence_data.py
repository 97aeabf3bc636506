"""What the evidence page tunes and tests on: tasks of Super-NaturalInstructions by category, and rows of dolly.

Which categories are tested on is written down here, before anything is measured. They have no sibling among the
categories that are tuned on: `Word Semantics` and `Text Categorization`, say, are both odd-man-out, so they stay
together. Settings are chosen on the training side's own categories (TRIED), never on the tested ones.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tutelage.data.reading import read
from tutelage.evaluation.supernatural import Instance, supernatural
from tutelage.evaluation.tasks import Item
from tutelage.recipe import DataSettings
from tutelage.records import Example, Role, Turn

TESTED = (
    "Sentiment Analysis",
    "Paraphrasing",
    "Summarization",
    "Text Matching",
    "Explanation",
    "Grammar Error Detection",
)
"""Categories that nothing is tuned on and nothing is chosen on: six tasks of one word, four of whole sentences."""
TRIED = ("Question Generation", "Word Semantics", "Text Categorization", "Commonsense Classification")
"""Categories of the training side on which settings are chosen; then they are tuned on like the others."""
NAMED = {"task074": "Question Generation"}
"""The one task for which the set's index names no category."""
LONGEST_TRAINED, LONGEST_ASKED = 300, 450
"""Words and marks (about tokens) of prompt and answer together: many short instances instead of few long ones."""
WORDY = 3
"""A task whose median answer has more words is one of sentences."""
DOLLY_TRAIN = 6500
"""Rows of dolly before this one are to tune on, the others are its dev part."""
DOLLY_WORDS = 60
"""A dolly answer that is longer is not asked for: ROUGE-L says little of essays."""

Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class Source:
    """A task file: its instances as the product reads them, beside the raw inputs and positive examples."""

    name: str
    category: str
    path: Path
    definition: str
    inputs: tuple[str, ...]
    instances: tuple[Instance, ...]
    examples: tuple[tuple[str, str], ...]

    @property
    def wordy(self) -> bool:
        """Whether its answers are sentences rather than words."""
        return median(len(one.references[0].split()) for one in self.instances) > WORDY

    def rows(self) -> Rows:
        """Prompt and answer of every instance."""
        return [(one.turns[-1].text, one.references[0]) for one in self.instances]


def sources(data: Path) -> list[Source]:
    """Every task of the set, by name, with the category that the set's index gives it."""
    index = json.loads((data / "superni" / "index.json").read_text(encoding="utf-8"))
    categories = {row["task"]: row["category"] for row in index}
    return [_source(path, categories[path.stem]) for path in sorted((data / "superni" / "tasks").glob("*.json"))]


def _source(path: Path, category: str | None) -> Source:
    raw = json.loads(path.read_text(encoding="utf-8"))
    name, instances = supernatural(path)
    given = raw["Definition"]
    shown = raw.get("Positive Examples")
    if shown is None:
        shown = raw.get("Examples", {}).get("Positive Examples")
    pairs = [(one["input"], _first(one["output"])) for one in shown or () if isinstance(one, Mapping)]
    return Source(
        name,
        category or NAMED.get(name.split("_")[0], "none"),
        path,
        "\n".join(given) if isinstance(given, list) else given,
        tuple(str(one["input"]) for one in raw["Instances"]),
        instances,
        tuple(pairs),
    )


def _first(output: Any) -> str:
    return str(output[0] if isinstance(output, list) else output)


def parted(found: Sequence[Source]) -> tuple[list[Source], list[Source]]:
    """The tasks to tune on, and those of the tested categories."""
    train = [one for one in found if one.category not in TESTED]
    test = [one for one in found if one.category in TESTED]
    assert not {one.category for one in train} & {one.category for one in test}
    return train, test


def nested(train: Sequence[Source], count: int, seed: int) -> list[Source]:
    """So many tasks by lot; those of a smaller count are among those of a larger one, and every other is of sentences.

    Without that, five tasks are all of one word every other time.
    """
    drawn = random.Random(f"tasks {seed}").sample(list(train), len(train))
    wordy, short = [one for one in drawn if one.wordy], [one for one in drawn if not one.wordy]
    mixed = [one for pair in zip(wordy, short, strict=False) for one in pair]
    return [*mixed, *(one for one in drawn if one not in mixed)][:count]


def drawn(tasks: Sequence[Source], tokens: int, seed: int, count: Callable[[str, str], int]) -> tuple[Rows, int]:
    """Prompts and answers of at most so many tokens, and how many tokens they have.

    Tasks of one word and those of sentences take turns, so that there are as many long answers as short ones; a model
    that sees mostly words answers everything in one. Among each kind it is the turn of the task that has had the
    fewest tokens: many tasks, and more instances of those whose definition is short.
    """
    order = random.Random(f"instances {seed}")
    queues = {one.name: order.sample(one.rows(), len(one.instances)) for one in tasks}
    kinds = [[one.name for one in tasks if one.wordy is wordy] for wordy in (True, False)]
    for names in kinds:
        order.shuffle(names)
    had = dict.fromkeys(queues, 0)
    rows: Rows = []
    spent = 0
    while any(kinds):
        for names in kinds:
            if not names:
                continue
            name = min(names, key=had.__getitem__)
            row = _next(queues[name], count)
            if row is None:
                names.remove(name)
                continue
            length = count(*row)
            if spent + length > tokens:
                return rows, spent
            rows.append(row)
            had[name] += length
            spent += length
    return rows, spent


def _next(queue: Rows, count: Callable[[str, str], int]) -> tuple[str, str] | None:
    """The next instance that is short enough; None where there is none left."""
    while queue:
        row = queue.pop()
        if count(*row) <= LONGEST_TRAINED:
            return row
    return None


@dataclass(frozen=True)
class Asked:
    """One test prompt in the ways in which it is asked.

    Attributes:
        item: prompt (definition and input) and references, for the scorer.
        alone: the input without the definition.
        shots: two solved examples as turns before the input.
        inside: the same examples written into the prompt, as Super-NaturalInstructions has them.
    """

    item: Item
    alone: tuple[Turn, ...]
    shots: tuple[Turn, ...]
    inside: tuple[Turn, ...]
    task: str


def asked(tasks: Sequence[Source], items: int, count: Callable[[str, str], int], folder: Path) -> list[Asked]:
    """So many instances of each task, drawn once and for all seeds; the product reads them from a file.

    The two examples are the task's own; a task that has fewer lends two instances that are not asked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [one for task in tasks for one in _asked(task, items, count, folder)]


def _asked(task: Source, items: int, count: Callable[[str, str], int], folder: Path) -> list[Asked]:
    order = random.Random(f"asked {task.name}").sample(range(len(task.instances)), len(task.instances))
    rows = task.rows()
    fit = [place for place in order if count(*rows[place]) <= LONGEST_ASKED]
    chosen = fit[: min(items, max(1, len(fit) - 2))]
    if not chosen:
        return []  # every instance is too long for this model's tokenizer
    lent = [(task.inputs[place], rows[place][1]) for place in fit if place not in chosen]
    pairs = (task.examples if len(task.examples) >= 2 else lent)[:2]
    content = {
        "task": task.name,
        "Definition": task.definition,
        "Categories": [task.category],
        "Positive Examples": [{"input": given, "output": output} for given, output in pairs],
        "Instances": [{"input": task.inputs[at], "output": list(task.instances[at].references)} for at in chosen],
    }
    path = folder / f"{task.name}.json"
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    plain, inside = supernatural(path)[1], supernatural(path, 2)[1]
    made = []
    for at, bare, full in zip(chosen, plain, inside, strict=True):
        item = Item(f"{task.name}/{at}", bare.turns, bare.references, task.category, ("rouge_l",))
        shots = [
            Turn(role, text)
            for given, output in pairs
            for role, text in ((Role.USER, f"{task.definition}\n\n{given}"), (Role.ASSISTANT, output))
        ]
        alone = (Turn(Role.USER, task.inputs[at]),)
        made.append(Asked(item, alone, (*shots, *bare.turns), full.turns, task.name))
    return made


def dolly(data: Path) -> tuple[list[Example], list[Example]]:
    """Dolly's conversations to tune on and those of its dev part, as the product reads them."""
    found = read(DataSettings(files=(str(data / "dolly" / "dolly_subset_7k.jsonl"),))).examples
    train = [one for one in found if one.source.rows[0] <= DOLLY_TRAIN]
    return train, [one for one in found if one.source.rows[0] > DOLLY_TRAIN]


def asked_of_dolly(data: Path, items: int, count: Callable[[str, str], int]) -> list[Asked]:
    """So many prompts of dolly's dev part with answers of up to DOLLY_WORDS words; examples are of the rest."""
    train, dev = dolly(data)
    pairs = [one for one in random.Random("dolly's examples").sample(train, min(64, len(train))) if _short(one, count)]
    shots = tuple(turn for one in pairs[:2] for turn in one.conversation.turns)
    fit = [one for one in dev if _short(one, count)]
    made = []
    for one in random.Random("dolly's dev").sample(fit, min(items, len(fit))):
        prompt = one.conversation.prompt
        item = Item(f"dolly/{one.id}", prompt, (one.conversation.answer,), "dolly-dev", ("rouge_l",))
        made.append(Asked(item, prompt, (*shots, *prompt), (*shots, *prompt), "dolly-dev"))
    return made


def _short(one: Example, count: Callable[[str, str], int]) -> bool:
    asked_for, answer = one.conversation.prompt[-1].text, one.conversation.answer
    return len(answer.split()) <= DOLLY_WORDS and count(asked_for, answer) <= LONGEST_ASKED
