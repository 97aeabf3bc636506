"""Batched decoding with a KV cache: the only place that decodes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tutelage.errors import TuningError
from tutelage.model.forward import alike_up_to, plain
from tutelage.recipe import DecodingSettings


@dataclass(frozen=True, slots=True)
class Decoded:
    """New ids of one prompt, without the stop token; `stopped` says whether one came before the limit."""

    ids: tuple[int, ...]
    stopped: bool

    @property
    def tokens(self) -> int:
        """Tokens written, the stop token included."""
        return len(self.ids) + int(self.stopped)


def decode(
    network: Any,
    prompts: Sequence[Sequence[int]],
    stop_ids: frozenset[int],
    settings: DecodingSettings,
    progress: Callable[[int], None] | None = None,
    ended: Callable[[Sequence[int]], bool] | None = None,
) -> tuple[Decoded, ...]:
    """Answers to all prompts, in their order.

    Prompts of similar length share a batch; a finished one leaves it, so that the rest go faster. A model that
    cannot be told where a padded prompt begins, that keeps another kind of cache, or in which a long text would
    change its neighbours, gets one prompt at a time.

    Args:
        prompts: token ids from `Encoder.prompt`.
        stop_ids: ids that end an answer.
        progress: called with the number of prompts answered since the last call.
        ended: whether an answer's ids so far are enough; where it says so, no more are made for that prompt.
    """
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    answers: dict[int, Decoded] = {}
    size = settings.batch_size if {"past_key_values", "position_ids"} <= _taken(network) else 1
    longest = max(map(len, prompts), default=0) + settings.max_new_tokens
    size = size if longest <= alike_up_to(plain(network)) else 1
    for start in range(0, len(order), size):
        places = order[start : start + size]
        rows: dict[int, list[int]] = {place: [] for place in places}
        stopped: set[int] = set()
        done: set[int] = set()
        batch = [prompts[place] for place in places]
        for number, token in _stream(network, batch, stop_ids, settings, places, done):
            if token in stop_ids:
                stopped.add(number)
                continue
            rows[number].append(token)
            if ended and ended(rows[number]):
                done.add(number)
        answers |= {place: Decoded(tuple(rows[place]), place in stopped) for place in places}
        if progress:
            progress(len(places))
    return tuple(answers[place] for place in range(len(prompts)))


def stream(network: Any, prompt: Sequence[int], stop_ids: frozenset[int], settings: DecodingSettings) -> Iterator[int]:
    """The new ids of one prompt as they come, the stop id included."""
    for _, token in _stream(network, [prompt], stop_ids, settings, [0], set()):
        yield token


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


def _choose(logits: Tensor, settings: DecodingSettings, draws: Sequence[torch.Generator]) -> Tensor:
    """The next id of each row (n,): the likeliest, or drawn from the likeliest that make up top_p.

    Raises:
        TuningError: the model's output is not a number.
    """
    if not bool(torch.isfinite(logits.max(-1).values).all()):
        raise TuningError(
            "the model's output is not a number; its weights are damaged (was the learning rate too high?)"
        )
    if settings.temperature == 0:
        return logits.argmax(-1)
    # Less the largest first: a tiny temperature would make infinities of the logits themselves.
    weights = ((logits - logits.max(-1, keepdim=True).values) / settings.temperature).softmax(-1).cpu()
    if settings.top_p < 1:
        ordered, ranks = weights.sort(-1, descending=True)
        beyond = ordered.cumsum(-1) - ordered >= settings.top_p
        weights = torch.zeros_like(weights).scatter(-1, ranks, ordered.masked_fill(beyond, 0))
    chosen = [int(torch.multinomial(row, 1, generator=draw)) for row, draw in zip(weights, draws, strict=True)]
    return torch.tensor(chosen, device=logits.device)
