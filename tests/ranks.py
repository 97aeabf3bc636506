"""Several processes that tune together on one machine: forks of the one that tests, which has everything imported.

The parent keeps to one thread (`tiny` sees to that), since a fork has none of its parent's others.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import tiny
from tutelage.model import adapters
from tutelage.model.forward import Proof, prove
from tutelage.model.layers import quicken
from tutelage.model.load import in_precision
from tutelage.recipe import AdapterSettings, TuningSettings
from tutelage.tuning.distributed import ALONE, Party, agreed, joined, shard, whole
from tutelage.tuning.fit import State
from tutelage.tuning.optim import Optimizer

CPU = torch.device("cpu")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _one(rank: int, size: int, port: int, work: Callable[..., None], given: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    told = {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": size}
    os.environ.update({name: str(value) for name, value in told.items()})
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    work(*given)


def begin(size: int, work: Callable[..., None], *given: Any) -> list[Any]:
    """Starts `size` processes, each calling `work(*given)`; what torchrun tells its processes they are told."""
    context = multiprocessing.get_context("fork")
    port = free_port()
    made = [context.Process(target=_one, args=(rank, size, port, work, given)) for rank in range(size)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on, about threads in the parent
        for process in made:
            process.start()
    return made


def ended(made: list[Any], within: float) -> list[int]:
    """Waits for processes, and gives their exit statuses; fails where one is not done in `within` seconds."""
    until = time.monotonic() + within
    for process in made:
        process.join(max(0.0, until - time.monotonic()))
    late = [process for process in made if process.is_alive()]
    for process in late:
        process.kill()
    assert not late, f"{len(late)} of {len(made)} processes hang"
    return [process.exitcode for process in made]


def _joined(work: Callable[..., None], *given: Any) -> None:
    with joined(lambda: CPU) as party:
        work(party, *given)


def together(size: int, work: Callable[..., None], *given: Any, within: float = 60) -> None:
    """Calls `work(party, *given)` in `size` processes; fails where one fails or is not done in `within` seconds."""
    assert ended(begin(size, _joined, work, *given), within) == [0] * size


def begun(
    name: str, kind: AdapterSettings, settings: TuningSettings, party: Party = ALONE, dtype: torch.dtype = torch.float32
) -> tuple[State, Proof]:
    """A tiny model ready to tune, in parts where there are several processes."""
    network: Any = adapters.add(in_precision(tiny.network(name), dtype), kind, 7)
    quicken(network)
    within = shard(network, party, CPU, dtype) if party.size > 1 else network
    proof = agreed(party, prove(within, dtype))
    return State(within, Optimizer(adapters.trainable(network), settings, party), party=party), proof


def weights(state: State, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Every weight that changed, whole, in the first process; nothing in the others."""
    names = list(state.optimizer.weights)
    network = whole(state.network, state.party, dtype)
    if network is None:
        return {}
    known = dict(network.named_parameters())
    return {name: known[name].detach().float() for name in names}


def keep(path: Path, **tensors: Tensor) -> None:
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)


def kept(path: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = load_file(path)
    return found
