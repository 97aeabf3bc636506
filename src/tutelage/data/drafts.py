"""From a format's turns to a conversation: answers trimmed, an unanswered end cut, the order checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tutelage.data.rows import RowError
from tutelage.records import Conversation, ConversationError, Role, Turn


@dataclass(frozen=True, slots=True)
class Draft:
    """Turns as a format read them, not yet checked; `repairs` names what the format mended."""

    turns: tuple[Turn, ...]
    group: str = ""
    tags: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """A checked conversation and the small mends it took."""

    conversation: Conversation
    repairs: tuple[str, ...]


def finish(draft: Draft) -> Finished:
    """A conversation in valid order that ends with an answer.

    Answers are trimmed at their edges ("answer trimmed", counted by turn), and questions after the last
    answer are cut ("unanswered end cut").

    Raises:
        RowError: with the rule `unanswered`, `untrained` or `roles`.
    """
    repairs = list(draft.repairs)
    end = len(draft.turns)
    while end and draft.turns[end - 1].role in (Role.USER, Role.TOOL):
        end -= 1
    turns = draft.turns[:end]
    if not any(turn.role is Role.ASSISTANT for turn in turns):
        raise RowError("no assistant turn answers", "unanswered")
    if end < len(draft.turns):
        repairs.append("unanswered end cut")
    turns = tuple(map(_trimmed, turns))
    trimmed = sum(a is not b for a, b in zip(turns, draft.turns, strict=False))
    repairs += ["answer trimmed"] * trimmed
    if not any(turn.is_trained for turn in turns):
        raise RowError("no assistant turn is to be trained", "untrained")
    try:
        return Finished(Conversation(turns), tuple(repairs))
    except ConversationError as error:
        raise RowError(str(error), "roles") from None


def _trimmed(turn: Turn) -> Turn:
    if turn.role is not Role.ASSISTANT or turn.text == turn.text.strip():
        return turn
    return replace(turn, text=turn.text.strip())


def joined(parts: Sequence[str]) -> str:
    """Parts of a prompt with a blank line between them; blank parts are left out."""
    return "\n\n".join(part for part in parts if part.strip())
