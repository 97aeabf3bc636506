"""compare(run, …): the tuned model beside its base at its best, on the same prompts, with a verdict."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from tutelage.data.reading import read_prompts
from tutelage.errors import DataError, ModelError, UsageError
from tutelage.evaluation import report
from tutelage.evaluation.answers import generate_together
from tutelage.evaluation.contenders import (
    FORMAT_MOST,
    Choice,
    Contender,
    candidates,
    format_pieces,
    in_best_format,
    with_system,
)
from tutelage.evaluation.losses import Losses, on_the_same
from tutelage.evaluation.results import Asked, Comparison, ContenderResult
from tutelage.evaluation.verdict import judge
from tutelage.model import machine
from tutelage.model.forward import prove
from tutelage.model.load import Loaded, Located, load, locate, located_hash
from tutelage.recipe import CompareSettings, DecodingSettings
from tutelage.records import Example, Prompt, Role
from tutelage.text.encode import Encoder
from tutelage.tuning.run import Run

BASE, WRITTEN, TUNED = "base", "base + system prompt", "tuned"
SYSTEM = (
    "You are a helpful assistant. Do exactly what the user asks. Be correct, clear and complete, keep to the "
    "length and the form that are asked for, and write nothing but the answer."
)
"""The written system prompt where the user gives none."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class _Task:
    """What every contender has to do, and where."""

    run: Run
    template: str
    examples: tuple[Example, ...]
    prompts: tuple[Prompt, ...]
    system: str
    decoding: DecodingSettings
    device: torch.device
    precision: torch.dtype
    say: Callable[[str], None]
    progress: Progress | None

    def counting(self, what: str, of: int) -> Callable[[int], None] | None:
        """A callback for pieces of work, which tells `progress` the sum."""
        if self.progress is None:
            return None
        progress, done = self.progress, 0

        def add(count: int) -> None:
            nonlocal done
            done += count
            progress(what, done, of)

        return add


def compare(
    run: Run,
    prompts: Path | None,
    system: Path | None,
    against: str | None,
    settings: CompareSettings,
    decoding: DecodingSettings,
    say: Callable[[str], None],
    progress: Progress | None = None,
) -> Comparison:
    """Give the same prompts to base, base with a written system prompt, and tuned model; judge what came.

    Writes `compare.json` and `compare.html` into the run's folder. One model is in memory at a time.

    Args:
        prompts: a file of prompts to answer; None: the first held-out ones. Losses and the verdict are over
            the run's held-out conversations in both cases.
        system: file with the written system prompt; None: the one that the settings name, or a general one.
        against: another model, shown in its own template with the written system prompt.

    Raises:
        DataError: there is nothing to ask.
        ModelError: a model cannot be loaded.
        UsageError: a file cannot be read.
    """
    examples = run.held_out()
    asked = _asked(examples, prompts, settings.prompts)
    tuned = locate(str(run.folder), say)
    other = locate(against, say) if against else None
    recipe = run.recipe()
    machine.set_threads(recipe.model.threads)
    device = machine.choose_device(recipe.model.device)
    task = _Task(
        run,
        run.manifest().template,
        examples,
        tuple(Prompt(one.id, one.turns) for one in asked),
        _written(system, settings),
        decoding,
        device,
        machine.choose_precision(recipe.model.precision, device),
        say,
        progress,
    )
    results = [*_base_results(task), _one_result(task, tuned, TUNED, task.template, "")]
    if other:
        name = f"{against} + system prompt"
        results.append(_one_result(task, other, name, other.template or "auto", task.system))
    comparison = _conclude(task, asked, results)
    report.save(comparison, run)
    return comparison


def _conclude(task: _Task, asked: Sequence[Asked], results: Sequence[ContenderResult]) -> Comparison:
    same = on_the_same([result.losses for result in results])
    results = [replace(result, losses=losses) for result, losses in zip(results, same, strict=True)]
    tuned = next(result for result in results if result.name == TUNED)
    others = [(result.name, result.losses) for result in results if result is not tuned]
    left_out = len(task.examples) - len(tuned.losses.answers)
    return Comparison(
        str(task.run.folder),
        tuple(asked),
        tuple(results),
        judge(tuned.losses, others),
        task.decoding,
        left_out,
    )


