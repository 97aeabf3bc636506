"""Pairs of answers to judge, out of a run's comparison."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.errors import UsageError
from tutelage.evaluation.results import Comparison, ContenderResult
from tutelage.evaluation.verdict import Kind
from tutelage.records import Turn
from tutelage.tuning.run import Run

COMPARED = "compare.json"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one prompt.

    Attributes:
        id: of the prompt.
        turns: the prompt as everybody got it, before the system text that is a contender's own.
        names, answers: of the two sides: first ours, then the opponent's.
    """

    id: str
    turns: tuple[Turn, ...]
    names: tuple[str, str]
    answers: tuple[str, str]

    @property
    def key(self) -> str:
        """SHA-256 (first 16 hex digits) of everything: a vote on other answers is no vote on these."""
        turns = [[turn.role.value, turn.text] for turn in self.turns]
        content = [self.id, turns, self.names, self.answers]
        return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()[:16]

    @property
    def same(self) -> bool:
        """Whether both say the same, white space apart: there is nothing to judge."""
        return self.answers[0].split() == self.answers[1].split()

    def order(self, seed: int) -> int:
        """Which side a person is shown first: drawn from seed and content, so that it stays when judging goes on."""
        return random.Random(f"{seed} {self.key}").randrange(2)


def read_comparison(run: Run) -> Comparison:
    """What `tutelage compare` found.

    Raises:
        UsageError: the folder is no run, was not compared, or by another version.
    """
    run.manifest()
    path = run.folder / COMPARED
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{run.folder} has no answers to judge; make them with: tutelage compare {run.folder}"
        ) from error
    try:
        return Comparison.from_json(text)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def pairs_of(comparison: Comparison, against: Sequence[str] = (), most: int = 0) -> tuple[Pair, ...]:
    """The tuned model's answer beside each opponent's, prompt by prompt. Of several seeds the first one's are judged.

    Args:
        against: names of opponents, or what they are (base, prompt, examples, run, model); none: all of them.
        most: prompts, 0 for all.

    Raises:
        UsageError: there is no such opponent.
    """
    tuned = next((one for one in comparison.contenders if one.kind is Kind.TUNED), None)
    if tuned is None:
        raise UsageError("this comparison has no tuned model; compare again")
    chosen = _opponents([one for one in comparison.contenders if one is not tuned], against)
    asked = list(enumerate(comparison.prompts))[: most or None]
    made = []
    for other in chosen:
        names = (tuned.name, other.name)
        for place, prompt in asked:
            answers = (tuned.answers[place].answer.strip(), other.answers[place].answer.strip())
            made.append(Pair(prompt.id, prompt.turns, names, answers))
    return tuple({pair.key: pair for pair in made}.values())


def _opponents(others: Sequence[ContenderResult], against: Sequence[str]) -> list[ContenderResult]:
    chosen = []
    for name in against:
        found = [one for one in others if name in (one.name, one.kind.value)]
        if not found:
            there = ", ".join(one.name for one in others)
            raise UsageError(f"--against {name}: there is no such opponent in this comparison; there are: {there}")
        chosen += found
    return chosen if against else list(others)


def shuffled(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """The pairs in an order that depends on the seed and on them alone."""
    return sorted(pairs, key=lambda pair: hashlib.sha256(f"{seed} {pair.key}".encode()).digest())
