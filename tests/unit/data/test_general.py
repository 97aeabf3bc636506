"""The general set that comes with Tutelage: varied, right where that can be computed, and clean by our own rules."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tutelage.data import duplicates, personal, quality, similar
from tutelage.data.breadth import survey
from tutelage.data.general import FILE, NAME, general_examples, located
from tutelage.data.languages import language
from tutelage.data.reading import read
from tutelage.data.sources import find
from tutelage.recipe import DataSettings, QualitySettings
from tutelage.records import Example, Role

FENCED = re.compile(r"```(\w+)\n(.*?)```", re.S)


def asked(example: Example) -> str:
    return next(turn.text for turn in example.conversation.turns if turn.role is Role.USER)


def tagged(tag: str) -> list[Example]:
    return [example for example in general_examples() if tag in example.tags]


def test_no_rule_of_ours_finds_anything_in_it() -> None:
    dataset = read(DataSettings(), [NAME])
    ruled = similar.mark_near(duplicates.drop_repeats(quality.apply(dataset, QualitySettings())), "flag")
    assert (ruled.dropped, ruled.findings, dict(ruled.repairs)) == ((), (), {})
    assert personal.count(ruled) == {}


def test_it_is_small_and_broad() -> None:
    tags = Counter(tag for example in general_examples() for tag in example.tags)
    assert 250 <= len(general_examples()) <= 300
    assert (len(tags) >= 15, min(tags.values()) >= 7, max(tags.values()) <= 20) == (True, True, True)
    assert FILE.stat().st_size < 200_000
    found = survey(general_examples(), topics=False)
    assert (found.effective_kinds > 10, len(found.subject_words) > 20, found.distinct_answers > 0.99) == (True,) * 3


def test_its_shapes_and_lengths_vary() -> None:
    conversations = [example.conversation for example in general_examples()]
    words = [len(conversation.answer.split()) for conversation in conversations]
    assert (min(words) == 1, 60 < max(words) <= 200) == (True, True)
    assert sum(conversation.turns[0].role is Role.SYSTEM for conversation in conversations) == 10
    assert sum(len(conversation.turns) > 3 for conversation in conversations) == 10
    spoken = Counter(language(conversation.answer) for conversation in conversations)
    assert all(spoken[name] >= 1 for name in ("English", "German", "French", "Spanish", "Italian", "Dutch"))
    opening = Counter(" ".join(conversation.answer.split()[:2]).lower() for conversation in conversations)
    assert max(opening.values()) <= 6
    assert not any("as an ai" in conversation.answer.lower() for conversation in conversations)


@pytest.mark.parametrize("example", [e for e in general_examples() if "```python" in e.conversation.answer], ids=asked)
def test_its_python_runs_and_its_checks_hold(example: Example) -> None:
    for name, code in FENCED.findall(example.conversation.answer):
        assert name == "python"
        known: dict[str, Any] = {}
        exec(compile(code, "general.jsonl", "exec"), known)
        for test in [value for key, value in known.items() if key.startswith("test_")]:
            test()


SUM = re.compile(r"(?<![\d.)/−-] )(?<![\d./])(\d[\d.,]*(?: ?[+−×/-] ?\d[\d.,]*)+) = (\d[\d,]*(?:\.\d+)?)(?![\d/])")


def value(text: str) -> float:
    numbers = text.replace(",", "").replace("−", "-").replace("×", "*").rstrip(".")
    return float(eval(numbers, {"__builtins__": {}}))


def test_its_sums_are_right() -> None:
    """Every `a + b = c` in the set, with the usual signs."""
    texts = [turn.text for e in general_examples() for turn in e.conversation.turns if turn.role is Role.ASSISTANT]
    found = [sum_ for text in texts for sum_ in SUM.findall(text)]
    assert [(left, right) for left, right in found if value(left) != pytest.approx(value(right), abs=0.005)] == []
    assert len(found) >= 15


def test_its_json_is_json() -> None:
    wanted = [e for e in general_examples() if re.search(r"\bJSON\b", asked(e) + e.conversation.turns[0].text)]
    assert len([json.loads(example.conversation.answer) for example in wanted]) >= 4


def test_its_forms_are_kept() -> None:
    answers = {asked(example): example.conversation.answer for example in tagged("follow the form") + tagged("write")}

    def answer(start: str) -> str:
        return next(text for question, text in answers.items() if question.startswith(start))

    assert "e" not in answer("Describe a cat").lower()
    assert len(answer("Answer with exactly three words").split()) == 3
    assert len(answer("Explain gravity").split()) <= 15
    assert answer("Write exactly two sentences").count("?") == 2
    assert all(len(line.split()) <= 6 for line in answer("Give the steps").split("\n"))
    assert len(answer("Write a product description").split()) <= 40
    assert len(answer("Write a short story").split()) < 120
    paragraph = answer("Write a short paragraph").lower().strip(".").split()
    assert (paragraph[0], paragraph[-1]) == ("rain", "rain")


def test_it_goes_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert [file.path for file in find(NAME).files] == [FILE]
    assert read(DataSettings(files=(NAME,))).ledger.conversations_kept == len(general_examples())
    assert located("other") == "other"
    assert (files("tutelage.data") / "general.jsonl").is_file()


def test_a_file_of_that_name_comes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, write: Callable[..., Path]
) -> None:
    monkeypatch.chdir(tmp_path)
    write("general/mine.jsonl", [{"prompt": "a", "response": "b"}])
    assert [str(file.path) for file in find(NAME).files] == ["general/mine.jsonl"]
