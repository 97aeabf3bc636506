"""Dataset formats: one small function each, from a row to drafts of conversations, listed in FORMATS."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tutelage.data.cells import ABSENT, Value, about, asked, cell, text
from tutelage.data.drafts import Draft, joined
from tutelage.data.messages import as_list, is_messages, turns_of
from tutelage.data.rows import Row, RowError, as_text
from tutelage.data.ticketlayouts import Layout
from tutelage.data.tickets import LAYOUTS, Threads
from tutelage.errors import UsageError
from tutelage.recipe import DataSettings
from tutelage.records import Role, Turn

Convert = Callable[[Row, DataSettings], Iterable[Draft]]
NO_INPUT = ("<noinput>", "<no input>")


@dataclass(frozen=True, slots=True)
class Format:
    """How one kind of data set is read; `fits` is asked where the columns alone do not tell.

    Where several rows make one conversation, `threads` gathers a file's rows; `convert` sees one row alone.
    """

    name: str
    columns: tuple[str, ...]
    convert: Convert
    example: str
    fits: Callable[[Value], bool] = lambda value: True
    threads: Callable[[DataSettings], Threads] | None = None

    def matches(self, value: Value) -> bool:
        """Whether a row has this format's columns and shape."""
        return not self.missing(value) and self.fits(value)

    def missing(self, value: Value) -> list[str]:
        """The columns that a row lacks."""
        return [name for name in self.columns if cell(value, name) is ABSENT]


def exchange(value: Value, prompt: str, response: str, used: Sequence[str]) -> Draft:
    """One question, as it will be asked, and its answer."""
    system = text(value, "system") or text(value, "system_prompt")
    turns = (*asked(prompt, "prompt", system), Turn(Role.ASSISTANT, response))
    return Draft(turns, *about(value, used))


def openai(row: Row, settings: DataSettings) -> Iterator[Draft]:
    """`messages` (or `conversations`) with role and content."""
    value = row.value
    listed = next((value[name] for name in ("messages", "conversations") if value.get(name)), None)
    turns = turns_of(listed, value.get("tools"))
    system = text(value, "system")
    if system.strip() and turns and turns[0].role is not Role.SYSTEM:
        turns = (Turn(Role.SYSTEM, system), *turns)
    yield Draft(turns, *about(value))


def alpaca(row: Row, settings: DataSettings) -> Iterator[Draft]:
    """`instruction`, optional `input` (after a blank line) and `output`; earlier turns in `history` pairs."""
    value = row.value
    given = text(value, "input")
    prompt = joined([text(value, "instruction"), "" if given.strip().lower() in NO_INPUT else given])
    draft = exchange(value, prompt, text(value, "output"), ("instruction", "input", "output"))
    earlier: list[Turn] = []
    for pair in as_list(value.get("history")) or ():
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise RowError("history is not a list of question and answer pairs", "layout")
        earlier += [
            Turn(Role.USER, as_text(pair[0], "history")),
            Turn(Role.ASSISTANT, as_text(pair[1], "history")),
        ]
    start = 1 if draft.turns[0].role is Role.SYSTEM else 0
    yield Draft((*draft.turns[:start], *earlier, *draft.turns[start:]), draft.group, draft.tags)


def dolly(row: Row, settings: DataSettings) -> Iterator[Draft]:
    """`instruction`, optional `context` (after a blank line) and `response`."""
    prompt = joined([text(row.value, "instruction"), text(row.value, "context")])
    yield exchange(row.value, prompt, text(row.value, "response"), ("instruction", "context", "response"))


def gold(row: Row, settings: DataSettings) -> Iterator[Draft]:
    """`question` and `gold` (the first of several), with the `passages` to answer from after the question.

    Predictions and what people said of them stand in the same row in sets for preference learning; they are not used.
    """
    value = row.value
    shown = [_passage(each) for each in as_list(value.get("passages")) or ()]
    prompt = joined([text(value, "question"), *shown])
    yield exchange(value, prompt, _first_text(cell(value, "gold"), "gold"), ("question", "gold", "passages"))


def _passage(passage: object) -> str:
    """A text, a pair of title and text, or an object with both; the title is left out where the text begins with it."""
    if isinstance(passage, Mapping):
        passage = [passage.get("title"), passage.get("text")]
    parts = [as_text(part, "passages") for part in (passage if isinstance(passage, list | tuple) else [passage])]
    twice = len(parts) > 1 and parts[1].startswith(parts[0])
    return "\n".join(part for part in parts[twice:] if part.strip())


