"""Decoding with a cache, in batches, against the whole text through the model again for each token."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import tiny
from tutelage.model import cache as caching
from tutelage.model import padded, slots, words
from tutelage.model.forward import Proof, attending, pack_token_losses
from tutelage.model.generate import decode, stream
from tutelage.recipe import DecodingSettings
from tutelage.text.encode import Tokens
from tutelage.text.pack import make_pack

# Phi-3's rotary frequencies change in the middle of a text, so what a cache holds is not what the whole text gives.
STEADY = [name for name in tiny.MODELS if name != "phi3"]
NEVER: frozenset[int] = frozenset()
SHARED = Proof(True, 0, 0)
LENGTHS = (3, 19, 1, 30, 11, 7, 19)
PROMPTS = [tiny.tokens(length, seed).ids.tolist() for seed, length in enumerate(LENGTHS)]


def settings(**changes: Any) -> DecodingSettings:
    return DecodingSettings(**{"max_new_tokens": 12, "batch_size": 4} | changes)


def slowly(network: Any, prompt: list[int], count: int, stop: frozenset[int] = NEVER) -> tuple[tuple[int, ...], bool]:
    """Greedy, one prompt at a time, without a cache."""
    ids: list[int] = list(prompt)
    with torch.no_grad():
        for _ in range(count):
            token = int(network(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax())
            if token in stop:
                return tuple(ids[len(prompt) :]), True
            ids.append(token)
    return tuple(ids[len(prompt) :]), False


@pytest.mark.parametrize("name", STEADY)
def test_cached_in_batches_is_uncached_one_by_one(name: str) -> None:
    """Order kept; most prompts are past Gemma's window of 8, and all are after the new tokens."""
    network = tiny.network(name)
    made = decode(network, PROMPTS, NEVER, settings())
    assert [answer.ids for answer in made] == [slowly(network, prompt, 12)[0] for prompt in PROMPTS]
    assert not any(answer.stopped for answer in made)


@pytest.mark.parametrize("name", STEADY)
def test_rows_that_stop_leave_the_batch_and_the_others_go_on(name: str) -> None:
    """Whatever was written third by some prompt is a stop token: rows end at different times."""
    network = tiny.network(name)
    stop = frozenset(slowly(network, prompt, 12)[0][place] for prompt, place in zip(PROMPTS, (2, 6, 4), strict=False))
    right = [slowly(network, prompt, 12, stop) for prompt in PROMPTS]
    made = decode(network, PROMPTS, stop, settings(batch_size=7))
    assert [(answer.ids, answer.stopped) for answer in made] == right
    assert [answer.tokens for answer in made] == [len(ids) + stopped for ids, stopped in right]
    assert any(answer.stopped for answer in made)


def test_a_long_prompt_does_not_change_the_frequencies_of_the_others() -> None:
    network = tiny.network("phi3")
    made = decode(network, PROMPTS, NEVER, settings(batch_size=7))
    assert list(made) == [decode(network, [prompt], NEVER, settings())[0] for prompt in PROMPTS]
    short = [slowly(network, PROMPTS[0], 12)[0], slowly(network, PROMPTS[2], 12)[0]]  # they end within 16 tokens
    assert [made[0].ids, made[2].ids] == short


FAST = ("llama", "gemma3", "gpt2", "phi", "mixtral")


def test_which_models_are_decoded_side_by_side_without_padding() -> None:
    """Found out by trying: layers that look back otherwise, or soft caps, keep the model's own forward and cache."""
    fitting = {name for name in tiny.MODELS if slots.fits(tiny.network(name))}
    assert fitting >= set(FAST)
    assert fitting.isdisjoint({"gemma2", "granite", "cohere", "mamba", "falcon_h1", "lfm2", "rwkv", "gpt"})


