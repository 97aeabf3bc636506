"""What this machine offers: device, number format, threads, memory, and a disk to keep things on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import platform
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock
import torch
from safetensors import SafetensorError

from tutelage.errors import ModelError

Say = Callable[[str], None]

_CGROUP = Path("/sys/fs/cgroup")
_CPUS = Path("/sys/devices/system/cpu")
# bfloat16 has to be this much faster than float32 to be worth its 8 bits of precision.
_WORTH = 1.3
_PROBE_SECONDS = 1.5


def choose_device(wanted: str) -> torch.device:
    """The device to compute on: the named one, or for auto the first there is of cuda, mps and cpu.

    Raises:
        ModelError: where the named device is not there, or is no device.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    names = [name for name, found in there.items() if found]
    if wanted == "auto":
        return torch.device(names[0])
    if wanted not in there:
        raise ModelError(f"{wanted} is no device; choose auto, {', '.join(there)}")
    if not there[wanted]:
        raise ModelError(f"PyTorch finds no {wanted} device here; choose auto or one of: {', '.join(names)}")
    return torch.device(wanted)


def choose_precision(wanted: str, device: torch.device) -> torch.dtype:
    """The number format of the weights in the forward pass.

    auto is bfloat16 on a CUDA device that has it, and on a CPU where it is at least 1.3 times as fast as
    float32, which is measured once in up to 2 seconds and kept in the cache folder.

    Raises:
        ModelError: where `wanted` is not auto, float32 or bfloat16.
    """
    if wanted in ("float32", "bfloat16"):
        return torch.float32 if wanted == "float32" else torch.bfloat16
    if wanted != "auto":
        raise ModelError(f"{wanted} is no precision; choose auto, float32 or bfloat16")
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    faster = device.type == "cpu" and _bfloat16_gain() >= _WORTH
    return torch.bfloat16 if faster else torch.float32


_gains: dict[str, float] = {}


def _bfloat16_gain() -> float:
    """How many times faster this CPU multiplies in bfloat16 than in float32; measured once."""
    key = f"{_cpu_name()}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    kept = cache_folder() / "precision.json"
    if key not in _gains:
        known: dict[str, float] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            known = {str(name): float(gain) for name, gain in json.loads(kept.read_text(encoding="utf-8")).items()}
        _gains[key] = known[key] if key in known else _measure_gain()
        if key not in known:
            with contextlib.suppress(OSError):  # a cache that cannot be written costs two seconds, no more
                kept.parent.mkdir(parents=True, exist_ok=True)
                fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
                fresh.write_text(json.dumps(known | {key: round(_gains[key], 3)}, indent=1), encoding="utf-8")
                fresh.replace(kept)
    return _gains[key]


def _measure_gain() -> float:
    """float32 seconds over bfloat16 seconds for a linear layer of a small model, forward and backward."""
    best = {torch.float32: math.inf, torch.bfloat16: math.inf}
    started = time.perf_counter()
    # In turns, so that another process on the machine slows both alike. The first rounds warm up, on few rows:
    # some CPUs take seconds for a whole one in bfloat16, and a few rows show that too.
    for number in range(12):
        rows = 64 if number < 2 else 512
        for dtype in best:
            seconds = _linear_seconds(rows, dtype)
            best[dtype] = min(best[dtype], seconds) if number > 2 else seconds
        gain = best[torch.float32] / best[torch.bfloat16]
        if number and (gain < 0.5 or time.perf_counter() - started > _PROBE_SECONDS):
            break
    return gain


def _linear_seconds(rows: int, dtype: torch.dtype) -> float:
    """Seconds for the three matrix products of a linear layer 640 -> 2048: output, and both gradients."""
    x, y = torch.ones(rows, 640, dtype=dtype), torch.ones(rows, 2048, dtype=dtype)
    weight = torch.ones(2048, 640, dtype=dtype)
    before = time.perf_counter()
    _ = x @ weight.T, y @ weight, y.T @ x
    return time.perf_counter() - before


def _cpu_name() -> str:
    """The processor's model; machines that share a cache folder are told apart by it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Hardware")):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def set_threads(wanted: int) -> int:
    """Sets how many CPU threads torch computes with, and returns it.

    Args:
        wanted: 0: one for each physical core that this process may use, within its container's share.
    """
    threads = wanted if wanted > 0 else _usable_cores()
    torch.set_num_threads(threads)
    return threads


def _usable_cores() -> int:
    """Physical cores that this process may run on; two hardware threads of a core share its arithmetic."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = set()
    for cpu in allowed:
        siblings = _CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list"
        try:
            cores.add(siblings.read_text(encoding="ascii").strip())
        except OSError:
            cores.add(str(cpu))
    return max(1, math.ceil(min(len(cores), _cpu_share())))


