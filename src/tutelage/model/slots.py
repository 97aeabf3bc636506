"""Texts of any length written side by side over one cache, without padding; a slot that is done is filled again.

That holds for a model whose layers look back through attention alone and whose output is a plain linear head;
`fits` tries it out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from tutelage.model.attention import apart
from tutelage.model.cache import KeyValues, shared_length
from tutelage.model.forward import AFTER_HEAD, plain
from tutelage.model.layers import quicken
from tutelage.model.words import next_words, scores_of
from tutelage.recipe import DecodingSettings

_ROW = 2048
"""Tokens of prompts that go through the network together."""
FEW, AHEAD = 4, 7
"""Up to so many texts, the next so many tokens of each are guessed and checked in one pass."""
WORTH = 32
"""A common beginning of this many tokens is read once for all."""
_NEAR = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Largest difference of logits, relative to the largest logit, up to which the faster way is right."""


@torch.inference_mode()
def side_by_side(
    network: Any,
    prompts: Sequence[Sequence[int]],
    order: Sequence[int],
    stop_ids: frozenset[int],
    settings: DecodingSettings,
    done: set[int],
) -> Iterator[tuple[int, int]]:
    """(place of the prompt, new id) as they come; a prompt whose place the caller puts into `done` gets no more.

    Args:
        order: places of the prompts in the order in which they are begun.
    """
    inner, was_training = plain(network), network.training
    quicken(inner, ("narrow",))
    network.eval()
    waiting, alive, latest = list(order), list[int](), list[int]()
    slots = min(settings.batch_size, len(prompts))
    cache = KeyValues(slots)
    draws = {place: torch.Generator().manual_seed(settings.seed * 1_000_003 + place) for place in order}
    texts = {place: list(prompts[place]) for place in order}
    try:
        while waiting or alive:
            # One more text is a pass of its own through the network; a few at once cost hardly more than one.
            if waiting and len(alive) <= slots - max(1, slots // 8):
                fresh = _some(waiting, slots - len(alive), prompts)
                hidden = _read(inner, cache, [prompts[place] for place in fresh])
                alive += fresh
                latest += fresh
                words = [[word] for word in next_words(inner, hidden, settings, [draws[place] for place in fresh])]
            else:
                fresh = alive
                rooms = [len(prompts[place]) + settings.max_new_tokens - len(texts[place]) for place in alive]
                drafts = _drafts([texts[place] for place in alive], rooms, settings)
                if any(drafts):
                    words = _checked(inner, cache, latest, drafts, settings)
                else:
                    hidden = _write(inner, cache, latest)
                    words = [[word] for word in next_words(inner, hidden, settings, [draws[place] for place in fresh])]
            ends = []
            for slot, (place, new) in enumerate(zip(fresh, words, strict=True), len(alive) - len(fresh)):
                for latest[slot] in new:
                    texts[place].append(latest[slot])
                    yield place, latest[slot]
                    full = len(texts[place]) == len(prompts[place]) + settings.max_new_tokens
                    if place in done or latest[slot] in stop_ids or full:
                        ends.append(slot)
                        break
            if ends:
                left = cache.leave(ends)
                alive, latest = [alive[slot] for slot in left], [latest[slot] for slot in left]
    finally:
        network.train(was_training)


def _drafts(texts: Sequence[Sequence[int]], rooms: Sequence[int], settings: DecodingSettings) -> list[list[int]]:
    """Tokens that may come next in each text, where few texts are written and checking costs next to nothing.

    With few rows the time goes into reading the weights, so some rows more are almost free. What followed when the
    text's last tokens stood in it before (a phrase of the question, the form of a list) is guessed to follow again
    (prompt lookup; speculative decoding: Leviathan et al. 2023, arXiv:2211.17192). Greedy only.

    Args:
        rooms: how many tokens each text may still get.
    """
    if len(texts) > FEW or settings.temperature:
        return [[] for _ in texts]
    return [_guess(text, min(AHEAD, room - 1)) for text, room in zip(texts, rooms, strict=True)]


def _guess(text: Sequence[int], most: int) -> list[int]:
    for size in (3, 2):
        tail = text[-size:]
        for place in range(len(text) - size - 1, -1, -1):
            if text[place] == tail[0] and text[place : place + size] == tail:
                follows = list(text[place + size : place + size + most])
                return (follows * most)[:most]  # where the text ends, what repeats itself goes on as it did
    return []


def _checked(
    inner: Any, cache: KeyValues, latest: Sequence[int], drafts: Sequence[Sequence[int]], settings: DecodingSettings
) -> list[list[int]]:
    """The next tokens of each text: its draft as far as the model agrees, and then the model's own."""
    rows = [[token, *draft] for token, draft in zip(latest, drafts, strict=True)]
    starts = cache.extend([len(row) for row in rows])
    ends = [0, *itertools.accumulate(map(len, rows))]
    ids = torch.tensor([[token for row in rows for token in row]], device=inner.device)
    places = [start + at for start, row in zip(starts, rows, strict=True) for at in range(len(row))]
    hidden = _decoded(inner, ids, torch.tensor([places], device=inner.device), cache, tuple(ends))[0]
    own = next_words(inner, hidden, settings, ())
    made = []
    for draft, first, end in zip(drafts, ends, ends[1:], strict=False):
        words = own[first:end]
        agreed = next(
            (at for at, (word, guess) in enumerate(zip(words, draft, strict=False)) if word != guess), len(draft)
        )
        made.append(words[: agreed + 1])
    cache.shorten([start + len(words) for start, words in zip(starts, made, strict=True)])
    return made


def _some(waiting: list[int], most: int, prompts: Sequence[Sequence[int]]) -> list[int]:
    """Takes the next prompts off `waiting`: at most `most`, and no more tokens than a row should have."""
    taken = [waiting.pop(0)]
    while waiting and len(taken) < most and sum(len(prompts[place]) for place in (*taken, waiting[0])) <= _ROW:
        taken.append(waiting.pop(0))
    return taken


def _read(inner: Any, cache: KeyValues, rows: Sequence[Sequence[int]]) -> Tensor:
    """Several prompts in one row into the cache; (n, d) hidden states of their last tokens.

    What all of them begin with (a system text) is read once.
    """
    shared = shared_length(rows, min(map(len, rows)) - 1)
    prefix = read_prefix(inner, rows[0][:shared]) if shared >= WORTH else None
    rows = [row[shared:] for row in rows] if prefix else rows
    lengths = [len(row) for row in rows]
    cache.admit(lengths, prefix)
    ends = list(itertools.accumulate(lengths))
    ids = torch.tensor([[token for row in rows for token in row]], device=inner.device)
    places = torch.tensor([[cache.offset + at for length in lengths for at in range(length)]], device=inner.device)
    hidden: Tensor = _decoded(inner, ids, places, cache, (0, *ends))[0]
    return hidden[torch.tensor(ends, device=inner.device) - 1]


def read_prefix(inner: Any, ids: Sequence[int]) -> KeyValues:
    """The keys and values of a text with which others begin."""
    made = KeyValues(1)
    made.admit([len(ids)])
    places = torch.arange(len(ids), device=inner.device)[None]
    _decoded(inner, torch.tensor([list(ids)], device=inner.device), places, made, (0, len(ids)))
    return made


def _write(inner: Any, cache: KeyValues, latest: Sequence[int]) -> Tensor:
    """The latest token of each text in use through the network; (n, d) hidden states."""
    ids = torch.tensor(latest, device=inner.device)[:, None]
    return _decoded(inner, ids, cache.advance(inner.device), cache, None)[:, 0]


def _decoded(inner: Any, ids: Tensor, places: Tensor, cache: KeyValues, boundaries: tuple[int, ...] | None) -> Tensor:
    with apart(inner):
        output = inner.get_decoder()(
            input_ids=ids, position_ids=places, use_cache=False, boundaries=boundaries, cache=cache
        )
    hidden: Tensor = output.last_hidden_state
    return hidden


_known: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def fits(network: Any) -> bool:
    """Whether texts side by side over our cache give this model's own logits; tried once, on a few random ids."""
    inner = plain(network)
    if inner not in _known:
        _known[inner] = _tried(inner)
    return _known[inner]


@torch.inference_mode()
def _tried(inner: Any) -> bool:
    config = inner.config.get_text_config()
    if any(getattr(config, name, None) not in (None, 0, 1) for name in AFTER_HEAD):
        return False
    was_training = inner.training
    inner.eval()
    words = inner.get_input_embeddings().weight.shape[0]
    draw = torch.Generator().manual_seed(0)
    first, second = (torch.randint(words, (length,), generator=draw).tolist() for length in (5, 8))
    cache = KeyValues(2)
    try:
        hidden = [_read(inner, cache, [first[:3], second[:6]])]
        hidden += [_write(inner, cache, [first[place], second[place + 3]]) for place in (3, 4)]
        own = [inner(torch.tensor([row], device=inner.device), use_cache=False).logits[0] for row in (first, second)]
        for number, row in enumerate(own):
            ours = scores_of(inner, torch.stack([step[number] for step in hidden]))
            if not float((ours - row[-3:]).abs().max()) <= _NEAR[row.dtype] * float(row.abs().max()):
                return False
    except Exception:  # whatever an architecture trips over, its own forward remains
        return False
    finally:
        inner.train(was_training)
    return True
