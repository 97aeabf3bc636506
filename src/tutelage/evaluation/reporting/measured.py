"""What else was measured on a run: what it forgot, and whose answers are preferred."""

from __future__ import annotations

from tutelage.evaluation.intervals import Interval
from tutelage.evaluation.judging.outcome import Judge, Outcome, WinRate
from tutelage.evaluation.reporting.content import Bar, Column, Forest, Part, Row, Section, Table, Tile
from tutelage.evaluation.reporting.pictures import bars_of
from tutelage.evaluation.retention import Change, Retention

PARTS = (
    ("following", "share", "Instructions kept, in points of 100", "score"),
    ("text", "bits", "Plain text, in bits per byte (lower is better)", "bits"),
    ("refusals", "share", "Refusals, in points of 100", "score"),
    ("answers", "share", "How answers end, in points of 100", "score"),
    ("answers", "tokens", "How long answers are, in tokens", "mean"),
)
"""Tables: part and unit of the changes in it, its caption, and the form of its numbers."""
MEASURES = {
    "longer": "decided pairs won by the longer answer",
    "first": "verdicts for the answer shown first",
    "disagreed": "pairs whose verdict depends on the order",
}


def retained(found: Retention) -> Section:
    """What tuning on this data cost: each number before and after."""
    parts: list[Part] = []
    for part, unit, caption, form in PARTS:
        rows = [one for one in found.changes if (one.part, one.unit) == (part, unit)]
        if not rows:
            continue
        if len(rows) > 2:
            parts.append(_forest(f"retention-{part}", caption, form, rows))
        parts.append(_changes(f"retention-{part}-{unit}", caption, form, rows))
    models = f"Before: {found.before.model}, shown as {found.before.format}. After: {found.after.model}, shown as "
    notes = [f"{models}{found.after.format}. The same prompts and texts for both; intervals are paired."]
    return Section("retention", "What it kept, and what it forgot", found.text, tuple(parts), tuple(notes))


def _form(form: str) -> tuple[str, str]:
    return ("loss", "signed bits") if form == "bits" else (form, f"signed {form}")


def _mark(one: Change) -> str:
    return {"lost": "worse", "gained": "better"}.get(one.word, "")


def _changes(key: str, caption: str, form: str, rows: list[Change]) -> Table:
    plain, signed = _form(form)
    columns = (
        Column("name", "what"),
        Column("before", "before", plain),
        Column("after", "after", plain),
        Column("difference", "change", signed),
        Column("count", "of", "count"),
        Column("word", "says"),
    )
    made = tuple(
        Row(
            (one.name, one.before, one.after, one.difference, one.difference.count, one.word or "no clear change"),
            _mark(one),
        )
        for one in rows
    )
    return Table(key, caption, columns, made)


def _forest(key: str, caption: str, form: str, rows: list[Change]) -> Forest:
    sign = rows[0].sign
    sides = (
        ("", "") if len({one.sign for one in rows}) > 1 or not sign else ("forgot", "gained")[:: 1 if sign > 0 else -1]
    )
    bars = bars_of([(one.name, one.difference, _mark(one)) for one in rows])
    about = f"{caption}: the change of each with its 95% interval; the numbers stand in the table below it."
    return Forest(key, about, "after, less before", _form(form)[1], bars, 0.0, (sides[0], sides[1]))


def retained_tiles(found: Retention) -> list[Tile]:
    """Whether instructions are still followed, at a glance."""
    one = next((change for change in found.changes if change.part == "following"), None)
    if one is None:
        return []
    note = f"{one.before:.0%} before, {one.after:.0%} after"
    return [Tile("following", "points of instructions kept", one.difference.value, "signed score", note)]


def judged(found: Outcome) -> Section | None:
    """Whose answers are preferred, with the answers that are always the same beside them."""
    if not found.judges:
        return None
    parts, notes = list[Part](), list[str]()
    for number, judge in enumerate(found.judges, 1):
        parts += _judge(number, judge)
        notes += [f"{judge.by}: {warning}" for warning in judge.warnings]
        if judge.left:
            notes.append(f"{judge.by}: {judge.left:,} pairs are still to be judged.")
    if found.agreement:
        columns = (Column("one", "judge"), Column("other", "and"), Column("share", "agree on", "share"), _PAIRS)
        rows = tuple(Row((one, other, share, share.count)) for one, other, share in found.agreement)
        parts.append(Table("agreement", "Where two judges saw the same pairs", columns, rows))
    lead = (
        "Share of the pairs in which the tuned model's answer was preferred; a tie counts half. An answer that is "
        "always the same is judged like the others: how often it wins says what the judge is worth."
    )
    return Section("judged", "Whose answers are preferred", lead, tuple(parts), tuple(notes))


_PAIRS = Column("pairs", "pairs", "count")


def _judge(number: int, judge: Judge) -> list[Part]:
    columns = (
        Column("name", "answers of"),
        Column("opponent", "against"),
        Column("rate", "win rate", "share"),
        Column("wins", "won", "count"),
        Column("tied", "tied", "count"),
        Column("losses", "lost", "count"),
        Column("says", "says"),
    )
    both = [*((one, _side(one)) for one in judge.rates), *((one, "aside") for one in judge.controls)]
    rows = tuple(
        Row((one.name, one.opponent, one.rate, one.wins, one.tied, one.losses, _says(one)), mark) for one, mark in both
    )
    bars = tuple(Bar(f"{one.name} / {one.opponent}", one.rate, mark) for one, mark in both)
    about = f"Win rates by {judge.by} with their 95% intervals; the numbers stand in the table below it."
    sides = ("opponent preferred", "preferred")
    forest = Forest(f"judge-{number}", about, "win rate", "share", bars, 0.5, sides, (0.0, 1.0))
    made: list[Part] = [forest, Table(f"judge-{number}", f"Judged by {judge.by}", columns, rows)]
    trust = [(MEASURES[name], getattr(judge, name)) for name in MEASURES]
    seen: list[tuple[str, Interval]] = [(name, one) for name, one in trust if one is not None]
    if seen:
        about_it = (Column("what", "how far this judge can be trusted"), Column("share", "share", "share"), _PAIRS)
        told = tuple(Row((name, one, one.count)) for name, one in seen)
        made.append(Table(f"judge-{number}-trust", f"About the judge {judge.by}", about_it, told, folded=True))
    return made


def _side(one: WinRate) -> str:
    return one.says if one.says in ("better", "worse") else ""


def _says(one: WinRate) -> str:
    return {"none": "too few votes", "even": "no clear preference"}.get(one.says, one.says)


def judged_tiles(found: Outcome) -> list[Tile]:
    """The win rate against the hardest opponent of the first judge, at a glance."""
    rates = [one for judge in found.judges[:1] for one in judge.rates]
    if not rates:
        return []
    one = min(rates, key=lambda rate: rate.rate.value)
    return [Tile("preferred", f"preferred over {one.opponent}", one.rate.value, "share", f"{one.rate.count:,} pairs")]
