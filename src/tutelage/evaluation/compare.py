"""compare(run, …): the tuned model beside its base at its best and others, on the same prompts, with a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tutelage.errors import UsageError
from tutelage.evaluation import report
from tutelage.evaluation.asking import SYSTEM as SYSTEM
from tutelage.evaluation.asking import asking, graded, written
from tutelage.evaluation.endpoint import Endpoint, is_address, reach
from tutelage.evaluation.losses import on_the_same
from tutelage.evaluation.opponents import TUNED, Work, base_results, model_result
from tutelage.evaluation.progress import Progress
from tutelage.evaluation.remote import remote_result
from tutelage.evaluation.results import Comparison, ContenderResult, with_seeds
from tutelage.evaluation.tasks import read_all
from tutelage.evaluation.verdict import Kind, Measured, judge
from tutelage.model import machine
from tutelage.model.load import Located, locate
from tutelage.recipe import CompareSettings, DecodingSettings
from tutelage.tuning.run import Run

NOT_OF_THE_RUN = frozenset(
    ("out", "compare", "decoding", "track", "threads", "save_every", "save_minutes", "keep_checkpoint", "samples")
)
"""Settings, and sections of them, that leave the tuned weights as they are."""


def compare(
    run: Run,
    prompts: Path | None,
    system: Path | None,
    against: str | None,
    settings: CompareSettings,
    decoding: DecodingSettings,
    say: Callable[[str], None],
    progress: Progress | None = None,
    *,
    others: Sequence[Run] = (),
    tasks: Sequence[Path] = (),
    key: str = "",
) -> Comparison:
    """Give the same prompts to base, base with a prompt, base with examples, tuned model and others; judge what came.

    Writes `compare.json` and the report into the run's folder. One model is in memory at a time.

    Args:
        prompts: a file of prompts to answer; None: the first held-out ones. Losses are over the run's held-out
            conversations in both cases.
        system: file with the written system prompt; None: the one that the settings name, or a general one.
        against: another model, shown in its own template with the written system prompt; or the URL of an
            OpenAI-compatible endpoint, URL#MODEL where it serves several.
        others: more runs. Those that differ from `run` in nothing but the seed are the same contender again.
        tasks: files of tasks, asked instead of prompts. With them their scorers decide, else the loss of the
            reference answers does.
        key: name of the environment variable or file that holds the endpoint's key.

    Raises:
        DataError: there is nothing to ask.
        ModelError: a model cannot be loaded.
        UsageError: a file cannot be read, or the same run is named twice.
    """
    asked = asking((run, *others), prompts, [graded(task) for task in read_all(tasks)], settings)
    runs = by_seed(run, others)
    located = [[locate(str(one.folder), say) for one in group] for group in runs]
    other = _against(against, key, say)
    recipe = run.recipe()
    machine.set_threads(recipe.model.threads)
    device = machine.choose_device(recipe.model.device)
    precision = machine.choose_precision(recipe.model.precision, device)
    work = Work(asked, written(system, settings), settings, decoding, device, precision, say, progress)
    say(f"What decides: {asked.metric.name}.")
    results, notes = base_results(work, run)
    names = names_of([group[0] for group in runs[1:]])
    for place, group in enumerate(runs):
        name, kind = (names[place - 1], Kind.RUN) if place else (TUNED, Kind.TUNED)
        results.append(_of_seeds(work, group, located[place], name, kind))
    if isinstance(other, Endpoint):
        with other:
            result, refused = remote_result(work, other, f"{other.model} + system prompt")
        results.append(result)
        notes += refused
    elif other:
        name = f"{against} + system prompt"
        results.append(model_result(work, other, name, Kind.MODEL, other.template or "auto", work.system))
    comparison = _conclude(run, work, results, notes)
    report.save(comparison, run)
    return comparison


def _against(against: str | None, key: str, say: Callable[[str], None]) -> Located | Endpoint | None:
    if not against:
        return None
    return reach(against, key) if is_address(against) else locate(against, say)


def _of_seeds(work: Work, runs: Sequence[Run], located: Sequence[Located], name: str, kind: Kind) -> ContenderResult:
    """Runs that differ in nothing but the seed, as one contender."""
    templates = [run.manifest().template for run in runs]
    return with_seeds(
        [model_result(work, place, name, kind, own, "") for place, own in zip(located, templates, strict=True)]
    )


def by_seed(run: Run, others: Sequence[Run]) -> list[list[Run]]:
    """The runs in groups that differ in nothing but the seed, that of `run` first.

    Raises:
        UsageError: two runs have the same seed too, and so tell the same twice.
    """
    groups: dict[str, list[Run]] = {}
    for one in (run, *others):
        key = _without_seed(one)
        seed = one.recipe().tuning.seed
        if twin := next((two for two in groups.get(key, []) if two.recipe().tuning.seed == seed), None):
            raise UsageError(
                f"{twin.folder} and {one.folder} have the same settings and the same tuning.seed, so they are no two "
                "seeds of one way of tuning; name one of them"
            )
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def names_of(runs: Sequence[Run]) -> list[str]:
    """What the other runs are called: by their folders' names, or by the whole path where names repeat."""
    short = [one.name for one in runs]
    return [f"run {one.folder if short.count(one.name) > 1 else one.name}" for one in runs]


def _without_seed(run: Run) -> str:
    """What a run's weights follow from, but for its seed."""
    content: dict[str, Any] = {}
    for section, part in run.recipe().model_dump(mode="json").items():
        if section not in NOT_OF_THE_RUN:
            content[section] = {name: value for name, value in part.items() if name not in NOT_OF_THE_RUN | {"seed"}}
    return json.dumps([content, run.manifest().base.get("weights_hash", "")], sort_keys=True)


def _conclude(run: Run, work: Work, results: Sequence[ContenderResult], notes: Sequence[str]) -> Comparison:
    asked, metric = work.asking, work.asking.metric
    results = _on_the_same(results)
    tuned = next(result for result in results if result.kind is Kind.TUNED)
    ours = tuned.measured(metric) or Measured(TUNED, Kind.TUNED, ())
    found = [(result, result.measured(metric)) for result in results if result is not tuned]
    verdict = judge(ours, [measured for _, measured in found if measured], metric)
    unseen = [
        f"{result.name} is behind an endpoint, which gives no losses: its answers stand beside the others', but the "
        "verdict by loss is without it; with --tasks it takes part."
        for result, measured in found
        if measured is None and not result.has_losses and asked.measured and not metric.score
    ]
    left_out = len(asked.measured) - len(tuned.losses.answers)
    told = (*asked.notes, *notes, *unseen, *_stopped_early(run))
    return Comparison(str(run.folder), asked.prompts, tuple(results), verdict, work.decoding, left_out, told)


def _stopped_early(run: Run) -> list[str]:
    """What a reader must know of a run whose kept step was chosen on the very hold-out."""
    manifest = run.manifest()
    if not 0 < manifest.best_step < manifest.steps:
        return []
    return [
        f"The weights of step {manifest.best_step} of {manifest.steps} were kept for their loss on the hold-out, "
        "which favours the tuned model a little wherever the hold-out is measured."
    ]


def _on_the_same(results: Sequence[ContenderResult]) -> list[ContenderResult]:
    """The results with their losses of the conversations that every contender, with every seed, could measure."""
    able = [one for result in results for one in result.seeds if one.has_losses]
    same = dict(zip(map(id, able), on_the_same([one.losses for one in able]), strict=True))
    alike = [
        with_seeds([replace(one, losses=same.get(id(one), one.losses), more=()) for one in result.seeds])
        for result in results
    ]
    return alike
