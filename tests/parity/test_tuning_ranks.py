"""One process, two and four: the same losses, weights and files, whichever did which rows."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM

import ranks
import tiny
from tutelage.errors import TutelageError
from tutelage.recipe import AdapterSettings, Recipe, TuningSettings, build
from tutelage.text.encode import Tokens
from tutelage.text.pack import Plan, plan
from tutelage.tuning import checkpoint
from tutelage.tuning.checkpoint import Progress
from tutelage.tuning.distributed import ALONE, Party
from tutelage.tuning.fit import fit, held_out_loss
from tutelage.tuning.job import resume, tune
from tutelage.tuning.run import Run
from tutelage.tuning.work import Watch

FULL = AdapterSettings(kind="full")
LORA = AdapterSettings(kind="lora", rank=4)
CASES = {
    "llama-full": ("llama", FULL, 64),
    "llama-lora": ("llama", LORA, 64),
    "gemma3-full": ("gemma3", FULL, 64),
    "gemma3-lora": ("gemma3", LORA, 64),
    "llama-full-uneven": ("llama", FULL, 1),
    "lfm2-full": ("lfm2", FULL, 64),
}
PLAN: Plan = plan(12, 8, 7.0, 0)


def items() -> list[Tokens]:
    """Three long examples and nine short ones, so that in rows of one example some processes have few."""
    lengths = (44, 5, 40, 9, 7, 12, 46, 6, 8, 10, 11, 4)
    return [tiny.tokens(length, seed) for seed, length in enumerate(lengths)]


def settings(**changes: Any) -> TuningSettings:
    return TuningSettings(**{"batch_size": 8, "lr": 1e-4, "clip": 0.5, "weight_decay": 0.01} | changes)


def results(case: str, party: Party = ALONE) -> dict[str, Tensor]:
    """Losses, norms and hold-out losses of ten steps, and the weights after them."""
    name, kind, room = CASES[case]
    chosen = settings(row_tokens=room)
    state, proof = ranks.begun(name, kind, chosen, party)
    seen = []
    for step in fit(state, PLAN, items(), chosen, proof):
        held = held_out_loss(state.network, items()[:5], proof, room, party) if step.step % 3 == 0 else 0.0
        seen.append((step.loss, step.grad_norm, held, step.tokens, step.trained_tokens))
        if step.step == 10:
            break
    return {"seen": torch.tensor(seen, dtype=torch.float64), **ranks.weights(state)}


def run_cases(party: Party, folder: Path) -> None:
    for case in CASES:
        found = results(case, party)
        if party.leads:
            ranks.keep(folder / f"{case}.safetensors", **found)


@pytest.fixture(scope="module", params=[2, 4])
def several(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of all cases, in so many processes."""
    folder = tmp_path_factory.mktemp(f"ranks-{request.param}")
    ranks.together(request.param, run_cases, folder, within=100)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_several_processes_give_what_one_gives(case: str, several: Path) -> None:
    """Ten steps with clipping and decay: losses, norms and hold-out losses, and the largest difference of a weight."""
    alone, found = results(case), ranks.kept(several / f"{case}.safetensors")
    assert sorted(alone) == sorted(found)
    tiny.agree(found["seen"], alone["seen"], 1e-6, 1e-7)
    worst = max(float((found[name] - alone[name]).abs().max()) for name in alone if name != "seen")
    print(f"{several.name} {case}: largest difference of a weight {worst:.1e}")
    assert worst < 1e-6


# --- saved on some, taken up by others --------------------------------------------------------------------------------


def from_to(party: Party, folder: Path, case: str, first: int, last: int) -> None:
    """Steps `first` to `last`, the state before them from a checkpoint and that after them to one."""
    name, kind, room = CASES[case]
    chosen = settings(row_tokens=room)
    state, proof = ranks.begun(name, kind, chosen, party)
    if first:
        found = checkpoint.latest(folder)
        assert found is not None
        tensors, progress = checkpoint.load(found, party, state.optimizer.rows())
        state.optimizer.restore(tensors)
        state.step = progress.step
    for step in fit(state, PLAN, items(), chosen, proof):
        if step.step == last:
            break
    where = Progress(last, 0.0, 0, None, 0, 0, "r", "d", "t", "k", "b")
    checkpoint.save(folder, last, state.optimizer.tensors(), where, party, state.optimizer.rows())


