"""Small makers of files and data sets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tutelage.records import Conversation, Dataset, Ledger, Role, Source, Turn, with_ids


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write bytes, text or rows (as JSON Lines) to a file and return its path."""

    def write_file(name: str, content: bytes | str | Sequence[object]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.encode()
        if not isinstance(content, bytes):
            content = "".join(json.dumps(row) + "\n" for row in content).encode()
        path.write_bytes(content)
        return path

    return write_file


@pytest.fixture
def dataset() -> Callable[..., Dataset]:
    """A data set of (prompt, answer) or (prompt, answer, group) rows."""

    def make(*rows: tuple[str, ...]) -> Dataset:
        made = [
            (
                Conversation((Turn(Role.USER, row[0]), Turn(Role.ASSISTANT, row[1]))),
                Source("made", (number,)),
                row[2] if len(row) > 2 else "",
                (),
            )
            for number, row in enumerate(rows, 1)
        ]
        count = len(rows)
        return Dataset(with_ids(made), ledger=Ledger(count, count, 0, count, count, 0))

    return make
