"""HTML bodies of messages as text, without what mail programs mark as quoted. Linear time; nothing raises."""

from __future__ import annotations

import html
import re
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser

TAG = re.compile(r"""<(?:/?[a-zA-Z!?](?:[^<>"']|"[^"<]*"|'[^'<]*')*|/?[a-zA-Z!?][^<>]*)>""")
"""One tag. Each attempt ends at the next `<`, so all of them together read the body about once."""
_USUAL = re.compile(
    r"</?(?:p|div|br|span|html|head|body|table|tbody|tr|td|ul|ol|li|a|b|i|u|strong|em|blockquote|h[1-6]|hr|pre|code|img|"
    r"font|center|section|article|style|script)(?:\s[^<>]*|/)?>",
    re.I,
)
_PARAGRAPHS = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "pre"))
_LINES = frozenset(
    (
        *("address", "article", "aside", "body", "center", "dd", "div", "dl", "dt", "fieldset", "figure", "footer"),
        *("form", "header", "hr", "main", "nav", "section", "tbody", "thead", "tr", "blockquote"),
    )
)
_UNSEEN = frozenset(("script", "style", "head", "title", "template", "noscript", "svg"))
_VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"))
_QUOTES = frozenset(
    (
        *("gmail_quote", "gmail_quote_container", "gmail_attr", "yahoo_quoted", "moz-cite-prefix", "zmail_extra"),
        *("moz-forward-container", "freshdesk_quote", "protonmail_quote", "zendesk_quote", "intercom-quote"),
    )
)
_REST_IS_QUOTED = frozenset(("divrplyfwdmsg", "appendonsend", "outlookmessageheader", "mail-editor-reference-message"))
_SIGNATURES = frozenset(("gmail_signature", "moz-signature", "email-signature", "ms-outlook-mobile-signature"))
_RAW = ("script", "style", "title")
"""What stands between these tags is no HTML."""
_PLAIN = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)\s*/?>")
_ADDRESS = re.compile(r"https?://\S{1,200}")
_SPACE = re.compile(r"\s+")
QUOTED, SIGNED = "quoted part cut", "signature cut"
NEAR = 40
"""An end tag closes one of so many open tags; else it is ignored, however deep the nesting is."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The text of an HTML body, and what was left out of it."""

    text: str
    cuts: tuple[str, ...] = ()


def is_html(body: str) -> bool:
    """Whether a body holds one of the usual tags."""
    return bool(_USUAL.search(body))


def to_text(body: str) -> Seen:
    """Paragraphs, line breaks and list items as lines; links as `text (address)`.

    Blockquotes, the parts that Gmail, Outlook, Yahoo, Thunderbird and help desks mark as quoted, and marked
    signatures are left out. Broken HTML is read as far as it goes, the rest of it as text.
    """
    walk = _Walk()
    body = _without_comments(body)
    at = 0
    for tag in TAG.finditer(body):
        walk.say(html.unescape(body[at : tag.start()]))
        at = tag.end()
        walk.meet(tag.group())
        if walk.ended:
            break
    else:
        walk.say(html.unescape(body[at:]))
    return Seen("".join(walk.parts), tuple(walk.cuts))


def _without_comments(body: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := body.find("<!--", at)) >= 0:
        end = body.find("-->", start + 4)
        if end < 0:
            break
        kept.append(body[at:start])
        at = end + 3
    return "".join(kept) + body[at:]


class _Walk(HTMLParser):
    """Collects what a reader sees; `ended` once all that follows is quoted."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.cuts: dict[str, None] = {}
        self.ended = False
        self._open: list[tuple[str, bool]] = []
        self._hidden = 0
        self._pre = 0
        self._links: list[str] = []
        self._lists: list[int] = []
        self._bulleted = False

    def say(self, text: str) -> None:
        """Text between two tags, its white space made single outside `pre`."""
        if self._hidden or not text:
            return
        if not self._pre:
            text = _SPACE.sub(" ", text)
            if self._at_edge():
                text = text.lstrip()
        if text:
            self.parts.append(text)
            self._bulleted = self._bulleted and not text.strip()

    def meet(self, tag: str) -> None:
        """One whole tag. html.parser is never shown more: on a whole body it can take quadratic time."""
        if plain := _PLAIN.fullmatch(tag):  # most tags, and six times as fast
            name = plain[2].lower()
            return self.handle_endtag(name) if plain[1] else self.handle_starttag(name, [])
        with suppress(AssertionError, ValueError):  # it gives up on some declarations, which say nothing
            self.feed(tag)
        self.rawdata = ""
        self.clear_cdata_mode()

    def _in_raw(self, tag: str) -> bool:
        return bool(self._open) and self._open[-1][0] in _RAW and self._open[-1][0] != tag

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._in_raw(tag):
            return
        given = {name: value or "" for name, value in attrs}
        named = f"{given.get('class', '')} {given.get('id', '')}".lower().split() if given else ()
        marks = {name.removeprefix("x_") for name in named}  # Outlook puts x_ before what it passes on
        quoted = tag == "blockquote" or not marks.isdisjoint(_QUOTES)
        signed = not marks.isdisjoint(_SIGNATURES)
        self.ended = not marks.isdisjoint(_REST_IS_QUOTED) and not self._hidden
        if quoted or self.ended:
            self.cuts[QUOTED] = None
        if signed:
            self.cuts[SIGNED] = None
        if tag not in _VOID:
            hidden = quoted or signed or tag in _UNSEEN
            self._open.append((tag, hidden))
            self._hidden += hidden
            self._pre += tag == "pre"
        if not self._hidden:
            self._begin(tag, given)

    def _begin(self, tag: str, given: dict[str, str]) -> None:
        self._break(tag)
        if tag == "a":
            self._links.append(given.get("href", "").strip())
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else -1)
        elif tag == "li":
            self.parts.append("\n" + self._bullet())
            self._bulleted = True
        elif tag in ("td", "th") and not self._at_edge():
            self.parts.append(" ")

    def _bullet(self) -> str:
        if not self._lists or self._lists[-1] < 0:
            return "- "
        self._lists[-1] += 1
        return f"{self._lists[-1]}. "

    def handle_endtag(self, tag: str) -> None:
        if self._in_raw(tag) or not any(name == tag for name, _ in self._open[-NEAR:]):
            return
        was_hidden = self._hidden > 0
        name = ""
        while name != tag:
            name, hidden = self._open.pop()
            self._hidden -= hidden
            self._pre -= name == "pre"
        if self._hidden:
            return
        if was_hidden:
            pass
        elif tag == "a" and self._links:
            self._show_address(self._links.pop())
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        self._break(tag)

    def _show_address(self, link: str) -> None:
        """The address behind a link, where the text does not show it already."""
        shown = self.parts[-1].strip().rstrip("/") if self.parts else ""
        plain = link.rstrip("/")
        if _ADDRESS.fullmatch(link) and plain not in (shown, f"https://{shown}", f"http://{shown}"):
            self.parts.append(f" ({link})")

    def _break(self, tag: str) -> None:
        if self._bulleted:  # a paragraph just inside a list item
            return
        if tag in _PARAGRAPHS:
            self.parts.append("\n\n")
        elif tag == "br" or (tag in _LINES and not self._at_edge()):
            self.parts.append("\n")

    def _at_edge(self) -> bool:
        return not self.parts or self.parts[-1][-1:].isspace()

    def unknown_decl(self, data: str) -> None:
        """Word's <![if …]> and the like say nothing."""
