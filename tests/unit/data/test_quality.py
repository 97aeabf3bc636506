"""How rules are chosen, and what becomes of what they find."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.data.mending import MENDS
from tutelage.data.quality import RULES, SET_RULES, apply
from tutelage.errors import UsageError
from tutelage.recipe import QualitySettings, build
from tutelage.records import Conversation, Dataset, Ledger, Role, Source, Turn, with_ids

Make = Callable[..., Dataset]


def rules_of(dataset: Dataset) -> list[tuple[str, str]]:
    return [(found.rule, found.action) for found in dataset.findings]


def test_drops_go_to_the_ledger_and_flags_to_the_findings(dataset: Make) -> None:
    made = apply(dataset(("a", ""), ("b", "{{Name}} {{Name}}"), ("c", "d")))
    assert [row.rule for row in made.dropped] == ["blank"]
    assert [(found.rule, found.action, found.source.rows) for found in made.findings] == [("placeholder", "flag", (2,))]
    assert (len(made), made.ledger.balances(), made.ledger.conversations_dropped) == (2, True, 1)


def test_a_rule_is_switched_off(dataset: Make) -> None:
    rows = dataset(("a", ""), ("b", "{{Name}}"))
    assert rules_of(apply(rows, QualitySettings(off=("placeholder",)))) == []
    assert len(apply(rows, QualitySettings(off=("blank",)))) == 2
    assert apply(rows, QualitySettings(off=("all",))) == rows


def test_a_flag_becomes_a_drop(dataset: Make) -> None:
    rows = dataset(("b", "{{Name}}"), ("Is it?", "Yes."), ("Is it?", "No."), ("c", "d"))
    made = apply(rows, QualitySettings(drop=("placeholder", "contradiction")))
    assert [(row.rule, row.source.rows) for row in made.dropped] == [
        ("placeholder", (1,)),
        ("contradiction", (2,)),
        ("contradiction", (3,)),
    ]
    assert (len(made), made.findings, made.ledger.balances()) == (1, (), True)
    assert len(apply(rows, QualitySettings(drop=("all",)))) == 1


def test_a_switched_off_rule_drops_nothing(dataset: Make) -> None:
    rows = dataset(("b", "{{Name}}"), ("c", "d"))
    assert apply(rows, QualitySettings(drop=("all",), off=("placeholder",))) == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("quality.drop=lop", "quality.drop: lop is none of .* did you mean loop?"),
        ("quality.off=boilerplates", "did you mean boilerplate?"),
        ("quality.repair=loop", "quality.repair: loop is none of mojibake, html, marker, quoted, signature"),
    ],
)
def test_an_unknown_rule_is_refused(dataset: Make, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        apply(dataset(("c", "d")), build({}, [text]).quality)


def test_names_may_stand_in_one_text() -> None:
    assert build({}, ["quality.drop=loop, echo", "quality.off=[cut]"]).quality == QualitySettings(
        drop=("loop", "echo"), off=("cut",)
    )


MENDED = [
    ("mojibake", "It\u00e2\u20ac\u2122s a caf\u00c3\u00a9", "It\u2019s a caf\u00e9"),
    ("mojibake", "caf\u00c3\u0192\u00c2\u00a9", "caf\u00e9"),
    ("mojibake", "\u00e2\u20ac\u0153Hello\u00e2\u20ac\u009d", "\u201cHello\u201d"),
    ("html", "<p>Fish &amp; chips<br>and peas</p>", "Fish & chips\nand peas"),
    ("html", "It&#39;s&nbsp;fine", "It's fine"),
    ("marker", "Hello there.<|im_end|>\n<|endoftext|>", "Hello there."),
    ("marker", "Hello there.</s>", "Hello there."),
    ("quoted", "It is on its way.\n\nOn Mon, 3 May 2021, Jo wrote:\n> Where is it?", "It is on its way."),
    ("signature", "It is on its way.\n\nBest regards,\nMaria\nSupport", "It is on its way."),
    ("signature", "It is on its way.\n\nSent from my iPhone", "It is on its way."),
]


@pytest.mark.parametrize(("name", "before", "after"), MENDED)
def test_a_fault_is_mended_and_counted(dataset: Make, name: str, before: str, after: str) -> None:
    made = apply(dataset(("Where is it?", before), ("c", "d")), QualitySettings(repair=(name,)))
    assert made.examples[0].conversation.answer == after
    assert (made.repairs, rules_of(made)) == ({f"{name} mended": 1}, [(name, "repair")])
    assert (len(made), made.ledger.balances()) == (2, True)
    assert made.examples[0].id == made.examples[0].conversation.content_hash() == made.examples[0].group


def test_nothing_is_mended_that_is_not_asked_for(dataset: Make) -> None:
    rows = dataset(*(("Where is it?", before) for _, before, _ in MENDED))
    assert apply(rows).examples == rows.examples


def test_what_only_has_a_signature_stays(dataset: Make) -> None:
    rows = dataset(("Who is there?", "Best regards,\nMaria"))
    assert apply(rows, QualitySettings(repair=("all",))).examples == rows.examples


def test_a_repair_that_does_not_help_leaves_the_flag(dataset: Make) -> None:
    made = apply(dataset(("Who?", "Hello.\n\n### Response: Jo")), QualitySettings(repair=("marker",)))
    assert (rules_of(made), made.repairs) == ([("marker", "flag")], {})


def test_every_repair_mends_what_a_rule_finds() -> None:
    assert set(MENDS) <= set(RULES)
    assert {name for name, _, _ in MENDED} == set(MENDS)


PIECES = [
    "{{Name}}",
    "<b>",
    "caf\u00c3\u00a9",
    "again again",
    "\n\nBest regards,\nJo",
    "</s>",
    "I see",
    ".",
    "\n> a",
    " ",
]
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), min_size=1, max_size=6).map("".join)
NAMES = st.lists(st.sampled_from([*RULES, *SET_RULES, "all"]), max_size=4).map(tuple)
REPAIRS = st.lists(st.sampled_from([*MENDS, "all"]), max_size=3).map(tuple)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5), off=NAMES, drop=NAMES, repair=REPAIRS)
def test_the_sums_hold_whatever_is_asked_for(
    rows: list[tuple[str, str]], off: tuple[str, ...], drop: tuple[str, ...], repair: tuple[str, ...]
) -> None:
    talks = [Conversation((Turn(Role.USER, q), Turn(Role.ASSISTANT, a))) for q, a in rows]
    made = with_ids((talk, Source("made", (number,)), "", ()) for number, talk in enumerate(talks, 1))
    data = Dataset(made, ledger=Ledger(len(rows), len(rows), 0, len(rows), len(rows), 0))
    asked = QualitySettings(off=off, drop=drop, repair=repair)
    done = apply(data, asked)
    assert done.ledger.balances()
    assert (len(done), len(done.dropped)) == (done.ledger.conversations_kept, done.ledger.conversations_dropped)
    assert len({example.id for example in done.examples}) == len(done)
    assert done == apply(data, asked)
    mended = sum(count for name, count in done.repairs.items() if name.endswith("mended"))
    assert mended >= sum(found.action == "repair" for found in done.findings)


HOSTILE = """
import resource, sys
from tutelage.data import personal, quality
from tutelage.records import Conversation, Dataset, Example, Role, Source, Turn

resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
SIZE = 100_000
for piece in {pieces!r}:
    text = (piece * (SIZE // len(piece) + 1))[:SIZE] + "x"
    example = Example("1", Conversation((Turn(Role.USER, text), Turn(Role.ASSISTANT, text))), Source("f", (1,)), "g")
    quality.apply(Dataset((example,)), quality.QualitySettings(repair=("all",)))
    personal.find(text)
print("done")
"""
WORST = [
    *(
        "a",
        " ",
        "a ",
        "\\n",
        "\\n>",
        "<p ",
        "{{",
        "`",
        "``` a",
        "-",
        "_",
        "0",
        "01 ",
        "12-",
        "4111 ",
        "DE12 ",
        "1.1.",
        "1:2::",
    ),
    *(
        "eyJ-",
        "a@b.",
        "</s>",
        "\\n--\\n",
        "\\nOn abcdef gh",
        "\\nregards",
        "&#1",
        "[your ",
        "password is ",
        "token:",
        "+1 ",
    ),
    *(
        "\u00c3\u00a9",
        "\u6c49\u5b57",
        "following text ",
        "-----BEGIN PRIVATE KEY-----",
        "as an ",
        "%A",
        "AbC1",
        "call ",
    ),
    *(
        "[note ",
        "(todo ",
        "[[",
        "[a_",
        "0171 ",
        "(030) ",
        "+49 30 123 ",
        "1 2 3 ",
        "e\u8305e",
        "a?b ",
        "\\nx wrote:",
        "__A",
    ),
    *("don't", "i can't help with a ", "here are five things ", "if a", "answer in ", "a'", "the text of "),
]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_a_hostile_text_takes_a_second_not_minutes(part: int) -> None:
    """A quadratic pattern takes minutes of processor time for one of these; a linear one, a fraction of a second."""
    code = HOSTILE.format(pieces=[piece.replace("\\n", "\n") for piece in WORST[part::4]])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr


def test_twice_the_text_takes_about_twice_the_steps() -> None:
    """The circles of a text are found in steps counted here, not in seconds: comparisons of words."""

    class Word(str):
        compared = 0

        def __eq__(self, other: object) -> bool:
            Word.compared += 1
            return str.__eq__(self, str(other))

        __hash__ = str.__hash__

    from tutelage.data.looping import circles

    steps = []
    for size in (2000, 4000):
        Word.compared = 0
        for _ in circles([Word("a" if n % 3 else "b") for n in range(size)]):
            pass
        steps.append(Word.compared)
    assert steps[1] < 2.5 * steps[0]
