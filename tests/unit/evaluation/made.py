"""What the tests of this folder are made from."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.records import Conversation, Example, Role, Source, Turn, with_ids

WORDS = ["red", "green", "blue", "warm", "cold", "small", "tall", "round", "dry", "quiet", "late", "deep"]
QUESTIONS = [f"Which word comes after {word}? <script>alert('{word}')</script>" for word in WORDS]
ANSWERS = [f"After {word} comes {WORDS[place - 1]}." for place, word in enumerate(WORDS)]


def talk(*texts: str, system: str = "") -> tuple[Turn, ...]:
    """Turns of user and assistant in turn, after a system turn where there is one."""
    roles = (Role.USER, Role.ASSISTANT)
    turns = tuple(Turn(roles[place % 2], text) for place, text in enumerate(texts))
    return (Turn(Role.SYSTEM, system), *turns) if system else turns


def examples_of(talks: Sequence[tuple[Turn, ...]]) -> tuple[Example, ...]:
    """Examples with content ids."""
    made = [(Conversation(turns), Source("made.jsonl", (row,)), "", ()) for row, turns in enumerate(talks, 1)]
    return with_ids(made)