@pytest.mark.parametrize("sizes", [(2, 1, 2), (1, 4, 3)])
@pytest.mark.parametrize("case", ["gemma3-full", "llama-lora"])
def test_saved_on_some_processes_and_resumed_on_others(case: str, sizes: tuple[int, ...], tmp_path: Path) -> None:
    """Weights and both moments after ten steps, against one process that never stopped."""
    from_to(ALONE, tmp_path / "whole", case, 0, 10)
    for size, first, last in zip(sizes, (0, 3, 7), (3, 7, 10), strict=True):
        if size == 1:
            from_to(ALONE, tmp_path / "parts", case, first, last)
        else:
            ranks.together(size, from_to, tmp_path / "parts", case, first, last)
        files = {path.name for path in (tmp_path / "parts" / f"step-{last}").iterdir()}
        assert len(files) == size + 2 and not any(name.endswith((".pt", ".pkl", ".metadata")) for name in files)
    right, found = (checkpoint.load(tmp_path / name / "step-10")[0] for name in ("whole", "parts"))
    assert sorted(right) == sorted(found)
    worst = max(float((found[name] - right[name]).abs().max()) for name in right)
    print(f"{case} on {sizes}: largest difference of weights and moments {worst:.1e}")
    assert worst < 1e-6


def test_a_damaged_part_is_noticed_by_all(tmp_path: Path) -> None:
    ranks.together(2, from_to, tmp_path, "llama-full", 0, 1)
    part = tmp_path / "step-1" / "state-2-of-2.safetensors"
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    with pytest.raises(TutelageError, match=r"state-2-of-2\.safetensors is damaged"):
        checkpoint.load(tmp_path / "step-1")
    ranks.together(2, refused, tmp_path)


def refused(party: Party, folder: Path) -> None:
    with pytest.raises(TutelageError, match="is damaged"):
        checkpoint.load(folder / "step-1", party)


# --- whole runs -------------------------------------------------------------------------------------------------------


def recipe_for(folder: Path, out: str, kind: str, name: str = "llama", **changes: Any) -> Recipe:
    base, data = folder / f"base-{name}", folder / "data.jsonl"
    if not base.exists():
        tiny.save(base, name)
        tiny.write_rows(data, 12)
    made = {
        "data": {"files": [str(data)], "hold_out": 0.2},
        "model": {"base": str(base), "device": "cpu", "precision": "float32", "threads": 1},
        "adapter": {"kind": kind, "rank": 4},
        "tuning": {"batch_size": 4, "epochs": 2, "lr": 1e-4, "evaluate_every": 2, "row_tokens": 64} | changes,
        "out": str(folder / out),
    }
    return build(made)


def tuned_weights(run: Run) -> dict[str, Tensor]:
    (path,) = run.tuned.glob("*.safetensors")
    found: dict[str, Tensor] = load_file(path)
    return found


def whole_runs(party: Party, recipes: list[Recipe], told: Path) -> None:
    for recipe in recipes:
        seen: list[str] = []
        run = tune(recipe, Watch(seen.append, lambda step, _, seen=seen: seen.append(f"step {step.step}")))
        (told / f"{Path(recipe.out).name}-{party.rank}.json").write_text(json.dumps([str(run.folder), seen]))


