"""The checks of tokens agree with the encoder on whatever people write, and with transformers on ordinary text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chats import chats
from families import SMALL

from tutelage.evaluation import checks
from tutelage.evaluation.checks import Subject
from tutelage.model.forward import Proof
from tutelage.recipe import AdapterSettings
from tutelage.records import Conversation, Role, Source, Turn, with_ids
from tutelage.text.encode import Encoder, encode_all

EVERY = [
    *((template, name) for template in ("plain", "chatml", "gemma", "llama3") for name in SMALL),
    ("plain", "gemma"),
    ("own", "smollm2"),
]


def trimmed(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """As answers are when they are read; one that is blank would have been dropped."""
    return tuple(
        replace(turn, text=turn.text.strip() or "Yes.") if turn.role is Role.ASSISTANT else turn for turn in turns
    )


def subject_of(encoder: Encoder, folder: Path, seed: str, ordinary: bool) -> Subject:
    talks = (trimmed(turns) for turns in chats(seed, 60, ordinary))
    made = ((Conversation(turns), Source("wild.jsonl", (row,)), "", ()) for row, turns in enumerate(talks, 1))
    encoded = encode_all(encoder, with_ids(made), 600)
    nothing: Any = None
    proof = Proof(True, 0.0, 0.0)
    return Subject(nothing, encoder, encoded.examples, encoded.tokens, (), proof, AdapterSettings(), 1500, folder)


@pytest.mark.parametrize(("template", "name"), EVERY)
def test_mask_prompt_and_stop_token_hold_for_wild_texts(
    template: str, name: str, tmp_path: Path, encoder_of: Callable[[str, str], Encoder]
) -> None:
    subject = subject_of(encoder_of(template, name), tmp_path, f"checks {template} {name}", ordinary=False)
    for check in (checks.mask, checks.prompt, checks.stop_token):
        found = check(subject)
        assert found.measured == 0, f"{check.__name__}: {found.sentence}"


# See test_text_mask: for Llama 3's template no mask on joint tokens is possible with GPT-2's cuts.
@pytest.mark.parametrize(("template", "name"), [pair for pair in EVERY if pair != ("llama3", "prefixed")])
def test_the_export_holds_for_ordinary_texts(
    template: str, name: str, tmp_path: Path, encoder_of: Callable[[str, str], Encoder]
) -> None:
    encoder = encoder_of(template, name)
    subject = subject_of(encoder, tmp_path, f"export {template} {name}", ordinary=True)
    tokenizer, before = encoder.tokenizer, encoder.tokenizer.chat_template
    tokenizer.chat_template = encoder.portable_jinja()
    tokenizer.save_pretrained(tmp_path)
    tokenizer.chat_template = before
    subject.__dict__["saved"] = tmp_path  # there is no network to save beside it
    found = checks.export(subject)
    assert (found.measured, found.sentence.startswith("60 of 60 ")) == (0, True), found.sentence
