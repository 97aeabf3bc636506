"""The comparison from a run's folder to its two files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tutelage.errors import DataError, ModelError, UsageError
from tutelage.evaluation import compare as comparing
from tutelage.evaluation.compare import SYSTEM, compare
from tutelage.recipe import CompareSettings, DecodingSettings
from tutelage.tuning.run import Run

SHORT = DecodingSettings(max_new_tokens=16)

# PEFT reads a name that transformers has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


def ask(run: Run, prompts: Path | None = None, system: Path | None = None, against: str | None = None) -> Any:
    few = CompareSettings(prompts=4)
    return compare(run, prompts, system, against, few, SHORT, lambda line: None)


def test_every_contenders_loops_are_cut(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    own = comparing.generate_together

    def noting(*given: Any, **named: Any) -> Any:
        told.append(named.get("cut_loops", False))
        return own(*given, **named)

    monkeypatch.setattr(comparing, "generate_together", noting)
    compare(run, None, None, None, CompareSettings(prompts=1), SHORT, lambda line: None)
    assert told == [True, True]  # the base's two contenders together, and the tuned model


def test_the_tuned_model_is_better_and_the_evidence_is_kept(run: Run, examples: Any) -> None:
    lines: list[str] = []
    seen: dict[str, list[tuple[int, int]]] = {}
    comparison = compare(
        run,
        None,
        None,
        None,
        CompareSettings(prompts=4),
        SHORT,
        lines.append,
        lambda what, done, of: seen.setdefault(what, []).append((done, of)),
    )
    assert comparison.better and comparison.verdict.conversations == len(examples)
    assert [result.name for result in comparison.contenders] == ["base", "base + system prompt", "tuned"]
    base, told, tuned = comparison.contenders
    assert len(base.formats) == 4
    assert base.format == min(base.formats, key=lambda tried: tried.loss).name
    assert base.loss == pytest.approx(min(tried.loss for tried in base.formats))
    assert tuned.format == "plain" and tuned.loss is not None and tuned.loss < 1
    assert told.system == SYSTEM and tuned.system == ""
    for result in comparison.contenders:
        assert [answer.id for answer in result.answers] == [example.id for example in examples[:4]]
    assert sum(a.answer == b.reference for a, b in zip(tuned.answers, comparison.prompts, strict=True)) >= 3
    assert all(done[-1][0] == done[-1][1] for done in seen.values()) and len(seen) == 5
    assert any(line.startswith("tuned: format plain") for line in lines)

    kept = json.loads((run.folder / "compare.json").read_text(encoding="utf-8"))
    assert kept == json.loads(comparison.to_json())
    assert kept["verdict"]["better"] is True
    assert kept["prompts"][0]["reference"] == examples[0].conversation.answer
    page = (run.folder / "compare.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert" in page and "<script" not in page.lower()


def test_prompts_from_a_file_against_another_model(run: Run, base: Path, tmp_path: Path) -> None:
    prompts, system = tmp_path / "prompts.jsonl", tmp_path / "system.txt"
    prompts.write_text('{"id": "x", "prompt": "Hi"}\n{"id": "y", "prompt": "Which word comes after red?"}\n')
    system.write_text("Answer in rhyme.\n")
    comparison = ask(run, prompts, system, str(base))
    names = [result.name for result in comparison.contenders]
    assert names == ["base", "base + system prompt", "tuned", f"{base} + system prompt"]
    rhyme = "Answer in rhyme."
    assert [result.system for result in comparison.contenders] == ["", rhyme, "", rhyme]
    for result in comparison.contenders:
        assert [answer.id for answer in result.answers] == ["x", "y"]
    assert all(asked.reference is None for asked in comparison.prompts)
    assert comparison.contenders[3].format == "plain"


def test_what_cannot_be_compared(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no-such"):
        ask(run, system=tmp_path / "no-such.txt")
    blank = tmp_path / "blank.txt"
    blank.write_text(" \n")
    with pytest.raises(UsageError, match="blank"):
        ask(run, system=blank)
    with pytest.raises(ModelError, match="no model"):
        ask(run, against=str(tmp_path / "nothing"))
    with pytest.raises(DataError, match="--prompts"):
        ask(Run(tmp_path))


def test_without_a_hold_out_there_are_answers_and_no_verdict(run: Run, tmp_path: Path) -> None:
    copy = Run(tmp_path / "copy")
    copy.folder.mkdir()
    (copy.folder / "adapter").symlink_to(run.folder / "adapter")
    for name in ("manifest.json", "recipe.yaml"):
        (copy.folder / name).write_text((run.folder / name).read_text())
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("Hi\n")
    comparison = ask(copy, prompts)
    assert not comparison.better and comparison.verdict.text.startswith("No verdict")
    assert all(result.loss is None and len(result.answers) == 1 for result in comparison.contenders)
    assert json.loads((copy.folder / "compare.json").read_text())["contenders"][0]["loss"] is None