def _asked(examples: Sequence[Example], prompts: Path | None, most: int) -> tuple[Asked, ...]:
    if prompts is None:
        if not examples:
            raise DataError("this run holds no conversations out; name a file of prompts with --prompts")
        chosen = [(one.id, one.conversation) for one in examples[:most]]
        return tuple(Asked(name, talk.prompt, talk.answer) for name, talk in chosen)
    usual = _usual_system(examples)
    found = []
    for prompt in read_prompts(prompts):
        given = prompt.turns[0].role is Role.SYSTEM
        found.append(Asked(prompt.id, prompt.turns if given else with_system(prompt.turns, usual)))
    return tuple(found)


def _usual_system(examples: Sequence[Example]) -> str:
    """The system text that all the run's conversations begin with, "" where they do not share one.

    A model tuned with it is used with it: prompts from a file that have no system turn get it, for everybody.
    """
    first = [example.conversation.turns[0] for example in examples]
    texts = {turn.text if turn.role is Role.SYSTEM else "" for turn in first}
    return texts.pop() if len(texts) == 1 else ""


def _written(system: Path | None, settings: CompareSettings) -> str:
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


def _base(task: _Task) -> Located:
    """The base model that the run was tuned on, found by its name, or else where it lay."""
    base = task.run.manifest().base
    problems = []
    for name in dict.fromkeys(base[key] for key in ("name", "folder") if base.get(key)):
        try:
            found = locate(name, task.say)
        except ModelError as error:
            problems.append(str(error))
            continue
        expected = base.get("weights_hash")
        if not expected or located_hash(found) == expected:
            return replace(found, name=base.get("name") or name)
        problems.append(f"the weights of {name} are not those that the run was tuned on")
    raise ModelError("the base model of this run cannot be used: " + "; ".join(problems))


def _contender(task: _Task, loaded: Loaded, name: str, encoder: Encoder, system: str) -> Contender:
    return Contender(name, loaded.located.name, loaded.network, encoder, prove(loaded.network), system)


def _base_results(task: _Task) -> list[ContenderResult]:
    """The base in its best format, without and with the written system prompt; loaded once, then freed."""
    loaded = load(_base(task), task.device, task.precision, task.say)
    encoders = candidates(loaded.tokenizer, task.template)
    plain = _contender(task, loaded, BASE, encoders[0], "")
    choices = []
    for contender in (plain, replace(plain, name=WRITTEN, system=task.system)):
        pieces = format_pieces(len(encoders), len(task.examples))
        counting = task.counting(f"{contender.name}: trying formats", pieces)
        choices.append(in_best_format(contender, encoders, task.examples, counting))
        # A system text makes every prompt longer; of the formats only the two that suited the base best are tried.
        ranks = [tried.name for tried in choices[-1].formats]
        encoders = tuple(sorted(encoders, key=lambda one: [*ranks, one.template.name].index(one.template.name)))[:2]
    results = _measured(task, [choice.contender for choice in choices], choices)
    del loaded, plain, contender, choices
    _free()
    return results


def _one_result(task: _Task, located: Located, name: str, template: str, system: str) -> ContenderResult:
    loaded = load(located, task.device, task.precision, task.say)
    contender = _contender(task, loaded, name, Encoder(loaded.tokenizer, template), system)
    result = _measured(task, [contender])[0]
    del loaded, contender
    _free()
    return result


def _measured(
    task: _Task, contenders: Sequence[Contender], choices: Sequence[Choice | None] = (None,)
) -> list[ContenderResult]:
    """Losses and answers of contenders that share a network; their answers are written side by side."""
    names = " and ".join(contender.name for contender in contenders)
    writing = task.counting(f"{names}: writing answers", len(contenders) * len(task.prompts))
    asks = [contender.ask(task.prompts) for contender in contenders]
    answers = generate_together(contenders[0].network, asks, task.decoding, writing, cut_loops=True)
    results = []
    for contender, choice, own in zip(contenders, choices, answers, strict=True):
        losses = choice.losses if choice and len(task.examples) <= FORMAT_MOST else _losses(task, contender)
        result = ContenderResult(
            contender.name,
            contender.model,
            contender.encoder.template.name,
            contender.system,
            losses,
            own,
            choice.formats if choice else (),
        )
        task.say(f"{contender.name}: {report.in_words(result)}")
        results.append(result)
    return results


def _losses(task: _Task, contender: Contender) -> Losses:
    return contender.losses(task.examples, task.counting(f"{contender.name}: reference answers", len(task.examples)))


def _free() -> None:
    """Returns a model's memory before the next one is loaded; networks hold cycles, so they are collected."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
