"""A run at work: steps are measured, logged, saved; it stops when asked to or when it no longer gets better."""

from __future__ import annotations

import hashlib
import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from tutelage.errors import TuningError
from tutelage.model.forward import Proof
from tutelage.model.generate import decode
from tutelage.model.load import Loaded
from tutelage.recipe import Recipe
from tutelage.tuning import checkpoint
from tutelage.tuning.evidence import manifest_of
from tutelage.tuning.fit import NotFinite, State, fit, held_out_loss
from tutelage.tuning.prepare import Prepared
from tutelage.tuning.run import Run, Step, append_line

LOGS = ("metrics.jsonl", "samples.jsonl")
"""What grows step by step; a checkpoint says how far."""


@dataclass(frozen=True)
class Watch:
    """Who looks on: `say` gets lines for a person, `stepped` each step with the number planned,
    `sampled` held-out questions with what the model answers now."""

    say: Callable[[str], None] = lambda line: None
    stepped: Callable[[Step, int], None] = lambda step, planned: None
    sampled: Callable[[str, str], None] = lambda question, answer: None


@dataclass
class Job:
    """A run in progress: what `tune` and `resume` hand from one part to the next."""

    run: Run
    recipe: Recipe
    prepared: Prepared
    loaded: Loaded
    state: State
    proof: Proof
    watch: Watch
    seconds: float = 0.0
    tokens: int = 0
    best_loss: float | None = None
    best_step: int = 0
    waited: int = 0
    stopped: bool = False
    base_hash: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    resumed: tuple[Mapping[str, Any], ...] = ()
    saved: float = field(default_factory=time.monotonic)
    asked_to_stop: list[str] = field(default_factory=list)


def work(job: Job) -> None:
    """Every step that is left: measure, log, save; stop where asked to or where it no longer gets better."""
    settings, plan = job.recipe.tuning, job.prepared.plan
    steps = fit(job.state, plan, job.prepared.train.tokens, settings, job.proof)
    with _catching(job.asked_to_stop, job.state.party.size == 1):
        try:
            for step in steps:
                job.seconds += step.seconds
                job.tokens += step.tokens
                step = _measured(job, step)
                append_line(job.run.folder / "metrics.jsonl", step.to_json())
                job.watch.stepped(step, len(plan))
                if settings.patience and job.waited >= settings.patience:
                    job.stopped = True
                    break
                asked, due = _asked(job, step.step)
                if asked:
                    _save(job)
                    raise Stopped(asked, job.run.folder, step.step)
                if due:
                    _save(job)
        except NotFinite as error:
            raise Broken(_named(job, error)) from error


def _asked(job: Job, step: int) -> tuple[str, bool]:
    """What any process was asked to stop by, if one was; and whether it is time to save by the first one's clock."""
    heard = job.state.party.hear(f"{_is_due(job, step):d}{''.join(job.asked_to_stop[:1])}")
    return next((said[1:] for said in heard if said[1:]), ""), heard[0][0] == "1"


def _is_due(job: Job, step: int) -> bool:
    """Whether it is time for a checkpoint, by steps or by the clock; neither changes a number."""
    settings = job.recipe.tuning
    if step == len(job.prepared.plan):
        return False
    by_steps = settings.save_every and step % settings.save_every == 0
    return bool(by_steps or (settings.save_minutes and time.monotonic() - job.saved > 60 * settings.save_minutes))


class Broken(TuningError):
    """A step whose numbers are none."""

    shared = True


class Stopped(TuningError):
    """The run was asked to stop and is saved."""

    shared = True

    def __init__(self, why: str, folder: Path, step: int) -> None:
        super().__init__(f"stopped by {why} after step {step}; it is saved. Go on with: tutelage resume {folder}")


@contextmanager
def _catching(asked: list[str], alone: bool) -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGUSR1 (Slurm, machines that are taken back) finish the step in hand; a second one ends
    at once, but in several processes, where torchrun passes a signal on that all had already."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(number: int, frame: object) -> None:
        if asked and alone:
            raise KeyboardInterrupt
        asked.append("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)

    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else [])]
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _named(job: Job, error: NotFinite) -> str:
    sources = {example.id: str(example.source) for example in job.prepared.train.examples}
    rows = "; ".join(sources[name] for name in error.examples)
    kept = checkpoint.latest(job.run.checkpoints)
    then = f"the checkpoint {kept.name} is untouched" if kept else "no checkpoint had been written"
    return f"{error}; its rows are {rows}; {then}. A lower tuning.lr usually helps"


