"""The report: every number is the same in JSON, Markdown and page, and nothing that people or models wrote acts."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import talk
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tutelage.evaluation import report
from tutelage.evaluation.answers import Answer
from tutelage.evaluation.contenders import FormatLoss
from tutelage.evaluation.harness import HarnessResult, HarnessScore
from tutelage.evaluation.intervals import Interval
from tutelage.evaluation.judging.outcome import Judge, Outcome, WinRate
from tutelage.evaluation.losses import AnswerLoss, Losses
from tutelage.evaluation.plaintext import Perplexity
from tutelage.evaluation.reporting import page
from tutelage.evaluation.reporting.content import (
    Answers,
    Block,
    Column,
    Headline,
    Item,
    Piece,
    Report,
    Row,
    Said,
    Section,
    Table,
    Tile,
    shown,
)
from tutelage.evaluation.reporting.differences import agreement, changes
from tutelage.evaluation.reporting.markdown import markdown
from tutelage.evaluation.reporting.tidy import BLOCK, tidy
from tutelage.evaluation.results import Asked, Comparison, ContenderResult
from tutelage.evaluation.retention import Change, Retention, Side
from tutelage.evaluation.scores import Asked as AskedTask
from tutelage.evaluation.scores import Evaluation, Score, Scores
from tutelage.evaluation.verdict import Kind, Metric, judge
from tutelage.pages import cut, readable
from tutelage.recipe import DecodingSettings, Recipe
from tutelage.text.certificate import Certificate
from tutelage.tuning.run import Manifest, Run, Step

SCORE = Metric("exact match", True)
HOSTILE = (
    "<script>steal()</script>",
    "</script><script>steal()//",
    "<img src=x onerror=steal()>",
    "</div></details></section><h1>big</h1>",
    "<svg onload=steal()>",
    "<style>*{display:none}</style>",
    "</style><script>steal()</script>",
    "--><script>steal()</script><!--",
    "<![CDATA[<script>steal()</script>]]>",
    "<a href='javascript:steal()'>x</a>",
    "<iframe srcdoc='<script>steal()</script>'>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "&lt;script&gt;&#60;b&#62;&amp;",
    '" onmouseover="steal()" x="',
    "' autofocus onfocus='steal()",
    "$name ${policy} $$ $(todo)",
    "[x](javascript:steal())",
    "](javascript:steal()) ![i](//evil.example/i.png)",
    "<javascript:steal()> <https://evil.example>",
    "[x]: javascript:steal()\n[x]",
    "https://evil.example www.evil.example a@evil.example",
    "| a | b |\n|---|---|\n| c | d |",
    "a | b \\| c \\\\| d",
    "```\n<script>steal()</script>\n```",
    "````text\n~~~\n`````\n# no heading",
    "# heading\n\n- list\n1. one\n> quote\n***\n    code",
    "1. one\n=====\n-----\n",
    "*a* **b** __c__ ~~d~~ `e` \\",
    "\x1b[2J\x1b]0;title\x07\x9b31m",
    "\u202egnp.exe\u2066\u2069\u200f",
    "nul \x00 bell \x07 back \x08 del \x7f",
    "line\u2028para\u2029end\r\nnext\rover",
    "\ud800 half \udfff \ufffe",
    "<x" + "<b>" * 3_000,
    "w" * 1_000_000,
    "`" * 200,
    "\n\n\n   \t ",
)


def contender(name: str, kind: Kind, score: float, texts: tuple[str, ...]) -> ContenderResult:
    count = len(texts)
    losses = Losses(tuple(AnswerLoss(str(place), 12.0 - 6 * score, 10, 0.5) for place in range(count)))
    answers = tuple(Answer(str(n), text, kind is Kind.TUNED, 7 + n, n == 1) for n, text in enumerate(texts))
    tried = (FormatLoss(name, 1.234, 1.345, 3),)
    scores = tuple(min(1.0, score + 0.013 * place) for place in range(count))
    read = tuple(range(20, 20 + count))
    return ContenderResult(name, name, name, name, losses, answers, tried, kind, read, (), scores, texts)


def comparison(texts: tuple[str, ...], name: str = "another") -> Comparison:
    found = [
        contender("base", Kind.BASE, 0.1, texts),
        contender(name, Kind.MODEL, 0.3, tuple(reversed(texts))),
        contender("tuned", Kind.TUNED, 0.5, texts),
    ]
    ours, *others = [one for one in (each.measured(SCORE) for each in reversed(found)) if one]
    asked = tuple(Asked(str(n), talk("Hi", text, text, system=text), text, text) for n, text in enumerate(texts))
    return Comparison("runs/x", asked, tuple(found), judge(ours, others, SCORE), DecodingSettings(), 2, (name,))


def evaluation(folder: Path, name: str) -> Evaluation:
    def one(model: str, add: float) -> Scores:
        scores = tuple(
            Score(
                "task",
                str(n),
                f"{name}{n % 3}",
                0.031 * n + add,
                name,
                Answer(str(n), name, True, n),
                (("rouge", 0.2),),
            )
            for n in range(12)
        )
        return Scores(model, name, scores, Losses((AnswerLoss("a", 12.0, 7, 0.5),)), 12.3)

    return Evaluation((AskedTask("task", name, "0", 14, 2),), (one(name, 0.0), one(str(folder), 0.2)))


def retention(name: str) -> Retention:
    sides = [Side(name, name, (), Perplexity(())) for _ in range(2)]
    rows = [("following", f"{name}{n}", "share", 1) for n in range(4)]
    rows += [("text", name, "bits", -1), ("refusals", name, "share", -1), ("answers", name, "tokens", 0)]
    changes_ = tuple(
        Change(*row, 0.51 - 0.03 * n, 0.4, Interval(-0.11 + 0.03 * n, -0.21, -0.02, 40)) for n, row in enumerate(rows)
    )
    return Retention(sides[0], sides[1], changes_)


def outcome(name: str) -> Outcome:
    share = Interval(0.61, 0.52, 0.7, 44)
    one = Judge(
        name,
        (WinRate("tuned", name, share, 20, 14, {"tie": 10}),),
        (WinRate("constant", name, Interval(0.03, 0.0, 0.1, 44), 1, 40, {"tie": 3}),),
        Interval(0.55, 0.4, 0.7, 34),
        Interval(0.48, 0.4, 0.6, 88),
        None,
        (name,),
        3,
    )
    return Outcome("x", (one, replace(one, by=f"{name} 2")), ((name, f"{name} 2", share),))


def certificate(name: str) -> str:
    given: dict[str, Any] = {}
    for field in fields(Certificate):
        kind = str(field.type)
        given[field.name] = 7 if kind == "int" else name if kind == "str" else {name: 41} if "Mapping" in kind else None
    return json.dumps(given)


def full_run(folder: Path, name: str = "plain", texts: tuple[str, ...] = ("One word.", "Two words!", *"abcdef")) -> Run:
    """A run's folder with every result in it."""
    folder.mkdir()
    run = Run(folder)
    safe = name.encode("utf-8", "replace").decode()  # what a manifest or a file can hold
    (folder / "recipe.yaml").write_text(Recipe().to_yaml())
    run.write_manifest(Manifest({"name": safe}, safe, "lora", True, 30, 30, seconds=99.5, tokens=12_345, peak_memory=5))
    steps = [
        Step(n, 3 / n, 100, 50, 41.5, 0.0001 * n, 1.0, 0.1, 3.1 / n if n % 10 == 0 else None) for n in range(1, 31)
    ]
    (folder / "metrics.jsonl").write_text("".join(step.to_json() + "\n" for step in steps))
    kept = {
        "certificate.json": certificate(safe),
        "compare.json": comparison(tuple(map(_whole, texts)), safe).to_json(),
        "evaluate.json": evaluation(folder, safe).to_json(),
        "retention.json": retention(safe).to_json(),
        "judge.json": outcome(safe).to_json(),
        "harness.json": HarnessResult(
            safe, safe, "0.4", (HarnessScore(safe, safe, Interval(0.123, 0.1, 0.15, 50), 2, "higher"),), (safe,)
        ).to_json(),
    }
    for file, text in kept.items():
        (folder / file).write_text(text, encoding="utf-8")
    return run


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


