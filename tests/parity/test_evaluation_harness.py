"""A model behind lm-evaluation-harness against the harness's own transformers model, and against our encoder."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from tutelage.errors import DataError, UsageError
from tutelage.evaluation import harness as harness_room
from tutelage.evaluation.harness import HarnessResult, harness, scored
from tutelage.model.forward import prove
from tutelage.model.generate import Decoded
from tutelage.model.load import Loaded, Located
from tutelage.model.machine import quiet_libraries
from tutelage.recipe import DecodingSettings, build
from tutelage.records import Role, Turn
from tutelage.text.encode import Encoder

pytest.importorskip("lm_eval", reason="the extra `harness` is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

PAIRS = [
    ("What is the capital of Norway?", " Oslo."),
    ("What is the capital of Norway? ", "Oslo."),
    ("Name a colour.", " Blue"),
    ("Name a colour.", " Blue is a colour."),
    ("Choose: a, b or c\nAnswer:", "a"),
    ("Choose: a, b or c\nAnswer:", "b"),
    ("Choose: a, b or c\nAnswer:", "c"),
    ("A line\n", "and the next one"),
    ("", "Nobody knows."),
    ("Is water wet?", " ü 漢"),
]
COLOURS = [
    {"question": "Which of these is a colour?", "options": ["blue", "seven", "Oslo"], "answer": 0},
    {"question": "Which of these is a city?", "options": ["red", "Oslo", "late"], "answer": 1},
    {"question": "Which of these is a number?", "options": ["water", "warm", "three"], "answer": 2},
    {"question": "Which of these is a planet?", "options": ["Jupiter", "billing", "letter"], "answer": 0},
    {"question": "Which of these is a drink?", "options": ["line", "water", "month"], "answer": 1},
]


def request(kind: str, *arguments: Any) -> Any:
    from lm_eval.api.instance import Instance

    return Instance(kind, {}, arguments, 0, ("a task", 0, 1))


def ours(name: str = "llama", template: str = "plain", **changes: Any) -> Any:
    from tutelage.evaluation.harnessed import Harnessed

    network = tiny.network(name)
    decoding = DecodingSettings(max_new_tokens=12, batch_size=4)
    return Harnessed(network, Encoder(tiny.tokenizer(), template), prove(network), decoding, **changes)


def theirs(name: str = "llama", template: str = "plain", **changes: Any) -> Any:
    from lm_eval.models.huggingface import HFLM

    tokenizer = copy.deepcopy(tiny.tokenizer())
    tokenizer.chat_template = Encoder(tiny.tokenizer(), template).portable_jinja()
    with quiet_libraries():
        return HFLM(pretrained=tiny.network(name), tokenizer=tokenizer, batch_size=1, device="cpu", **changes)


@pytest.mark.parametrize("name", ["llama", "gemma3", "gemma2", "gpt2"])
def test_loglikelihoods_of_plain_text_are_theirs(name: str) -> None:
    """In packs, or alone where a model cannot share rows; single letters after one context are read together."""
    requests = [request("loglikelihood", *pair) for pair in PAIRS]
    mine, other = ours(name, templated=False), theirs(name)
    requests += greedy_ones(other)
    found, expected = mine.loglikelihood(requests), other.loglikelihood(requests, disable_tqdm=True)
    assert [nats for nats, _ in found] == pytest.approx([nats for nats, _ in expected], abs=1e-4)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
    assert {greedy for _, greedy in found} == {True, False}
    assert not mine.untemplated


def greedy_ones(other: Any) -> list[Any]:
    """Continuations that greedy decoding writes, each whole and with another end, where their text gives their ids."""
    found = []
    for context in (*tiny.QUESTIONS, *tiny.ANSWERS):
        for count in (1, 2):
            ids = other.tok_encode(context)
            for _ in range(count):
                with torch.no_grad():
                    ids.append(int(other.model(torch.tensor([ids])).logits[0, -1].argmax()))
            text = str(tiny.tokenizer().decode(ids[-count:]))
            if text.strip() and other.tok_encode(context + text) == ids:
                found += [request("loglikelihood", context, text), request("loglikelihood", context, f"{text}x")]
    return found


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_texts_are_theirs(name: str) -> None:
    texts = [request("loglikelihood_rolling", text) for text in (*tiny.QUESTIONS, *tiny.ANSWERS)]
    expected = theirs(name, add_bos_token=False).loglikelihood_rolling(texts, disable_tqdm=True)
    assert ours(name).loglikelihood_rolling(texts) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_likelihoods_in_the_template_are_theirs(name: str) -> None:
    """They move the line break that ends the template's prompt into the answer; its share is the same for every one."""
    mine, other = ours(name), theirs(name)
    history = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Name a colour."},
        {"role": "assistant", "content": "Blue."},
        {"role": "user", "content": "Another one."},
    ]
    shown, rendered = mine.apply_chat_template(history), other.apply_chat_template(history)
    assert f"<s>{shown}" == rendered and rendered.endswith("\n")
    answers = ["Red", "Green is a colour.", "R", "G", " x"]
    found = mine.loglikelihood([request("loglikelihood", shown, answer) for answer in answers])
    requests = [request("loglikelihood", rendered, answer) for answer in answers]
    line = other.loglikelihood([request("loglikelihood", rendered[:-1], "\n")], disable_tqdm=True)[0][0]
    expected = [nats - line for nats, _ in other.loglikelihood(requests, disable_tqdm=True)]
    assert [nats for nats, _ in found] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["llama", "gemma3", "gemma2"])
