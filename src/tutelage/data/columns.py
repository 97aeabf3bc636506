"""Any table by column names: `prompt=…,response=…`, and the advice where no format is recognised."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence

from tutelage.data import ticketcolumns
from tutelage.data.cells import ABSENT, Value, about, asked, cell, text
from tutelage.data.drafts import Draft, joined
from tutelage.data.formats import FORMATS, Format, threaded
from tutelage.data.opening import PLAIN
from tutelage.data.rows import Row
from tutelage.data.ticketlayouts import PARTS as TICKET_PARTS
from tutelage.errors import DataError, UsageError
from tutelage.recipe import DataSettings
from tutelage.records import Role, Turn

PARTS = ("prompt", "response", "system", "context", "group")
ASKING = (
    "prompt",
    "question",
    "query",
    "instruction",
    "input",
    "text",
    "body",
    "message",
    "subject",
    "request",
)
ANSWERING = (
    *("response", "answer", "output", "completion", "reply", "resolution", "solution", "summary"),
    *("target", "label", "category", "intent"),
)


def parse(columns: str) -> dict[str, str]:
    """`prompt=COLUMN,response=COLUMN` (also system=, context=, group=) or `ticket=COLUMN,…` as a mapping.

    Raises:
        UsageError: for an unknown part, one named twice, or where a part is missing.
    """
    named = {piece.partition("=")[0].strip() for piece in columns.split(",")}
    parts = PARTS if named.isdisjoint(TICKET_PARTS) else TICKET_PARTS
    found: dict[str, str] = {}
    for piece in columns.split(","):
        part, equals, name = (side.strip() for side in piece.partition("="))
        if part not in parts or not equals or not name:
            near = difflib.get_close_matches(part, parts, 1, 0.5)
            hint = f"; did you mean {near[0]}=…?" if near and near[0] != part else ""
            raise UsageError(f"columns: {piece.strip()!r} is not PART=COLUMN with PART one of {', '.join(parts)}{hint}")
        if part in found:
            raise UsageError(f"columns: {part} stands twice")
        found[part] = name
    if parts is TICKET_PARTS and not found.keys() & {"role", "author"}:
        raise UsageError("columns: role=COLUMN is missing (or author=COLUMN, with data.agents=example.com)")
    for part in ("ticket", "time", "body") if parts is TICKET_PARTS else ("prompt", "response"):
        if part not in found:
            written = "ticket=…,time=…,role=…,body=…" if parts is TICKET_PARTS else "prompt=COLUMN,response=COLUMN"
            raise UsageError(f"columns: {part}=COLUMN is missing; write {written}")
    return found


def mapped(columns: str) -> Format:
    """The format that a mapping describes; instruction, prompt and context have blank lines between them."""
    names = parse(columns)
    if "ticket" in names:
        return threaded(ticketcolumns.mapped(names), tuple(dict.fromkeys(names.values())))

    def convert(row: Row, settings: DataSettings) -> Iterator[Draft]:
        value = row.value
        prompt = joined([settings.instruction, *(text(value, names[p]) for p in ("prompt", "context") if p in names)])
        system = text(value, names["system"]) if "system" in names else ""
        group, tags = about(value, tuple(names.values()))
        if "group" in names:
            group = text(value, names["group"])
        turns = asked(prompt, names["prompt"], system)
        yield Draft((*turns, Turn(Role.ASSISTANT, text(value, names["response"]))), group, tags)

    return Format(f"columns {columns}", tuple(names.values()), convert, "")


def without(file: str, values: Sequence[Value], format: Format) -> DataError:
    """What to say where a file has none of the columns that were asked for."""
    seen = columns_of(values)
    if format.threads and not format.columns:
        told = f"{file}: no row is of the format {format.name} (columns: {', '.join(seen)})"
        return DataError(f"{told}\nA row of it: {format.example}")
    lacking = [name for name in format.columns if all(cell(value, name) is ABSENT for value in values)]
    near = [hit for name in lacking for hit in difflib.get_close_matches(name, seen, 1, 0.5)]
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    wanted = ", ".join(lacking) or format.name
    return DataError(f"{file}: no column {wanted} (columns: {', '.join(seen)}){hint}")


def unknown(file: str, values: Sequence[Value]) -> DataError:
    """What to say where no format fits: the columns, the nearest format with an example, a mapping to try."""
    seen = columns_of(values)
    if told := ticketcolumns.advice(file, seen):
        return DataError(told)
    if alone := _only_text(values, seen):
        return DataError(
            f"{file}: plain text in the column {alone}, and nothing beside it that asks or answers (columns: "
            f"{', '.join(seen)}); from such text nothing can be learned that answers questions\n{PLAIN}"
        )
    likeness = {name: _likeness(each.columns or ("messages",), seen) for name, each in FORMATS.items()}
    best = max(likeness, key=lambda name: likeness[name])
    nearest = FORMATS[best if likeness[best] > 0.45 else "prompt/response"]
    prompt, response = _guess(values, seen)
    return DataError(
        f"{file}: the columns fit no known format: {', '.join(seen) or 'none'}\n"
        f"The nearest format is {nearest.name}; a row of it: {nearest.example}\n"
        f"Or say which columns to use: --columns {json.dumps(f'prompt={prompt},response={response}')}"
    )


def columns_of(values: Sequence[Value]) -> list[str]:
    """The columns of some rows, in the order in which they are met."""
    return list(dict.fromkeys(name for value in values for name in value))


def _only_text(values: Sequence[Value], seen: Sequence[str]) -> str:
    """The one column whose cells are prose, where no other has words that could ask or answer; "" where there are."""
    texts = {name: [cell for value in values if isinstance(cell := value.get(name), str)] for name in seen}
    prose = [name for name, cells in texts.items() if any(" " in cell.strip() for cell in cells)]
    called = [
        name for name in seen if name not in prose and any(hint in name.lower() for hint in (*ASKING, *ANSWERING))
    ]
    nested = any(isinstance(cell, list | Mapping) for value in values for cell in value.values())
    return prose[0] if len(prose) == 1 and not called and not nested else ""


def _likeness(wanted: Sequence[str], seen: Sequence[str]) -> float:
    def best(name: str) -> float:
        return max((difflib.SequenceMatcher(None, name, other.lower()).ratio() for other in seen), default=0.0)

    return sum(best(name) ** 2 for name in wanted) / len(wanted)


def _guess(values: Sequence[Value], seen: Sequence[str]) -> tuple[str, str]:
    lengths: Mapping[str, int] = {
        name: sum(len(cell) for value in values if isinstance(cell := value.get(name), str)) for name in seen
    }
    texts = sorted((name for name in seen if lengths[name]), key=lambda name: -lengths[name])
    response = _called(ANSWERING, texts)
    prompt = _called(ASKING, [name for name in texts if name != response])
    left = [name for name in texts if name not in (prompt, response)]
    prompt = prompt or (left.pop(0) if left else "COLUMN")
    return prompt, response or (left.pop(0) if left else "COLUMN")


def _called(hints: Sequence[str], names: Sequence[str]) -> str:
    return next((name for hint in hints for name in names if hint in name.lower()), "")
