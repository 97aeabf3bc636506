"""A row as it stands in a file, and the one way to say that it cannot be used."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from tutelage.errors import DataError
from tutelage.records import Dropped, Source


@dataclass(frozen=True, slots=True)
class Row:
    """One row's fields by name, and where it stands."""

    source: Source
    value: Mapping[str, object]


class RowError(DataError):
    """A row cannot be used: `rule` is the kind of fault in the ledger, the message its reason."""

    def __init__(self, reason: str, rule: str = "unreadable") -> None:
        super().__init__(reason)
        self.rule = rule


def passed_over(source: Source, error: RowError) -> Dropped:
    """The ledger's entry for a row that never became a conversation."""
    return Dropped(source, "row", error.rule, str(error))


def as_text(value: object, what: str) -> str:
    """A cell as text: numbers and true/false as they stand in JSON, a missing value as "".

    Args:
        value: the cell.
        what: the column's name, for the message.

    Raises:
        RowError: where the cell holds a list or an object.
    """
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, Mapping | list | tuple | bytes):
        kind = {"dict": "an object", "list": "a list"}.get(type(value).__name__, type(value).__name__)
        raise RowError(f"{what} holds {kind} where text is expected", "layout")
    return str(value)
