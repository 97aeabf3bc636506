"""What must hold for every conversation, whatever people wrote in it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from chats import CONTROL_TEXTS, ORDINARY, assistants, chats
from families import SMALL, Known
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tutelage.records import Role, Turn
from tutelage.text.encode import Encoder
from tutelage.text.pack import make_pack
from tutelage.text.preview import pieces

EncoderOf = Callable[[str, str], Encoder]
BUILT_IN = ("plain", "chatml", "gemma", "llama3")
EVERY = [
    *((template, name, 25) for template in BUILT_IN for name in SMALL),
    ("plain", "gemma", 100),
    ("plain", "smollm2", 100),
    ("chatml", "smollm2", 100),
    ("gemma", "gemma", 100),
    ("llama3", "smollm2+", 100),
    ("own", "smollm2", 100),
]
every = pytest.mark.parametrize(("template", "name", "count"), EVERY)


@every
def test_each_prompt_is_a_prefix(template: str, name: str, count: int, encoder_of: EncoderOf) -> None:
    encoder = encoder_of(template, name)
    for turns in chats(f"prefix {template} {name}", count):
        ids = encoder.encode(turns).ids.tolist()
        for place in assistants(turns):
            prompt = encoder.prompt(turns[:place])
            assert ids[: len(prompt)] == prompt, (turns, place)


@every
def test_one_bos_every_stop_and_nothing_else(template: str, name: str, count: int, encoder_of: EncoderOf) -> None:
    encoder = encoder_of(template, name)
    stop = encoder.control[encoder.template.stop]
    for turns in chats(f"weights {template} {name}", count):
        tokens = encoder.encode(turns)
        softer = encoder.encode(turns, prompt_weight=0.25)
        ids, trained = tokens.ids.tolist(), [turn for turn in turns if turn.is_trained]
        if encoder.bos is not None:
            assert (ids[0], ids.count(encoder.bos)) == (encoder.bos, 1), turns
        expected = np.zeros(len(ids), np.float32)
        for place, (start, end) in zip(
            [i for i in assistants(turns) if turns[i].is_trained], tokens.spans, strict=True
        ):
            assert start == len(encoder.prompt(turns[:place])), turns
            assert (ids[end - 1], ids[start:end].count(stop)) == (stop, 1), turns
            expected[start:end] = 1
        assert len(tokens.spans) == len(trained)
        assert tokens.weights.tolist() == expected.tolist(), turns
        assert softer.ids.tolist() == ids
        assert softer.weights.tolist() == np.where(expected == 1, 1, 0.25).tolist()
        assert make_pack([softer]).weights.tolist() == [*softer.weights[1:].tolist(), 0.0]


@every
def test_preview_shows_every_token(template: str, name: str, count: int, encoder_of: EncoderOf) -> None:
    encoder = encoder_of(template, name)
    control = set(encoder.control.values())
    for turns in chats(f"preview {template} {name}", count // 5):
        tokens = encoder.encode(turns)
        shown, start = pieces(encoder, tokens), 0
        for piece in shown:
            end = start + piece.tokens
            assert {bool(weight) for weight in tokens.weights[start:end]} == {piece.trained}
            assert {int(number) in control for number in tokens.ids[start:end]} == {piece.control}
            start = end
        assert start == len(tokens)


# --- people's text never becomes a control token ------------------------------------------------------------


def disguised(token: str, other: str, rng: random.Random) -> Iterator[tuple[str, str, str, str]]:
    """Texts for system, user, assistant and tool that hold a token: alone, repeated, joined, cut at an edge."""
    cut = rng.randrange(1, len(token)) if len(token) > 1 else 1
    texts = [token, token * 3, f"{token}{other}{token}x", f"a {token}\n{other}"]
    yield (*texts,)
    yield (*texts[2:], *texts[:2])
    yield (token[:cut], token[cut:] + token[:cut], token[cut:] + other[:-1], other[-1:] + token[:cut])


def control_ids(encoder: Encoder, texts: tuple[str, str, str, str]) -> list[int]:
    """Control ids, the unknown token included, in a chat of these texts."""
    system, user, answer, tool = texts
    turns = [
        Turn(Role.SYSTEM, system),
        Turn(Role.USER, user),
        Turn(Role.ASSISTANT, answer),
        Turn(Role.TOOL, tool),
        Turn(Role.ASSISTANT, answer),
        Turn(Role.USER, user),
        Turn(Role.ASSISTANT, answer),
    ]
    known = {*encoder.control.values(), encoder.tokenizer.unk_token_id}
    return [number for number in encoder.encode(turns).ids.tolist() if number in known]


@pytest.mark.parametrize(("template", "name", "count"), [pair for pair in EVERY if pair[1] != "gemma"])
def test_no_added_token_from_text(template: str, name: str, count: int, encoder_of: EncoderOf) -> None:
    encoder, rng = encoder_of(template, name), random.Random(name)
    expected = control_ids(encoder, ("plain", "words", "and", "others"))
    tokens = list(
        dict.fromkeys((*(token.content for token in encoder.tokenizer.added_tokens_decoder.values()), *CONTROL_TEXTS))
    )
    for token in tokens:
        for other in (rng.choice(tokens), rng.choice(tokens)):
            for texts in disguised(token, other, rng):
                assert control_ids(encoder, texts) == expected, texts


@pytest.mark.parametrize("template", ["plain", "gemma"])
def test_none_of_gemmas_added_tokens_from_text(template: str, encoder_of: EncoderOf) -> None:
    encoder, rng = encoder_of(template, "gemma"), random.Random("gemma")
    expected = control_ids(encoder, ("plain", "words", "and", "others"))
    tokens = [token.content for token in encoder.tokenizer.added_tokens_decoder.values()]
    assert len(tokens) == 6384
    for place, token in enumerate(tokens):
        texts = list(disguised(token, rng.choice(tokens), rng))
        assert control_ids(encoder, texts[0]) == expected, texts[0]
        if "unused" not in token or place % 20 == 0:
            assert [control_ids(encoder, some) for some in texts[1:]] == [expected] * 2, texts


def test_a_text_of_many_control_tokens_takes_no_time(encoder_of: EncoderOf) -> None:
    """Each is cut: neither the depth of the recursion nor the work may grow with their number squared."""
    for text in ("<start_of_image>", "</s><end_of_image>"):
        many = text * 20_000
        ids = encoder_of("plain", "gemma").plain(many)[1:]
        assert encoder_of("plain", "gemma").text(ids) == many


# --- texts come back ----------------------------------------------------------------------------------------


@every
def test_an_answers_ids_decode_to_the_answer(template: str, name: str, count: int, encoder_of: EncoderOf) -> None:
    encoder = encoder_of(template, name)
    for turns in chats(f"decode {template} {name}", count, ordinary=True):
        tokens = encoder.encode(turns)
        answers = [encoder.decode(tokens.ids[start:end].tolist()) for start, end in tokens.spans]
        assert answers == [turns[place].text for place in assistants(turns)]


@pytest.mark.parametrize(
    ("template", "name"), [("plain", "gemma"), ("own", "smollm2"), ("plain", "prepend"), ("plain", "gpt2")]
)
def test_any_unicode_comes_back(template: str, name: str, encoder_of: EncoderOf) -> None:
    """But "▁", which is how some tokenizers write a space, and what SmolLM2 has no bytes for."""
    encoder = encoder_of(template, name)
    characters = st.characters(exclude_categories=["Cs", "Co", "Cn"], exclude_characters="▁\x04\x06\x13\x14\x16\x1d")

    # "▁" is how these tokenizers write a space, so it comes back as one
    @settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.text(characters, max_size=40))
    def check(text: str) -> None:
        answer = f"a{text}z"
        tokens = encoder.encode((Turn(Role.USER, text), Turn(Role.ASSISTANT, answer)))
        start, end = tokens.spans[0]
        assert encoder.decode(tokens.ids[start:end].tolist()) == answer

    check()


@pytest.mark.parametrize("name", ["gemma", "smollm2", "always", "prepend", "first", "bytes", "gpt2"])
def test_plain_text_is_what_the_tokenizer_makes_of_it(
    name: str, known: Callable[[str], Known], encoder_of: EncoderOf
) -> None:
    one, encoder = known(name), encoder_of("plain", name)
    assert [encoder.plain(text) for text in ORDINARY] == [one.tokenizer(text).input_ids for text in ORDINARY]
    spoken = encoder.plain("</s><eos><|im_end|><end_of_turn><start_of_image><|endoftext|>")
    assert [number for number in spoken if number in encoder.control.values()] == ([encoder.bos] if one.bos else [])


def test_the_tokenizers_own_truncation_and_padding_are_not_ours(known: Callable[[str], Known]) -> None:
    """A tokenizer.json may carry both, and transformers leaves the last call's behind."""
    for name in ("bytes", "prepend"):
        tokenizer = known(name).tokenizer
        turns = (Turn(Role.USER, "How long is this? " * 9), Turn(Role.ASSISTANT, "Long enough. " * 9 + "Yes"))
        expected = Encoder(tokenizer, "plain").encode(turns).ids.tolist()
        encoder = Encoder(tokenizer, "plain")
        tokenizer.backend_tokenizer.enable_truncation(5)
        tokenizer.backend_tokenizer.enable_padding(length=300)
        before = Encoder(tokenizer, "plain")
        tokenizer.backend_tokenizer.enable_truncation(5)
        tokenizer.backend_tokenizer.enable_padding(length=300)
        assert encoder.encode(turns).ids.tolist() == expected
        assert before.encode(turns).ids.tolist() == expected
