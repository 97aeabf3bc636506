"""Recall and precision of personal data and secrets. No planted value is printed into the page."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from planted.personal import KINDS, Hidden, hidden
from planted.rows import DESK, SHARED

from measured.table import Section, missing

TITLE = "Personal data"
RECALL, PRECISION, COVERED = 0.95, 0.90, 0.8
STAR = SHARED / "star_support" / "star_dialogues.jsonl"


def spoken_texts() -> list[str]:
    """What users and agents say in support conversations, or in the help-desk example."""
    if STAR.exists():
        values = [json.loads(line) for line in STAR.read_text(encoding="utf-8").split("\n") if line]
        events = [event for value in values for event in value["Events"] if event["Agent"] in ("User", "Wizard")]
        texts = [event["Text"] for event in events if event.get("Text")]
    else:
        values = [json.loads(line) for line in DESK.read_text(encoding="utf-8").split("\n") if line]
        texts = [turn["content"] for value in values for turn in value["messages"] if turn["role"] != "system"]
    return list(dict.fromkeys(texts))


def measure(args: argparse.Namespace) -> Section:
    """A value is found where findings cover most of it; a finding that touches no planted value is wrong."""
    try:
        from tutelage.data import personal
    except ImportError as error:
        return missing(TITLE, error)
    texts = spoken_texts()
    made = hidden(texts, args.seed)
    found = [[(f.kind, f.start, f.end) for f in personal.find(item.text)] for item in made]
    section = Section(TITLE)
    alike = sum(not item.kind for item in made)
    section.say(
        f"One value in each of {len(made)} utterances of support conversations: {len(made) - alike} of personal data "
        f"and {alike} that only look like it. Found: findings cover",
        f"{COVERED:.0%} of the value or more; any kind counts. Precision is by finding, over all these utterances.",
    )
    section.table(["kind", "planted", "found", "under which kinds", "missed, by form"], _kinds(section, made, found))
    wrong = [(item, one) for item, all_ in zip(made, found, strict=True) for one in all_ if _is_wrong(item, one)]
    total = sum(map(len, found))
    share = section.share("precision", total - len(wrong), total, PRECISION)
    places = Counter(f"{one[0]} in {item.form if _touches(item, one) else 'the text around'}" for item, one in wrong)
    section.say(
        f"Precision: {share} of {total} findings touch planted personal data (goal: {PRECISION:.0%}). The wrong ones:",
        f"{_counted(places)}.",
    )
    _keep(made, found, args.keep)
    untouched = Counter(f.kind for text in texts for f in personal.find(text))
    section.say(
        f"In the {len(texts):,} utterances as they are: {_counted(untouched)} (the set's own data: not judged here)."
    )
    return section


Finding = tuple[str, int, int]


def _touches(item: Hidden, one: Finding) -> bool:
    return one[1] < item.end and one[2] > item.start


def _is_wrong(item: Hidden, one: Finding) -> bool:
    return not item.kind or not _touches(item, one)


def covered(item: Hidden, found: Sequence[Finding]) -> float:
    """Share of the value's characters that lie in findings."""
    places = {place for _, start, end in found for place in range(start, end)}
    return len(places & set(range(item.start, item.end))) / (item.end - item.start)


def _kinds(section: Section, made: Sequence[Hidden], found: Sequence[Sequence[Finding]]) -> list[list[object]]:
    table: list[list[object]] = []
    for kind in KINDS:
        pairs = [(item, own) for item, own in zip(made, found, strict=True) if item.kind == kind]
        hit = sum(covered(item, own) >= COVERED for item, own in pairs)
        names = Counter(one[0] for item, own in pairs for one in own if _touches(item, one))
        missed = Counter(item.form for item, own in pairs if covered(item, own) < COVERED)
        table.append(
            [kind, len(pairs), section.share(kind, hit, len(pairs), RECALL), _counted(names), _counted(missed)]
        )
    return table


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def _keep(made: Sequence[Hidden], found: Sequence[Sequence[Finding]], keep: Path) -> None:
    """Made-up values may be read outside the repository."""
    with (keep / "personal-missed-or-wrong.jsonl").open("w", encoding="utf-8") as stream:
        for item, own in zip(made, found, strict=True):
            wrong = [(one[0], item.text[one[1] : one[2]]) for one in own if _is_wrong(item, one)]
            if wrong or (item.kind and covered(item, own) < COVERED):
                value = {"kind": item.kind, "form": item.form, "value": item.value, "wrong": wrong, "text": item.text}
                stream.write(json.dumps(value, ensure_ascii=False) + "\n")
