"""Pages: their policy, text that cannot act, and files that are not written over."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage import pages
from tutelage.errors import UsageError


def test_the_policy_names_the_very_style_sheet_that_stands_in_the_page(tmp_path: Path) -> None:
    template = tmp_path / "page.html"
    template.write_text("<style>\n/* pages.css */\nb { color: red; }\n</style>", encoding="utf-8")
    text, policy = pages.skeleton(template)
    style = re.search("<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None and "prefers-color-scheme: dark" in style[1] and "b { color: red; }" in style[1]
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain, \n and\ttab, é 漢 🙂 שלום", "plain, \n and\ttab, é 漢 🙂 שלום"),
        ("a\r\nb", "a\nb"),
        ("a\rb\0c\x1b[2J\x7f", "a␍b␀c␛[2J␡"),
        ("file\u202egnp.exe", "file⟨U+202E⟩gnp.exe"),
        ("half \ud83d of a pair", "half ⟨U+D83D⟩ of a pair"),
        ("\x85\u2028\u2066", "⟨U+0085⟩⟨U+2028⟩⟨U+2066⟩"),
    ],
)
def test_what_acts_unseen_is_shown(text: str, seen: str) -> None:
    assert pages.readable(text) == seen


@settings(deadline=None)
@given(st.text(st.characters()))
def test_readable_text_can_be_written_and_read_again(text: str) -> None:
    seen = pages.readable(text)
    assert pages.readable(seen) == seen
    assert seen.encode().decode() == seen


def test_a_cut_says_how_much_is_missing() -> None:
    assert pages.cut("abc", 3) == "abc"
    assert pages.cut("ab " + "x" * 1234, 3) == "ab … [1,234 more characters]"


@pytest.mark.parametrize(
    ("share", "told"),
    [(0, "0%"), (0.0004, "<0.1%"), (0.0123, "1.2%"), (0.5, "50%"), (1, "100%")],
)
def test_a_share_that_is_there_is_never_nought(share: float, told: str) -> None:
    assert pages.percent(share) == told


def test_only_a_page_is_written_over(tmp_path: Path) -> None:
    data, page = tmp_path / "faq.jsonl", tmp_path / "new" / "look.html"
    data.write_text('{"prompt": "a"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="exists and is no page"):
        pages.write(data, pages.GENERATOR)
    with pytest.raises(UsageError, match="exists and is no page"):
        pages.check(tmp_path)
    assert data.read_text(encoding="utf-8") == '{"prompt": "a"}\n'
    for text in ("first", "second"):
        pages.write(page, f"{pages.GENERATOR}{text}")
    assert page.read_text(encoding="utf-8") == f"{pages.GENERATOR}second"
    assert [file.name for file in page.parent.iterdir()] == ["look.html"]


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="the page cannot be written"):
        pages.write(tmp_path / "file" / "look.html", "")
