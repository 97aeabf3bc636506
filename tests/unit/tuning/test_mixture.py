"""Mixing in through the main job: by tokens, beside a hold-out that stays; a warning where the data is one task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tiny import tokenizer, write_rows
from tutelage.data.general import general_examples
from tutelage.errors import UsageError
from tutelage.recipe import Recipe
from tutelage.text.encode import Encoder
from tutelage.tuning.prepare import Prepared, prepare


def prepared(*mix: str, **data: Any) -> tuple[Prepared, list[str]]:
    said: list[str] = []
    recipe = Recipe.model_validate({"data": {"mix": mix, **data}})
    return prepare(recipe, Encoder(tokenizer(), "plain"), said.append), said


def tokens_of(done: Prepared, file: str) -> int:
    taught = zip(done.train.examples, done.train.tokens, strict=True)
    return sum(len(tokens) for example, tokens in taught if example.source.file == file)


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_the_share_is_one_of_the_tokens_tuned_on(tmp_path: Path, share: float) -> None:
    own, other = write_rows(tmp_path / "own.jsonl", 60), write_rows(tmp_path / "other.jsonl", 200, start=100)
    done, said = prepared(f"{other}:{share}", files=(str(own),))
    taken, kept = tokens_of(done, str(other)), tokens_of(done, str(own))
    longest = max(map(len, done.train.tokens))
    assert abs(taken - kept * share / (1 - share)) <= longest / 2
    assert done.dataset.ledger.balances()
    assert done.certificate.problems() == ()
    assert done.certificate.conversations_kept == len(done.train.examples) + len(done.held.examples)
    assert any(
        line.startswith("Mixed in ") and line.endswith(f"{taken / (taken + kept):.1%} of the tokens.") for line in said
    )


def test_the_hold_out_is_the_same_with_and_without_a_mix(tmp_path: Path) -> None:
    own = (str(write_rows(tmp_path / "own.jsonl", 60)),)
    without, _ = prepared(files=own, hold_out=0.2)
    mixed, _ = prepared("general:0.3", files=own, hold_out=0.2)
    ids = [[example.id for example in done.held.examples] for done in (without, mixed)]
    assert ids[0] == ids[1] != []
    assert {example.id for example in without.train.examples} < {example.id for example in mixed.train.examples}


def test_what_starts_like_a_held_out_one_is_not_mixed_in(tmp_path: Path) -> None:
    own = str(write_rows(tmp_path / "own.jsonl", 60))
    done, _ = prepared(f"{own}:0.5", files=(own,), hold_out=0.2)
    asked = [{example.conversation.prompt for example in part.examples} for part in (done.train, done.held)]
    assert (asked[0] & asked[1], len(asked[1]) > 0) == (set(), True)
    assert sum(gone.rule == "leak" for gone in done.dataset.dropped) >= len(done.held.examples)


def test_a_small_general_set_is_taken_whole_and_this_is_said(tmp_path: Path) -> None:
    own = str(write_rows(tmp_path / "own.jsonl", 60))
    done, said = prepared("general:0.99", files=(own,))
    taken = sum(example.source.file != own for example in done.train.examples)
    alike = sum(gone.rule == "leak" for gone in done.dataset.dropped)
    assert (taken + alike, alike <= 1) == (len(general_examples()), True)
    assert sum("not the 99% asked for, since there are no more" in line for line in said) == 1


def test_one_task_is_warned_of_once_and_not_with_a_mix(tmp_path: Path) -> None:
    rows = [{"prompt": f"Message {n}: card {n} is lost", "response": f"label {n % 3}"} for n in range(40)]
    (tmp_path / "one.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = (str(tmp_path / "one.jsonl"),)
    _, alone = prepared(files=files)
    _, mixed = prepared("general:0.2", files=files)
    told = [[line for line in said if "This data is one task" in line] for said in (alone, mixed)]
    assert (len(told[0]), told[1]) == (1, [])
    assert "--mix general:0.2" in told[0][0]


def test_a_wrong_entry_stops_before_anything_is_read() -> None:
    with pytest.raises(UsageError, match=r"for 20 % write general:0\.2"):
        prepared("general:20", files=("/nowhere/at/all.jsonl",))


def test_columns_are_for_the_data_and_not_for_the_mix(tmp_path: Path) -> None:
    table = "text,label\n" + "".join(f"message number {n},kind {n % 3}\n" for n in range(40))
    (tmp_path / "one.csv").write_text(table)
    how = {"columns": "prompt=text,response=label", "instruction": "Which kind?"}
    done, _ = prepared("general:0.2", files=(str(tmp_path / "one.csv"),), **how)
    assert len({example.source.file for example in done.train.examples}) == 2
