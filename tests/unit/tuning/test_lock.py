"""Who holds a run's folder."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from tutelage.errors import TuningError
from tutelage.tuning.lock import NOTE, hold, holder
from tutelage.tuning.run import make_folder


def test_a_folder_is_held_once_and_free_again(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with hold(tmp_path):
        found = holder(tmp_path)
        assert found is not None
        assert (found.pid, found.host, found.alive) == (os.getpid(), socket.gethostname(), True)
        with pytest.raises(TuningError, match=rf"in use by process {os.getpid()} on "), hold(tmp_path):
            pytest.fail("held twice")
    assert holder(tmp_path) is None
    with hold(tmp_path):
        pass


def test_it_is_free_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError), hold(tmp_path):
        raise KeyError
    assert holder(tmp_path) is None


@pytest.mark.parametrize("text", ['{"pid": 12, "host": "HERE", "since": "then"}', '{"pid": 12, "ho', "", "[]"])
def test_a_lock_that_a_dead_process_left_is_told_and_taken(text: str, tmp_path: Path) -> None:
    (tmp_path / NOTE).write_text(text.replace("HERE", socket.gethostname()))
    found, said = holder(tmp_path), []
    assert found is not None and found.alive is False
    with hold(tmp_path, said.append):
        assert json.loads((tmp_path / NOTE).read_text())["pid"] == os.getpid()
    assert len(said) == 1 and "is gone without an ending" in said[0]


def test_a_lock_of_another_machine_is_respected_until_somebody_removes_it(tmp_path: Path) -> None:
    note = tmp_path / NOTE
    note.write_text('{"pid": 12, "host": "elsewhere", "since": "then"}')
    found = holder(tmp_path)
    assert found is not None and found.alive is None
    with pytest.raises(TuningError, match=r"process 12 on elsewhere since then.*remove .*lock\.json"), hold(tmp_path):
        pytest.fail("taken")
    assert note.exists()
    note.unlink()
    with hold(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(TuningError, match="cannot be locked"), hold(tmp_path / "file" / "run"):
        pytest.fail("held")


def test_a_folder_that_another_process_made_meanwhile_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both were told the same free name; the second one asks again."""
    names = iter([tmp_path / "faq-1", tmp_path / "faq-2"])
    (tmp_path / "faq-1").mkdir()
    monkeypatch.setattr("tutelage.tuning.run.new_folder", lambda out, files: next(names))
    assert make_folder("", ("faq.jsonl",)) == tmp_path / "faq-2"