def test_whole_runs_in_two_processes(tmp_path: Path) -> None:
    """The same folder as one process's, which plain transformers and PEFT load; and one does all the talking."""
    kinds = {"lora": "llama", "full": "gemma3"}
    ones = {kind: tune(recipe_for(tmp_path, f"one-{kind}", kind, name)) for kind, name in kinds.items()}
    recipes = [recipe_for(tmp_path, f"two-{kind}", kind, name, patience=5) for kind, name in kinds.items()]
    ranks.together(2, whole_runs, recipes, tmp_path)
    for kind, name in kinds.items():
        one, two = ones[kind], Run(tmp_path / f"two-{kind}")
        assert two.manifest().finished and two.manifest().machine["processes"] == 2
        right, found = tuned_weights(one), tuned_weights(two)
        assert sorted(right) == sorted(found)
        assert max(float((found[key] - right[key]).abs().max()) for key in right) < 1e-6
        same = {"recipe.yaml", "samples.jsonl"}
        assert {path.name for path in two.folder.iterdir()} | same == {
            path.name for path in one.folder.iterdir()
        } | same
        assert {path.name for path in two.tuned.iterdir()} == {path.name for path in one.tuned.iterdir()}
        assert (two.tuned / "tokenizer.json").read_bytes() == (one.tuned / "tokenizer.json").read_bytes()
        for ours, theirs in zip(two.steps(), one.steps(), strict=True):
            assert (ours.step, ours.tokens, ours.trained_tokens) == (theirs.step, theirs.tokens, theirs.trained_tokens)
            assert abs(ours.loss - theirs.loss) < 1e-6 * theirs.loss
            assert (ours.held_out_loss is None) == (theirs.held_out_loss is None)
            assert abs((ours.held_out_loss or 0) - (theirs.held_out_loss or 0)) < 1e-5
        folders, said = zip(
            *(json.loads((tmp_path / f"two-{kind}-{rank}.json").read_text()) for rank in range(2)), strict=True
        )
        assert folders == (str(two.folder),) * 2
        assert said[0].count("step 1") == 1 and said[1] == []
        logits = []
        for run in (one, two):
            path = run.tuned if kind == "full" else tmp_path / f"base-{name}"
            with tiny.quiet_libraries():
                network: Any = AutoModelForCausalLM.from_pretrained(path)
                network = PeftModel.from_pretrained(network, str(run.tuned)) if kind == "lora" else network
            with torch.no_grad():
                logits.append(network.eval()(input_ids=torch.arange(2, 30)[None]).logits)
        tiny.agree(logits[1], logits[0], 1e-5, 1e-6)


def best_run(party: Party, recipe: Recipe) -> None:
    tune(recipe)


def test_the_best_weights_are_kept_in_parts_too(tmp_path: Path) -> None:
    """A rate far too high, with patience: both stop at the same step, and keep the same earlier one's weights."""
    changes = {"lr": 0.02, "schedule": "constant", "warmup": 0.0, "epochs": 6, "patience": 2, "evaluate_every": 1}
    one = tune(recipe_for(tmp_path, "one", "full", **changes))
    ranks.together(2, best_run, recipe_for(tmp_path, "two", "full", **changes))
    two = Run(tmp_path / "two")
    assert one.manifest().stopped_early and two.manifest().stopped_early
    assert one.manifest().best_step == two.manifest().best_step < one.manifest().steps == two.manifest().steps
    right, found = tuned_weights(one), tuned_weights(two)
    assert max(float((found[key] - right[key]).abs().max()) for key in right) < 1e-4  # at two hundred times the rate
    assert list(two.checkpoints.iterdir()) == []


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="4 bits need bitsandbytes")
def test_qlora_in_two_processes(tmp_path: Path) -> None:
    """Each holds the whole base in 4 bits; the small matrices get the gradients of both."""
    one = tune(recipe_for(tmp_path, "one", "qlora"))
    ranks.together(2, best_run, recipe_for(tmp_path, "two", "qlora"))
    right, found = tuned_weights(one), tuned_weights(Run(tmp_path / "two"))
    assert max(float((found[key] - right[key]).abs().max()) for key in right) < 1e-6


def long_recipe(folder: Path, kind: str) -> Recipe:
    return recipe_for(folder, "run", kind, epochs=200, save_every=5, evaluate_every=1000, samples=0)


def one_run(recipe: Recipe, folder: Path) -> None:
    """Tunes, or goes on; what it ended with is kept in a file for each process."""
    try:
        tune(recipe)
        text = "done"
    except TutelageError as error:
        text = f"{type(error).__name__}: {error}"
    (folder / f"end-{os.environ['RANK']}").write_text(text)


