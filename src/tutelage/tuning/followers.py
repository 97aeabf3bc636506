"""One process writes a run's folder, however many tune: the others work on a copy that nobody sees."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tutelage.tuning.distributed import Party
from tutelage.tuning.lock import hold
from tutelage.tuning.run import Run


@contextmanager
def held_by_one(party: Party, folder: Path, say: Callable[[str], None]) -> Iterator[Run]:
    """The run of a folder, held by the first process until the block is left.

    What the others read, log and note is a copy of the folder's small files, and goes when the block is left; so all
    do the same, and none asks whether it is the one that writes. Checkpoints and the tuned model are the first's.

    Raises:
        TuningError: another run's process holds the folder, or it cannot be written.
    """
    with ExitStack() as stack:
        party.alike(lambda: stack.enter_context(hold(folder, say)) if party.leads else None)
        own = folder if party.leads else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tutelage-")))
        party.alike(lambda: None if party.leads else _copy(folder, own))
        yield Run(own)


def _copy(folder: Path, own: Path) -> None:
    for path in folder.iterdir():
        if path.is_file() and not path.name.startswith((".", "lock")):
            shutil.copy2(path, own / path.name)
    if (folder / "tokens").is_dir():
        os.symlink((folder / "tokens").absolute(), own / "tokens")
