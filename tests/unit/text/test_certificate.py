"""The certificate passes on good packs, and catches each fault that is put into their arrays on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import numpy as np
import pytest
from texts import examples_of, turns_of

from tutelage.errors import CertificateError
from tutelage.records import Example
from tutelage.text.certificate import Certificate, walk
from tutelage.text.encode import Encoder, Tokens, encode_all
from tutelage.text.pack import Pack, packs_of

EXAMPLES = examples_of(
    [
        turns_of("u: Hi", "a: Bye"),
        turns_of("s: Be brief.", "u: What is two plus two?", "a: It is four.", "u: Thanks", "a: ok"),
        turns_of("u: one </s> two", "a! no", "u: again", "a: yes <|im_end|> no"),
        turns_of("u: Hi", "a: Bye"),
    ]
)


def certificate_of(
    encoder: Encoder, tokens: Sequence[Tokens], packs: Sequence[Pack], examples: Sequence[Example] = EXAMPLES
) -> Certificate:
    """As `tuning.prepare` makes it, for data of which nothing was dropped or held out."""
    seen = asdict(walk(packs, examples, tokens, encoder))
    count = len(examples)
    return Certificate(
        **{**seen, "examples": sum(seen["examples"].values())},
        **dict.fromkeys(("rows_read", "rows_used", "conversations_made", "conversations_kept"), count),
        **dict.fromkeys(("rows_passed_over", "conversations_dropped", "shortened", "turns_cut", "held_out"), 0),
        dropped={},
        sources={"made.jsonl": count},
        trained_turns=sum(turn.is_trained for example in examples for turn in example.conversation.turns),
        template="plain",
        template_hash="",
        tokenizer_hash="",
        data_hash="",
    )


@pytest.fixture
def tokens(encoder: Encoder) -> tuple[Tokens, ...]:
    return encode_all(encoder, EXAMPLES, 999).tokens


@pytest.fixture
def packs(tokens: tuple[Tokens, ...]) -> list[Pack]:
    made = packs_of(tokens, range(len(tokens)), 120)
    assert [len(pack.examples) > 1 for pack in made].count(True) > 0
    return made


@pytest.mark.parametrize("prompt_weight", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("template", ["plain", "chatml", "gemma", "llama3"])
def test_good_packs_pass(encoder: Encoder, template: str, prompt_weight: float) -> None:
    encoder = Encoder(encoder.tokenizer, template)
    tokens = encode_all(encoder, EXAMPLES, 999, prompt_weight=prompt_weight).tokens
    packs = packs_of(tokens, range(len(tokens)), 120)
    made = certificate_of(encoder, tokens, packs)
    made.check()
    assert (made.examples, made.trained_turns, made.stops_trained, made.answers_equal) == (4, 5, 5, 5)
    assert made.tokens == sum(map(len, tokens)) == sum(map(len, packs))
    if not prompt_weight:
        assert made.trained_tokens == sum(end - start for item in tokens for start, end in item.spans)
    assert json.loads(made.to_json())["passed"] is True


def with_arrays(pack: Pack, **changes: np.ndarray) -> Pack:
    return replace(pack, **changes)


def changed(array: np.ndarray, place: int, value: float) -> np.ndarray:
    array = array.copy()
    array[place] = value
    return array


def stop_place(encoder: Encoder, pack: Pack) -> int:
    """Where the first stop token is predicted with a weight."""
    stops = np.isin(pack.targets, sorted(encoder.stop_ids)) & (pack.weights > 0)
    return int(np.flatnonzero(stops)[0])


FAULTS: dict[str, tuple[Callable[[Encoder, Pack], Pack], str]] = {
    "mask one to the left": (
        lambda encoder, pack: with_arrays(pack, weights=np.roll(pack.weights, -1)),
        "stop token is trained",
    ),
    "mask one to the right": (
        lambda encoder, pack: with_arrays(pack, weights=np.roll(pack.weights, 1)),
        "wrong weight",
    ),
    "the question is trained too": (
        lambda encoder, pack: with_arrays(pack, weights=changed(pack.weights, 3, 1.0)),
        "1 predictions have the wrong weight",
    ),
    "everything is trained": (
        lambda encoder, pack: with_arrays(pack, weights=np.ones_like(pack.weights)),
        "predicted from another conversation",
    ),
    "nothing is trained": (
        lambda encoder, pack: with_arrays(pack, weights=np.zeros_like(pack.weights)),
        "have no trained token",
    ),
    "a stop token has no weight": (
        lambda encoder, pack: with_arrays(pack, weights=changed(pack.weights, stop_place(encoder, pack), 0)),
        "the stop token is trained in 4 of 5",
    ),
    "a stop token is another one": (
        lambda encoder, pack: with_arrays(pack, ids=changed(pack.ids, stop_place(encoder, pack) + 1, 99)),
        "the stop token is trained in 4 of 5",
    ),
    "the next example's first token is predicted": (
        lambda encoder, pack: with_arrays(pack, weights=changed(pack.weights, pack.boundaries[1] - 1, 1.0)),
        "1 tokens would be predicted from another",
    ),
    "a target is another token": (
        lambda encoder, pack: with_arrays(pack, targets=changed(pack.targets, 2, 99)),
        "1 tokens would be predicted from another",
    ),
    "positions go on": (
        lambda encoder, pack: with_arrays(pack, positions=np.arange(len(pack))),
        "predicted from another conversation",
    ),
    "a control token in text": (
        lambda encoder, pack: with_arrays(
            pack,
            ids=changed(pack.ids, 4, encoder.control["<|im_end|>"]),
            targets=changed(pack.targets, 3, encoder.control["<|im_end|>"]),
        ),
        "1 control tokens come from people's text",
    ),
    "a control token in another's place": (
        lambda encoder, pack: with_arrays(pack, ids=changed(pack.ids, 0, encoder.control["</s>"])),
        "1 control tokens come from people's text",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_arrays_is_caught(
    fault: str, encoder: Encoder, tokens: tuple[Tokens, ...], packs: list[Pack]
) -> None:
    breaks, reason = FAULTS[fault]
    place = next(number for number, pack in enumerate(packs) if len(pack.examples) > 1)
    broken = [*packs[:place], breaks(encoder, packs[place]), *packs[place + 1 :]]
    made = certificate_of(encoder, tokens, broken)
    with pytest.raises(CertificateError, match=f"tuning does not start: .*{reason}"):
        made.check()
    assert json.loads(made.to_json())["passed"] is False


def test_a_lost_and_a_repeated_example_are_caught(encoder: Encoder, tokens: tuple[Tokens, ...]) -> None:
    every = list(range(len(tokens)))
    for places in (every[1:], [*every, 0], [*every[1:], 1]):
        made = certificate_of(encoder, tokens, packs_of(tokens, places, 120))
        with pytest.raises(CertificateError, match="conversations were kept, but the batches hold"):
            made.check()


def test_ledgers_that_do_not_add_up_are_caught(encoder: Encoder, tokens: tuple[Tokens, ...], packs: list[Pack]) -> None:
    good = certificate_of(encoder, tokens, packs)
    for change, reason in (
        ({"rows_read": 5}, "5 rows were read, but 4"),
        ({"conversations_made": 5}, "not those kept and dropped"),
        ({"held_out": 1}, "4 conversations were kept, but the batches hold 4 and 1 are held out"),
    ):
        assert any(reason in problem for problem in replace(good, **change).problems())


def test_nothing_to_train_on_is_a_problem(encoder: Encoder) -> None:
    assert certificate_of(encoder, (), (), ()).problems() == ("there is nothing to train on",)
