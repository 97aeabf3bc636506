"""The end of a run: the best or last weights as a model that others can load, and nothing that is not needed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from tutelage.errors import TuningError
from tutelage.model import adapters
from tutelage.model.forward import plain
from tutelage.model.machine import weights_hash
from tutelage.text.encode import Encoder
from tutelage.tuning import checkpoint
from tutelage.tuning.evidence import manifest_of
from tutelage.tuning.run import Run
from tutelage.tuning.work import Job, progress_of


def finish(job: Job) -> Run:
    """Save the tuned model and mark the run finished.

    A LoRA run keeps a standard PEFT adapter, a full one a Hugging Face folder in the precision it computed in.

    Raises:
        TuningError: the disk refuses.
    """
    settings, run = job.recipe.tuning, job.run
    if settings.keep_checkpoint:
        checkpoint.save(run.checkpoints, job.state.step, job.state.optimizer.tensors(), progress_of(job))
    _take_best(job)
    target = run.folder / ("model" if job.recipe.adapter.kind == "full" else "adapter")
    try:
        save_model(job.state.network, job.prepared.encoder, target)
    except (OSError, SafetensorError) as error:
        raise TuningError(f"the tuned model cannot be written to {target}: {error}; is the disk full?") from error
    run.write_manifest(manifest_of(job, finished=True, tuned_hash=weights_hash(target)))
    if not settings.keep_checkpoint:
        shutil.rmtree(run.checkpoints, ignore_errors=True)
        run.checkpoints.mkdir()
    shutil.rmtree(run.checkpoints / "best", ignore_errors=True)
    return run


def _take_best(job: Job) -> None:
    best = job.run.checkpoints / "best" / f"step-{job.best_step}"
    if not job.recipe.tuning.patience or not best.exists() or job.best_step == job.state.step:
        return
    kept, _ = checkpoint.load(best)
    with torch.no_grad():
        for name, weight in job.state.optimizer.weights.items():
            weight.copy_(kept[name])
    job.watch.say(f"Keeping the weights of step {job.best_step}, whose hold-out loss was the lowest.")


def save_model(network: Any, encoder: Encoder, target: Path) -> None:
    """Weights, tokenizer with the chat template it was tuned with, and every stop token, in `target`."""
    if network is plain(network):
        network.generation_config.eos_token_id = sorted(encoder.stop_ids)
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
