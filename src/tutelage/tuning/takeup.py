"""Taking a stopped run up again: what it was, whether all of that is still so, and its state."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tutelage.errors import TuningError
from tutelage.model.load import Located, located_hash
from tutelage.recipe import Recipe, build
from tutelage.tuning import checkpoint
from tutelage.tuning.checkpoint import Progress
from tutelage.tuning.prepare import Prepared
from tutelage.tuning.run import Run, write_text
from tutelage.tuning.work import LOGS, Job, logged, numerics_of, progress_of

HASHES = ("data", "recipe", "template", "tokenizer", "base")
"""What must be as it was; each is named so in `Progress`, with _hash behind it."""


def taken_up(run: Run, overrides: Sequence[str]) -> Recipe:
    """The recipe of a stopped run with what is asked for now."""
    before = run.recipe()
    return build(before.model_dump(mode="json"), overrides).model_copy(update={"out": before.out})


def take_up(job: Job, found: Path, accept_changes: bool) -> None:
    """Put a fresh job where its run was stopped.

    Raises:
        TuningError: the checkpoint is damaged, or something else is not as it was; nothing was changed then.
    """
    party = job.state.party
    tensors, progress = checkpoint.load(found, party, job.state.optimizer.rows())
    now = progress_of(job)
    hashes = {what: str(getattr(now, f"{what}_hash")) for what in HASHES}
    changed = party.alike(lambda: changed_since(progress, hashes, job.run, accept_changes))
    for what, (then, here) in changed.items():
        job.watch.say(f"Careful: the {what} changed since this run was stopped ({then[:12]}… then, {here[:12]}… now).")
    _tell_numerics(job, progress)
    party.alike(lambda: _cut_logs(job, progress, accept_changes))
    job.state.optimizer.restore(tensors)
    job.state.step, job.seconds, job.tokens = progress.step, progress.seconds, progress.tokens
    job.best_loss, job.best_step, job.waited = progress.best_loss, progress.best_step, progress.waited
    before = job.run.manifest()
    if before.finished:  # its best weights went when it was finished, so the best is looked for among those to come
        job.best_loss, job.best_step, job.waited = None, 0, 0
    when = datetime.now(UTC).isoformat(timespec="seconds")
    note: dict[str, Any] = {"after_step": progress.step, "when": when, "changed": changed, "numerics": numerics_of(job)}
    job.resumed = (*before.resumed, note)


def changed_since(
    progress: Progress, now: Mapping[str, str], run: Run, accept_changes: bool = False
) -> dict[str, tuple[str, str]]:
    """What is not as it was when the checkpoint was written: hashes then and now.

    Args:
        now: hashes of some or all of HASHES, by name.

    Raises:
        TuningError: there is something, and changes are not accepted.
    """
    changed = {what: (then, here) for what, here in now.items() if (then := getattr(progress, f"{what}_hash")) != here}
    if changed and not accept_changes:
        what, (then, here) = next(iter(changed.items()))
        raise TuningError(
            f"the {what} changed since this run was stopped ({then[:12]}… then, {here[:12]}… now); bring it back, or "
            f"start anew with: tutelage tune {run.folder / 'recipe.yaml'}; or go on all the same with "
            "--accept-changes, and the run's manifest will say so"
        )
    return changed


def hashes_of(prepared: Prepared, located: Located) -> dict[str, str]:
    """What a run is made of, all of it known before the base is loaded."""
    certificate = prepared.certificate
    return {
        "data": certificate.data_hash,
        "recipe": prepared.recipe.numbers_hash(),
        "template": certificate.template_hash,
        "tokenizer": certificate.tokenizer_hash,
        "base": located_hash(located),
    }


def _tell_numerics(job: Job, progress: Progress) -> None:
    now = numerics_of(job)
    other = [f"{name} {then} then, {now[name]} now" for name, then in progress.numerics.items() if now[name] != then]
    if other:
        job.watch.say(
            f"Careful: {'; '.join(other)}. The numbers can differ in their last digits from a run that never stopped."
        )


def _cut_logs(job: Job, progress: Progress, accept_changes: bool) -> None:
    """The logs as they were at the checkpoint; later lines will come again.

    Raises:
        TuningError: a log is not what was written.
    """
    damaged = []
    for name, (size, digest) in progress.logs.items():
        path = job.run.folder / name
        if not path.exists() or logged(path, size) != (size, digest):
            damaged.append(path)
    if damaged and not accept_changes:
        raise TuningError(
            f"{damaged[0]} is damaged or was changed; restore it from a copy, or go on with --accept-changes, which "
            "keeps those of its lines that can be read"
        )
    for name in LOGS:
        path = job.run.folder / name
        if path in damaged:
            _keep_readable(path, progress.step)
        elif name in progress.logs:
            os.truncate(path, progress.logs[name][0])
        else:
            path.unlink(missing_ok=True)


def _keep_readable(path: Path, last: int) -> None:
    """Those lines of a damaged log that are JSON and of a step up to the last."""
    kept = []
    for line in path.read_bytes().split(b"\n") if path.exists() else []:
        try:
            if int(json.loads(line)["step"]) <= last:
                kept.append(line.decode())
        except (ValueError, TypeError, KeyError):
            continue
    write_text(path, "".join(f"{line}\n" for line in kept))
