"""Only what several processes need: who they are, who does which rows, weights in parts (FSDP2), and one whole at last.

Every process prepares the same plan, so all of them know who does what without a word between them. What they do
exchange are weights and gradients (FSDP2, or a sum of LoRA's gradients), each row's loss, and whether to stop.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from torch import Tensor

from tutelage.errors import TuningError, TutelageError, UsageError
from tutelage.model.forward import Proof, Sharded, plain
from tutelage.model.load import in_precision
from tutelage.text.encode import Tokens
from tutelage.text.pack import Pack, make_pack, packs_of

PATIENCE = timedelta(minutes=10)
"""How long a process waits for the others before it gives up. One that died is noticed at once."""
_LOST = ("gloo", "nccl", "connection", "peer", "timed out", "socket")


T = TypeVar("T")


class Elsewhere(TuningError):
    """What went wrong in another process; the first process says it for all."""

    shared = True


@dataclass(frozen=True)
class Party:
    """The processes that tune together, seen by one of them. What its methods return is the same for all.

    Attributes:
        rank: this process's number, from 0; size: how many there are.
        local: its number on this machine; beside: how many there are on this machine.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    beside: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that prints and writes."""
        return self.rank == 0

    def all(self, values: Sequence[float]) -> list[float]:
        """The values of all processes in the order of their ranks; each gives the same number of them."""
        if self.size == 1:
            return list(values)
        own = torch.tensor(values, dtype=torch.float64)
        everyone = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(everyone, own)
        return [float(value) for part in everyone for value in part.tolist()]

    def total(self, *values: float) -> list[float]:
        """Each value summed over all processes."""
        everyone = self.all(values)
        return [sum(everyone[place :: len(values)]) for place in range(len(values))] if self.size > 1 else everyone

    def hear(self, text: str) -> tuple[str, ...]:
        """What each process says, in the order of their ranks."""
        if self.size == 1:
            return (text,)
        own = torch.frombuffer(bytearray(text.encode()) + b"\0", dtype=torch.uint8)
        lengths = [int(length) for length in self.all([len(own)])]
        padded = torch.zeros(max(lengths), dtype=torch.uint8)
        padded[: len(own)] = own
        everyone = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(everyone, padded)
        texts = zip(everyone, lengths, strict=True)
        return tuple(bytes(part[: length - 1].tolist()).decode() for part, length in texts)

    def tell(self, text: str) -> str:
        """The first process's text."""
        return self.hear(text if self.leads else "")[0]

    def alike(self, do: Callable[[], T]) -> T:
        """What `do` gives here. Where it fails in one process it fails in all, so that nobody waits for it.

        Raises:
            TutelageError, OSError, ValueError, SafetensorError: as `do` did here.
            Elsewhere: it was done here and failed in another process.
        """
        if self.size == 1:
            return do()
        made, wrong = None, None
        try:
            made = do()
        except (TutelageError, OSError, ValueError, SafetensorError) as error:
            wrong = error
        heard = self.hear(f"{wrong or ''}")
        first = next((rank for rank, said in enumerate(heard) if said), self.rank)
        if first == self.rank and wrong is not None:
            raise wrong
        if wrong is not None or heard[first]:
            raise Elsewhere(heard[first] if first == 0 else f"process {first} of {self.size}: {heard[first]}")
        return cast(T, made)

    def each(self, do: Callable[[], str]) -> tuple[str, ...]:
        """What `do` gives in each process, in the order of their ranks; raises what `alike` does."""
        return self.hear(self.alike(do))

    def sum_gradients(self, weights: Iterable[torch.nn.Parameter]) -> None:
        """Gradients of weights that every process has whole become their sum, in one message.

        Where no process has a gradient there is none after it either: AdamW would decay a weight that is not used.
        """
        weights = list(weights)
        if self.size == 1 or not weights:
            return
        there = [float(weight.grad is not None) for weight in weights]
        parts = [(weight.grad if weight.grad is not None else torch.zeros_like(weight)).flatten() for weight in weights]
        flat = torch.cat([*parts, torch.tensor(there, device=parts[0].device)])
        dist.all_reduce(flat)
        *sums, found = flat.split([*(len(part) for part in parts), len(weights)])
        for weight, part, one in zip(weights, sums, found.tolist(), strict=True):
            weight.grad = part.view_as(weight) if one else None


ALONE = Party()
"""One process: nothing is exchanged, nothing is in parts."""


