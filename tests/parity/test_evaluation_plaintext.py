"""The perplexity of plain text: in packs, and one text after the other through transformers' own forward."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import GPT2LMHeadModel

import tiny
from tutelage.evaluation import plaintext
from tutelage.evaluation.plaintext import Perplexity, PlainText, TextLoss, plain_texts, text_losses, windows
from tutelage.model.forward import prove
from tutelage.text.encode import Encoder

SHORT = tuple(replace(text, text=text.text[:60]) for text in plain_texts()[::6])


def slow(network: Any, ids: list[int]) -> float:
    """Nats of all tokens but the first, by the model's own loss."""
    with torch.no_grad():
        row = torch.tensor([ids])
        return float(network(input_ids=row, labels=row).loss) * (len(ids) - 1)


@pytest.mark.parametrize("name", ["llama", "gemma3", "gemma2", "gpt2"])
def test_equals_the_plain_forward(name: str) -> None:
    network, tokenizer = tiny.network(name), tiny.tokenizer()
    found = text_losses(network, Encoder(tokenizer, "plain"), prove(network), SHORT)
    for text, one in zip(SHORT, found.texts, strict=True):
        ids = tokenizer(text.text).input_ids
        assert ids[0] == tokenizer.bos_token_id
        assert (one.id, one.kind, one.tokens, one.bytes) == (text.id, text.kind, len(ids) - 1, len(text.text.encode()))
        assert one.nats == pytest.approx(slow(network, ids), rel=2e-5)
    nats = sum(one.nats for one in found.texts)
    assert found.per_token == pytest.approx(math.exp(nats / found.tokens))
    assert found.per_byte == pytest.approx(math.exp(nats / found.bytes))
    assert found.bits_per_byte == pytest.approx(math.log2(found.per_byte))
    assert Perplexity.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_without_a_beginning_of_sequence_the_first_token_is_not_predicted() -> None:
    network = tiny.network("llama")
    encoder = Encoder(tiny.tokenizer(), "plain")
    encoder.bos = None
    found = text_losses(network, encoder, prove(network), SHORT)
    for text, one in zip(SHORT, found.texts, strict=True):
        ids = tiny.tokenizer()(text.text, add_special_tokens=False).input_ids
        first = len(str(tiny.tokenizer().decode(ids[:1])).encode())
        assert (one.tokens, one.bytes) == (len(ids) - 1, len(text.text.encode()) - first)
        assert one.nats == pytest.approx(slow(network, ids), rel=2e-5)


def test_a_long_text_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each token once, with as much before it as fits: the slow way asks for every window by itself."""
    network: Any = tiny.network("gpt2")
    assert isinstance(network, GPT2LMHeadModel)
    monkeypatch.setattr(plaintext, "context_length", lambda _: 24)
    encoder, text = Encoder(tiny.tokenizer(), "plain"), replace(plain_texts()[0], text=plain_texts()[0].text[:90])
    ids = encoder.plain(text.text)
    assert len(ids) > 48
    expected, done = 0.0, 1
    while done < len(ids):
        end = min(len(ids), done + 23)
        part = torch.tensor([ids[end - 24 : end] if end > 24 else ids[:end]])
        with torch.no_grad():
            odds = network(input_ids=part).logits[0].log_softmax(-1)
        count = end - done
        expected -= float(odds[-count - 1 : -1].gather(1, part[0, -count:, None]).sum())
        done = end
    (one,) = text_losses(network, encoder, prove(network), [text]).texts
    assert one.tokens == len(ids) - 1
    assert one.nats == pytest.approx(expected, rel=2e-5)


@given(st.integers(0, 60), st.integers(1, 60), st.one_of(st.none(), st.integers(2, 30)))
def test_every_predicted_token_is_in_one_part(count: int, first: int, most: int | None) -> None:
    parts = windows(list(range(count)), first, most)
    found = [int(one) for part in parts for one in part.ids[part.weights > 0]]
    assert found == list(range(first, count))
    assert all(part.weights[0] == 0 and len(part) <= (most or count) for part in parts)
    assert all(len(part) == min(count, most or count) for part in parts[1:])


def test_words_of_numbers() -> None:
    found = Perplexity((TextLoss("a", "x", 8 * math.log(4), 8, 16), TextLoss("b", "y", 0.0, 2, 4)))
    assert found.of("x").per_token == pytest.approx(4)
    assert found.of("x").bits_per_byte == pytest.approx(1)
    assert math.isnan(found.of("z").per_token) and found.of("z").to_json()["per_byte"] is None


def test_the_texts_that_come_with_the_package() -> None:
    """At least sixty, of many kinds, with code in three languages and prose in four; short, and no two alike."""
    texts = plain_texts()
    assert len(texts) >= 60 and len({text.text for text in texts}) == len({text.id for text in texts}) == len(texts)
    kinds = {text.kind for text in texts}
    assert kinds >= {"encyclopaedic", "narrative", "letter", "news", "recipe", "code", "dialogue", "table"}
    assert len({text.language for text in texts if text.kind == "code"}) >= 3
    assert {text.language for text in texts} >= {"en", "de", "fr", "es"}
    assert all(100 < len(text.text) < 900 and text.text == text.text.strip() for text in texts)
    assert isinstance(texts[0], PlainText)
