"""Every scorer with answers that it passes and answers that it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.evaluation.following.checks import read_checks
from tutelage.evaluation.scorers import SCORERS
from tutelage.evaluation.tasks import Item
from tutelage.records import Role, Turn

FEWEST = 6
ASKED = (Turn(Role.USER, "What is it?"),)
OPEN = Item("1", ASKED)
CITIES = replace(OPEN, references=("Paris",), choices=("London", "Paris", "New York", "York"))
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
ITEMS: Mapping[str, Item] = {
    "exact": replace(OPEN, references=("New York", "NYC")),
    "normalised": replace(OPEN, references=("New York", "N.Y.C.")),
    "contains": replace(OPEN, references=("new york", "東京")),
    "regex": replace(OPEN, references=(r"^\d{4}-\d{2}-\d{2}$", r"(?i)\bno date\b")),
    "choice": CITIES,
    "number": replace(OPEN, references=("He has 5 + 7 = 12 left. #### 1,200",)),
    "rouge_l": replace(OPEN, references=("the cat sat on the mat", "a cat is on a mat")),
    "chrf": replace(OPEN, references=("Der Hund schläft", "Dort schläft der Hund")),
    "json": OPEN,
    "json_schema": replace(OPEN, schema=PERSON),
    "instructions": replace(OPEN, checks=read_checks([{"name": "words", "at_most": 5}], "here")),
}
PASSES: Mapping[str, tuple[str, ...]] = {
    "exact": ("New York", "NYC", " New York", "New York\n", "\tNYC ", "\n\nNYC\n"),
    "normalised": ("new york", "New  York!", '"new york"', "NYC", "n.y.c", "(New\nYork)."),
    "contains": ("It is New York.", "NEW\nYORK", "new york", "Old and new york, both", "我在東京。", "New York's"),
    "regex": ("2024-01-02", "1999-12-31", "0000-00-00", "There is no date.", "NO DATE", "(no date)"),
    "choice": ("Paris", "B", "b)", "(B)", "**B.** Paris", "The answer is B.", "It has to be Paris, I think", "paris."),
    "number": ("1200", "1,200", "So it is $1,200.", "#### 1200 dollars, not 7", "1200.0", "First 5, then 1,200"),
    "json": ("{}", "[1, 2]", '"text"', "12.5", "null", '```json\n{"a": [true]}\n```', '  {"a": "\\u00e9"}  '),
    "json_schema": (
        '{"name": "Ada", "age": 36}',
        '{"age": 0, "name": "Z"}',
        '```json\n{"name": "Bo", "age": 7}\n```',
        ' {"name": "Erica",\t"age": 1}',
        '{"name": "A", "age": 1.0}',
        '{\n"name": "Io",\n"age": 12\n}',
    ),
    "instructions": (
        "One two three four five",
        "Yes.",
        "a b c",
        "No, never.",
        "It is so.",
        "five words are still fine",
    ),
}
FAILS: Mapping[str, tuple[str, ...]] = {
    "exact": ("new york", "New York.", "NewYork", "", "It is NYC", "New  York"),
    "normalised": ("New York City", "", "newyork", "The New York", "nyc and more", "neu york"),
    "contains": ("New Yorkers", "newyork", "York", "", "anew york", "東の京"),
    "regex": ("on 2024-01-02", "24-01-02", "", "nodate", "2024-01-02 ", "no dates"),
    "choice": ("London", "A", "Paris or London", "", "The answer is C.", "none of them", "New York"),
    "number": ("120", "#### 120 of 1200", "", "twelve hundred", "1200 or 7", "-1200"),
    "json": ("", "{", '{"a": 1} and more', "{'a': 1}", "NaN", '{"a": 1, "a": 2}', "[1, 2,]"),
    "json_schema": (
        '{"name": "ada", "age": 36}',
        '{"name": "Ada"}',
        '{"name": "Ada", "age": -1}',
        '{"name": "Ada", "age": "36"}',
        '{"name": "Ada", "age": 36, "more": 1}',
        "[]",
        "no JSON",
    ),
    "instructions": (
        "one two three four five six",
        "This answer has rather more than five words.",
        "a b c d e f",
        "No, never in all my life!",
        "It is so, as I have said.",
        "six words are one too many",
    ),
}
GRADED = {
    "rouge_l": (("the cat sat on the mat", 1.0), ("a cat is on a mat", 1.0), ("dogs bark", 0.0), ("", 0.0)),
    "chrf": (("Der Hund schläft", 1.0), ("Dort schläft der Hund", 1.0), ("xyz", 0.0), ("", 0.0)),
}


def test_every_scorer_has_its_cases() -> None:
    assert set(ITEMS) == set(SCORERS) == set(PASSES) | set(GRADED)
    assert all(len(set(found[name])) >= FEWEST for found in (PASSES, FAILS) for name in PASSES)
    assert [item.lacks() for item in (replace(one, scorers=(name,)) for name, one in ITEMS.items())] == [""] * 11


@pytest.mark.parametrize(
    ("name", "answer", "value"),
    [
        (name, answer, value)
        for value, found in ((1.0, PASSES), (0.0, FAILS))
        for name in found
        for answer in found[name]
    ]
    + [(name, answer, value) for name, found in GRADED.items() for answer, value in found],
)
def test_a_scorer_passes_and_fails(name: str, answer: str, value: float) -> None:
    scored = SCORERS[name].score(answer, ITEMS[name])
    assert scored.value == pytest.approx(value), scored.reason
    assert scored.reason and scored.reason.isprintable()


def test_graded_scorers_take_the_closest_reference() -> None:
    """Of 6 words 5 stand in order in the first reference (F = 10 / 12), 3 of 6 in the second."""
    assert SCORERS["rouge_l"].score("the cat sat on a mat", ITEMS["rouge_l"]).value == pytest.approx(10 / 12)
    near, far = (SCORERS["chrf"].score(one, ITEMS["chrf"]).value for one in ("Der Hund schlief", "Eine Katze"))
    assert 0.6 < near < 1 and far < 0.3


@pytest.mark.parametrize("name", list(SCORERS))
@given(answer=st.text(max_size=200))
def test_any_text_gets_one_value_from_0_to_1(name: str, answer: str) -> None:
    first, again = (SCORERS[name].score(answer, ITEMS[name]) for _ in range(2))
    assert first == again and 0 <= first.value <= 1


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("exact", {"references": ()}, "needs a reference"),
        ("contains", {"references": (" ",)}, "blank"),
        ("normalised", {"references": ("...",)}, "take exact"),
        ("regex", {"references": ("(",)}, "no regular expression"),
        ("regex", {"references": (r"(a)\1",)}, "no back-references"),
        ("regex", {"references": ("a" * 2001,)}, "2,001 characters"),
        ("choice", {"choices": ("one",)}, "2 to 26"),
        ("choice", {"choices": ("Paris", "paris")}, "the same"),
        ("choice", {"references": ("Rome",)}, "none of the choices"),
        ("number", {"references": ("none",)}, "no number"),
        ("rouge_l", {"references": ("東京",)}, "take chrf"),
        ("json_schema", {"schema": None}, "needs a schema"),
        ("json_schema", {"schema": {"type": "nothing"}}, "not valid"),
        ("json_schema", {"schema": {"$ref": "https://example.org/x"}}, "refers to"),
        ("instructions", {"checks": ()}, "needs checks"),
    ],
)
def test_what_an_item_lacks_is_told(name: str, changes: dict[str, object], told: str) -> None:
    assert told in replace(ITEMS[name], scorers=(name,), **changes).lacks()  # type: ignore[arg-type]


def test_hostile_patterns_and_schemas_end() -> None:
    """With backtracking, or by following references for ever, none of these would."""
    slow = replace(OPEN, references=("(a+)+$", "(a|aa)*b"))
    assert SCORERS["regex"].score("a" * 100_000 + "!", slow).value == 0
    nested = {"$defs": {"a": {"items": {"$ref": "#/$defs/a"}, "type": "array"}}, "$ref": "#/$defs/a"}
    assert SCORERS["json_schema"].score("[[[[]]]]", replace(OPEN, schema=nested)).value == 1
    round_and_round = {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}
    item = replace(OPEN, schema=round_and_round, scorers=("json_schema",))
    assert item.lacks() or SCORERS["json_schema"].score("[]", item).value == 0