class Elements(HTMLParser):
    """Every element, attribute and address of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names, self.attributes, self.addresses = set[str](), set[str](), list[str]()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def tokens(text: str) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        yield token
        yield from token.children or ()


def numbers(value: Any, form: str = "") -> Iterator[tuple[float | Interval, str]]:
    """Every number of the JSON with its form; an interval counts as one."""
    if isinstance(value, list):
        for one in value:
            yield from numbers(one, form)
    elif isinstance(value, dict):
        if "columns" in value:
            for column in value["columns"]:
                yield from numbers([row[column["key"]] for row in value["rows"]], str(column["form"]))
        elif set(value) == {"value", "low", "high", "count"}:
            yield Interval.from_json(value), form
        else:
            forms: dict[str, str] = FORMS | {"gain": value.get("gain_form", form), "value": value.get("form", form)}
            for name, one in value.items():
                yield from numbers(one, forms.get(name, str(value.get("gain_form", form))))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value, form


FORMS = {
    "tokens": "count",
    "score": "score",
    "loss": "loss",
    "same": "share",
    "number": "count",
    "prompts": "count",
    "shown": "count",
}


def test_every_number_of_the_json_stands_in_the_markdown_and_on_the_page(tmp_path: Path) -> None:
    report.write(full_run(tmp_path / "run"))
    found = json.loads((tmp_path / "run" / "report.json").read_text())
    told = {shown(value, form) for value, form in numbers(found)}
    text = (tmp_path / "run" / "report.md").read_text()
    seen = Elements((tmp_path / "run" / "report.html").read_text()).text
    assert len(told) > 100
    assert {one for one in told if one in text and one in seen} == told


def small(name: str) -> Report:
    """A report that says one thing everywhere."""
    columns = (Column("a", name), Column("b", name, "count"))
    parts = (Table("t", name, columns, (Row((name, 7)),)), Block(name, name), Block(name, name, True, True))
    section = Section("s", name, name, parts, (name,))
    piece = (Piece(name, "same"),)
    said = Said(name, piece, True, "stopped", 7, 0.5, name, 1.5, 0.25)
    item = Item(
        1, name, name, (("asked", name),), (said, said), 0.25, name, (Piece(name, "ours"), Piece(name, "theirs"))
    )
    answers = Answers(2, name, "signed score", (item,), (1,), (1,))
    tiles = (Tile("k", name, name, "", name),)
    return tidy(Report(name, name, Headline(name, name, name, name), section, tiles, (), answers, (section,), (name,)))


PLAIN = Elements(page.page(small("plain")))


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_that_people_or_models_wrote_acts(name: str) -> None:
    made = small(name)
    html, text, data = page.page(made), markdown(made), report.in_json(made)
    read = Elements(html)
    assert (read.names, read.attributes, read.addresses) == (PLAIN.names, PLAIN.attributes, PLAIN.addresses)
    assert read.text.count(made.name) >= 20
    kinds = {token.type for token in tokens(text)}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "code_block", "code_inline", "hr", "em_open"}
    blocks = [token.content for token in tokens(text) if token.type == "fence"]
    long = f"{readable(cut(name, BLOCK))}\n"
    assert blocks == [long, long, *[f"{made.name}\n"] * 3, long, long]
    for written in (html, text, data):
        assert not ACTING.search(written) and len(written) < 1_000_000


ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def test_a_whole_run_of_hostile_texts_becomes_a_page_of_the_same_elements(tmp_path: Path) -> None:
    name = "".join(one for one in HOSTILE[:30] if len(one) < 60)
    plain, hostile = full_run(tmp_path / "plain"), full_run(tmp_path / "hostile", name, HOSTILE)
    both = []
    for run in (plain, hostile):
        report.write(run)
        both.append(Elements((run.folder / "report.html").read_text()))
    assert both[1].names <= both[0].names | {"ins", "del"} and both[1].attributes <= both[0].attributes
    assert all(re.fullmatch(r"#[a-z]+(-[0-9]+)?", one) for one in both[1].addresses)
    assert {"svg", "mark"} <= both[1].names


def test_the_policy_allows_this_style_and_nothing_else() -> None:
    made = page.page(small("plain"))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', made)
    assert policy is not None
    style, rest = r"style-src 'sha256-[A-Za-z0-9+/=]{44}'", "base-uri 'none'; form-action 'none'"
    assert re.fullmatch(f"default-src 'none'; {style}; {rest}", policy[1])
    assert "http://" not in made and "https://" not in made


def test_without_matplotlib_a_sentence_stands_where_the_pictures_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run = full_run(tmp_path / "run")
    report.write(run)
    made = (run.folder / "report.html").read_text()
    assert "<svg" not in made and "pip install" in made and "matplotlib is missing" in made


def test_what_is_missing_or_broken_is_named_with_its_command(tmp_path: Path) -> None:
    run = full_run(tmp_path / "run")
    for name in ("compare.json", "evaluate.json", "judge.json"):
        (run.folder / name).unlink()
    (run.folder / "retention.json").write_text("{}")
    report.write(run)
    made = (run.folder / "report.md").read_text()
    assert all(word in made for word in ("Not compared yet", "tutelage compare", "--tasks FILE", "tutelage judge"))
    assert "retention.json is left out" in made


@given(st.text(max_size=60), st.text(max_size=60))
def test_marked_pieces_are_the_texts(theirs: str, ours: str) -> None:
    made = changes(theirs, ours)
    assert "".join(piece.text for piece in made if piece.how != "theirs") == ours
    assert "".join(piece.text for piece in agreement(ours, theirs)[0]) == ours


def test_numbers_are_shown_in_the_form_that_their_column_names() -> None:
    given = [(0.1234, "score"), (-0.1234, "signed score"), (0.5, "share"), (1.23456, "loss"), (12345, "count")]
    assert [shown(*one) for one in given] == ["12.3", "−12.3", "50%", "1.235", "12,345"]
    assert shown(Interval(0.1, -0.02, 0.3, 9), "signed percent") == "+10.0% (−2.0% to +30.0%)"
    assert [shown(None, "loss"), shown(float("nan"), "loss"), shown("a text", "")] == ["–", "–", "a text"]
