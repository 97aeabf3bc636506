"""What the terminal shows of a comparison: numbers, gains, answers and verdict, and nothing that acts."""

from __future__ import annotations

import io
from dataclasses import replace

from made import talk
from rich.console import Console

from tutelage.evaluation.answers import Answer
from tutelage.evaluation.contenders import FormatLoss
from tutelage.evaluation.losses import AnswerLoss, Losses
from tutelage.evaluation.results import Asked, Comparison, ContenderResult, with_seeds
from tutelage.evaluation.table import gain_of, in_words, show
from tutelage.evaluation.verdict import Kind, Metric, judge
from tutelage.recipe import DecodingSettings

NASTY = "</div><script>steal()</script> $name \x1b[2J \u202e [bold red]"
SCORE = Metric("a score", True)


def result(name: str, kind: Kind, score: float) -> ContenderResult:
    losses = Losses(tuple(AnswerLoss(str(place), 12.0 - 6 * score, 10, 0.5) for place in range(8)))
    answers = tuple(Answer(str(place), NASTY, kind is Kind.TUNED, 7) for place in range(8))
    formats = (FormatLoss("question/answer", 1.2, 1.3, 1),) if kind is Kind.BASE else ()
    read = tuple(range(20, 28)) if kind is not Kind.MODEL else ()
    scores = tuple(score + 0.01 * place for place in range(8))
    return ContenderResult(name, NASTY, NASTY, "", losses, answers, formats, kind, read, (), scores, (NASTY,) * 8)


def comparison() -> Comparison:
    tuned = with_seeds([result("tuned", Kind.TUNED, 0.5), result("tuned", Kind.TUNED, 0.55)])
    results = (result("base", Kind.BASE, 0.1), result(NASTY, Kind.MODEL, 0.3), tuned)
    numbers = [one.measured(SCORE) for one in results]
    ours, *others = [one for one in numbers[::-1] if one]
    asked = tuple(Asked(str(place), talk(NASTY), NASTY) for place in range(8))
    return Comparison("runs/x", asked, results, judge(ours, others, SCORE), DecodingSettings(), 2, ("A note.",))


def shown(found: Comparison, width: int = 200) -> str:
    out = io.StringIO()
    show(found, Console(file=out, width=width, force_terminal=False))
    return out.getvalue()


def test_numbers_gains_notes_answers_and_verdict() -> None:
    found = comparison()
    text = shown(found)
    assert "tuned (2 seeds)" in text and "tokens read" in text and "A note." in text
    assert gain_of(found.verdict, "base") in text and gain_of(found.verdict, "base").startswith("+42.5 (")
    assert found.verdict.text[:40] in text and "2 held-out conversations did not fit" in text
    assert "question/answer 1.200 (of 1)" in text and "did not stop" in text and "reference" in text
    assert text.index("did not stop") < text.index("tokens read") < text.index(found.verdict.text[:40])


def test_no_number_is_cut_in_a_narrow_terminal() -> None:
    found = comparison()
    text = " ".join(shown(found, 80).split())
    for one in (one for one in found.verdict.gains if one.opponent == "base"):
        assert f"tuned gains over {one.opponent}: {gain_of(found.verdict, one.opponent)}" in text
    assert "…" not in text.rpartition("┏")[0].rpartition("╯")[2] + text.rpartition("┡")[2].partition("A note.")[0]


def test_nothing_acts_on_the_terminal() -> None:
    text = shown(comparison())
    assert "\x1b" not in text and "\u202e" not in text and "[bold red]" in text


def test_without_scores_there_is_no_column_of_them() -> None:
    found = comparison()
    bare = tuple(
        with_seeds([replace(one, scores=(), reasons=(), more=()) for one in each.seeds]) for each in found.contenders
    )
    text = shown(replace(found, contenders=bare))
    assert "score " not in text.split("A note.")[0].split("loss/token")[0].splitlines()[-1]
    assert in_words(bare[0]).startswith("format ") and "score" not in in_words(bare[0])
    assert "score 13.5" in in_words(found.contenders[0])
