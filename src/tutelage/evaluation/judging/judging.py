"""judge_run(run, …): who prefers the tuned model's answers, and how far that can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tutelage.evaluation.endpoint import Endpoint
from tutelage.evaluation.intervals import Interval
from tutelage.evaluation.judging.outcome import Judge, Outcome, WinRate, outcome
from tutelage.evaluation.judging.pairs import pairs_of, read_comparison
from tutelage.evaluation.judging.panel import MOST_TOKENS, judge_all
from tutelage.evaluation.judging.person import Session
from tutelage.evaluation.judging.question import controls
from tutelage.evaluation.judging.votes import CONTROLS, VOTES, Ballot, of_pairs
from tutelage.evaluation.progress import Progress, counting
from tutelage.pages import readable
from tutelage.tuning.run import Run, write_text

JUDGED = "judge.json"
PERSON = "person"


def judge_run(
    run: Run,
    against: Sequence[str] = (),
    most: int = 0,
    seed: int = 0,
    *,
    endpoint: Endpoint | None = None,
    max_tokens: int = MOST_TOKENS,
    person: str = "",
    console: Console | None = None,
    read_key: Callable[[], str] | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Let a judge compare the answers that are in the run's comparison, and weigh all votes there are.

    Writes votes.jsonl (and control_votes.jsonl) line by line, and judge.json at the end, in the run's folder. What was
    judged before is not asked again.

    Args:
        against: opponents, by name or kind; none: all.
        most: prompts, 0 for all.
        seed: of the order that a person sees, and of the endpoint's sampling.
        endpoint: judges; None: a person does, at `console` with `read_key`, under the name `person`. With neither an
            endpoint nor a console nobody is asked, and the votes that are there are weighed.

    Raises:
        UsageError: the run was not compared, or has no such opponent.
        EndpointError: the endpoint fails. The votes so far are kept.
        DataError: a line of a file with votes is none.
    """
    comparison = read_comparison(run)
    pairs = pairs_of(comparison, against, most)
    ballot, control_ballot = Ballot(run.folder / VOTES), Ballot(run.folder / CONTROLS)
    for one in (ballot, control_ballot):
        if one.torn:
            say(f"{one.path}: the last vote was only half written; it is taken away and asked for again.")
    name = run.folder.resolve().name
    if endpoint is not None:
        constant = controls(pairs)
        judged = ((ballot, pairs, "judging", False), (control_ballot, constant, "judging constant answers", True))
        for into, some, what, always in judged:
            count = counting(progress, what, len(some))
            judge_all(endpoint, some, into, name, seed, max_tokens, count, always)
    elif console is not None and read_key is not None:
        by = f"{PERSON} {person}".strip()
        Session(ballot, by, name, seed, console, read_key).judge(pairs)
    every = pairs_of(comparison)
    votes, control_votes = of_pairs(ballot.votes(), every), of_pairs(control_ballot.votes(), controls(every))
    found = outcome(name, votes, control_votes, pairs)
    write_text(run.folder / JUDGED, found.to_json())
    return found


def show(found: Outcome, console: Console) -> None:
    """Print each judge's win rates, how far it can be trusted, and the warnings."""
    if not found.judges:
        console.print("Nobody has judged these answers yet.")
    for judge in found.judges:
        console.print(_text(f"Judged by {judge.by}", "bold"))
        console.print(_table(judge))
        measures = {
            "the longer answer won": judge.longer,
            "the answer shown first was preferred": judge.first,
            "the two orders disagree": judge.disagreed,
        }
        told = [f"{name} {_percent(share)} ({share.count})" for name, share in measures.items() if share]
        if told:
            console.print(_text(" · ".join(told), "dim"))
        for rate in judge.rates:
            console.print(_text(in_words(rate), "bold green" if rate.says == "better" else ""))
        for rate in judge.controls:
            console.print(_text(_control_in_words(rate), "dim"))
        for warning in judge.warnings:
            console.print(_text(f"Warning: {warning}", "bold yellow"))
        if judge.left:
            console.print(_text(f"{judge.left} pairs are not judged yet."))
    for one, other, share in found.agreement:
        console.print(_text(f"{one} and {other} agree on {_percent(share)} of {share.count} pairs."))


def in_words(rate: WinRate) -> str:
    """One sentence on a win rate."""
    numbers = f"wins {_percent(rate.rate)} of {rate.rate.count} pairs against {rate.opponent}, ties counted half"
    return {
        "none": f"Too few votes to say: {rate.name} {numbers}.",
        "better": f"Preferred: {rate.name} {numbers}.",
        "worse": f"Not preferred: {rate.name} {numbers}.",
        "even": f"No clear preference: {rate.name} {numbers}.",
    }[rate.says]


def _control_in_words(rate: WinRate) -> str:
    won, tied = (f"{count / rate.rate.count:.0%}" for count in (rate.wins, rate.tied))
    name = rate.name.removeprefix("constant: ")
    return (
        f"The same answer to everything ({name}) wins {won} and ties {tied} of {rate.rate.count} pairs against "
        f"{rate.opponent}: what this judge gives for nothing."
    )


def _table(judge: Judge) -> Table:
    made = Table(header_style="bold")
    for heading in ("", "against"):
        made.add_column(heading)
    for heading in ("win rate", "won", "tied", "lost"):
        made.add_column(heading, justify="right")
    for rate in (*judge.rates, *judge.controls):
        style = "" if rate in judge.rates else "dim"
        counts = (str(rate.wins), str(rate.tied), str(rate.losses))
        made.add_row(_text(rate.name), _text(rate.opponent), _percent(rate.rate), *counts, style=style)
    return made


def _percent(share: Interval) -> str:
    return f"{share.value:.0%} [{share.low:.0%} to {share.high:.0%}]"


def _text(text: str, style: str = "") -> Text:
    return Text(readable(text), style=style)