def pair(prompt: str, response: str) -> Convert:
    """A reader of two columns, each text or a list of messages."""

    def convert(row: Row, settings: DataSettings) -> Iterator[Draft]:
        value = row.value
        system = text(value, "system") or text(value, "system_prompt")
        answer = cell(value, response)
        answered = turns_of(answer) if is_messages(answer) else (Turn(Role.ASSISTANT, as_text(answer, response)),)
        yield Draft((*asked(cell(value, prompt), prompt, system), *answered), *about(value, (prompt, response)))

    return convert


def preference(row: Row, settings: DataSettings) -> Iterator[Draft]:
    """`prompt` and `chosen` (text or messages): the chosen answer is learned, `rejected` is not used."""
    prompt, chosen = row.value.get("prompt"), row.value.get("chosen")
    if not is_messages(chosen):
        yield from pair("prompt", "chosen")(row, settings)
        return
    answer = turns_of(chosen)
    whole = answer[0].role in (Role.SYSTEM, Role.USER)
    turns = answer if whole or prompt is None else (*asked(prompt, "prompt"), *answer)
    yield Draft(turns, *about(row.value))


def superni(row: Row, settings: DataSettings) -> Iterator[Draft]:
    """A Super-NaturalInstructions task, every layout in use: each instance with its first output.

    The prompt is the task's definition, `settings.positive_examples` of its positive examples, and the
    input. The group is the task's name (its file's), the tags are its categories.
    """
    task = row.value
    definition = _all_text(task.get("Definition"), "Definition")
    examples = task.get("Positive Examples")
    older = task.get("Examples")
    if examples is None and isinstance(older, Mapping):
        examples = older.get("Positive Examples")
    shown = (as_list(examples) or ())[: settings.positive_examples]
    blocks = [_example(each) for each in shown]
    group = Path(row.source.file).name.removesuffix(".gz").removesuffix(".json")
    if isinstance(task.get("task"), str):
        group = str(task["task"])
    categories = task.get("Categories")
    listed = categories if isinstance(categories, list) else [categories]
    tags = tuple(tag for tag in listed if isinstance(tag, str))
    for instance in as_list(task.get("Instances")) or ():
        if not isinstance(instance, Mapping):
            raise RowError("an instance is not an object", "layout")
        given = text(instance, "input")
        prompt = joined([definition, *blocks, f"Input: {given}" if blocks else given])
        answer = _first_text(instance.get("output"), "output")
        yield Draft((Turn(Role.USER, prompt), Turn(Role.ASSISTANT, answer)), group, tags)


def _all_text(value: object, what: str) -> str:
    return "\n".join(as_text(part, what) for part in (value if isinstance(value, list) else [value]))


def _first_text(value: object, what: str) -> str:
    if isinstance(value, list):
        value = value[0] if value else None
    return as_text(value, what)


def _example(example: object) -> str:
    if not isinstance(example, Mapping):
        raise RowError("a positive example is not an object", "layout")
    return f"Input: {text(example, 'input')}\nOutput: {_first_text(example.get('output'), 'output')}"


def flan_tsv(row: Row, settings: DataSettings) -> Iterator[Draft]:
    """FLAN's chain-of-thought files: the answer is the explanation, then a line that states the answer."""
    value = row.value
    answer, explanation = text(value, "answer").strip(), text(value, "explanation").strip()
    said = f"{explanation}\nThe answer is {answer.rstrip('.')}." if answer and explanation else answer
    yield exchange(value, text(value, "question"), said, ("question", "answer", "explanation"))


def self_instruct(row: Row, settings: DataSettings) -> Iterator[Draft]:
    """A seed task: `instruction` and `instances`, a conversation each; one seed is one group."""
    instruction = text(row.value, "instruction")
    group, tags = about(row.value)
    for instance in as_list(row.value.get("instances")) or ():
        if not isinstance(instance, Mapping):
            raise RowError("an instance is not an object", "layout")
        turns = (
            Turn(Role.USER, joined([instruction, text(instance, "input")])),
            Turn(Role.ASSISTANT, text(instance, "output")),
        )
        yield Draft(turns, group or text(row.value, "id"), tags)


def star(row: Row, settings: DataSettings) -> Iterator[Draft]:
    """A dialogue log of a user and a wizard: what they say becomes turns, all other events are left out.

    Neighbouring utterances of one side become one turn, line by line. A wizard who speaks first is not
    learned: nobody asked.
    """
    sides = {"User": Role.USER, "Wizard": Role.ASSISTANT}
    turns: list[Turn] = []
    repairs: list[str] = []
    for event in as_list(row.value.get("Events")) or ():
        if not isinstance(event, Mapping) or event.get("Action") not in ("utter", "pick_suggestion"):
            continue
        role, said = sides.get(str(event.get("Agent"))), text(event, "Text")
        if role is None or not said.strip():
            continue
        if not turns and role is Role.ASSISTANT:
            repairs.append("opening before any question cut")
        elif turns and turns[-1].role is role:
            turns[-1] = Turn(role, f"{turns[-1].text}\n{said}")
            repairs.append("neighbouring utterances merged")
        else:
            turns.append(Turn(role, said))
    domains = row.value.get("Domains")
    tags = tuple(name for name in domains if isinstance(name, str)) if isinstance(domains, list) else ()
    yield Draft(tuple(turns), about(row.value)[0], tags, tuple(repairs))


