"""Claim (b): fewer conversations, well chosen, against as many by lot, the longest, and all, at equal tokens."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import evidence_data as data
import numpy as np
from evidence_data import Rows
from evidence_unseen import Found, ask, shown, voice
from evidence_work import SPEED, TUNED_ANSWER, Bench
from measured.table import Section

from tutelage.evaluation.intervals import difference, mean_interval
from tutelage.recipe import Recipe, SelectSettings
from tutelage.records import Dataset, Example
from tutelage.selection.choosing import choose
from tutelage.selection.scoring import BaseScorer
from tutelage.tuning.run import write_text

TITLE = "Quality against quantity"
POOL = 600
"""Conversations of dolly's training part that are chosen from: every one of them is read by the base."""
TIMES = 3
"""Times that what was chosen is seen; `all` is three times as much, seen once."""
CHOSEN, RANDOM, LONGEST, ALL = "chosen (quality_diverse)", "by lot", "longest answers", "all"
METHODS: Mapping[str, str] = {CHOSEN: "quality_diverse", RANDOM: "random", LONGEST: "longest"}


def planned(bench: Bench) -> dict[str, float]:
    """The pieces of work with a guess of their seconds."""
    pieces = {"choosing": 240.0}
    for name in (*METHODS, ALL):
        pieces[f"dolly, {name}"] = bench.tokens / SPEED + 15
        pieces[f"dolly, {name}: answers"] = 8 * TUNED_ANSWER * bench.items
    return pieces


def pool(bench: Bench) -> list[Example]:
    """Conversations to choose from, short enough to be many."""
    train, _ = data.dolly(bench.data)
    fit = [one for one in train if bench.count(*_row(one)) <= data.LONGEST_TRAINED]
    return random.Random("pool").sample(fit, min(POOL, len(fit)))


def _row(example: Example) -> tuple[str, str]:
    return example.conversation.prompt[-1].text, example.conversation.answer


def selected(bench: Bench, examples: list[Example], method: str, tokens: int) -> Rows:
    """What the product's selection takes of them, kept on disk."""
    key = bench.key([one.id for one in examples], method, tokens, bench.hash_of(bench.base))
    path = bench.cache / "data" / f"selected-{key}.txt"
    if not path.exists():
        recipe = Recipe.model_validate({"model": {"base": bench.base}})
        settings = SelectSettings.model_validate({"method": method, "tokens": tokens})
        kept = choose(Dataset(tuple(examples)), settings, BaseScorer(recipe, bench.say), bench.say)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, "\n".join(one.id for one in kept.examples))
    ids = set(path.read_text(encoding="utf-8").split())
    return [_row(one) for one in examples if one.id in ids]


def measure(bench: Bench) -> Section:
    """The section of the page."""
    examples, few = pool(bench), bench.tokens // TIMES
    with bench.clock.piece("choosing"):
        chosen = {name: selected(bench, examples, method, few) for name, method in METHODS.items()}
        chosen[ALL] = selected(bench, examples, "random", bench.tokens)
    test = data.asked_of_dolly(bench.data, 3 * bench.items, bench.count)
    found, facts = {}, {}
    for name, rows in chosen.items():
        tokens = sum(bench.count(*row) for row in rows)
        settings: dict[str, Any] = {"tuning": {"epochs": 100 * bench.tokens // max(1, tokens) / 100}}
        answers, values = ask(bench, voice(bench, f"dolly, {name}", rows, settings), test, of_dolly=True)
        found[name] = Found(np.array([values]), [answers])
        facts[name] = len(rows), tokens, sum(len(answer.split()) for _, answer in rows) / max(1, len(rows))
    bench.held.clear()
    return written(bench, found, facts, len(examples))


def written(
    bench: Bench, found: Mapping[str, Found], facts: Mapping[str, tuple[int, int, float]], pooled: int
) -> Section:
    """The figures as a section."""
    section = Section(TITLE)
    prompts = len(found[RANDOM].answers[0])
    section.say(
        f"Of {pooled} conversations of dolly by lot, a third of {bench.tokens:,} tokens is taken by `select.method` "
        f"and seen three times; `all` is {bench.tokens:,} tokens of them, seen once. LoRA as it comes, one seed. "
        f"ROUGE-L on {prompts} prompts of dolly's dev part; differences are paired, prompt by prompt."
    )
    section.table(
        ("tuned on", "conversations", "tokens", "words an answer there", "ROUGE-L", f"less {RANDOM}", "words written"),
        [
            (
                name,
                facts[name][0],
                f"{facts[name][1]:,}",
                f"{facts[name][2]:.0f}",
                shown(mean_interval(one.scores)),
                "–" if name == RANDOM else shown(difference(one.scores, found[RANDOM].scores), "+"),
                f"{one.words.mean():.1f}",
            )
            for name, one in found.items()
        ],
    )
    return section
