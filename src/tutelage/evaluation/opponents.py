"""The contenders at work: the base at its best in three ways, the tuned model, other runs and other models."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from tutelage.errors import DataError, ModelError, TemplateError
from tutelage.evaluation.answers import context_length
from tutelage.evaluation.asking import Asking, halves
from tutelage.evaluation.cellar import answered, identity
from tutelage.evaluation.contenders import (
    Choice,
    Contender,
    FormatLoss,
    TextFormat,
    candidates,
    format_pieces,
    in_best_format,
    markers_of,
)
from tutelage.evaluation.progress import Progress, counting
from tutelage.evaluation.results import ContenderResult
from tutelage.evaluation.shots import drawn, training_examples
from tutelage.evaluation.table import in_words
from tutelage.evaluation.verdict import Kind
from tutelage.model import machine
from tutelage.model.forward import prove
from tutelage.model.load import Loaded, Located, load, locate, located_hash
from tutelage.recipe import CompareSettings, DecodingSettings, Recipe
from tutelage.records import Prompt, Turn
from tutelage.text.encode import Encoder
from tutelage.tuning.run import Run

BASE, WRITTEN, TUNED = "base", "base + system prompt", "tuned"


@dataclass(frozen=True)
class Work:
    """What every contender has to do, and where.

    Attributes:
        system: the written system prompt.
    """

    asking: Asking
    system: str
    settings: CompareSettings
    decoding: DecodingSettings
    device: torch.device
    precision: torch.dtype
    say: Callable[[str], None]
    progress: Progress | None

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """What is asked."""
        return tuple(Prompt(one.id, one.turns) for one in self.asking.prompts)

    def counting(self, what: str, of: int) -> Callable[[int], None] | None:
        """A callback for pieces of work, which tells `progress` the sum."""
        return counting(self.progress, what, of)


def base_of(run: Run, say: Callable[[str], None]) -> Located:
    """The base model that a run was tuned on, found by its name, or else where it lay.

    Raises:
        ModelError: it is not there, or is another one now.
    """
    base = run.manifest().base
    problems = []
    for name in dict.fromkeys(base[key] for key in ("name", "folder") if base.get(key)):
        try:
            found = locate(name, say)
        except ModelError as error:
            problems.append(str(error))
            continue
        expected = base.get("weights_hash")
        if not expected or located_hash(found) == expected:
            return replace(found, name=base.get("name") or name)
        problems.append(f"the weights of {name} are not those that the run was tuned on")
    raise ModelError("the base model of this run cannot be used: " + "; ".join(problems))


def base_results(work: Work, run: Run) -> tuple[list[ContenderResult], list[str]]:
    """The base in its best format: alone, with the written system prompt, with examples; loaded once, then freed.

    Returns:
        the results, and what a reader must know of who is missing.
    """
    loaded = load(base_of(run, work.say), work.device, work.precision, work.say)
    encoders = candidates(loaded.tokenizer, run.manifest().template)
    plain = _contender(loaded, BASE, Kind.BASE, encoders[0])
    choices = [_chosen(work, plain, encoders)]
    # A system text makes every prompt longer; of the formats only the two that suited the base best are tried.
    ranks = [tried.name for tried in choices[0].formats]
    ranked = sorted(encoders, key=lambda one: [*ranks, one.template.name].index(one.template.name))
    told = replace(plain, name=WRITTEN, kind=Kind.PROMPT, system=work.system)
    choices.append(_chosen(work, told, ranked[:2]))
    contenders = [choice.contender for choice in choices]
    # In a base's chat template, the end of each example would tell it that the text is over.
    taught = ranked[:1] if loaded.tokenizer.chat_template else []
    examples_in = next(one for one in [*taught, *ranked] if one in taught or isinstance(one.template, TextFormat))
    shown, notes = _with_examples(work, run, plain, examples_in)
    contenders += [shown] if shown else []
    formats = [choice.formats for choice in choices]
    results = [
        replace(result, formats=formats[place] if place < len(formats) else ())
        for place, result in enumerate(measured(work, contenders))
    ]
    del loaded, plain, told, shown, contenders, choices
    _free()
    return results, notes


def _chosen(work: Work, contender: Contender, encoders: Sequence[Encoder]) -> Choice:
    pieces = format_pieces(len(encoders), len(work.asking.choosing))
    counting = work.counting(f"{contender.name}: trying formats", pieces)
    return in_best_format(contender, encoders, work.asking.choosing, counting)


def _with_examples(work: Work, run: Run, plain: Contender, encoder: Encoder) -> tuple[Contender | None, list[str]]:
    """The base that is shown examples of what the run was tuned on, in this format."""
    wanted = work.settings.examples
    if not wanted:
        return None, []
    try:
        examples = training_examples(run)
    except DataError as error:
        return None, [f"The base with examples is missing, since the run's training data cannot be read: {error}"]
    room = _room(work, plain, encoder)

    def fits(turns: tuple[Turn, ...]) -> bool:
        return room is None or len(encoder.encode(turns).ids) <= room

    shots, count = drawn(examples, wanted, run.recipe().tuning.seed, work.asking.measured, fits)
    if not count:
        return None, ["The base with examples is missing, since no training conversation leaves room for the prompts."]
    name = f"base + {count} example{'s' if count > 1 else ''}"
    notes = [] if count == wanted else [f"Only {count} of {wanted} examples leave room for the prompts."]
    made = replace(plain, name=name, kind=Kind.EXAMPLES, encoder=encoder, markers=markers_of(encoder), shots=shots)
    return made, notes


def _room(work: Work, contender: Contender, encoder: Encoder) -> int | None:
    """Tokens that examples may take so that each prompt, and each reference answer, still fits; None: any number."""
    most = context_length(contender.network)
    if most is None:
        return None
    prompts = [len(encoder.prompt(one.turns)) + work.decoding.max_new_tokens for one in work.prompts]
    answers = [len(encoder.encode(one.conversation.turns).ids) for one in work.asking.measured]
    return most - max(prompts + answers, default=0)


def model_result(work: Work, located: Located, name: str, kind: Kind, template: str, system: str) -> ContenderResult:
    """One model, loaded, asked and freed."""
    loaded = load(located, work.device, work.precision, work.say)
    contender = _contender(loaded, name, kind, Encoder(loaded.tokenizer, template), system)
    formats: tuple[FormatLoss, ...] = ()
    if kind is Kind.MODEL and not _has_template(loaded):
        choice = _chosen(work, contender, _candidates(loaded, template))
        contender, formats = choice.contender, choice.formats
    result = replace(measured(work, [contender])[0], formats=formats)
    del loaded, contender
    _free()
    return result


def _has_template(loaded: Loaded) -> bool:
    return bool(loaded.located.template or loaded.tokenizer.chat_template)


def _candidates(loaded: Loaded, template: str) -> tuple[Encoder, ...]:
    """The formats to try; a run's template is not among them where another model has no tokens for it."""
    try:
        return candidates(loaded.tokenizer, template)
    except TemplateError:
        return candidates(loaded.tokenizer, "plain")