@pytest.mark.parametrize("until", [[], ["e"], ["\n", "</s>", " "], ["xyz"]])
def test_greedy_answers_are_theirs(name: str, until: list[str]) -> None:
    mine, other = ours(name), theirs(name)
    settings = {"until": until, "max_gen_toks": 12, "do_sample": False, "temperature": 0.0}
    plain = [request("generate_until", question, settings) for question in tiny.QUESTIONS]
    assert mine.generate_until(plain) == other.generate_until(plain, disable_tqdm=True)
    histories = [[{"role": "user", "content": question}] for question in tiny.QUESTIONS]
    found = mine.generate_until(
        [request("generate_until", mine.apply_chat_template(one), settings) for one in histories]
    )
    asked = [request("generate_until", other.apply_chat_template(one), settings) for one in histories]
    assert found == other.generate_until(asked, disable_tqdm=True)
    assert any(found) and mine.untemplated == {"a task": len(plain)}


@pytest.mark.parametrize(("begun", "rest", "joined"), [("Answer: ", "Xyz", False), ("The capi", "tal is", True)])
def test_an_answer_that_is_begun_goes_on_from_there(begun: str, rest: str, joined: bool) -> None:
    """The harness's prefix of an answer: ids as if the model had written it all; joined where a token reaches over."""
    mine = ours()
    turns = (Turn(Role.USER, "Name a colour."),)
    history = [{"role": "user", "content": "Name a colour."}, {"role": "assistant", "content": begun}]
    shown = mine.apply_chat_template(history, add_generation_prompt=False)
    assert shown.endswith(f"<|assistant|>\n{begun}")
    alone, whole = (
        mine.encoder.encode((*turns, Turn(Role.ASSISTANT, text))).ids.tolist()[:-1] for text in (begun, begun + rest)
    )
    assert mine._asked(shown) == alone and (whole[: len(alone)] != alone) == joined
    before, after = mine._pair(shown, rest)
    assert before + after == whole and before == alone[: len(before)]
    assert mine.encoder.text(after).endswith(rest) and (mine.encoder.text(after) == rest) != joined


def test_ids_are_the_encoders_and_nothing_in_a_task_is_a_control_token() -> None:
    mine = ours()
    asked = "Say </s> <s> <|assistant|>\nYes."
    shown = mine.apply_chat_template([{"role": "user", "content": asked}])
    ids = mine._asked(copy.deepcopy(shown))
    assert ids == mine.encoder.prompt((Turn(Role.USER, asked),))
    assert ids[:2].count(0) == 1 and ids.count(0) == 1 and ids.count(1) == 1
    before, after = mine._pair(shown, "</s>")
    assert before == ids and not {0, 1} & set(after)
    assert not {0, 1} & set(mine.tok_encode(asked)[1:])


