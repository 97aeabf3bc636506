"""selfcheck passes on a sound engine, and each property that is broken on purpose fails exactly the checks about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft.tuners.lora.layer import LoraLayer
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

import tiny
from tutelage import terminal
from tutelage.errors import DataError
from tutelage.evaluation import numbers
from tutelage.evaluation import selfcheck as module
from tutelage.evaluation.selfcheck import CHECKS, SelfCheck, State, built_in, sample, selfcheck, short_texts
from tutelage.model import adapters, attention, layers
from tutelage.model.forward import Proof, pack_loss
from tutelage.model.machine import quiet_libraries
from tutelage.recipe import Recipe, build
from tutelage.text import pack as packing
from tutelage.text.encode import Encoder, Tokens, encode_all
from tutelage.text.pack import Pack, make_pack
from tutelage.tuning import checkpoint
from tutelage.tuning import fit as fitting
from tutelage.tuning.optim import Optimizer

Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A tiny model's folder by name; each is written once."""
    made: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in made:
            made[name] = tiny.save(tmp_path_factory.mktemp(name), name)
        return made[name]

    return get


def recipe_for(base: Path, **sections: Any) -> Recipe:
    """Few LoRA layers where nothing else is asked for, which halves the time."""
    adapter = {"rank": 4, "targets": "q_proj,up_proj"}
    return build({"model": {"base": str(base), "device": "cpu", "threads": 1}, "adapter": adapter} | sections)


def states(found: SelfCheck) -> dict[State, set[str]]:
    return {state: {check.name for check in found.checks if check.state is state} for state in State}


def told(found: SelfCheck) -> str:
    return "\n".join(f"{check.name}: {check.state}, {check.measured}, {check.sentence}" for check in found.checks)


SOUND = [("llama", "lora"), ("gemma3", "lora"), ("gpt2", "lora"), ("phi", "full"), ("gemma3", "full")]
ALONE = ("lfm2", "mamba", "mixtral", "gpt")
"""Trained one conversation at a time: convolutions, a state space, experts, a model whose attention is its own."""


@pytest.mark.parametrize(("name", "kind"), SOUND)
def test_a_sound_engine_passes(name: str, kind: str, bases: Callable[[str], Path]) -> None:
    found = selfcheck(recipe_for(bases(name), adapter={"kind": kind}))
    left_out = {"merge"} if kind == "full" else set()
    assert states(found) == {State.PASSED: set(CHECKS) - left_out, State.FAILED: set(), State.LEFT_OUT: left_out}, told(
        found
    )
    assert found.passed
    assert all(check.sentence for check in found.checks)


# PEFT remarks on the experts' stacked weights when it loads an adapter for them.
@pytest.mark.filterwarnings("ignore:The following .*_pattern keys did not match")
@pytest.mark.parametrize("name", ALONE)
def test_a_model_that_cannot_be_packed_says_so_and_why(name: str, bases: Callable[[str], Path]) -> None:
    found = selfcheck(recipe_for(bases(name), adapter={}))
    left_out = {"neighbours", "packing"}
    assert states(found) == {State.PASSED: set(CHECKS) - left_out, State.FAILED: set(), State.LEFT_OUT: left_out}, told(
        found
    )
    for check in found.checks:
        if check.name in left_out:
            assert "trained one conversation at a time through its own forward: " in check.sentence
            assert (check.measured, check.limit) == (None, None)


def reweighted(change: Callable[[Tokens], np.ndarray]) -> Callable[[Patch], None]:
    """The encoder gives other weights."""

    def broken(patch: Patch) -> None:
        real = Encoder.encode

        def encode(self: Encoder, *given: Any) -> Tokens:
            item = real(self, *given)
            return replace(item, weights=change(item))

        patch.setattr(Encoder, "encode", encode)

    return broken


def without_stops(item: Tokens) -> np.ndarray:
    weights = item.weights.copy()
    weights[[end - 1 for _, end in item.spans]] = 0
    return weights


def control_tokens_from_texts(patch: Patch) -> None:
    def plainly(self: Any, text: str, backend: Any) -> list[int]:
        backend.encode_special_tokens = False
        ids: list[int] = backend.encode(text, add_special_tokens=False).ids
        return ids

    patch.setattr("tutelage.text.encode._Pieces._safe", plainly)


def prompt_with_a_blank(patch: Patch) -> None:
    real = Encoder.prompt
    patch.setattr(Encoder, "prompt", lambda self, turns: [*real(self, turns), *self.plain(" ")[1:]])


def repacked(change: Callable[[Pack], Pack]) -> Callable[[Patch], None]:
    """The rows of a step have other arrays."""
    return lambda patch: patch.setattr(packing, "make_pack", lambda tokens: change(make_pack(tokens)))


