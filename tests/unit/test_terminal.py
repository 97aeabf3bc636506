"""What `runs` shows: lists and curves in wide and narrow terminals, in pipes, without colours, in ASCII."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tutelage import terminal
from tutelage.recipe import Recipe
from tutelage.tuning.lock import NOTE
from tutelage.tuning.run import Manifest, Run, Step
from tutelage.tuning.standing import Standing, standing

MACHINE = {"device": "cpu", "precision": "float32", "threads": 2}
MANIFEST = Manifest(
    {"name": "HuggingFaceTB/SmolLM2-135M"}, "plain", "lora", True, 80, 80, machine=MACHINE, peak_memory=2_000_000_000,
    created="2026-11-24T20:00:00+00:00",
)  # fmt: skip
Show = Callable[..., str]


def made(folder: Path, manifest: Manifest = MANIFEST) -> Path:
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(Recipe().to_yaml())
    Run(folder).write_manifest(manifest)
    rows = [Step(n, 2 + 2 / n, 100, 40, 200.0, 1e-3, 0.5, 0.5, 2.5 if n % 40 == 0 else None) for n in range(1, 81)]
    (folder / "metrics.jsonl").write_text("".join(row.to_json() + "\n" for row in rows))
    return folder


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """What a function of `terminal` prints on a terminal of that size and encoding."""
    for name in ("LC_ALL", "LANG", "TERM", "NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")

    def shown(
        function: Callable[[object], None],
        what: object,
        width: int = 80,
        encoding: str = "utf-8",
        is_terminal: bool = True,
    ) -> str:
        raw = io.BytesIO()
        file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
        console = Console(
            file=file, width=width, height=24, force_terminal=is_terminal, color_system=None, highlight=False,
            soft_wrap=True,
        )  # fmt: skip
        monkeypatch.setattr(terminal, "OUT", console)
        function(what)
        return raw.getvalue().decode(encoding)

    return shown


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Standing]:
    """One run of each kind."""
    monkeypatch.chdir(tmp_path)
    open_ended = replace(MANIFEST, finished=False, steps=40)
    for name in ("faq-1", "faq-2", "faq-3", "faq-4"):
        made(Path("runs", name), MANIFEST if name == "faq-1" else open_ended)
    saved = Path("runs/faq-2/checkpoints/step-40")
    saved.mkdir(parents=True)
    (saved / "manifest.json").write_text("{}")
    note = {"pid": 12, "host": socket.gethostname(), "since": "2026-11-24T20:00:00+00:00"}
    Path("runs/faq-3", NOTE).write_text(json.dumps(note))
    Path("runs/faq-4/manifest.json").write_text("{")
    return [standing(Path("runs", f"faq-{number}")) for number in range(1, 5)]


@pytest.mark.parametrize(("width", "is_terminal"), [(140, True), (80, False)])
def test_a_wide_list_has_a_line_for_each_run(
    width: int, is_terminal: bool, show: Show, several: list[Standing]
) -> None:
    """Also where it goes into a pipe, whose width is unknown."""
    lines = show(terminal.show_runs, several, width, is_terminal=is_terminal).splitlines()
    assert [line.split()[:3] for line in lines[:5]] == [
        ["run", "state", "steps"],
        ["runs/faq-1", "finished", "80/80"],
        ["runs/faq-2", "stopped", "80/80"],
        ["runs/faq-3", "died", "80/80"],
        ["runs/faq-4", "broken", "-"],
    ]
    words = "runs/faq-1 finished 80/80 2.025 2.500 2.500 200 lora HuggingFaceTB/SmolLM2-135M 2026-11-24"
    assert lines[1].split()[:10] == words.split()
    assert "manifest.json cannot be read" in lines[5]
    assert lines[6] == "Can be resumed: runs/faq-2. Go on with: tutelage resume runs/faq-2"


def test_a_narrow_list_has_two(show: Show, several: list[Standing]) -> None:
    lines = show(terminal.show_runs, several, 80).splitlines()
    assert max(len(line) for line in lines if "cannot be read" not in line) <= 80
    assert lines[2].split() == ["runs/faq-1", "finished", "80/80", "2.025", "2.500", "2.500", "200"]
    assert lines[3].startswith("    lora, HuggingFaceTB/SmolLM2-135M, 2026-11-24 ")


@pytest.mark.parametrize("width", [40, 80, 140])
def test_a_run_is_drawn_as_wide_as_the_terminal(width: int, show: Show, several: list[Standing]) -> None:
    shown = show(terminal.show_run, several[0], width)
    lines = shown.splitlines()
    axis = next(line for line in lines if "└" in line)
    assert (len(axis), len(lines) <= 24) == (width - 1, True)
    assert shown.count("●") == 3  # two in the curve, one in the legend
    assert "mean of 5 steps" in shown
    for fact in (
        "state     finished",
        "base      HuggingFaceTB/SmolLM2-135M, template plain, lora",
        "steps     80 of 80",
        "loss      4.000 at first, 2.025 last",
        "hold-out  2.500 last, 2.500 at best, after step 40",
        "speed     200 tokens/s; 8,000 tokens in 0.7 minutes",
        "machine   cpu, float32, 2 threads, 2.0 GB at most",
    ):
        assert fact in lines


def test_what_can_be_done_about_a_run_is_told(show: Show, several: list[Standing]) -> None:
    stopped, died, broken = (show(terminal.show_run, one, 140) for one in several[1:])
    assert "state     stopped\nnext      saved at step 40; go on with: tutelage resume runs/faq-2\n" in stopped
    assert f"state     died; process 12 on {socket.gethostname()}, since 2026-11-24 " in died
    assert "problem   runs/faq-4 is no run folder" in broken and "└" in broken


@pytest.mark.parametrize("way", ["encoding", "LC_ALL", "TERM"])
def test_ascii_where_nothing_else_can_be_printed(
    way: str, show: Show, several: list[Standing], monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "LC_ALL":
        monkeypatch.setenv("LC_ALL", "C")
        monkeypatch.setattr(terminal.sys, "flags", type("Flags", (), {"utf8_mode": 1}))
    if way == "TERM":
        monkeypatch.setenv("TERM", "linux")
    encoding = "ascii" if way == "encoding" else "utf-8"
    for one in several:
        drawn = show(terminal.show_run, one, 80, encoding)
        assert drawn.isascii() and "* training loss" in drawn and drawn.count("O") == 3
    assert show(terminal.show_runs, several, 80, encoding).isascii()


def test_names_that_cannot_be_printed_are_not_the_end(show: Show, several: list[Standing]) -> None:
    manifest = replace(MANIFEST, base={"name": "Modèle"})
    one = replace(several[0], manifest=manifest)
    assert "Mod?le" in show(terminal.show_runs, [one], 80, "ascii")
    assert "Modèle" in show(terminal.show_run, one, 80, "latin-1")
