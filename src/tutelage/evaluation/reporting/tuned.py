"""What tuning itself left behind: the loss curve, the certificate, the settings, what it cost, and how to repeat it."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tutelage import pages
from tutelage.evaluation.reporting.content import Block, Column, Curves, Link, Part, Row, Section, Table, Tile
from tutelage.evaluation.reporting.pictures import thinned
from tutelage.recipe import Recipe
from tutelage.text.certificate import Certificate
from tutelage.tuning.run import Manifest, Run, Step

DRAWN = 2_000
"""Steps that a picture is made from."""
MEASURES = 12
"""Rows of the table of measures."""
LISTED = 20
"""Files and rules in a table; of more, the first and largest, and what the others are together."""
NEAR = 200
"""Files of a folder that are looked at for a data page."""
DATA_PAGE = b": what is in this data</title>"
HEAD = 16_384
"""Bytes of a page in which its title stands."""


def curve(steps: Sequence[Step]) -> Section | None:
    """How the loss fell."""
    if not steps:
        return None
    training = [(step.step, step.loss) for step in steps]
    held = [(step.step, step.held_out_loss) for step in steps if step.held_out_loss is not None]
    rates = [(step.step, step.lr) for step in steps]
    first, last = _around(steps, 0), _around(steps, len(steps) - 1)
    lead = f"The training loss went from {first:.3f} to {last:.3f} nats per trained token in {len(steps):,} steps"
    if held:
        lowest = min(held, key=lambda pair: pair[1])
        lead += (
            f"; the held-out loss ended at {held[-1][1]:.3f}, its lowest was {lowest[1]:.3f} after step {lowest[0]:,}"
        )
    about = f"{lead}. The table below lists some steps."
    drawn = tuple(thinned(training, DRAWN)), tuple(thinned(held, DRAWN)), tuple(thinned(rates, DRAWN))
    parts: tuple[Part, ...] = (Curves("loss", about, *drawn), _measures(steps))
    return Section("curve", "How the loss fell", f"{lead}.", parts)


def _around(steps: Sequence[Step], place: int) -> float:
    """The mean loss of the steps around one, a twentieth of all."""
    half = max(1, len(steps) // 40)
    near = [step.loss for step in steps[max(0, place - half) : place + half + 1]]
    return sum(near) / len(near)


def _measures(steps: Sequence[Step]) -> Table:
    """The steps after which the hold-out was measured, or some evenly drawn; the last one among them."""
    places = [place for place, step in enumerate(steps) if step.held_out_loss is not None] or list(range(len(steps)))
    if len(places) > MEASURES:
        places = [places[number * (len(places) - 1) // (MEASURES - 1)] for number in range(MEASURES)]
    columns = (
        Column("step", "step", "count"),
        Column("loss", "training loss around it", "loss"),
        Column("held_out_loss", "held-out loss", "loss"),
        Column("lr", "learning rate", "rate"),
    )
    rows = tuple(
        Row((steps[place].step, _around(steps, place), steps[place].held_out_loss, steps[place].lr)) for place in places
    )
    return Table("measures", "Losses by step", columns, rows, folded=True)


def certificate(text: str) -> Section | None:
    """What the batches really trained on.

    Raises:
        ValueError: the text is no certificate.
    """
    content = json.loads(text)
    known = {field.name for field in fields(Certificate)}
    try:
        found = Certificate(**{name: value for name, value in content.items() if name in known})
        problems = found.problems()
    except (AttributeError, TypeError) as error:
        raise ValueError(f"{error}") from error
    columns = (
        Column("what", "what was counted over every batch"),
        Column("found", "found"),
        Column("due", "should be"),
    )
    rows = [
        ("rows read = used + not used", found.rows_read, found.rows_used + found.rows_passed_over),
        ("conversations made = kept + dropped", found.conversations_made, _sum(found)),
        ("conversations kept = trained on + held out", found.conversations_kept, found.examples + found.held_out),
        ("answers whose end is trained", found.stops_trained, found.trained_turns),
        ("answers that read as they should", found.answers_equal, found.trained_turns),
        ("conversations without a trained token", found.rows_untrained, 0),
        ("tokens predicted from another conversation", found.crossings, 0),
        ("control tokens from people's text", found.control_in_text, 0),
        ("predictions with a wrong weight", found.mask_errors, 0),
    ]
    marked = tuple(Row((what, f"{seen:,}", f"{due:,}"), "" if seen == due else "worse") for what, seen, due in rows)
    parts = [Table("certificate", "Checked before the first step", columns, marked), *_trained_on(found)]
    share = found.trained_tokens / found.tokens if found.tokens else 0.0
    lead = (
        f"Passed: the model was trained on the answers' {found.trained_tokens:,} tokens ({share:.0%} of all), their "
        "ends among them, and on nothing else."
        if not problems
        else f"Failed: {'; '.join(problems)}."
    )
    return Section("certificate", "What it was really trained on", lead, tuple(parts))


def _trained_on(found: Certificate) -> list[Part]:
    """What the batches hold, where it came from, and what it can be recognised by."""
    trained = (
        ("conversations trained on", found.examples),
        ("held out", found.held_out),
        ("tokens of them", found.tokens),
        ("tokens trained", found.trained_tokens),
        ("conversations that lost their first turns", found.shortened),
        ("turns cut away so", found.turns_cut),
    )
    pair = (Column("what", "what"), Column("count", "number", "count"))
    parts: list[Part] = [
        Table("trained", "What was trained on", pair, tuple(Row(one) for one in trained)),
    ]
    if found.sources:
        parts.append(Table("sources", "Conversations by file", pair, _most(found.sources), folded=True))
    if found.dropped:
        parts.append(Table("dropped", "What was left out, by reason", pair, _most(found.dropped), folded=True))
    hashes = (
        ("template", f"{found.template} {found.template_hash}"),
        ("tokenizer", found.tokenizer_hash),
        ("data", found.data_hash),
    )
    parts.append(
        Table(
            "hashes", "Hashes (SHA-256)", (Column("what", "of"), Column("hash", "hash")), tuple(map(Row, hashes)), True
        )
    )
    return parts


def _sum(found: Certificate) -> int:
    return found.conversations_kept + found.conversations_dropped


def _most(counts: Any) -> tuple[Row, ...]:
    ranked = sorted(counts.items(), key=lambda pair: -pair[1])
    rows = [Row((name, count)) for name, count in ranked[:LISTED]]
    if rest := ranked[LISTED:]:
        rows.append(Row((f"{len(rest):,} others together", sum(count for _, count in rest))))
    return tuple(rows)


def settings(recipe: Recipe) -> Section:
    """What was set, and in full what everything was."""
    usual = Recipe().model_dump(mode="json")
    rows = []
    for section, part in recipe.model_dump(mode="json").items():
        for name, value in part.items() if isinstance(part, dict) else [("", part)]:
            before = usual[section][name] if name else usual[section]
            if value != before:
                rows.append(Row((f"{section}.{name}".rstrip("."), _told(value), _told(before))))
    columns = (Column("setting", "setting"), Column("value", "set to"), Column("default", "default"))
    lead = "These settings differ from the defaults; recipe.yaml in the run's folder has all of them."
    parts: tuple[Part, ...] = (
        Table("settings", "Settings that differ from the defaults", columns, tuple(rows)),
        Block("All settings (recipe.yaml)", pages.cut(recipe.to_yaml(), 12_000), code=True, folded=True),
    )
    return Section("settings", "Settings", lead, parts if rows else parts[1:])


def _told(value: Any) -> str:
    if isinstance(value, list):
        more = f" and {len(value) - LISTED:,} more" if len(value) > LISTED else ""
        return pages.cut(", ".join(map(str, value[:LISTED])), 2_000) + more or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return pages.cut(str(value), 2_000) or "none"


def cost(manifest: Manifest, steps: Sequence[Step]) -> Section:
    """What the run cost, and on what machine."""
    trained = sum(step.trained_tokens for step in steps)
    speed = manifest.tokens / manifest.seconds if manifest.seconds else None
    numbers = (
        ("time in steps", manifest.seconds, "seconds"),
        ("steps", manifest.steps, "count"),
        ("tokens read", manifest.tokens, "count"),
        ("of them trained", trained, "count"),
        ("tokens per second", speed, "mean"),
        ("peak memory", manifest.peak_memory or None, "bytes"),
    )
    from tutelage.evaluation.reporting.content import shown

    rows = [Row((what, shown(value, form))) for what, value, form in numbers if value is not None]
    about = {"base": manifest.base.get("name", ""), "adapter": manifest.adapter, "chat template": manifest.template}
    about |= {name: str(value) for name, value in manifest.machine.items()}
    about |= {"finished": manifest.created, "Tutelage": manifest.tutelage}
    columns = (Column("what", "what"), Column("value", "value"))
    made = tuple(Row((name, pages.cut(str(value), 300))) for name, value in about.items() if value)
    parts: list[Part] = [Table("cost", "Spent in tuning", columns, tuple(rows))]
    parts.append(Table("machine", "What it ran on", columns, made, folded=True))
    return Section("cost", "What it cost", "", tuple(parts))


def tiles(manifest: Manifest) -> list[Tile]:
    """What tuning took, at a glance."""
    if not manifest.seconds:
        return []
    note = f"{manifest.tokens:,} tokens in {manifest.steps:,} steps"
    return [Tile("time", "of tuning", manifest.seconds, "seconds", note)]


def repeat(run: Run, recipe: Recipe, compared: bool, pages_found: bool) -> Section:
    """Commands that do it again, and go on from here."""
    folder, again = shlex.quote(str(run.folder)), shlex.quote(str(run.folder / "recipe.yaml"))
    why = "the verdict again" if compared else "is it better than its base, or was a prompt enough?"
    lines = [
        f"tutelage tune {again}    # the same data and settings: the same weights",
        f"tutelage compare {folder}    # {why}",
        f"tutelage report {folder}    # this page, from the files in the run's folder",
        f"tutelage chat {folder}",
    ]
    if not pages_found and recipe.data.files:
        files = " ".join(shlex.quote(file) for file in recipe.data.files[:3])
        more = " …" if len(recipe.data.files) > 3 else ""
        target = shlex.quote(str(run.folder / "data.html"))
        lines.append(f"tutelage look {files}{more} --html {target}    # a page on the data, which this one then links")
    lead = "The run's folder has everything: recipe, hashes of the data and of the base, every step, every answer."
    return Section("repeat", "How to repeat it", lead, (Block("Commands", "\n".join(lines), code=True),))


def data_pages(run: Run, recipe: Recipe) -> list[Link]:
    """Pages on the data that lie in the run's folder, in a data set's, or beside a data file."""
    folders = [run.folder]
    for name in recipe.data.files:
        path = Path(name)
        folders.append(path if path.is_dir() else path.parent)
    found = []
    for folder in dict.fromkeys(folders):
        try:
            files = sorted(folder.glob("*.html"))[:NEAR]
        except OSError:
            continue
        found += [file for file in files if _is_data_page(file)]
    return [Link("What is in the data", address(file, run.folder), str(file)) for file in dict.fromkeys(found)]


def _is_data_page(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError:
        return False
    return pages.GENERATOR.encode() in head and DATA_PAGE in head.partition(b"<style>")[0]


def address(path: Path, folder: Path) -> str:
    """A file's address from a page in a folder; nothing in its name can make another kind of address of it."""
    try:
        relative = os.path.relpath(path.resolve(), folder.resolve())
    except ValueError:  # on another drive
        return path.resolve().as_uri()
    return "./" + quote(relative.replace(os.sep, "/"))
