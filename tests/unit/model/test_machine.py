"""What the machine offers, with the machine's answers replaced where they matter."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub.utils import are_progress_bars_disabled
from transformers.utils import logging as remarks

from tutelage.errors import ModelError
from tutelage.model import machine

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty cache folder and no remembered measurement; the threads are put back."""
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(machine, "_gains", {})
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def offer(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_device(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str) -> None:
    offer(monkeypatch, cuda, mps)
    assert machine.choose_device("auto").type == expected
    assert machine.choose_device(expected).type == expected
    assert machine.choose_device("cpu").type == "cpu"


@pytest.mark.parametrize("wanted", ["cuda", "mps"])
def test_absent_device(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    offer(monkeypatch, cuda=False, mps=False)
    with pytest.raises(ModelError, match=f"finds no {wanted} device here; choose auto or one of: cpu"):
        machine.choose_device(wanted)


def test_unknown_device_and_precision() -> None:
    with pytest.raises(ModelError, match="tpu is no device"):
        machine.choose_device("tpu")
    with pytest.raises(ModelError, match="int8 is no precision"):
        machine.choose_precision("int8", CPU)


def test_named_precision() -> None:
    assert machine.choose_precision("float32", CPU) is torch.float32
    assert machine.choose_precision("bfloat16", CPU) is torch.bfloat16


@pytest.mark.parametrize(("gain", "expected"), [(1.29, torch.float32), (1.3, torch.bfloat16)])
def test_auto_precision_follows_the_measured_gain(
    monkeypatch: pytest.MonkeyPatch, gain: float, expected: torch.dtype
) -> None:
    monkeypatch.setattr(machine, "_measure_gain", lambda: gain)
    assert machine.choose_precision("auto", CPU) is expected


@pytest.mark.parametrize(("supported", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_precision_on_cuda(monkeypatch: pytest.MonkeyPatch, supported: bool, expected: torch.dtype) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    assert machine.choose_precision("auto", torch.device("cuda")) is expected


def test_gain_is_measured_once_in_a_process_and_once_on_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[float] = []

    def measure() -> float:
        measured.append(2.0)
        return 2.0

    monkeypatch.setattr(machine, "_measure_gain", measure)
    machine.choose_precision("auto", CPU)
    machine.choose_precision("auto", CPU)
    machine._gains.clear()  # a new process
    assert machine.choose_precision("auto", CPU) is torch.bfloat16
    assert measured == [2.0]
    kept = json.loads((machine.cache_folder() / "precision.json").read_text())
    assert [torch.__version__ in key for key in kept] == [True]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": "b"}', "\x00"])
def test_damaged_cache_is_measured_again(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setattr(machine, "_measure_gain", lambda: 2.0)
    machine.cache_folder().mkdir()
    (machine.cache_folder() / "precision.json").write_text(content)
    assert machine.choose_precision("auto", CPU) is torch.bfloat16
    assert 2.0 in json.loads((machine.cache_folder() / "precision.json").read_text()).values()


def test_cache_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(machine, "_measure_gain", lambda: 1.0)
    assert machine.choose_precision("auto", CPU) is torch.float32


def test_measured_gain_is_a_ratio() -> None:
    assert 0 < machine._measure_gain() < 1000


def test_threads() -> None:
    assert machine.set_threads(1) == 1 == torch.get_num_threads()
    cores = machine.set_threads(0)
    assert cores == torch.get_num_threads()
    assert 1 <= cores <= (os.cpu_count() or 1)


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up machine: 4 cores with 2 hardware threads each, all allowed, no limits."""
    for cpu in range(8):
        topology = tmp_path / "cpus" / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{cpu % 4},{cpu % 4 + 4}\n")
    group = tmp_path / "cgroup"
    group.mkdir()
    monkeypatch.setattr(machine, "_CPUS", tmp_path / "cpus")
    monkeypatch.setattr(machine, "_CGROUP", group)
    monkeypatch.setattr(machine, "_own_cgroup", lambda: group)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return group


class TestCores:
    def test_hardware_threads_count_once(self, linux: Path) -> None:
        assert machine._usable_cores() == 4

    def test_affinity(self, linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 4}, raising=False)
        assert machine._usable_cores() == 2

    @pytest.mark.parametrize(("limit", "cores"), [("200000 100000", 2), ("150000 100000", 2), ("max 100000", 4)])
    def test_cgroup_2(self, linux: Path, limit: str, cores: int) -> None:
        (linux / "cpu.max").write_text(limit + "\n")
        assert machine._usable_cores() == cores

    @pytest.mark.parametrize(("quota", "cores"), [("100000", 1), ("50000", 1), ("-1", 4)])
    def test_cgroup_1(self, linux: Path, quota: str, cores: int) -> None:
        (linux / "cpu").mkdir()
        (linux / "cpu" / "cpu.cfs_quota_us").write_text(quota)
        (linux / "cpu" / "cpu.cfs_period_us").write_text("100000")
        assert machine._usable_cores() == cores

    def test_memory_limit(self, linux: Path) -> None:
        whole = machine.memory_bytes()
        (linux / "memory.max").write_text("max\n")
        assert machine.memory_bytes() == whole
        (linux / "memory.max").write_text("1048576\n")
        assert machine.memory_bytes() == 1048576


def test_memory() -> None:
    before = machine.peak_memory_bytes()
    assert 10_000_000 < before < machine.memory_bytes()
    held = torch.ones(64 << 20, dtype=torch.uint8)
    assert machine.peak_memory_bytes() >= before
    assert held.numel() == 64 << 20


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert machine.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("TUTELAGE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert machine.cache_folder() == tmp_path / "xdg" / "tutelage"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert machine.cache_folder() == Path.home() / ".cache" / "tutelage"


def test_file_hash_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    first = machine.file_hash(path)
    assert first == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    path.write_bytes(b"abcd")
    assert machine.file_hash(path) != first


@pytest.mark.parametrize("level", [logging.WARNING, logging.DEBUG])
def test_quiet_libraries_puts_everything_back(level: int) -> None:
    before = remarks.get_verbosity(), remarks.is_progress_bar_enabled(), are_progress_bars_disabled()
    remarks.set_verbosity(level)
    try:
        with pytest.raises(RuntimeError), machine.quiet_libraries():
            assert remarks.get_verbosity() == (logging.ERROR if level == logging.WARNING else level)
            assert not remarks.is_progress_bar_enabled()
            raise RuntimeError
        assert remarks.get_verbosity() == level
        assert (remarks.is_progress_bar_enabled(), are_progress_bars_disabled()) == before[1:]
    finally:
        remarks.set_verbosity(before[0])


def test_workplace_is_removed_and_failures_are_explained(tmp_path: Path) -> None:
    target = tmp_path / "made"
    with machine.workplace(target) as work:
        (work / "file").write_text("x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ModelError, match=r"nothing can be kept.*TUTELAGE_CACHE"), machine.workplace(target):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_lock_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ModelError, match="nothing can be kept"),
        machine.one_at_a_time(tmp_path / "file" / "made", print),
    ):
        pass
