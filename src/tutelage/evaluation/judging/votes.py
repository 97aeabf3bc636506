"""Votes: who preferred which answer, kept line by line as preference data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import filelock

from tutelage.errors import DataError, UsageError
from tutelage.evaluation.judging.pairs import Pair
from tutelage.records import Role, Turn
from tutelage.tuning.run import append_line, write_text

VOTES, CONTROLS = "votes.jsonl", "control_votes.jsonl"
"""In the run's folder. Votes on the constant answers of the control stand apart: nobody should learn from them."""


class Tie(StrEnum):
    """Why there is no winner."""

    EQUAL = "equal"
    SAME = "same"
    DISAGREED = "disagreed"
    UNREADABLE = "unreadable"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Vote:
    """One judgement of one pair.

    Attributes:
        pair: what was judged.
        winner: 0 (ours) or 1 (the opponent's), None for a tie.
        tie: the judge finds them equal; the texts are the same and were not shown; the two orders of showing them gave
            different verdicts; a verdict could not be read; the endpoint refused. None where there is a winner.
        by: who judged.
        run: name of the run's folder.
        first: the side that was shown first, for each time that the pair was shown.
        verdicts: for each time, the side that was preferred, None for a tie or what could not be read.
        when: in UTC.
    """

    pair: Pair
    winner: int | None
    tie: Tie | None
    by: str
    run: str
    first: tuple[int, ...] = ()
    verdicts: tuple[int | None, ...] = ()
    when: str = ""

    @property
    def score(self) -> float:
        """1 for a win of ours, 0 for a loss, a half for a tie."""
        return 0.5 if self.winner is None else 1.0 - self.winner

    def to_json(self) -> str:
        """A line of votes.jsonl; a tie has nothing chosen, so that nobody learns from it by mistake.

        prompt, chosen and rejected are messages, as TRL's DPOTrainer and others take them.
        """
        pair = self.pair
        chosen, rejected = (
            (None, None)
            if self.winner is None
            else (_said(pair.answers[self.winner]), _said(pair.answers[1 - self.winner]))
        )
        row = {
            "id": pair.id,
            "prompt": [{"role": turn.role.value, "content": turn.text} for turn in pair.turns],
            "chosen": chosen,
            "rejected": rejected,
            "tie": self.tie.value if self.tie else None,
            "winner": None if self.winner is None else pair.names[self.winner],
            "names": pair.names,
            "answers": pair.answers,
            "by": self.by,
            "run": self.run,
            "first": [pair.names[side] for side in self.first],
            "verdicts": [None if side is None else pair.names[side] for side in self.verdicts],
            "when": self.when,
            "pair": pair.key,
        }
        return json.dumps(row, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str | bytes) -> Vote:
        """What `to_json` made.

        Raises:
            ValueError: it is something else.
        """
        try:
            row = json.loads(line)
            turns = tuple(Turn(Role(message["role"]), message["content"]) for message in row["prompt"])
            names, answers = tuple(row["names"]), tuple(row["answers"])
            if {len(names), len(answers)} != {2} or not all(isinstance(text, str) for text in (*names, *answers)):
                raise ValueError("two names and two answers are needed")
            pair = Pair(row["id"], turns, (names[0], names[1]), (answers[0], answers[1]))
            sides = [None if name is None else names.index(name) for name in (row["winner"], *row["verdicts"])]
            first = tuple(names.index(name) for name in row["first"])
            tie = Tie(row["tie"]) if row["tie"] else None
            if (tie is None) is (sides[0] is None):
                raise ValueError("either a winner or a tie is needed")
            return cls(pair, sides[0], tie, row["by"], row["run"], first, tuple(sides[1:]), row["when"])
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(repr(error)) from error


def _said(answer: str) -> list[dict[str, str]]:
    return [{"role": Role.ASSISTANT.value, "content": answer}]


def same_vote(pair: Pair, by: str, run: str) -> Vote:
    """The tie of a pair whose answers are the same; nobody needs to see it."""
    return Vote(pair, None, Tie.SAME, by, run)


class Ballot:
    """The votes in a file. Each is written at once, so that a kill loses none, and judging goes on where it was.

    Attributes:
        torn: a vote that a kill left half written was taken away when the file was opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = filelock.FileLock(str(path.with_name(f".{path.name}.lock")))
        try:
            with self._lock:
                self.torn = self._mend()
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error

    def _mend(self) -> bool:
        """Takes away the end of a line that a killed process left, or else the next vote would be glued to it."""
        data = self.path.read_bytes() if self.path.exists() else b""
        start = data.rfind(b"\n") + 1
        if start == len(data):
            return False
        try:
            Vote.from_json(data[start:])
        except ValueError:
            with self.path.open("r+b") as file:
                file.truncate(start)
            return True
        with self.path.open("ab") as file:
            file.write(b"\n")
        return False

    def votes(self) -> list[Vote]:
        """All of them; of two votes of the same judge on the same pair the later one, in the place of the first.

        Raises:
            DataError: a line is no vote.
        """
        found: dict[tuple[str, str], Vote] = {}
        lines = self.path.read_bytes().split(b"\n") if self.path.exists() else []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                vote = Vote.from_json(line)
            except ValueError as error:
                raise DataError(f"{self.path}:{number} is no vote ({error}); mend the line or take it away") from error
            found[vote.by, vote.pair.key] = vote
        return list(found.values())

    def add(self, vote: Vote) -> Vote:
        """Append a vote with the time of now."""
        dated = replace(vote, when=vote.when or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        with self._lock:
            append_line(self.path, dated.to_json())
        return dated

    def withdraw(self, vote: Vote) -> None:
        """Take a vote out again."""
        with self._lock:
            lines = self.path.read_text(encoding="utf-8").split("\n")
            write_text(self.path, "\n".join(line for line in lines if line != vote.to_json()))


def left(pairs: Sequence[Pair], votes: Sequence[Vote], by: str) -> list[Pair]:
    """The pairs that a judge has not judged yet, in their order."""
    done = {vote.pair.key for vote in votes if vote.by == by}
    return [pair for pair in pairs if pair.key not in done]


def of_pairs(votes: Sequence[Vote], pairs: Sequence[Pair]) -> list[Vote]:
    """The votes on these pairs; others are on answers that are no longer compared."""
    keys = {pair.key for pair in pairs}
    return [vote for vote in votes if vote.pair.key in keys]
