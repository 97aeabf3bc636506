"""tune(recipe) -> Run: the main job, from files to a tuned model with its evidence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tutelage.errors import ModelError, TuningError, UsageError
from tutelage.model import adapters, layers, machine, memory
from tutelage.model.forward import prove, recompute
from tutelage.model.load import Loaded, Located, load, load_tokenizer, locate, located_hash
from tutelage.recipe import Recipe
from tutelage.text.encode import Encoder
from tutelage.tuning import checkpoint
from tutelage.tuning.evidence import manifest_of
from tutelage.tuning.finish import finish
from tutelage.tuning.fit import State
from tutelage.tuning.optim import Optimizer
from tutelage.tuning.prepare import Prepared, prepare
from tutelage.tuning.run import Run, new_folder, write_text
from tutelage.tuning.work import Job, Watch, progress_of, work


def tune(recipe: Recipe, watch: Watch | None = None) -> Run:
    """Tune a base model on conversations.

    Raises:
        TutelageError: with what is wrong and what to do; SystemExit is never raised here.
    """
    watch = watch or Watch()
    located = locate(recipe.model.base, watch.say)
    encoder = _encoder(located, recipe.model.template)
    prepared = within_memory(prepare(recipe, encoder, watch.say), recipe, located, watch.say)
    prepared.certificate.check()
    network = _load(located, recipe, watch)
    run = _start(prepared)
    job = _begin(run, prepared, network, watch)
    run.write_manifest(manifest_of(job))
    _describe(job)
    work(job)
    return finish(job)


def resume(folder: Path, watch: Watch | None = None) -> Run:
    """Go on with a stopped run from its last checkpoint, with the same numbers as if it had never stopped.

    Raises:
        TuningError: there is no checkpoint, or data, recipe, tokenizer or base have changed since.
        UsageError: the folder is no run, or the run is finished.
    """
    watch = watch or Watch()
    run = Run(folder)
    manifest, recipe = run.manifest(), run.recipe()
    if manifest.finished:
        raise UsageError(f"{folder} is finished; tune again with --base {folder} to go further")
    found = checkpoint.latest(run.checkpoints)
    if found is None:
        raise TuningError(f"{folder} has no checkpoint yet; repeat it with: tutelage tune {folder / 'recipe.yaml'}")
    located = locate(recipe.model.base, watch.say)
    prepared = prepare(recipe, _encoder(located, manifest.template), watch.say)
    prepared.certificate.check()
    job = _begin(run, prepared, _load(located, recipe, watch), watch)
    _take_up(job, found)
    work(job)
    return finish(job)


def within_memory(prepared: Prepared, recipe: Recipe, located: Located, say: Callable[[str], None]) -> Prepared:
    """What was prepared, or prepared again with what `tuning.memory_gb` asks to change; on a CPU only.

    Raises:
        ModelError: the run does not fit, with what it would need.
    """
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


def _load(located: Located, recipe: Recipe, watch: Watch) -> Loaded:
    """The network in memory; only now, so that a mistake in the data is told within seconds."""
    machine.set_threads(recipe.model.threads)
    device = machine.choose_device(recipe.model.device)
    dtype = machine.choose_precision(recipe.model.precision, device)
    return load(located, device, dtype, watch.say, four_bits=recipe.adapter.kind == "qlora")


def _start(prepared: Prepared) -> Run:
    recipe = prepared.recipe
    folder = new_folder(recipe.out, recipe.data.files)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}") from error
    run = Run(folder)
    write_text(folder / "recipe.yaml", recipe.to_yaml())
    write_text(folder / "certificate.json", prepared.certificate.to_json())
    run.write_held_out(prepared.held.examples)
    return run


def _begin(run: Run, prepared: Prepared, loaded: Loaded, watch: Watch) -> Job:
    recipe = prepared.recipe
    proof = prove(loaded.network)
    if not proof.packed:
        watch.say(f"This model is trained one conversation at a time through its own forward: {proof.reason}.")
    network = adapters.add(loaded.network, recipe.adapter, recipe.tuning.seed)
    if recipe.tuning.checkpointing:
        recompute(network)
    layers.quicken(network)
    state = State(network, Optimizer(adapters.trainable(network), recipe.tuning))
    job = Job(run, recipe, prepared, loaded, state, proof, watch)
    job.base_hash = located_hash(loaded.located)
    return job


def _describe(job: Job) -> None:
    prepared, recipe = job.prepared, job.recipe
    weights = sum(weight.numel() for weight in job.state.optimizer.weights.values())
    job.watch.say(
        f"Tuning {recipe.model.base} ({recipe.adapter.kind}, {weights / 1e6:,.1f} M weights, "
        f"lr {recipe.tuning.lr:g}) on {len(prepared.train.tokens):,} conversations, {len(prepared.plan):,} steps; "
        f"{len(prepared.held.tokens)} are held out. Template: {prepared.encoder.template.name}. Run: {job.run.folder}"
    )


def _take_up(job: Job, found: Path) -> None:
    tensors, progress = checkpoint.load(found)
    now = progress_of(job)
    for what in ("data_hash", "recipe_hash", "template_hash", "tokenizer_hash", "base_hash"):
        then, here = getattr(progress, what), getattr(now, what)
        if then != here:
            raise TuningError(
                f"the {what.removesuffix('_hash')} changed since this run was stopped ({then[:12]}… then, {here[:12]}… "
                f"now); bring it back, or start anew with: tutelage tune {job.run.folder / 'recipe.yaml'}"
            )
    job.state.optimizer.restore(tensors)
    job.state.step, job.seconds, job.tokens = progress.step, progress.seconds, progress.tokens
    job.best_loss, job.best_step, job.waited = progress.best_loss, progress.best_step, progress.waited
    for name in ("metrics.jsonl", "samples.jsonl"):
        _cut(job.run.folder / name, progress.step)
    job.run.write_manifest(manifest_of(job))
    job.watch.say(f"Going on after step {progress.step} of {len(job.prepared.plan)}.")


def _cut(path: Path, last: int) -> None:
    """Drop the lines of later steps, which will come again, and one that a killed process left unfinished."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        write_text(path, "".join(f"{line}\n" for line in lines if json.loads(line)["step"] <= last))