def _contender(loaded: Loaded, name: str, kind: Kind, encoder: Encoder, system: str = "") -> Contender:
    proof, weights = prove(loaded.network), identity(loaded.located)
    return Contender(name, loaded.located.name, loaded.network, encoder, proof, system, (), kind, (), weights)


def at_its_best(located: Located, recipe: Recipe, say: Callable[[str], None], run: Run | None = None) -> Contender:
    """One model, loaded, with the way that suits it: its own template, or, where it has none, its best format.

    run: on half of what it holds out, the format of a model without a template is chosen.
    """
    machine.set_threads(recipe.model.threads)
    device = machine.choose_device(recipe.model.device)
    loaded = load(located, device, machine.choose_precision(recipe.model.precision, device), say)
    template = located.template or recipe.model.template
    made = _contender(loaded, located.name, Kind.MODEL, Encoder(loaded.tokenizer, template))
    if _has_template(loaded):
        return made
    encoders = _candidates(loaded, run.manifest().template if run else template)
    return in_best_format(made, encoders, halves(run.held_out())[0] if run else ()).contender


def measured(work: Work, contenders: Sequence[Contender]) -> list[ContenderResult]:
    """Losses and answers of contenders that share a network; their answers are written side by side."""
    names = " and ".join(contender.name for contender in contenders)
    writing = work.counting(f"{names}: writing answers", len(contenders) * len(work.prompts))
    asks = [contender.ask(work.prompts) for contender in contenders]
    shared = contenders[0]
    answers = answered(shared.weights, shared.network, asks, work.decoding, writing, cut_loops=True)
    results = []
    for contender, ask, own in zip(contenders, asks, answers, strict=True):
        counting = work.counting(f"{contender.name}: reference answers", len(work.asking.measured))
        scores = work.asking.scored(own)
        result = ContenderResult(
            contender.name,
            contender.model,
            contender.encoder.template.name,
            contender.system,
            contender.losses(work.asking.measured, counting),
            own,
            kind=contender.kind,
            prompt_tokens=tuple(len(ask.encoder.prompt(prompt.turns)) for prompt in ask.prompts),
            shots=contender.shots,
            scores=tuple(score.value for score in scores),
            reasons=tuple(score.reason for score in scores),
        )
        work.say(f"{contender.name}: {in_words(result)}")
        results.append(result)
    return results


def _free() -> None:
    """Returns a model's memory before the next one is loaded; networks hold cycles, so they are collected."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
