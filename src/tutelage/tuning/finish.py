"""The end of a run: the best or last weights as a model that others can load, and nothing that is not needed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from tutelage.errors import TuningError
from tutelage.model import adapters
from tutelage.model.forward import plain
from tutelage.model.machine import quiet_libraries, to_disk, weights_hash
from tutelage.text.encode import Encoder
from tutelage.tuning import checkpoint
from tutelage.tuning.distributed import whole
from tutelage.tuning.evidence import manifest_of
from tutelage.tuning.run import Run, digest_of
from tutelage.tuning.work import LOGS, Job, save_state


def finish(job: Job) -> Run:
    """Save the tuned model and mark the run finished; of several processes, the first one writes.

    A LoRA run keeps a standard PEFT adapter, a full one a Hugging Face folder in the precision it computed in.

    Raises:
        TuningError: the disk refuses.
    """
    settings, run = job.recipe.tuning, job.run
    if settings.keep_checkpoint:
        save_state(job)
    _take_best(job)
    tuned = whole(job.state.network, job.state.party, job.loaded.dtype)
    if tuned is None:
        return run
    target = run.folder / ("model" if job.recipe.adapter.kind == "full" else "adapter")
    try:
        _put(job, tuned, target)
        written = [*sorted(target.rglob("*")), *(run.folder / name for name in LOGS)]
        job.files = dict(job.files) | {
            path.relative_to(run.folder).as_posix(): digest_of(path) for path in written if path.is_file()
        }
    except (OSError, SafetensorError) as error:
        raise TuningError(f"the tuned model cannot be written to {target}: {error}; is the disk full?") from error
    run.write_manifest(manifest_of(job, finished=True, tuned_hash=weights_hash(target)))
    if not settings.keep_checkpoint:
        shutil.rmtree(run.checkpoints, ignore_errors=True)
        run.checkpoints.mkdir()
    shutil.rmtree(run.checkpoints / "best", ignore_errors=True)
    shutil.rmtree(run.tokens, ignore_errors=True)
    return run


def _put(job: Job, tuned: Any, target: Path) -> None:
    """The tuned model whole or not at all: who finds the folder finds every file of it."""
    for left in target.parent.glob(f".{target.name}-*"):  # of a process that was killed here
        shutil.rmtree(left, ignore_errors=True)
    work = target.parent / f".{target.name}-{os.getpid()}"
    try:
        work.mkdir()
        save_model(tuned, job.prepared.encoder, work)
        for path in (*work.rglob("*"), work):
            to_disk(path)
        if target.exists():  # of a run that was finished once and went on, or was killed right after this
            shutil.rmtree(target)
        work.rename(target)
        to_disk(target.parent)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _take_best(job: Job) -> None:
    best = job.run.checkpoints / "best" / f"step-{job.best_step}"
    taken = job.recipe.tuning.patience and best.exists() and job.best_step != job.state.step
    state = job.state
    if not (path := state.party.tell(str(best) if taken else "")):
        return
    kept, _ = checkpoint.load(Path(path), state.party, state.optimizer.rows())
    state.optimizer.restore(kept)
    job.watch.say(f"Keeping the weights of step {job.best_step}, whose hold-out loss was the lowest.")


def save_model(network: Any, encoder: Encoder, target: Path) -> None:
    """Weights, tokenizer with the chat template it was tuned with, and every stop token, in `target`."""
    if network is plain(network):
        network.generation_config.eos_token_id = sorted(encoder.stop_ids)
        with quiet_libraries():
            network.save_pretrained(target, safe_serialization=True)
    else:
        adapters.save_adapter(network, target)
    tokenizer = encoder.tokenizer
    before = tokenizer.chat_template
    tokenizer.chat_template = encoder.portable_jinja()
    try:
        tokenizer.save_pretrained(target)
    finally:
        tokenizer.chat_template = before
