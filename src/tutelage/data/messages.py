"""Lists of messages as turns: OpenAI's and ShareGPT's fields, all known role names, content parts, tools."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress

from tutelage.data.rows import RowError, as_text
from tutelage.records import Role, Turn

ROLE_NAMES: Mapping[str, Role] = {
    **dict.fromkeys(("user", "human", "customer", "prompter"), Role.USER),
    **dict.fromkeys(("assistant", "gpt", "bot", "model", "chatgpt", "function_call"), Role.ASSISTANT),
    **dict.fromkeys(("system", "developer"), Role.SYSTEM),
    **dict.fromkeys(("tool", "function", "observation", "ipython"), Role.TOOL),
}
"""Every role name that files use; anything else is refused."""
TEXT_PARTS = ("text", "input_text", "output_text")
THOUGHTS = ("reasoning_content", "reasoning", "thinking")
TRAINED = ("trained", "train", "weight")


def is_messages(value: object) -> bool:
    """Whether a cell is a list of messages with a role and a content (or a turn of ShareGPT).

    Text never is, even where it is JSON: else what somebody wrote could forge turns.
    """
    listed = value if isinstance(value, list | tuple) else None
    if not listed or not isinstance(listed[0], Mapping):
        return False
    return ("role" in listed[0] and len(listed[0]) > 1) or {"from", "value"} <= set(listed[0])


def as_list(value: object) -> Sequence[object] | None:
    """A list, also one written as JSON in a table's cell; None for anything else."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, list | tuple) else None


def turns_of(messages: object, tools: object = None) -> tuple[Turn, ...]:
    """Messages as turns, in order; the functions in `tools` are written into the system turn.

    Content parts of text are joined as they stand. A tool call is a line of JSON with name and arguments
    after the message's text. Reasoning stands before the text between `<think>` and `</think>`. A blank
    system message is left out.

    Raises:
        RowError: for no list, an unknown role, or content that is not text (a picture, a sound).
    """
    listed = as_list(messages)
    if not listed:
        raise RowError("no messages", "layout")
    turns = []
    for number, message in enumerate(listed, 1):
        if not isinstance(message, Mapping):
            raise RowError(f"message {number} is not an object", "layout")
        try:
            turns.append(_turn(message))
        except RowError as error:
            raise RowError(f"message {number}: {error}", error.rule) from None
    turns = [turn for turn in turns if turn.role is not Role.SYSTEM or turn.text.strip()]
    return _with_tools(tuple(turns), tools)


def role_of(name: object) -> Role:
    """The role behind a name in a file, whatever its case.

    Raises:
        RowError: for a name that no file is known to use.
    """
    role = ROLE_NAMES.get(str(name).strip().lower())
    if role is None:
        raise RowError(f"{name!r} is no known role ({', '.join(ROLE_NAMES)})", "role name")
    return role


def _turn(message: Mapping[str, object]) -> Turn:
    role = role_of(message.get("role", message.get("from")))
    key = next((name for name in ("content", "value", "text") if name in message), "content")
    text = _content(message.get(key), key)
    if not text and isinstance(message.get("refusal"), str):
        text = str(message["refusal"])
    if role is not Role.ASSISTANT:
        return Turn(role, text)
    text = _with_calls(text, message)
    thought = next((message[name] for name in THOUGHTS if message.get(name)), None)
    if isinstance(thought, str) and thought.strip():
        text = f"<think>\n{thought.strip()}\n</think>\n\n{text.lstrip()}"
    return Turn(role, text, _trained(message))


def _content(value: object, key: str) -> str:
    if not isinstance(value, list | tuple):
        return as_text(value, key)
    texts = []
    for part in value:
        if isinstance(part, str):
            texts.append(part)
            continue
        kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
        if not isinstance(part, Mapping) or (kind not in TEXT_PARTS and kind != "refusal"):
            raise RowError(f"holds a part of type {kind}; only text can be learned", "not text")
        texts.append(as_text(part.get("refusal" if kind == "refusal" else "text"), "text"))
    return "".join(texts)


def _with_calls(text: str, message: Mapping[str, object]) -> str:
    listed = as_list(message.get("tool_calls")) or ()
    calls = [call.get("function", call) if isinstance(call, Mapping) else call for call in listed]
    if message.get("function_call"):
        calls.append(message["function_call"])
    lines = [_call(call) for call in calls]
    return "\n".join([text, *lines] if text.strip() else lines) if lines else text


def _call(call: object) -> str:
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
        raise RowError("a tool call without a name", "layout")
    arguments = call.get("arguments")
    if isinstance(arguments, str):
        with suppress(ValueError, RecursionError):  # no JSON: what the model wrote is kept as it stands
            arguments = json.loads(arguments)
    return json.dumps({"name": call["name"], "arguments": arguments}, ensure_ascii=False, default=str)


def _shown(tool: object) -> str:
    return json.dumps(tool, ensure_ascii=False, default=str)


def _trained(message: Mapping[str, object]) -> bool | None:
    flags = {name: message[name] for name in TRAINED if message.get(name) is not None}
    for name, flag in flags.items():
        if not isinstance(flag, bool | int | float) or flag not in (0, 1):
            raise RowError(f"{name} is {flag!r}; only 0 and 1 (false and true) are known", "layout")
    if len({bool(flag) for flag in flags.values()}) > 1:
        raise RowError(f"{' and '.join(flags)} contradict each other", "layout")
    return bool(next(iter(flags.values()))) if flags else None


def _with_tools(turns: tuple[Turn, ...], tools: object) -> tuple[Turn, ...]:
    listed = as_list(tools) if not isinstance(tools, Mapping) else [tools]
    if not listed or not turns:
        return turns
    lines = [tool if isinstance(tool, str) else _shown(tool) for tool in listed]
    text = "\n".join(["You can call these functions:", *lines])
    if turns[0].role is Role.SYSTEM:
        return (Turn(Role.SYSTEM, f"{turns[0].text}\n\n{text}"), *turns[1:])
    return (Turn(Role.SYSTEM, text), *turns)
