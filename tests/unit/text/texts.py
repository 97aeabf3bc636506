"""A small tokenizer, conversations, and examples of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from tutelage.records import Conversation, Example, Role, Source, Turn, with_ids

ROLES = {"s": Role.SYSTEM, "u": Role.USER, "a": Role.ASSISTANT, "t": Role.TOOL}
WORDS = "the quick brown fox jumps over a lazy dog and asks: what is two plus two? It is four. Thanks, bye!"
CONTROL = (
    "<|im_start|>",
    "<|im_end|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
    "<|end|>",
    "[INST]",
    "[/INST]",
)


def turns_of(*spoken: str) -> tuple[Turn, ...]:
    """`u: hi` is a user's turn, `a! no` an assistant's that is not trained."""
    return tuple(Turn(ROLES[line[0]], line[3:], False if line[1] == "!" else None) for line in spoken)


def examples_of(talks: Sequence[Sequence[Turn]]) -> tuple[Example, ...]:
    """One example for each conversation, from rows 1, 2, …"""
    return with_ids(
        (Conversation(tuple(turns)), Source("made.jsonl", (row,)), "", ()) for row, turns in enumerate(talks, 1)
    )


def make_tokenizer(
    bos: str | None = "<s>", eos: str = "</s>", control: Sequence[str] = CONTROL, unk: str | None = None
) -> Any:
    """Byte-level BPE that puts the BOS before each text where there is one."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    names = [name for name in dict.fromkeys((bos, eos)) if name]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=names, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator([WORDS], trainer)
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in control])
    if bos:
        place = (bos, backend.token_to_id(bos))
        backend.post_processor = processors.TemplateProcessing(f"{bos} $A", special_tokens=[place])
    tokens = {"bos_token": bos, "eos_token": eos, "unk_token": unk}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **{name: text for name, text in tokens.items() if text})
