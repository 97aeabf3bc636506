"""What a model forgot: pairs of replies and texts compared, and the whole way with a tiny run."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from tutelage.errors import DataError, ModelError, UsageError
from tutelage.evaluation import cellar
from tutelage.evaluation.answers import Answer
from tutelage.evaluation.asking import halves
from tutelage.evaluation.changes import retention
from tutelage.evaluation.contenders import Contender, candidates, in_best_format
from tutelage.evaluation.forgetting import Asked, Question, everything, forgotten, table
from tutelage.evaluation.intervals import Interval
from tutelage.evaluation.plaintext import Perplexity, PlainText, TextLoss
from tutelage.evaluation.retention import DECLINED, FOLLOWING, HARMLESS, Reply, Retention, Side
from tutelage.model.forward import prove
from tutelage.model.load import load
from tutelage.recipe import build
from tutelage.records import Prompt, Role, Turn
from tutelage.tuning.run import Run


def reply(name: str, value: float, part: str = FOLLOWING, category: str = "length", **about: str) -> Reply:
    written = "I can't help with that." if part == DECLINED and value else "Fine."
    return Reply(part, category, Answer(name, written, True, 4), value, "", **about)


def side(values: Sequence[float], bits: Sequence[float], **changes: object) -> Side:
    """A model that keeps the instructions whose value is 1, and needs so many bits for each byte of a text."""
    replies = [
        reply(f"f{place}", value, category=("length", "case")[place % 2], place=("user", "system")[place // 2 % 2])
        for place, value in enumerate(values)
    ]
    replies += [reply(f"h{place}", 1.0, HARMLESS) for place in range(6)]
    replies += [reply(f"d{place}", float(place < 3), DECLINED) for place in range(6)]
    texts = (TextLoss(f"t{place}", "news", bit * math.log(2) * 100, 25, 100) for place, bit in enumerate(bits))
    made = Side("tiny", "plain", tuple(replies), Perplexity(tuple(texts)))
    return replace(made, **changes)  # type: ignore[arg-type]


GOOD = [1.0] * 32 + [0.0] * 8
BITS = [0.8, 1.0, 1.1, 0.9, 1.2, 1.0]


def test_nothing_is_lost_where_nothing_changed() -> None:
    found = retention(side(GOOD, BITS), side(GOOD, BITS))
    assert all(one.difference.value == 0 and one.word == "" for one in found.changes)
    assert found.text.startswith("Nothing measurable was lost.")
    assert "no clear change" in found.text and "as before" in found.text
    assert "0 of 6 harmless prompts refused (0 before), 3 of 6 prompts that should be declined" in found.text
    assert not found.little_to_lose and found.left_out == ()


def test_what_was_lost_is_named_with_its_interval() -> None:
    """All of the twenty prompts about case are lost, of the others none."""
    after = [value if place % 2 == 0 else 0.0 for place, value in enumerate(GOOD)]
    found = retention(side(GOOD, BITS), side(after, [bit + 0.1 + 0.01 * place for place, bit in enumerate(BITS)]))
    whole, text = found.change("following"), found.change("text")
    assert (whole.before, whole.after, whole.word) == (0.8, 0.4, "lost")
    assert whole.difference.value == pytest.approx(-0.4)
    assert whole.difference.low < -0.4 < whole.difference.high < -0.2
    rows = {one.name: one for one in found.changes}
    assert (rows["case"].word, rows["case"].after, rows["length"].word) == ("lost", 0.0, "")
    assert [text.before, text.after] == pytest.approx([1.0, 1.125]) and text.word == "lost"
    assert found.text.startswith("Lost: instructions kept, plain text.")
    assert "lost 40.0 points of 100" in found.text and "most of all in case" in found.text
    assert "1.000 bits per byte before, 1.125 after; perplexity 16.0 before" in found.text


def test_a_gain_is_no_loss() -> None:
    found = retention(side([0.0] * 20 + [1.0] * 20, BITS), side(GOOD, [bit / 2 for bit in BITS]))
    assert found.change("following").word == found.change("text").word == "gained"
    assert found.text.startswith("Nothing measurable was lost.") and "gained 30.0 points" in found.text


def test_few_prompts_prove_little() -> None:
    """One of four lost: no sure loss, and no sure absence of one."""
    found = retention(side([1.0] * 4, BITS), side([1.0, 1.0, 1.0, 0.0], BITS))
    assert found.change("following").word == ""
    assert "But for instructions kept, harmless prompts answered, others declined, ended by itself a loss" in found.text
    assert "a loss of more than 10 points of 100 cannot be ruled out." in found.text


def test_what_did_not_change_is_as_sure_as_its_count() -> None:
    """No change in n prompts: one that befalls a share p is not met with probability (1 - p)^n, here 0.025."""
    for count in (4, 40):
        one = retention(side([1.0] * count, BITS), side([1.0] * count, BITS)).change("following")
        assert (1 - one.difference.high) ** count == pytest.approx(0.025)
        assert -one.difference.low == one.difference.high and one.word == ""
    nothing = retention(side([0.0] * 4, BITS), side([0.0] * 4, BITS)).text
    assert "But for harmless prompts answered, others" in nothing  # of instructions there are none to lose


def test_rows_of_a_part_are_surer_than_its_first() -> None:
    """The same pairs, once as the whole and once as one of the rows, of which all have to be right together."""
    after = [0.0] * 4 + GOOD[4:]
    found = retention(side(GOOD, BITS), side(after, BITS))
    whole = retention(
        replace(side(GOOD, BITS), replies=tuple(side(GOOD, BITS).of(FOLLOWING)[::2])),
        replace(side(after, BITS), replies=tuple(side(after, BITS).of(FOLLOWING)[::2])),
    ).change("following")
    row = next(one for one in found.changes if one.name == "length")
    assert row.difference.value == whole.difference.value and row.difference.count == whole.difference.count == 20
    assert row.difference.low < whole.difference.low and whole.difference.high < row.difference.high


def test_groups_are_categories_places_and_distractions() -> None:
    before = side(GOOD, BITS)
    replies = [replace(one, distraction="long text") if place < 12 else one for place, one in enumerate(before.replies)]
    before = replace(before, replies=tuple(replies))
    names = [one.name for one in retention(before, before).changes if one.part == "following"]
    assert names == [
        "instructions kept",
        "length",
        "case",
        "asked in the user's turn",
        "asked in the system turn",
        "beside a distraction: long text",
        "without a distraction",
    ]


def test_a_base_has_little_to_lose() -> None:
    found = retention(side([0.0] * 38 + [1.0] * 2, BITS), side([0.0] * 40, BITS))
    assert found.little_to_lose and "A base has little to lose" in found.text


def test_prompts_that_one_side_lacks_are_left_out_of_both() -> None:
    before, after = side(GOOD, BITS), side(GOOD, BITS)
    fewer = replace(after, replies=tuple(reversed(after.replies[3:])))
    found = retention(before, fewer)
    assert found.left_out == ("f0", "f1", "f2") and "3 prompts do not fit" in found.text
    assert [one.answer.id for one in found.before.replies] == [one.answer.id for one in found.after.replies]
    same = retention(replace(before, replies=before.replies[3:]), replace(after, replies=after.replies[3:]))
    assert found == replace(same, left_out=found.left_out)
    with pytest.raises(DataError, match="not given the same prompts and texts"):
        retention(before, side(GOOD, BITS[:-1]))
    with pytest.raises(DataError, match="not given the same prompts and texts"):
        retention(before, replace(after, replies=(reply("other", 1.0),)))


def test_tokens_that_differ_are_not_compared() -> None:
    other = side(GOOD, BITS)
    texts = tuple(replace(one, tokens=one.tokens + 1) for one in other.perplexity.texts)
    found = retention(side(GOOD, BITS), replace(other, perplexity=Perplexity(texts)))
    assert "their perplexities cannot be compared, bits per byte can" in found.text
    assert found.change("text").difference.value == 0


def test_bits_per_byte_are_of_all_bytes() -> None:
    """Texts count by their length, so the mean of the row is that of the perplexity."""
    texts = tuple(TextLoss(f"t{n}", "news", 30.0 * n + 5, 10, 40 + 300 * n) for n in range(5))
    one = replace(side(GOOD, BITS), perplexity=Perplexity(texts))
    assert retention(one, one).change("text").before == pytest.approx(Perplexity(texts).bits_per_byte, rel=1e-12)


@pytest.mark.parametrize("after", [side(GOOD, BITS), side([0.0] * 40, [bit * 2 for bit in BITS])])
def test_json_and_back(after: Side) -> None:
    found = retention(side(GOOD, BITS), after)
    content = json.loads(found.to_json())
    assert Retention.from_json(found.to_json()) == found
    assert content["text"] == found.text and content["changes"][0]["difference"]["count"] == 40
    lonely = retention(side([1.0], []), side([1.0], []))
    assert Retention.from_json(lonely.to_json()) == lonely
    assert math.isinf(lonely.change("following").difference.low) and not lonely.has("text")
    for text in ("", "[]", "{}", '{"before": 1, "after": 2, "changes": []}'):
        with pytest.raises(UsageError, match="measure again"):
            Retention.from_json(text)


def test_the_table_has_every_number() -> None:
    after = [value if place % 2 == 0 else 0.0 for place, value in enumerate(GOOD)]
    console = Console(width=120, file=io.StringIO())
    with console.capture() as shown:
        console.print(table(retention(side(GOOD, BITS), side(after, BITS))))
    lines = shown.get().splitlines()
    whole = next(line for line in lines if "instructions kept" in line)
    assert all(piece in whole for piece in ("80.0", "40.0", "\u221240.0", "lost"))
    assert any("plain text" in line and "1.000" in line for line in lines)


def test_everything_is_asked_or_an_even_part() -> None:
    whole, part = everything(), everything(30)
    assert {one.part for one in whole.questions} == {one.part for one in part.questions}
    assert sum(one.part == FOLLOWING for one in part.questions) == 30
    assert len({one.prompt.id for one in whole.questions}) == len(whole.questions)
    assert len(part.texts) < len(whole.texts) == len({one.id for one in whole.texts})
    categories = {one.category for one in whole.questions if one.part == FOLLOWING}
    assert len({one.category for one in part.questions if one.part == FOLLOWING}) > len(categories) / 2


def asked(count: int = 6) -> Asked:
    """Questions whose answers are judged by their length, and one that is longer than the tiny model reads."""
    made = []
    for number in range(count):
        prompt = Prompt(f"q{number}", (Turn(Role.USER, f"Which word comes after {number}?"),))
        made.append(Question(FOLLOWING, "length", prompt, lambda answer: () if len(answer) < 30 else ("too long",)))
    long = Prompt("long", (Turn(Role.USER, "word " * 600),))
    texts = tuple(PlainText(f"t{n}", "news", "en", f"The {n}th ferry was late again.") for n in range(4))
    return Asked((*made, Question(FOLLOWING, "length", long, lambda answer: ())), texts)


@pytest.fixture
def copied(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv(cellar.SWITCH, str(tmp_path / "answers.sqlite"))
    return Run(Path(shutil.copytree(run.folder, tmp_path / "tiny-2")))


def best_format(run: Run) -> str:
    """The format in which the run's base expects the answers best that are held out."""
    loaded = load(run.manifest().base["folder"], torch.device("cpu"), torch.float32, lambda line: None)
    encoders = candidates(loaded.tokenizer, "plain")
    contender = Contender("base", "tiny", loaded.network, encoders[0], prove(loaded.network))
    return in_best_format(contender, encoders, halves(run.held_out())[0]).contender.encoder.template.name