def threaded(layout: Layout, columns: tuple[str, ...] = ()) -> Format:
    """The format of a help desk's export, in which the rows of a ticket make one conversation."""

    def convert(row: Row, settings: DataSettings) -> Iterator[Draft]:
        threads = Threads(layout, settings)
        threads.take(row)
        yield from (draft for _, draft in threads.finish())

    def gather(settings: DataSettings) -> Threads:
        return Threads(layout, settings)

    return Format(layout.name, columns, convert, layout.example, layout.fits, gather)


def _has_messages(*names: str) -> Callable[[Value], bool]:
    return lambda value: any(is_messages(as_list(value.get(name))) for name in names)


def _is_sharegpt(value: Value) -> bool:
    listed = as_list(value.get("conversations"))
    return bool(listed) and isinstance(listed[0], Mapping) and "from" in listed[0]  # type: ignore[index]


def _pairs(prompt: str, response: str, name: str = "") -> Format:
    example = f'{{"{prompt}": "What is the capital of France?", "{response}": "Paris."}}'
    return Format(name or f"{prompt}/{response}", (prompt, response), pair(prompt, response), example)


_ALL = (
    Format(
        "sharegpt",
        ("conversations",),
        openai,
        '{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]}',
        _is_sharegpt,
    ),
    Format(
        "openai",
        (),
        openai,
        '{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]}',
        _has_messages("messages", "conversations"),
    ),
    Format(
        "superni",
        ("Definition", "Instances"),
        superni,
        '{"Definition": ["Add the numbers."], "Instances": [{"input": "1, 2", "output": ["3"]}]}',
    ),
    Format(
        "star",
        ("Events",),
        star,
        '{"DialogueID": 1, "Events": [{"Agent": "User", "Action": "utter", "Text": "Hi"}, '
        '{"Agent": "Wizard", "Action": "utter", "Text": "Hello!"}]}',
    ),
    Format(
        "self_instruct",
        ("instruction", "instances"),
        self_instruct,
        '{"instruction": "Add the numbers.", "instances": [{"input": "1, 2", "output": "3"}]}',
    ),
    Format(
        "preference",
        ("chosen",),
        preference,
        '{"prompt": "Hi", "chosen": "Hello! How can I help?", "rejected": "What?"}',
        lambda value: "prompt" in value or is_messages(value["chosen"]),
    ),
    Format(
        "dolly",
        ("instruction", "response"),
        dolly,
        '{"instruction": "Who wrote it?", "context": "Ulysses is by Joyce.", "response": "Joyce."}',
    ),
    Format(
        "alpaca",
        ("instruction", "output"),
        alpaca,
        '{"instruction": "Add the numbers.", "input": "1, 2", "output": "3"}',
    ),
    Format(
        "flan_tsv",
        ("question", "answer", "explanation"),
        flan_tsv,
        r"Is 7 odd?\nOptions:\n- yes\n- no → yes → 7 cannot be halved. (tabs for the arrows, no header)",
    ),
    Format(
        "question/gold",
        ("question", "gold"),
        gold,
        '{"question": "Who wrote Ulysses?", "passages": [["Ulysses", "A novel by Joyce."]], "gold": "James Joyce."}',
    ),
    *(
        _pairs(prompt, response)
        for prompt, response in (
            ("prompt", "response"),
            ("prompt", "completion"),
            ("question", "answer"),
            ("question", "response"),
            ("query", "response"),
            ("input", "output"),
        )
    ),
    _pairs("inputs", "targets", "flan"),
    *map(threaded, LAYOUTS),
)
FORMATS: dict[str, Format] = {each.name: each for each in _ALL}
"""Known formats by name, in the order in which they are tried."""


def named(name: str) -> Format:
    """A format by the name used in `data.format`.

    Raises:
        UsageError: with the nearest names.
    """
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, 1, 0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"there is no format {name}; {hint}Known: {', '.join(FORMATS)}")
    return FORMATS[name]


def detect(values: Sequence[Value]) -> Format | None:
    """The first format that most of these rows have; None where no row fits any."""
    fitting = {name: sum(map(each.matches, values)) for name, each in FORMATS.items()}
    best = max(fitting, key=lambda name: fitting[name])
    return FORMATS[best] if fitting[best] else None