def called() -> Party:
    """Who this process is by what torchrun (or any starter with the same variables) told it; ALONE without one.

    Raises:
        UsageError: the variables contradict each other.
    """
    told = {name: os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")}
    if not told["RANK"] or not told["WORLD_SIZE"] or not os.environ.get("MASTER_ADDR"):
        return ALONE
    try:
        rank, size = int(told["RANK"]), int(told["WORLD_SIZE"])
        party = Party(rank, size, int(told["LOCAL_RANK"] or rank), int(told["LOCAL_WORLD_SIZE"] or size))
    except ValueError as error:
        raise UsageError(f"the environment does not say which process this is: {told}; start with torchrun") from error
    if not 0 <= rank < size:
        raise UsageError(f"the environment says process {rank} of {size}; start with torchrun")
    return party if size > 1 else ALONE


@contextmanager
def joined(choose: Callable[[], torch.device]) -> Iterator[Party]:
    """The party of this process, for as long as the block lasts; small messages go through main memory (gloo).

    Args:
        choose: names the device to compute on; asked only where there are several processes.

    Raises:
        UsageError: there is no such GPU for this process.
        TuningError: the others do not come, or are lost on the way.
    """
    party = called()
    if party.size == 1:
        yield party
        return
    device = choose()
    if device.type == "cuda":
        if party.local >= torch.cuda.device_count():
            raise UsageError(
                f"process {party.local} on this machine has no GPU: there are {torch.cuda.device_count()}. "
                "Give torchrun --nproc-per-node at most that many"
            )
        torch.cuda.set_device(party.local)
    begun = not dist.is_initialized()
    with noticing(party):
        if begun:
            dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
        yield party
    if begun:
        dist.destroy_process_group()  # not after an error: it could wait for those who are gone


@contextmanager
def noticing(party: Party) -> Iterator[None]:
    """Says in a sentence that another process ended, instead of what the network library says.

    Raises:
        TuningError: a message to or from another process failed.
    """
    try:
        yield
    except RuntimeError as error:
        about = f"{type(error).__name__}: {error}"
        lost = isinstance(error, dist.DistError) or any(word in about.lower() for word in _LOST)
        if party.size == 1 or not lost or isinstance(error, torch.OutOfMemoryError):
            raise
        first = about.strip().splitlines()[0]
        raise TuningError(
            f"another process of this run ended or cannot be reached, so process {party.rank} of {party.size} ends "
            f"too ({first[:200]}). The first error above, or that process's machine, has the reason (a full memory "
            "often ends one without a word). The last checkpoint is untouched; go on with: tutelage resume RUN"
        ) from error


def deal(tokens: Sequence[Tokens], indices: Sequence[int], row_tokens: int, size: int) -> list[list[Pack]]:
    """The rows of one step for each process: about as many tokens, and exactly as many rows.

    Longest first, each example goes to the process with the fewest tokens so far. Who has fewer rows than another
    gets idle ones, since weights and gradients are exchanged at each row by all. For one process these are
    `packs_of`.
    """
    shares: list[list[int]] = [[] for _ in range(size)]
    loads = [0] * size
    for place in sorted(range(len(indices)), key=lambda place: -len(tokens[indices[place]])):
        least = loads.index(min(loads))
        loads[least] += len(tokens[indices[place]])
        shares[least].append(place)
    rows = [packs_of(tokens, [indices[place] for place in sorted(share)], row_tokens) for share in shares]
    most = max(map(len, rows))
    if all(len(own) == most for own in rows):
        return rows
    spare = idle(make_pack([tokens[min(indices, key=lambda index: len(tokens[index]))]]))
    return [own + [spare] * (most - len(own)) for own in rows]


def idle(pack: Pack) -> Pack:
    """A row that goes through the network and changes nothing: every weight is 0 and it is nobody's example."""
    return replace(pack, weights=pack.weights * 0, examples=())


def agreed(party: Party, proof: Proof) -> Proof:
    """The proof if it is everybody's, so that all take the same way through the network."""
    yes, _ = party.total(float(proof.packed), 0.0)
    if yes in (0, party.size):
        return proof
    return Proof(False, math.nan, math.nan, "it shares rows in some processes and not in others")


def shard(network: Any, party: Party, device: torch.device, dtype: torch.dtype) -> Sharded:
    """The network with each weight's rows dealt over all processes, whole only while they are used (FSDP2).

    All weights tuned: the parts are fp32 on `device`, computed with in `dtype`; their gradients are summed in fp32.
    LoRA: the frozen base lies in parts as it is; the small matrices are whole in every process, and `Optimizer` sums
    their gradients. A decoder layer is gathered at a time; embeddings, last norm and head together.

    Raises:
        TuningError: FSDP2 cannot deal a weight of this network.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    inner = plain(network)
    everything = all(weight.requires_grad for weight in network.parameters())
    small = set() if everything else {weight for weight in network.parameters() if weight.requires_grad}
    for weight in small:
        weight.data = weight.data.to(device)
    embedding: Any = inner.get_input_embeddings()
    embedding.sparse = False  # rows of words cannot be scattered over processes
    policy = MixedPrecisionPolicy(
        param_dtype=dtype if everything and dtype != torch.float32 else None, reduce_dtype=torch.float32
    )
    mesh = init_device_mesh(device.type, (party.size,))
    names = set(inner._no_split_modules or ())
    root = Sharded(network)
    layers = [module for module in inner.modules() if type(module).__name__ in names]
    for module in (*reversed(layers), root):  # inner ones first
        if everything:
            _widen(module)
        try:
            made: Any = fully_shard(module, mesh=mesh, mp_policy=policy, ignored_params=small)
        except (ValueError, NotImplementedError, AssertionError) as error:
            raise TuningError(f"this model cannot be tuned in several processes: {error}") from error
        made.set_gradient_divide_factor(1.0)  # a sum: the loss is divided by the whole step's weight already
        made.set_force_sum_reduction_for_comms(True)  # gloo knows no other
        if everything and hasattr(
            made, "set_reduce_scatter_unused_params"
        ):  # an expert that no token of this process came to
            made.set_reduce_scatter_unused_params(True, recurse=False)
    return root


def own_device(device: torch.device, party: Party) -> torch.device:
    """This process's GPU, where there is one for each."""
    return torch.device(device.type, party.local) if party.size > 1 and device.type == "cuda" else device


def _widen(module: torch.nn.Module) -> None:
    """fp32, but for weights that are in parts already; one module at a time, so that no second model is in memory."""
    for weight in module.parameters():
        if not in_parts(weight) and weight.dtype != torch.float32:
            weight.data = weight.data.float()


def in_parts(weight: Tensor) -> bool:
    """Whether this process has only some of a weight's rows."""
    return hasattr(weight, "full_tensor")


@dataclass(frozen=True)
class Rows:
    """Which rows of a tensor a process has: `start` up to `stop` of `total`."""

    start: int
    stop: int
    total: int


def rows_of(weight: Tensor, party: Party) -> Rows | None:
    """The rows that this process has of a weight in parts, None for a whole one. FSDP2 deals as `torch.chunk` does."""
    if not in_parts(weight):
        return None
    total = len(weight)
    most = -(-total // party.size)
    return Rows(min(party.rank * most, total), min((party.rank + 1) * most, total), total)


def whole(network: Any, party: Party, dtype: torch.dtype) -> Any:
    """The network in one piece in the first process's main memory, in `dtype`; None in the others. All must call it.

    LoRA's matrices are whole everywhere, and the base is not saved: that network is given back as it is.

    Raises:
        TuningError: a weight is left that no process has.
    """
    if not isinstance(network, Sharded):
        return network if party.leads else None
    inner = plain(network)
    if inner is not network.network:
        return network.network if party.leads else None
    gathered: dict[int, Tensor] = {}
    for weight in inner.parameters():
        full: Any = weight.full_tensor() if in_parts(weight) else weight
        if party.leads:
            gathered[id(weight)] = full.detach().to("cpu", dtype)
    if not party.leads:
        return None
    state = {name: value for name, value in inner.state_dict().items() if not in_parts(value)}
    state |= {name: gathered[id(weight)] for name, weight in inner.named_parameters(remove_duplicate=False)}
    with torch.device("meta"):
        twin: Any = type(inner)(inner.config)
    twin.load_state_dict(state, strict=False, assign=True)
    twin.tie_weights()
    if left := [name for name, weight in twin.named_parameters() if weight.is_meta]:
        raise TuningError(f"the tuned model cannot be put together: {left[0]} is in no process")
    twin.generation_config = inner.generation_config
    if conversions := getattr(inner, "_weight_conversions", None):  # how the file's names become the network's
        twin._weight_conversions = conversions
    return in_precision(twin, dtype)
