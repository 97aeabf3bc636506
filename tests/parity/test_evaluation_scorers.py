"""ROUGE-L and exact match as the evaluation of Super-NaturalInstructions defines them, reckoned from scratch.

Wang et al. 2022 (arXiv:2204.07705) take, for each instance, the best over its references of ROUGE-L's F-measure with
stemmed words, and of exact match after lower case, without ASCII punctuation and with single spaces; scores are means
over instances, times 100.
"""

from __future__ import annotations

import re
import string
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from statistics import fmean

import pytest
from nltk.stem.porter import PorterStemmer
from sacrebleu import sentence_chrf

from tutelage.evaluation.answers import Answer
from tutelage.evaluation.evaluate import scored
from tutelage.evaluation.scores import Asked, Evaluation, Scores
from tutelage.evaluation.tasks import Item, Task, read_tasks
from tutelage.records import Role, Turn

REAL = Path(__file__).parents[3] / "shared" / "data" / "superni" / "tasks"
STORED: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("The meeting was moved to Tuesday morning.", "They meet on Tuesday morning instead."),
        ("The meeting is moved to Tuesday.", "They met on Tuesdays", "the meeting was moved to tuesday morning", ""),
    ),
    (("positive",), ("Positive.", "negative", "The review is positive", "POSITIVE !")),
    (("Yes", "True"), ("yes.", "No", "It's true", "true")),
    (
        ("Water boils at lower temperatures on high mountains because the pressure is lower.",),
        (
            "Because pressure is lower on mountains, water boils at a lower temperature.",
            "The pressure of the air lowers boiling temperatures.",
            "Water freezes.",
            "water boils at lower temperatures on high mountains because the pressure is lower",
        ),
    ),
    (
        ("How many apples does Mia have left?", "What number of apples is left to Mia?"),
        ("How many apples are left?", "What has Mia?", "Mia's apples?", "how many apple does mia have leave"),
    ),
    (("12,5 %", "12.5 percent"), ("12.5 percent", "12 5 percent", "12,5%", "about twelve")),
    (
        ("Buy milk; call the dentist; water the plants",),
        ("1. Buy milk\n2. Call the dentist\n3. Water the plants", "milk, dentist, plants", "Call dentists!", "-"),
    ),
    (
        ("A man rides his bicycle through the rain.", "Somebody is cycling in the rain."),
        ("A man is riding a bicycle in rain", "Somebody cycles", "rain rain rain rain", "A man rides his bike"),
    ),
    (("Entailment",), ("entailment", "Entailment: both say it", "neutral", "entail")),
    (
        ("Dear Ms. Okafor, your parcel left on Monday and should arrive by Thursday.",),
        (
            "Dear Ms Okafor, the parcel left on Monday; it arrives on Thursday.",
            "Your parcels left.",
            "Thursday arrive should and Monday on left parcel your, Okafor Ms. Dear",
            "Sehr geehrte Frau Okafor, Ihr Paket ist unterwegs.",
        ),
    ),
    (("Zürich", "Zurich"), ("Zürich", "zurich", "Z rich", "Geneva")),
    (
        ("He generously organised the running of the races happily",),
        ("he generous organization run race happy", "organised races", "running happily", "He ran generously the race"),
    ),
)
TASK = Task(
    "stored",
    tuple(
        Item(f"{place}/{number}", (Turn(Role.USER, "?"),), references, "", ("rouge_l", "normalised", "chrf"))
        for place, (references, answers) in enumerate(STORED)
        for number, _ in enumerate(answers)
    ),
)
ANSWERS = [answer for _, answers in STORED for answer in answers]


@pytest.fixture(scope="module")
def made() -> Evaluation:
    """The stored answers, scored by the product."""
    found = [scored(TASK, item, Answer(item.id, one, True, 1)) for item, one in zip(TASK.items, ANSWERS, strict=True)]
    return Evaluation((Asked("stored", "ROUGE-L", "", len(found)),), (Scores("model", "plain", tuple(found)),))


def test_rouge_l_is_the_official_one(made: Evaluation) -> None:
    plain = [max(_rouge_l(answer, one) for one in item.references) for item, answer in _pairs()]
    own = made.models[0].values()
    assert max(abs(ours - theirs) for ours, theirs in zip(own, plain, strict=True)) < 1e-12
    assert 100 * made.models[0].mean().value == pytest.approx(100 * fmean(plain), abs=1e-10)
    assert len(set(own)) > 20 and {0.0, 1.0} <= set(own)


def test_exact_match_is_the_official_one(made: Evaluation) -> None:
    plain = [float(any(_normal(answer) == _normal(one) for one in item.references)) for item, answer in _pairs()]
    assert made.models[0].values(scorer="normalised") == plain
    assert 0 < sum(plain) < len(plain)


def test_chrf_is_sacrebleus(made: Evaluation) -> None:
    plain = [sentence_chrf(answer, list(item.references)).score / 100 for item, answer in _pairs()]
    assert made.models[0].values(scorer="chrf") == pytest.approx(plain, abs=1e-12)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"{REAL} is not there")
def test_real_tasks_are_scored_officially() -> None:
    """Each of the first instances answered with the next one's output, and with all but the last word of its own."""
    seen = set()
    for path in sorted(REAL.glob("*.json"))[::6]:
        (task,) = read_tasks(path)
        for item, other in zip(task.items[:6], task.items[1:7], strict=True):
            own = item.references[0]
            for answer in (other.references[0][:400], " ".join(own.split()[:-1])[:400], own.upper() + "!"):
                found = scored(task, item, Answer(item.id, answer, True, 1))
                plain = max(_rouge_l(answer, one) for one in item.references)
                match = any(_normal(answer) == _normal(one) for one in item.references)
                assert found.value == pytest.approx(plain, abs=1e-12)
                assert found.others == (("normalised", float(match)),)
                seen.add((round(plain, 3), match))
    assert len(seen) > 20


def _pairs() -> list[tuple[Item, str]]:
    return list(zip(TASK.items, ANSWERS, strict=True))


def _rouge_l(answer: str, reference: str) -> float:
    ours, theirs = _words(answer), _words(reference)
    common = _longest(tuple(ours), tuple(theirs))
    if not common:
        return 0.0
    precision, recall = Fraction(common, len(ours)), Fraction(common, len(theirs))
    return float(2 * precision * recall / (precision + recall))


def _words(text: str) -> list[str]:
    """Small letters and digits; words of more than three of them are stemmed."""
    words = [word for word in re.split(r"[^a-z0-9]+", text.lower()) if word]
    return [PorterStemmer().stem(word) if len(word) > 3 else word for word in words]


@lru_cache(None)
def _longest(left: tuple[str, ...], right: tuple[str, ...]) -> int:
    """Length of the longest common subsequence, by its definition."""
    if not left or not right:
        return 0
    if left[0] == right[0]:
        return 1 + _longest(left[1:], right[1:])
    return max(_longest(left[1:], right), _longest(left, right[1:]))


def _normal(text: str) -> str:
    kept = "".join(character for character in text.lower() if character not in set(string.punctuation))
    return " ".join(kept.split())