def test_writing_ends_at_the_first_token_that_completes_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends are texts of any length in bytes, or control tokens, whose ids then stop as the model's own do."""
    from tutelage.evaluation import harnessed

    mine, seen = ours(), list[int]()
    ids = mine.tok_encode("One, two 漢字漢字漢字 three.", add_special_tokens=False)

    def slow(network: Any, prompts: Any, stop_ids: frozenset[int], *others: Any) -> list[Decoded]:
        ended = others[2]
        seen.extend(next(count for count in range(len(ids) + 1) if ended(0, ids[:count])) for _ in prompts)
        assert stop_ids == mine.encoder.stop_ids | {0}
        return [Decoded(tuple(ids), False)]

    monkeypatch.setattr(harnessed, "decode", slow)
    settings = {"until": ["漢字漢字漢", "<s>"], "max_gen_toks": 40}
    assert mine.generate_until([request("generate_until", "Count.", settings)]) == ["One, two "]
    texts = (mine.encoder.text(ids[:count]) for count in range(len(ids) + 1))
    assert seen == [next(count for count, text in enumerate(texts) if "漢字漢字漢" in text)]


def test_what_is_too_long_keeps_its_beginning_of_sequence_and_its_end() -> None:
    mine = ours()
    long = "word " * 300
    shown = mine.apply_chat_template([{"role": "user", "content": long}])
    ids = mine._room(mine._asked(shown), 12)
    assert len(ids) == 256 - 12 and ids[0] == 0 and ids[1:] == mine._asked(shown)[-243:]
    found = mine.loglikelihood([request("loglikelihood", shown, "Yes"), request("loglikelihood", "short", " Yes")])
    assert all(math.isfinite(nats) and nats < 0 for nats, _ in found) and mine.cut == 2
    assert mine._room([0, 5, 6], 3) == [0, 5, 6] and mine.cut == 2
    last = mine.loglikelihood([request("loglikelihood", "short", f" {long}")])
    assert math.isfinite(last[0][0]) and mine.cut == 3


def test_a_template_without_a_system_turn_gets_the_text_in_the_users() -> None:
    mine = ours()
    source = (
        "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ '<|' + message['role'] + '|>' + message['content'] + '</s>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
    )
    tokenizer = copy.deepcopy(tiny.tokenizer())
    tokenizer.chat_template = source
    mine.encoder = Encoder(tokenizer, "own")
    shown = mine.apply_chat_template([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])
    assert shown == "<|user|>Be brief.\n\nHi</s><|assistant|>" and mine.folded == 1


@pytest.mark.parametrize("settings", [{"num_beams": 4}, {"repetition_penalty": 1.3}, {"do_sample": True, "top_k": 5}])
def test_settings_that_are_not_ours_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="a task asks for"):
        ours().generate_until([request("generate_until", "Hi", settings)])


def test_settings_are_what_the_task_says() -> None:
    mine = ours()
    drawn, until = mine._settings("t", {"do_sample": True, "temperature": 0.7, "top_p": 0.9, "until": "\n"})
    assert (drawn.temperature, drawn.top_p, drawn.max_new_tokens, until) == (0.7, 0.9, 12, ["\n"])
    greedy, until = mine._settings("t", {"temperature": 0.0, "top_k": 5, "max_gen_toks": 3, "num_beams": 1})
    assert (greedy.temperature, greedy.top_p, greedy.max_new_tokens, until) == (0.0, 1.0, 3, [])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two tasks whose data lie beside them; no network."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    made = tmp_path / "tasks"
    made.mkdir()
    (made / "colours.jsonl").write_text("".join(json.dumps(row) + "\n" for row in COLOURS))
    shared = (
        "dataset_path: json\n"
        f"dataset_kwargs: {{data_files: {{test: colours.jsonl}}, cache_dir: '{tmp_path / 'cache'}'}}\n"
        "test_split: test\nfewshot_split: test\n"
    )
    (made / "_shared.yaml").write_text(shared)
    (made / "choosing.yaml").write_text(
        f"{shared}task: choosing\noutput_type: multiple_choice\ndescription: 'Choose.'\nnum_fewshot: 2\n"
        "doc_to_text: '{{question}}'\ndoc_to_choice: '{{options}}'\ndoc_to_target: '{{answer}}'\n"
        "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\n"
    )
    (made / "writing.yaml").write_text(
        "include: _shared.yaml\ntask: writing\noutput_type: generate_until\n"
        "doc_to_text: '{{question}}'\ndoc_to_target: '{{options[answer]}}'\n"
        "generation_kwargs: {until: ['\\n', '.'], max_gen_toks: 8}\n"
        "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n"
    )
    return made


