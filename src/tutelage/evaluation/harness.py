"""Tasks of lm-evaluation-harness on a model, with its own template applied; needs the extra `harness`.

See https://github.com/EleutherAI/lm-evaluation-harness (Gao et al. 2024, doi:10.5281/zenodo.12608602). The harness
makes prompts and scores answers; ids, answers and likelihoods are ours (`harnessed.Harnessed`).
"""

from __future__ import annotations

import contextlib
import difflib
import gc
import importlib.util
import json
import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.table import Table
from rich.text import Text

from tutelage.errors import DataError, TutelageError, UsageError
from tutelage.evaluation.intervals import Interval, score_interval
from tutelage.evaluation.progress import Progress, counting
from tutelage.model import machine
from tutelage.model.forward import prove
from tutelage.model.load import Loaded, load, locate
from tutelage.model.machine import first_line, quiet_libraries
from tutelage.recipe import Recipe
from tutelage.text.encode import Encoder
from tutelage.tuning.run import Run, is_run, write_text

FILE = "harness.json"
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class HarnessScore:
    """One number of one task.

    Attributes:
        task: its name, or a group's.
        metric: as the harness names it, with its filter where it has one, such as "exact_match, strict-match".
        interval: the value with its 95 % interval over prompts; without ends where it is no mean over prompts.
        shots: examples before each prompt.
        better: "higher", "lower" or "" where the harness does not say.
    """

    task: str
    metric: str
    interval: Interval
    shots: int
    better: str


