"""Claim (d): a loss of answers only against one of everything, and what lies between: the prompt's weight 0, 0.1, 1."""

from __future__ import annotations

from collections.abc import Mapping

import evidence_data as data
import evidence_unseen as unseen
import numpy as np
from evidence_unseen import Found, shown
from evidence_work import SPEED, TUNED_ANSWER, Bench
from measured.table import Section

from tutelage.evaluation.intervals import difference, mean_interval

TITLE = "Which tokens the loss counts"
WEIGHTS = (0.0, 0.1, 1.0)


def name_of(weight: float, count: int) -> str:
    """Of a run; without a weight it is the one that claim (a) tunes."""
    return f"{count} tasks, prompt weight {weight:g}" if weight else f"{count} tasks, seed 0"


def planned(bench: Bench) -> dict[str, float]:
    """The pieces of work with a guess of their seconds."""
    pieces = {}
    for name in (name_of(weight, max(bench.counts)) for weight in WEIGHTS[1:]):
        pieces[name] = bench.tokens / SPEED + 15
        pieces[f"{name}: answers"] = TUNED_ANSWER * 10 * bench.items
        pieces[f"{name}: answers to dolly"] = 4 * TUNED_ANSWER * bench.items
    return pieces


def measure(bench: Bench) -> Section:
    """The section of the page: the runs of claim (a) on most tasks, once more with other weights."""
    test = unseen.prepared(bench)
    choice, _ = unseen.chosen(bench, test.train)
    settings, count = unseen.CANDIDATES[choice], max(bench.counts)
    rows, spent = data.drawn(data.nested(test.train, count, 0), bench.tokens, 0, bench.count)
    found = {}
    for weight in WEIGHTS:
        own = unseen.recipe(rows, bench, settings, 0, spent)
        if weight:
            own["tuning"]["prompt_weight"] = weight
        who = unseen.voice(bench, name_of(weight, count), rows, own)
        of_tasks = unseen.ask(bench, who, test.asked)
        of_dolly = unseen.ask(bench, unseen.also(who), test.of_dolly, of_dolly=True)
        found[weight] = Found(np.array([of_tasks[1] + of_dolly[1]]), [of_tasks[0] + of_dolly[0]])
    bench.held.clear()
    return written(found, len(test.asked), choice)


def written(found: Mapping[float, Found], tasks: int, choice: str) -> Section:
    """The figures as a section; `tasks` of the prompts are of unseen categories, the others of dolly."""
    section = Section(TITLE)
    section.say(
        f"As claim (a) on most tasks ({choice}, one seed), with the prompt's tokens in the loss at a weight of 0 "
        "(answers only), 0.1 and 1 (everything). ROUGE-L; differences are paired, prompt by prompt."
    )
    places, plain = range(tasks), found[0.0]
    section.table(
        (
            "prompt weight",
            "unseen categories",
            "less weight 0",
            "dolly-dev",
            "less weight 0",
            "words",
            "ends by itself",
        ),
        [
            (
                f"{weight:g}",
                shown(mean_interval(one.at(places))),
                shown(difference(one.at(places), plain.at(places)), "+") if weight else "–",
                shown(mean_interval(one.scores[:, tasks:])),
                shown(difference(one.scores[:, tasks:], plain.scores[:, tasks:]), "+") if weight else "–",
                f"{one.words[:, :tasks].mean():.1f}",
                f"{one.stopped(tasks):.0%}",
            )
            for weight, one in found.items()
        ],
    )
    return section