def steps_done(run: Path) -> int:
    path = run / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for(ready: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(("kind", "number", "to"), [("lora", signal.SIGTERM, 1), ("full", signal.SIGUSR1, 0)])
def test_a_signal_to_one_process_saves_and_ends_all(kind: str, number: signal.Signals, to: int, tmp_path: Path) -> None:
    """And the run goes on, with one process fewer."""
    made = ranks.begin(2, one_run, long_recipe(tmp_path, kind), tmp_path)
    wait_for(lambda: steps_done(tmp_path / "run") >= 3)
    os.kill(made[to].pid, number)
    assert ranks.ended(made, 30) == [0, 0]
    ends = [(tmp_path / f"end-{rank}").read_text() for rank in range(2)]
    stopped = re.fullmatch(rf"Stopped: stopped by {number.name} after step (\d+); it is saved. .*", ends[0])
    assert stopped and ends[1].startswith(f"Stopped: stopped by {number.name} after step {stopped[1]};")
    run, step = Run(tmp_path / "run"), int(stopped[1])
    assert [path.name for path in run.checkpoints.iterdir()] == [f"step-{step}"]
    assert run.manifest().steps == step == len(run.steps()) and not run.manifest().finished
    said: list[str] = []
    resume(run.folder, Watch(said.append), [f"tuning.max_steps={step + 2}"])
    assert [one.step for one in run.steps()] == list(range(1, step + 3)) and run.manifest().finished
    assert any("processes 2 then, 1 now" in line for line in said)


def test_a_killed_process_ends_the_other_with_a_reason(tmp_path: Path) -> None:
    """Without torchrun's help too; the last checkpoint is whole, and the run goes on from it."""
    made = ranks.begin(2, one_run, long_recipe(tmp_path, "full"), tmp_path)
    wait_for(lambda: (tmp_path / "run" / "checkpoints" / "step-5").exists())
    started = time.monotonic()
    os.kill(made[1].pid, signal.SIGKILL)
    assert ranks.ended(made, 60) == [0, -signal.SIGKILL]
    print(f"the other process ended {time.monotonic() - started:.1f} s after the kill")
    assert "another process of this run ended or cannot be reached" in (tmp_path / "end-0").read_text()
    run = Run(tmp_path / "run")
    found = checkpoint.latest(run.checkpoints)
    assert found is not None
    step = checkpoint.progress_in(found).step
    resume(run.folder, None, [f"tuning.max_steps={step + 1}"])
    assert [one.step for one in run.steps()] == list(range(1, step + 2))


# --- the command line -------------------------------------------------------------------------------------------------


def torchrun(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
    command += [str(ranks.free_port()), "-m", "tutelage", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_the_command_line_under_torchrun(tmp_path: Path) -> None:
    recipe_for(tmp_path, "run", "lora")
    given = ["model.device=cpu", "model.threads=1", "tuning.epochs=2", "model.precision=float32"]
    base = ["--base", str(tmp_path / "base-llama"), "--out", str(tmp_path / "run")]
    made = torchrun("tune", str(tmp_path / "data.jsonl"), *base, "--json", *given)
    out, said = made.communicate(timeout=100)
    assert made.returncode == 0, said
    assert json.loads(out)["finished"] and out.count("\n") == 1
    for line in ("Read 12 rows", "in 2 processes", "step 1/"):
        assert said.count(line) == 1, said


@pytest.mark.slow
def test_a_mistake_is_told_once_under_torchrun(tmp_path: Path) -> None:
    recipe_for(tmp_path, "run", "lora")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").touch()
    base = ["--base", str(tmp_path / "base-llama"), "--out", str(tmp_path / "run"), "model.device=cpu"]
    for name, reason in {"data.jsonl": "exists and is not empty", "nothing.jsonl": "nothing.jsonl"}.items():
        made = torchrun("tune", str(tmp_path / name), *base)
        _, said = made.communicate(timeout=100)
        assert made.returncode == 1
        assert said.count("tutelage: ") == 1 and reason in said, said


@pytest.mark.slow
def test_torchrun_ends_all_where_one_is_killed_and_passes_signals_on(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(long_recipe(tmp_path, "lora").to_yaml())
    for out, hurt in {"killed": signal.SIGKILL, "asked": signal.SIGTERM}.items():
        run = tmp_path / out
        made = torchrun("tune", str(path), "--out", str(run))
        wait_for(lambda run=run: steps_done(run) >= 6, 100)
        children = Path(f"/proc/{made.pid}/task/{made.pid}/children").read_text().split()
        started = time.monotonic()
        os.kill(int(children[-1]) if hurt == signal.SIGKILL else made.pid, hurt)
        _, said = made.communicate(timeout=60)
        print(f"{out}: torchrun ended after {time.monotonic() - started:.1f} s with {made.returncode}")
        assert made.returncode != 0
        if hurt == signal.SIGKILL:
            assert "Signal 9 (SIGKILL)" in said
            assert "another process of this run ended" in said or "stopped by SIGTERM" in said
        else:
            assert len(re.findall(r"tutelage: stopped by SIGTERM after step \d+; it is saved", said)) == 1, said
        assert checkpoint.latest(run / "checkpoints") is not None
