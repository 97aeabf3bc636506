"""Near copies of rows, and the true similarity of every pair, counted and not estimated."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from planted.rows import Row, sentences, words_of

RUN = 3
Pair = tuple[int, int]
VIEWS: Mapping[str, Callable[[Row], str]] = {
    "instruction": lambda row: row.instruction,
    "answer": lambda row: row.response,
    "both": lambda row: f"{row.instruction}\n{row.context}\n{row.response}",
}


@dataclass(frozen=True, slots=True)
class Copies:
    """Rows in random order; `pairs` are the places of an original and its copy, with what was done to the copy."""

    rows: tuple[Row, ...]
    pairs: Mapping[Pair, str]

    def texts(self, view: str) -> list[str]:
        """One text a row."""
        return [VIEWS[view](row) for row in self.rows]


def runs_of(text: str) -> frozenset[tuple[str, ...]]:
    """The distinct runs of three words (casefolded, Unicode NFC); of a shorter text, all its words as one run."""
    words = re.findall(r"\w+", unicodedata.normalize("NFC", text).casefold())
    if len(words) < RUN:
        return frozenset([tuple(words)] if words else [])
    return frozenset(tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1))


def similarity(a: str, b: str) -> float:
    """The true Jaccard similarity of two texts' runs; 0 where either has none."""
    ours, theirs = runs_of(a), runs_of(b)
    return len(ours & theirs) / len(ours | theirs) if ours and theirs else 0.0


def true_pairs(texts: Sequence[str], threshold: float) -> dict[Pair, float]:
    """Every pair of texts, first place before second, whose true similarity reaches the threshold.

    Counts the shared runs of all pairs that share any: slow and certain. Equal sets of runs are counted once, since
    a set with thousands of equal rows would make millions of pairs of each run.
    """
    families: dict[frozenset[tuple[str, ...]], list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        if runs := runs_of(text):
            families[runs].append(place)
    sets = list(families)
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    found = {(a, b): 1.0 for places in families.values() for n, a in enumerate(places) for b in places[n + 1 :]}
    for place, runs in enumerate(sets):
        shared = Counter(other for run in runs for other in holders[run])
        for other, count in shared.items():
            share = count / (len(runs) + len(sets[other]) - count)
            if share >= threshold:
                for a in families[runs]:
                    for b in families[sets[other]]:
                        found[min(a, b), max(a, b)] = share
        for run in runs:
            holders[run].append(place)
    return found


def copies(rows: Sequence[Row], seed: int = 0, count: int = 300, total: int = 3000) -> Copies:
    """`total` rows of which `count` are near copies of others, each changed a little or much."""
    draw = Random(f"{seed} near")
    chosen = draw.sample(rows, min(total - count, len(rows)))
    long = [place for place, row in enumerate(chosen) if words_of(row) >= 25] or list(range(len(chosen)))
    made, pairs = list(chosen), {}
    for place in draw.sample(long, min(count, len(long))):
        edit, copy = changed(draw, chosen[place], chosen)
        pairs[place, len(made)] = edit
        made.append(copy)
    order = draw.sample(range(len(made)), len(made))
    moved = {old: new for new, old in enumerate(order)}
    places = {(min(moved[a], moved[b]), max(moved[a], moved[b])): edit for (a, b), edit in pairs.items()}
    return Copies(tuple(made[old] for old in order), places)


def changed(draw: Random, row: Row, others: Sequence[Row]) -> tuple[str, Row]:
    """The row with one to three kinds of edits in its answer, and in its instruction half of the time."""
    edits = draw.sample(list(EDITS), draw.choice([1, 1, 1, 2, 3]))
    share = draw.choice([0.01, 0.02, 0.04, 0.08, 0.15])
    answer, instruction = row.response, row.instruction
    for name in edits:
        answer = EDITS[name](draw, answer, share, others)
    if draw.random() < 0.5:
        instruction = EDITS[draw.choice(["typos", "words", "left out"])](draw, instruction, share, others)
    return " + ".join(edits), Row(instruction, row.context, answer)


def _some_places(draw: Random, words: Sequence[str], share: float) -> list[int]:
    places = [at for at in range(1, len(words), 2) if words[at].isalpha()]
    return draw.sample(places, min(len(places), max(1, round(share * len(words) / 2))))


def _typos(draw: Random, text: str, share: float, others: Sequence[Row]) -> str:
    words = re.split(r"(\w+)", text)
    for at in _some_places(draw, words, share):
        word, letter = words[at], draw.randrange(len(words[at]))
        following = word[letter + 1 : letter + 2]
        words[at] = draw.choice(
            [
                word[:letter] + word[letter + 1 :],
                word[:letter] + word[letter] * 2 + word[letter + 1 :],
                word[:letter] + following + word[letter] + word[letter + 2 :],
                word[:letter] + draw.choice("abcdefghijklmnopqrstuvwxyz") + word[letter + 1 :],
            ]
        )
    return "".join(words)


def _words(draw: Random, text: str, share: float, others: Sequence[Row]) -> str:
    words = re.split(r"(\w+)", text)
    for at in _some_places(draw, words, share):
        words[at] = draw.choice(re.findall(r"\w+", draw.choice(others).response) or ["so"])
    return "".join(words)


def _left_out(draw: Random, text: str, share: float, others: Sequence[Row]) -> str:
    words = re.split(r"(\w+)", text)
    for at in _some_places(draw, words, share):
        words[at] = ""
    return "".join(words)


def _order(draw: Random, text: str, share: float, others: Sequence[Row]) -> str:
    pieces = sentences(text)
    if len(pieces) > 1:
        at = draw.randrange(len(pieces) - 1)
        pieces[at], pieces[at + 1] = pieces[at + 1], pieces[at]
    return " ".join(pieces if share < 0.08 else draw.sample(pieces, len(pieces)))


def _added(draw: Random, text: str, share: float, others: Sequence[Row]) -> str:
    pieces = sentences(text)
    for _ in range(1 if share < 0.04 else 2):
        more = sentences(draw.choice(others).response)
        pieces.insert(draw.randint(0, len(pieces)), draw.choice(more or ["That is all."]))
    return " ".join(pieces)


def _look(draw: Random, text: str, share: float, others: Sequence[Row]) -> str:
    return draw.choice([text.upper(), text.lower(), text.replace(",", ""), text + " "])


EDITS: Mapping[str, Callable[[Random, str, float, Sequence[Row]], str]] = {
    "typos": _typos,
    "words": _words,
    "left out": _left_out,
    "order": _order,
    "added": _added,
    "look": _look,
}
