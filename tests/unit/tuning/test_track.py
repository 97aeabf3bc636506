"""Trackers: what they get is what metrics.jsonl has, on a resumed run too; and what they break is not the run."""

from __future__ import annotations

import importlib.util
import inspect
import json
import struct
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wandb
from tensorboardX.proto.event_pb2 import Event, SessionLog
from wandb.proto.wandb_internal_pb2 import Record

from tutelage.errors import UsageError
from tutelage.recipe import Recipe, TrackSettings, build
from tutelage.tuning import track
from tutelage.tuning.run import Step
from tutelage.tuning.track import Tracker, check, trackers, tracking

BLOCK = 32768
Measures = dict[int, dict[str, float]]


def step(number: int, held: float | None = None) -> Step:
    return Step(number, 4.0 - number / 4, 100 + number, 40, 200.0, 1e-3, 0.5, 0.25, held)


STEPS = [step(number, 3.0 if number % 2 == 0 else None) for number in range(1, 8)]


def expected(steps: list[Step]) -> Measures:
    """What a tracker should have: a step's measures by its number."""
    return {one.step: {k: v for k, v in asdict(one).items() if k != "step" and v is not None} for one in steps}


def recipe(**settings: Any) -> Recipe:
    return build({"track": settings})


def follow(made: Recipe, folder: Path) -> None:
    """Five steps; then the process is killed, and goes on after its checkpoint at step 3."""
    folder.mkdir(exist_ok=True)
    for done, upto in ((0, 5), (3, 7)):
        with tracking(made, folder, done, pytest.fail) as stepped:
            for one in STEPS[done:upto]:
                stepped(one)


def test_tensorboard_reads_every_step_once_after_a_resume(tmp_path: Path) -> None:
    follow(recipe(tensorboard=True), tmp_path)
    found: Measures = {}
    for event in events(tmp_path / "tensorboard"):
        if event.session_log.status == SessionLog.START:  # TensorBoard drops what it had of this step and later ones
            found = {number: values for number, values in found.items() if number < event.step}
        for value in event.summary.value:
            assert value.tag not in found.get(event.step, {})
            found.setdefault(event.step, {})[value.tag] = value.simple_value
    assert {number: pytest.approx(values) for number, values in expected(STEPS).items()} == found


def events(folder: Path) -> Iterator[Event]:
    """Event files in the order of their names: records of length, its checksum, content, its checksum."""
    for path in sorted(folder.iterdir()):
        data, place = path.read_bytes(), 0
        while place < len(data):
            (size,) = struct.unpack_from("<Q", data, place)
            event = Event()
            event.ParseFromString(data[place + 12 : place + 12 + size])
            yield event
            place += size + 16


def test_weights_and_biases_goes_on_with_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real package, offline: its two logs together have every step, under one id; nothing goes to stdout, and
    what the terminal shows goes nowhere."""
    asked: list[dict[str, Any]] = []
    real = wandb.init
    monkeypatch.setattr(wandb, "init", lambda **given: (asked.append(given), real(**given))[1])
    monkeypatch.setenv("WANDB_MODE", "offline")
    follow(recipe(wandb="desk"), tmp_path / "faq-1")
    logs = [list(records(path)) for path in sorted((tmp_path / "faq-1" / "wandb").glob("offline-run-*/*.wandb"))]
    runs = [record.run for log in logs for record in log if record.HasField("run")]
    name = (tmp_path / "faq-1" / "tracking-id").read_text().strip()
    assert {(run.project, run.run_id, run.display_name) for run in runs} == {("desk", name, "faq-1")}
    found: Measures = {}
    for record in (record for log in logs for record in log if record.HasField("history")):
        items = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
        values = {key: value for key, value in items.items() if not key.startswith("_")}
        assert found.setdefault(record.history.step.num, values) == values
    assert found == expected(STEPS)
    settings = {item.key: json.loads(item.value_json) for item in runs[0].config.update}
    assert settings["tuning"]["batch_size"] == 4
    assert [given["settings"].console for given in asked] == ["off"] * 2
    assert capsys.readouterr().out == ""


def records(path: Path) -> Iterator[Record]:
    """Blocks of 32 KiB with parts of records: checksum, length, kind (1 whole, 2 first, 3 middle, 4 last), content."""
    data, place, whole = path.read_bytes(), 7, b""
    while place < len(data):
        if BLOCK - place % BLOCK < 7:
            place += BLOCK - place % BLOCK
            continue
        _, size, kind = struct.unpack_from("<IHB", data, place)
        whole += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):
            record = Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trackio decides when it is imported where it keeps things."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKIO_DIR", str(tmp_path_factory.mktemp("trackio")))
        yield


def test_how_trackio_is_called(away: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in notes the calls; where trackio is installed, they must fit its signatures."""
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def noting(name: str) -> Any:
        return lambda *given, **named: (calls.append((name, given, named)), SimpleNamespace(log=noting("log")))[1]

    if importlib.util.find_spec("trackio"):
        import trackio

        real = {"init": inspect.signature(trackio.init), "finish": inspect.signature(trackio.finish)}
        real["log"] = inspect.signature(trackio.Run.log)
    else:
        real = {}
    stand_in = SimpleNamespace(
        init=noting("init"), finish=noting("finish"), __spec__=ModuleSpec("trackio", None, origin="here")
    )
    monkeypatch.setitem(sys.modules, "trackio", stand_in)
    follow(recipe(trackio="desk"), tmp_path / "faq-1")
    assert [name for name, _, _ in calls] == ["init", *["log"] * 5, "finish", "init", *["log"] * 4, "finish"]
    first, second = (named for name, _, named in calls if name == "init")
    assert first == second
    name = (tmp_path / "faq-1" / "tracking-id").read_text().strip()
    assert (first["project"], first["name"], first["resume"]) == ("desk", f"faq-1-{name}", "allow")
    assert first["config"] == recipe(trackio="desk").model_dump(mode="json")
    found = {named["step"]: given[0] for name, given, named in calls if name == "log"}
    assert found == expected(STEPS)
    for name, given, named in calls:
        if name in real:
            real[name].bind(*((None,) if name == "log" else ()), *given, **named)


