"""Topics by clustering: every instruction in one, the same under the seed, named by their words, on a map."""

from __future__ import annotations

import random

import pytest

from tutelage.data.subjects import covering_half, likeness, subject_words
from tutelage.data.topics import UNNAMED, topics_of

ABOUT = {
    "garden": ("tomato", "seed", "soil", "compost", "water", "bed", "fence", "weed", "spade"),
    "music": ("violin", "chord", "melody", "concert", "piano", "rhythm", "orchestra", "song", "tune"),
    "trains": ("station", "ticket", "platform", "delay", "carriage", "conductor", "rail", "tunnel", "bridge"),
}


def texts(each: int = 20) -> list[str]:
    rng = random.Random(0)
    return [f"Tell me about the {' '.join(rng.sample(words, 5))}" for words in ABOUT.values() for _ in range(each)]


def test_topics_gather_what_shares_words() -> None:
    found = topics_of(texts())
    owners = [{name for name, words in ABOUT.items() if set(topic.words) & set(words)} for topic in found]
    assert all(len(owner) == 1 for owner in owners)
    assert set.union(*owners) == set(ABOUT)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 60])
def test_every_instruction_is_in_one_topic(count: int) -> None:
    some = (texts() * 3)[:count]
    found = topics_of(some)
    assert sum(topic.count for topic in found) == count
    assert sum(topic.share for topic in found) == pytest.approx(1)
    assert [topic.count for topic in found] == sorted((topic.count for topic in found), reverse=True)
    assert all(-1 <= place <= 1 for topic in found for place in (topic.x, topic.y))
    assert all(1 <= len(topic.examples) <= 3 for topic in found)


def test_the_same_seed_gives_the_same_topics() -> None:
    assert topics_of(texts(), 3) == topics_of(texts(), 3)


def test_repeats_are_counted_and_not_clustered() -> None:
    once, often = topics_of(texts()), topics_of(texts() + texts()[:1] * 40)
    assert sum(topic.count for topic in often) == sum(topic.count for topic in once) + 40


def test_instructions_without_words_of_their_own_have_a_topic_of_their_own() -> None:
    found = topics_of(["hi", "what is it?", "and you?", *texts(5)])
    assert [(topic.count, topic.words) for topic in found if topic.name == UNNAMED] == [(3, ())]
    assert [topic.name for topic in topics_of(["hi", "hello"])] == [UNNAMED]


def test_a_script_without_blanks_has_topics_too() -> None:
    found = topics_of(["番茄怎么种植", "番茄怎么浇水", "火车几点出发", "火车几点到达"] * 3)
    assert sum(topic.count for topic in found) == 12
    assert {"番茄", "火车"} & {word for topic in found for word in topic.words}


def test_examples_show_nothing_personal() -> None:
    shown = [text for topic in topics_of(["Mail jane.doe@example.org about the tomato bed"]) for text in topic.examples]
    assert shown == ["“Mail [EMAIL] about the tomato bed”"]


def test_words_that_stand_anywhere_carry_no_subject() -> None:
    assert subject_words("Please tell me how the 3 Tomatoes are doing") == ("tomatoes",)
    assert subject_words("Wie geht es den Tomaten?") == ("geht", "tomaten")


def test_few_words_cover_half_of_a_narrow_set() -> None:
    narrow = [("card", f"word{number}") for number in range(6)] + [("other", f"more{number}") for number in range(4)]
    assert covering_half(narrow) == ("card",)
    assert len(covering_half([(f"word{number}",) for number in range(10)])) == 5
    assert covering_half([(), ()]) == ()


def test_likeness_of_equal_and_of_strange_texts() -> None:
    assert likeness([("a", "b")] * 3) == pytest.approx(1)
    assert likeness([("a",), ("b",), ("c",)]) == 0
    assert likeness([("a",)]) == 0
