"""Every real set in ../shared/data: read, ruled, and both ledgers added up."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

from planted.rows import SHARED

from measured.table import Section

TITLE = "Real data sets"
COLUMNS = {"banking77": "prompt=text,response=category"}
NO_CONVERSATIONS = ("text_wikitext2", "text_c4_demo")
"""Plain texts: these must be refused with a sentence, not read as something else."""


def measure(args: argparse.Namespace) -> Section:
    """Rows, conversations, drops and flags of each; a set that cannot be read names its reason."""
    section = Section(TITLE)
    if not SHARED.is_dir():
        section.say(f"{SHARED.name} is not there: nothing to read.")
        return section
    section.say(
        "Each read by itself, then the default rules and exact repeats. The sums: rows read = used + passed over;",
        "conversations made = kept + dropped. The last ones hold no conversations and are refused.",
    )
    folders = sorted(
        (path for path in SHARED.iterdir() if path.is_dir()), key=lambda path: path.name in NO_CONVERSATIONS
    )
    rows = [_set(section, folder) for folder in folders]
    section.table(["set", "rows", "conversations", "kept", "dropped", "flags", "sums hold", "took"], rows)
    return section


def _set(section: Section, folder: Path) -> list[object]:
    from tutelage.data import duplicates, quality
    from tutelage.data.reading import read
    from tutelage.errors import TutelageError
    from tutelage.recipe import DataSettings

    started = time.perf_counter()
    try:
        raw = read(DataSettings(columns=COLUMNS.get(folder.name, "")), [str(folder)])
        dataset = duplicates.drop_repeats(quality.apply(raw))
    except TutelageError as error:
        said = str(error).split("\n")[0].replace(f"{SHARED}/", "")
        refused = folder.name in NO_CONVERSATIONS
        return [folder.name, section.goal(folder.name, refused, f"refused: {said}"), "", "", "", "", "", ""]
    ledger = dataset.ledger
    holds = raw.ledger.balances() and ledger.balances() and ledger.conversations_kept == len(dataset)
    holds = holds and ledger.conversations_dropped == sum(gone.stage == "conversation" for gone in dataset.dropped)
    dropped = Counter(gone.rule for gone in dataset.dropped)
    flags = Counter(finding.rule for finding in dataset.findings if finding.action == "flag")
    return [
        folder.name,
        f"{ledger.rows_read:,}",
        f"{ledger.conversations_made:,}",
        f"{ledger.conversations_kept:,}",
        ", ".join(f"{rule} {count}" for rule, count in dropped.most_common()) or "none",
        ", ".join(f"{rule} {count}" for rule, count in flags.most_common()) or "none",
        section.goal(f"sums of {folder.name}", holds, "yes" if holds else "no"),
        f"{time.perf_counter() - started:.1f} s",
    ]