def test_trackio_itself_if_it_is_installed(away: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Optional, since its 17 MB are no part of the tests' tools: pip install 'tutelage[trackio]'."""
    pytest.importorskip("trackio")
    from trackio.sqlite_storage import SQLiteStorage

    follow(recipe(trackio="desk"), tmp_path / "faq-1")
    name = f"faq-1-{(tmp_path / 'faq-1' / 'tracking-id').read_text().strip()}"
    assert SQLiteStorage.get_runs("desk") == [name]
    found = {}
    for row in SQLiteStorage.get_logs("desk", name):
        values = {key: value for key, value in row.items() if key not in ("step", "timestamp")}
        assert found.setdefault(row["step"], values) == values  # steps that come again have the same numbers
    assert found == expected(STEPS)
    assert capsys.readouterr().out == ""


def test_nothing_is_made_where_nothing_is_asked_for(tmp_path: Path) -> None:
    assert trackers(recipe(), tmp_path, 0, pytest.fail) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spec", [None, ModuleSpec("wandb", None)])
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            TrackSettings(tensorboard=True),
            r"track\.tensorboard needs one more package: pip install 'tutelage\[tensorboard\]'",
        ),
        (TrackSettings(wandb="desk"), r"track\.wandb needs one more package: pip install 'tutelage\[wandb\]'"),
        (TrackSettings(trackio="desk"), r"track\.trackio needs one more package: pip install 'tutelage\[trackio\]'"),
    ],
)
def test_a_missing_package_is_told_before_anything_starts(
    settings: TrackSettings, told: str, spec: ModuleSpec | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder ./wandb, which Python would take for a package without files, is none."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(UsageError, match=told):
        check(settings)
    assert check(TrackSettings()) == []


def test_each_extra_exists() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(track.OPENERS) <= set(project["optional-dependencies"])


def test_a_tracker_that_fails_is_told_once_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    kept: dict[str, list[object]] = {"wandb": [], "tensorboard": []}

    def opener(name: str, fails_at: int) -> Any:
        def log(values: dict[str, float], number: int) -> None:
            print("chatter")
            kept[name].append(number)
            if number == fails_at:
                raise ConnectionError("no network\nat all")

        return lambda *_: (log, kept[name].append)

    def closed(*_: object) -> Any:
        raise TimeoutError

    openers = {"tensorboard": opener("tensorboard", 99), "wandb": opener("wandb", 2), "trackio": closed}
    monkeypatch.setattr(track, "OPENERS", openers)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: ModuleSpec(name, None, origin="here"))
    with tracking(recipe(tensorboard=True, wandb="a", trackio="b"), tmp_path, 0, said.append) as stepped:
        for one in STEPS:
            stepped(one)
    assert said == [
        "Careful: trackio gets no more steps (TimeoutError); metrics.jsonl has them all.",
        "Careful: wandb gets no more steps (no network); metrics.jsonl has them all.",
    ]
    assert kept == {"tensorboard": [1, 2, 3, 4, 5, 6, 7, False], "wandb": [1, 2]}
    assert capsys.readouterr().out == ""


def test_trackers_hear_that_a_run_failed_and_the_error_is_the_runs_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(track, "OPENERS", {"wandb": lambda *_: (print, ended.append)})
    with pytest.raises(KeyboardInterrupt), tracking(recipe(wandb="desk"), tmp_path, 0, pytest.fail):
        raise KeyboardInterrupt
    assert ended == [True]


def test_a_tracker_that_cannot_close_is_told() -> None:
    said: list[str] = []

    def close(failed: bool) -> None:
        raise OSError("disk full")

    Tracker("wandb", lambda: (lambda values, number: None, close), said.append).close()
    assert said == ["Careful: wandb gets no more steps (disk full); metrics.jsonl has them all."]


def test_trackers_change_neither_numbers_nor_whether_a_run_can_go_on() -> None:
    assert recipe(wandb="desk").numbers_hash() == recipe().numbers_hash()