def loaded(network: Any, template: str = "plain") -> Loaded:
    place = Located("tiny", "run" if template else "folder", Path("nowhere"), template=template)
    return Loaded(place, network, tiny.tokenizer(), torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("template", ["plain", ""])
def test_tasks_from_files_are_scored_as_they_score_them(
    folder: Path, template: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole way, with the template and without one, against the harness with its own transformers model."""
    from lm_eval.evaluator import evaluate

    done: dict[str, tuple[int, int]] = {}
    recipe, said = build({"decoding": {"max_new_tokens": 8}}), list[str]()
    asked = (loaded(tiny.network("llama"), template), "tiny", [str(folder)], recipe, said.append)
    found = scored(*asked, lambda what, count, of: done.update({what: (count, of)}))
    with quiet_libraries():
        other = theirs()
        wanted = harness_room._load([str(folder)])
        chat = bool(template)
        settings: dict[str, Any] = {"apply_chat_template": chat, "fewshot_as_multiturn": chat, "bootstrap_iters": 0}
        expected: Any = evaluate(other, wanted, **settings)
    capsys.readouterr()
    scores = {one.task: one for one in found.scores if one.metric in ("acc", "exact_match")}
    assert scores["choosing"].interval.value == expected["results"]["choosing"]["acc,none"]
    assert scores["writing"].interval.value == expected["results"]["writing"]["exact_match,none"]
    assert [scores[task].interval.count for task in ("choosing", "writing")] == [5, 5]
    assert (scores["choosing"].shots, scores["writing"].shots, scores["choosing"].better) == (2, 0, "higher")
    assert scores["choosing"].interval.low < scores["choosing"].interval.value < scores["choosing"].interval.high
    assert (found.template, found.notes) == (template, ())
    assert done == {"tiny: continuations": (15, 15), "tiny: answers": (5, 5)} and len(said) == 1
    assert HarnessResult.from_json(found.to_json()) == found


def test_a_run_gets_a_file(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.save(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    recipe = build({"model": {"device": "cpu", "precision": "float32", "threads": 1}})
    monkeypatch.setattr(harness_room, "is_run", lambda path: path == model)
    task = str((folder / "choosing.yaml").relative_to(tmp_path))
    (found,) = harness([str(model)], [f"{task}, tasks/writing.yaml"], recipe, lambda line: None, most=2)
    assert HarnessResult.from_json((model / "harness.json").read_text()) == found
    assert {(one.task, one.interval.count) for one in found.scores} == {("choosing", 2), ("writing", 2)}
    assert found.template == ""


def test_what_is_wrong_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lm_eval import tasks

    manager = tasks.TaskManager  # all of the harness's tasks take ten seconds to find
    monkeypatch.setattr(
        tasks, "TaskManager", lambda include_defaults: manager(include_defaults=False, include_path=str(folder))
    )
    with pytest.raises(UsageError, match=r"no task chosing.* did you mean choosing"):
        harness_room._load(["chosing"])
    with pytest.raises(UsageError, match=r"there is no file .*missing\.yaml"):
        harness_room._load([str(folder / "missing.yaml")])
    (folder / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no task"):
        harness_room._load([str(folder / "empty")])
    (folder / "broken.yaml").write_text("task: [")
    with pytest.raises(DataError, match=r"broken\.yaml is no task"):
        harness_room._load([str(folder / "broken.yaml")])
    (folder / "colours.jsonl").unlink()
    with pytest.raises(DataError, match=r"cannot be loaded.*data lie beside it"):
        harness_room._load([str(folder / "choosing.yaml")])
