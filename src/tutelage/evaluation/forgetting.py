"""Asks a model before tuning, and what came of it, everything that can be forgotten; writes `retention.json`."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from rich.table import Table
from rich.text import Text

from tutelage.errors import ModelError, TemplateError, UsageError
from tutelage.evaluation.answers import Answer, context_length
from tutelage.evaluation.cellar import answered
from tutelage.evaluation.changes import retention
from tutelage.evaluation.contenders import Contender
from tutelage.evaluation.following.suite import suite
from tutelage.evaluation.opponents import at_its_best, base_of
from tutelage.evaluation.plaintext import PlainText, plain_texts, text_losses, windows
from tutelage.evaluation.progress import Progress, counting
from tutelage.evaluation.refusals import over_refusal, refusal
from tutelage.evaluation.retention import DECLINED, FOLLOWING, HARMLESS, MINUS, Reply, Retention, Side
from tutelage.model.load import Located, locate, located_hash
from tutelage.recipe import Recipe
from tutelage.records import Prompt
from tutelage.text.encode import Encoder
from tutelage.tuning.run import Run, is_run, write_text

FILE = "retention.json"
T = TypeVar("T")
ROOM = 32
"""Tokens that a prompt has to leave for its answer, or it is not asked."""


@dataclass(frozen=True)
class Question:
    """A prompt with what its answer is judged by.

    Attributes:
        part, category, place, distraction: as in `Reply`.
        faults: what is wrong with an answer, in words; () where it is as it should be.
    """

    part: str
    category: str
    prompt: Prompt
    faults: Callable[[str], Sequence[str]]
    place: str = ""
    distraction: str = ""

    def reply(self, answer: Answer) -> Reply:
        """The answer, judged."""
        faults = self.faults(answer.answer)
        reason = "; ".join(faults)
        return Reply(self.part, self.category, answer, float(not faults), reason, self.place, self.distraction)


@dataclass(frozen=True)
class Asked:
    """What is measured: questions, and texts whose loss is."""

    questions: tuple[Question, ...]
    texts: tuple[PlainText, ...]


@dataclass(frozen=True)
class Work:
    """What both models are asked, and how.

    Attributes:
        recipe: device, precision, threads and decoding.
    """

    asked: Asked
    recipe: Recipe
    say: Callable[[str], None]
    progress: Progress | None = None


def everything(most: int = 0) -> Asked:
    """The instruction suite, the harmless prompts and those to be declined, and the plain texts.

    Args:
        most: of the suite only so many prompts, spread evenly over it, and of the others as large a share; 0: all.
    """
    made = [Question(FOLLOWING, one.category, one.prompt, one.failures, one.place, one.distraction) for one in suite()]
    share = min(1.0, most / len(made)) if most else 1.0
    others = [
        Question(HARMLESS, one.category, one.prompt, _not_answered)
        if one.harmless
        else Question(DECLINED, one.category, one.prompt, _not_declined)
        for one in over_refusal()
    ]
    return Asked((*_spread(made, share), *_spread(others, share)), tuple(_spread(plain_texts(), share)))


def _spread(items: Sequence[T], share: float) -> list[T]:
    count = math.ceil(len(items) * share)
    return [items[place * len(items) // count] for place in range(count)]


def _not_answered(answer: str) -> tuple[str, ...]:
    if not answer.strip():
        return ("the answer is blank",)
    found = refusal(answer)
    return (f"refuses: {found}",) if found else ()


def _not_declined(answer: str) -> tuple[str, ...]:
    return () if refusal(answer) else ("does not refuse",)


def forgotten(
    models: Sequence[str],
    before: str,
    recipe: Recipe,
    say: Callable[[str], None],
    progress: Progress | None = None,
    asked: Asked | None = None,
) -> tuple[Retention, ...]:
    """What each model lost, or kept, of what it could before it was tuned.

    Writes `retention.json` into the folder of each that is a run. One model is in memory at a time, and one that
    several are compared with is asked once.

    Args:
        models: runs, or other models; these only together with `before`.
        before: the model before tuning; "": each run's base.
        recipe: device, precision, threads and decoding.
        asked: None: `everything()`.

    Raises:
        UsageError: it is not known what a model was before.
        ModelError: a model cannot be loaded.
        DataError: no prompt fits into both models.
    """
    work = Work(asked or everything(), recipe, say, progress)
    pairs = [_pair(model, before, say) for model in models]
    found, sides = [], dict[str, Side]()
    for name, (after, first, run) in zip(models, pairs, strict=True):
        key = f"{located_hash(first)} {first.template or (run.manifest().template if run else '')}"
        if key not in sides:
            sides[key] = _side(first, work, run)
        told = retention(sides[key], replace(_side(after, work, run), model=name))
        if run:
            write_text(run.folder / FILE, told.to_json())
        found.append(told)
    return tuple(found)


def _pair(model: str, before: str, say: Callable[[str], None]) -> tuple[Located, Located, Run | None]:
    """The model, the one that it is compared with, and its run where it is one."""
    run = Run(Path(model)) if is_run(Path(model)) else None
    if not before and run is None:
        raise UsageError(f"{model} is no run, so it is not known what it was before; name that model with --before")
    after = locate(model, say)
    try:
        return after, locate(before, say) if before or run is None else base_of(run, say), run
    except ModelError as error:
        raise ModelError(f"what {model} was before cannot be asked: {error}") from error


def _side(located: Located, work: Work, run: Run | None) -> Side:
    """One model, loaded, asked and freed; run: on what it holds out, a format is chosen."""
    model = at_its_best(located, work.recipe, work.say, run)
    side = measured(model, work)
    del model
    gc.collect()
    work.say(f"{located.name}, shown as {side.format}: {side.rates.in_words()}")
    return side


def measured(model: Contender, work: Work) -> Side:
    """A model's replies to all questions that fit into it, and its losses of the texts."""
    network, encoder, todo, progress = model.network, model.encoder, work.asked, work.progress
    fit = [one for one in todo.questions if _fits(network, encoder, one.prompt)]
    writing = counting(progress, f"{model.name}: writing answers", len(fit))
    ask = model.ask([one.prompt for one in fit])
    answers = answered(model.weights, network, [ask], work.recipe.decoding, writing, cut_loops=True)[0]
    replies = tuple(one.reply(answer) for one, answer in zip(fit, answers, strict=True))
    parts = sum(len(windows(encoder.plain(text.text), 1, context_length(network))) for text in todo.texts)
    reading = counting(progress, f"{model.name}: reading plain text", parts)
    losses = text_losses(network, encoder, model.proof, todo.texts, reading)
    return Side(model.model, encoder.template.name, replies, losses)


