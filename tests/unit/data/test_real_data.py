"""Public data sets as they are: exact counts. Skipped where ../shared/data is not there."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tutelage.data import quality
from tutelage.data.duplicates import drop_repeats
from tutelage.data.reading import read
from tutelage.data.similar import mark_near
from tutelage.data.split import hold_out, leaks
from tutelage.errors import DataError
from tutelage.recipe import DataSettings
from tutelage.records import Dataset

DATA = Path(__file__).parents[3].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not there")

COLUMNS = {"banking77": "prompt=text,response=category"}
READ = {
    "dolly": (6999, 6999, {"dolly"}),
    "superni": (2700, 2700, {"superni"}),
    "oasst_en100": (1003, 1003, {"openai", "preference"}),
    "oasst_en100/derived_sft.jsonl": (249, 249, {"openai"}),
    "oasst_en100/derived_preference_pairs.jsonl": (754, 754, {"preference"}),
    "flan_cot": (1500, 1500, {"flan_tsv"}),
    "bitext_support": (2688, 2688, {"alpaca"}),
    "identity": (91, 91, {"alpaca"}),
    "star_support": (677, 677, {"star"}),
    "gsm8k": (1500, 1500, {"question/answer"}),
    "self_instruct": (175, 175, {"self_instruct"}),
    "finegrained_qa_feedback": (500, 500, {"question/gold"}),
    "banking77": (10003, 10003, {"columns prompt=text,response=category"}),
}


@cache
def data(name: str) -> Dataset:
    return read(DataSettings(columns=COLUMNS.get(name, "")), [str(DATA / name)])


@pytest.mark.parametrize("name", READ)
def test_every_row_is_read_and_the_sums_hold(name: str) -> None:
    dataset = data(name)
    counts = (dataset.ledger.rows_read, len(dataset), set(dataset.formats.values()))
    assert (counts, dataset.dropped, dataset.ledger.balances()) == (READ[name], (), True)


def test_what_holds_no_examples_is_named() -> None:
    ignored = {Path(name).name: reason for name, reason in data("superni").ignored}
    assert sorted(ignored) == ["LICENSE-NOTE.md", "UPSTREAM-LICENSE.txt", "index.json"]
    assert ignored["index.json"].startswith("no examples: columns task, category")


def test_superni_tasks_are_groups() -> None:
    groups = Counter(example.group for example in data("superni").examples)
    assert (len(groups), set(groups.values())) == (45, {60})


def test_star_dialogues_alternate() -> None:
    dataset = data("star_support")
    turns = sum(len(example.conversation.turns) for example in dataset.examples)
    merged = dataset.repairs.get("neighbouring utterances merged", 0)
    assert (turns + merged, dataset.repairs["answer trimmed"]) == (5039 + 4253 + 786, 45)


def test_flan_rows_hold_new_lines_and_end_with_the_answer() -> None:
    first = data("flan_cot").examples[0].conversation
    assert first.prompt[0].text.endswith("\nOptions:\n- yes\n- no")
    assert first.answer.endswith("no ice-caps.\nThe answer is no.")


FINDINGS = {
    "dolly": {"boilerplate": 5, "placeholder": 12, "mojibake": 1, "missing_input": 3, "cut": 53, "signature": 1},
    "bitext_support": {"placeholder": 2174},
    "superni": {"mojibake": 11, "cut": 11},
    "gsm8k": {},
    "flan_cot": {},
    "banking77": {"contradiction": 2},
    "self_instruct": {"placeholder": 2, "boilerplate": 1, "cut": 1},
}


@pytest.mark.parametrize("name", FINDINGS)
def test_rules_drop_nothing_good_and_flag_these(name: str) -> None:
    made = quality.apply(data(name))
    assert (len(made), Counter(found.rule for found in made.findings)) == (READ[name][1], FINDINGS[name])


def test_banking_repeats_four_rows() -> None:
    made = drop_repeats(data("banking77"))
    assert (len(made), len(made.dropped), made.ledger.balances()) == (9999, 4, True)


def test_bitext_repeats_questions_but_its_hold_out_leaks_none() -> None:
    train, held = hold_out(data("bitext_support"), 0.05, 64)
    assert (len(train), len(held), leaks(train, held)) == (2549, 64, ())


@pytest.mark.parametrize(("name", "groups"), [("superni", 45), ("oasst_en100", 100), ("star_support", 677)])
def test_a_task_a_tree_and_a_dialogue_stand_on_one_side(name: str, groups: int) -> None:
    train, held = hold_out(data(name), 0.1, 1000)
    trained, measured = ({example.group for example in part.examples} for part in (train, held))
    assert (len(trained) + len(measured), trained & measured) == (groups, set())
    assert groups * 0.05 < len(measured) < groups * 0.2
    assert len(train) + len(held) == len(data(name))


def test_near_duplicates_in_real_sets() -> None:
    found = {}
    for name in ("dolly", "gsm8k", "star_support", "banking77"):
        made = mark_near(drop_repeats(data(name)), "drop")
        found[name] = Counter(row.rule for row in made.dropped)["near duplicate"]
        assert made.ledger.balances()
    assert found == {"dolly": 37, "gsm8k": 0, "star_support": 0, "banking77": 79}


def test_plain_text_rows_are_answered_with_advice() -> None:
    with pytest.raises(DataError, match=r"plain text in the column text.*\nWrite questions and answers about the text"):
        read(DataSettings(), [str(DATA / "text_c4_demo")])


@pytest.mark.parametrize("name", ["text_wikitext2", "text_wikitext2/valid.txt"])
def test_a_file_of_plain_text_is_called_so(name: str) -> None:
    with pytest.raises(DataError, match=r"valid\.txt is plain text(?s:.*)Write questions and answers about the text"):
        read(DataSettings(), [str(DATA / name)])
