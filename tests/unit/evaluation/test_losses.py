"""Losses of reference answers against a slow loop through the model's own logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from made import examples_of, talk

from tutelage.evaluation import losses as losses_module
from tutelage.evaluation.contenders import candidates
from tutelage.evaluation.losses import Losses, on_the_same, reference_losses
from tutelage.model.forward import prove
from tutelage.model.slots import WORTH
from tutelage.records import Example
from tutelage.text.encode import Encoder


def slow(network: Any, encoder: Encoder, example: Example) -> tuple[float, int, float]:
    """Nats of the last answer token by token, its token count, and the nats of the stop token."""
    prompt = encoder.prompt(example.conversation.prompt)
    ids = encoder.encode(example.conversation.turns).ids.tolist()
    assert ids[: len(prompt)] == prompt
    end = len(prompt) + ids[len(prompt) :].index(encoder.tokenizer.eos_token_id)
    with torch.no_grad():
        odds = network(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    nats = [-float(odds[place - 1, ids[place]]) for place in range(len(prompt), end + 1)]
    return sum(nats[:-1]), len(nats) - 1, nats[-1]


def test_losses_equal_a_slow_loop_in_every_format(network: Any, tokenizer: Any, examples: Any) -> None:
    proof = prove(network)
    assert proof.packed
    for encoder in candidates(tokenizer, "plain"):
        losses = reference_losses(network, encoder, proof, examples)
        assert [answer.example for answer in losses.answers] == [example.id for example in examples]
        for answer, example in zip(losses.answers, examples, strict=True):
            nats, tokens, stop = slow(network, encoder, example)
            assert answer.tokens == tokens
            assert answer.nats == pytest.approx(nats, rel=1e-5)
            assert answer.stop_nats == pytest.approx(stop, rel=1e-4)


def test_a_system_text_that_all_share_is_read_once(
    network: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses equal the slow loop's, one conversation has a word more in its system text, and the work is less."""
    system = "You are the help desk of a shop that sells paint. Be short and be kind. " * 2
    texts = [("red", "a warm one"), ("blue", "cold"), ("green", "in between")]
    shared = examples_of([talk(*text, system=system + more) for text, more in zip(texts, ("", "", "Ok."), strict=True)])
    encoder, proof = Encoder(tokenizer, "plain"), prove(network)
    read: list[int] = []
    kept = losses_module.read_prefix
    monkeypatch.setattr(losses_module, "read_prefix", lambda inner, ids: read.append(len(ids)) or kept(inner, ids))
    losses = reference_losses(network, encoder, proof, shared)
    assert len(read) == 1 and read[0] >= WORTH
    for answer, example in zip(losses.answers, shared, strict=True):
        nats, tokens, stop = slow(network, encoder, example)
        assert (answer.tokens, answer.nats) == (tokens, pytest.approx(nats, rel=1e-5))
        assert answer.stop_nats == pytest.approx(stop, rel=1e-4)


def test_only_the_last_answer_counts(network: Any, tokenizer: Any) -> None:
    encoder, proof = Encoder(tokenizer, "plain"), prove(network)
    (long,) = examples_of([talk("red", "a long first answer, green", "blue", "deep")])
    losses = reference_losses(network, encoder, proof, [long])
    assert losses.tokens == len(encoder.plain("deep")) - 1  # plain() begins with the bos


def test_sums_and_means(network: Any, tokenizer: Any, examples: Any) -> None:
    done: list[int] = []
    losses = reference_losses(network, Encoder(tokenizer, "plain"), prove(network), examples, done.append)
    nats, stops = sum(a.nats for a in losses.answers), sum(a.stop_nats for a in losses.answers)
    assert losses.per_token == pytest.approx(nats / losses.tokens)
    assert losses.per_token_with_stop == pytest.approx((nats + stops) / (losses.tokens + len(examples)))
    assert sum(done) == len(examples)


def test_too_long_ones_are_left_out_for_everybody(network: Any, tokenizer: Any, examples: Any) -> None:
    long = examples_of([talk("red " * 600, "green")])
    losses = reference_losses(network, Encoder(tokenizer, "plain"), prove(network), (*examples, *long))
    assert losses.left_out == (long[0].id,)
    fewer = Losses(losses.answers[2:])
    one, other = on_the_same([losses, fewer])
    assert one.answers == other.answers == losses.answers[2:]


def test_the_network_is_left_as_it_was(network: Any, tokenizer: Any, examples: Any) -> None:
    before = network.config._attn_implementation
    network.train()
    try:
        reference_losses(network, Encoder(tokenizer, "plain"), prove(network), examples[:2])
        assert network.config._attn_implementation == before
    finally:
        network.eval()


def test_nothing_measured_is_no_number() -> None:
    assert Losses(()).per_token != Losses(()).per_token
    assert on_the_same([]) == ()
