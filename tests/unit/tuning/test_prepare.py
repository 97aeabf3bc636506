"""The certificate of the batches that a run really uses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tiny import tokenizer, write_rows
from tutelage.errors import DataError, UsageError
from tutelage.recipe import Recipe
from tutelage.text.encode import Encoder
from tutelage.tuning import prepare as module


def test_an_over_wide_mask_in_the_batches_fails_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe.model_validate({"data": {"files": [str(write_rows(tmp_path / "faq.jsonl"))]}})
    encoder, honest = Encoder(tokenizer(), "plain"), module.packs_of
    assert module.prepare(recipe, encoder, lambda line: None).certificate.problems() == ()

    def wide(*given: Any) -> Any:
        packs = honest(*given)
        weights = packs[0].weights.copy()
        weights[0] = 1.0
        return [replace(packs[0], weights=weights), *packs[1:]]

    monkeypatch.setattr(module, "packs_of", wide)
    assert module.prepare(recipe, encoder, lambda line: None).certificate.problems() != ()


def gathered(folder: Path, held: list[tuple[str, str]], **quality: Any) -> tuple[list[str], list[str]]:
    """The answers that are held out by a file of these rows, and what is said."""
    rows = [json.dumps({"prompt": prompt, "response": response}) + "\n" for prompt, response in held]
    (folder / "held.jsonl").write_text("".join(rows), encoding="utf-8")
    data = {"files": [str(write_rows(folder / "faq.jsonl"))], "held_out": str(folder / "held.jsonl")}
    said: list[str] = []
    recipe = Recipe.model_validate({"data": data, "quality": quality})
    _, _, measured = module.gather(recipe, 0, said.append, lambda example: 1)
    assert measured.ledger.balances() and measured.ledger.conversations_kept == len(measured)
    return [example.conversation.answer for example in measured.examples], said


def test_a_held_out_file_loses_what_no_rule_keeps_and_nothing_else(tmp_path: Path) -> None:
    """Blank ones and repeats go and are told; what is only doubtful stays, and is not mended."""
    rows = [
        ("Where is the key?", "Under the mat."),
        ("Where is the key?", " \n"),
        ("where is the  key?", "Under the mat."),
        ("Is it locked?", "It is &amp; was."),
        ("Where is the key?", "In the drawer."),
    ]
    kept, said = gathered(tmp_path, rows, drop=("all",), repair=("all",))
    assert kept == ["Under the mat.", "It is &amp; was.", "In the drawer."]
    (told,) = [line for line in said if line.startswith("Held-out file")]
    assert told.endswith("held.jsonl: 3 conversations kept; dropped: 1 × blank, 1 × repeat.")
    assert not any(line.startswith("Held-out file") for line in gathered(tmp_path, rows[:1])[1])


def test_a_held_out_file_of_blank_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"held\.jsonl: no conversation is left to measure on"):
        gathered(tmp_path, [("Where is the key?", " "), ("Is it locked?", "\n")])


@pytest.mark.parametrize("asked", [{"select": {"budget": 5}}, {"select": {"tokens": 50}}, {"personal": {"mask": True}}])
def test_what_only_curate_does_is_refused(tmp_path: Path, asked: dict[str, Any]) -> None:
    """Tuning on everything where 5 conversations were asked for would be a surprise."""
    files = {"files": [str(write_rows(tmp_path / "faq.jsonl"))]}
    recipe = Recipe.model_validate({"data": files} | asked)
    with pytest.raises(UsageError, match="only curate"):
        module.gather(recipe, 0, lambda line: None, lambda example: 1)
