"""A run that was stopped and taken up again against the one that never stopped: the same bits."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import hurting
import tiny
from tutelage.errors import TuningError, UsageError
from tutelage.model import adapters
from tutelage.model.forward import prove
from tutelage.model.load import in_precision
from tutelage.recipe import AdapterSettings, Recipe, TuningSettings
from tutelage.text.pack import Plan, plan
from tutelage.tuning import checkpoint, job
from tutelage.tuning.checkpoint import Progress
from tutelage.tuning.fit import State, fit
from tutelage.tuning.job import resume, tune
from tutelage.tuning.optim import Optimizer
from tutelage.tuning.run import Run, Step
from tutelage.tuning.work import Stopped, Watch

LORA = AdapterSettings(kind="lora", rank=4, dropout=0.2)
FULL = AdapterSettings(kind="full")
SETTINGS = TuningSettings(batch_size=3, lr=1e-3, row_tokens=40, warmup=0.2, weight_decay=0.01)
PLAN: Plan = plan(8, 3, 2.0, 0)


def fresh(kind: AdapterSettings, dtype: torch.dtype, name: str = "llama") -> tuple[State, Any]:
    network = in_precision(tiny.network(name), dtype)
    proof = prove(network)
    tuned = adapters.add(network, kind, 7)
    return State(tuned, Optimizer(adapters.trainable(tuned), SETTINGS)), proof


def progress(step: int) -> Progress:
    return Progress(step, 0.0, 0, None, 0, 0, "r", "d", "t", "k", "b")


def unequal(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> list[str]:
    assert sorted(ours) == sorted(theirs)
    return [name for name in theirs if not torch.equal(ours[name], theirs[name])]


@pytest.mark.parametrize(
    ("name", "kind", "dtype"),
    [
        ("llama", LORA, torch.float32),
        ("llama", FULL, torch.float32),
        ("gemma3", LORA, torch.bfloat16),
        ("gemma3", FULL, torch.bfloat16),
        ("lfm2", LORA, torch.float32),
    ],
)
def test_stopping_after_every_step_changes_no_bit(
    name: str, kind: AdapterSettings, dtype: torch.dtype, tmp_path: Path
) -> None:
    """Weights, moments, losses and norms; random numbers drawn in between do no harm."""
    items = tiny.batch(8)
    state, proof = fresh(kind, dtype, name)
    steps: list[Step] = []
    for step in fit(state, PLAN, items, SETTINGS, proof):
        steps.append(step)
        checkpoint.save(tmp_path / str(step.step), step.step, state.optimizer.tensors(), progress(step.step))
    right = {key: value.clone() for key, value in state.optimizer.tensors().items()}
    assert len(steps) == len(PLAN) == 6
    for stopped in range(1, len(PLAN)):
        again, _ = fresh(kind, dtype, name)
        tensors, found = checkpoint.load(tmp_path / str(stopped) / f"step-{stopped}")
        again.optimizer.restore(tensors)
        again.step = found.step
        torch.rand(stopped)
        rest = list(fit(again, PLAN, items, SETTINGS, proof))
        assert [(one.step, one.loss, one.grad_norm) for one in rest] == [
            (one.step, one.loss, one.grad_norm) for one in steps[stopped:]
        ]
        assert unequal(again.optimizer.tensors(), right) == []


def test_dropout_is_at_work_and_differs_from_step_to_step() -> None:
    """So that the test above is about random numbers too."""
    first, proof = fresh(LORA, torch.float32)
    other, _ = fresh(AdapterSettings(kind="lora", rank=4), torch.float32)
    losses = [[step.loss for step in fit(one, PLAN, tiny.batch(8), SETTINGS, proof)] for one in (first, other)]
    assert losses[0][0] == losses[1][0]  # LoRA starts as the identity
    assert losses[0][1:] != losses[1][1:]


def test_a_weight_that_never_had_a_gradient_is_taken_back_too(tmp_path: Path) -> None:
    network = tiny.network("llama")
    network.extra = torch.nn.Parameter(torch.ones(3))
    state = State(network, Optimizer(adapters.trainable(network), SETTINGS))
    next(fit(state, PLAN, tiny.batch(8), SETTINGS, prove(network)))
    saved = checkpoint.save(tmp_path, 1, state.optimizer.tensors(), progress(1))
    tensors, _ = checkpoint.load(saved)
    again = tiny.network("llama")
    again.extra = torch.nn.Parameter(torch.zeros(3))
    optimizer = Optimizer(adapters.trainable(again), SETTINGS)
    optimizer.restore(tensors)
    assert unequal(optimizer.tensors(), state.optimizer.tensors()) == []


@dataclass
class Onlooker:
    """Asks a run to stop once, by a signal, when a step is done."""

    at: int = 0
    number: int = signal.SIGINT
    said: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def watch(self) -> Watch:
        def stepped(step: Step, planned: int) -> None:
            self.steps.append(step)
            if step.step == self.at:
                os.kill(os.getpid(), self.number)

        return Watch(say=self.said.append, stepped=stepped)


def recipe_for(folder: Path, out: str, **changes: Any) -> Recipe:
    """A run that saves only when it is stopped."""
    return hurting.recipe_for(folder, out, **{"save_every": 0, **changes})


def results(run: Run) -> tuple[dict[str, Tensor], list[tuple[Any, ...]], str]:
    """The tuned weights, what metrics.jsonl says but for times, and the samples."""
    (weights,) = run.tuned.glob("*.safetensors")
    rows = [(s.step, s.loss, s.trained_tokens, s.lr, s.grad_norm, s.held_out_loss) for s in run.steps()]
    return load_file(weights), rows, (run.folder / "samples.jsonl").read_text()


@pytest.mark.parametrize("stopped", [1, 2, 5])
def test_a_run_stopped_by_ctrl_c_and_taken_up_gives_the_same_files(stopped: int, tmp_path: Path) -> None:
    """`tune`, then a signal from the onlooker, then `resume`, on real files."""
    whole = results(tune(recipe_for(tmp_path, "whole")))
    onlooker = Onlooker(stopped)
    with pytest.raises(Stopped, match=f"stopped by Ctrl-C after step {stopped}; .* tutelage resume"):
        tune(recipe_for(tmp_path, "parts"), onlooker.watch())
    run = Run(tmp_path / "parts")
    assert (run.manifest().finished, run.manifest().steps, len(run.steps())) == (False, stopped, stopped)
    assert [path.name for path in run.checkpoints.iterdir()] == [f"step-{stopped}"]
    later = Onlooker()
    run = resume(run.folder, later.watch())
    assert [step.step for step in later.steps] == list(range(stopped + 1, 7))
    weights, rows, samples = results(run)
    assert unequal(weights, whole[0]) == []
    assert rows == whole[1]
    assert samples == whole[2]
    assert run.manifest().finished
    assert list(run.checkpoints.iterdir()) == []


def test_a_full_run_stopped_twice_by_sigterm(tmp_path: Path) -> None:
    whole = results(tune(recipe_for(tmp_path, "whole").model_copy(update={"adapter": FULL})))
    recipe = recipe_for(tmp_path, "parts").model_copy(update={"adapter": FULL})
    with pytest.raises(Stopped, match="SIGTERM"):
        tune(recipe, Onlooker(2, signal.SIGTERM).watch())
    with pytest.raises(Stopped, match="after step 3"):
        resume(tmp_path / "parts", Onlooker(3, signal.SIGTERM).watch())
    run = resume(tmp_path / "parts")
    assert unequal(results(run)[0], whole[0]) == []
    assert results(run)[1:] == whole[1:]
    with pytest.raises(UsageError, match="is finished"):
        resume(run.folder)


def test_a_stop_between_an_improvement_and_the_end_keeps_the_best_weights(tmp_path: Path) -> None:
    """With patience, too, a stopped run ends like one that never stopped: same step, same weights."""
    changes = {"patience": 2, "evaluate_every": 1, "lr": 0.5, "schedule": "constant", "epochs": 5, "samples": 0}
    whole = tune(recipe_for(tmp_path, "whole", **changes))
    last, best = whole.manifest().steps, whole.manifest().best_step
    assert whole.manifest().stopped_early and last == best + 2 < whole.manifest().of_steps
    (right,) = whole.tuned.glob("*.safetensors")
    for stopped in (best, best + 1, last):
        out = f"parts-{stopped}"
        try:
            run = tune(recipe_for(tmp_path, out, **changes), Onlooker(stopped).watch())
        except Stopped:
            run = resume(tmp_path / out)
        (found,) = run.tuned.glob("*.safetensors")
        assert (run.manifest().steps, run.manifest().best_step) == (last, best)
        assert unequal(load_file(found), load_file(right)) == []


def change(run: Run, what: str) -> None:
    """Another data row, weight, setting, tokenizer or template than the run was stopped with."""
    folder = run.folder.parent
    if what == "data":
        tiny.write_rows(folder / "data.jsonl", 13)
    elif what == "base":
        with tiny.quiet_libraries():
            tiny.network("llama", seed=1).save_pretrained(folder / "base")
    elif what == "recipe":
        path = run.folder / "recipe.yaml"
        path.write_text(path.read_text().replace("lr: 0.005", "lr: 0.004"))
    elif what == "tokenizer":
        path = folder / "base" / "tokenizer.json"
        content = json.loads(path.read_text())
        first, second = content["model"]["merges"][-2:]
        content["model"]["merges"][-2:] = [second, first]
        path.write_text(json.dumps(content))
    else:
        path = run.checkpoints / "step-1" / "progress.json"
        path.write_text(path.read_text().replace('"template_hash": "', '"template_hash": "0'))
        names = ("state.safetensors", "progress.json")
        hashes = {name: checkpoint.file_hash(path.parent / name) for name in names}
        (path.parent / "manifest.json").write_text(json.dumps(hashes))


class Crash(Exception):
    """Stands for a process that dies."""


def test_a_run_that_died_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    """Dead after step 5, the checkpoint is of step 4: step 5 comes again and stands once in the logs."""
    changes = {"save_every": 2, "evaluate_every": 1}
    whole = tune(recipe_for(tmp_path, "whole", **changes))

    def stepped(step: Step, planned: int) -> None:
        if step.step == 5:
            raise Crash

    with pytest.raises(Crash):
        tune(recipe_for(tmp_path, "parts", **changes), Watch(stepped=stepped))
    run = Run(tmp_path / "parts")
    assert [path.name for path in run.checkpoints.iterdir()] == ["step-4"]
    assert (len(run.steps()), run.manifest().steps) == (5, 4)
    resume(run.folder)
    assert unequal(results(run)[0], results(whole)[0]) == []
    assert results(run)[1:] == results(whole)[1:]
    assert run.manifest().tokens == whole.manifest().tokens


@pytest.mark.parametrize("what", ["data", "base", "recipe", "tokenizer", "template"])
def test_what_changed_since_is_refused_and_nothing_is_touched(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the base is loaded, which takes long."""
    with pytest.raises(Stopped):
        tune(recipe_for(tmp_path, "run"), Onlooker(1).watch())
    run = Run(tmp_path / "run")
    change(run, what)
    monkeypatch.setattr(job, "load", lambda *args, **more: pytest.fail("loaded"))
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    with pytest.raises(TuningError, match=rf"{what}\S* changed since this run was stopped \(\w+… then, \w+… now\)"):
        resume(run.folder)
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before