@pytest.mark.parametrize("name", [*FAST, "falcon_h1", "lfm2"])
def test_a_neighbour_changes_no_probability(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short prompt beside a long one: the logits behind its tokens."""
    network = tiny.network(name)
    found: list[torch.Tensor] = []
    choose = words.choose
    coldest = settings(temperature=1e-30)  # as greedy, but all logits are looked at

    def noting(logits: torch.Tensor, *others: Any) -> torch.Tensor:
        found.append(logits[-1].clone())
        return choose(logits, *others)

    monkeypatch.setattr(words, "choose", noting)
    monkeypatch.setattr(padded, "choose", noting)
    decode(network, PROMPTS[:2], NEVER, coldest)  # the longer stands first
    beside, found = found, []
    decode(network, PROMPTS[:1], NEVER, coldest)
    assert len(beside) == len(found) == 12
    tiny.agree(torch.stack(beside), torch.stack(found), 3e-6, 1e-7)


@pytest.mark.parametrize("name", ["llama", "phi"])
def test_the_likeliest_word_is_found_block_by_block(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 7 words, and a head with a bias; one block holds them all in the other tests."""
    monkeypatch.setattr(words, "BLOCK", 7)
    made = decode(tiny.network(name), PROMPTS, NEVER, settings())
    assert [answer.ids for answer in made] == [slowly(tiny.network(name), prompt, 12)[0] for prompt in PROMPTS]


@pytest.mark.parametrize("slots", [1, 2, 3, 7])
def test_slots_are_filled_again_and_room_grows(slots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven prompts whose answers end at different times, through few slots that have room for 8 tokens at first."""
    monkeypatch.setattr(caching, "GROWTH", 8)
    network = tiny.network("llama")
    stop = frozenset(slowly(network, prompt, 12)[0][place] for prompt, place in zip(PROMPTS, (11, 6, 9), strict=False))
    right = [slowly(network, prompt, 30, stop) for prompt in PROMPTS]
    made = decode(network, PROMPTS, stop, settings(batch_size=slots, max_new_tokens=30))
    assert [(answer.ids, answer.stopped) for answer in made] == right
    assert len({len(ids) for ids, _ in right}) > 2


@pytest.mark.parametrize("name", ["llama", "gemma3", "gpt2"])
def test_prompts_that_begin_alike_are_read_once_and_answered_as_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A beginning of 40 tokens, past Gemma's window of 8, before prompts of several lengths; one begins otherwise."""
    network, begin = tiny.network(name), tiny.tokens(40, 77).ids.tolist()
    read: list[int] = []
    kept = slots.read_prefix
    monkeypatch.setattr(slots, "read_prefix", lambda inner, ids: read.append(len(ids)) or kept(inner, ids))
    prompts = [begin + prompt for prompt in PROMPTS]
    made = decode(network, prompts, NEVER, settings(batch_size=7))
    assert read == [40]
    assert [answer.ids for answer in made] == [slowly(network, prompt, 12)[0] for prompt in prompts]
    mixed = decode(network, [*prompts, PROMPTS[3]], NEVER, settings(batch_size=8))
    assert [answer.ids for answer in mixed] == [*(answer.ids for answer in made), slowly(network, PROMPTS[3], 12)[0]]


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_token_losses_after_a_prefix_are_those_of_the_whole(name: str) -> None:
    network, begin = tiny.network(name), tiny.tokens(37, 5)
    items = [tiny.tokens(length, seed) for seed, length in enumerate((21, 5, 34))]
    whole = [
        Tokens(np.concatenate([begin.ids, i.ids]), np.concatenate([0 * begin.weights, i.weights]), (), i.example)
        for i in items
    ]
    with attending(network, SHARED):
        right = pack_token_losses(network, make_pack(whole), SHARED)
        prefix = slots.read_prefix(network, begin.ids.tolist())
        ours = pack_token_losses(network, make_pack(items), SHARED, prefix)
    tiny.agree(ours, right, 2e-6, 1e-7)


def test_sampling_is_repeatable_and_does_not_depend_on_the_batch() -> None:
    network = tiny.network("llama")
    drawn = settings(temperature=1.0, top_p=0.9, seed=3)
    first = decode(network, PROMPTS, NEVER, drawn)
    assert decode(network, PROMPTS, NEVER, drawn) == first
    for size in (1, 2, 7):
        assert decode(network, PROMPTS, NEVER, drawn.model_copy(update={"batch_size": size})) == first
    assert decode(network, PROMPTS, NEVER, settings(temperature=1.0, top_p=0.9, seed=4)) != first
    assert len({answer.ids for answer in first}) == len(PROMPTS)
    assert first[1].ids != decode(network, PROMPTS[:1] + PROMPTS[6:7], NEVER, settings())[1].ids


def test_equal_prompts_draw_different_answers() -> None:
    made = decode(tiny.network("llama"), [PROMPTS[0]] * 3, NEVER, settings(temperature=1.0))
    assert len({answer.ids for answer in made}) == 3


def test_a_stream_is_the_first_row_of_a_batch() -> None:
    network = tiny.network("gemma3")
    for chosen in (settings(), settings(temperature=1.0, seed=2)):
        assert tuple(stream(network, PROMPTS[1], NEVER, chosen)) == decode(network, PROMPTS[1:2], NEVER, chosen)[0].ids


def test_sampled_tokens_follow_the_models_probabilities() -> None:
    """The first token of 600 draws: frequencies near the softmax, none outside top_p."""
    network = tiny.network("llama")
    with torch.no_grad():
        right = (network(input_ids=torch.tensor([PROMPTS[0]])).logits[0, -1] / 0.5).softmax(-1)
    ordered, ranks = right.sort(descending=True)
    inside = set(ranks[: int((ordered.cumsum(0) < 0.6).sum()) + 1].tolist())
    drawn = settings(temperature=0.5, top_p=0.6, max_new_tokens=1, batch_size=600)
    tokens = [answer.ids[0] for answer in decode(network, [PROMPTS[0]] * 600, NEVER, drawn)]
    expected = torch.zeros_like(right)
    expected[list(inside)] = right[list(inside)]
    expected /= expected.sum()
    frequencies = torch.bincount(torch.tensor(tokens), minlength=len(right)) / len(tokens)
    assert len(inside) > 1 and set(tokens) == inside
    assert float((frequencies - expected).abs().sum()) / 2 < 0.12


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", FAST)
def test_guessed_words_are_checked_and_save_passes(name: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long answers of small random networks repeat themselves; with and without guesses they are the same."""
    network, long = tiny.network(name), settings(max_new_tokens=150)
    assert slots.fits(network)
    passes: list[int] = []
    own = slots._decoded

    def counted(inner: Any, ids: torch.Tensor, *others: Any) -> torch.Tensor:
        passes.append(ids.numel())
        return own(inner, ids, *others)

    monkeypatch.setattr(slots, "_decoded", counted)
    guessed = decode(network, PROMPTS[:count], NEVER, long)
    with_guesses, passes = passes, []
    monkeypatch.setattr(slots, "FEW", 0)
    plainly = decode(network, PROMPTS[:count], NEVER, long)
    assert guessed == plainly
    assert len(passes) == 150  # one that reads the prompts, one for each further token
    assert len(with_guesses) < 140, len(with_guesses)


def test_a_guess_is_what_followed_before() -> None:
    assert slots._guess([5, 1, 2, 3, 8, 9, 7, 1, 2, 3], 2) == [8, 9]
    assert slots._guess([1, 2, 6, 4, 1, 2, 3, 4, 1, 2], 3) == [3, 4, 1]  # the latest place counts
    assert slots._guess([0, 1, 2, 3, 1, 2, 3], 7) == [1, 2, 3, 1, 2, 3, 1]
    assert slots._guess([7, 7, 7, 7], 3) == [7, 7, 7]
    assert slots._guess([1, 2, 3], 3) == slots._guess([1, 2, 3, 1, 2, 3], 0) == slots._guess([], 3) == []