@dataclass(frozen=True)
class HarnessResult:
    """A model's scores.

    Attributes:
        template: the template that was applied; "" where prompts were plain text.
        version: the harness's.
        notes: what a reader must know of how the numbers came about.
    """

    model: str
    template: str
    version: str
    scores: tuple[HarnessScore, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Everything, as one JSON object."""
        scores = [asdict(one) | {"interval": one.interval.to_json()} for one in self.scores]
        return json.dumps(asdict(self) | {"scores": scores}, ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> HarnessResult:
        """What `to_json` made.

        Raises:
            UsageError: the text is something else.
        """
        try:
            content = json.loads(text)
            rows = [dict(row) | {"interval": Interval.from_json(row["interval"])} for row in content["scores"]]
            scores = tuple(HarnessScore(**row) for row in rows)
            model, template, version = (str(content[name]) for name in ("model", "template", "version"))
            return cls(model, template, version, scores, tuple(content["notes"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"this is no harness.json that this version wrote ({error!r}); measure again") from error


def harness(
    models: Sequence[str],
    tasks: Sequence[str],
    recipe: Recipe,
    say: Callable[[str], None],
    progress: Progress | None = None,
    most: int = 0,
) -> tuple[HarnessResult, ...]:
    """Each model's scores; `harness.json` is written into the folder of each that is a run.

    Args:
        tasks: names of the harness's tasks and groups, YAML files, or folders with such files; several may stand in
            one text, with commas between them.
        recipe: device, precision, threads and the longest answer.
        most: of each task only the first so many prompts; 0: all.

    Raises:
        UsageError: the extra is not installed, there is no such task, or a task asks for what is not done here.
        DataError: a task's data cannot be read.
        ModelError: a model cannot be loaded.
    """
    if importlib.util.find_spec("lm_eval") is None:
        raise UsageError("--harness needs lm-evaluation-harness: pip install 'tutelage[harness]'")
    apart = [name.strip() for one in tasks for name in ([one] if Path(one).exists() else one.split(","))]
    tasks = [name for name in apart if name]
    found = []
    located = [locate(model, say) for model in models]
    machine.set_threads(recipe.model.threads)
    device = machine.choose_device(recipe.model.device)
    precision = machine.choose_precision(recipe.model.precision, device)
    for name, place in zip(models, located, strict=True):
        loaded = load(place, device, precision, say)
        result = scored(loaded, name, tasks, recipe, say, progress, most)
        if is_run(Path(name)):
            write_text(Run(Path(name)).folder / FILE, result.to_json())
        found.append(result)
        del loaded
        gc.collect()
    return tuple(found)


def scored(
    loaded: Loaded,
    name: str,
    tasks: Sequence[str],
    recipe: Recipe,
    say: Callable[[str], None],
    progress: Progress | None = None,
    most: int = 0,
) -> HarnessResult:
    """One loaded model's scores; see `harness`."""
    with quiet_libraries(), _to_stderr():
        from tutelage.evaluation.harnessed import Harnessed

        template = loaded.located.template or recipe.model.template
        templated = bool(loaded.located.template or loaded.tokenizer.chat_template)
        encoder = Encoder(loaded.tokenizer, template)
        asked = Harnessed(loaded.network, encoder, prove(loaded.network), recipe.decoding, templated)
        asked.counting = lambda what, of: counting(progress, f"{name}: {what}", of)
        wanted = _load(tasks)
        shown = f"in the template {encoder.template.name}" if templated else "as plain text: it has no template"
        say(f"{name}: {', '.join(wanted['tasks'])}, {shown}")
        content = _evaluate(asked, wanted, templated, most)
    return HarnessResult(name, encoder.template.name if templated else "", _version(), _scores(content), _notes(asked))


def _load(tasks: Sequence[str]) -> Any:
    """The harness's tasks by name and from files, a file's own data found beside it."""
    from lm_eval.tasks import TaskManager

    files = {name: _files(Path(name)) for name in tasks if Path(name).suffix in SUFFIXES or Path(name).is_dir()}
    names = [name for name in tasks if name not in files]
    manager = TaskManager(include_defaults=bool(names))
    if missing := [name for name in names if name not in manager.all_tasks]:
        close = difflib.get_close_matches(missing[0], manager.all_tasks, 3)
        hint = f"did you mean {' or '.join(close)}?" if close else "`lm_eval ls tasks` lists them"
        raise UsageError(f"lm-evaluation-harness has no task {missing[0]}, and there is no such file; {hint}")
    try:
        loaded = manager.load([*names, *(_config(file) for found in files.values() for file in found)])
    except TutelageError:
        raise
    except Exception as error:  # datasets, the hub, YAML and a task's own code fail in many ways
        raise DataError(
            f"the tasks {', '.join(tasks)} cannot be loaded: {first_line(error)}. Tasks by name read their data from "
            "the Hugging Face hub or its cache; without a network, name a YAML file whose data lie beside it"
        ) from error
    for task in loaded["tasks"].values():
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=SEED)
    return loaded


SEED = 1234
"""Of the examples before prompts: the harness's own."""


def _files(path: Path) -> list[Path]:
    """A file, or a folder's files that are tasks."""
    if not path.is_dir():
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
        return [path]
    found = [file for file in sorted(path.iterdir()) if file.suffix in SUFFIXES and _config(file).get("task")]
    if not found:
        raise UsageError(f"{path} holds no task of lm-evaluation-harness (a YAML file with `task`)")
    return found


def _config(file: Path) -> dict[str, Any]:
    """A task's YAML; data files that are named relative to it are found wherever the command is run."""
    from lm_eval.tasks._yaml_loader import load_yaml

    try:
        config: dict[str, Any] = load_yaml(file)
    except Exception as error:  # YAML, and code that it names
        raise DataError(f"{file} is no task of lm-evaluation-harness: {first_line(error)}") from error
    given = config.get("dataset_kwargs")
    if isinstance(given, dict) and "data_files" in given:
        config["dataset_kwargs"] = given | {"data_files": _beside(given["data_files"], file.resolve().parent)}
    return config


def _beside(files: Any, folder: Path) -> Any:
    if isinstance(files, Mapping):
        return {name: _beside(one, folder) for name, one in files.items()}
    if isinstance(files, list):
        return [_beside(one, folder) for one in files]
    return str(folder / files) if isinstance(files, str) and (folder / files).exists() else files


