"""Packs through the network: our fast way where it is proven for this model, else the model's own forward.

The fast way runs the decoder on a flat row of several examples and scores trained places only. It is right for
a model whose layers look back through attention alone and whose output is a plain linear head. Whether that is
so is measured when the model is loaded, not assumed from its name.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from tutelage.errors import UsageError
from tutelage.model.attention import apart
from tutelage.model.cache import KeyValues
from tutelage.model.loss import summed_loss, token_losses
from tutelage.model.machine import quiet_libraries
from tutelage.text.encode import Tokens
from tutelage.text.pack import Pack, make_pack

AFTER_HEAD = ("final_logit_softcapping", "logit_softcap", "logit_scale", "logits_scaling", "lm_head_multiplier")
"""Settings of a config by which the output is more than a linear head of the last hidden states."""
LOSS_LIMIT = {torch.float32: 1e-4, torch.bfloat16: 2e-2}
LEAK_LIMIT = {torch.float32: 1e-5, torch.bfloat16: 1e-2}


@dataclass(frozen=True)
class Proof:
    """What the probe of a model measured, and which way follows from it.

    Attributes:
        packed: examples may share a row and our loss is used.
        loss_difference: mean absolute difference of token losses, ours against the model's own, relative.
        leak: largest change of an example's loss when its neighbour changes, in nats.
        reason: why the model is not packed; "" where it is.
    """

    packed: bool
    loss_difference: float
    leak: float
    reason: str = ""


class Sharded(torch.nn.Module):
    """A network whose weights lie in parts over several processes, and are whole only inside this module's forward.

    All processes must compute the same number of times, or they wait for each other for ever.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, compute: Callable[..., Tensor], *given: Any) -> Tensor:
        """What `compute` makes of the whole network and `given`."""
        return compute(self.network, *given)


def plain(network: Any) -> PreTrainedModel:
    """The transformers model inside a PEFT wrapper or `Sharded`, or the model itself."""
    within = network.network if isinstance(network, Sharded) else network
    inner: PreTrainedModel = within.get_base_model() if hasattr(within, "get_base_model") else within
    return inner


def _head(network: PreTrainedModel) -> tuple[Tensor, Tensor | None]:
    layer = network.get_output_embeddings()
    return layer.weight, getattr(layer, "bias", None)


def _sink(head: Tensor) -> Tensor | None:
    """Where a trained head's gradient is summed at once: its fp32 master, or itself where it is fp32."""
    master: Tensor = getattr(head, "master", head)
    return master if head.requires_grad and master.dtype == torch.float32 else None


def _hidden(network: PreTrainedModel, pack: Pack, device: torch.device, prefix: KeyValues | None = None) -> Tensor:
    """(T, d) last hidden states of one row; `prefix` holds the text with which all its examples begin."""
    cache = KeyValues(0, prefix) if prefix else None
    output = network.get_decoder()(
        input_ids=torch.from_numpy(pack.ids)[None].to(device),
        position_ids=torch.from_numpy(pack.positions)[None].to(device) + (cache.offset if cache else 0),
        use_cache=False,
        boundaries=pack.boundaries,
        **({"cache": cache} if cache else {}),
    )
    hidden: Tensor = output.last_hidden_state[0]
    return hidden


def alike_up_to(network: PreTrainedModel) -> float:
    """The length beyond which a text in a row or batch changes the others' rotary frequencies (longrope, dynamic)."""
    config = network.config.get_text_config()
    rope: dict[str, Any] = getattr(config, "rope_parameters", None) or {}
    limits = [
        kind.get("original_max_position_embeddings") or config.max_position_embeddings
        for kind in [kind for kind in rope.values() if isinstance(kind, dict)] or [rope]
        if kind.get("rope_type") in ("longrope", "dynamic")
    ]
    return min(limits, default=math.inf)


def one_pass(network: Any, proof: Proof, longest: int) -> bool:
    """Whether each pack goes through the network exactly once, where the longest example has so many tokens."""
    return proof.packed and longest <= alike_up_to(plain(network))


def _rows(network: PreTrainedModel, pack: Pack) -> Sequence[Pack]:
    """The pack, or its examples apart where one is too long to share a row."""
    return pack.apart() if int(pack.positions.max()) >= alike_up_to(network) else (pack,)


