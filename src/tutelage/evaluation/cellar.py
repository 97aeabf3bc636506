"""Answers kept on disk: what a model was asked once, in the same way, it is not asked again.

An answer is found by all that it follows from: the model's weights, the ids of the prompt, the way of decoding, and
the code that does it. One SQLite file holds them; where it is damaged, locked or cannot be written, the model is
asked as if there were none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tutelage
from tutelage.evaluation.answers import Answer, Ask, generate_together, prompt_ids
from tutelage.model import machine
from tutelage.model.forward import plain
from tutelage.model.load import Located, located_hash, tokenizer_hash
from tutelage.recipe import DecodingSettings

SWITCH = "TUTELAGE_ANSWERS"
"""Environment variable: another file for the answers; `off`: none are kept or found."""
MOST = 200_000
"""Answers that are kept; beyond them the oldest go."""
PATIENCE = 10
"""Seconds to wait for another process that writes."""
Row = tuple[Answer, ...]


def identity(located: Located) -> str:
    """What a model's answers follow from on disk: weights, adapters, and the settings that lie beside them."""
    folders = [located.folder, *located.beneath, *([located.adapter] if located.adapter else [])]
    names = ("config.json", "generation_config.json", "adapter_config.json")
    files = [folder / name for folder in folders for name in names]
    content = [path.read_bytes().hex() if path.is_file() else "" for path in files]
    return _digest([located_hash(located), content])


def answered(
    weights: str,
    network: Any,
    asks: Sequence[Ask],
    decoding: DecodingSettings,
    progress: Callable[[int], None] | None = None,
    cut_loops: bool = False,
) -> tuple[Row, ...]:
    """What `generate_together` gives, of which only what is not kept yet is written.

    Args:
        weights: `identity` of the model; "": nothing is kept or found.

    Raises:
        DataError: as `generate_together`.
    """
    path = _file()
    if not weights or path is None:
        return generate_together(network, asks, decoding, progress, cut_loops=cut_loops)
    keys = _keys(weights, network, asks, decoding, cut_loops)
    kept = _take(path, [key for row in keys for key in row])
    if decoding.temperature and any(key not in kept for row in keys for key in row):
        kept = {}  # of what is drawn, a part cannot be made again without the rest
    todo = [
        replace(ask, prompts=[one for one, key in zip(ask.prompts, row, strict=True) if key not in kept])
        for ask, row in zip(asks, keys, strict=True)
    ]
    found = sum(len(row) for row in keys) - sum(len(ask.prompts) for ask in todo)
    if progress and found:
        progress(found)
    made: tuple[Row, ...] = ((),) * len(keys)
    if any(ask.prompts for ask in todo):
        made = generate_together(network, todo, decoding, progress, cut_loops=cut_loops)
    fresh = dict[str, Answer]()
    for row, answers in zip(keys, made, strict=True):
        fresh |= zip([key for key in row if key not in kept], answers, strict=True)
    _put(path, fresh)
    whole = kept | fresh
    return tuple(
        tuple(replace(whole[key], id=one.id) for one, key in zip(ask.prompts, row, strict=True))
        for ask, row in zip(asks, keys, strict=True)
    )


def _keys(
    weights: str, network: Any, asks: Sequence[Ask], decoding: DecodingSettings, cut_loops: bool
) -> list[list[str]]:
    """(asks, prompts) names of answers."""
    first = next(plain(network).parameters())
    how = decoding.model_dump(exclude={"batch_size"}) if not decoding.temperature else decoding.model_dump()
    shared = [weights, _code(), str(first.dtype), first.device.type, how, cut_loops]
    ids = [[prompt_ids(ask.encoder, prompt) for prompt in ask.prompts] for ask in asks]
    whole = _digest(ids) if decoding.temperature else ""  # what is drawn depends on a prompt's place among the others
    tokenizers = {id(ask.encoder.tokenizer): ask.encoder.tokenizer for ask in asks}
    cut = {place: tokenizer_hash(tokenizer) for place, tokenizer in tokenizers.items()}
    found = []
    for number, (ask, rows) in enumerate(zip(asks, ids, strict=True)):
        encoder = ask.encoder
        own = [*shared, cut[id(encoder.tokenizer)], sorted(encoder.stop_ids), list(ask.markers)]
        ahead = _digest(own)
        drawn = [[whole, number, place] if whole else [] for place in range(len(rows))]
        found.append([_digest([ahead, row, *where]) for row, where in zip(rows, drawn, strict=True)])
    return found


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


@lru_cache(1)
def _code() -> str:
    """What answers follow from beside model and prompt: our code from ids to text, and the libraries beneath."""
    digest = hashlib.sha256(f"{version('torch')} {version('transformers')}".encode())
    package = Path(tutelage.__file__).parent
    rest = [package / "text" / "encode.py", package / "evaluation" / "answers.py"]
    for path in sorted([*(package / "model").rglob("*.py"), *rest]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _file() -> Path | None:
    named = os.environ.get(SWITCH, "")
    if named == "off":
        return None
    return Path(named).expanduser() if named else machine.cache_folder() / "answers.sqlite"


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The file with its table. One that is no such file is put out of the way for a fresh one.

    Answers may be private, so that the file is its owner's alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    with contextlib.closing(sqlite3.connect(path, timeout=PATIENCE)) as opened, opened:
        opened.execute("create table if not exists answers (key text primary key, answer text, digest text)")
        yield opened


def _take(path: Path, keys: Sequence[str]) -> dict[str, Answer]:
    found = dict[str, Answer]()
    try:
        with _opened(path) as opened:
            for key in keys:
                row = opened.execute("select answer, digest from answers where key = ?", (key,)).fetchone()
                if row and row[1] == _digest([key, row[0]]):  # SQLite does not see a flipped bit
                    found[key] = Answer(**json.loads(row[0]))
    except sqlite3.OperationalError:  # locked, or a disk that refuses: there is nothing to be found
        return found
    except (sqlite3.DatabaseError, OSError):
        _put_aside(path)
    return found


def _put(path: Path, fresh: dict[str, Answer]) -> None:
    rows = []
    for key, answer in fresh.items():
        text = json.dumps(asdict(replace(answer, id="")))
        rows.append((key, text, _digest([key, text])))
    with contextlib.suppress(sqlite3.Error, OSError), _opened(path) as opened:
        opened.executemany("insert or replace into answers values (?, ?, ?)", rows)
        opened.execute(
            "delete from answers where rowid <= (select max(rowid) from answers) - ?",
            (MOST,),
        )


def _put_aside(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.replace(path.with_name(f"{path.name}.damaged"))
