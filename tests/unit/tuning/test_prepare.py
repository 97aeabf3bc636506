"""The certificate of the batches that a run really uses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tiny import tokenizer, write_rows
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
