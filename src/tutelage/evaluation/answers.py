"""Answers to prompts, in order and with their ids."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.errors import DataError, TemplateError, UsageError
from tutelage.model.forward import plain
from tutelage.model.generate import Decoded, decode
from tutelage.recipe import DecodingSettings
from tutelage.records import Prompt
from tutelage.text.encode import Encoder
from tutelage.tuning.run import write_text


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote to one prompt.

    Attributes:
        id: the prompt's id.
        stopped: the model ended its answer before the limit.
        tokens: written, the stop token included.
        looped: it did not stop, and at its end it repeats itself.
    """

    id: str
    answer: str
    stopped: bool
    tokens: int
    looped: bool = False


def context_length(network: Any) -> int | None:
    """The most tokens that the model was made for, None where its config does not say."""
    most = getattr(plain(network).config.get_text_config(), "max_position_embeddings", None)
    return int(most) if most else None


@dataclass(frozen=True, eq=False)
class Ask:
    """Prompts with the way they are shown.

    Attributes:
        markers: texts with which the next turn would begin. An answer is cut before the first of them and
            counts as stopped there: a model without a chat template has no better way to say that it is done.
    """

    encoder: Encoder
    prompts: Sequence[Prompt]
    markers: Sequence[str] = ()


def generate(
    network: Any,
    encoder: Encoder,
    prompts: Sequence[Prompt],
    decoding: DecodingSettings,
    progress: Callable[[int], None] | None = None,
    markers: Sequence[str] = (),
) -> tuple[Answer, ...]:
    """Answers to all prompts, in their order; see `generate_together`."""
    return generate_together(network, [Ask(encoder, prompts, markers)], decoding, progress)[0]


def generate_together(
    network: Any,
    asks: Sequence[Ask],
    decoding: DecodingSettings,
    progress: Callable[[int], None] | None = None,
    cut_loops: bool = False,
) -> tuple[tuple[Answer, ...], ...]:
    """Answers to the prompts of each ask, in their order; all are written side by side.

    Args:
        progress: called with the number of prompts answered since the last call.
        cut_loops: a greedy answer that has begun to repeat itself is not written on.

    Raises:
        DataError: a prompt leaves no room for an answer, or the template refuses it.
    """
    flat = [(ask, prompt, prompt_ids(ask.encoder, prompt)) for ask in asks for prompt in ask.prompts]
    # Where the model's context is short, prompts near its end get what is left; the others are not shortened.
    kinds = [(_room(network, prompt, len(ids), decoding), ask.encoder.stop_ids) for ask, prompt, ids in flat]
    made: dict[int, Decoded] = {}
    for room, stop_ids in sorted(set(kinds), key=lambda kind: (-kind[0], sorted(kind[1]))):
        places = [place for place, kind in enumerate(kinds) if kind == (room, stop_ids)]
        settings = decoding.model_copy(update={"max_new_tokens": room})
        ended = _ended([flat[place][0] for place in places])
        ids = [flat[place][2] for place in places]
        answers = decode(network, ids, stop_ids, settings, progress, ended, cut_loops)
        made |= dict(zip(places, answers, strict=True))
    all_made = [_answer(ask, prompt.id, made[place]) for place, (ask, prompt, _) in enumerate(flat)]
    return tuple(tuple(all_made.pop(0) for _ in ask.prompts) for ask in asks)


def _ended(asks: Sequence[Ask]) -> Callable[[int, Sequence[int]], bool] | None:
    """Whether a marker stands in the text so far; what would come after it is cut away, so it need not be made."""
    if not any(ask.markers for ask in asks):
        return None

    def ended(place: int, ids: Sequence[int]) -> bool:
        ask = asks[place]
        reach = max((len(marker) for marker in ask.markers), default=0) + 1
        text = ask.encoder.decode(ids[-reach:])  # a token has at least one character, but for parts of one
        return any(marker in (f"\n{text}" if len(ids) <= reach else text) for marker in ask.markers)

    return ended


def prompt_ids(encoder: Encoder, prompt: Prompt) -> list[int]:
    """The ids that a model reads.

    Raises:
        DataError: the template refuses the prompt.
    """
    try:
        return encoder.prompt(prompt.turns)
    except TemplateError as error:
        raise DataError(f"the prompt {prompt.id} does not fit the template: {error}") from error


def _room(network: Any, prompt: Prompt, length: int, decoding: DecodingSettings) -> int:
    most = context_length(network)
    if most is None:
        return decoding.max_new_tokens
    if length >= most:
        raise DataError(
            f"the prompt {prompt.id} has {length} tokens and leaves no room for an answer: this model reads "
            f"at most {most}; shorten the prompt"
        )
    return min(decoding.max_new_tokens, most - length)


def _answer(ask: Ask, name: str, decoded: Decoded) -> Answer:
    encoder, markers = ask.encoder, ask.markers
    text = encoder.decode(decoded.ids)
    # The prompt ends with a line break, so a marker that begins a line may stand at the very start.
    found = [place for marker in markers if (place := f"\n{text}".find(marker)) >= 0]
    if not found:
        return Answer(name, text, decoded.stopped, decoded.tokens, decoded.looped)
    kept = f"\n{text}"[: min(found)][1:].rstrip()
    count = 0
    while len(encoder.decode(decoded.ids[:count])) < len(kept):
        count += 1
    return Answer(name, kept, True, count + 1)  # the marker counts as one, like a stop token


def write_answers(path: Path, answers: Sequence[Answer]) -> None:
    """JSONL with `id, answer, stopped, tokens`, written whole or not at all.

    Raises:
        UsageError: nothing can be written there.
        TuningError: the disk is full.
    """
    names = ("id", "answer", "stopped", "tokens")
    rows = [{name: getattr(answer, name) for name in names} for answer in answers]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, "".join(lines))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
