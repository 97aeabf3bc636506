"""The small general set that comes with Tutelage, to be mixed in where data is narrow; its name is `general`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from tutelage.records import Example

NAME = "general"
FILE = Path(__file__).parent / "general.jsonl"


def located(name: str) -> str:
    """The file that comes with Tutelage where its name is given and nothing here is called so; else the name."""
    return str(FILE) if name == NAME and not Path(name).exists() else name


@lru_cache(1)
def general_examples() -> tuple[Example, ...]:
    """Its conversations: written for this project, under its licence, checked by its own rules."""
    from tutelage.data.reading import read  # which finds files by `located`
    from tutelage.recipe import DataSettings

    return tuple(read(DataSettings(files=(str(FILE),))).examples)
