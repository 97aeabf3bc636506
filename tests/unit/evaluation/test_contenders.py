"""How a base model is shown, and which format is found to be its best."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from made import talk

from tutelage.evaluation.answers import generate, generate_together
from tutelage.evaluation.contenders import (
    FORMAT_FEW,
    Contender,
    TextFormat,
    candidates,
    format_pieces,
    in_best_format,
    markers_of,
    text_formats,
    with_system,
)
from tutelage.evaluation.losses import reference_losses
from tutelage.model.forward import prove
from tutelage.recipe import DecodingSettings
from tutelage.records import Prompt, Role, Turn
from tutelage.text.encode import Encoder


def test_the_text_of_a_format(tokenizer: Any) -> None:
    turns = talk("One?", "First.", "Two?", "Second.", system="Be brief.")
    encoder = Encoder(tokenizer, text_formats("</s>")[0])
    whole = tokenizer.decode(encoder.encode(turns).ids.tolist())
    expected = "<s>Be brief.\n\nQuestion:\nOne?\n\nAnswer:\nFirst.\n\nQuestion:\nTwo?\n\nAnswer:\nSecond.</s>"
    assert whole == expected
    prompt = encoder.prompt(turns[:-1])
    assert encoder.encode(turns).ids.tolist()[: len(prompt)] == prompt
    assert tokenizer.decode(prompt).endswith("Two?\n\nAnswer:\n")


def test_text_never_becomes_the_stop_token(tokenizer: Any) -> None:
    encoder = Encoder(tokenizer, text_formats("</s>")[2])
    ids = encoder.encode(talk("a</s>b", "c</s>d")).ids.tolist()
    assert ids.count(tokenizer.eos_token_id) == 1


def test_where_the_next_turn_begins(tokenizer: Any) -> None:
    own, *texts = candidates(tokenizer, "plain")
    assert markers_of(own) == ("<|user|>",)
    found = [markers_of(one) for one in texts]
    assert found == [
        ("\nQuestion:", "\nAnswer:"),
        ("\nUser:", "\nAssistant:"),
        ("\n### Instruction:", "\n### Response:"),
    ]


def test_a_system_text_goes_first() -> None:
    assert with_system(talk("a"), "S") == (Turn(Role.SYSTEM, "S"), Turn(Role.USER, "a"))
    assert with_system(talk("a", system="T"), "S")[0].text == "S\n\nT"
    assert with_system(talk("a"), "") == talk("a")


def test_the_format_of_lowest_loss_is_taken(network: Any, tokenizer: Any, examples: Any) -> None:
    encoders = candidates(tokenizer, "plain")
    proof = prove(network)
    contender = Contender("base", "tiny", network, encoders[0], proof)
    choice = in_best_format(contender, encoders, examples)
    best = choice.contender
    expected = {one.template.name: reference_losses(network, one, proof, examples).per_token for one in encoders}
    assert {tried.name: tried.loss for tried in choice.formats} == pytest.approx(expected)
    assert best.encoder.template.name == min(expected, key=lambda name: expected[name])
    assert best.markers == markers_of(best.encoder)
    assert choice.losses == best.losses(examples)


def test_with_many_examples_the_two_best_formats_are_measured_on_more(
    network: Any, tokenizer: Any, examples: Any
) -> None:
    many = [examples[place % len(examples)] for place in range(FORMAT_FEW + 5)]
    many = [replace(example, id=f"{place}") for place, example in enumerate(many)]
    encoders, proof, done = candidates(tokenizer, "plain"), prove(network), list[int]()
    choice = in_best_format(Contender("base", "tiny", network, encoders[0], proof), encoders, many, done.append)

    def loss(encoder: Encoder, count: int) -> float:
        return reference_losses(network, encoder, proof, many[:count]).per_token

    few = {one.template.name: loss(one, FORMAT_FEW) for one in encoders}
    whole = {one.template.name: loss(one, len(many)) for one in encoders}
    ranked = sorted(few, key=lambda name: few[name])
    first, second = sorted(ranked[:2], key=lambda name: whole[name])
    expected = {first: whole[first], second: whole[second], ranked[2]: few[ranked[2]], ranked[3]: few[ranked[3]]}
    assert {tried.name: tried.loss for tried in choice.formats} == pytest.approx(expected)
    assert [tried.name for tried in choice.formats] == [first, second, *ranked[2:]]
    counts = [len(many), len(many), FORMAT_FEW, FORMAT_FEW]
    assert [tried.conversations for tried in choice.formats] == counts
    assert sum(done) == sum(counts) == format_pieces(len(encoders), len(many))
    assert choice.contender.encoder.template.name == first
    assert choice.losses == choice.contender.losses(many)


def test_without_examples_a_plain_text_format_is_taken(network: Any, tokenizer: Any) -> None:
    encoders = candidates(tokenizer, "plain")
    contender = Contender("base", "tiny", network, encoders[0], prove(network))
    choice = in_best_format(contender, encoders, ())
    assert isinstance(choice.contender.encoder.template, TextFormat)
    assert choice.formats == ()


def test_a_contender_puts_its_system_text_before_everything(network: Any, tokenizer: Any, examples: Any) -> None:
    encoder, proof = Encoder(tokenizer, "plain"), prove(network)
    contender = Contender("a", "tiny", network, encoder, proof, system="Be kind.")
    decoding = DecodingSettings(max_new_tokens=6)
    prompt = Prompt("p", talk("red"))
    bare = Contender("b", "tiny", network, encoder, proof)
    told = Prompt("p", talk("red", system="Be kind."))
    together = generate_together(network, [contender.ask([prompt]), bare.ask([told])], decoding)
    assert together[0] == together[1] == generate(network, encoder, [told], decoding)
    assert contender.losses(examples).nats != bare.losses(examples).nats
