"""What can go wrong, in a few kinds. Each message says what happened, where, and what to do next."""

from __future__ import annotations


class TutelageError(Exception):
    """Something the user can act on. `exit_status` is what the command line returns for it; `shared`: of several
    processes all meet it, and one says it for all."""

    exit_status = 1
    shared = False


class UsageError(TutelageError):
    """The command or the recipe asks for something that does not exist (a typo, a wrong combination)."""

    exit_status = 2
    shared = True


class DataError(TutelageError):
    """The data cannot be used as it is: an unknown layout, too many bad rows, nothing left."""


class ModelError(TutelageError):
    """The model cannot be loaded or is refused (code in its folder, a wrong hash, a missing file)."""


class TemplateError(TutelageError):
    """The chat template cannot be trusted with these conversations."""


class CertificateError(TutelageError):
    """The final batches would train on the wrong tokens; tuning does not start."""


class TuningError(TutelageError):
    """The run cannot go on: a loss that is not a number, a full disk, a folder in use."""
