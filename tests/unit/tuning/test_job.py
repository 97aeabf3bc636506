"""tune(recipe) -> Run on a tiny model with real files: what it leaves behind, that it repeats, when it refuses."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

import tiny
from tutelage.errors import CertificateError, DataError, TuningError, UsageError
from tutelage.model import adapters
from tutelage.model import load as loading
from tutelage.model.load import load, locate, located_hash
from tutelage.model.machine import quiet_libraries, weights_hash
from tutelage.recipe import Recipe, build, read_recipe
from tutelage.text.encode import Encoder
from tutelage.tuning import job as jobs
from tutelage.tuning import work as working
from tutelage.tuning.checkpoint import latest
from tutelage.tuning.checkpoint import load as load_checkpoint
from tutelage.tuning.job import tune
from tutelage.tuning.prepare import prepare
from tutelage.tuning.run import Run, is_run
from tutelage.tuning.work import Watch

CPU = torch.device("cpu")
FILES = ["recipe.yaml", "manifest.json", "certificate.json", "metrics.jsonl", "checkpoints"]
FILES += ["held_out.jsonl", "samples.jsonl"]
METRICS = ["step", "loss", "tokens", "trained_tokens", "tokens_per_second", "lr", "grad_norm", "seconds"]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("bases")
    for name in ("llama", "granite"):
        tiny.save(folder / name, name)
    return folder


def recipe_for(bases: Path, tmp_path: Path, *overrides: str, base: str = "llama", rows: int = 10) -> Recipe:
    settings = {
        "data": {"files": [str(tiny.write_rows(tmp_path / "faq.jsonl", rows))], "hold_out": 0.2},
        "model": {"base": str(bases / base), "device": "cpu", "precision": "float32", "threads": 1},
        "adapter": {"rank": 4},
        "tuning": {"batch_size": 4, "epochs": 2, "lr": 0.005, "samples": 1},
        "out": str(tmp_path / "run"),
    }
    return build(settings, overrides)


def measured(run: Run) -> list[tuple[Any, ...]]:
    """The metrics that do not depend on the clock."""
    return [(s.step, s.loss, s.tokens, s.trained_tokens, s.lr, s.grad_norm, s.held_out_loss) for s in run.steps()]


@pytest.mark.parametrize("kind", ["lora", "qlora", "full"])
def test_what_a_run_leaves_behind(kind: str, bases: Path, tmp_path: Path) -> None:
    said: list[str] = []
    seen: list[tuple[int, int]] = []
    shown: list[tuple[str, str]] = []
    watch = Watch(
        say=said.append,
        stepped=lambda step, planned: seen.append((step.step, planned)),
        sampled=lambda question, answer: shown.append((question, answer)),
    )
    recipe = recipe_for(bases, tmp_path, f"adapter.kind={kind}")
    run = tune(recipe, watch)
    tuned = "model" if kind == "full" else "adapter"
    assert sorted(path.name for path in run.folder.iterdir()) == sorted(
        [
            tuned,
            *[
                "recipe.yaml",
                "manifest.json",
                "certificate.json",
                "metrics.jsonl",
                "held_out.jsonl",
                "samples.jsonl",
                "checkpoints",
                ".lock",
            ],
        ]
    )
    assert is_run(run.folder) and list(run.checkpoints.iterdir()) == []
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [list(line)[:8] for line in lines] == [METRICS] * 4
    assert [line.get("held_out_loss") is not None for line in lines] == [False, True, False, True]
    assert seen == [(step, 4) for step in range(1, 5)]
    assert lines[-1]["loss"] < lines[0]["loss"]
    certificate = json.loads((run.folder / "certificate.json").read_text())
    assert certificate["passed"] and (certificate["rows_read"], certificate["examples"]) == (10, 8)
    assert run.held_out()[0].conversation.prompt[0].text == shown[0][0]
    assert len(run.held_out()) == 2 and len(shown) == 2
    manifest = run.manifest()
    assert (manifest.finished, manifest.steps, manifest.of_steps, manifest.best_step) == (True, 4, 4, 4)
    assert (manifest.adapter, manifest.template, manifest.engine["packed"]) == (kind, "plain", True)
    assert manifest.hashes["data"] == certificate["data_hash"]
    assert manifest.hashes["tuned"] == weights_hash(run.tuned)
    assert manifest.base["weights_hash"] == located_hash(locate(str(bases / "llama"), print))
    assert manifest.tokens == sum(line["tokens"] for line in lines)
    assert run.recipe().tuning == recipe.tuning
    assert any("10 rows" in line for line in said)


def test_four_bits_are_for_a_plain_base_and_need_bitsandbytes(
    bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tune(recipe_for(bases, tmp_path, "tuning.max_steps=1"))
    further = ("adapter.kind=qlora", f"model.base={run.folder}", f"out={tmp_path / 'further'}")
    with pytest.raises(UsageError, match="only a plain base can be tuned in 4 bits"):
        tune(recipe_for(bases, tmp_path, *further))
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="needs bitsandbytes: pip install"):
        tune(recipe_for(bases, tmp_path, "adapter.kind=qlora", f"out={tmp_path / 'without'}"))


def test_the_tuned_model_loads_as_it_ended(bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full run is a Hugging Face folder, a LoRA run a PEFT adapter: both give the logits of the last step."""
    ends: list[Any] = []
    real = jobs.finish
    monkeypatch.setattr(jobs, "finish", lambda job: (ends.append(job), real(job))[1])
    ids = torch.from_numpy(tiny.tokens(20, 1).ids.astype("int64"))[None]
    for kind in ("lora", "full"):
        overrides = (f"adapter.kind={kind}", f"out={tmp_path / kind}", "tuning.epochs=1")
        run = tune(recipe_for(bases, tmp_path, *overrides))
        network = ends[-1].state.network.eval()
        with torch.no_grad():
            right = network(input_ids=ids).logits
            loaded = load(str(run.folder), CPU, torch.float32, print)
            tiny.agree(loaded.network(input_ids=ids).logits, right, 1e-5, 1e-6)
            assert loaded.network is not network
        assert PreTrainedTokenizerFast.from_pretrained(run.tuned).chat_template is not None
        assert Encoder(loaded.tokenizer, loaded.located.template).template.name == "plain"
    stops = json.loads((run.tuned / "generation_config.json").read_text())["eos_token_id"]
    assert stops in (1, [1])
    with quiet_libraries():
        adapter = PeftModel.from_pretrained(tiny.network("llama"), str(tmp_path / "lora" / "adapter"))
    assert len(adapters.trainable(adapter)) == 0 and "lora" in str(adapter)


