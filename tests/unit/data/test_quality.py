"""For each rule what it finds and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutelage.data.quality import RULES, apply
from tutelage.records import Dataset

Make = Callable[..., Dataset]

FOUND = {
    "blank": [
        ("Hi", ""),
        ("Hi", " \u200b\ufeff\n"),
        ("Hi", "..."),
        ("Hi", "\u2014"),
        ("Hi", "NaN"),
        ("Hi", "<nooutput>"),
        ("Hi", "[deleted]"),
        (" \n", "Hello"),
    ],
    "echo": [("Where is my card now?", "where is  my card now?")],
    "loop": [("Hi", "I am sorry for that. " * 12)],
    "placeholder": [
        ("Hi", "Dear {{Name}}, hello."),
        ("Hi", "Lorem ipsum dolor sit amet."),
        ("Hi", "TODO"),
        ("Hi", "Regards, [your name]"),
    ],
    "boilerplate": [("Hi", "As an AI language model, I cannot."), ("Hi", "I\u2019m an AI assistant.")],
    "mojibake": [("Hi", "caf\u00c3\u00a9"), ("Hi", "it\u00e2\u20ac\u2122s"), ("Is \ufffd ok?", "Yes.")],
}
FINE = [
    ("Hi", "No."),
    ("2 + 2?", "4"),
    ("Which sign?", "+"),
    ("hello", "Hello"),
    ("Sort it", "None"),
    ("Say it twice", "Very good, very good indeed."),
    ("{{Name}} asks", "What does {{ mean?"),
    ("Plan", "Put milk on your todo list."),
    ("Who?", "A language model predicts words."),
    ("Translate", "\u00c2ge, \u00c3o, na\u00efve, 5 \u20ac"),
    ("List", " ".join(f"{n} is a number," for n in range(40))),
]


@pytest.mark.parametrize("rule", FOUND)
def test_a_rule_finds_what_it_is_for(dataset: Make, rule: str) -> None:
    found = [RULES[rule](example) for example in dataset(*FOUND[rule]).examples]
    assert [each and each.rule for each in found] == [rule] * len(found)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_leaves_the_rest_alone(dataset: Make, rule: str) -> None:
    fine = [
        *FINE,
        *(("Hi there", row[1]) for name in FOUND if name != rule for row in FOUND[name][:1] if row[1]),
    ]
    assert [RULES[rule](example) for example in dataset(*fine).examples] == [None] * len(fine)


def test_every_rule_has_cases() -> None:
    assert set(FOUND) == set(RULES)


def test_drops_go_to_the_ledger_and_flags_to_the_findings(dataset: Make) -> None:
    made = apply(dataset(("a", ""), ("b", "{{Name}} {{Name}}"), ("c", "d")))
    assert [row.rule for row in made.dropped] == ["blank"]
    assert [(found.rule, found.action, found.source.rows) for found in made.findings] == [("placeholder", "flag", (2,))]
    assert (len(made), made.ledger.balances(), made.ledger.conversations_dropped) == (2, True, 1)
