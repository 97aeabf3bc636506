"""A conversation as a person should see it before tuning: every token, with what is trained in colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tutelage.records import Example
from tutelage.text.encode import Encoder, Tokens


@dataclass(frozen=True, slots=True)
class Piece:
    """Neighbouring tokens of one kind.

    Attributes:
        text: what they decode to; control tokens by their names.
        tokens: how many they are.
        trained: the loss looks at them.
        control: they are control tokens.
    """

    text: str
    tokens: int
    trained: bool
    control: bool


def pieces(encoder: Encoder, tokens: Tokens) -> tuple[Piece, ...]:
    """The tokens of an example grouped by what they are; together they are all of its tokens, in order."""
    names = {number: text for text, number in encoder.control.items()}
    kinds = [
        (bool(weight > 0), int(number) in names) for number, weight in zip(tokens.ids, tokens.weights, strict=True)
    ]
    made, start = [], 0
    for (trained, control), group in groupby(kinds):
        end = start + len(list(group))
        ids = [int(number) for number in tokens.ids[start:end]]
        text = "".join(names[number] for number in ids) if control else encoder.text(ids)
        made.append(Piece(text, end - start, trained, control))
        start = end
    return tuple(made)


def preview(encoder: Encoder, examples: Sequence[Example], count: int) -> tuple[tuple[Example, tuple[Piece, ...]], ...]:
    """`count` examples spread evenly over the data, with their pieces."""
    count = min(count, len(examples))
    chosen = [examples[number * len(examples) // count] for number in range(count)]
    return tuple(
        (example, pieces(encoder, encoder.encode(example.conversation.turns, example.id))) for example in chosen
    )
