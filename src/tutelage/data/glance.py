"""A look at any number of conversations: of many, the rules that take long are asked of some drawn by a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tutelage.data import duplicates, quality
from tutelage.data.spool import chosen
from tutelage.recipe import QualitySettings
from tutelage.records import Dataset, Example

MANY = 50_000
"""Of more conversations than these a sample is asked."""
DRAWN = 10_000
CHEAP = ("blank",)
"""Asked of every conversation: what they find is dropped, so that they say what is kept."""
BETWEEN = ("contradiction",)
"""Compare conversations with each other: of a sample they would find a share that says nothing of the whole."""


@dataclass(frozen=True, slots=True)
class Glance:
    """A data set after its rules; `sample` is what they were asked of, all of it or some."""

    dataset: Dataset
    sample: Sequence[Example]

    @property
    def asked(self) -> int:
        """How many conversations the flags are of."""
        return len(self.sample)

    @property
    def drawn(self) -> bool:
        """Whether the flags are of a sample only."""
        return len(self.sample) < len(self.dataset)


def glance(dataset: Dataset, settings: QualitySettings, whole: bool = False, many: int = MANY, seed: int = 0) -> Glance:
    """The data set after the rules that drop, with exact repeats dropped, and the flags of all or of a sample.

    Rows, ledger, repeats, and what is dropped are always of all conversations. Settings that change what is kept
    (quality.drop, quality.repair) make every rule be asked of every one, and so does `whole`.
    """
    if whole or settings.drop or settings.repair or len(dataset) <= many:
        dataset = duplicates.drop_repeats(quality.apply(dataset, settings))
        return Glance(dataset, dataset.examples)
    names = (*quality.RULES, *quality.SET_RULES)
    first = {name for name in names if name not in CHEAP or name in settings.off or quality.ALL in settings.off}
    dataset = duplicates.drop_repeats(quality.apply(dataset, QualitySettings(off=tuple(first))))
    places = np.sort(np.random.default_rng(seed).choice(len(dataset), min(DRAWN, len(dataset)), replace=False))
    sample = chosen(dataset.examples, places)
    asked = settings.model_copy(update={"off": tuple({*settings.off, *CHEAP, *BETWEEN})})
    found = quality.apply(Dataset(sample), asked).findings
    return Glance(replace(dataset, findings=(*dataset.findings, *found)), sample)
