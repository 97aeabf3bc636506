"""Small tokenizers that do what real families do at the start of a text, and what is known about each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chats import ORDINARY, Style
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

FLAGGED = (
    "<|im_start|>",
    "<|im_end|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<start_of_turn>",
    "<end_of_turn>",
)
UNFLAGGED = ("<think>", "</think>", "<start_of_image>", "<tool_call>")
"""As in Gemma: some control tokens are not flagged as special."""
ORDINARY_ADDED = ("\n\n", "<table>")
"""As in Gemma: some added tokens are ordinary text. No family that puts spaces before texts has any."""

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where Llama 3's tokenizer cuts text."""


def added(texts: tuple[str, ...], special: bool, swallow: bool = False) -> list[AddedToken]:
    return [AddedToken(text, special=special, normalized=False, lstrip=swallow, rstrip=swallow) for text in texts]


def wrap(
    backend: Tokenizer,
    bos: str | None,
    eos: str,
    unk: str | None,
    swallow: bool = False,
    ordinary: tuple[str, ...] = (),
) -> Any:
    """A transformers tokenizer with a BOS before each text where there is one."""
    backend.add_special_tokens(added(FLAGGED, True, swallow))
    backend.add_tokens(added(UNFLAGGED + ordinary, False))
    if bos:
        backend.post_processor = processors.TemplateProcessing(
            f"{bos} $A", special_tokens=[(bos, backend.token_to_id(bos))]
        )
    names = {"bos_token": bos, "eos_token": eos, "unk_token": unk}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **{name: text for name, text in names.items() if text})


def sentencepiece(kind: str, swallow: bool = False) -> Any:
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
    return wrap(backend, "<s>", "</s>", "<unk>", swallow)


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
        return wrap(backend, None, names[0], names[0], ordinary=ORDINARY_ADDED)
    return wrap(backend, "<s>", "</s>", None, ordinary=() if prefix else ORDINARY_ADDED)


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
        lambda: sentencepiece("prepend", swallow=True),
        Style(at_start=True, after_control=True, swallows=FLAGGED),
    ),
    "bytes": (byte_level, Style()),
    "prefixed": (lambda: byte_level(prefix=True), Style(at_start=True, after_control=True)),
    "gpt2": (lambda: byte_level(one_for_all=True), Style()),
}
