"""Finding and loading models: every kind of name, and every reason to refuse."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, LlamaModel, PreTrainedModel, PreTrainedTokenizerFast

from tutelage.errors import ModelError
from tutelage.model.load import load, load_tokenizer, locate, located_hash, tokenizer_hash
from tutelage.model.machine import quiet_libraries, weights_hash

CPU = torch.device("cpu")
TEXTS = ["The quick brown fox jumps over the lazy dog.", "Hello, world! 123", "naïve café 😀"]


def nothing(line: str) -> None:
    """A `say` for tests that do not look at what is said."""


def tiny_tokenizer(eos: str | None = "</s>") -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with about 280 tokens."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=280, special_tokens=special, initial_alphabet=alphabet)
    backend.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token=eos)


def tiny_network(seed: int = 0, vocabulary: int = 280) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        bos_token_id=0,
        eos_token_id=1,
    )
    return LlamaForCausalLM(config).eval()


def encoder() -> PreTrainedModel:
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    return transformers.BertForMaskedLM(transformers.BertConfig(vocab_size=280, **shape))


def encoder_decoder() -> PreTrainedModel:
    shape = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    return transformers.T5ForConditionalGeneration(transformers.T5Config(vocab_size=280, pad_token_id=0, **shape))


def image_model() -> PreTrainedModel:
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    return transformers.ViTForImageClassification(transformers.ViTConfig(image_size=32, **shape))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model folder; tests that change it take a copy (`folder`)."""
    path = tmp_path_factory.mktemp("made") / "tiny"
    tiny_network().save_pretrained(path)
    tiny_tokenizer().save_pretrained(path)
    return path


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "tiny"))


def make_adapter(base: Path, target: Path, seed: int = 1) -> Path:
    """A LoRA adapter with random weights on both sides, saved by PEFT."""
    torch.manual_seed(seed)
    with quiet_libraries():
        network = LlamaForCausalLM.from_pretrained(base)
        tuned = get_peft_model(network, LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]))
    for name, weight in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.2)
    tuned.save_pretrained(target)
    return target


def make_run(path: Path, base: str, folder: Path, digest: str) -> Path:
    """A finished LoRA run on `folder`."""
    make_adapter(folder, path / "adapter", seed=len(path.name))
    about = {"name": base, "folder": str(folder), "weights_hash": digest}
    path.joinpath("manifest.json").write_text(json.dumps({"base": about, "template": "plain", "finished": True}))
    return path