def _evaluate(asked: Any, wanted: Any, templated: bool, most: int) -> Mapping[str, Any]:
    from lm_eval.evaluator import evaluate

    try:
        content: Mapping[str, Any] = evaluate(
            asked,
            wanted,
            limit=most or None,
            bootstrap_iters=0,  # intervals are ours
            log_samples=True,
            apply_chat_template=templated,
            fewshot_as_multiturn=templated,
        )
    except ValueError as error:  # how the harness refuses: code that a task would run, pictures, no prompts
        raise UsageError(f"lm-evaluation-harness refuses: {first_line(error)}") from error
    return content


def _scores(content: Mapping[str, Any]) -> tuple[HarnessScore, ...]:
    found = []
    for task, values in content["results"].items():
        samples = content["samples"].get(task, [])
        for key, value in values.items():
            metric, _, rule = key.partition(",")
            if not rule or metric.endswith("_stderr") or not isinstance(value, int | float):
                continue
            of = [row[metric] for row in samples if row["filter"] == rule and metric in row]
            higher = content["higher_is_better"].get(task, {}).get(metric)
            found.append(
                HarnessScore(
                    task,
                    metric if rule == "none" else f"{metric}, {rule}",
                    _interval(float(value), of),
                    int(content["n-shot"].get(task, 0)),
                    "" if higher is None else "higher" if higher else "lower",
                )
            )
    return tuple(found)


def _interval(value: float, samples: Sequence[Any]) -> Interval:
    """The value with an interval where it is the mean of numbers that prompts have."""
    numbers = [float(one) for one in samples if isinstance(one, int | float)]
    if numbers and len(numbers) == len(samples) and math.isclose(fmean(numbers), value, abs_tol=1e-9):
        return score_interval(numbers)
    return Interval(value, -math.inf, math.inf, len(samples))


def _notes(asked: Any) -> tuple[str, ...]:
    notes = []
    if asked.cut:
        notes.append(f"{asked.cut:,} requests are longer than the model reads and lost their beginning.")
    if asked.folded:
        notes.append(f"{asked.folded:,} prompts have their system text in the user's turn: the template has no other.")
    for task, count in asked.untemplated.items():
        notes.append(f"{task} writes its prompts itself: {count:,} requests are without the model's template.")
    return tuple(notes)


def _version() -> str:
    from importlib.metadata import version

    return version("lm_eval")


@contextlib.contextmanager
def _to_stderr() -> Iterator[None]:
    """What the harness prints goes to stderr, since results go to stdout; its remarks only where they are errors."""
    remarks = logging.getLogger("lm_eval")
    level = remarks.level
    remarks.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        remarks.setLevel(level)


def table(results: Sequence[HarnessResult]) -> Table:
    """Every score of every model."""
    notes = dict.fromkeys(note for one in results for note in one.notes)
    caption = " ".join(("↑ higher is better, ↓ lower is better; 95% intervals over prompts.", *notes))
    made = Table(header_style="bold", caption=Text(caption), caption_justify="left")
    for heading, justify in (("task", "left"), ("metric", "left"), ("shots", "right"), ("prompts", "right")):
        made.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for one in results:
        made.add_column(Text(one.model), justify="right")
    keys = dict.fromkeys((score.task, score.metric) for one in results for score in one.scores)
    for task, metric in keys:
        cells = [next((s for s in one.scores if (s.task, s.metric) == (task, metric)), None) for one in results]
        first = next(cell for cell in cells if cell)
        arrow = {"higher": " ↑", "lower": " ↓"}.get(first.better, "")
        shown = [_cell(cell.interval) if cell else "–" for cell in cells]
        made.add_row(Text(task), Text(metric + arrow), str(first.shots), f"{first.interval.count:,}", *shown)
    return made


def _cell(value: Interval) -> str:
    if not math.isfinite(value.low):
        return f"{value.value:.4g}"
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"
