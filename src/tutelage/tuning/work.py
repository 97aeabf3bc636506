"""A run at work: steps are measured, logged, saved; it stops when asked to or when it no longer gets better."""

from __future__ import annotations

import json
import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

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
    asked_to_stop: list[str] = field(default_factory=list)


def work(job: Job) -> None:
    """Every step that is left: measure, log, save; stop where asked to or where it no longer gets better."""
    settings, plan = job.recipe.tuning, job.prepared.plan
    steps = fit(job.state, plan, job.prepared.train.tokens, settings, job.proof)
    with _catching(job.asked_to_stop):
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
                if job.asked_to_stop:
                    _save(job)
                    raise Stopped(job.asked_to_stop[0], job.run.folder, step.step)
                if settings.save_every and step.step % settings.save_every == 0 and step.step < len(plan):
                    _save(job)
        except NotFinite as error:
            raise TuningError(_named(job, error)) from error


class Stopped(TuningError):
    """The run was asked to stop and is saved."""

    def __init__(self, why: str, folder: Path, step: int) -> None:
        super().__init__(f"stopped by {why} after step {step}; it is saved. Go on with: tutelage resume {folder}")


@contextmanager
def _catching(asked: list[str]) -> Iterator[None]:
    """Ctrl-C and SIGTERM finish the step in hand; a second Ctrl-C ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
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
    loss = held_out_loss(job.state.network, held.tokens, job.proof, settings.row_tokens)
    job.waited += 1
    if math.isfinite(loss) and (job.best_loss is None or loss < job.best_loss):
        job.best_loss, job.best_step, job.waited = loss, step.step, 0
        if settings.patience:
            _keep_best(job)
    _sample(job, step.step)
    return replace(step, held_out_loss=loss if math.isfinite(loss) else None)


def _sample(job: Job, step: int) -> None:
    shown = job.prepared.held.examples[: job.recipe.tuning.samples]
    if not shown:
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
    weights = {name: weight.detach() for name, weight in job.state.optimizer.masters.items()}
    checkpoint.save(job.run.checkpoints / "best", job.state.step, weights, progress_of(job))


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
        job.recipe.hash(),
        prepared.certificate.data_hash,
        prepared.certificate.template_hash,
        prepared.certificate.tokenizer_hash,
        job.base_hash,
    )


def _save(job: Job) -> None:
    checkpoint.save(job.run.checkpoints, job.state.step, job.state.optimizer.tensors(), progress_of(job))
    job.run.write_manifest(manifest_of(job))
