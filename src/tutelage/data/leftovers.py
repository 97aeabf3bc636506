"""What an answer should not have kept: unfilled places, markers, HTML, mojibake, the mail around it.

Every pattern is linear in the text: repeats are bounded, or cannot match what follows them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tutelage.data.decoding import undecoded
from tutelage.data.exchange import exchanges, flag, quote, without_code
from tutelage.data.mailends import quote_begins, signature_begins
from tutelage.data.mending import HTML_ENTITY, HTML_TAG, MARKER
from tutelage.data.slots import dummy, note, slot
from tutelage.records import Example, Finding, Role

_ABOUT_PLACES = re.compile(
    r"\b(?:templates?|placeholders?|variables?|regex|jinja|format string|f-string|mustache|handlebars|blanks?|fill in"
    r"|todo|code|coding|functions?"
    r"|scripts?|program(?:ming|s)?|json|yaml|sql|latex|redact\w*|anonymi[sz]\w*|mask(?:ed|s)?|lorem|python|java"
    r"|javascript|html|css|bash|shell|excel|c\+\+"
    r"|form letter|mad ?libs?|dictionary|array|algorithm|api|dataset|prompt|markdown|syntax|escape|macro|outline"
    r"|notation|schema|command|terminal|linux|shell|cli)\b",
    re.IGNORECASE,
)
_ABOUT_DUMMIES = re.compile(
    r"\b(?:lorem|ipsum|latin|dummy|filler|placeholder|typeset\w*|mock ?up|cicero"
    r"|wireframe)\b",
    re.IGNORECASE,
)
_ABOUT_MARKUP = re.compile(
    r"\b(?:html?\d?|css|xml|svg|markup|markdown|web ?(?:sites?|pages?|apps?|design\w*)|tags?|javascript|jsx|react|vue"
    r"|angular|php|asp|jsp|code|coding"
    r"|entit(?:y|ies)|wordpress|bootstrap|dom|rss|soap|json|parse[rs]?|scrap\w+|browser|android|layout|snippet|regex"
    r"|template|hyperlink|frontend)\b|</?[a-z]",
    re.IGNORECASE,
)
ASKING = 600
"""Characters at the beginning and the end of a question that say what it is about; between them stands a text."""
_REMAINS = re.compile(
    r"\[/(?:b|i|u|s|url|img|quote|code|size|color|list|center)\]|(?<![\w-])(?:style|class|href|src|align|width"
    r"|colspan)=\"[^\"\n]{1,120}\""
    r"|</?(?:p|br|div|span|li|ul|td|tr|b|a)(?=\s*\Z)",
    re.IGNORECASE,
)
"""Tags of forums, attributes without their tag, a tag that was cut."""
MARKER_SIGNS = ("<", "[INST]", "[/INST]", "##", "\n")
"""One of them stands in every marker; the new line, before a forged turn."""
_ABOUT_MARKERS = re.compile(
    rf"{MARKER.pattern}|\b(?:llms?|language models?|chat ?gpt|gpt\w*|tokens?|tokeni[sz]er|prompts?|dialog(?:ue)?"
    rf"|conversation"
    r"|script|interview|transcript|chat)\b",
    re.IGNORECASE,
)
_ABOUT_MAIL = re.compile(
    r"\b(?:write|draft|compose|create|generate|prepare|sample|template|example|rewrite|reword|proofread|edit|summar\w*"
    r"|classif\w*|extract|translat\w*|sending|an e-?mail (?:to|for|from|that|asking)|sign(?:-off|ature|ed)|salutation"
    r"|closing|forwarded|thread|dear|letter|memo"
    r"|schreib\w*|verfass\w*|\u00e9cri\w*|r\u00e9dige\w*|escrib\w*|redact\w*|scrivi)\b",
    re.IGNORECASE,
)


def placeholder(example: Example) -> Finding | None:
    """The answer holds a slot that nobody filled, dummy text, or a note that its editor left in it."""
    for exchange in exchanges(example):
        answer = without_code(exchange.answer)
        if (hit := dummy(answer)) and not _ABOUT_DUMMIES.search(exchange.question):
            return flag(example, "placeholder", f"dummy text{exchange.place}: {quote(hit)}")
        if (hit := slot(answer)) and not _is_asked_for(hit, exchange.question):
            return flag(example, "placeholder", f"an unfilled place{exchange.place}: {quote(hit)}")
        if (hit := note(answer)) and not _is_asked_for(hit, exchange.question):
            return flag(example, "placeholder", f"a note to be taken out{exchange.place}: {quote(hit)}")
    return None


def _is_asked_for(hit: str, question: str) -> bool:
    """Whether the question brings the slot with it, or is about texts that have some."""
    brought = hit in question and not hit.startswith("{{")
    return brought or bool(
        _ABOUT_PLACES.search(question if len(question) <= 2 * ASKING else question[:ASKING] + question[-ASKING:])
    )


def marker(example: Example) -> Finding | None:
    """The answer holds the markers of some chat template or prompt."""
    for exchange in exchanges(example):
        if not any(sign in exchange.answer for sign in MARKER_SIGNS):
            continue
        if (hit := MARKER.search(exchange.answer)) and not _ABOUT_MARKERS.search(exchange.question):
            return flag(example, "marker", f"a marker of a prompt{exchange.place}: {quote(hit[0].strip())}")
    return None


def html(example: Example) -> Finding | None:
    """Tags or entities of HTML stand in an answer to a question that has nothing to do with it."""
    for exchange in exchanges(example):
        if not any(sign in exchange.answer for sign in ("<", "&", "[/", '="')):
            continue
        text = without_code(exchange.answer)
        hit = HTML_TAG.search(text) or HTML_ENTITY.search(text) or _REMAINS.search(text)
        if hit and not _ABOUT_MARKUP.search(exchange.question):
            return flag(example, "html", f"remains of HTML{exchange.place}: {quote(hit[0])}")
    return None


def mojibake(example: Example) -> Finding | None:
    """The text was decoded with the wrong character set."""
    for turn in example.conversation.turns:
        if (turn.is_trained or turn.role is Role.USER) and (hit := undecoded(turn.text)):
            return flag(example, "mojibake", f"wrongly decoded characters: {quote(hit)}")
    return None


def quoted(example: Example) -> Finding | None:
    """An answer drags the mails behind it that it replied to."""
    return _mail(example, "quoted", quote_begins, "a quoted mail")


def signature(example: Example) -> Finding | None:
    """An answer that is no letter ends with somebody's signature."""
    return _mail(example, "signature", signature_begins, "a signature")


def _mail(example: Example, rule: str, begins: Callable[[str], int | None], what: str) -> Finding | None:
    for exchange in exchanges(example):
        start = begins(exchange.answer)
        if start is not None and not _ABOUT_MAIL.search(exchange.question):
            return flag(example, rule, f"{what}{exchange.place}: {quote(exchange.answer[start:].strip())}")
    return None
