"""On whatever people write, the final batches train on what they should: counted from the packs' arrays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from chats import chats
from families import SMALL

from tutelage.records import Conversation, Source, with_ids
from tutelage.text.certificate import walk
from tutelage.text.encode import Encoder, encode_all
from tutelage.text.pack import packs_of

EVERY = [
    *((template, name) for template in ("plain", "chatml", "gemma", "llama3") for name in SMALL),
    ("plain", "gemma"),
    ("own", "smollm2"),
]


@pytest.mark.parametrize(("template", "name"), EVERY)
def test_the_certificate_of_wild_conversations_is_clean(
    template: str, name: str, encoder_of: Callable[[str, str], Encoder]
) -> None:
    encoder, source = encoder_of(template, name), Source("wild.jsonl", (1,))
    made = ((Conversation(turns), source, "", ()) for turns in chats(f"certificate {template} {name}", 60))
    encoded = encode_all(encoder, with_ids(made), 600)
    packs = packs_of(encoded.tokens, range(len(encoded.tokens)), 1500)
    seen = walk(packs, encoded.examples, encoded.tokens, encoder)
    turns = sum(turn.is_trained for example in encoded.examples for turn in example.conversation.turns)
    assert (seen.stops_trained, seen.answers_equal, seen.examples.total()) == (turns, turns, len(encoded.examples))
    assert (seen.rows_untrained, seen.crossings, seen.control_in_text, seen.mask_errors) == (0, 0, 0, 0)
    assert {dropped.rule for dropped in encoded.dropped} <= {"too long", "nothing trained"}
    assert len(encoded.examples) > 40