def test_a_setting_that_the_numbers_follow_from_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Stopped):
        tune(recipe_for(tmp_path, "run"), Onlooker(1).watch())
    monkeypatch.setattr(job, "prepare", lambda *args, **more: pytest.fail("prepared"))
    with pytest.raises(TuningError, match=r"the recipe changed since this run was stopped"):
        resume(tmp_path / "run", overrides=["tuning.lr=0.004"])


@pytest.mark.parametrize("what", ["data", "base", "recipe", "template"])
def test_changes_may_be_accepted_and_are_written_down(what: str, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        tune(recipe_for(tmp_path, "run"), Onlooker(1).watch())
    run = Run(tmp_path / "run")
    change(run, what)
    onlooker = Onlooker()
    resume(run.folder, onlooker.watch(), accept_changes=True)
    assert any(f"Careful: the {what} changed since this run was stopped" in line for line in onlooker.said)
    assert onlooker.steps[0].step == 2
    manifest = run.manifest()
    assert manifest.finished
    assert [list(note["changed"]) for note in manifest.resumed] == [[what]]
    run.check_files()


def test_what_does_not_touch_the_numbers_may_change(tmp_path: Path) -> None:
    whole = results(tune(recipe_for(tmp_path, "whole")))
    with pytest.raises(Stopped):
        tune(recipe_for(tmp_path, "run"), Onlooker(2).watch())
    run = resume(tmp_path / "run", None, ["tuning.save_every=1", "tuning.keep_checkpoint=true", "compare.prompts=3"])
    assert unequal(results(run)[0], whole[0]) == []
    assert run.recipe().tuning.save_every == 1
    assert [note["changed"] for note in run.manifest().resumed] == [{}]


@pytest.mark.parametrize("finished", [False, True])
def test_more_epochs_are_the_steps_that_a_longer_run_would_have_had(finished: bool, tmp_path: Path) -> None:
    """With a constant rate the longer run is the same to the bit, whether the shorter one had ended or was stopped."""
    changes = {"schedule": "constant", "warmup": 0.0, "keep_checkpoint": True}
    longer = tune(recipe_for(tmp_path, "longer", **changes | {"epochs": 3}))
    if finished:
        tune(recipe_for(tmp_path, "run", **changes))
    else:
        with pytest.raises(Stopped):
            tune(recipe_for(tmp_path, "run", **changes), Onlooker(4).watch())
    run = resume(tmp_path / "run", None, ["tuning.epochs=3"])
    assert unequal(results(run)[0], results(longer)[0]) == []
    assert results(run)[1] == results(longer)[1]
    assert (run.manifest().steps, run.recipe().tuning.epochs) == (9, 3.0)
    run.check_files()


def test_a_finished_run_that_kept_no_checkpoint_says_how_to_go_further(tmp_path: Path) -> None:
    run = tune(recipe_for(tmp_path, "run"))
    with pytest.raises(UsageError, match=r"kept no checkpoint .*tune again with --base"):
        resume(run.folder, None, ["tuning.epochs=3"])
    with pytest.raises(UsageError, match=r"is finished; more of it: tutelage resume .* tuning\.epochs=N"):
        resume(run.folder)


def test_other_threads_are_told_and_change_next_to_nothing(tmp_path: Path) -> None:
    whole = results(tune(recipe_for(tmp_path, "whole", lr=1e-4)))[0]
    with pytest.raises(Stopped):
        tune(recipe_for(tmp_path, "run", lr=1e-4), Onlooker(1).watch())
    onlooker = Onlooker()
    found = results(resume(tmp_path / "run", onlooker.watch(), ["model.threads=2"]))[0]
    torch.set_num_threads(1)
    assert max(float((found[name] - whole[name]).abs().max()) for name in whole) < 1e-6
    assert any("threads 1 then, 2 now" in line and "last digits" in line for line in onlooker.said)


def test_a_run_goes_on_in_the_number_format_that_it_began_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the recipe leaves it open, another machine would choose another one."""
    recipe = recipe_for(tmp_path, "run")
    recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"precision": "auto"})})
    chosen = {"here": torch.bfloat16}

    def choose(wanted: str, device: torch.device) -> torch.dtype:
        return chosen["here"] if wanted == "auto" else getattr(torch, wanted)

    monkeypatch.setattr("tutelage.model.machine.choose_precision", choose)
    with pytest.raises(Stopped):
        tune(recipe, Onlooker(1).watch())
    chosen["here"] = torch.float32
    onlooker = Onlooker()
    run = resume(tmp_path / "run", onlooker.watch())
    assert run.manifest().machine["precision"] == "bfloat16"
    assert not any("last digits" in line for line in onlooker.said)


def test_nothing_is_encoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = results(tune(recipe_for(tmp_path, "whole")))
    with pytest.raises(Stopped):
        tune(recipe_for(tmp_path, "run"), Onlooker(3).watch())

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr("tutelage.tuning.prepare.encode_all", refuse)
    run = resume(tmp_path / "run")
    assert unequal(results(run)[0], whole[0]) == []
    assert not run.tokens.exists()


def test_a_checkpoint_is_written_by_the_clock(tmp_path: Path) -> None:
    """Kept often enough, it changes nothing; a run that dies loses no more than that time."""
    whole = results(tune(recipe_for(tmp_path, "whole")))

    def stepped(step: Step, planned: int) -> None:
        if step.step == 4:
            raise Crash

    with pytest.raises(Crash):
        tune(recipe_for(tmp_path, "run", save_minutes=1e-9), Watch(stepped=stepped))
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-3"]
    assert unequal(results(resume(tmp_path / "run"))[0], whole[0]) == []


def test_a_run_without_a_checkpoint_cannot_be_taken_up(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        tune(recipe_for(tmp_path, "run"), Onlooker(1).watch())
    run = Run(tmp_path / "run")
    next(run.checkpoints.iterdir()).rename(tmp_path / "away")
    with pytest.raises(TuningError, match=r"has no checkpoint yet; repeat it with: tutelage tune .*recipe\.yaml"):
        resume(run.folder)


def test_a_line_of_metrics_that_was_cut_off_does_no_harm(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        tune(recipe_for(tmp_path, "run"), Onlooker(2).watch())
    metrics = tmp_path / "run" / "metrics.jsonl"
    metrics.write_text(metrics.read_text() + '{"step": 3, "loss": 2.')
    run = resume(tmp_path / "run")
    assert [step.step for step in run.steps()] == [1, 2, 3, 4, 5, 6]
