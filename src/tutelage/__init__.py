"""Tutelage turns a base language model into an assistant, and shows the evidence that it did.

    from tutelage import Recipe, tune, compare

Names are imported when they are first used, so `import tutelage` is quick and brings no torch.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

# OpenMP's threads wait by spinning unless told otherwise before torch is imported. With another program on the same
# cores that makes a step three to four times slower (LOG.md); on a quiet machine it changes nothing.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Torch then asks for huge pages for large tensors (Linux): fewer page faults and look-ups, about 4 % of a step.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

if TYPE_CHECKING:
    from tutelage.data.reading import read
    from tutelage.errors import TutelageError
    from tutelage.evaluation.answers import generate
    from tutelage.evaluation.compare import compare
    from tutelage.recipe import Recipe
    from tutelage.records import Conversation, Dataset, Example, Role, Turn
    from tutelage.tuning.job import resume, tune
    from tutelage.tuning.run import Run

__version__ = "0.1.0"

_PLACES = {
    "Conversation": "records",
    "Dataset": "records",
    "Example": "records",
    "Recipe": "recipe",
    "Role": "records",
    "Run": "tuning.run",
    "Turn": "records",
    "TutelageError": "errors",
    "compare": "evaluation.compare",
    "generate": "evaluation.answers",
    "read": "data.reading",
    "resume": "tuning.job",
    "tune": "tuning.job",
}

__all__ = [
    "Conversation",
    "Dataset",
    "Example",
    "Recipe",
    "Role",
    "Run",
    "Turn",
    "TutelageError",
    "compare",
    "generate",
    "read",
    "resume",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'tutelage' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tutelage.{_PLACES[name]}"), name)
