"""The comparison from a run's folder to its two files."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tutelage.errors import DataError, ModelError, UsageError
from tutelage.evaluation import cellar, opponents
from tutelage.evaluation import compare as comparing
from tutelage.evaluation.answers import generate_together
from tutelage.evaluation.asking import halves
from tutelage.evaluation.compare import SYSTEM, by_seed, compare, names_of
from tutelage.evaluation.endpoint import Endpoint, EndpointError, Reply
from tutelage.evaluation.results import Comparison
from tutelage.evaluation.verdict import LOSS, Kind, Said
from tutelage.model.load import load, locate
from tutelage.recipe import CompareSettings, DecodingSettings
from tutelage.records import Example, Role
from tutelage.tuning.run import Run, write_text

SHORT = DecodingSettings(max_new_tokens=16)

# PEFT reads a name that transformers has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


def ask(
    run: Run, prompts: Path | None = None, system: Path | None = None, against: str | None = None, **more: Any
) -> Any:
    few = CompareSettings(prompts=4)
    return compare(run, prompts, system, against, few, SHORT, lambda line: None, **more)


def test_every_contenders_loops_are_cut(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    own = generate_together

    def noting(*given: Any, **named: Any) -> Any:
        told.append(named.get("cut_loops", False))
        return own(*given, **named)

    monkeypatch.setattr(cellar, "generate_together", noting)
    compare(run, None, None, None, CompareSettings(prompts=1), SHORT, lambda line: None)
    assert told == [True, True]  # the base's three contenders together, and the tuned model


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
    _, measured, note = halves(examples)
    assert comparison.better and comparison.verdict.conversations == len(measured) == len(examples) // 2
    assert comparison.notes == (note,)
    names = ["base", "base + system prompt", "base + 2 examples", "tuned"]
    assert [result.name for result in comparison.contenders] == names
    base, told, shown, tuned = comparison.contenders
    assert len(base.formats) == 4
    assert base.format == min(base.formats, key=lambda tried: tried.loss).name
    assert tuned.format == "plain" and tuned.loss is not None and tuned.loss < 1
    assert told.system == SYSTEM and tuned.system == shown.system == ""
    assert len(shown.shots) == 4 and shown.shots[1].text.startswith("Not ")
    for result in comparison.contenders:
        assert [answer.id for answer in result.answers] == [example.id for example in measured[:4]]
    assert sum(a.answer == b.reference for a, b in zip(tuned.answers, comparison.prompts, strict=True)) >= 3
    assert all(done[-1][0] == done[-1][1] for done in seen.values()) and len(seen) == 8
    assert lines.index(f"What decides: {LOSS.name}.") < min(
        place for place, line in enumerate(lines) if line.startswith("base: format")
    )

    kept = (run.folder / "compare.json").read_text(encoding="utf-8")
    assert kept == comparison.to_json() == Comparison.from_json(kept).to_json()
    assert json.loads(kept)["verdict"]["better"] is True
    assert json.loads(kept)["prompts"][0]["reference"] == measured[0].conversation.answer


def test_losses_are_of_the_half_on_which_no_format_was_chosen(run: Run, examples: Any) -> None:
    comparison = ask(run)
    choosing, measured, _ = halves(examples)
    base = comparison.contenders[0]
    assert [answer.example for answer in base.losses.answers] == [one.id for one in measured]
    assert {tried.conversations for tried in base.formats} == {len(choosing)}


def test_tokens_read_and_written_are_counted(run: Run) -> None:
    base, told, shown, tuned = ask(run).contenders
    assert all(len(one.prompt_tokens) == len(one.answers) for one in (base, told, shown, tuned))
    assert tuned.mean_prompt_tokens < shown.mean_prompt_tokens and base.mean_prompt_tokens < told.mean_prompt_tokens


def test_prompts_from_a_file_against_another_model(run: Run, base: Path, tmp_path: Path) -> None:
    prompts, system = tmp_path / "prompts.jsonl", tmp_path / "system.txt"
    prompts.write_text('{"id": "x", "prompt": "Hi"}\n{"id": "y", "prompt": "Which word comes after red?"}\n')
    system.write_text("Answer in rhyme.\n")
    comparison = ask(run, prompts, system, str(base))
    names = [result.name for result in comparison.contenders]
    assert names == ["base", "base + system prompt", "base + 2 examples", "tuned", f"{base} + system prompt"]
    rhyme = "Answer in rhyme."
    assert [result.system for result in comparison.contenders] == ["", rhyme, "", "", rhyme]
    for result in comparison.contenders:
        assert [answer.id for answer in result.answers] == ["x", "y"]
    assert all(asked.reference is None for asked in comparison.prompts)
    other = comparison.contenders[4]  # without a chat template it is shown at its best, as the base is
    assert other.format == min(other.formats, key=lambda tried: tried.loss).name and len(other.formats) == 4
    assert {gain.opponent for gain in comparison.verdict.gains} == set(names) - {"tuned"}


def test_other_runs_have_names_of_their_own(tmp_path: Path) -> None:
    runs = [Run(tmp_path / name) for name in ("a/out", "b/out", "c")]
    assert names_of(runs) == [f"run {tmp_path}/a/out", f"run {tmp_path}/b/out", "run c"]


def test_a_step_kept_for_the_hold_out_is_told(run: Run, tmp_path: Path) -> None:
    early = Run(shutil.copytree(run.folder, tmp_path / "early"))
    early.write_manifest(replace(run.manifest(), best_step=40))
    told = [note for note in ask(early).notes if "step 40 of 60" in note]
    assert len(told) == 1 and not any("step" in note for note in ask(run).notes)


def test_a_template_that_another_model_cannot_write_is_not_tried(base: Path) -> None:
    loaded = load(locate(str(base), lambda line: None), torch.device("cpu"), torch.float32, lambda line: None)
    shown = [[one.template.name for one in opponents._candidates(loaded, name)] for name in ("own", "plain")]
    assert shown[0] == shown[1] and shown[0][0] == "plain"


class Far(Endpoint):
    """An endpoint that answers at once, and refuses one prompt."""

    def chats(self, asked: Any, *how: Any, **named: Any) -> Any:
        for place in reversed(range(len(asked))):
            assert asked[place][0].role is Role.SYSTEM and asked[place][0].text.startswith(SYSTEM)
            yield place, EndpointError("too long", 400) if place == 1 else Reply(f"far {place}", 30, 3, True)


def test_against_an_endpoint_losses_are_missing_and_it_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "reach", lambda address, key: Far(address, "small"))
    comparison = ask(run, against="http://localhost:1/v1")
    far = comparison.contenders[-1]
    assert (far.name, far.kind, far.loss) == ("small + system prompt", Kind.MODEL, None)
    assert [answer.answer for answer in far.answers] == ["far 0", "", "far 2", "far 3"]
    assert "small + system prompt" not in {gain.opponent for gain in comparison.verdict.gains} and comparison.better
    told = " ".join(comparison.notes)
    assert "the verdict by loss is without it" in told and "refused 1 prompts: too long" in told


def test_where_a_task_decides_the_endpoint_takes_part(
    run: Run, examples: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "reach", lambda address, key: Far(address, "small"))
    path = tmp_path / "words.jsonl"
    wanted = [one.conversation.answer for one in examples]
    rows = [
        {"id": one.id, "messages": messages(one), "references": [one.conversation.answer], "scorer": "exact"}
        for one in examples
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines: list[str] = []
    comparison = compare(run, None, None, "http://localhost:1/v1", CompareSettings(), SHORT, lines.append, tasks=[path])
    assert f"What decides: {comparison.verdict.metric.name}." in lines
    assert comparison.verdict.metric.name.endswith(" of words")
    verdict, tuned = comparison.verdict, comparison.contenders[3]
    assert comparison.better and verdict.metric.score and verdict.conversations == len(examples)
    assert [gain.opponent for gain in verdict.gains][-1] == "small + system prompt" and len(verdict.gains) == 4
    assert tuned.scores == tuple(float(a.answer.strip() == b) for a, b in zip(tuned.answers, wanted, strict=True))
    assert len(tuned.reasons) == len(wanted) and tuned.score is not None
    assert Comparison.from_json(comparison.to_json()).to_json() == comparison.to_json()
    assert "without it" not in " ".join(comparison.notes)


def messages(example: Example) -> list[dict[str, str]]:
    """The prompt of an example as messages."""
    return [{"role": turn.role.value, "content": turn.text} for turn in example.conversation.prompt]


def twin(run: Run, folder: Path, **settings: Any) -> Run:
    """The same run in another folder, with other settings."""
    folder.mkdir()
    (folder / "adapter").symlink_to(run.folder / "adapter")
    for name in ("manifest.json", "held_out.jsonl"):
        (folder / name).write_text((run.folder / name).read_text(encoding="utf-8"), encoding="utf-8")
    recipe = run.recipe()
    tuning = recipe.tuning.model_copy(update=settings)
    write_text(folder / "recipe.yaml", recipe.model_copy(update={"tuning": tuning, "out": str(folder)}).to_yaml())
    return Run(folder)


def test_runs_of_other_seeds_are_one_contender_and_other_runs_are_others(run: Run, tmp_path: Path) -> None:
    seeded, other = twin(run, tmp_path / "seeded", seed=1), twin(run, tmp_path / "other", lr=0.5, samples=9)
    assert by_seed(run, [other, seeded]) == [[run, seeded], [other]]
    assert by_seed(run, [twin(run, tmp_path / "shown", seed=2, samples=9)])[0][1].name == "shown"
    comparison = ask(run, others=[seeded, other])
    names = ["base", "base + system prompt", "base + 2 examples", "tuned", "run other"]
    assert [result.name for result in comparison.contenders] == names
    tuned = comparison.contenders[3]
    assert len(tuned.seeds) == 2 and tuned.more[0].model == str(seeded.folder)
    assert (comparison.verdict.opponent, comparison.verdict.said) == ("run other", Said.RUN)  # the same weights
    with pytest.raises(UsageError, match="same settings and the same"):
        ask(run, others=[twin(run, tmp_path / "again")])


def test_without_examples_it_is_said_why(run: Run, tmp_path: Path) -> None:
    none = compare(run, None, None, None, CompareSettings(prompts=1, examples=0), SHORT, lambda line: None)
    assert [result.name for result in none.contenders] == ["base", "base + system prompt", "tuned"]
    gone = twin(run, tmp_path / "gone")
    recipe = gone.recipe()
    moved = recipe.model_copy(update={"data": recipe.data.model_copy(update={"files": ("moved.jsonl",)})})
    write_text(gone.folder / "recipe.yaml", moved.to_yaml())
    comparison = ask(gone)
    assert [result.name for result in comparison.contenders] == ["base", "base + system prompt", "tuned"]
    assert "moved.jsonl" in comparison.notes[1] and "base with examples is missing" in comparison.notes[1]


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
