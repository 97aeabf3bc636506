"""tune(recipe) -> Run: the main job, from files to a tuned model with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from tutelage.errors import ModelError, TuningError, UsageError
from tutelage.model import adapters, layers, machine, memory
from tutelage.model.forward import prove, recompute
from tutelage.model.load import Loaded, Located, load, load_tokenizer, locate, located_hash
from tutelage.recipe import Recipe
from tutelage.text.encode import Encoder
from tutelage.tuning import checkpoint
from tutelage.tuning.distributed import ALONE, Party, agreed, joined, own_device, shard
from tutelage.tuning.evidence import manifest_of
from tutelage.tuning.finish import finish
from tutelage.tuning.fit import State
from tutelage.tuning.followers import held_by_one
from tutelage.tuning.optim import Optimizer
from tutelage.tuning.prepare import Prepared, keep_tokens, prepare, resolve
from tutelage.tuning.run import Run, Step, digest_of, make_folder, write_text
from tutelage.tuning.takeup import changed_since, hashes_of, take_up, taken_up
from tutelage.tuning.track import check, tracking
from tutelage.tuning.work import Job, Watch, work


def tune(recipe: Recipe, watch: Watch | None = None) -> Run:
    """Tune a base model on conversations.

    Raises:
        TutelageError: with what is wrong and what to do; SystemExit is never raised here.
    """
    with joined(lambda: machine.choose_device(recipe.model.device)) as party:
        watch = watch if watch and party.leads else Watch()
        located, prepared = party.alike(lambda: _prepared(recipe, watch, party))
        dtype = _dtype(recipe, party)
        loaded = party.alike(lambda: _load(located, prepared.recipe, dtype, watch, party))
        made = prepared.recipe.out, prepared.recipe.data.files
        folder = Path(party.each(lambda: str(make_folder(*made)) if party.leads else "")[0])
        with held_by_one(party, folder, watch.say) as run:
            job = _begin(run, prepared, loaded, watch, party)
            job.files = _write_down(run, prepared)
            if party.leads:
                keep_tokens(prepared, run.tokens)
            run.write_manifest(manifest_of(job))
            _describe(job)
            _see_through(job)
    return Run(folder)


def resume(
    folder: Path, watch: Watch | None = None, overrides: Sequence[str] = (), accept_changes: bool = False
) -> Run:
    """Go on with a stopped run from its last checkpoint, with the same numbers as if it had never stopped.

    Args:
        folder: the run's.
        watch: who looks on.
        overrides: section.key=value; those of `recipe.FREE` may change, such as more epochs.
        accept_changes: go on although data, recipe, tokenizer, template or base are others than before.

    Raises:
        TuningError: there is no checkpoint, or one is damaged, or data, recipe, tokenizer, template or base have
            changed since, or another process is at work on the run.
        UsageError: the folder is no run, or the run is finished.
    """
    Run(folder).manifest()
    with (
        joined(lambda: machine.choose_device(Run(folder).recipe().model.device)) as party,
        held_by_one(party, folder, watch.say if watch and party.leads else Watch().say) as run,
    ):
        watch = watch if watch and party.leads else Watch()
        manifest = run.manifest()  # again, since another process may have finished it just now
        found = checkpoint.latest(folder / "checkpoints")
        _check_open(run, manifest.finished, found, overrides)
        assert found is not None
        if not accept_changes:
            party.alike(Run(folder).check_files)
        recipe = taken_up(run, overrides)
        # What changed is refused as soon as it is known: preparing takes a while, loading the base a longer one.
        before = party.alike(lambda: checkpoint.progress_in(found, tensors=False))
        asked = {"recipe": resolve(recipe).numbers_hash()}
        party.alike(lambda: changed_since(before, asked, run, accept_changes))
        located, prepared = party.alike(lambda: _prepared(recipe, watch, party, manifest.template, run.tokens))
        party.alike(lambda: changed_since(before, hashes_of(prepared, located), run, accept_changes))
        # Another machine might choose another number format, and go on with other numbers.
        dtype = _dtype(recipe, party, str(manifest.machine.get("precision", "")))
        loaded = party.alike(lambda: _load(located, recipe, dtype, watch, party))
        job = _begin(run, prepared, loaded, watch, party)
        take_up(job, found, accept_changes)
        # What is written now is checked from the next manifest on; one in between would not fit after a crash.
        run.write_manifest(replace(manifest, finished=False, files={}))
        job.files = _write_down(run, prepared)
        run.write_manifest(manifest_of(job))
        if party.leads and (accept_changes or not run.tokens.exists()):
            keep_tokens(prepared, run.tokens)
        watch.say(f"Going on after step {job.state.step} of {len(prepared.plan)}.")
        _see_through(job)
    return Run(folder)


def _prepared(
    recipe: Recipe, watch: Watch, party: Party, template: str = "", kept: Path | None = None
) -> tuple[Located, Prepared]:
    """The base, found, and all that is decided before the first step.

    Args:
        template: of the stopped run that goes on; kept: where its tokens are.
    """
    check(recipe.track)
    located = locate(recipe.model.base, watch.say)
    encoder = _encoder(located, template or recipe.model.template)
    if template:
        prepared = prepare(recipe, encoder, watch.say, kept)
    else:
        prepared = within_memory(prepare(recipe, encoder, watch.say), recipe, located, watch.say, party)
    prepared.certificate.check()
    return located, prepared


def _see_through(job: Job) -> None:
    """Every step that is left, and the end. The trackers see each step too, those of the first process only."""
    wanted, watch = job.recipe if job.state.party.leads else Recipe(), job.watch
    with tracking(wanted, job.run.folder, job.state.step, watch.say) as track:

        def stepped(step: Step, planned: int) -> None:
            track(step)
            watch.stepped(step, planned)

        job.watch = replace(watch, stepped=stepped)
        work(job)
        finish(job)


def _check_open(run: Run, finished: bool, found: Path | None, overrides: Sequence[str]) -> None:
    """
    Raises:
        UsageError: the run is finished, and no longer one is asked for.
        TuningError: there is no checkpoint to go on from.
    """
    longer = any(change.startswith(("tuning.epochs=", "tuning.max_steps=")) for change in overrides)
    if finished and not longer:
        raise UsageError(
            f"{run.folder} is finished; more of it: tutelage resume {run.folder} tuning.epochs=N where its checkpoint "
            f"was kept (tuning.keep_checkpoint), else tune again with --base {run.folder}"
        )
    if finished and found is None:
        raise UsageError(
            f"{run.folder} is finished and kept no checkpoint (tuning.keep_checkpoint); to go further, tune again with "
            f"--base {run.folder}"
        )
    if found is None:
        raise TuningError(f"{run.folder} has no checkpoint yet; repeat it with: tutelage tune {run.folder}/recipe.yaml")


def within_memory(
    prepared: Prepared, recipe: Recipe, located: Located, say: Callable[[str], None], party: Party = ALONE
) -> Prepared:
    """What was prepared, or prepared again with what `tuning.memory_gb` asks to change; on a CPU and in one process.

    Raises:
        ModelError: the run does not fit, with what it would need.
        UsageError: `tuning.memory_gb` in several processes.
    """
    if party.size > 1:
        if recipe.tuning.memory_gb:
            raise UsageError("tuning.memory_gb is for one process; in several, docs/scaling.md says what they need")
        return prepared
    machine.set_threads(recipe.model.threads)  # before the number format is chosen, which is measured with them
    device = machine.choose_device(recipe.model.device)
    there = machine.memory_bytes()
    if device.type != "cpu" or not there:
        return prepared
    wanted = recipe.tuning.memory_gb * 1e9
    shape = memory.shape_of(located)
    dtype = machine.choose_precision(recipe.model.precision, device)
    lengths = [len(item) for item in prepared.train.tokens]
    if not wanted:
        row = memory.longest_row(prepared.recipe, lengths)
        need = memory.needed(shape, prepared.recipe, dtype, row, row)
        if need > there:
            raise ModelError(
                f"this run needs about {need / 1e9:.1f} GB of memory, and this machine has {there / 1e9:.1f} GB. "
                f"tuning.memory_gb={there * 0.8 / 1e9:.0f} makes it fit where that is possible; or take a smaller base"
            )
        return prepared
    chosen, need = memory.fitted(prepared.recipe, shape, dtype, lengths, wanted)
    changes = memory.said(prepared.recipe, chosen)
    say(f"Memory: about {need / 1e9:.1f} GB of {wanted / 1e9:.1f} GB{f', with {changes}' if changes else ''}.")
    return prepare(chosen, prepared.encoder, lambda line: None) if changes else prepared


def _encoder(located: Located, template: str) -> Encoder:
    """The tokenizer with the template asked for, else the one that the base was tuned with, else the best fit."""
    name = located.template if template == "auto" and located.template else template
    return Encoder(load_tokenizer(located), name)


def _dtype(recipe: Recipe, party: Party, before: str = "") -> torch.dtype:
    """The number format to compute in, the first process's choice; sets the threads, with which it is measured.

    before: the number format that a stopped run computed in, which auto then stands for.
    """
    threads = machine.set_threads(recipe.model.threads)
    if party.size > 1 and not recipe.model.threads:
        machine.set_threads(max(1, threads // party.beside))
    wanted = before if before and recipe.model.precision == "auto" else str(recipe.model.precision)

    def chosen() -> str:
        return str(machine.choose_precision(wanted, machine.choose_device(recipe.model.device))) if party.leads else ""

    return torch.bfloat16 if party.each(chosen)[0] == str(torch.bfloat16) else torch.float32


def _load(located: Located, recipe: Recipe, dtype: torch.dtype, watch: Watch, party: Party) -> Loaded:
    """The network in memory; only now, so that a mistake in the data is told within seconds.

    What will lie in parts is loaded into main memory first, since it need not fit on one GPU.
    """
    four_bits = recipe.adapter.kind == "qlora"
    device = own_device(machine.choose_device(recipe.model.device), party)
    first = device if party.size == 1 or four_bits else torch.device("cpu")
    return replace(load(located, first, dtype, watch.say, four_bits=four_bits), device=device)


def _write_down(run: Run, prepared: Prepared) -> dict[str, str]:
    """What the run is made of, in its folder; the SHA-256 of each file."""
    write_text(run.folder / "recipe.yaml", prepared.recipe.to_yaml())
    write_text(run.folder / "certificate.json", prepared.certificate.to_json())
    run.write_held_out(prepared.held.examples)
    return {name: digest_of(run.folder / name) for name in ("recipe.yaml", "certificate.json", "held_out.jsonl")}


def _begin(run: Run, prepared: Prepared, loaded: Loaded, watch: Watch, party: Party) -> Job:
    recipe = prepared.recipe
    in_parts = party.size > 1 and recipe.adapter.kind != "qlora"
    proof = None if in_parts else prove(loaded.network)  # in parts, what is proven is how they work together
    network = within = adapters.add(loaded.network, recipe.adapter, recipe.tuning.seed)
    if recipe.tuning.checkpointing:
        recompute(network)
    layers.quicken(network)
    if in_parts:
        within = shard(network, party, loaded.device, loaded.dtype)
    proof = agreed(party, proof or prove(within, loaded.dtype))
    if not proof.packed:
        watch.say(f"This model is trained one conversation at a time through its own forward: {proof.reason}.")
    state = State(within, Optimizer(adapters.trainable(network), recipe.tuning, party), party=party)
    job = Job(run, recipe, prepared, loaded, state, proof, watch)
    job.base_hash = located_hash(loaded.located)
    return job


def _describe(job: Job) -> None:
    prepared, recipe = job.prepared, job.recipe
    weights, party = sum(weight.numel() for weight in job.state.optimizer.weights.values()), job.state.party
    several = f" in {party.size} processes" if party.size > 1 else ""
    job.watch.say(
        f"Tuning {recipe.model.base} ({recipe.adapter.kind}, {weights / 1e6:,.1f} M weights, "
        f"lr {recipe.tuning.lr:g}) on {len(prepared.train.tokens):,} conversations, "
        f"{len(prepared.plan):,} steps{several}; {len(prepared.held.tokens)} are held out. "
        f"Template: {prepared.encoder.template.name}. Run: {job.run.folder}"
    )
    if party.size > recipe.tuning.batch_size:
        job.watch.say(
            f"Careful: with tuning.batch_size={recipe.tuning.batch_size}, {party.size - recipe.tuning.batch_size} of "
            f"{party.size} processes have nothing to do in any step."
        )
