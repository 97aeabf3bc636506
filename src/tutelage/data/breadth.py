"""How broad a data set is: kinds of instruction, topics, how even they are, and a warning where it is one task."""

from __future__ import annotations

import hashlib
import heapq
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from tutelage.data.general import NAME, general_examples
from tutelage.data.kinds import ABOUT, CLASSIFY, KINDS, OTHER, QUESTION, instruction_of, kinds_of, labels, request_of
from tutelage.data.mixing import characters
from tutelage.data.subjects import covering_half, likeness, subject_words
from tutelage.data.topics import Topic, excerpt, topics_of
from tutelage.records import Example

MOST = 5_000
"""At most so many conversations are looked at: a share is then off by less than two points, 95 times of 100."""
LARGEST = 0.6
"""Data of which one kind is such a share is one task: broad sets have up to 0.4, narrow ones from 0.66 on."""
FEW_WORDS = 8
"""Questions and requests half of which hold one of up to so many words are about one thing: broad sets need 14."""
MOSTLY = 0.7
ENOUGH = 60
"""From so many different instructions on their words say whether they are about one thing."""
ABSENT = 0.005
"""A kind with a smaller share is missing."""
ADVISED = 0.2
"""The share of general examples that is advised, a rule of thumb: docs/data.md says where it comes from."""
SHOWN = 3
FORGETS = "A model tuned on it alone tends to forget how to do other things."
ASKING = frozenset({QUESTION, ABOUT, OTHER, "explain", "advise", "support", "small talk"})
"""Kinds that are told apart by how somebody asks, not by what has to be done."""
TASKS = {
    "translate": "translate",
    "summarise": "summarise",
    CLASSIFY: "choose a label",
    "extract": "take something out of a text",
    "code": "write or explain code",
    "rewrite": "rewrite a text",
    "maths": "work out a number",
    "act a part": "act a part",
    "list ideas": "list ideas",
    "write": "write a text",
    "small talk": "talk about the assistant itself or about nothing much",
    "explain": "explain",
    "support": "help a customer",
    "advise": "give advice",
    QUESTION: "answer a question",
    ABOUT: "answer a question on a text",
}


@dataclass(frozen=True, slots=True)
class Share:
    """A kind of instruction: `count` of those looked at, `share` of 1, and `general`, its share of the general set."""

    name: str
    count: int
    share: float
    general: float
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Breadth:
    """What a data set asks for, and how evenly.

    Attributes:
        kinds: kinds of instruction, the largest first.
        topics: topics, the largest first.
        of: conversations in the data set.
        sampled: so many of them were looked at.
        kind_entropy, topic_entropy: 0 (all alike) to 1 (all kinds or topics equally often).
        effective_kinds, effective_topics: exp of the entropy in nats: as varied as so many equally frequent ones.
        largest: share of the largest kind.
        distinct_answers: different answers as a share of all.
        subject_words: the words that half of the instructions hold, as few as were found; many mean many subjects.
        likeness: how alike two instructions are on average, 0 to 1 (mean cosine of their words).
        missing: kinds that the general set has and this data has not.
        narrow: whether it is one task, or about one thing.
        warning: what that means; "" where it is not narrow.
        advice: what to do about it; "" where it is not narrow.
    """

    kinds: tuple[Share, ...]
    topics: tuple[Topic, ...]
    of: int
    sampled: int
    kind_entropy: float
    topic_entropy: float
    effective_kinds: float
    effective_topics: float
    largest: float
    distinct_answers: float
    subject_words: tuple[str, ...]
    likeness: float
    missing: tuple[str, ...]
    narrow: bool
    warning: str
    advice: str

    def as_dict(self) -> dict[str, object]:
        """Everything as plain values for JSON."""
        return asdict(self)


