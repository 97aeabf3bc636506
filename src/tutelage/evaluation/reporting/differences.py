"""Where two texts agree word by word, and where they do not: what is marked in answers that stand side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import groupby

from tutelage.evaluation.reporting.content import Piece

WORDS = 400
"""Words of a text that are compared; what comes after them is left unmarked."""
LETTERS = 5
"""Letters of a run of words that is worth a mark; a lone "the" in both says nothing."""
_PIECE = re.compile(
    "[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]|[^\\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]+|\\W+"
)  # a script that writes no blanks between words is compared letter by letter


def _pieces(text: str) -> list[str]:
    return _PIECE.findall(text)


def _places(pieces: Sequence[str]) -> list[int]:
    """Where the words stand, as far as they are compared."""
    return [place for place, piece in enumerate(pieces) if piece[0].isalnum() or piece[0] == "_"][:WORDS]


def _blocks(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int, int]]:
    """Runs of words in both, in order: where they begin in each, and how long they are."""
    found = SequenceMatcher(None, [word.casefold() for word in one], [word.casefold() for word in other], False)
    return [
        (block.a, block.b, block.size)
        for block in found.get_matching_blocks()
        if sum(map(len, one[block.a : block.a + block.size])) >= LETTERS
    ]


def _joined(texts: Sequence[str], hows: Sequence[str]) -> tuple[Piece, ...]:
    both = zip(texts, hows, strict=True)
    return tuple(Piece("".join(text for text, _ in run), how) for how, run in groupby(both, lambda pair: pair[1]))


def _runs(places: Sequence[int], starts: Sequence[tuple[int, int]]) -> set[int]:
    """The pieces of runs of words, with what stands between their words."""
    return {piece for start, size in starts for piece in range(places[start], places[start + size - 1] + 1) if size}


def agreement(answer: str, reference: str) -> tuple[tuple[Piece, ...], float | None]:
    """The answer with what is word for word as in the reference marked "same"; and the share of the reference's
    words that are found so, None where it has none.

    The pieces' texts together are the answer.
    """
    pieces, others = _pieces(answer), _pieces(reference)
    places, theirs = _places(pieces), _places(others)
    blocks = _blocks([pieces[place] for place in places], [others[place] for place in theirs])
    marked = _runs(places, [(start, size) for start, _, size in blocks])
    share = sum(size for _, _, size in blocks) / len(theirs) if theirs else None
    return _joined(pieces, ["same" if place in marked else "" for place in range(len(pieces))]), share


def changes(theirs: str, ours: str) -> tuple[Piece, ...]:
    """One text turned into the other: what only `theirs` has, what only `ours` has, and, unmarked, what both have.

    Without the pieces "theirs" what is left is `ours`; without those of `ours` the words are those of `theirs`.
    """
    left, right = _pieces(theirs), _pieces(ours)
    places, others = _places(left), _places(right)
    blocks = _blocks([left[place] for place in places], [right[place] for place in others])
    texts, hows, done, told = list[str](), list[str](), 0, 0
    for start, begin, size in [*blocks, (len(places), len(others), 0)]:
        upto = places[start] if size else len(left)
        until = others[begin] if size else len(right)
        for how, pieces in (("theirs", left[done:upto]), ("ours", right[told:until])):
            texts += pieces
            hows += [how] * len(pieces)
        if size:
            done, told = places[start + size - 1] + 1, others[begin + size - 1] + 1
            same = right[until:told]
            texts += same
            hows += [""] * len(same)
    return _joined(texts, hows)