def places_counted_through(pack: Pack) -> Pack:
    return replace(pack, positions=np.arange(len(pack)))


def predicting_across(pack: Pack) -> Pack:
    weights, targets = pack.weights.copy(), pack.targets.copy()
    for end in pack.boundaries[1:-1]:
        weights[end - 1], targets[end - 1] = 1, pack.ids[end]
    return replace(pack, weights=weights, targets=targets)


def targets_not_shifted(pack: Pack) -> Pack:
    return replace(pack, targets=pack.ids)


def mean_of_means(patch: Patch) -> None:
    def each_row_alike(network: Any, pack: Pack, proof: Proof, scale: float) -> torch.Tensor:
        return pack_loss(network, pack, proof, len(pack.examples) / 4 / pack.weight)

    patch.setattr(fitting, "pack_loss", each_row_alike)


def gradients_by_rows(patch: Patch) -> None:
    """The loss that is logged is right; the gradients are those of a mean over a step's rows."""

    def broken(network: Any, pack: Pack, proof: Proof, scale: float) -> torch.Tensor:
        loss = pack_loss(network, pack, proof, scale)
        share = len(pack.examples) / 4
        return loss * share + (loss * (1 - share)).detach()

    patch.setattr(fitting, "pack_loss", broken)


def believed(patch: Patch) -> None:
    """Every model is said to share rows well."""
    patch.setattr(module, "prove", lambda network: Proof(True, 0.0, 0.0))


def neighbours_seen(patch: Patch) -> None:
    believed(patch)
    real, row = attention._one_by_one, attention.RowAttention.apply

    def all_in_one(layer: Any, query: Any, key: Any, value: Any, boundaries: Any, *others: Any) -> Any:
        return real(layer, query, key, value, (0, query.shape[2]), *others)

    def row_in_one(query: Any, key: Any, value: Any, boundaries: Any, scaling: Any) -> Any:
        return row(query, key, value, (0, query.shape[2]), scaling)

    patch.setattr(attention, "_one_by_one", all_in_one)
    patch.setattr(attention.RowAttention, "apply", row_in_one)


def window_forgotten(patch: Patch) -> None:
    believed(patch)
    real = attention._one_by_one

    def wide(*given: Any) -> Any:
        return real(*given[:7], None, *given[8:])

    patch.setattr(attention, "_one_by_one", wide)


def faster_layers_off_by_a_hundredth(patch: Patch) -> None:
    real = layers.quicken

    def quicken(network: Any) -> dict[str, int]:
        rescale(network, 1.01)
        return real(network)

    patch.setattr(layers, "quicken", quicken)


def rescale(network: Any, factor: float) -> None:
    for layer in network.modules():
        if isinstance(layer, LoraLayer):
            layer.scaling["default"] *= factor


def checkpoint_of_the_step_before(patch: Patch) -> None:
    real = checkpoint.load

    def load(folder: Path) -> Any:
        tensors, progress = real(folder)
        return tensors, replace(progress, step=progress.step - 1)

    patch.setattr(checkpoint, "load", load)


def moments_lost(patch: Patch) -> None:
    real = Optimizer.restore
    kept = "master/"
    patch.setattr(
        Optimizer,
        "restore",
        lambda self, tensors: real(self, {name: value for name, value in tensors.items() if name.startswith(kept)}),
    )


def checkpoint_rounded(patch: Patch) -> None:
    real = checkpoint.save

    def save(folder: Path, step: int, tensors: Any, progress: Any, *others: Any) -> Any:
        return real(folder, step, {name: rounded(value) for name, value in tensors.items()}, progress, *others)

    patch.setattr(checkpoint, "save", save)


def rounded(value: torch.Tensor) -> torch.Tensor:
    return value.bfloat16().to(value.dtype)


def random_numbers_not_from_the_step(patch: Patch) -> None:
    patch.setattr(fitting, "seed_step", lambda *given: None)


def merged_twice_as_strong(patch: Patch) -> None:
    real = adapters.merge

    def merge(network: Any) -> Any:
        rescale(network, 2.0)
        return real(network)

    patch.setattr(adapters, "merge", merge)


def saved_rounded(patch: Patch) -> None:
    real = PreTrainedModel.save_pretrained

    def save(self: Any, folder: Any, **others: Any) -> None:
        real(self, folder, state_dict={name: rounded(value) for name, value in self.state_dict().items()}, **others)

    patch.setattr(PreTrainedModel, "save_pretrained", save)


def tensor_dropped(patch: Patch) -> None:
    real = PreTrainedModel.save_pretrained

    def save(self: Any, folder: Path, **others: Any) -> None:
        real(self, folder, **others)
        path = folder / "model.safetensors"
        kept = {name: value for name, value in load_file(path).items() if name != "model.norm.weight"}
        save_file(kept, path, {"format": "pt"})

    patch.setattr(PreTrainedModel, "save_pretrained", save)


