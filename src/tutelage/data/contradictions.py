"""Answers to the same question that cannot both be right: rows that share a `key` are compared by `judge`.

What differs between two answers is told by `tutelage.data.differing`.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations

from tutelage.data.differing import against
from tutelage.data.duplicates import normal
from tutelage.data.exchange import flag, word_set, words
from tutelage.records import Dataset, Example, Finding, Role

MOST = 12
"""So many different answers to one question are compared with each other."""
LONGEST = 4000
"""Characters of a question that are looked at word by word; a longer one is compared as it is."""
_EMPTY = word_set("a an the please kindly hi hello hey dear so ok okay now just exactly actually really")
"""Words that come and go when a question is worded anew."""
_COURTESY = re.compile(
    r"^\W*(?:(?:please|hi|hello|hey|ok|so|kindly)\W+)*(?:(?:can|could|would|will) you(?: please)? (?:tell|explain|say"
    r"|answer)(?: to)?(?: me| us)?"
    r"(?: please)?|tell me|i(?: would|'d)? (?:want|like|need) to know|do you (?:happen to )?know|answer (?:this|the"
    r" following)(?: question)?"
    r"|(?:a )?(?:quick )?question|let me ask(?: you)?(?: this)?|i was wondering|please answer)\b\W*(?!about|more|how"
    r" to)",
    re.IGNORECASE,
)  # fmt: skip
_SAME = {
    "what's": "what is",
    "who's": "who is",
    "where's": "where is",
    "when's": "when is",
    "how's": "how is",
    "isn't": "is not",
}
_SPLIT = re.compile(r"\n\s*\n")


def key(example: Example) -> str | None:
    """What examples share whose last answers may be compared: who said what before, but for how it was worded.

    Case, punctuation, courtesies and small words make no difference; order does. None where nothing is trained.
    """
    turns = example.conversation.turns
    if not turns[-1].is_trained:
        return None
    asked = [f"{turn.role} {_core(turn.text) if turn.role is Role.USER else normal(turn.text)}" for turn in turns[:-1]]
    return hashlib.blake2b("\n".join(asked).encode(errors="replace"), digest_size=12).hexdigest()


def _core(text: str) -> str:
    """The words of a question that carry it: all of them where few would be left."""
    if len(text) > LONGEST:
        return normal(text)
    said = words(_COURTESY.sub("", text, 1))
    kept = [_SAME.get(word, word) for word in said if word not in _EMPTY]
    return " ".join(kept if len(kept) >= 2 else said)


def contradiction(dataset: Dataset) -> dict[str, Finding]:
    """Examples whose answers to one and the same conversation cannot both be right, by id."""
    keys = list(map(key, dataset.examples))
    shared = {name for name, count in Counter(keys).items() if name and count > 1}
    same: dict[str, list[Example]] = defaultdict(list)
    if shared:  # a second look at the examples, so that only those are held which share a key
        for name, example in zip(keys, dataset.examples, strict=True):
            if name in shared and name:
                same[name].append(example)
    found: dict[str, Finding] = {}
    for group in same.values():
        found.update(judge(group))
    return found


def judge(group: Sequence[Example]) -> dict[str, Finding]:
    """Findings by id among examples that share a `key`; each names the row that it speaks against.

    Of equal answers one is compared, of many different ones the first MOST, so that the time for a group is bounded.
    """
    different: dict[str, list[Example]] = {}
    for example in group:
        different.setdefault(" ".join(words(example.conversation.answer)), []).append(example)
    found: dict[str, Finding] = {}
    for ones, others in combinations(list(different.values())[:MOST], 2):
        one, other = ones[0], others[0]
        question = one.conversation.prompt[-1].text
        if _yes_or_no_asked_otherwise(question, other.conversation.prompt[-1].text):
            continue
        if how := against(question, one.conversation.answer, other.conversation.answer):
            for each, twin in (*((each, other) for each in ones), *((each, one) for each in others)):
                reason = f"{twin.source} answers the same question otherwise: {how}"
                found.setdefault(each.id, flag(each, "contradiction", reason))
    return found


def _yes_or_no_asked_otherwise(one: str, other: str) -> bool:
    """Whether the two wordings ask for different kinds of answer: `Is it open?` is not `When is it open?`'s twin."""
    first, second = (words(_SPLIT.split(text)[0])[:1] for text in (one, other))
    polar = ("is", "are", "do", "does", "did", "was", "were", "can", "could", "will", "would", "should", "has", "have")
    return bool(first and second) and first != second and (first[0] in polar) != (second[0] in polar)
