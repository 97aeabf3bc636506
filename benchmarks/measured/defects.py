"""Recall of each kind of planted defect, and what the rules say of clean rows."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import planting
from planted.rows import Row, clean_rows
from planting import Planted

from measured.table import Section, missing

TITLE = "Defects"
RECALL, CUT_RECALL, DROPPED = 0.95, 0.80, 0.002
SHOWN = 100
Found = Mapping[int, Mapping[str, str]]
"""By row (from 0): what was said of it, as rule and action."""


def found_in(rows: Sequence[Row], path: Path) -> tuple[Found, Mapping[int, str], float]:
    """Drops and flags by row, with one reason a row, through the product's reading and default rules; and seconds."""
    from tutelage.data import duplicates, quality
    from tutelage.data.reading import read
    from tutelage.recipe import DataSettings

    planting.write(rows, path)
    read_in = read(DataSettings(max_bad=1.0), [str(path)])
    started = time.perf_counter()
    dataset = duplicates.drop_repeats(quality.apply(read_in))
    seconds = time.perf_counter() - started
    if not dataset.ledger.balances():
        raise SystemExit("the ledger does not add up")
    found: dict[int, dict[str, str]] = defaultdict(dict)
    reasons: dict[int, str] = {}
    for gone in dataset.dropped:
        found[gone.source.rows[0] - 1][gone.rule] = "drop"
        reasons[gone.source.rows[0] - 1] = gone.reason
    for finding in dataset.findings:
        found[finding.source.rows[0] - 1].setdefault(finding.rule, finding.action)
        reasons.setdefault(finding.source.rows[0] - 1, finding.reason)
    return found, reasons, seconds


def measure(args: argparse.Namespace) -> Section:
    """A defect is found where a rule speaks of its row, or its partner's, that is silent about the row before."""
    try:
        from tutelage.data import quality
    except ImportError as error:
        return missing(TITLE, error)
    rows = clean_rows()
    made = planting.plant(rows, args.seed, args.each, planting.TOTAL * args.each // planting.EACH)
    found, reasons, seconds = found_in([item.row for item in made], args.keep / "planted.jsonl")
    before = before_planting(made, args.keep / "originals.jsonl")
    names = [*quality.RULES, *getattr(quality, "SET_RULES", ())]
    section = Section(TITLE)
    section.say(
        f"{args.each} of each of {len(planting.KINDS)} kinds in {len(made):,} rows; rules: "
        f"{', '.join(names)}; {seconds:.1f} s. A defect counts as found where a rule names its row, or the row",
        "it repeats or contradicts, and did not name that row before. `by` says which rules those were.",
    )
    section.table(
        ["kind", "planted", "found", "goal", "dropped", "by", "missed, by form"], _kinds(section, made, found, before)
    )
    _write_missed(made, found, before, args.keep / "missed.jsonl")
    _clean(section, made, found, reasons, args.keep)
    whole, _, _ = found_in(rows, args.keep / "clean.jsonl")
    dropped = Counter(rule for said in whole.values() for rule, action in said.items() if action == "drop")
    share = section.share("drops of all clean rows", dropped.total(), len(rows), most=DROPPED)
    section.say(
        f"All {len(rows):,} clean rows, none planted: {share} dropped ({_counted(dropped)}), "
        f"{sum(any(a == 'flag' for a in said.values()) for said in whole.values()) / len(rows):.1%} flagged."
    )
    return section


def before_planting(made: Sequence[Planted], path: Path) -> Found:
    """What is said of the rows as they were. Rows that only repeat or contradict their partner were not there."""
    places = [place for place, item in enumerate(made) if not item.kind or item.partner is None]
    rows = [made[place].original or made[place].row for place in places]
    found, _, _ = found_in(rows, path)
    return {places[number]: said for number, said in found.items()}


def new_rules(place: int, item: Planted, found: Found, before: Found) -> set[str]:
    """Rules that speak of the row or its partner only since something was planted."""
    said = set(found.get(place, ()))
    if item.kind != "duplicate":  # the same defect planted twice by chance is not found by being a repeat
        said.discard("repeat")
    if item.partner is None:
        return said - set(before.get(place, ()))
    return (said | set(found.get(item.partner, ()))) - set(before.get(item.partner, ()))


def _kinds(section: Section, made: Sequence[Planted], found: Found, before: Found) -> list[list[object]]:
    table: list[list[object]] = []
    for kind in planting.KINDS:
        places = [place for place, item in enumerate(made) if item.kind == kind.name]
        rules = {place: new_rules(place, made[place], found, before) for place in places}
        hit = [place for place in places if rules[place]]
        least = CUT_RECALL if kind.name == "cut off" else RECALL
        by = Counter(rule for place in hit for rule in rules[place])
        missed = Counter(made[place].form for place in places if not rules[place])
        dropped = sum("drop" in (*found.get(place, {}).values(), *_partner(made[place], found)) for place in hit)
        share = section.share(f"{kind.name}", len(hit), len(places), least)
        table.append([kind.name, len(places), share, f"{least:.0%}", dropped, _counted(by), _counted(missed)])
    return table


def _partner(item: Planted, found: Found) -> tuple[str, ...]:
    return () if item.partner is None else tuple(found.get(item.partner, {}).values())


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def _clean(section: Section, made: Sequence[Planted], found: Found, reasons: Mapping[int, str], keep: Path) -> None:
    clean = [place for place, item in enumerate(made) if item.clean]
    said = Counter((rule, action) for place in clean for rule, action in found.get(place, {}).items())
    dropped = sum("drop" in found.get(place, {}).values() for place in clean)
    flagged = [place for place in clean if found.get(place)]
    share = section.share("drops of clean rows", dropped, len(clean), most=DROPPED)
    section.say(
        f"Of {len(clean):,} clean rows among them {share} were dropped (goal: at most {DROPPED:.1%}) and "
        f"{len(flagged) / len(clean):.1%} flagged or dropped. Real data is not free of defects:",
        "a flag on a row that nothing was planted in is not always wrong.",
    )
    rows = [[rule, action, count, f"{count / len(clean):.2%}"] for (rule, action), count in said.most_common()]
    section.table(["rule", "action", "clean rows", "share"], rows)
    with (keep / "flagged-clean.jsonl").open("w", encoding="utf-8") as stream:
        for place in flagged[:SHOWN]:
            row = made[place].row
            value = {
                "line": place + 1,
                **found[place],
                "reason": reasons.get(place, ""),
                "instruction": row.instruction,
            }
            stream.write(
                json.dumps({**value, "context": row.context, "response": row.response}, ensure_ascii=False) + "\n"
            )


def _write_missed(made: Sequence[Planted], found: Found, before: Found, path: Path) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for place, item in enumerate(made):
            if item.kind and not new_rules(place, item, found, before):
                value = {"kind": item.kind, "form": item.form, "line": place + 1, "instruction": item.row.instruction}
                answer = item.row.response
                shown = answer if len(answer) < 4000 else f"{answer[:1000]} … {answer[-1000:]}"
                stream.write(json.dumps({**value, "response": shown}, ensure_ascii=False) + "\n")
