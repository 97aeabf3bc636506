"""Batched decoding with a KV cache: the only place that decodes."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from tutelage.errors import TuningError
from tutelage.model.attention import apart
from tutelage.model.cache import KeyValues, shared_length
from tutelage.model.forward import AFTER_HEAD, alike_up_to, plain
from tutelage.model.layers import product, quicken
from tutelage.recipe import DecodingSettings

_ROW = 2048
"""Tokens of prompts that go through the network together."""
_WORDS = 2048
"""Words scored together on a CPU."""
WORTH = 32
"""A common beginning of this many tokens is read once for all."""
_NEAR = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Largest difference of logits, relative to the largest logit, up to which the faster way is right."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """New ids of one prompt, without the stop token; `stopped` says whether one came before the limit."""

    ids: tuple[int, ...]
    stopped: bool

    @property
    def looped(self) -> bool:
        """Whether it did not stop and repeats itself at its end."""
        return not self.stopped and loops(self.ids)

    @property
    def tokens(self) -> int:
        """Tokens written, the stop token included."""
        return len(self.ids) + int(self.stopped)


LOOP_TIMES, LOOP_TOKENS = 4, 48
"""A text loops where it ends with the same tokens so many times over, all of them together at least so long."""


def loops(ids: Sequence[int]) -> bool:
    """Whether a text has begun to repeat itself; a greedy answer that does so hardly ever ends."""
    for period in range(1, len(ids) // LOOP_TIMES + 1):
        if ids[-1] != ids[-1 - period]:
            continue
        length = max(LOOP_TIMES * period, LOOP_TOKENS)
        if length <= len(ids) and ids[-length:-period] == ids[period - length :]:
            return True
    return False


def decode(
    network: Any,
    prompts: Sequence[Sequence[int]],
    stop_ids: frozenset[int],
    settings: DecodingSettings,
    progress: Callable[[int], None] | None = None,
    ended: Callable[[int, Sequence[int]], bool] | None = None,
    cut_loops: bool = False,
) -> tuple[Decoded, ...]:
    """Answers to all prompts, in their order.

    Up to `batch_size` texts are written side by side, the longest prompts first; where one is done, the next prompt
    takes its place. A model to which that does not apply (`_fits`) gets padded batches through its own forward and
    cache, or one prompt at a time where a long text would change its neighbours.

    Args:
        prompts: token ids from `Encoder.prompt`.
        stop_ids: ids that end an answer.
        progress: called with the number of prompts answered since the last call.
        ended: whether the ids so far are enough for the prompt at a place; where it says so, no more are made.
        cut_loops: the same where a greedy text has begun to repeat itself; one that is drawn can leave a loop.
    """
    rows: list[list[int]] = [[] for _ in prompts]
    stopped, done = set[int](), set[int]()
    told, greedy = 0, settings.temperature == 0
    for place, token in _all_tokens(network, prompts, stop_ids, settings, done):
        if token in stop_ids:
            stopped.add(place)
        else:
            rows[place].append(token)
        full = token in stop_ids or len(rows[place]) == settings.max_new_tokens
        if full or (ended and ended(place, rows[place])) or (cut_loops and greedy and loops(rows[place])):
            done.add(place)
        if progress and len(done) > told:
            progress(len(done) - told)
            told = len(done)
    return tuple(Decoded(tuple(row), place in stopped) for place, row in enumerate(rows))


def stream(network: Any, prompt: Sequence[int], stop_ids: frozenset[int], settings: DecodingSettings) -> Iterator[int]:
    """The new ids of one prompt as they come, the stop id included."""
    for _, token in _all_tokens(network, [prompt], stop_ids, settings, set()):
        yield token


def _all_tokens(
    network: Any,
    prompts: Sequence[Sequence[int]],
    stop_ids: frozenset[int],
    settings: DecodingSettings,
    done: set[int],
) -> Iterator[tuple[int, int]]:
    """(place of the prompt, new id) as they come; a prompt whose place the caller puts into `done` gets no more."""
    if not prompts:
        return
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    alike = max(map(len, prompts)) + settings.max_new_tokens <= alike_up_to(plain(network))
    if alike and _fits(network):
        yield from _side_by_side(network, prompts, order, stop_ids, settings, done)
        return
    size = settings.batch_size if alike and {"past_key_values", "position_ids"} <= _taken(network) else 1
    for start in range(0, len(order), size):
        places = order[start : start + size]
        yield from _stream(network, [prompts[place] for place in places], stop_ids, settings, places, done)


@torch.inference_mode()
def _side_by_side(
    network: Any,
    prompts: Sequence[Sequence[int]],
    order: Sequence[int],
    stop_ids: frozenset[int],
    settings: DecodingSettings,
    done: set[int],
) -> Iterator[tuple[int, int]]:
    """See `_all_tokens`: texts of any length without padding, over one cache whose slots are filled again."""
    inner, was_training = plain(network), network.training
    quicken(inner, ("narrow",))
    network.eval()
    waiting, alive, latest = list(order), list[int](), list[int]()
    slots = min(settings.batch_size, len(prompts))
    cache = KeyValues(slots)
    draws = {place: torch.Generator().manual_seed(settings.seed * 1_000_003 + place) for place in order}
    count = dict.fromkeys(order, 0)
    try:
        while waiting or alive:
            # One more text is a pass of its own through the network; a few at once cost hardly more than one.
            if waiting and len(alive) <= slots - max(1, slots // 8):
                fresh = _some(waiting, slots - len(alive), prompts)
                hidden = _read(inner, cache, [prompts[place] for place in fresh])
                alive += fresh
            else:
                fresh = alive
                hidden = _write(inner, cache, latest)
            chosen = _next_words(inner, hidden, settings, [draws[place] for place in fresh])
            latest[len(alive) - len(fresh) :] = chosen
            yield from zip(fresh, chosen, strict=True)
            for place in fresh:
                count[place] += 1
            ends = [
                slot
                for slot, place in enumerate(alive)
                if place in done or latest[slot] in stop_ids or count[place] == settings.max_new_tokens
            ]
            if ends:
                left = cache.leave(ends)
                alive, latest = [alive[slot] for slot in left], [latest[slot] for slot in left]
    finally:
        network.train(was_training)


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


def _logits(inner: Any, hidden: Tensor) -> Tensor:
    """(n, V) from last hidden states (n, d)."""
    head = inner.get_output_embeddings()
    bias = getattr(head, "bias", None)
    made = product(hidden, head.weight).float()
    return made if bias is None else made + bias


def _next_words(inner: Any, hidden: Tensor, settings: DecodingSettings, draws: Sequence[torch.Generator]) -> list[int]:
    """The next id of each text from its last hidden state (n, d)."""
    head = inner.get_output_embeddings()
    found: list[int]
    if settings.temperature or hidden.device.type != "cpu" or head.weight.dtype != torch.float32:
        found = _choose(_logits(inner, hidden), settings, draws).tolist()
        return found
    # Greedy: block by block, since 40 texts have 42 MB of logits, of which one number each is wanted.
    bias = getattr(head, "bias", None)
    most = torch.full((len(hidden),), -math.inf)
    likeliest = torch.zeros(len(hidden), dtype=torch.long)
    for start in range(0, len(head.weight), _WORDS):
        part = slice(start, start + _WORDS)
        scores = product(hidden, head.weight[part])
        highest, places = (scores if bias is None else scores + bias[part]).max(-1)
        likeliest = torch.where(highest > most, places + start, likeliest)
        most = torch.maximum(most, highest)
    _check(most)
    found = likeliest.tolist()
    return found


_known: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def _fits(network: Any) -> bool:
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
            ours = _logits(inner, torch.stack([step[number] for step in hidden]))
            if not float((ours - row[-3:]).abs().max()) <= _NEAR[row.dtype] * float(row.abs().max()):
                return False
    except Exception:  # whatever an architecture trips over, its own forward remains
        return False
    finally:
        inner.train(was_training)
    return True


@torch.inference_mode()
def _stream(
    network: Any,
    prompts: Sequence[Sequence[int]],
    stop_ids: frozenset[int],
    settings: DecodingSettings,
    names: Sequence[int],
    done: set[int],
) -> Iterator[tuple[int, int]]:
    """(name of the prompt, new id) for one batch, left-padded; each row has its own random numbers.

    A row whose name the caller puts into `done` leaves the batch.
    """
    inner, taken = plain(network), _taken(network)
    was_training = network.training
    network.eval()
    device = inner.device
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts], device=device)
    draws = {name: torch.Generator().manual_seed(settings.seed * 1_000_003 + name) for name in names}
    alive = list(names)
    cache_name = next((name for name in ("past_key_values", "cache_params") if name in taken), "")
    cache: Any = None  # the model makes its own kind with the first call
    try:
        for step in range(settings.max_new_tokens):
            known = {
                cache_name: cache,
                "attention_mask": mask,
                "position_ids": (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :],
                "logits_to_keep": 1,
                "use_cache": bool(cache_name),
                "output_router_logits": False,
            }
            output = inner(ids, **{name: value for name, value in known.items() if name in taken})
            chosen = _choose(output.logits[:, -1].float(), settings, [draws[name] for name in alive])
            yield from zip(alive, chosen.tolist(), strict=True)
            kept = [
                row for row, token in enumerate(chosen.tolist()) if token not in stop_ids and alive[row] not in done
            ]
            if not kept or step + 1 == settings.max_new_tokens:
                return
            cache = getattr(output, cache_name, None)
            if len(kept) < len(alive):
                rows = torch.tensor(kept, device=device)
                mask, chosen, ids = mask[rows], chosen[rows], ids[rows]
                alive = [alive[row] for row in kept]
                if cache is not None:
                    cache.reorder_cache(rows)  # unlike batch_select_indices, every kind of layer knows it
            ids = chosen[:, None] if cache is not None else torch.cat([ids, chosen[:, None]], dim=1)
            mask = torch.cat([mask, mask.new_ones(len(alive), 1)], dim=1)
    finally:
        network.train(was_training)


def _taken(network: Any) -> frozenset[str]:
    """What the model's forward takes by name; whatever else it is given, it may swallow without a word."""
    return frozenset(inspect.signature(plain(network).forward).parameters)


def _check(most: Tensor) -> None:
    """Refuses largest logits that are no numbers."""
    if not bool(torch.isfinite(most).all()):
        raise TuningError(
            "the model's output is not a number; its weights are damaged (was the learning rate too high?)"
        )


def _choose(logits: Tensor, settings: DecodingSettings, draws: Sequence[torch.Generator]) -> Tensor:
    """The next id of each row (n,): the likeliest, or drawn from the likeliest that make up top_p.

    Raises:
        TuningError: the model's output is not a number.
    """
    most, likeliest = logits.max(-1)
    _check(most)
    if settings.temperature == 0:
        return likeliest
    # Less the largest first: a tiny temperature would make infinities of the logits themselves.
    weights = ((logits - most[:, None]) / settings.temperature).softmax(-1).cpu()
    if settings.top_p < 1:
        ordered, ranks = weights.sort(-1, descending=True)
        beyond = ordered.cumsum(-1) - ordered >= settings.top_p
        weights = torch.zeros_like(weights).scatter(-1, ranks, ordered.masked_fill(beyond, 0))
    chosen = [int(torch.multinomial(row, 1, generator=draw)) for row, draw in zip(weights, draws, strict=True)]
    return torch.tensor(chosen, device=logits.device)
