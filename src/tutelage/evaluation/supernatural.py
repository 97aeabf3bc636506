"""Tasks of Super-NaturalInstructions (Wang et al. 2022, arXiv:2204.07705) as they are: definition and input are asked.

The prompt is the one that the same file gives when it is tuned on. All outputs of an instance are references.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tutelage.data import formats
from tutelage.data.jsonrows import read_document
from tutelage.data.rows import Row, RowError, as_text
from tutelage.errors import DataError
from tutelage.recipe import DataSettings
from tutelage.records import Dropped, Turn


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: its id ("" where it has none), what is asked, every output, and the task's first category."""

    id: str
    turns: tuple[Turn, ...]
    references: tuple[str, ...]
    category: str


def is_supernatural(path: Path) -> bool:
    """Whether a JSON file is such a task: one object with Definition and Instances."""
    row = next(iter(read_document(path)), None)
    return isinstance(row, Row) and {"Definition", "Instances"} <= set(row.value)


def supernatural(path: Path, examples: int = 0) -> tuple[str, tuple[Instance, ...]]:
    """The task's name and its instances.

    Args:
        examples: so many of its positive examples stand before each input.

    Raises:
        DataError: an instance cannot be used, with its number.
    """
    found = list(_instances(path, DataSettings(positive_examples=examples)))
    if not found:
        raise DataError(f"{path}: this task has no instances")
    return found[0][0], tuple(instance for _, instance in found)


def _instances(path: Path, settings: DataSettings) -> Iterator[tuple[str, Instance]]:
    for row in read_document(path):
        where = f"{path}, instance {row.source.rows[0]}"
        if isinstance(row, Dropped):
            raise DataError(f"{where}: {row.reason}")
        try:
            for draft in formats.superni(row, settings):
                name, outputs = _id_and_outputs(row.value)
                yield draft.group, Instance(name, draft.turns[:-1], outputs, draft.tags[0] if draft.tags else "")
        except RowError as error:
            raise DataError(f"{where}: {error}") from None


def _id_and_outputs(value: Mapping[str, object]) -> tuple[str, tuple[str, ...]]:
    instances = value["Instances"]
    instance = instances[0] if isinstance(instances, list) else {}
    given = instance["output"] if isinstance(instance, Mapping) and "output" in instance else []
    outputs = tuple(as_text(one, "output") for one in (given if isinstance(given, list) else [given]))
    if not outputs:
        raise RowError("an instance has no output to score against", "layout")
    return as_text(instance.get("id"), "id") if isinstance(instance, Mapping) else "", outputs