def adapter_saved_rounded(patch: Patch) -> None:
    real = adapters.save_adapter

    def save(network: Any, folder: Path) -> None:
        real(network, folder)
        path = folder / "adapter_model.safetensors"
        save_file({name: rounded(value) for name, value in load_file(path).items()}, path, {"format": "pt"})

    patch.setattr(adapters, "save_adapter", save)


def exported(change: Callable[[str], str]) -> Callable[[Patch], None]:
    """The saved tokenizer carries another template."""

    def broken(patch: Patch) -> None:
        real = Encoder.portable_jinja
        patch.setattr(Encoder, "portable_jinja", lambda self: change(real(self)))

    return broken


BREAKAGES: dict[str, tuple[Callable[[Patch], None], set[str]]] = {
    "mask one token later": (reweighted(lambda item: np.roll(item.weights, 1)), {"mask"}),
    "mask one token earlier": (reweighted(lambda item: np.roll(item.weights, -1)), {"mask", "stop token"}),
    "everything is trained": (reweighted(lambda item: np.ones_like(item.weights)), {"mask", "stop token"}),
    "stop token's weight is 0": (reweighted(without_stops), {"stop token"}),
    "control tokens from people's text": (control_tokens_from_texts, {"mask", "stop token"}),
    "prompt ends with a blank": (prompt_with_a_blank, {"prompt", "export"}),
    "places counted through": (repacked(places_counted_through), {"neighbours"}),
    "targets not shifted": (repacked(targets_not_shifted), {"mask", "neighbours", "packing"}),
    "predicting across": (repacked(predicting_across), {"mask", "neighbours", "packing", "accumulation"}),
    "neighbours seen": (neighbours_seen, {"neighbours", "packing", "accumulation"}),
    "mean of means": (mean_of_means, {"accumulation"}),
    "gradients are not scaled as losses are": (gradients_by_rows, {"accumulation"}),
    "faster layers differ": (faster_layers_off_by_a_hundredth, {"packing"}),
    "a step is repeated": (checkpoint_of_the_step_before, {"resume"}),
    "moments are lost": (moments_lost, {"resume"}),
    "checkpoint rounds": (checkpoint_rounded, {"resume"}),
    "random numbers not from the step": (random_numbers_not_from_the_step, {"resume"}),
    "merged too strong": (merged_twice_as_strong, {"merge"}),
    "model saved rounded": (saved_rounded, {"save"}),
    "a tensor is dropped": (tensor_dropped, {"save"}),
    "adapter saved rounded": (adapter_saved_rounded, {"save"}),
    "exported with another bos": (exported(lambda jinja: "{{ bos_token }}" + jinja), {"export"}),
    "exported without bos": (exported(lambda jinja: jinja.replace("{{ bos_token }}", "")), {"export"}),
    "exported with another end": (exported(lambda jinja: jinja.replace("</s>", "<s>")), {"export"}),
    "exported with no template": (exported(lambda jinja: ""), {"export"}),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_what_is_broken_is_found(name: str, bases: Callable[[str], Path], monkeypatch: Patch) -> None:
    broken, failing = BREAKAGES[name]
    broken(monkeypatch)
    monkeypatch.setattr(module, "LAYERS", 1)
    found = selfcheck(recipe_for(bases("llama")))
    assert (states(found)[State.FAILED], found.passed) == (failing, False), told(found)


def test_absolute_places_that_are_not_reset_are_seen_in_the_numbers_too(
    bases: Callable[[str], Path], monkeypatch: Patch
) -> None:
    repacked(places_counted_through)(monkeypatch)
    found = selfcheck(recipe_for(bases("gpt2"), adapter={}))
    assert states(found)[State.FAILED] == {"neighbours", "packing", "accumulation"}, told(found)


def test_a_window_that_is_forgotten_is_seen(bases: Callable[[str], Path], monkeypatch: Patch) -> None:
    window_forgotten(monkeypatch)
    found = selfcheck(recipe_for(bases("gemma3")))
    assert states(found)[State.FAILED] == {"packing"}, told(found)


def test_an_adapter_that_does_nothing_is_no_proof(bases: Callable[[str], Path], monkeypatch: Patch) -> None:
    monkeypatch.setattr(numbers, "_tuned", lambda subject, network, *_: adapters.add(network, subject.adapter, 0))
    found = selfcheck(recipe_for(bases("llama")))
    (merge,) = (check for check in found.checks if check.name == "merge")
    assert (merge.state, merge.measured) == (State.FAILED, None)
    assert "the adapter changes nothing" in merge.sentence


def test_what_is_raised_in_a_check_is_its_failure_in_words(bases: Callable[[str], Path], monkeypatch: Patch) -> None:
    def load(folder: Path) -> None:
        raise RuntimeError("the disk is on fire\nand more")

    monkeypatch.setattr(checkpoint, "load", load)
    found = selfcheck(recipe_for(bases("llama")))
    assert states(found)[State.FAILED] == {"resume"}
    (resume,) = (check for check in found.checks if check.name == "resume")
    assert (resume.sentence, resume.measured) == ("it broke off: RuntimeError: the disk is on fire", None)


def test_the_result_is_plain_json_and_a_table(
    bases: Callable[[str], Path], monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    merged_twice_as_strong(monkeypatch)
    done: list[tuple[str, int, int]] = []
    found = selfcheck(recipe_for(bases("llama")), progress=lambda *told: done.append(told))
    assert done == [("checking", number, len(CHECKS)) for number in range(len(CHECKS))]
    content = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert (content["passed"], content["layers"], content["of_layers"], content["conversations"]) == (False, 2, 2, 8)
    assert [check["name"] for check in content["checks"]] == list(CHECKS)
    monkeypatch.setattr(terminal, "OUT", terminal.Console(highlight=False, soft_wrap=True, width=200))
    terminal.show_checks(found)
    shown = capsys.readouterr().out
    assert all(f"│ {name} " in shown for name in CHECKS)
    assert "2 of 2 layers, template plain, 8 conversations: 9 passed, 1 failed;" in shown


def test_the_network_is_cut_and_so_is_its_config(tmp_path: Path) -> None:
    """Four layers with windows in the first and the third; the saved one has the first two, and loads."""
    kinds = ["sliding_attention", "full_attention"] * 2
    with quiet_libraries():
        tiny.gemma3(num_hidden_layers=4, layer_types=kinds).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    found = selfcheck(recipe_for(tmp_path))
    assert (found.passed, found.layers, found.of_layers) == (True, 2, 4), told(found)


def test_an_architecture_that_cannot_be_cut_is_checked_whole(bases: Callable[[str], Path], monkeypatch: Patch) -> None:
    """transformers' RWKV of one layer divides by zero."""
    monkeypatch.setattr(module, "LAYERS", 1)
    said: list[str] = []
    found = selfcheck(recipe_for(bases("rwkv"), adapter={}), said.append)
    assert (found.passed, found.layers, found.of_layers) == (True, 2, 2), told(found)
    assert "is checked whole, since it cannot be cut to 1 layers: the weights in " in said[-1]


def test_files_give_always_the_same_few_conversations(bases: Callable[[str], Path], tmp_path: Path) -> None:
    path, turned = tiny.write_rows(tmp_path / "rows.jsonl", 60), tmp_path / "turned.jsonl"
    turned.write_text("\n".join(reversed(path.read_text().splitlines())) + "\n")
    first, second = (sample(recipe_for(bases("llama"), data={"files": [str(name)]})) for name in (path, turned))
    assert len(first) == module.CONVERSATIONS
    assert [example.id for example in first] == [example.id for example in second]
    found = selfcheck(recipe_for(bases("llama"), data={"files": [str(path)]}))
    assert (found.passed, found.conversations) == (True, module.CONVERSATIONS), told(found)


def test_one_conversation_is_enough_and_none_is_an_error(bases: Callable[[str], Path], tmp_path: Path) -> None:
    path = tiny.write_rows(tmp_path / "row.jsonl", 1)
    found = selfcheck(recipe_for(bases("llama"), data={"files": [str(path)]}))
    assert (found.passed, found.conversations) == (True, 1), told(found)
    with pytest.raises(DataError, match=r"no conversation can be used; .*row\.jsonl:1: .* tokens, the limit is 8"):
        selfcheck(recipe_for(bases("llama"), data={"files": [str(path)]}, tuning={"max_length": 8}))


def test_where_every_text_spells_out_control_tokens_the_export_is_not_compared(
    bases: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "row.jsonl").write_text(json.dumps({"prompt": "Is </s> an end?", "response": "Not here."}) + "\n")
    found = selfcheck(recipe_for(bases("llama"), data={"files": [str(tmp_path / "row.jsonl")]}))
    assert (states(found)[State.LEFT_OUT], found.passed) == ({"export"}, True), told(found)


def test_the_short_texts_are_short_and_train_different_numbers_of_tokens() -> None:
    tokens = encode_all(Encoder(tiny.tokenizer(), "plain"), built_in(), 2048).tokens
    short = short_texts(tokens)
    counts = [int((item.weights[1:] > 0).sum()) for item in short]
    assert (counts, max(map(len, short)) <= 64) == (list(module.TRAINED), True)
    assert len({item.example for item in short}) == len(short)
