"""What people get to see of a comparison: nothing in it acts, and nothing is lost."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

from made import talk
from rich.console import Console

from tutelage.evaluation.answers import Answer
from tutelage.evaluation.contenders import FormatLoss
from tutelage.evaluation.losses import AnswerLoss, Losses
from tutelage.evaluation.page import page
from tutelage.evaluation.report import show
from tutelage.evaluation.results import Asked, Comparison, ContenderResult
from tutelage.evaluation.verdict import Verdict
from tutelage.recipe import DecodingSettings
from tutelage.tuning.run import Step

NASTY = "</div><script>steal()</script><img src=x onerror=steal()> \" ' & $name ${policy} \x1b[2J [bold red]"


def comparison(better: bool = True) -> Comparison:
    losses = Losses((AnswerLoss("a", 12.0, 10, 0.5),))
    results = tuple(
        ContenderResult(
            name,
            NASTY,
            NASTY,
            NASTY if place else "",
            losses,
            (Answer(NASTY, NASTY, place > 0, 7),),
            (FormatLoss(NASTY, 1.2, 1.3, 1), FormatLoss("other", 1.1, 1.2, 1)),
        )
        for place, name in enumerate(["base", NASTY, "tuned"])
    )
    asked = Asked(NASTY, talk("Hi", NASTY, NASTY, system=NASTY), NASTY)
    low = -0.3 if better else 0.1
    verdict = Verdict(NASTY, better, "base", -0.2, low, low + 0.2, 9)
    return Comparison(f"/runs/{NASTY.replace('/', '')}", (asked,), results, verdict, DecodingSettings(), 2)


class Elements(HTMLParser):
    """Every element and attribute of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_text_from_data_and_models_stays_text() -> None:
    steps = [Step(number, 3 / number, 10, 5, 1.0, 0.1, 1.0, 0.1) for number in range(1, 9)]
    made = page(comparison(), steps)
    read = Elements()
    read.feed(made)
    assert not read.names & {"script", "img", "iframe", "link", "object", "a", "form"}
    assert not {name for name in read.attributes if name.startswith("on")} | read.attributes & {"src", "href"}
    assert "style" not in read.attributes
    assert "".join(read.text).count("steal()") > 12
    assert "svg" in read.names and "polyline" in read.names


def test_the_policy_allows_this_style_and_nothing_else() -> None:
    made = page(comparison())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', made)
    assert policy is not None
    style, rest = r"style-src 'sha256-[A-Za-z0-9+/=]{44}'", "base-uri 'none'; form-action 'none'"
    assert re.fullmatch(f"default-src 'none'; {style}; {rest}", policy[1])
    assert "http://" not in made and "https://" not in made
    assert "polyline" not in made  # no curve without steps


def test_the_terminal_shows_numbers_answers_and_verdict() -> None:
    out = io.StringIO()
    show(comparison(better=False), Console(file=out, width=140, force_terminal=False))
    text = out.getvalue()
    assert "loss/token" in text and "1.200" in text and "did not stop" in text and "reference" in text
    assert "\x1b" not in text and "[bold red]" in text
    assert "2 held-out conversations did not fit" in text
