"""Pairs judged by a person in a terminal, who is not told whose answers they are."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from tutelage.evaluation.judging.pairs import Pair, shuffled
from tutelage.evaluation.judging.votes import Ballot, Tie, Vote, left, same_vote
from tutelage.pages import readable
from tutelage.records import Role, Turn

KEYS = "1 · 2 · t tie · s skip · m whole texts · b back · q quit"
WELCOME = (
    "Two answers to the same prompt: which one is better for the person who asked? Press its number. Whose answers "
    "they are is not shown; every vote is kept at once, and quitting loses nothing."
)
LEAST_LINES = 6
"""Of an answer that are shown before it is cut, however low the terminal is."""
PROMPT_LINES = 10


@dataclass
class Session:
    """One person judging.

    Attributes:
        by: how votes name the judge.
        seed: of the order of the pairs and of the two answers.
        read_key: gives the next key pressed; EOFError and KeyboardInterrupt end the session.
    """

    ballot: Ballot
    by: str
    run: str
    seed: int
    console: Console
    read_key: Callable[[], str]

    def judge(self, pairs: Sequence[Pair]) -> int:
        """Show every pair that this person has not judged, until all are judged or they quit.

        Skipped pairs are shown again the next time.

        Returns:
            how many votes were given.
        """
        waiting = shuffled(left(pairs, self.ballot.votes(), self.by), self.seed)
        for pair in (pair for pair in waiting if pair.same):
            self.ballot.add(same_vote(pair, self.by, self.run))
        waiting = [pair for pair in waiting if not pair.same]
        if not waiting:
            self._say("There is nothing left to judge.")
            return 0
        self._say(WELCOME)
        given: dict[int, Vote] = {}
        place = 0
        while place < len(waiting):
            key = self._asked(waiting[place], len(pairs) - len(waiting) + place + 1, len(pairs))
            if key == "q":
                break
            if key == "b":
                place = self._back(given, place)
                continue
            if key != "s":
                given[place] = self.ballot.add(self._vote(waiting[place], key))
            place += 1
        self._say(f"{len(given)} votes kept in {self.ballot.path}")
        return len(given)

    def _vote(self, pair: Pair, key: str) -> Vote:
        first = pair.order(self.seed)
        winner = None if key == "t" else first if key == "1" else 1 - first
        tie = Tie.EQUAL if winner is None else None
        return Vote(pair, winner, tie, self.by, self.run, (first,), (winner,))

    def _back(self, given: dict[int, Vote], place: int) -> int:
        if not given:
            self._say("There is no vote of this session to take back.")
            return place
        last = max(given)
        self.ballot.withdraw(given.pop(last))
        return last

    def _asked(self, pair: Pair, number: int, of: int) -> str:
        """The key that decides about a pair."""
        self._show(pair, f"{number} of {of}", whole=False)
        while True:
            self._print([KEYS], "bold")
            try:
                key = self.read_key().strip().lower()[:1]
            except (EOFError, KeyboardInterrupt):
                return "q"
            if key == "m":
                self._show(pair, f"{number} of {of}", whole=True)
            elif key and key in "12tsbq":
                return key

    def _show(self, pair: Pair, title: str, whole: bool) -> None:
        first = pair.order(self.seed)
        shown = self._lines(_asked_text(pair.turns))
        if not whole and len(shown) > PROMPT_LINES:  # what is asked stands at the end
            shown = [f"[… {len(shown) - PROMPT_LINES + 1} lines before; m shows all]", *shown[1 - PROMPT_LINES :]]
        answers = [self._lines(pair.answers[side]) for side in (first, 1 - first)]
        room = max(LEAST_LINES, (self.console.height - len(shown) - 8) // 2)
        # What the one answer does not need is the other's.
        rooms = [max(room, 2 * room - len(other)) for other in reversed(answers)]
        self._rule(title)
        self._print(shown, "dim")
        for name, lines, most in zip("12", answers, rooms, strict=True):
            self._rule(name)
            cut = lines if whole or len(lines) <= most else lines[: most - 1]
            self._print(cut)
            if len(cut) < len(lines):
                self._print([f"[… {len(lines) - len(cut)} more lines; m shows all]"], "dim")
        self._rule("")

    def _lines(self, text: str) -> list[str]:
        """The text as it is shown: harmless, and broken into lines that fit."""
        made = Text(readable(text.expandtabs(4)) or "(a blank answer)")
        return [line.plain.rstrip() for line in made.wrap(self.console, self._width)]

    @property
    def _width(self) -> int:
        return max(20, min(self.console.width - 1, 100))

    def _rule(self, title: str) -> None:
        self._print([f"--- {title} ".ljust(self._width, "-") if title else "-" * self._width], "bold cyan")

    def _print(self, lines: Sequence[str], style: str = "") -> None:
        for line in lines:
            encoded = line.encode(self.console.encoding, "replace").decode(self.console.encoding)
            self.console.print(Text(encoded, style=style), soft_wrap=True)

    def _say(self, line: str) -> None:
        self._print([*self._lines(line), ""])


def _asked_text(turns: Sequence[Turn]) -> str:
    """The prompt; with several turns each under its role."""
    if len(turns) == 1 and turns[0].role is Role.USER:
        return turns[0].text
    return "\n\n".join(f"[{turn.role.value}]\n{turn.text}" for turn in turns)


def key_reader() -> Callable[[], str]:
    """Reads a key at a terminal at once; elsewhere (a pipe, a terminal that can do little) a line."""
    if not sys.stdin.isatty() or os.environ.get("TERM") in (None, "", "dumb"):
        return _line
    from click import getchar

    def key() -> str:
        pressed = getchar()
        if pressed in ("\x03", "\x04"):
            raise EOFError
        return pressed if len(pressed) == 1 else ""

    return key


def _line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line
