"""Ids and mask against two oracles that know nothing of the encoder."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from chats import Naive, assistants, chats, written
from conftest import Known

from tutelage.text.encode import Encoder

SMALL = ("always", "first", "prepend", "swallow", "bytes", "prefixed", "gpt2")
PAIRS = [
    *((template, name, 200) for template in ("plain", "chatml", "gemma", "llama3") for name in SMALL),
    ("plain", "gemma", 400),
    ("plain", "smollm2", 400),
    ("chatml", "smollm2", 700),
    ("gemma", "gemma", 700),
    ("llama3", "smollm2+", 700),
    ("own", "smollm2", 2100),
]


@pytest.mark.parametrize(("template", "name", "count"), PAIRS)
def test_ids_and_mask_equal_a_naive_walk(
    template: str,
    name: str,
    count: int,
    known: Callable[[str], Known],
    encoder_of: Callable[[str, str], Encoder],
    naive_of: Callable[[str, str], Naive],
) -> None:
    one, encoder, naive = known(name), encoder_of(template, name), naive_of(template, name)
    added = {token.content for token in one.tokenizer.added_tokens_decoder.values() if token.content.strip()}
    for turns in chats(f"walk {template} {name}", count):
        pieces = written(template, turns, one.tokenizer.eos_token, one.bos, added)
        tokens = encoder.encode(turns)
        ids, mask, answers = naive.encode(pieces)
        assert tokens.ids.tolist() == ids, turns
        assert tokens.weights.tolist() == mask, turns
        trained = [place for place, index in zip(answers, assistants(turns), strict=True) if turns[index].is_trained]
        assert [start for start, _ in tokens.spans] == trained, turns
