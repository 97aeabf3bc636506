"""gather(run): a report from what lies in the run's folder; what is missing is named with its command."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TypeVar

from tutelage.errors import TutelageError
from tutelage.evaluation.harness import HarnessResult
from tutelage.evaluation.judging.outcome import Outcome
from tutelage.evaluation.reporting import measured, scored, sidebyside, tuned, weighed
from tutelage.evaluation.reporting.content import Block, Link, Report, Section
from tutelage.evaluation.reporting.tidy import tidy
from tutelage.evaluation.results import Comparison
from tutelage.evaluation.retention import Retention
from tutelage.evaluation.scores import Evaluation
from tutelage.recipe import Recipe
from tutelage.tuning.run import Run, Step

Found = TypeVar("Found")


def gather(run: Run) -> Report:
    """Everything that is known of a run.

    A result file that this version cannot read is named in the notes, and leaves its part out.

    Raises:
        UsageError: the folder is no run.
    """
    manifest, recipe = run.manifest(), run.recipe()
    notes: list[str] = []
    compared = _read(run, "compare.json", Comparison.from_json, notes)
    evaluated = _read(run, "evaluate.json", Evaluation.from_json, notes)
    kept = _read(run, "retention.json", Retention.from_json, notes)
    judged = _read(run, "judge.json", Outcome.from_json, notes)
    harness = _read(run, "harness.json", HarnessResult.from_json, notes)
    steps = _steps(run, notes)
    links = tuned.data_pages(run, recipe)
    if not manifest.finished:
        notes.append(f"This run is not finished: {manifest.steps:,} of {manifest.of_steps:,} steps are done.")
    tiles = weighed.tiles(compared) if compared else []
    tiles += scored.scored_tiles(evaluated, run.folder) if evaluated else []
    tiles += measured.retained_tiles(kept) if kept else []
    tiles += measured.judged_tiles(judged) if judged else []
    after = [
        tuned.curve(steps),
        scored.scored(evaluated, run.folder) if evaluated else None,
        scored.harnessed(harness) if harness else None,
        measured.retained(kept) if kept else None,
        measured.judged(judged) if judged else None,
        _data(links),
        _read(run, "certificate.json", tuned.certificate, notes),
        tuned.settings(recipe),
        tuned.cost(manifest, steps),
        _missing(run, recipe, [bool(one) for one in (compared, evaluated, kept, judged, links)]),
        tuned.repeat(run, recipe, bool(compared), bool(links)),
    ]
    base = manifest.base.get("name", "")
    return tidy(
        Report(
            run.folder.resolve().name,
            f"Tuned from {base}, {manifest.adapter}, template {manifest.template}",
            weighed.headline(compared, shlex.quote(str(run.folder))),
            weighed.gains(compared) if compared else None,
            (*tiles, *tuned.tiles(manifest)),
            (weighed.contenders(compared),) if compared else (),
            sidebyside.side_by_side(compared) if compared else None,
            tuple(one for one in after if one),
            tuple(notes),
        )
    )


def _read(run: Run, name: str, reader: Callable[[str], Found], notes: list[str]) -> Found | None:
    path = run.folder / name
    try:
        return reader(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (TutelageError, OSError, ValueError) as error:
        notes.append(f"{name} is left out: {error}")
        return None


def _steps(run: Run, notes: list[str]) -> list[Step]:
    try:
        return list(run.steps())
    except (TutelageError, OSError, ValueError) as error:
        notes.append(f"metrics.jsonl is left out: {error}")
        return []


def _data(links: list[Link]) -> Section | None:
    lead = "What was found in the data, with its flags, kinds and topics, has a page of its own."
    return Section("data", "The data", lead, tuple(links)) if links else None


def _missing(run: Run, recipe: Recipe, there: list[bool]) -> Section | None:
    """What was not measured yet, and the commands that do."""
    folder = shlex.quote(str(run.folder))
    files = " ".join(shlex.quote(file) for file in recipe.data.files[:3]) or "FILES"
    page = shlex.quote(str(run.folder / "data.html"))
    commands = (
        ("whether tuning was worth it", f"tutelage compare {folder}"),
        ("scores on tasks", f"tutelage evaluate {folder} --tasks FILE"),
        ("what it forgot", f"tutelage evaluate {folder} --retention"),
        ("whose answers are preferred", f"tutelage judge {folder}"),
        ("what is in the data", f"tutelage look {files} --html {page}"),
    )
    left = [f"{command}    # {what}" for (what, command), done in zip(commands, there, strict=True) if not done]
    if not left:
        return None
    lead = f"Each of these fills a part of this page; `tutelage report {folder}` then writes it again."
    return Section("missing", "Not measured yet", lead, (Block("Commands", "\n".join(left), code=True),))
