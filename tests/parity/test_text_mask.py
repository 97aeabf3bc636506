"""Ids and mask against two oracles that know nothing of the encoder."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from chats import Naive, assistants, chats, written
from families import Known

from tutelage.records import Role
from tutelage.text.encode import Encoder

SMALL = ("always", "first", "prepend", "swallow", "bytes", "prefixed", "gpt2")
PAIRS = [
    *((template, name, 200) for template in ("plain", "chatml", "gemma", "llama3") for name in SMALL),
    ("plain", "gemma", 400),
    ("plain", "smollm2", 400),
    ("chatml", "smollm2", 700),
    ("gemma", "gemma", 700),
    ("llama3", "smollm2+", 800),
    ("own", "smollm2", 2000),
]
"""Over 2,000 chats for each template."""


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


MARKED_SMOLLM2 = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}
{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
'}}{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}
{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '
' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""
"""SmolLM2's own template, which has no generation marks, with marks written in by hand."""


# GPT-2 cuts "\n\nHello" into "\n", "\n" and "Hello", but "\n\n" alone is one piece: for Llama 3's template no mask on
# joint tokens is possible there, since the prompt is no prefix of them.
JOINT = [pair for pair in PAIRS if pair[:2] != ("llama3", "prefixed")]


@pytest.mark.parametrize(("template", "name", "count"), JOINT)
def test_ids_and_mask_equal_those_of_transformers(
    template: str,
    name: str,
    count: int,
    known: Callable[[str], Known],
    encoder_of: Callable[[str, str], Encoder],
) -> None:
    tokenizer, encoder = known(name).tokenizer, encoder_of(template, name)
    jinja = MARKED_SMOLLM2 if template == "own" else encoder.portable_jinja()
    for turns in chats(f"transformers {template} {name}", count, ordinary=True):
        theirs = tokenizer.apply_chat_template(
            [{"role": str(turn.role), "content": turn.text} for turn in turns],
            chat_template=jinja,
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        ours = encoder.encode(turns)
        assert ours.ids.tolist() == theirs["input_ids"], turns
        assert ours.weights.tolist() == theirs["assistant_masks"], turns


@pytest.mark.parametrize(("template", "name", "count"), JOINT)
def test_prompt_equals_that_of_transformers(
    template: str,
    name: str,
    count: int,
    known: Callable[[str], Known],
    encoder_of: Callable[[str, str], Encoder],
) -> None:
    """Whoever serves the exported model writes its prompts with the exported Jinja."""
    tokenizer, encoder = known(name).tokenizer, encoder_of(template, name)
    for turns in chats(f"prompt {template} {name}", count // 10, ordinary=True):
        theirs = tokenizer.apply_chat_template(
            [{"role": str(turn.role), "content": turn.text} for turn in turns[:-1]],
            chat_template=encoder.portable_jinja(),
            add_generation_prompt=True,
            return_dict=True,
        )
        assert encoder.prompt(turns[:-1]) == theirs["input_ids"], turns


def test_smollm2s_own_template_is_proven_and_its_system_text_is_the_templates(
    known: Callable[[str], Known], encoder_of: Callable[[str, str], Encoder]
) -> None:
    tokenizer, encoder = known("smollm2").tokenizer, encoder_of("own", "smollm2")
    assert (encoder.template.jinja, encoder.template.stop) == (tokenizer.chat_template, "<|im_end|>")
    for turns in chats("own", 100, ordinary=True):
        theirs = tokenizer.apply_chat_template(
            [{"role": str(turn.role), "content": turn.text} for turn in turns], return_dict=True
        )
        assert encoder.encode(turns).ids.tolist() == theirs["input_ids"], turns
        first = encoder.template.spans(turns)[:4]
        if turns[0].role is not Role.SYSTEM:
            assert [(span.control, span.trained, span.turn) for span in first] == [
                (True, False, -1),
                (False, False, -1),
                (True, False, -1),
                (False, False, -1),
            ]
