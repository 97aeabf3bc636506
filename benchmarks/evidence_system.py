"""Claim (e): on the help desk of the examples, a written system prompt against tuning, by the product's `compare`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence_work import SPEED, Bench
from measured.table import Section

from tutelage import Run, compare, terminal
from tutelage.data.reading import read
from tutelage.evaluation.intervals import Interval
from tutelage.evaluation.results import Comparison
from tutelage.recipe import DataSettings
from tutelage.records import Conversation
from tutelage.tuning.run import write_text

TITLE = "A system prompt against tuning"
DESK = Path(__file__).parent.parent / "examples" / "helpdesk"
USUAL_EPOCHS = 1.5
"""Epochs that LoRA gets by default; fewer where the tokens of a run do not allow them."""


def planned(bench: Bench) -> dict[str, float]:
    """The pieces of work with a guess of their seconds."""
    pieces = {f"help desk, seed {seed}": bench.tokens / SPEED + 15 for seed in range(bench.seeds)}
    return pieces | {"help desk: compare": 150.0 + 60 * bench.seeds}


TRAIN, HELD, WRITTEN = DESK / "train.jsonl", DESK / "held_out.jsonl", DESK / "system.txt"


def desk() -> list[Conversation]:
    """The desk's training conversations, with their system turns and earlier turns."""
    return [one.conversation for one in read(DataSettings(files=(str(TRAIN),))).examples]


def settings_of(bench: Bench, tokens: int, seed: int) -> dict[str, Any]:
    """As the example's demo tunes, within the tokens of a run."""
    epochs = min(USUAL_EPOCHS, 100 * bench.tokens // max(1, tokens) / 100)
    data = {"files": [str(TRAIN)], "held_out": str(HELD)}
    return {"data": data, "tuning": {"epochs": epochs, "seed": seed}}


def measure(bench: Bench) -> Section:
    """The section of the page."""
    talks = desk()
    tokens = sum(len(bench.encoder.encode(one.turns).ids) for one in talks)
    settings = [settings_of(bench, tokens, seed) for seed in range(bench.seeds)]
    rows = [(path.name, path.read_text(encoding="utf-8")) for path in (TRAIN, HELD)]  # what a run follows from
    key = bench.key("desk", [bench.run_key(rows, one) for one in settings], WRITTEN.read_text(encoding="utf-8"))
    path = bench.cache / "answers" / f"desk-{key}.json"
    if not path.exists():
        runs = [bench.tuned(f"help desk, seed {seed}", rows, one) for seed, one in enumerate(settings)]
        bench.held.clear()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, _compared(bench, runs).to_json())
    for name in planned(bench):
        bench.clock.skip(name)
    found = Comparison.from_json(path.read_text(encoding="utf-8"))
    return written(found, settings[0]["tuning"], tokens, len(talks), bench.seeds)


def _compared(bench: Bench, runs: list[Run]) -> Comparison:
    first, *others = runs
    recipe = first.recipe()
    with bench.clock.piece("help desk: compare"), terminal.Bars() as bars:
        return compare(first, None, WRITTEN, None, recipe.compare, recipe.decoding, bench.say, bars, others=others)


def written(found: Comparison, tuning: Mapping[str, Any], tokens: int, rows: int, seeds: int) -> Section:
    """The comparison as a section."""
    section = Section(TITLE)
    epochs = tuning["epochs"]
    section.say(
        f"The starter tuned by LoRA on the {rows} conversations of `examples/helpdesk` ({tokens:,} tokens, "
        f"{epochs:g} epochs, {seeds} seeds), against its base in its best format, the base with the desk's written "
        "system prompt, and the base with training conversations as examples. Metric, fixed before: "
        f"{found.verdict.metric.name}."
    )
    section.say(f"**{found.verdict.text}**")
    section.table(
        ("", "format", "loss per answer token", "ends by itself", "tokens written", "tokens read"),
        [
            (
                one.name,
                one.format,
                "–" if one.loss is None else f"{one.loss:.3f}",
                f"{one.stop_rate:.0%}",
                f"{one.mean_tokens:.0f}",
                "–" if one.mean_prompt_tokens is None else f"{one.mean_prompt_tokens:.0f}",
            )
            for one in found.contenders
        ],
    )
    section.table(
        ("tuned gains over", "of the other's loss (95 % interval)", "better on", "worse on"),
        [(one.opponent, _share(one.interval), f"{one.won:.0%}", f"{one.lost:.0%}") for one in found.verdict.gains],
    )
    for note in found.notes:
        section.say(note)
    return section


def _share(gain: Interval) -> str:
    return f"{gain.value:+.1%} ({gain.low:+.1%} to {gain.high:+.1%})".replace("-", "−")
