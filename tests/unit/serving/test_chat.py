"""The terminal chat, by a script of what a user types."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tutelage.data.reading import read
from tutelage.model.generate import decode
from tutelage.model.load import Loaded, Located
from tutelage.recipe import DataSettings, DecodingSettings
from tutelage.records import Role, Turn
from tutelage.serving.chat import Talk, as_text, chat
from tutelage.text.encode import Encoder

SHORT = DecodingSettings(max_new_tokens=8)
TEXT = "Grüße, 漢字 and 🎉👍🏽 — done"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """Two cores are shared with whatever else runs."""
    torch.set_num_threads(1)


def byte_level() -> PreTrainedTokenizerFast:
    """Every byte is a token, so a character outside ASCII takes several."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=258, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(["a"], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


def byte_fallback() -> PreTrainedTokenizerFast:
    """Letters are tokens and everything else falls back to bytes, as in Llama 2 and Gemma."""
    names = ["<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {name: number for number, name in enumerate(names)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    tokenizer = byte_level()
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=400,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.2,
    )
    network = LlamaForCausalLM(config).eval()
    return Loaded(Located("tiny", "folder", Path("tiny")), network, tokenizer, torch.device("cpu"), torch.float32)


def typing(*lines: str | type[BaseException]) -> Callable[[str], str]:
    """What a user types, line by line, and then Ctrl-D; an exception stands for the key that raises it."""
    script: Iterator[Any] = iter(lines)

    def ask(prompt: str) -> str:
        line = next(script, EOFError)
        if isinstance(line, str):
            return line
        raise line

    return ask


def talk(loaded: Loaded, *lines: Any, system: str = "", **settings: Any) -> tuple[Talk, str]:
    shown: list[str] = []
    encoder = Encoder(loaded.tokenizer, "plain")
    made = chat(loaded, encoder, SHORT, system, typing(*lines), shown.append, **settings)
    return made, "".join(shown)


def expected(loaded: Loaded, *turns: Turn) -> str:
    encoder = Encoder(loaded.tokenizer, "plain")
    (decoded,) = decode(loaded.network, [encoder.prompt(turns)], encoder.stop_ids, SHORT)
    return encoder.decode(decoded.ids)


@pytest.mark.parametrize("make", [byte_level, byte_fallback])
def test_only_whole_characters_are_shown(make: Callable[[], PreTrainedTokenizerFast]) -> None:
    tokenizer = make()
    encoder = Encoder(tokenizer, "plain")
    ids = encoder.plain(TEXT)[encoder.bos is not None :]
    assert len(ids) > len(TEXT)
    pieces = list(as_text(encoder, ids))
    assert "".join(pieces) == TEXT
    assert not any("\ufffd" in piece for piece in pieces)
    assert len(pieces) > 5
    broken = list(as_text(encoder, ids[: len("Grüße, ".encode()) + 2]))
    assert "".join(broken).rstrip("\ufffd") == "Grüße, "


def test_bytes_that_make_no_character_do_not_silence_the_rest() -> None:
    tokenizer = byte_fallback()
    encoder = Encoder(tokenizer, "plain")
    ids = [*encoder.plain("ab漢"), tokenizer.convert_tokens_to_ids("<0xE6>"), *encoder.plain("cdef")]
    assert "".join(as_text(encoder, ids)) == "ab漢\ufffdcdef"


def test_answers_stream_and_are_remembered(loaded: Loaded) -> None:
    made, shown = talk(loaded, "Hello", "  ", "And now?", system="Be brief.")
    system, hello = Turn(Role.SYSTEM, "Be brief."), Turn(Role.USER, "Hello")
    first = expected(loaded, system, hello)
    remembered = Turn(Role.ASSISTANT, first.strip())
    second = expected(loaded, system, hello, remembered, Turn(Role.USER, "And now?"))
    assert first in shown and second in shown and first.strip() and second.strip()
    assert made.exchanges == [("Hello", first.strip()), ("And now?", second.strip())]
    assert "\x1b" not in shown.replace(first, "").replace(second, "")


def test_commands(loaded: Loaded, tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    commands = ["/system Be kind.", "Hello", "/save", f"/save {path}", f"/save {path}", "More?", "/undo"]
    made, shown = talk(loaded, *commands, "/dance", "/help", "/quit", "never asked")
    assert made.system == "Be kind." and [question for question, _ in made.exchanges] == ["Hello"]
    assert "Name a file" in shown and f"Saved in {path}" in shown and "exists; name another" in shown
    assert "no command /dance" in shown and "/undo " in shown
    (kept,) = read(DataSettings(), [str(path)]).examples
    assert kept.conversation.turns == made.turns()
    rows = path.read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 and json.loads(rows[0])["messages"][0] == {"role": "system", "content": "Be kind."}

    made, shown = talk(loaded, "/undo", "/save x", "Hello", "/reset", "/system", "/save /no/such/folder/x", system="S")
    assert made == Talk() and "nothing to take back" in shown and "nothing to save" in shown


def test_ctrl_c_stops_the_answer_and_ctrl_d_leaves(loaded: Loaded) -> None:
    shown: list[str] = []

    def write(text: str) -> None:
        shown.append(text)
        if len(shown) == 2:  # while the second piece of the answer is being shown
            raise KeyboardInterrupt

    encoder = Encoder(loaded.tokenizer, "plain")
    made = chat(loaded, encoder, SHORT, "", typing("Hello", KeyboardInterrupt, "/help"), write)
    text = "".join(shown)
    assert "(stopped)" in text and "Ctrl-D leaves" in text and "/save FILE" in text
    whole = expected(loaded, Turn(Role.USER, "Hello"))
    assert len(made.exchanges) <= 1
    assert all(whole.strip().startswith(answer) for _, answer in made.exchanges)


def test_old_exchanges_make_room(loaded: Loaded) -> None:
    encoder = Encoder(loaded.tokenizer, "plain")
    one = len(encoder.prompt([Turn(Role.USER, "question 1")]))
    made, shown = talk(loaded, *(f"question {number}" for number in range(5)), max_length=3 * one)
    assert "oldest exchange is forgotten" in shown
    assert made.exchanges and made.exchanges[-1][0] == "question 4" and len(made.exchanges) < 5
    assert len(encoder.encode(made.turns()).ids) <= 3 * one + 1

    made, shown = talk(loaded, "long " * 200, "short")
    assert "too long" in shown and [question for question, _ in made.exchanges] == ["short"]
