"""A row's cells by column name, and what any format takes from them: texts, prompts, groups and tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tutelage.data.messages import is_messages, turns_of
from tutelage.data.rows import as_text
from tutelage.records import Role, Turn

Value = Mapping[str, object]
GROUPS = (
    *("group", "customer", "customer_id", "ticket", "ticket_id", "thread_id", "conversation_id", "session_id"),
    *("dialogue_id", "DialogueID", "tree", "message_tree_id", "task", "task_name"),
)
"""Columns whose rows belong together, the widest first: all tickets of a customer stand on one side of a split."""
TAGS = ("kind", "category", "tags")
_ABOUT = frozenset((*GROUPS, *TAGS))


class _Absent:
    """The type of ABSENT: no such column (None is a column without a value)."""


ABSENT = _Absent()


def cell(value: Value, name: str) -> object:
    """A row's cell by column name, whatever the name's case; ABSENT where there is none."""
    if name in value:
        return value[name]
    folded = name.lower()
    return next((value[key] for key in value if key.lower() == folded), ABSENT)


def text(value: Value, name: str) -> str:
    """A row's cell as text; "" where the column is absent or without a value.

    Raises:
        RowError: where the cell holds a list or an object.
    """
    found = cell(value, name)
    return "" if found is ABSENT else as_text(found, name)


def about(value: Value, used: Sequence[str] = ()) -> tuple[str, tuple[str, ...]]:
    """A row's group and tags from the optional columns that are not `used` for something else."""
    if _ABOUT.isdisjoint(value):
        return "", ()
    groups = [value.get(name) for name in GROUPS if name not in used]
    group = next((str(name) for name in groups if isinstance(name, str | int) and str(name).strip()), "")
    tags: list[str] = []
    for name in TAGS:
        found = value.get(name) if name not in used else None
        listed = found if isinstance(found, list | tuple) else [found]
        tags += [tag.strip() for tag in listed if isinstance(tag, str) and tag.strip()]
    return group, tuple(dict.fromkeys(tags))


def asked(prompt: object, what: str, system: str = "") -> tuple[Turn, ...]:
    """The turns of a prompt that is text or a list of messages, after an optional system turn."""
    turns = turns_of(prompt) if is_messages(prompt) else (Turn(Role.USER, as_text(prompt, what)),)
    if system.strip() and turns[0].role is not Role.SYSTEM:
        return (Turn(Role.SYSTEM, system), *turns)
    return turns
