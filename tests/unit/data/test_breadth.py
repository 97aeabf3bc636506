"""What a data set asks for in numbers, and the warning where it is one task."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tutelage.data import breadth
from tutelage.data.breadth import survey
from tutelage.data.general import general_examples
from tutelage.data.kinds import KINDS
from tutelage.data.reading import read
from tutelage.recipe import DataSettings
from tutelage.records import Dataset

Make = Callable[..., Dataset]
DATA = Path(__file__).parents[3].parent / "shared" / "data"
LABELLED = [
    (f"My card number {number} does not work in shop {number % 7}", f"label {number % 3}") for number in range(90)
]


def test_labels_are_one_task(dataset: Make) -> None:
    found = survey(dataset(*LABELLED).examples)
    assert (found.narrow, found.largest, found.kinds[0].name) == (True, 1.0, "classify")
    assert found.warning == (
        "This data is one task: 100% of it asks to choose one of 3 labels. A model tuned on it alone tends to forget "
        "how to do other things."
    )
    assert "--mix general:0.2" in found.advice
    assert found.distinct_answers == pytest.approx(3 / 90)


def test_questions_about_one_thing_are_narrow(dataset: Make) -> None:
    """No kind is most of it, but half of it names one product."""
    asks = ("Where is the button for {}?", "Explain {}.", "How should I clean {}?", "{} is broken, I want a refund")
    rows = [
        (ask.format(f"the lamp {part}{n}"), f"Answer number {n} of {len(ask)}.")
        for n in range(6)
        for part in "abc"
        for ask in asks
    ]
    found = survey(dataset(*rows).examples)
    assert (found.narrow, found.largest < breadth.LARGEST, found.subject_words) == (True, True, ("lamp",))
    assert found.warning.startswith("This data is about one thing: half of its requests hold the word lamp.")


def test_the_general_set_is_broad() -> None:
    found = survey(general_examples())
    assert (found.narrow, found.warning, found.advice, found.missing) == (False, "", "", ())
    assert all(kind.share == pytest.approx(kind.general) for kind in found.kinds if kind.name != "other")


def test_missing_kinds_are_named(dataset: Make) -> None:
    assert {"translate", "code", "maths", "summarise"} <= set(survey(dataset(*LABELLED).examples).missing)


def test_even_kinds_have_full_entropy(dataset: Make) -> None:
    asks = ("Translate: good day", "List five birds of the sea.", "Write a poem.")
    rows = [(ask, f"An answer of some length, number {n}, to {ask}") for ask in asks for n in range(2)]
    found = survey(dataset(*rows).examples)
    assert found.effective_kinds == pytest.approx(3)
    assert found.kind_entropy == pytest.approx(math.log(3) / math.log(len(KINDS)))
    assert sum(kind.count for kind in found.kinds) == found.sampled == found.of == 6


def test_a_large_set_is_sampled_whatever_its_order(dataset: Make) -> None:
    examples = dataset(*LABELLED).examples
    shuffled = random.Random(1).sample(list(examples), len(examples))
    first, again = (survey(some, most=40) for some in (examples, shuffled))
    assert (first.of, first.sampled, first.topics) == (90, 40, again.topics)
    assert [kind.count for kind in first.kinds] == [kind.count for kind in again.kinds]
    assert survey(examples, of=1_000_000).of == 1_000_000


def test_without_topics_the_rest_is_the_same(dataset: Make) -> None:
    examples = dataset(*LABELLED).examples
    whole = survey(examples)
    assert survey(examples, topics=False) == replace(whole, topics=(), topic_entropy=0.0, effective_topics=0.0)


def test_a_set_larger_than_the_general_one_hears_how_little_that_is(dataset: Make) -> None:
    examples = dataset(*LABELLED).examples
    assert "too small for that" not in survey(examples).advice
    assert "too small for that: all of it makes 1.2% here" in survey(examples, of=120_000).advice


def test_it_is_plain_values_for_json(dataset: Make) -> None:
    kept = json.loads(json.dumps(survey(dataset(*LABELLED[:10]).examples).as_dict()))
    assert (kept["of"], kept["kinds"][0]["name"]) == (10, "classify")


def test_nothing_has_no_breadth() -> None:
    found = survey(())
    assert (found.kinds, found.topics, found.narrow, found.of) == ((), (), False, 0)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not there")
@pytest.mark.parametrize(
    ("name", "columns", "narrow"),
    [
        ("banking77", "prompt=text,response=category", True),
        ("bitext_support", "", True),
        ("star_support", "", True),
        ("gsm8k", "", True),
        ("flan_cot", "", True),
        ("finegrained_qa_feedback", "", True),
        ("dolly", "", False),
        ("self_instruct", "", False),
        ("superni", "", False),
        ("oasst_en100/derived_sft.jsonl", "", False),
    ],
)
def test_real_sets_are_told_as_people_would(name: str, columns: str, narrow: bool) -> None:
    """Three hundred conversations of each are enough."""
    examples = read(DataSettings(columns=columns), [str(DATA / name)]).examples
    few = random.Random(0).sample(list(examples), min(300, len(examples)))
    assert survey(few, topics=False).narrow == narrow
