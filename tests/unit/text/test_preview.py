"""What a person sees of a conversation before tuning."""

from __future__ import annotations

from texts import examples_of, turns_of

from tutelage.text.encode import Encoder
from tutelage.text.preview import Piece, pieces, preview


def test_pieces_name_what_is_trained_and_what_is_control(encoder: Encoder) -> None:
    turns = turns_of("s: Be brief.", "u: Hi </s>", "a: Bye\n\nnow")
    shown = pieces(encoder, encoder.encode(turns))
    assert [(piece.text, piece.trained, piece.control) for piece in shown] == [
        ("<s><|system|>", False, True),
        ("\nBe brief.", False, False),
        ("</s><|user|>", False, True),
        ("\nHi </s>", False, False),
        ("</s><|assistant|>", False, True),
        ("\n", False, False),
        ("Bye\n\nnow", True, False),
        ("</s>", True, True),
    ]
    assert sum(piece.tokens for piece in shown) == len(encoder.encode(turns))
    assert shown[-1] == Piece("</s>", 1, trained=True, control=True)


def test_the_examples_shown_are_spread_over_the_data(encoder: Encoder) -> None:
    examples = examples_of([turns_of(f"u: {number}", "a: ok") for number in range(10)])
    for count, places in (
        (0, []),
        (1, [0]),
        (3, [0, 3, 6]),
        (7, [0, 1, 2, 4, 5, 7, 8]),
        (10, list(range(10))),
        (99, list(range(10))),
    ):
        shown = preview(encoder, examples, count)
        assert [example for example, _ in shown] == [examples[place] for place in places]
        assert all(made == pieces(encoder, encoder.encode(example.conversation.turns)) for example, made in shown)
    assert preview(encoder, (), 3) == ()