def edit(path: Path, **changes: object) -> None:
    """Changes keys of a JSON file; None removes a key."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def logits(network: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return network(torch.tensor([[0, 20, 30, 40, 50]])).logits


class TestLocate:
    def test_folder(self, folder: Path) -> None:
        found = locate(str(folder), nothing)
        assert (found.kind, found.folder, found.adapter, found.template) == ("folder", folder, None, "")

    def test_full_run(self, folder: Path, tmp_path: Path) -> None:
        run = tmp_path / "run"
        shutil.copytree(folder, run / "model")
        (run / "manifest.json").write_text(json.dumps({"template": "chatml", "finished": True}))
        found = locate(str(run), nothing)
        assert (found.kind, found.folder, found.template) == ("run", run / "model", "chatml")

    def test_adapter_run(self, folder: Path, tmp_path: Path) -> None:
        run = make_run(tmp_path / "run", str(folder), folder, weights_hash(folder))
        found = locate(str(run), nothing)
        assert (found.kind, found.folder, found.adapter) == ("run", folder, run / "adapter")
        assert (found.name, found.template) == (str(run), "plain")

    def test_base_is_found_by_its_folder_when_its_name_is_gone(self, folder: Path, tmp_path: Path) -> None:
        run = make_run(tmp_path / "run", "gone", folder, weights_hash(folder))
        assert locate(str(run), nothing).folder == folder

    def test_base_with_other_weights_is_refused_with_both_hashes(self, folder: Path, tmp_path: Path) -> None:
        then = weights_hash(folder)
        run = make_run(tmp_path / "run", str(folder), folder, then)
        weights = load_file(folder / "model.safetensors")
        weights["model.norm.weight"] = weights["model.norm.weight"] + 1
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        now = weights_hash(folder)
        assert now != then
        with pytest.raises(ModelError, match=rf"(?s){now}.*{then}"):
            locate(str(run), nothing)

    def test_run_on_a_run(self, folder: Path, tmp_path: Path) -> None:
        first = make_run(tmp_path / "first", str(folder), folder, weights_hash(folder))
        below = locate(str(first), nothing)
        second = make_run(tmp_path / "second", str(first), folder, located_hash(below))
        found = locate(str(second), nothing)
        assert found.beneath == (first / "adapter",)
        assert (found.folder, found.adapter) == (folder, second / "adapter")
        assert len({weights_hash(folder), located_hash(below), located_hash(found)}) == 3

    def test_run_that_names_itself(self, folder: Path, tmp_path: Path) -> None:
        run = make_run(tmp_path / "run", str(tmp_path / "run"), folder, "0" * 64)
        edit(run / "manifest.json", base={"name": str(run), "weights_hash": "0" * 64})
        with pytest.raises(ModelError, match="on each other"):
            locate(str(run), nothing)

    def test_run_without_a_model(self, tmp_path: Path) -> None:
        (tmp_path / "manifest.json").write_text(json.dumps({"finished": False}))
        with pytest.raises(ModelError, match="tutelage resume"):
            locate(str(tmp_path), nothing)

    def test_adapter_folder(self, folder: Path, tmp_path: Path) -> None:
        adapter = make_adapter(folder, tmp_path / "adapter")
        found = locate(str(adapter), nothing)
        assert (found.kind, found.folder, found.adapter) == ("folder", folder, adapter)

    def test_hub_name(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[object] = []

        def snapshot(name: str, allow_patterns: list[str], ignore_patterns: list[str]) -> str:
            asked.extend([name, *allow_patterns])
            return str(folder)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
        found = locate("someone/model", nothing)
        assert (found.kind, found.folder) == ("hub", folder)
        assert asked[0] == "someone/model"
        assert not {"*.py", "*.bin", "*"} & set(asked)

    def test_hub_offline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(ModelError, match=r"cannot be reached \(offline\?\).*name its folder"):
            locate("someone/a-model-that-nobody-has", nothing)

    @pytest.mark.parametrize("name", ["tny", "."])
    def test_near_names(self, folder: Path, name: str) -> None:
        with pytest.raises(ModelError, match=r"Did you mean .*tiny\?"):
            locate(str(folder.parent / name), nothing)

    def test_misspelt_starter(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ModelError, match="Did you mean starter"):
            locate("startr", nothing)

    def test_missing_run_is_not_looked_for_on_the_hub(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "runs" / "faq-2").mkdir(parents=True)
        with pytest.raises(ModelError, match="Did you mean runs/faq-2"):
            locate("runs/faq-1", nothing)

    def test_other_file(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("hello")
        with pytest.raises(ModelError, match=r"no .gguf file"):
            locate(str(tmp_path / "notes.txt"), nothing)


class TestRefused:
    """Each of these is refused by `locate`, before anything is read into memory."""

    @pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
    def test_auto_map(self, folder: Path, name: str) -> None:
        edit(folder / name, auto_map={"AutoModelForCausalLM": "code.Model"})
        with pytest.raises(ModelError, match=rf"{name}.*auto_map"):
            locate(str(folder), nothing)

    def test_python_file(self, folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "deep" / "modeling.py").write_text("raise SystemExit")
        with pytest.raises(ModelError, match=r"modeling\.py is Python code"):
            locate(str(folder), nothing)

    @pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pth"])
    def test_pickle_only(self, folder: Path, name: str) -> None:
        (folder / "model.safetensors").rename(folder / name)
        with pytest.raises(ModelError, match=rf"only as pickle .{name}.*safetensors"):
            locate(str(folder), nothing)

    def test_missing_part(self, folder: Path) -> None:
        index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        with pytest.raises(ModelError, match="lacks a part of its weights: model-2"):
            locate(str(folder), nothing)

    @pytest.mark.parametrize(
        ("name", "reason"), [("model.safetensors", "holds no weights"), ("tokenizer.json", "holds no tokenizer")]
    )
    def test_missing_file(self, folder: Path, name: str, reason: str) -> None:
        (folder / name).unlink()
        with pytest.raises(ModelError, match=reason):
            locate(str(folder), nothing)

    def test_broken_config(self, folder: Path) -> None:
        (folder / "config.json").write_text("{")
        with pytest.raises(ModelError, match=r"config\.json cannot be read"):
            locate(str(folder), nothing)

    def test_pickled_adapter(self, folder: Path, tmp_path: Path) -> None:
        adapter = make_adapter(folder, tmp_path / "adapter")
        (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
        with pytest.raises(ModelError, match="adapter only as pickle"):
            locate(str(adapter), nothing)


class TestLoad:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_equals_what_was_saved(self, made: Path, dtype: torch.dtype) -> None:
        loaded = load(str(made), CPU, dtype, nothing)
        assert torch.equal(logits(loaded.network), logits(tiny_network().to(dtype)))
        assert load(loaded.located, CPU, dtype, nothing).located is loaded.located
        assert loaded.network.dtype == dtype
        assert not loaded.network.training
        assert loaded.network.config._attn_implementation == "sdpa"

    def test_prints_nothing(self, made: Path, capfd: pytest.CaptureFixture[str]) -> None:
        load(str(made), CPU, torch.float32, nothing)
        assert capfd.readouterr() == ("", "")

    def test_merged_adapter_equals_unmerged(self, folder: Path, tmp_path: Path) -> None:
        run = make_run(tmp_path / "run", str(folder), folder, weights_hash(folder))
        merged = load(str(run), CPU, torch.float32, nothing)
        apart = load(str(run), CPU, torch.float32, nothing, merge=False)
        difference = (logits(merged.network) - logits(apart.network)).abs()
        assert difference.max() < 1e-5
        assert difference.mean() < 1e-6
        assert (logits(merged.network) - logits(tiny_network())).abs().max() > 1e-2
        assert not hasattr(merged.network, "peft_config")

    def test_merge_is_done_in_float32(self, folder: Path, tmp_path: Path) -> None:
        run = make_run(tmp_path / "run", str(folder), folder, weights_hash(folder))
        exact = load(str(run), CPU, torch.float32, nothing).network.to(torch.bfloat16)
        merged = load(str(run), CPU, torch.bfloat16, nothing).network
        weights = merged.state_dict()
        assert all(torch.equal(weight, weights[name]) for name, weight in exact.state_dict().items())

    def test_run_on_a_run_has_both_adapters(self, folder: Path, tmp_path: Path) -> None:
        first = make_run(tmp_path / "first", str(folder), folder, weights_hash(folder))
        below = located_hash(locate(str(first), nothing))
        second = make_run(tmp_path / "second", str(first), folder, below)
        network = tiny_network()
        for run in (first, second):
            weights = load_file(run / "adapter" / "adapter_model.safetensors")
            for name, module in network.named_modules():
                down = weights.get(f"base_model.model.{name}.lora_A.weight")
                if down is not None:
                    up = weights[f"base_model.model.{name}.lora_B.weight"]
                    module.weight.data += 2.0 * up @ down
        for merge in (True, False):
            loaded = load(str(second), CPU, torch.float32, nothing, merge)
            assert (logits(loaded.network) - logits(network)).abs().max() < 1e-5

    @pytest.mark.parametrize("make", [encoder, encoder_decoder, image_model])
    def test_no_causal_model(self, folder: Path, make: Callable[[], PreTrainedModel]) -> None:
        network = make()
        network.save_pretrained(folder)
        with pytest.raises(ModelError, match=rf"no causal language model but {type(network).__name__}"):
            load(str(folder), CPU, torch.float32, nothing)

    def test_unknown_architecture(self, folder: Path) -> None:
        edit(folder / "config.json", model_type="not-a-model")
        with pytest.raises(ModelError, match=r"config\.json cannot be used.*not-a-model"):
            load(str(folder), CPU, torch.float32, nothing)

    def test_missing_weights_are_not_made_up(self, folder: Path) -> None:
        LlamaModel(tiny_network().config).save_pretrained(folder)
        edit(folder / "config.json", architectures=["LlamaForCausalLM"])
        with pytest.raises(ModelError, match=r"not complete: lm_head\.weight"):
            load(str(folder), CPU, torch.float32, nothing)

    def test_other_shape(self, folder: Path) -> None:
        edit(folder / "config.json", intermediate_size=128)
        with pytest.raises(ModelError, match=r"weights in .* (cannot be loaded|are not complete)"):
            load(str(folder), CPU, torch.float32, nothing)

    def test_damaged_weights(self, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"not safetensors")
        with pytest.raises(ModelError, match="cannot be loaded"):
            load(str(folder), CPU, torch.float32, nothing)

    def test_vocabulary_larger_than_the_embedding(self, folder: Path) -> None:
        tokenizer = tiny_tokenizer()
        tokenizer.add_tokens(["extra"])
        tokenizer.save_pretrained(folder)
        with pytest.raises(ModelError, match="ids up to 280, the embedding only 280 rows"):
            load(str(folder), CPU, torch.float32, nothing)

    def test_adapter_of_another_model(self, folder: Path, tmp_path: Path) -> None:
        adapter = make_adapter(folder, tmp_path / "adapter")
        edit(adapter / "adapter_config.json", target_modules=["no_such_layer"])
        with pytest.raises(ModelError, match="does not fit this model"):
            load(str(adapter), CPU, torch.float32, nothing)


class TestTokenizer:
    def test_files_are_read_once_until_they_change(self, folder: Path) -> None:
        first = load_tokenizer(locate(str(folder), nothing))
        assert load_tokenizer(locate(str(folder), nothing)) is first
        edit(folder / "tokenizer_config.json", eos_token="<s>")
        assert load_tokenizer(locate(str(folder), nothing)).eos_token == "<s>" != first.eos_token

    def test_ids_are_those_of_tokenizer_json(self, folder: Path) -> None:
        """A family's own class would build the pre-tokenizer anew; the file is what counts."""
        edit(folder / "tokenizer_config.json", tokenizer_class="LlamaTokenizer")
        tokenizer, original = load_tokenizer(locate(str(folder), nothing)), tiny_tokenizer()
        for text in TEXTS:
            assert tokenizer(text).input_ids == original(text).input_ids

    def test_no_fast_form(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "tokenizer.json").rename(folder / "vocab.txt")

        class Slow:
            backend_tokenizer = None

        monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", lambda *_, **__: Slow())
        with pytest.raises(ModelError, match=r"\(Slow\) has no fast form"):
            load_tokenizer(locate(str(folder), nothing))

    def test_no_end_of_sequence(self, folder: Path) -> None:
        tiny_tokenizer(eos=None).save_pretrained(folder)
        edit(folder / "config.json", eos_token_id=None)
        with pytest.raises(ModelError, match="no end-of-sequence token"):
            load_tokenizer(locate(str(folder), nothing))

    @pytest.mark.parametrize("number", [1, [1, 5]])
    def test_end_of_sequence_from_the_config(self, folder: Path, number: object) -> None:
        tiny_tokenizer(eos=None).save_pretrained(folder)
        edit(folder / "config.json", eos_token_id=number)
        assert load_tokenizer(locate(str(folder), nothing)).eos_token == "</s>"

    def test_hash(self, folder: Path) -> None:
        tokenizer = load_tokenizer(locate(str(folder), nothing))
        first = tokenizer_hash(tokenizer)
        tokenizer(["a", "longer text"], padding=False, truncation=True, max_length=3)
        tokenizer.backend_tokenizer.enable_padding()
        assert tokenizer_hash(tokenizer) == first == tokenizer_hash(tiny_tokenizer())
        tokenizer.add_tokens(["new"])
        assert tokenizer_hash(tokenizer) != first
        assert tokenizer_hash(tiny_tokenizer(eos="<s>")) != first


def test_weights_hash_follows_content_and_name(folder: Path) -> None:
    first = weights_hash(folder)
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    assert weights_hash(folder) != first
