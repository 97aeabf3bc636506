"""`tutelage unmask`: what curate masked is put back, in folders and in files."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tutelage.cli import app
from tutelage.data import personal, store
from tutelage.errors import DataError
from tutelage.records import Dataset

Make = Callable[..., Dataset]


@pytest.fixture
def masked(dataset: Make, tmp_path: Path) -> Path:
    """A masked data set's folder, with its key beside it."""
    folder = tmp_path / "clean"
    made = dataset(('My mail is "a"@x, no: jo@shop.org', "Call +49 170 1234567"), ("PIN is 4821?", "No."))
    store.save(personal.mask(made, personal.key_file(folder)), folder)
    return folder


def test_a_folder_is_what_it_was_before(dataset: Make, masked: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(
        app, ["unmask", str(masked), "--key", f"{masked}.key.json", "--out", str(tmp_path / "open"), "--json"]
    )
    assert (told.exit_code, json.loads(told.stdout)) == (0, {"out": str(tmp_path / "open"), "unmasked": 3})
    texts = [[turn.text for turn in e.conversation.turns] for e in store.load(tmp_path / "open").examples]
    assert texts == [['My mail is "a"@x, no: jo@shop.org', "Call +49 170 1234567"], ["PIN is 4821?", "No."]]


def test_a_file_of_answers_is_unmasked_as_json_and_closed_to_others(masked: Path, tmp_path: Path) -> None:
    key, answers, out = tmp_path / "key.json", tmp_path / "answers.jsonl", tmp_path / "open.jsonl"
    key.write_text(json.dumps({"kind": "tutelage personal key", "values": {"[PASSWORD-1]": 'a"b\\c'}}))
    answers.write_text('{"answer": "It is [PASSWORD-1], not [PASSWORD-2]."}\n')
    assert personal.unmask_file(answers, key, out) == 1
    assert json.loads(out.read_text()) == {"answer": 'It is a"b\\c, not [PASSWORD-2].'}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_nothing_is_overwritten(masked: Path) -> None:
    with pytest.raises(DataError, match="is there already"):
        personal.unmask_file(masked, personal.key_file(masked), masked)


def test_a_file_that_is_not_there_is_named(masked: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.jsonl: No such file"):
        personal.unmask_file(tmp_path / "none.jsonl", personal.key_file(masked), tmp_path / "out")
