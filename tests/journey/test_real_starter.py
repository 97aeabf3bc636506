"""Once through the whole journey on the real starter: Gemma 3 270M, the example help desk, a handful of steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import Call

from tutelage.data.duplicates import near_pairs, spoken
from tutelage.data.reading import read
from tutelage.recipe import DataSettings
from tutelage.records import Role

DESK = Path(__file__).parents[2] / "examples" / "helpdesk"
KINDS = 12


@pytest.mark.slow
def test_the_starter_is_tuned_compared_and_asked(call: Call, tmp_path: Path) -> None:
    held = (DESK / "held_out.jsonl").read_text(encoding="utf-8").splitlines()[:6]
    (tmp_path / "held.jsonl").write_text("\n".join(held) + "\n", encoding="utf-8")
    few = (DESK / "train.jsonl").read_text(encoding="utf-8").splitlines()[:24]
    (tmp_path / "few.jsonl").write_text("\n".join(few) + "\n", encoding="utf-8")
    settings = ("tuning.max_steps=5", "tuning.batch_size=4", "tuning.samples=1", "decoding.max_new_tokens=24")
    tuned = call("tune", "few.jsonl", "--held-out", "held.jsonl", "--base", "starter", "--json", *settings)
    assert tuned.status == 0, tuned.err
    losses = [json.loads(line)["loss"] for line in Path("runs/few-1/metrics.jsonl").read_text().splitlines()]
    assert (len(losses), sum(losses[3:]) / 2 < losses[0]) == (5, True)
    compared = call("compare", "runs/few", "--system", DESK / "system.txt", "compare.prompts=3", "--json").json
    by_name = {contender["name"]: contender for contender in compared["contenders"]}
    assert by_name["tuned"]["loss"] < by_name["base"]["loss"]
    (tmp_path / "prompts.jsonl").write_text('{"id": "w", "prompt": "Explain how to create a webhook."}\n')
    assert call("generate", "runs/few", "prompts.jsonl", "--out", "a.jsonl", *settings[-1:]).status == 0
    answer = json.loads(Path("a.jsonl").read_text())
    assert (answer["id"], answer["answer"] != "") == ("w", True)


def is_support(row: dict[str, object]) -> bool:
    """Whether a conversation is about the product: it names it or something that only it has."""
    said = json.dumps(row, ensure_ascii=False)
    return row["kind"] == "policy" or any(word in said for word in ("Tallybarn", "Settings >", "Depot", "webhook"))


@pytest.fixture(scope="module")
def desk() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    parts = [(DESK / name).read_text(encoding="utf-8").splitlines() for name in ("train.jsonl", "held_out.jsonl")]
    train, held = ([json.loads(line) for line in part] for part in parts)
    return train, held


def test_the_desk_has_the_conversations_it_claims(
    desk: tuple[list[dict[str, object]], list[dict[str, object]]],
) -> None:
    train, held = desk
    kinds = {row["kind"] for row in train}
    assert (len(train) >= 300, len(held), len(kinds) >= KINDS, {row["kind"] for row in held} <= kinds) == (
        True,
        40,
        True,
        True,
    )
    support = [row for row in train if is_support(row)]
    assert len(support) <= len(train) * 2 / 3


def test_no_conversation_of_the_desk_is_near_another() -> None:
    train, held = (read(DataSettings(), [str(DESK / name)]).examples for name in ("train.jsonl", "held_out.jsonl"))
    said = [[spoken(example.conversation) for example in part] for part in (train, held)]
    across = near_pairs(said[0], said[1], 0.3)
    within = [pair for pair in near_pairs(said[0], said[0], 0.5) if pair.first < pair.second]
    assert (across, within) == ((), [])


def test_no_two_answers_of_the_desk_begin_alike() -> None:
    examples = read(DataSettings(), [str(DESK / "train.jsonl")]).examples
    starts = [" ".join(example.conversation.answer.lower().split()[:5]) for example in examples]
    long = [start for start in starts if len(start.split()) == 5]
    assert len(set(long)) == len(long)


def test_every_json_answer_of_the_desk_is_json() -> None:
    for example in read(DataSettings(), [str(DESK / "train.jsonl"), str(DESK / "held_out.jsonl")]).examples:
        if "json_extraction" in example.tags:
            json.loads(example.conversation.answer.removeprefix("```json").removesuffix("```"))
        assert example.conversation.turns[-1].role is Role.ASSISTANT
