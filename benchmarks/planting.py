"""Twelve kinds of defects, planted by seed into clean rows: each row knows what was done to it.

Written apart from the rules that look for them, from what stands in data sets in the wild.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from planted import answers, leftovers, questions
from planted.rows import Kind, Row, words_of

KINDS: tuple[Kind, ...] = (*answers.KINDS, *leftovers.KINDS, *questions.KINDS)
EACH, TOTAL = 50, 3000


@dataclass(frozen=True, slots=True)
class Planted:
    """A row of the planted set.

    `kind` is empty for rows that were left as they were; `form` is the shape the defect took; `original` is the row
    before; `partner` is the place of the row that this one repeats or contradicts, or is repeated or contradicted by.
    """

    row: Row
    kind: str = ""
    form: str = ""
    original: Row | None = None
    partner: int | None = None

    @property
    def clean(self) -> bool:
        """Whether nothing is planted in this row or beside it."""
        return not self.kind and self.partner is None


def plant(rows: Sequence[Row], seed: int = 0, each: int = EACH, total: int = TOTAL) -> list[Planted]:
    """`total` rows in random order with `each` defects of every kind among them.

    Where there are too few clean rows, at most half of them stay clean and the others are planted into several times.
    Duplicates and contradictions bring their partner along.
    """
    draw = Random(f"{seed} defects")
    pool = draw.sample(rows, len(rows))
    pairs = 2  # duplicates and contradictions
    left = min(total - each * (len(KINDS) + pairs), len(pool) // 2)
    clean, pool = pool[:left], pool[left:]
    made: list[Planted] = [Planted(row) for row in clean]
    for kind in KINDS:
        for _ in range(each):
            original = _drawn(draw, pool, rows, kind)
            form, spoilt, other = kind.make(draw, original, rows)
            while spoilt == original and not other:  # by chance nothing was changed
                form, spoilt, other = kind.make(draw, original, rows)
            made.append(Planted(spoilt, kind.name, form, other or original, len(made) + 1 if other else None))
            if other:
                made.append(Planted(other, partner=len(made) - 1))
    order = draw.sample(range(len(made)), len(made))
    place = {old: new for new, old in enumerate(order)}
    return [
        item if item.partner is None else replace(item, partner=place[item.partner])
        for item in (made[old] for old in order)
    ]


def _drawn(draw: Random, pool: list[Row], rows: Sequence[Row], kind: Kind) -> Row:
    """The next row that can carry the defect; each is used once as long as there are others.

    Where no row fits, a row with one of the longest answers is taken.
    """
    for place, row in enumerate(pool):
        if kind.fits(row):
            return pool.pop(place)
    fitting = [row for row in rows if kind.fits(row)] or sorted(rows, key=words_of)[-len(rows) // 10 :]
    return draw.choice(fitting)


def write(rows: Sequence[Row], path: Path) -> None:
    """The rows as JSONL with the columns instruction, context, response, category; row n stands on line n + 1."""
    path.write_text("".join(row.line + "\n" for row in rows), encoding="utf-8")
