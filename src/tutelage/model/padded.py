"""Batches with padding through a model's own forward and cache: for models that `slots` does not fit."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from tutelage.model.forward import plain
from tutelage.model.words import choose
from tutelage.recipe import DecodingSettings


@torch.inference_mode()
def padded(
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
    inner, accepted = plain(network), taken(network)
    was_training = network.training
    network.eval()
    device = inner.device
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts], device=device)
    draws = {name: torch.Generator().manual_seed(settings.seed * 1_000_003 + name) for name in names}
    alive = list(names)
    cache_name = next((name for name in ("past_key_values", "cache_params") if name in accepted), "")
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
            output = inner(ids, **{name: value for name, value in known.items() if name in accepted})
            chosen = choose(output.logits[:, -1].float(), settings, [draws[name] for name in alive])
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


def taken(network: Any) -> frozenset[str]:
    """What the model's forward takes by name; whatever else it is given, it may swallow without a word."""
    return frozenset(inspect.signature(plain(network).forward).parameters)