def survey(examples: Sequence[Example], seed: int = 0, of: int = 0, topics: bool = True, most: int = MOST) -> Breadth:
    """The breadth of a data set; of more than 5,000 conversations, of a sample chosen by hash.

    Args:
        examples: the data set's, or a sample of them.
        seed: of the sample and of the clustering; with the same one the result is the same.
        of: how many conversations the whole data set has, where `examples` are a sample.
        topics: cluster; without, the topics are empty and the rest is the same, in less time.
        most: of more conversations than these a sample is looked at.
    """
    whole = of or len(examples)
    if len(examples) > most:
        examples = heapq.nsmallest(most, examples, key=lambda example: _rank(seed, example.id))
    texts = [instruction_of(example.conversation) for example in examples]
    names = kinds_of(examples)
    shares = _shares(names, texts)
    found = topics_of(texts, seed) if topics and texts else ()
    requests = [subject_words(request_of(text)) for text in dict.fromkeys(texts)]
    words = covering_half(requests)
    largest = shares[0].share if shares else 0.0
    present = {kind.name for kind in shares if kind.share >= ABSENT}
    asking = sum(kind.share for kind in shares if kind.name in ASKING)
    told = ""
    if largest >= LARGEST and shares[0].name != OTHER:
        told = _one_task(shares[0], examples)
    elif len(words) <= FEW_WORDS and asking >= MOSTLY and sum(map(bool, requests)) >= ENOUGH:
        told = f"about one thing: half of its requests hold {_one_of(words)}"
    return Breadth(
        kinds=shares,
        topics=found,
        of=whole,
        sampled=len(examples),
        kind_entropy=_evenness([kind.count for kind in shares], len(KINDS)),
        topic_entropy=_evenness([topic.count for topic in found], len(found)),
        effective_kinds=math.exp(_entropy([kind.count for kind in shares])),
        effective_topics=math.exp(_entropy([topic.count for topic in found])) if found else 0.0,
        largest=largest,
        distinct_answers=len({e.conversation.answer for e in examples}) / max(1, len(examples)),
        subject_words=words,
        likeness=likeness(requests),
        missing=tuple(name for name, share in _general().items() if share >= 2 * ABSENT and name not in present),
        narrow=bool(told),
        warning=f"This data is {told}. {FORGETS}" if told else "",
        advice=_advice(examples, whole) if told else "",
    )


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _shares(names: Sequence[str], texts: Sequence[str]) -> tuple[Share, ...]:
    counts, shown = Counter(names), dict[str, list[str]]()
    for name, text in zip(names, texts, strict=True):
        examples = shown.setdefault(name, [])
        if len(examples) < SHOWN and (short := excerpt(text)) not in examples:
            examples.append(short)
    ordered = sorted(counts, key=lambda name: (-counts[name], KINDS.index(name)))
    general = _general()
    return tuple(
        Share(name, counts[name], counts[name] / len(names), general.get(name, 0.0), tuple(shown[name]))
        for name in ordered
    )


@lru_cache(1)
def _general() -> dict[str, float]:
    """The shares of kinds in the general set, the largest first."""
    counts = Counter(kinds_of(general_examples()))
    return {name: count / counts.total() for name, count in counts.most_common() if name != OTHER}


def _entropy(counts: Sequence[int]) -> float:
    """Shannon's entropy in nats."""
    total = sum(counts)
    return -sum(count / total * math.log(count / total) for count in counts if count)


def _evenness(counts: Sequence[int], of: int) -> float:
    """The entropy as a share of what it can be with so many kinds."""
    return _entropy(counts) / math.log(of) if of > 1 else 0.0


def _one_task(kind: Share, examples: Sequence[Example]) -> str:
    told = TASKS[kind.name]
    if kind.name == CLASSIFY and (known := labels(examples)):
        told = f"choose one of {len(known)} labels"
    return f"one task: {kind.share:.0%} of it asks to {told}"


def _one_of(words: Sequence[str]) -> str:
    return f"one of {len(words)} words ({', '.join(words)})" if len(words) > 1 else f"the word {words[0]}"


def _advice(examples: Sequence[Example], of: int) -> str:
    """What to mix in and how much, and what of it the set that comes with Tutelage can give."""
    told = f"Mix in general examples: tutelage tune DATA --mix {NAME}:{ADVISED:g} (a rule of thumb)."
    own = sum(map(characters, examples)) / max(1, len(examples)) * of
    there = sum(map(characters, general_examples()))
    if (reached := there / (there + own)) < 0.9 * ADVISED:
        return (
            f"{told} The set {NAME} that comes with Tutelage is too small for that: all of it makes {reached:.1%} here."
            f" For the full share, name a larger file of general conversations: --mix FILE:{ADVISED:g}."
        )
    return told
