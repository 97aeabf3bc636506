"""Scores on disk, found again by the example's content: what was measured once is not measured again.

A file that is missing or damaged is no error: what it would have held is measured again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

Rows = NDArray[Any]


def put(folder: Path, kind: str, names: Sequence[str], rows: Rows) -> None:
    """Keep (n, width) numbers under their n names, 16 hexadecimal digits each; a disk that refuses is passed over."""
    content = save(
        {
            "names": np.frombuffer(bytes.fromhex("".join(names)), np.uint8).reshape(len(names), 8),
            "rows": np.ascontiguousarray(rows),
        }
    )
    path = folder / f"{kind}-{_digest(content)}.safetensors"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.write_bytes(content)
        fresh.replace(path)


def take(folder: Path, kind: str) -> dict[str, Rows]:
    """Everything kept of a kind: (width,) numbers by name. A file that is not what its name says is passed by."""
    found: dict[str, Rows] = {}
    for path in sorted(folder.glob(f"{kind}-*.safetensors")):
        with contextlib.suppress(OSError, SafetensorError, KeyError, ValueError):
            content = path.read_bytes()
            if path.stem == f"{kind}-{_digest(content)}":
                part = load(content)
                found |= zip((bytes(name).hex() for name in part["names"]), part["rows"], strict=True)
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
