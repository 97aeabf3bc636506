"""Moving examples from what is kept to what is dropped, so that both sums of the ledger go on holding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tutelage.data import spool
from tutelage.records import Dataset, Dropped, Ledger


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an example is not used: the rule's name, and the reason for a person."""

    rule: str
    text: str


def set_aside(dataset: Dataset, reasons: Mapping[str, Reason]) -> Dataset:
    """The data set without the examples whose ids are named; each is entered as dropped, with its reason."""
    if not reasons:
        return dataset
    left: list[int] = []
    gone: list[int] = []
    for place, name in enumerate(spool.ids(dataset.examples)):
        (gone if name in reasons else left).append(place)
    dropped = [
        Dropped(e.source, "conversation", reasons[e.id].rule, reasons[e.id].text)
        for e in spool.chosen(dataset.examples, gone)
    ]
    return replace(
        dataset,
        examples=spool.chosen(dataset.examples, left),
        dropped=(*dataset.dropped, *dropped),
        ledger=dataset.ledger + Ledger(conversations_kept=-len(gone), conversations_dropped=len(gone)),
    )
