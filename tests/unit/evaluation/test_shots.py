"""Examples from the training data: drawn by seed, the same for every prompt, and never what is measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made import examples_of, talk

from tutelage.errors import DataError
from tutelage.evaluation.contenders import with_shots, with_system
from tutelage.evaluation.shots import drawn, training_examples
from tutelage.recipe import build
from tutelage.records import Conversation, Prompt, Role, Turn
from tutelage.tuning.run import Manifest, Run, write_text

MANY = examples_of([talk(f"Question {number}?", f"Answer {number}.", system="Be brief.") for number in range(30)])


def always(turns: tuple[Turn, ...]) -> bool:
    return True


def test_they_are_drawn_by_seed_without_their_system_turns() -> None:
    turns, shown = drawn(MANY, 2, 7, (), always)
    assert drawn(MANY, 2, 7, (), always) == (turns, shown) != drawn(MANY, 2, 8, (), always)
    assert shown == 2 and [turn.role for turn in turns] == [Role.USER, Role.ASSISTANT] * 2
    pairs = [one.conversation.turns[1:] for one in MANY]
    assert turns[:2] in pairs and turns[2:] in pairs and turns[:2] != turns[2:]


def test_nothing_that_is_measured_is_shown() -> None:
    for seed in range(20):
        turns, shown = drawn(MANY, 2, seed, MANY[:27], always)
        assert shown == 2 and {turn.text for turn in turns} <= {
            turn.text for one in MANY[27:] for turn in one.conversation.turns
        }


def test_what_leaves_no_room_is_passed_over() -> None:
    long = examples_of([talk("Why?", "word " * 50), talk("Who?", "Me."), talk("What?", "word " * 60)])

    def fits(turns: tuple[Turn, ...]) -> bool:
        return sum(len(turn.text) for turn in turns) < 100

    turns, shown = drawn(long, 2, 0, (), fits)
    assert shown == 1 and turns == talk("Who?", "Me.")
    assert drawn((), 2, 0, (), always) == ((), 0)


def test_they_stand_after_the_system_turn_and_make_a_valid_prompt() -> None:
    shots = talk("a", "b")
    assert with_shots(talk("c"), shots) == talk("a", "b", "c")
    assert with_shots(talk("c", system="S"), shots) == talk("a", "b", "c", system="S")
    Prompt("p", with_system(with_shots(talk("c"), shots), "S"))
    Conversation(with_shots(talk("c", "d"), shots))


def run_of(folder: Path, files: list[str]) -> Run:
    write_text(folder / "recipe.yaml", build({"data": {"files": files}}).to_yaml())
    run = Run(folder)
    run.write_manifest(Manifest({"name": "tiny"}, "plain", "lora"))
    return run


def test_the_training_data_is_read_again_without_what_was_held_out(tmp_path: Path) -> None:
    rows = [{"prompt": f"Question {number}?", "response": f"Answer {number}."} for number in range(30)]
    data = tmp_path / "faq.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    examples = training_examples(run_of(tmp_path, [str(data)]))
    assert 20 < len(examples) < 30  # some are held out
    assert all(one.conversation.answer.startswith("Answer") for one in examples)


def test_data_that_is_gone_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone"):
        training_examples(run_of(tmp_path, [str(tmp_path / "gone.jsonl")]))
    with pytest.raises(DataError, match="names no data"):
        training_examples(run_of(tmp_path, []))
