"""Near duplicates against comparing all with all, on planted copies: with typing errors, moved and added sentences."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tutelage.data.contamination import Item, touches
from tutelage.data.duplicates import jaccard, shingles
from tutelage.data.near import near_between, near_duplicates, near_groups
from tutelage.records import Conversation, Dataset, Role, Source, Turn, with_ids

THRESHOLD = 0.8
ORIGINALS = 500
VOCABULARY = [f"{start}{middle}{end}" for start in "bdfgklmn" for middle in ("a", "ei", "o", "u") for end in "lnrst"]


def sentence(rng: random.Random) -> str:
    words = rng.choices(VOCABULARY, k=rng.randint(6, 18))
    return f"{' '.join(words).capitalize()}."


def typed(text: str, rng: random.Random) -> str:
    """One to three letters changed."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text))
        text = f"{text[:at]}x{text[at + 1 :]}"
    return text


def moved(text: str, rng: random.Random) -> str:
    """Two neighbouring sentences change places."""
    parts = text.split(". ")
    at = rng.randrange(len(parts) - 1)
    parts[at : at + 2] = reversed(parts[at : at + 2])
    return ". ".join(parts)


def added(text: str, rng: random.Random) -> str:
    """One more sentence somewhere."""
    parts = text.split(". ")
    parts.insert(rng.randrange(len(parts)), sentence(rng).rstrip("."))
    return ". ".join(parts)


def loud(text: str, rng: random.Random) -> str:
    """Other case, punctuation and spaces: the words stay."""
    return text.upper().replace(".", " ! ").replace(" ", "  ")


EDITS: tuple[Callable[[str, random.Random], str], ...] = (typed, moved, added, loud)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """500 texts of 3 to 12 sentences, drawn from few enough that strangers share some, and 240 edited copies."""
    rng = random.Random(0)
    sentences = [sentence(rng) for _ in range(2000)]
    made = [" ".join(rng.choices(sentences, k=rng.randint(3, 12))) for _ in range(ORIGINALS)]
    made += [EDITS[n % len(EDITS)](made[n], rng) for n in range(240)]
    return made


@pytest.fixture(scope="module")
def expected(texts: list[str]) -> dict[tuple[int, int], float]:
    """All pairs that reach the threshold, by comparing all with all."""
    sets = list(map(shingles, texts))
    pairs = ((a, b) for b in range(len(sets)) for a in range(b))
    return {pair: same for pair in pairs if (same := jaccard(sets[pair[0]], sets[pair[1]])) >= THRESHOLD}


def test_every_pair_and_no_other_is_found(texts: list[str], expected: dict[tuple[int, int], float]) -> None:
    found = {(near.first, near.second): near.similarity for near in near_duplicates(texts, THRESHOLD)}
    assert found == expected  # precision and recall of 1, and the same similarities
    planted = Counter(EDITS[a % len(EDITS)].__name__ for a, b in expected if b == a + ORIGINALS)
    assert planted == {"loud": 60, "typed": 49, "moved": 56, "added": 45}


def test_groups_and_pairs_between_two_sets_agree(texts: list[str], expected: dict[tuple[int, int], float]) -> None:
    groups = list(range(len(texts)))
    for _ in range(3):
        for a, b in sorted(expected):
            groups[a] = groups[b] = min(groups[a], groups[b])
    assert near_groups(texts, THRESHOLD).tolist() == groups
    between = {(near.first, ORIGINALS + near.second) for near in near_between(texts[:ORIGINALS], texts[ORIGINALS:])}
    assert between == {(a, b) for a, b in expected if a < ORIGINALS <= b}


def test_planted_benchmark_items_are_found(texts: list[str]) -> None:
    """Every fourth row quotes an item whole, with one word changed, or half of it; no other row touches any."""
    rng = random.Random(1)
    items = [Item("bench", str(n), " ".join(rng.choices(VOCABULARY, k=40))) for n in range(60)]
    rows = list(texts[:240])
    for n, item in enumerate(items):
        words = item.text.split()
        if n % 3 == 1:
            words[rng.randrange(40)] = "xxx"
        rows[4 * n] += " " + " ".join(words if n % 3 < 2 else words[:20])
    made = with_ids(
        (Conversation((Turn(Role.USER, row), Turn(Role.ASSISTANT, "Yes."))), Source("rows", (n,)), "", ())
        for n, row in enumerate(rows)
    )
    found = touches(Dataset(made), items)
    expected = [(4 * n, str(n)) for n in range(60) if n % 3 < 2]
    assert [(hit.source.rows[0], hit.item.id) for hit in found] == expected
    assert Counter(hit.share == 1 for hit in found) == {True: 20, False: 20}
