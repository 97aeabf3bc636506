"""Batched decoding with a KV cache: the only place that decodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.model.forward import alike_up_to, plain
from tutelage.model.padded import padded, taken
from tutelage.model.slots import fits, side_by_side
from tutelage.recipe import DecodingSettings


@dataclass(frozen=True, slots=True)
class Decoded:
    """New ids of one prompt, without the stop token; `stopped` says whether one came before the limit."""

    ids: tuple[int, ...]
    stopped: bool

    @property
    def looped(self) -> bool:
        """Whether it did not stop and repeats itself at its end."""
        return not self.stopped and loops(self.ids)

    @property
    def tokens(self) -> int:
        """Tokens written, the stop token included."""
        return len(self.ids) + int(self.stopped)


LOOP_TIMES, LOOP_TOKENS = 4, 48
"""A text loops where it ends with the same tokens so many times over, all of them together at least so long."""


def loops(ids: Sequence[int]) -> bool:
    """Whether a text has begun to repeat itself; a greedy answer that does so hardly ever ends."""
    for period in range(1, len(ids) // LOOP_TIMES + 1):
        if ids[-1] != ids[-1 - period]:
            continue
        length = max(LOOP_TIMES * period, LOOP_TOKENS)
        if length <= len(ids) and ids[-length:-period] == ids[period - length :]:
            return True
    return False


def decode(
    network: Any,
    prompts: Sequence[Sequence[int]],
    stop_ids: frozenset[int],
    settings: DecodingSettings,
    progress: Callable[[int], None] | None = None,
    ended: Callable[[int, Sequence[int]], bool] | None = None,
    cut_loops: bool = False,
) -> tuple[Decoded, ...]:
    """Answers to all prompts, in their order.

    Up to `batch_size` texts are written side by side, the longest prompts first; where one is done, the next prompt
    takes its place. A model to which that does not apply (`slots`) gets padded batches through its own forward and
    cache, or one prompt at a time where a long text would change its neighbours.

    Args:
        prompts: token ids from `Encoder.prompt`.
        stop_ids: ids that end an answer.
        progress: called with the number of prompts answered since the last call.
        ended: whether the ids so far are enough for the prompt at a place; where it says so, no more are made.
        cut_loops: the same where a greedy text has begun to repeat itself; one that is drawn can leave a loop.
    """
    rows: list[list[int]] = [[] for _ in prompts]
    stopped, done = set[int](), set[int]()
    told, greedy = 0, settings.temperature == 0
    for place, token in all_tokens(network, prompts, stop_ids, settings, done):
        if token in stop_ids:
            stopped.add(place)
        else:
            rows[place].append(token)
        full = token in stop_ids or len(rows[place]) == settings.max_new_tokens
        if full or (ended and ended(place, rows[place])) or (cut_loops and greedy and loops(rows[place])):
            done.add(place)
        if progress and len(done) > told:
            progress(len(done) - told)
            told = len(done)
    return tuple(Decoded(tuple(row), place in stopped) for place, row in enumerate(rows))


def stream(network: Any, prompt: Sequence[int], stop_ids: frozenset[int], settings: DecodingSettings) -> Iterator[int]:
    """The new ids of one prompt as they come, the stop id included."""
    for _, token in all_tokens(network, [prompt], stop_ids, settings, set()):
        yield token


def all_tokens(
    network: Any,
    prompts: Sequence[Sequence[int]],
    stop_ids: frozenset[int],
    settings: DecodingSettings,
    done: set[int],
) -> Iterator[tuple[int, int]]:
    """(place of the prompt, new id) as they come; a prompt whose place the caller puts into `done` gets no more."""
    if not prompts:
        return
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    alike = max(map(len, prompts)) + settings.max_new_tokens <= alike_up_to(plain(network))
    if alike and fits(network):
        yield from side_by_side(network, prompts, order, stop_ids, settings, done)
        return
    size = settings.batch_size if alike and {"past_key_values", "position_ids"} <= taken(network) else 1
    for start in range(0, len(order), size):
        places = order[start : start + size]
        yield from padded(network, [prompts[place] for place in places], stop_ids, settings, places, done)
