"""Topics of instructions by clustering: weighted words, fewer dimensions, k-means; and their places on a map.

TF-IDF, latent semantic analysis (Deerwester et al. 1990) and k-means are scikit-learn's. With the same seed the same
texts get the same topics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.data.exchange import quote
from tutelage.data.specimens import hidden
from tutelage.data.subjects import READ, subject_words

MOST = 20
"""At most so many topics."""
DIMENSIONS = 12
"""With more, a few hundred instructions that share no words fall into one topic of nearly everything."""
WORDS = 4
"""So many words name a topic."""
SHOWN = 3
FEW = 50
"""From so many instructions on, a word has to stand in two of them."""
UNNAMED = "too short to tell"
"""The topic of instructions without a word that says what they are about."""
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Topic:
    """A cluster of instructions.

    Attributes:
        name: its most telling words, as one line.
        words: the same words, the most telling first.
        count, share: instructions in it, and as a share of 1.
        examples: up to three instructions nearest its centre, shortened.
        x, y: its place on a map of the topics, between -1 and 1; near topics lie near each other.
    """

    name: str
    words: tuple[str, ...]
    count: int
    share: float
    examples: tuple[str, ...]
    x: float
    y: float


def topics_of(texts: Sequence[str], seed: int = 0) -> tuple[Topic, ...]:
    """The topics of some instructions, the largest first; each instruction is in one of them.

    About the square root of half as many topics as there are different instructions, at most 20.
    """
    placed = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    different = list(placed)
    counts = np.bincount([placed[text] for text in texts], minlength=len(different)).astype(np.float64)
    words = list(map(subject_words, different))
    told = [number for number, held in enumerate(words) if held]
    found: list[Topic] = []
    if told:
        found += _clustered(
            [different[number] for number in told], [words[number] for number in told], counts[told], len(texts), seed
        )
    rest = [number for number, held in enumerate(words) if not held]
    if rest:
        count = int(counts[rest].sum())
        shown = tuple(excerpt(different[number]) for number in rest[:SHOWN])
        found.append(Topic(UNNAMED, (), count, count / len(texts), shown, 0.0, 0.0))
    return tuple(sorted(found, key=lambda topic: (-topic.count, topic.name)))


def excerpt(instruction: str) -> str:
    """The beginning of an instruction as it may be shown: what is personal is masked before the text is cut."""
    return quote(hidden(instruction[:READ]))


def _clustered(
    texts: Sequence[str], words: Sequence[tuple[str, ...]], counts: Matrix, of: int, seed: int
) -> list[Topic]:
    from sklearn.cluster import KMeans
    from sklearn.feature_extraction.text import TfidfVectorizer
    from threadpoolctl import threadpool_limits

    seldom = 2 if len(texts) >= FEW and _shared(words) else 1
    vectorizer = TfidfVectorizer(analyzer=tuple, sublinear_tf=True, min_df=seldom, max_features=20_000)
    with threadpool_limits(1):  # sums over threads would depend on their number
        weighted = vectorizer.fit_transform(words)
        vectors = _fewer(weighted, seed)
        wanted = max(1, min(MOST, round(math.sqrt(len(texts) / 2)), len(np.unique(vectors, axis=0))))
        means = KMeans(wanted, n_init=4, random_state=seed).fit(vectors, sample_weight=counts)
    labels, centres = means.labels_, means.cluster_centers_
    names = vectorizer.get_feature_names_out()
    overall = np.asarray(weighted.mean(axis=0)).ravel()
    topics = []
    for number, place in zip(np.unique(labels), _map(centres)[np.unique(labels)], strict=True):
        inside = np.flatnonzero(labels == number)
        telling = np.asarray(weighted[inside].mean(axis=0)).ravel()
        best = np.argsort(-(telling - overall / 2), kind="stable")[:WORDS]
        named = tuple(str(names[at]) for at in best if telling[at] > 0)
        near = inside[np.argsort(np.linalg.norm(vectors[inside] - centres[number], axis=1), kind="stable")[:SHOWN]]
        count = int(counts[inside].sum())
        shown = tuple(excerpt(texts[at]) for at in near)
        topics.append(
            Topic(", ".join(named) or UNNAMED, named, count, count / of, shown, float(place[0]), float(place[1]))
        )
    return topics


def _shared(words: Sequence[tuple[str, ...]]) -> bool:
    """Whether any word stands in two texts."""
    seen: set[str] = set()
    for held in map(set, words):
        if seen & held:
            return True
        seen |= held
    return False


def _fewer(weighted: Any, seed: int) -> Matrix:
    """(texts, words) -> (texts, at most DIMENSIONS), each row of length 1 or 0."""
    from sklearn.decomposition import TruncatedSVD

    dimensions = min(DIMENSIONS, weighted.shape[0] - 1, weighted.shape[1] - 1)
    vectors = (
        weighted.toarray() if dimensions < 2 else TruncatedSVD(dimensions, random_state=seed).fit_transform(weighted)
    )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 1e-9, lengths, 1.0), np.float64)


def _map(centres: Matrix) -> Matrix:
    """(topics, dimensions) -> (topics, 2): their two main directions, between -1 and 1."""
    middle = centres - centres.mean(axis=0)
    left, sizes, _ = np.linalg.svd(middle, full_matrices=False)
    flat = (left * sizes)[:, :2]
    flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    flat = flat * np.where(flat.sum(axis=0) < 0, -1.0, 1.0)  # a direction's sign says nothing: always the same one
    largest = np.abs(flat).max()
    return np.asarray(flat / largest if largest > 1e-9 else np.zeros_like(flat), np.float64)
