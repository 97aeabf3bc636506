"""Any number of conversations by seeded recombination of real sentences: some 1,000 bytes a row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

from planted.rows import Row, sentences

BYTES = 880
"""Characters of an answer, about: with the question and the names of columns a row has 1,000 bytes."""
REPEATED = 0.01
"""Share of rows that repeat an earlier one."""


def write_many(rows: Sequence[Row], path: Path, count: int, seed: int = 0) -> int:
    """Write `count` rows of JSONL and return the file's size in bytes.

    A question is a real one with a number that makes it its own; an answer is sentences of several. One row of a
    hundred repeats an earlier one, as in the wild.
    """
    draw = Random(f"{seed} scale")
    questions = [json.dumps(row.instruction, ensure_ascii=False)[1:-1] for row in rows]
    pieces = [json.dumps(said, ensure_ascii=False)[1:-1] for row in rows for said in sentences(row.response)]
    pieces = [said for said in pieces if len(said) >= 20]
    mean = sum(map(len, pieces)) / len(pieces) + 1
    some = max(2, round(BYTES / mean))
    kept: list[str] = []
    with path.open("w", encoding="utf-8") as stream:
        for number in range(count):
            if kept and draw.random() < REPEATED:
                stream.write(draw.choice(kept))
                continue
            answer = " ".join(draw.choices(pieces, k=draw.randint(some // 2, some + some // 2)))
            question = f"{draw.choice(questions)} (case {number})"
            line = f'{{"instruction": "{question}", "context": "", "response": "{answer}", "category": "open_qa"}}\n'
            stream.write(line)
            if number % 100 == 0:
                kept.append(line)
    return path.stat().st_size
