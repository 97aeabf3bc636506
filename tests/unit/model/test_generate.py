"""Decoding: where answers end, what is refused, and what is left as it was."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import tiny
from tutelage.errors import TuningError
from tutelage.model import adapters
from tutelage.model.forward import plain
from tutelage.model.generate import LOOP_TIMES, LOOP_TOKENS, Decoded, decode, loops, stream
from tutelage.recipe import AdapterSettings, DecodingSettings

PROMPTS = [tiny.tokens(length, length).ids.tolist() for length in (4, 9, 6)]
NEVER: frozenset[int] = frozenset()


def settings(**changes: Any) -> DecodingSettings:
    return DecodingSettings(**{"max_new_tokens": 8, "batch_size": 2} | changes)


@pytest.mark.parametrize("most", [1, 2, 7])
def test_at_most_max_new_tokens(most: int) -> None:
    made = decode(tiny.network("llama"), PROMPTS, NEVER, settings(max_new_tokens=most))
    assert [(len(one.ids), one.stopped, one.tokens) for one in made] == [(most, False, most)] * 3


def test_the_stop_token_ends_an_answer_and_is_not_in_it() -> None:
    network = tiny.network("llama")
    whole = decode(network, PROMPTS[:1], NEVER, settings())[0].ids
    place = next(place for place in range(2, 8) if whole[place] not in whole[:place])
    for stops in (frozenset({whole[place]}), frozenset({whole[place], 99_999})):
        made = decode(network, PROMPTS[:1], stops, settings())[0]
        assert made == Decoded(whole[:place], True)
        assert made.tokens == place + 1


def test_a_stop_token_at_the_limit_counts_as_stopped() -> None:
    network = tiny.network("llama")
    whole = decode(network, PROMPTS[:1], NEVER, settings())[0].ids
    last = frozenset({whole[3]} - set(whole[:3]))
    assert last
    assert decode(network, PROMPTS[:1], last, settings(max_new_tokens=4))[0] == Decoded(whole[:3], True)


def test_an_answer_may_be_empty() -> None:
    network = tiny.network("llama")
    first = decode(network, PROMPTS, NEVER, settings(max_new_tokens=1))
    made = decode(network, PROMPTS, frozenset(one.ids[0] for one in first), settings())
    assert made == (Decoded((), True),) * 3


def test_an_answer_that_is_enough_leaves_the_batch_and_the_others_go_on() -> None:
    network = tiny.network("llama")
    whole = decode(network, PROMPTS, NEVER, settings(batch_size=3))
    enough = whole[1].ids[:3]
    made = decode(network, PROMPTS, NEVER, settings(batch_size=3), ended=lambda place, ids: tuple(ids) == enough)
    assert made == (whole[0], Decoded(enough, False), whole[2])


def test_progress_adds_up_and_no_prompts_are_no_answers() -> None:
    counts: list[int] = []
    decode(tiny.network("llama"), PROMPTS, NEVER, settings(), counts.append)
    assert sum(counts) == 3
    assert decode(tiny.network("llama"), [], NEVER, settings()) == ()


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_in_its_mode_without_gradients(training: bool) -> None:
    network = tiny.network("llama").train(training)
    decode(network, PROMPTS, NEVER, settings())
    assert network.training is training
    flow = stream(network, PROMPTS[0], NEVER, settings())
    next(flow)
    assert not network.training
    flow.close()
    assert network.training is training
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_dropout_is_off_while_decoding() -> None:
    network = adapters.add(tiny.network("llama"), AdapterSettings(rank=4, dropout=0.9), 0)
    for name, weight in adapters.trainable(network).items():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    network.train()
    made = [decode(network, PROMPTS, NEVER, settings()) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0] != decode(plain(tiny.network("llama")), PROMPTS, NEVER, settings())


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_damaged_weights_are_told(temperature: float) -> None:
    network = tiny.network("llama")
    with torch.no_grad():
        network.model.norm.weight[0] = math.nan
    with pytest.raises(TuningError, match="the model's output is not a number"):
        decode(network, PROMPTS, NEVER, settings(temperature=temperature))


@pytest.mark.parametrize(("temperature", "top_p"), [(1e-3, 1.0), (1e-30, 1.0), (1.0, 1e-9)])
def test_the_coldest_sampling_is_greedy(temperature: float, top_p: float) -> None:
    network = tiny.network("llama")
    greedy = decode(network, PROMPTS, NEVER, settings())
    assert decode(network, PROMPTS, NEVER, settings(temperature=temperature, top_p=top_p)) == greedy


def test_the_random_numbers_of_others_are_left_alone() -> None:
    torch.manual_seed(1)
    right = torch.rand(2)
    torch.manual_seed(1)
    decode(tiny.network("llama"), PROMPTS, NEVER, settings(temperature=1.0))
    torch.manual_seed(1)
    decode_state = torch.random.get_rng_state()
    network = tiny.network("llama")
    torch.random.set_rng_state(decode_state)
    decode(network, PROMPTS, NEVER, settings(temperature=1.0))
    assert torch.equal(torch.rand(2), right)


def test_a_loop_is_the_same_four_times_over() -> None:
    """Four copies at least, 48 tokens at least; one token less or one that differs is none."""
    for period in (1, 2, 5, 12, 13, 20):
        turn = list(range(period))
        length = max(LOOP_TIMES * period, LOOP_TOKENS)
        text = [99, 98, *(turn * length)[-length:]]
        assert loops(text)
        assert not loops([*text[:1], *text[3:]])
        assert not loops([*text, 97])
        assert not loops([*text[:-period], 97, *text[-period + 1 :]] if period > 1 else [*text[:-1], 97])
    assert not loops(list(range(300)))
