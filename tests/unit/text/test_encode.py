"""The encoder's edges: BOS, stop tokens, odd tokenizers; and what becomes of conversations that are too long."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import CONTROL, examples_of, make_tokenizer, turns_of
from tokenizers import AddedToken

from tutelage.errors import TemplateError
from tutelage.records import Conversation, Role, Turn
from tutelage.text.encode import Encoder, encode_all
from tutelage.text.templates import Span

HELLO = turns_of("u: Hi", "a: Bye")


# --- tokens -------------------------------------------------------------------------------------------------


def test_weights_are_one_on_the_answer_and_its_stop_token(encoder: Encoder) -> None:
    tokens = encoder.encode(HELLO, "name", prompt_weight=0.5)
    (start, end), stop = tokens.spans[0], encoder.tokenizer.eos_token_id
    assert encoder.text(tokens.ids[start:end].tolist()) == "Bye</s>"
    assert (tokens.ids.tolist()[-1], len(tokens), tokens.example) == (stop, end, "name")
    assert tokens.weights.tolist() == [0.5] * start + [1.0] * (end - start)
    assert (tokens.ids.dtype, tokens.weights.dtype) == (np.int32, np.float32)
    assert encoder.prompt(HELLO[:1]) == tokens.ids[:start].tolist()


def test_a_turn_that_is_not_trained_has_no_span_and_no_weight(encoder: Encoder) -> None:
    tokens = encoder.encode(turns_of("u: Hi", "a! Bye", "u: Hi", "a: Bye"))
    (start, end) = tokens.spans[0]
    assert len(tokens.spans) == 1
    assert tokens.weights.sum() == end - start
    assert not encoder.encode(turns_of("u: Hi", "a! Bye")).weights.any()


class Lines:
    """A template made elsewhere, whose answers end with a line break and only the last with a stop token."""

    name, stop, jinja = "lines", "</s>", ""

    def spans(self, turns: Sequence[Turn]) -> tuple[Span, ...]:
        made = []
        for number, turn in enumerate(turns):
            made += [
                Span(turn.text, trained=turn.is_trained, starts=turn.role is Role.ASSISTANT, turn=number),
                Span("\n"),
            ]
        return (*made, Span("</s>", True, True, turn=len(turns) - 1))

    def prompt(self, turns: Sequence[Turn]) -> tuple[Span, ...]:
        return self.spans(turns)[:-1]


def test_what_follows_an_answer_is_not_trained_with_it(tokenizer: Any) -> None:
    encoder = Encoder(tokenizer, Lines())
    tokens = encoder.encode(turns_of("u: Hi", "a: Bye", "u: again", "a: no"))
    assert encoder.text(tokens.ids.tolist()) == "<s>Hi\nBye\nagain\nno\n</s>"
    assert encoder.text(tokens.ids[tokens.weights > 0].tolist()) == "Byeno</s>"


def test_one_bos_where_the_model_expects_one() -> None:
    for bos, first in (("<s>", ["<s>", "<"]), (None, ["<", "|"])):
        encoder = Encoder(make_tokenizer(bos, control=()), "plain")
        assert encoder.tokenizer.convert_ids_to_tokens(encoder.encode(HELLO).ids[:2].tolist()) == first
        assert encoder.portable_jinja().startswith("{{ bos_token }}") == bool(bos)
    silent = make_tokenizer()
    silent.backend_tokenizer.post_processor = None  # it has a BOS but puts it nowhere, as SmolLM2
    assert Encoder(silent, "plain").bos is None


def test_one_token_may_be_bos_eos_and_unk() -> None:
    """As in GPT-2, where each is <|endoftext|>."""
    tokenizer = make_tokenizer(None, "<|endoftext|>", unk="<|endoftext|>")
    encoder = Encoder(tokenizer, "plain")
    ids = encoder.encode(turns_of("u: <|endoftext|>", "a: <|endoftext|>")).ids.tolist()
    assert ids.count(tokenizer.eos_token_id) == 2
    assert encoder.stop_ids == {tokenizer.eos_token_id}
    assert "<|endoftext|>" in Encoder(tokenizer, "chatml").control


def test_an_eos_that_only_the_models_config_names_is_control() -> None:
    """`model.load` sets it on the tokenizer; it is then in the vocabulary, but not among the added tokens."""
    tokenizer = make_tokenizer(None)
    tokenizer.eos_token = "the"
    encoder = Encoder(tokenizer, "plain")
    assert encoder.stop_ids == {tokenizer.convert_tokens_to_ids("the")}
    ids = encoder.encode(turns_of("u: the", "a: the")).ids.tolist()
    assert ids.count(tokenizer.eos_token_id) == 2


def test_the_template_s_stop_token_and_eos_end_an_answer(tokenizer: Any) -> None:
    encoder = Encoder(tokenizer, "chatml")
    assert encoder.stop_ids == {tokenizer.convert_tokens_to_ids("<|im_end|>"), tokenizer.eos_token_id}


def test_decode_leaves_control_tokens_out_and_nothing_else(encoder: Encoder) -> None:
    ids = [encoder.control["</s>"], *encoder.plain(" a\n\n b ")[1:], encoder.control["<|im_end|>"]]
    assert encoder.decode(ids) == " a\n\n b "
    assert encoder.text(ids) == "</s> a\n\n b <|im_end|>"


def test_a_control_token_of_one_character_cannot_be_cut() -> None:
    tokenizer = make_tokenizer(control=("☃",))
    tokenizer.backend_tokenizer.add_tokens([AddedToken("☂", special=False, normalized=False)])
    encoder = Encoder(tokenizer, "plain")
    assert encoder.control["☃"] not in encoder.plain("a ☃ b")  # flagged as special: spelt out by its bytes
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] + '☂' + m['content'] + eos_token }}{% endfor %}" + (
        "{% if add_generation_prompt %}{{ 'assistant☂' }}{% endif %}"
    )
    with pytest.raises(TemplateError, match="the character '☂' is a control token"):
        Encoder(tokenizer, "own").plain("a ☂ b")


@pytest.mark.parametrize("kind", ["lstrip", "rstrip"])
def test_a_token_that_takes_white_space_with_it_is_cut_inside(kind: str) -> None:
    tokenizer = make_tokenizer(control=CONTROL)
    tokenizer.backend_tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False, **{kind: True})])
    encoder = Encoder(tokenizer, "plain")
    for text in ("a   <think>   b", "<think>", "  <think>", "<think>\n\n", " <think> <think> "):
        ids = encoder.plain(text)[1:]
        assert encoder.control["<think>"] not in ids
        assert encoder.text(ids) == text
    assert encoder.plain("a   <think>   b")[1:] == encoder.plain("a   <")[1:] + encoder.plain("think>   b")[1:]


# --- too long -----------------------------------------------------------------------------------------------

LONG = turns_of(
    "s: Be brief.", "u: one", "a: two", "t: three", "a: four", "u: five", "a: six", "u: seven", "a: eight and more"
)


def fitting(encoder: Encoder, turns: tuple[Turn, ...], limit: int) -> tuple[Turn, ...] | None:
    """The slow way: cut one exchange after the other off the front until the rest fits."""
    head = 1 if turns[0].role is Role.SYSTEM else 0
    while len(encoder.encode(turns)) > limit:
        later = [place for place, turn in enumerate(turns) if turn.role is Role.USER and place > head]
        if not later:
            return None
        turns = turns[:head] + turns[later[0] :]
    return turns


def test_the_system_turn_and_the_last_whole_exchanges_are_kept(encoder: Encoder) -> None:
    examples = examples_of([LONG, LONG[1:]])
    for limit in range(1, len(encoder.encode(LONG)) + 2):
        encoded = encode_all(encoder, examples, limit)
        expected = [fitting(encoder, example.conversation.turns, limit) for example in examples]
        kept = [turns for turns in expected if turns]
        assert [example.conversation for example in encoded.examples] == [Conversation(turns) for turns in kept]
        assert [item.ids.tolist() for item in encoded.tokens] == [encoder.encode(t).ids.tolist() for t in kept]
        assert len(encoded.dropped) == expected.count(None)
        lost = [len(e.conversation.turns) - len(t) for e, t in zip(examples, expected, strict=True) if t]
        assert encoded.turns_cut == sum(lost)
        assert len(encoded.shortened) == sum(map(bool, lost))
        assert all(len(item) <= limit for item in encoded.tokens)


def test_what_is_dropped_says_why_and_where(encoder: Encoder) -> None:
    examples = examples_of([LONG, HELLO, turns_of("u: Hi", "a! Bye")])
    whole = len(encoder.encode(LONG))
    encoded = encode_all(encoder, examples, whole - 1, "drop")
    assert encoded.examples == examples[1:2]
    assert [(row.source.rows, row.stage, row.rule) for row in encoded.dropped] == [
        ((1,), "conversation", "too long"),
        ((3,), "conversation", "nothing trained"),
    ]
    assert encoded.dropped[0].reason == f"{whole} tokens, the limit is {whole - 1} (tuning.max_length)"
    assert (encoded.shortened, encoded.turns_cut) == ((), 0)


def test_what_is_left_without_a_trained_turn_is_dropped(encoder: Encoder) -> None:
    turns = turns_of("u: Hi", "a: Bye", "u: the quick brown fox", "a! jumps over the lazy dog")
    encoded = encode_all(encoder, examples_of([turns]), len(encoder.encode(turns)) - 1)
    assert [row.rule for row in encoded.dropped] == ["nothing trained"]


def test_ids_and_order_are_kept(encoder: Encoder) -> None:
    examples = examples_of([LONG, HELLO, LONG])
    encoded = encode_all(encoder, examples, len(encoder.encode(LONG)) - 1)
    assert [example.id for example in encoded.examples] == [example.id for example in examples]
    assert [item.example for item in encoded.tokens] == [example.id for example in examples]
    assert [example.source for example in encoded.examples] == [example.source for example in examples]
    assert encoded.shortened == (examples[0].id, examples[2].id)


def test_a_conversation_of_a_thousand_exchanges_is_cut_quickly(encoder: Encoder) -> None:
    turns = turns_of(*["u: Hi", "a: Bye"] * 1000)
    encoded = encode_all(encoder, examples_of([turns]), 200)
    assert encoded.examples[0].conversation.turns == fitting(encoder, turns[-60:], 200)
    assert encoded.turns_cut == 2000 - len(encoded.examples[0].conversation.turns)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=8), st.integers(1, 120), st.integers(0, 999))
def test_kept_and_dropped_add_up(encoder: Encoder, texts: list[str], limit: int, seed: int) -> None:
    rng = random.Random(seed)
    talks = []
    for text in texts:
        exchanges = [(Turn(Role.USER, text), Turn(Role.ASSISTANT, text[::-1])) for _ in range(rng.randint(1, 3))]
        talks.append([turn for exchange in exchanges for turn in exchange])
    examples = examples_of(talks)
    by_id = {example.id: example for example in examples}
    for too_long in ("keep_last_turns", "drop"):
        encoded = encode_all(encoder, examples, limit, too_long)
        assert len(encoded.examples) + len(encoded.dropped) == len(examples)
        for item, example in zip(encoded.tokens, encoded.examples, strict=True):
            assert len(item) <= limit
            assert len(item.spans) == sum(turn.is_trained for turn in example.conversation.turns)
            assert example.conversation.turns[-2:] == by_id[item.example].conversation.turns[-2:]
