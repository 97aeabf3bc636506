"""Answers to prompts, in order and with their ids."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
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
    """

    id: str
    answer: str
    stopped: bool
    tokens: int


def context_length(network: Any) -> int | None:
    """The most tokens that the model was made for, None where its config does not say."""
    most = getattr(plain(network).config.get_text_config(), "max_position_embeddings", None)
    return int(most) if most else None


def generate(
    network: Any,
    encoder: Encoder,
    prompts: Sequence[Prompt],
    decoding: DecodingSettings,
    progress: Callable[[int], None] | None = None,
    markers: Sequence[str] = (),
) -> tuple[Answer, ...]:
    """Answers to all prompts, in their order.

    Args:
        progress: called with the number of prompts answered since the last call.
        markers: texts with which the next turn would begin. An answer is cut before the first of them and
            counts as stopped there: a model without a chat template has no better way to say that it is done.

    Raises:
        DataError: a prompt leaves no room for an answer, or the template refuses it.
    """
    ids = [_prompt_ids(encoder, prompt) for prompt in prompts]
    rooms = [_room(network, prompt, len(row), decoding) for prompt, row in zip(prompts, ids, strict=True)]
    made: dict[int, Decoded] = {}
    # Where the model's context is short, prompts near its end get what is left; the others are not shortened.
    for room in sorted(set(rooms), reverse=True):
        places = [place for place, most in enumerate(rooms) if most == room]
        settings = decoding.model_copy(update={"max_new_tokens": room})
        rows = [ids[place] for place in places]
        answers = decode(network, rows, encoder.stop_ids, settings, progress, _ended(encoder, markers))
        made |= dict(zip(places, answers, strict=True))
    return tuple(_answer(encoder, prompt.id, made[place], markers) for place, prompt in enumerate(prompts))


def _ended(encoder: Encoder, markers: Sequence[str]) -> Callable[[Sequence[int]], bool] | None:
    """Whether a marker stands in the text so far; what would come after it is cut away, so it need not be made."""
    if not markers:
        return None
    reach = max(len(marker) for marker in markers) + 1

    def ended(ids: Sequence[int]) -> bool:
        text = encoder.decode(ids[-reach:])  # a token has at least one character, but for parts of one
        return any(marker in (f"\n{text}" if len(ids) <= reach else text) for marker in markers)

    return ended


def _prompt_ids(encoder: Encoder, prompt: Prompt) -> list[int]:
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


def _answer(encoder: Encoder, name: str, decoded: Decoded, markers: Sequence[str]) -> Answer:
    text = encoder.decode(decoded.ids)
    # The prompt ends with a line break, so a marker that begins a line may stand at the very start.
    found = [place for marker in markers if (place := f"\n{text}".find(marker)) >= 0]
    if not found:
        return Answer(name, text, decoded.stopped, decoded.tokens)
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
    lines = [json.dumps(asdict(answer), ensure_ascii=False) + "\n" for answer in answers]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, "".join(lines))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