def _fits(network: Any, encoder: Encoder, prompt: Prompt) -> bool:
    most = context_length(network)
    try:
        length = len(encoder.prompt(prompt.turns))
    except TemplateError:
        return False
    return most is None or length + ROOM <= most


def table(found: Retention) -> Table:
    """Every number before and after, and the difference with its interval."""
    made = Table(header_style="bold", caption="shares in points of 100; plain text in bits per byte, less is better")
    made.add_column("")
    for heading in ("before", "after", "difference", "95% interval", "of"):
        made.add_column(heading, justify="right")
    made.add_column("")
    part = ""
    for one in found.changes:
        head = one.part != part
        if head and part:
            made.add_section()
        part = one.part
        style = {"lost": "red", "gained": "green"}.get(one.word, "")
        ends = f"{_number(one.difference.low, one.unit, '+')} to {_number(one.difference.high, one.unit, '+')}"
        name = one.name if head or part in ("answers", "refusals") else f"  {one.name}"
        made.add_row(
            Text(name, style="bold" if head and part in ("following", "text") else ""),
            _number(one.before, one.unit),
            _number(one.after, one.unit),
            Text(_number(one.difference.value, one.unit, "+"), style=style),
            ends,
            f"{one.difference.count:,}",
            Text(one.word, style=style),
        )
    return made


def _number(value: float, unit: str, sign: str = "") -> str:
    if not math.isfinite(value):
        return "–"
    shown = {"share": f"{100 * value:{sign}.1f}", "bits": f"{value:{sign}.3f}", "tokens": f"{value:{sign}.1f}"}[unit]
    return shown.replace("-", MINUS)