def _cpu_share() -> float:
    """CPUs' worth of time that the container may use (cgroups, version 2 and 1); infinite without a limit."""
    shares = [math.inf]
    with contextlib.suppress(OSError, ValueError):
        quota, period = (_own_cgroup() / "cpu.max").read_text(encoding="ascii").split()
        shares.append(int(quota) / int(period))
    with contextlib.suppress(OSError, ValueError):
        quota, period = (
            (_CGROUP / "cpu" / f"cpu.cfs_{part}_us").read_text(encoding="ascii") for part in ("quota", "period")
        )
        if int(quota) > 0:
            shares.append(int(quota) / int(period))
    return min(shares)


def _own_cgroup() -> Path:
    """This process's folder of limits in cgroups version 2, or the top one."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            if line.startswith("0::"):
                own = _CGROUP / line[3:].strip().lstrip("/")
                return own if own.is_dir() else _CGROUP
    return _CGROUP


def memory_bytes() -> int:
    """Main memory in bytes that this process may use: the machine's or, where less, its container's limit.

    0 where the system does not say.
    """
    amounts = []
    with contextlib.suppress(OSError, ValueError, AttributeError):
        amounts.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for limit in (_own_cgroup() / "memory.max", _CGROUP / "memory" / "memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # "max" stands for no limit
            amounts.append(int(limit.read_text(encoding="ascii")))
    return min(amounts, default=0)


def peak_memory_bytes() -> int:
    """The most memory in bytes that this process has held: on its GPU where it uses one, else main memory.

    0 where the system does not say.
    """
    if torch.cuda.is_available() and torch.cuda.memory_allocated():
        return int(torch.cuda.max_memory_allocated())
    try:
        import resource
    except ImportError:  # Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def cache_folder() -> Path:
    """Where converted models and measurements are kept: $TUTELAGE_CACHE, else the user's cache folder."""
    if named := os.environ.get("TUTELAGE_CACHE"):
        return Path(named).expanduser()
    if general := os.environ.get("XDG_CACHE_HOME"):
        return Path(general).expanduser() / "tutelage"
    return Path.home() / ".cache" / "tutelage"


@contextlib.contextmanager
def one_at_a_time(folder: Path, say: Say) -> Iterator[None]:
    """Holds the lock of a folder that is being made; the system frees it when a process dies.

    Raises:
        ModelError: where nothing can be written beside the folder.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(str(folder.parent / f".{folder.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            say("another process is making this folder: waiting for it")
            lock.acquire()
    except OSError as error:
        raise _unwritable(folder.parent, error) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`, removed at the end; what a killed process left there goes first.

    Raises:
        ModelError: where the disk is full or cannot be written.
    """
    for left in folder.parent.glob(f".{folder.name}.part-*"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.part-", dir=folder.parent) as work:
            yield Path(work)
    except (OSError, SafetensorError) as error:
        raise _unwritable(folder.parent, error) from error


def _unwritable(place: Path, error: Exception) -> ModelError:
    return ModelError(
        f"nothing can be kept under {place}: {error}. Make room there, or name another place in the "
        "environment variable TUTELAGE_CACHE"
    )


def to_disk(path: Path) -> None:
    """Forces a file's or folder's content onto the disk, where the system allows it for folders."""
    with contextlib.suppress(PermissionError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


_hashes: dict[tuple[str, int, int], str] = {}


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content in hex; an unchanged file (size, time) is read once in a process."""
    about = path.stat()
    key = (str(path.resolve()), about.st_size, about.st_mtime_ns)
    if key not in _hashes:
        with path.open("rb") as file:
            _hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _hashes[key]


def weights_hash(folder: Path) -> str:
    """SHA-256 over the names and hashes of a folder's safetensors files; each file is read once in a process.

    Raises:
        ModelError: where there is none.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"{folder} holds no weights (*.safetensors)")
    lines = "".join(f"{path.name} {file_hash(path)}\n" for path in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        ModelError: where it cannot be read or is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} cannot be read: it is not a JSON object")
    return content


def first_line(error: Exception) -> str:
    """The first line of another library's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keeps transformers' and huggingface_hub's bars and remarks off the screen; puts all back after.

    A verbosity that somebody raised on purpose stays.
    """
    from huggingface_hub import utils
    from transformers.utils import logging as remarks

    hub: Any = utils
    told: Any = remarks
    level, bars = told.get_verbosity(), told.is_progress_bar_enabled()
    hub_hidden = hub.are_progress_bars_disabled()
    if level == logging.WARNING:
        told.set_verbosity_error()
    told.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # peft still asks transformers under a name that will go; that is theirs to settle.
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        told.set_verbosity(level)
        if bars:
            told.enable_progress_bar()
        if hub_hidden:
            hub.disable_progress_bars()
        else:
            hub.enable_progress_bars()
