"""What a run's manifest says: what it was made of, on which machine, and how far it is."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import torch

import tutelage
from tutelage.model import machine
from tutelage.model.load import Loaded
from tutelage.tuning.run import Manifest

if TYPE_CHECKING:
    from tutelage.tuning.work import Job


def manifest_of(job: Job, finished: bool = False, tuned_hash: str = "") -> Manifest:
    """The manifest of a run as it is now."""
    certificate, located = job.prepared.certificate, job.loaded.located
    return Manifest(
        base={"name": located.name, "folder": str(located.folder), "weights_hash": job.base_hash},
        template=certificate.template,
        adapter=job.recipe.adapter.kind,
        finished=finished,
        steps=job.state.step,
        of_steps=len(job.prepared.plan),
        best_step=job.best_step if job.recipe.tuning.patience and job.best_step else job.state.step,
        stopped_early=job.stopped,
        hashes={
            "data": certificate.data_hash,
            "tokenizer": certificate.tokenizer_hash,
            "template": certificate.template_hash,
            "recipe": job.recipe.hash(),
            "tuned": tuned_hash,
        },
        machine={**_machine(job.loaded), "processes": job.state.party.size},
        engine={"packed": job.proof.packed, "reason": job.proof.reason},
        seconds=round(job.seconds, 3),
        tokens=job.tokens,
        peak_memory=machine.peak_memory_bytes(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tutelage=tutelage.__version__,
        files=dict(job.files),
        resumed=job.resumed,
    )


def _machine(loaded: Loaded) -> dict[str, str | int]:
    import peft
    import transformers

    return {
        "device": str(loaded.device),
        "precision": str(loaded.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "peft": peft.__version__,
        "system": platform.platform(),
    }
