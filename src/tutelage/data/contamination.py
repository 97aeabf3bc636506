"""Training rows that hold what a benchmark asks, so that scores can be told with and without those items."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tutelage.data import joining
from tutelage.data.duplicates import spoken
from tutelage.data.grams import Numbers, grams
from tutelage.data.joining import COMPARED, SLACK
from tutelage.data.reading import read, read_prompts
from tutelage.errors import DataError
from tutelage.recipe import DataSettings
from tutelage.records import Dataset, Finding, Role, Source, Turn

WORDS = 8
"""Words in a run. Eight as in PaLM (Chowdhery et al. 2022, section 8) and Tulu 3 (Lambert et al. 2024)."""
SHARE = 0.5
"""A row touches an item when it holds this share of the item's runs. Tulu 3 draws the line at half of an item's
words; PaLM at 70 % of its runs, over all of the training data together."""
RULE = "contamination"
FILE = "contaminated.jsonl"


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a benchmark: where it stands, its id there, and what it asks."""

    file: str
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Touch:
    """A training example that holds `share` of an item's runs of words."""

    item: Item
    example: str
    source: Source
    share: float


def read_items(files: Sequence[str]) -> tuple[Item, ...]:
    """The questions of benchmark files: files of prompts (`read_prompts`), or any data set that `read` knows.

    Only what the user's turns ask counts: a system turn is shared by all, and the answers of most benchmarks are
    too short to be found.

    Raises:
        DataError: a file that is neither.
    """
    return tuple(item for file in files for item in _items(file))


def _items(file: str) -> list[Item]:
    try:
        return [Item(file, prompt.id, _question(prompt.turns)) for prompt in read_prompts(file)]
    except DataError as error:
        try:
            dataset = read(DataSettings(), [file])
        except DataError:
            raise error from None
    return [Item(file, example.id, _question(example.conversation.prompt)) for example in dataset.examples]


def _question(turns: Sequence[Turn]) -> str:
    return "\n".join(turn.text for turn in turns if turn.role is Role.USER)


def touches(dataset: Dataset, items: Sequence[Item], share: float = SHARE, words: int = WORDS) -> tuple[Touch, ...]:
    """Every pair of an example and an item of whose runs of `words` words the example holds `share` or more.

    All that user, assistant and tools say is looked through. An item of fewer words is one run, found only
    where those words are all that is said. The items are held in memory, the examples a block at a time.

    Returns:
        in the order of the examples, then of the items.
    """
    blocks = list(grams((item.text for item in items), words))
    table = joining.frequencies(blocks)
    asked = joining.ordered(blocks, table, 1)
    needed = np.maximum(np.ceil(share * asked.sizes - SLACK).astype(np.int64), 1)
    index = joining.indexed(joining.entries(asked, needed), np.zeros_like(needed))
    found: list[Touch] = []
    before = 0
    for block in grams((spoken(example.conversation) for example in dataset.examples), words):
        rows = joining.ordered([block], table, 1)
        entries = joining.entries(rows, np.ones(len(rows.sizes), np.int64))
        starts = np.searchsorted(index.tokens, entries.tokens, "left")
        counts = np.searchsorted(index.tokens, entries.tokens, "right") - starts
        for left, right in joining.looked_up(entries.rows, starts, counts):
            first, second = joining.pairs_of(entries.rows[left], index.rows[right])
            for place in range(0, len(first), COMPARED):
                row, item = first[place : place + COMPARED], second[place : place + COMPARED]
                held = joining.shared(row, item, rows, asked)
                near = held >= needed[item]
                shares = held[near] / asked.sizes[item[near]]
                found += _touches(dataset, items, before + row[near], item[near], shares.tolist())
        before += len(block.sizes)
    return tuple(found)


def _touches(
    dataset: Dataset, items: Sequence[Item], rows: Numbers, asked: Numbers, shares: Sequence[float]
) -> list[Touch]:
    pairs = zip(rows.tolist(), asked.tolist(), shares, strict=True)
    examples = dataset.examples
    return [Touch(items[item], examples[row].id, examples[row].source, share) for row, item, share in pairs]


def check(dataset: Dataset, files: Sequence[str]) -> tuple[Dataset, tuple[Touch, ...] | None]:
    """The data set with a finding for every example that touches an item, by the item that it holds most of.

    Returns:
        the data set, and all pairs; None where no benchmark is named.

    Raises:
        DataError: as `read_items`.
    """
    if not files:
        return dataset, None
    found = touches(dataset, read_items(files))
    worst: dict[str, Touch] = {}
    for touch in found:
        if touch.example not in worst or touch.share > worst[touch.example].share:
            worst[touch.example] = touch
    flags = [
        Finding(e.source, RULE, "flag", f"holds {hit.share:.0%} of the item {hit.item.id} of {hit.item.file}")
        for e in dataset.examples
        if (hit := worst.get(e.id))
    ]
    return replace(dataset, findings=(*dataset.findings, *flags)), found


def counts(found: Sequence[Touch] | None) -> dict[str, int]:
    """How many conversations hold an item, and how many items are held; nothing where no benchmark was named."""
    if found is None:
        return {}
    return {"touching": len({touch.example for touch in found}), "touched_items": len({touch.item for touch in found})}


def told(found: Sequence[Touch]) -> str:
    """The counts in words."""
    touching, items = counts(found).values()
    return f"{touching:,} conversations hold {items:,} of the benchmarks' items"


def write(found: Sequence[Touch] | None, folder: Path) -> None:
    """Write the pairs as `contaminated.jsonl` into a data set's folder; None takes away what an earlier run left.

    Raises:
        DataError: where it cannot be written.
    """
    path = folder / FILE
    try:
        if found is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text("".join(map(_line, found)), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error


def _line(touch: Touch) -> str:
    row = {
        "benchmark": touch.item.file,
        "item": touch.item.id,
        "example": touch.example,
        "file": touch.source.file,
        "rows": list(touch.source.rows),
        "share": round(touch.share, 4),
    }
    return json.dumps(row, ensure_ascii=False) + "\n"
