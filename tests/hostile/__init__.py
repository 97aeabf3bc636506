"""Hostile inputs for every parser, and what must hold for each: used by tests and by `make fuzz`."""

from hostile import files, programs, rows, texts
from hostile.judging import Harness

HARNESSES: dict[str, Harness] = {**files.HARNESSES, **rows.HARNESSES, **texts.HARNESSES, **programs.HARNESSES}
"""A harness for each parser, by name."""