@pytest.mark.parametrize("kind", ["lora", "qlora", "full"])
def test_the_resolved_recipe_repeats_the_run_bit_for_bit(kind: str, bases: Path, tmp_path: Path) -> None:
    """Defaults are filled in; the second run has the same hashes, the same metrics and the same weights."""
    overrides = (f"adapter.kind={kind}", "tuning.lr=0", "tuning.epochs=0", "adapter.dropout=0.1")
    first = tune(recipe_for(bases, tmp_path, *overrides))
    resolved = build(read_recipe(first.folder / "recipe.yaml"))
    assert resolved.tuning.lr > 0 and resolved.tuning.epochs > 0
    second = tune(resolved.model_copy(update={"out": str(tmp_path / "again")}))
    hashes = [dict(run.manifest().hashes) for run in (first, second)]
    assert [found.pop("recipe") for found in hashes] == [first.recipe().hash(), second.recipe().hash()]
    assert hashes[0] == hashes[1]
    assert measured(first) == measured(second)
    weights = [load_file(next(run.tuned.glob("*.safetensors"))) for run in (first, second)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_another_seed_gives_another_order_but_the_same_hold_out(bases: Path, tmp_path: Path) -> None:
    runs = [
        tune(recipe_for(bases, tmp_path, f"tuning.seed={seed}", f"out={tmp_path / seed}", "tuning.max_steps=1"))
        for seed in ("0", "1")
    ]
    assert runs[0].steps()[0].loss != runs[1].steps()[0].loss
    assert [example.id for example in runs[0].held_out()] == [example.id for example in runs[1].held_out()]
    assert runs[0].manifest().hashes["data"] == runs[1].manifest().hashes["data"]


def test_max_steps_and_saving_along_the_way(bases: Path, tmp_path: Path) -> None:
    found: list[list[str]] = []
    folder = tmp_path / "run" / "checkpoints"
    watch = Watch(
        stepped=lambda step, planned: found.append(sorted(p.name for p in folder.iterdir()) if folder.exists() else [])
    )
    overrides = ("tuning.max_steps=3", "tuning.save_every=1", "tuning.keep_checkpoint=true")
    run = tune(recipe_for(bases, tmp_path, *overrides), watch)
    assert len(run.steps()) == run.manifest().of_steps == 3
    assert found == [[], ["step-1"], ["step-2"]]
    assert [path.name for path in folder.iterdir()] == ["step-3"]
    whole = tune(recipe_for(bases, tmp_path, f"out={tmp_path / 'whole'}"))
    assert measured(run)[0][1] == measured(whole)[0][1]


def test_a_held_out_file_is_measured_and_never_trained_on(bases: Path, tmp_path: Path) -> None:
    held = tiny.write_rows(tmp_path / "held.jsonl", 3, start=20)
    run = tune(recipe_for(bases, tmp_path, f"data.held_out={held}"))
    certificate = json.loads((run.folder / "certificate.json").read_text())
    assert (certificate["examples"], certificate["held_out"]) == (10, 0)
    assert [example.conversation.prompt[0].text for example in run.held_out()] == [
        json.loads(line)["prompt"] for line in held.read_text().splitlines()
    ]
    assert run.steps()[-1].held_out_loss is not None


def test_without_a_hold_out_nothing_is_measured(bases: Path, tmp_path: Path) -> None:
    run = tune(recipe_for(bases, tmp_path, "data.hold_out=0"))
    assert [step.held_out_loss for step in run.steps()] == [None] * len(run.steps())
    assert run.held_out() == () and not (run.folder / "samples.jsonl").exists()


def test_a_failing_certificate_refuses_to_start(bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the model is loaded, and before a folder is made."""

    def damaged(recipe: Recipe, encoder: Encoder, say: Any) -> Any:
        prepared = prepare(recipe, encoder, say)
        return replace(prepared, certificate=replace(prepared.certificate, stops_trained=0))

    monkeypatch.setattr(jobs, "prepare", damaged)
    monkeypatch.setattr(jobs, "load", lambda *_: pytest.fail("the model was loaded"))
    with pytest.raises(CertificateError, match="the stop token is trained in 0 of 8 answers"):
        tune(recipe_for(bases, tmp_path))
    assert not (tmp_path / "run").exists()


def test_what_else_stops_a_run_before_it_starts(bases: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        tune(recipe_for(bases, tmp_path, "data.files=[nowhere.jsonl]"))
    with pytest.raises(DataError, match="no conversation is left to train on"):
        tune(recipe_for(bases, tmp_path, "tuning.max_length=8"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists and is not empty"):
        tune(recipe_for(bases, tmp_path))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["note.txt"]


def test_patience_keeps_the_best_weights(bases: Path, tmp_path: Path) -> None:
    """A rate far too high: it stops early, and the tuned model has the held-out loss of its best step."""
    overrides = ("tuning.lr=0.3", "tuning.schedule=constant", "tuning.epochs=8", "tuning.patience=2")
    run = tune(recipe_for(bases, tmp_path, *overrides, "tuning.evaluate_every=1", "tuning.keep_checkpoint=true"))
    manifest, steps = run.manifest(), run.steps()
    losses = [step.held_out_loss for step in steps]
    best = min(range(len(losses)), key=lambda place: losses[place] or math.inf)
    assert manifest.stopped_early and manifest.steps == len(steps) < manifest.of_steps
    assert manifest.best_step == best + 1 == len(steps) - 2
    again = tune(recipe_for(bases, tmp_path, *overrides, f"tuning.max_steps={best + 1}", f"out={tmp_path / 'b'}"))
    weights = [load_file(next(found.tuned.glob("*.safetensors"))) for found in (run, again)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    newest = latest(run.checkpoints)
    assert newest is not None and [path.name for path in run.checkpoints.iterdir()] == [f"step-{len(steps)}"]
    tensors, _ = load_checkpoint(newest)
    last = {name[7:].replace(".default", ""): value for name, value in tensors.items() if name.startswith("master/")}
    assert last.keys() == weights[0].keys()
    assert not any(torch.equal(last[name], weights[0][name]) for name in last)


def test_a_held_out_loss_that_is_no_number_is_never_the_best(
    bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([math.nan, 5.0, 4.0, math.nan])
    monkeypatch.setattr(working, "held_out_loss", lambda *_: next(found))
    run = tune(recipe_for(bases, tmp_path, "tuning.evaluate_every=1", "tuning.patience=3"))
    assert [step.held_out_loss for step in run.steps()] == [None, 5.0, 4.0, None]
    assert run.manifest().best_step == 3


def test_without_patience_the_tuned_model_is_the_last_one(
    bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the hold-out says; and the manifest says so."""
    found = iter([1.0, 2.0])
    monkeypatch.setattr(working, "held_out_loss", lambda *_: next(found))
    run = tune(recipe_for(bases, tmp_path))
    assert [step.held_out_loss for step in run.steps()] == [None, 1.0, None, 2.0]
    assert run.manifest().best_step == run.manifest().steps == 4


def test_rows_that_break_the_loss_are_named_and_the_checkpoint_stays(bases: Path, tmp_path: Path) -> None:
    """A weight is damaged after step 2: the run stops before step 3, naming files and rows."""
    recipe = recipe_for(bases, tmp_path, "tuning.save_every=2", "adapter.kind=full", "tuning.batch_size=2")
    held: list[Any] = []

    def stepped(step: Any, planned: int) -> None:
        if step.step == 2:
            with torch.no_grad():
                held[0].state.network.model.norm.weight[0] = math.nan

    watch = Watch(stepped=stepped)
    begin = jobs._begin

    def noting(*given: Any) -> Any:
        held.append(begin(*given))
        return held[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "_begin", noting)
        with pytest.raises(TuningError) as caught:
            tune(recipe, watch)
    text = str(caught.value)
    assert "step 3: the loss is not a number" in text and f"{tmp_path / 'faq.jsonl'}:" in text
    assert "the checkpoint step-2 is untouched" in text
    run = Run(tmp_path / "run")
    assert len(run.steps()) == 2 and not run.manifest().finished
    assert not (run.folder / "model").exists()
    newest = latest(run.checkpoints)
    assert newest is not None and newest.name == "step-2"


def test_a_full_disk_is_told_in_one_sentence(bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While logging (/dev/full stands for the disk), and while the tuned model is written."""

    def stepped(step: Any, planned: int) -> None:
        metrics = tmp_path / "run" / "metrics.jsonl"
        metrics.unlink()
        metrics.symlink_to("/dev/full")

    with pytest.raises(TuningError, match=r"metrics\.jsonl: cannot be written: No space left on device"):
        tune(recipe_for(bases, tmp_path), Watch(stepped=stepped))

    def full(*_: Any) -> None:
        raise SafetensorError("No space left on device (os error 28)")

    monkeypatch.setattr(adapters, "save_adapter", full)
    with pytest.raises(TuningError, match=r"the tuned model cannot be written to .*adapter: No space left"):
        tune(recipe_for(bases, tmp_path, f"out={tmp_path / 'second'}"))
    assert not Run(tmp_path / "second").manifest().finished


def test_a_model_that_cannot_share_rows_is_tuned_and_says_so(bases: Path, tmp_path: Path) -> None:
    said: list[str] = []
    run = tune(recipe_for(bases, tmp_path, base="granite"), Watch(say=said.append))
    assert any("one conversation at a time through its own forward" in line for line in said)
    engine = run.manifest().engine
    assert (engine["packed"], "logits_scaling" in engine["reason"]) == (False, True)
    assert run.steps()[-1].loss < run.steps()[0].loss


def test_recomputed_activations_change_no_bit_of_a_run(
    bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    real = jobs.recompute
    monkeypatch.setattr(jobs, "recompute", lambda network: (asked.append(network), real(network)))
    runs = [
        tune(recipe_for(bases, tmp_path, f"tuning.checkpointing={on}", "adapter.dropout=0.2", f"out={tmp_path / on}"))
        for on in ("true", "false")
    ]
    assert [any(getattr(part, "gradient_checkpointing", False) for part in one.modules()) for one in asked] == [True]
    assert measured(runs[0]) == measured(runs[1])