def test_a_run_against_its_base(copied: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = build(copied.recipe().model_dump(mode="json"), ["decoding.max_new_tokens=8"])
    said: list[str] = []
    done: dict[str, tuple[int, int]] = {}
    (found,) = forgotten(
        [str(copied.folder)], "", recipe, said.append, lambda what, count, of: done.update({what: (count, of)}), asked()
    )
    assert Retention.from_json((copied.folder / "retention.json").read_text()) == found
    assert [one.answer.id for one in found.after.replies] == [f"q{number}" for number in range(6)]
    assert (found.after.model, found.after.format) == (str(copied.folder), "plain")
    assert found.before.format == best_format(copied)
    assert found.change("text").difference.value != 0 and found.change("text").difference.count == 4
    assert len(said) == 2 and all(count == of for count, of in done.values()) and len(done) == 4

    monkeypatch.setattr(cellar, "generate_together", lambda *given: pytest.fail("asked again"))
    assert forgotten([str(copied.folder)], "", recipe, said.append, None, asked()) == (found,)


def test_a_run_against_itself_loses_nothing(copied: Run, base: Path) -> None:
    recipe = copied.recipe()
    few, said = asked(2), list[str]()
    found, again = forgotten([str(copied.folder)] * 2, str(copied.folder), recipe, said.append, None, few)
    assert again == found and len(said) == 3  # what both are compared with is asked once
    assert all(one.difference.value == 0 and one.word == "" for one in found.changes)
    assert found.change("text").difference == Interval(0.0, 0.0, 0.0, 4)
    assert found.text.startswith("Nothing measurable was lost.")
    with pytest.raises(UsageError, match="--before"):
        forgotten([str(base)], "", recipe, lambda line: None, None, few)
    with pytest.raises(ModelError, match="before cannot be asked"):
        forgotten([str(copied.folder)], str(base / "missing"), recipe, lambda line: None, None, few)
