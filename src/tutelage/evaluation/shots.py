"""Examples from a run's training data, to be shown to its base instead of tuning it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tutelage.errors import DataError, TutelageError
from tutelage.records import Example, Role, Turn
from tutelage.tuning.prepare import gather
from tutelage.tuning.run import Run

TRIED = 64
"""Examples that are drawn until some of them are short enough."""


def training_examples(run: Run) -> Sequence[Example]:
    """What the run was tuned on, read again from its files; what was mixed in is not among them.

    Raises:
        DataError: the files are not there any more, or hold something else.
    """
    recipe = run.recipe()
    if not recipe.data.files:
        raise DataError("the run names no data")
    own = recipe.model_copy(update={"data": recipe.data.model_copy(update={"mix": ()})})
    try:
        _, train, _ = gather(own, recipe.tuning.seed, lambda line: None, lambda example: 1)
    except (TutelageError, OSError) as error:
        raise DataError(str(error)) from error
    return train.examples


def drawn(
    examples: Sequence[Example],
    count: int,
    seed: int,
    held: Sequence[Example],
    fits: Callable[[tuple[Turn, ...]], bool],
) -> tuple[tuple[Turn, ...], int]:
    """Turns of up to `count` conversations drawn by seed, and of how many they are; system turns are left out.

    Args:
        held: what is measured; none of it is shown.
        fits: whether turns that are shown together leave room for the prompts.
    """
    places = random.Random(seed).sample(range(len(examples)), min(len(examples), TRIED))
    measured = {one.conversation.prompt for one in held}
    turns: tuple[Turn, ...] = ()
    shown = 0
    for place in places:
        conversation = examples[place].conversation
        if shown == count or conversation.prompt in measured:
            continue
        more = tuple(turn for turn in conversation.turns if turn.role is not Role.SYSTEM)
        if fits((*turns, *more)):
            turns, shown = (*turns, *more), shown + 1
    return turns, shown