def _places(pack: Pack, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Indices of predicting places with a weight, their targets and weights."""
    places = np.flatnonzero(pack.weights)
    return (
        torch.from_numpy(places).to(device),
        torch.from_numpy(pack.targets[places]).to(device),
        torch.from_numpy(pack.weights[places]).to(device),
    )


def attending(network: Any, proof: Proof) -> AbstractContextManager[None]:
    """The block in which packs go through the network: our attention where the model is packed."""
    return apart(plain(network)) if proof.packed else nullcontext()


def pack_loss(network: Any, pack: Pack, proof: Proof, scale: float) -> Tensor:
    """Summed weighted loss of a pack times `scale`, with gradients; call inside `attending`.

    A model that failed its probe gets one example at a time through its own forward; where it has an auxiliary
    loss (a mixture of experts), that is added with the example's weight.
    """
    if isinstance(network, Sharded):
        made: Tensor = network(_pack_loss, pack, proof, scale, False)
        return made
    return _pack_loss(network, pack, proof, scale, True)


def _pack_loss(network: Any, pack: Pack, proof: Proof, scale: float, at_once: bool) -> Tensor:
    """at_once: the head's gradient goes to its fp32 master at once; one in parts is summed over the processes first."""
    inner = plain(network)
    device = inner.device
    total = torch.zeros((), device=device)
    if proof.packed:
        head, bias = _head(inner)
        for row in _rows(inner, pack):
            places, targets, weights = _places(row, device)
            hidden = _hidden(inner, row, device)[places]
            total = total + summed_loss(hidden, head, bias, targets, weights, scale, _sink(head) if at_once else None)
        return total
    for start, end in zip(pack.boundaries, pack.boundaries[1:], strict=False):
        total = total + _own_loss(inner, pack, start, end) * scale
    return total


def _own_loss(network: PreTrainedModel, pack: Pack, start: int, end: int) -> Tensor:
    device = network.device
    output = network(input_ids=torch.from_numpy(pack.ids[None, start:end]).to(device), use_cache=False)
    targets = torch.from_numpy(pack.targets[start:end]).to(device)
    weights = torch.from_numpy(pack.weights[start:end]).to(device)
    loss = (F.cross_entropy(output.logits[0].float(), targets, reduction="none") * weights).sum()
    auxiliary = getattr(output, "aux_loss", None)
    if auxiliary is not None:
        loss = loss + network.config.router_aux_loss_coef * auxiliary * weights.sum()
    return loss


@torch.no_grad()
def pack_token_losses(network: Any, pack: Pack, proof: Proof, prefix: KeyValues | None = None) -> Tensor:
    """(n,) losses in nats at the weighted places of a pack, in order; call inside `attending`.

    prefix: a text before each example, already read (`slots.read_prefix`); only for a model that is packed.
    """
    if isinstance(network, Sharded):
        losses: Tensor = network(pack_token_losses, pack, proof)
        network.reshard()  # type: ignore[operator] # FSDP2's: else the next step would find this step's weights
        return losses
    inner = plain(network)
    made = []
    if proof.packed:
        head, bias = _head(inner)
        for row in _rows(inner, pack):
            places, targets, _ = _places(row, inner.device)
            made.append(token_losses(_hidden(inner, row, inner.device, prefix)[places], head, bias, targets))
        return torch.cat(made)
    for start, end in zip(pack.boundaries, pack.boundaries[1:], strict=False):
        ids = torch.from_numpy(pack.ids[None, start:end]).to(inner.device)
        logits = inner(input_ids=ids, use_cache=False).logits[0].float()
        aim = torch.from_numpy(pack.targets[start:end]).to(inner.device)
        made.append(F.cross_entropy(logits, aim, reduction="none"))
    return torch.cat(made)[_places(pack, inner.device)[0]]


@torch.no_grad()
def pack_hidden(network: Any, pack: Pack, proof: Proof) -> Tensor:
    """(T, d) last hidden states of a pack, each example's as if it were alone; call inside `attending`."""
    inner = plain(network)
    if proof.packed:
        return torch.cat([_hidden(inner, row, inner.device) for row in _rows(inner, pack)])
    made = []
    for start, end in zip(pack.boundaries, pack.boundaries[1:], strict=False):
        ids = torch.from_numpy(pack.ids[None, start:end]).to(inner.device)
        made.append(inner.get_decoder()(input_ids=ids).last_hidden_state[0])
    return torch.cat(made)


def _probe_tokens(vocabulary: int, length: int, seed: int) -> Tokens:
    ids = np.asarray(random.Random(seed).choices(range(vocabulary), k=length), np.int32)
    return Tokens(ids, np.ones(length, np.float32), ((1, length),), str(seed))


@torch.no_grad()
def prove(network: Any, dtype: torch.dtype | None = None) -> Proof:
    """Compare the fast way with the model's own forward on a probe batch of random ids.

    Measured: the token losses of two examples in one row against the model's own of each alone, and the change
    of the second's when the first is another one of the same length. A soft cap on the output is not left to
    measuring, since small logits do not show it.

    dtype: what the network computes in, where that is not its weights' own number format.
    """
    inner = plain(network)
    inner.eval()
    embedding: Any = inner.get_input_embeddings()
    vocabulary = int(embedding.weight.shape[0])
    first, other, second = (_probe_tokens(vocabulary, length, seed) for seed, length in ((1, 24), (2, 24), (3, 17)))
    shared, alone = Proof(True, 0, 0), Proof(False, 0, 0)
    try:
        with apart(inner):
            fast, changed = (pack_token_losses(network, make_pack([head, second]), shared) for head in (first, other))
    except Exception as error:  # whatever an architecture trips over, its own forward remains
        return Proof(False, float("nan"), float("nan"), f"it cannot share rows: {error}")
    own = torch.cat([pack_token_losses(network, make_pack([item]), alone) for item in (first, second)])
    difference = float((fast - own).abs().sum() / own.abs().sum())
    leak = float((fast - changed)[len(first) - 1 :].abs().max())
    return Proof(not (reason := _reason(inner, difference, leak, dtype or inner.dtype)), difference, leak, reason)


def _reason(network: PreTrainedModel, difference: float, leak: float, dtype: torch.dtype) -> str:
    """Why a model is not packed; "" where it is."""
    config = network.config.get_text_config()
    after = [f"{name}={value}" for name in AFTER_HEAD if (value := getattr(config, name, None)) not in (None, 0, 1)]
    if not leak <= LEAK_LIMIT.get(dtype, 1e-2):
        return f"neighbours in a row are seen (a change of {leak:.1e} nats)"
    if after:
        return f"its output is more than a linear head ({', '.join(after)})"
    if getattr(config, "router_aux_loss_coef", None) and getattr(config, "output_router_logits", False):
        return "it has an auxiliary loss"
    if not difference <= LOSS_LIMIT.get(dtype, 2e-2):
        return f"its own loss differs from the plain linear head's by {difference:.1e}"
    return ""


def recompute(network: Any) -> None:
    """Compute activations again in the backward pass instead of keeping them: less memory, slower.

    Raises:
        UsageError: the model cannot.
    """
    try:
        with quiet_libraries():
            network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    except ValueError as error:
        raise UsageError(f"tuning.checkpointing: {error}") from error