def _measured(job: Job, step: Step) -> Step:
    """The step with the hold-out's loss where it is time to measure; the best weights are kept."""
    settings, held = job.recipe.tuning, job.prepared.held
    every = settings.evaluate_every or job.prepared.plan.per_epoch
    last = step.step == len(job.prepared.plan)
    if not held.tokens or not (last or step.step % every == 0):
        return step
    loss = held_out_loss(job.state.network, held.tokens, job.proof, settings.row_tokens, job.state.party)
    job.waited += 1
    if math.isfinite(loss) and (job.best_loss is None or loss < job.best_loss):
        job.best_loss, job.best_step, job.waited = loss, step.step, 0
        if settings.patience:
            _keep_best(job)
    _sample(job, step.step)
    return replace(step, held_out_loss=loss if math.isfinite(loss) else None)


def _sample(job: Job, step: int) -> None:
    shown = job.prepared.held.examples[: job.recipe.tuning.samples]
    if not shown or job.state.party.size > 1:  # each token would gather all weights once
        return
    encoder = job.prepared.encoder
    settings = job.recipe.decoding.model_copy(update={"max_new_tokens": 48})
    prompts = [encoder.prompt(example.conversation.prompt) for example in shown]
    for example, made in zip(shown, decode(job.state.network, prompts, encoder.stop_ids, settings), strict=True):
        question, answer = example.conversation.prompt[-1].text, encoder.decode(made.ids)
        row = {"step": step, "id": example.id, "answer": answer}
        append_line(job.run.folder / "samples.jsonl", json.dumps(row, ensure_ascii=False))
        job.watch.sampled(question, answer)


def _keep_best(job: Job) -> None:
    optimizer = job.state.optimizer
    weights = {name: value for name, value in optimizer.tensors().items() if name.startswith("master/")}
    folder = job.run.checkpoints / "best"
    checkpoint.save(folder, job.state.step, weights, progress_of(job), job.state.party, optimizer.rows())


def progress_of(job: Job) -> checkpoint.Progress:
    """Where the run is, with the hashes that must still hold when it goes on."""
    prepared = job.prepared
    return checkpoint.Progress(
        job.state.step,
        job.seconds,
        job.tokens,
        job.best_loss,
        job.best_step,
        job.waited,
        job.recipe.numbers_hash(),
        prepared.certificate.data_hash,
        prepared.certificate.template_hash,
        prepared.certificate.tokenizer_hash,
        job.base_hash,
        {name: logged(job.run.folder / name) for name in LOGS if (job.run.folder / name).exists()},
        numerics_of(job),
    )


def logged(path: Path, most: int | None = None) -> tuple[int, str]:
    """Length and SHA-256 of a log, or of its first `most` bytes."""
    with path.open("rb") as file:
        content = file.read() if most is None else file.read(most)
    return len(content), hashlib.sha256(content).hexdigest()


def numerics_of(job: Job) -> dict[str, str]:
    """What the last digits of the numbers depend on, beside recipe and data."""
    loaded = job.loaded
    found: dict[str, Any] = {"threads": torch.get_num_threads(), "device": loaded.device.type}
    found |= {"precision": loaded.dtype, "processes": job.state.party.size}
    return {name: str(value).removeprefix("torch.") for name, value in found.items()} | {"torch": torch.__version__}


def _save(job: Job) -> None:
    job.saved = time.monotonic()
    save_state(job)
    job.run.write_manifest(manifest_of(job))
    job.state.party.tell("written")  # nobody ends before that: torchrun would end the first process too


def save_state(job: Job) -> None:
    """A checkpoint of the run as it is; every process has its part in it."""
    state = job.state
    tensors, rows = state.optimizer.tensors(), state.optimizer.rows()
    checkpoint.save(job.run.checkpoints, state.step, tensors, progress_of(job), state.party, rows)
