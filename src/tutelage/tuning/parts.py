"""Tensors in several files, each with some of their rows: written by so many processes, read by any other number.

A file says in its header which rows it has of which tensor; what it says nothing about, it has whole. Only safetensors
and JSON: reading one runs no code.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tutelage.tuning.distributed import Party, Rows

_ROWS = "rows"


def part_name(party: Party) -> str:
    """The file of a process: state.safetensors for one alone, state-2-of-4.safetensors for the second of four."""
    return "state.safetensors" if party.size == 1 else f"state-{party.rank + 1}-of-{party.size}.safetensors"


def own_part(tensors: Mapping[str, Tensor], rows: Mapping[str, Rows], party: Party) -> dict[str, Tensor]:
    """What a process writes: its rows, and, the first one, what all have whole."""
    return {name: value for name, value in tensors.items() if name in rows or party.leads}


def part_names(found: Collection[str]) -> list[str]:
    """Of the names of files, those that are the parts of one whole, if they are all there; else nothing."""
    alone = {part_name(Party())}
    if set(found) == alone:
        return sorted(alone)
    of = {part_name(Party(rank, len(found))) for rank in range(len(found))}
    return sorted(of) if len(found) > 1 and set(found) == of else []


def header(rows: Mapping[str, Rows]) -> dict[str, str]:
    """What a file's header says about the tensors that it has not whole."""
    return {_ROWS: json.dumps({name: (one.start, one.stop, one.total) for name, one in rows.items()})}


def read_parts(paths: Sequence[Path], wanted: Mapping[str, Rows]) -> dict[str, Tensor]:
    """All tensors of some files, and of those in `wanted` only these rows. No more than that is read.

    Raises:
        OSError, SafetensorError, ValueError: a file cannot be read, or rows are missing.
    """
    with ExitStack() as opened:
        files = [opened.enter_context(safe_open(path, "pt")) for path in paths]
        places: dict[str, list[tuple[int, Any]]] = {}
        totals: dict[str, int] = {}
        for file in files:
            said = json.loads((file.metadata() or {}).get(_ROWS, "{}"))
            for name in file.keys():  # noqa: SIM118 # it is no mapping
                start, _, total = said.get(name, (0, 0, -1))
                places.setdefault(name, []).append((start, file))
                totals[name] = total
        return {name: _read(name, places[name], wanted.get(name), totals[name]) for name in places}


def _read(name: str, places: Sequence[tuple[int, Any]], wanted: Rows | None, total: int) -> Tensor:
    if wanted is None and total < 0:
        whole: Tensor = places[0][1].get_tensor(name)
        return whole
    made: list[Tensor] = []
    at = wanted.start if wanted else 0
    stop = wanted.stop if wanted else total
    for start, file in sorted(places, key=lambda place: place[0]):
        piece = file.get_slice(name)
        end = start + piece.get_shape()[0]
        if start <= at < min(end, stop):
            made.append(piece[at - start : min(end, stop) - start])
            at = min(end, stop)
    if at < stop:
        raise SafetensorError(f"rows {at} to {stop} of {name} are in no part")
    if not made:  # more processes than rows: this one has none
        made.append(places[0][1].get_slice(name)[0:0])
    return made[0] if len(made) == 1 else torch.cat(made)
