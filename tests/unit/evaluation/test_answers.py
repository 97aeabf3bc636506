"""Answers keep order and ids, and are cut where the next turn begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from made import QUESTIONS, talk

from tutelage.errors import DataError, UsageError
from tutelage.evaluation.answers import (
    Answer,
    Ask,
    _answer,
    context_length,
    generate,
    generate_together,
    write_answers,
)
from tutelage.model.generate import Decoded
from tutelage.recipe import DecodingSettings
from tutelage.records import Prompt
from tutelage.text.encode import Encoder

SHORT = DecodingSettings(max_new_tokens=12, batch_size=3)


def prompts_of(texts: list[str]) -> list[Prompt]:
    return [Prompt(f"id-{place}", talk(text)) for place, text in enumerate(texts)]


def test_order_and_ids_are_kept(network: Any, tokenizer: Any) -> None:
    encoder = Encoder(tokenizer, "plain")
    prompts = prompts_of([text[: 8 + 9 * (place * 5 % 7)] for place, text in enumerate(QUESTIONS)])
    done: list[int] = []
    together = generate(network, encoder, prompts, SHORT, done.append)
    alone = tuple(generate(network, encoder, [prompt], SHORT)[0] for prompt in prompts)
    assert [answer.id for answer in together] == [prompt.id for prompt in prompts]
    assert together == alone
    assert sum(done) == len(prompts)
    assert generate(network, encoder, [], SHORT) == ()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("It is red.\n\nQuestion:\nAnd blue?", "It is red."),
        ("Question:\nAnd blue?", ""),
        ("It is red. Question: none", None),
        ("two\nlines", None),
    ],
)
def test_an_answer_ends_where_the_next_turn_begins(tokenizer: Any, text: str, kept: str | None) -> None:
    encoder = Encoder(tokenizer, "plain")
    ids = tuple(encoder.plain(text)[1:])
    answer = _answer(Ask(encoder, (), ("\nQuestion:",)), "a", Decoded(ids, stopped=False))
    if kept is None:
        assert answer == Answer("a", text, False, len(ids))
    else:
        count = len(encoder.plain(kept)) - 1
        assert answer == Answer("a", kept, True, count + 1)


def test_a_greedy_answer_that_loops_is_cut(network: Any, tokenizer: Any) -> None:
    """The text is the same up to where the loop is seen; what is drawn, and what is not asked for, is not cut."""
    encoder = Encoder(tokenizer, "plain")
    # Without attention and hidden layers the next token follows from the last one alone, and must loop.
    turning = type(network)(network.config)
    turning.load_state_dict(network.state_dict())
    for name, weight in turning.named_parameters():
        if "o_proj" in name or "down_proj" in name:
            torch.nn.init.zeros_(weight)
    long = DecodingSettings(max_new_tokens=200, batch_size=3)
    prompts = prompts_of(list(QUESTIONS[:6]))
    whole = generate_together(turning, [Ask(encoder, prompts)], long)[0]
    cut = generate_together(turning, [Ask(encoder, prompts)], long, cut_loops=True)[0]
    assert any(answer.looped for answer in cut)
    for one, other in zip(whole, cut, strict=True):
        assert one.looped == other.looped
        assert other == one or (other.tokens < one.tokens and one.answer.startswith(other.answer))
        assert not (other.looped and other.stopped)
    assert any(other.tokens < one.tokens for one, other in zip(whole, cut, strict=True))
    drawn = long.model_copy(update={"temperature": 0.01})
    kept = generate_together(turning, [Ask(encoder, prompts)], drawn, cut_loops=True)[0]
    assert kept == generate_together(turning, [Ask(encoder, prompts)], drawn)[0]


def test_the_end_of_the_context_is_respected(network: Any, tokenizer: Any) -> None:
    encoder = Encoder(tokenizer, "plain")
    most = context_length(network)
    assert most == 512
    text = "red"
    while len(encoder.prompt(talk(text + " red"))) < most - 4:
        text += " red"
    room = most - len(encoder.prompt(talk(text)))
    short, long = generate(network, encoder, prompts_of(["blue", text]), SHORT)
    assert long.tokens <= room < SHORT.max_new_tokens
    assert short == generate(network, encoder, prompts_of(["blue"]), SHORT)[0]
    with pytest.raises(DataError, match=r"id-0 has .* shorten"):
        generate(network, encoder, prompts_of([text + " red" * 20]), SHORT)


def test_answers_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.jsonl"
    write_answers(path, [Answer("b", "zwei\n漢", True, 4), Answer("a", "", False, 1)])
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert rows[0] == {"id": "b", "answer": "zwei\n漢", "stopped": True, "tokens": 4}
    assert [row["id"] for row in rows] == ["b", "a"]
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(UsageError, match="cannot be written"):
        write_answers(path / "below.jsonl", [])
