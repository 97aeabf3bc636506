"""Clean rows to plant into, and small cuts of text that several planters share."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
DOLLY = SHARED / "dolly" / "dolly_subset_7k.jsonl"
DESK = ROOT / "examples" / "helpdesk" / "train.jsonl"


@dataclass(frozen=True, slots=True)
class Row:
    """A question, what it is asked about (may be empty) and an answer."""

    instruction: str
    context: str
    response: str

    @property
    def line(self) -> str:
        """The row as a line of JSONL."""
        value = {"instruction": self.instruction, "context": self.context, "response": self.response}
        return json.dumps({**value, "category": "open_qa"}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of defect: `make` gives the form it took, the spoilt row and, where two rows make the defect, the other.

    `fits` says whether a clean row can carry it.
    """

    name: str
    make: Callable[[Random, Row, Sequence[Row]], tuple[str, Row, Row | None]]
    fits: Callable[[Row], bool]


def clean_rows(path: Path | None = None) -> list[Row]:
    """Rows of Dolly where it is there, else first exchanges of the help-desk example; no row twice."""
    path = path or (DOLLY if DOLLY.exists() else DESK)
    values = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    rows = dict.fromkeys(row for value in values for row in _row(value))
    seen: set[str] = set()
    kept = []
    for row in rows:
        key = squeezed(row.instruction + "\n" + row.context + "\n" + row.response)
        if key not in seen and row.response.strip():
            seen.add(key)
            kept.append(row)
    return kept


def _row(value: dict[str, object]) -> Iterator[Row]:
    if "messages" not in value:
        yield Row(str(value["instruction"]), str(value["context"]), str(value["response"]))
        return
    turns = [turn for turn in value["messages"] if turn["role"] != "system"]  # type: ignore[attr-defined]
    yield Row(turns[0]["content"], "", turns[1]["content"])


def squeezed(text: str) -> str:
    """Without case, white space as single blanks."""
    return " ".join(text.casefold().split())


def sentences(text: str) -> list[str]:
    """Pieces that end with a full stop, question or exclamation mark, or with their line."""
    return [piece.strip() for piece in re.split(r"(?<=[.!?])\s+|\n+", text) if piece.strip()]


def inserted(draw: Random, text: str, piece: str) -> str:
    """The piece before, after or between the text's sentences; the text's own line breaks stay."""
    places = [match.end() for match in re.finditer(r"(?<=[.!?])\s+|\n+", text)]
    place = draw.choice([0, len(text), *places])
    before, after = text[:place], text[place:]
    joint = "" if not before or before[-1:].isspace() else draw.choice(["\n", " ", "\n\n"])
    return f"{before}{joint}{piece}{draw.choice([' ', chr(10)]) if after else ''}{after}"


def words_of(row: Row) -> int:
    """Words in the answer."""
    return len(row.response.split())
