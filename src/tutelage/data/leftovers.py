"""What an answer should not have kept: unfilled places, markers, HTML, mojibake, the mail around it, boilerplate.

Every pattern is linear in the text: repeats are bounded, or cannot match what follows them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tutelage.data.exchange import exchanges, flag, quote, without_code
from tutelage.data.mending import HTML_ENTITY, HTML_TAG, MARKER, mail_begins, signature_begins, undecoded
from tutelage.records import Example, Finding, Role

_PLACEHOLDER = re.compile(
    r"""\{\{[^{}\n]{1,60}\}\}                                     # {{Order Number}}
    | (?<![\w}\\$_^])\{[A-Za-z][A-Za-z]*(?:[ _-][A-Za-z]+){0,4}\}(?![\w{(])   # {first_name}
    | \$\{[A-Za-z_][\w.]{0,40}\}                                  # ${name}
    | (?<![\w%])%[A-Z][A-Z_]{2,30}%(?![\w%])                      # %NAME%
    | <<[A-Za-z][\w -]{1,40}>>                                    # <<name>>
    | (?i:<(?:insert|your|enter|add|name\sof|customer|company|order)[ _-][^<>\n]{1,40}>)   # <your name>
    | (?i:\[(?:insert|your|enter|add|customer|company|recipient|sender|agent|client|user|order|ticket|account|phone
        |tracking|contact|date|amount|product|city|address|name|first\sname|last\sname|full\sname|e-?mail|link|url
        |position|job\stitle)(?:['\u2019]?s)?(?:[ _/-][^\[\]\n]{1,40})?\])(?!\()     # [Your Name], [insert date here]
    | \[[A-Z]{3,}(?:[ _][A-Z]+){0,4}\](?!\()                      # [NAME], [ORDER NUMBER]
    | (?<!\w)__[A-Z][A-Z_]{2,30}__(?!\w)                          # __NAME__
    | (?i:\blorem\sipsum\b) | \bTODO\b(?!\s*(?:list|app|item)) | \bFIXME\b | \bTBD\b | \bXXXXX*\b
    """,
    re.VERBOSE,
)
_STAND_IN = re.compile(r"\[[A-Z]+-\d+(?:\.\d+)?\]")
_ABOUT_PLACES = re.compile(
    r"\b(?:template|placeholder|variable|regex|jinja|format string|f-string|mustache|handlebars|blank|fill|todo|latin"
    r"|code"
    r"|function|script|program|json|yaml|sql|latex|redact\w*|anonymi[sz]\w*|mask(?:ed|s)?|lorem)s?\b",
    re.IGNORECASE,
)
_ABOUT_MARKUP = re.compile(
    r"\b(?:html?|css|xml|svg|markup|markdown|web ?(?:site|page|app)?|tags?|javascript|jsx|react|vue|angular|php|asp"
    r"|jsp|browser"
    r"|code|entit(?:y|ies)|escape[ds]?|element|wordpress|android|ios|bootstrap|dom|header|rss|soap|wiki)\b|</?[a-z]",
    re.IGNORECASE,
)
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
_ABOUT_MODELS = re.compile(
    r"\b(?:ai|a\.i\.|artificial|robots?|chat ?bots?|bots?|gpt\w*|chatgpt|llms?|language models?|siri|alexa|openai|human"
    r"|who (?:are|made|created|built|trained|developed) you|what are you|your (?:name|creators?|developers?|purpose"
    r"|makers?)"
    r"|(?:do|are|can|have|did|were|would) you|assistant|yourself|wer bist du|qui es-tu|qui [e\u00ea]tes-vous"
    r"|qui\u00e9n eres)\b",
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(
    r"""\b(?:as|i\sam|i['\u2019]m|i\sam\sjust|i['\u2019]m\sjust|being)\san?\s(?:\w{1,15}\s)?
        (?:ai|artificial\sintelligence|language\smodel|large\slanguage\smodel|ai\slanguage\smodel|llm|virtual\sassistant
        |machine\slearning\smodel|text-based\sai|chat\s?bot|computer\sprogram)\b(?!\s(?:researcher|engineer|expert
            |company
        |developer|ethicist|scientist|enthusiast|student|architect|startup|safety|consultant|artist))
    | \b(?:my|of\smy)\s(?:knowledge|training)\s(?:data\s)?cut-?\s?off\b | \bknowledge\scut-?off\b
    | \b(?:my|last)\s(?:training\sdata|knowledge\supdate)\b | \bi\swas\s(?:trained|created|developed)\sby\s(?:openai
        |google
        |anthropic|meta|microsoft)\b
    | \bi\s(?:do\snot|don['\u2019]t|cannot|can['\u2019]t)\s(?:have|possess|hold|form|provide)\s(?:any\s)?(?:personal
        |human|real)
        \s(?:experiences?|opinions?|feelings?|beliefs?|emotions?|preferences?|thoughts?)\b
    | \bi\s(?:do\snot|don['\u2019]t|cannot|can['\u2019]t)\s(?:have\saccess\sto|browse|access)\s(?:\w{1,12}\s)?
        (?:real-?time|current|up-to-date|live|the\sinternet|the\sweb|internet)\b
    | \b(?:i['\u2019]?m|i\sam)\s(?:very\s|so\s)?sorry,?\s(?:but\s)?(?:as\san|i\s(?:cannot|can['\u2019]t
        |am\snot\sable\sto|am\sunable\sto
        |won['\u2019]t)\s(?:assist|help|fulfil|fulfill|comply|provide|generate|complete|answer|engage|create|process
            |do\sthat))
    | \bi\s(?:cannot|can['\u2019]t)\s(?:assist|help|comply)\swith\s(?:that|this|your)\b | \bopenai['\u2019]s\s(?:use
        |content|usage)\spolic
    | \bals\s(?:eine?\s)?(?:ki|k\u00fcnstliche\sintelligenz|sprachmodell|ki-sprachmodell|ki-assistent)\b
    | \ben\stant\squ(?:e\s|['\u2019])(?:ia|intelligence\sartificielle|mod\u00e8le\sde\slang(?:ue|age)
        |assistant\svirtuel)\b
    | \bcomo\s(?:una?\s)?(?:ia|inteligencia\sartificial|modelo\sde\slengua?je|modelo\sde\slinguagem)\b
    | \u4f5c\u4e3a(?:\u4e00\u4e2a|\u4e00\u79cd)?(?:AI|\u4eba\u5de5\u667a\u80fd|\u8bed\u8a00\u6a21\u578b)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def placeholder(example: Example) -> Finding | None:
    """The answer holds a slot that nobody filled."""
    for exchange in exchanges(example):
        hits = _PLACEHOLDER.finditer(without_code(exchange.answer))
        hit = next((hit[0] for hit in hits if not _STAND_IN.fullmatch(hit[0])), "")
        if (
            hit
            and (hit.startswith("{{") or hit not in exchange.question)
            and not _ABOUT_PLACES.search(exchange.question)
        ):
            return flag(example, "placeholder", f"an unfilled place{exchange.place}: {quote(hit)}")
    return None


def marker(example: Example) -> Finding | None:
    """The answer holds the markers of some chat template or prompt."""
    for exchange in exchanges(example):
        if (hit := MARKER.search(exchange.answer)) and not _ABOUT_MARKERS.search(exchange.question):
            return flag(example, "marker", f"a marker of a prompt{exchange.place}: {quote(hit[0].strip())}")
    return None


def html(example: Example) -> Finding | None:
    """Tags or entities of HTML stand in an answer to a question that has nothing to do with it."""
    for exchange in exchanges(example):
        text = without_code(exchange.answer)
        hit = HTML_TAG.search(text) or HTML_ENTITY.search(text)
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
    return _mail(example, "quoted", mail_begins, "a quoted mail")


def signature(example: Example) -> Finding | None:
    """An answer that is no letter ends with somebody's signature."""
    return _mail(example, "signature", signature_begins, "a signature")


def _mail(example: Example, rule: str, begins: Callable[[str], int | None], what: str) -> Finding | None:
    for exchange in exchanges(example):
        start = begins(exchange.answer)
        if start is not None and not _ABOUT_MAIL.search(exchange.question):
            return flag(example, rule, f"{what}{exchange.place}: {quote(exchange.answer[start:].strip())}")
    return None


def boilerplate(example: Example) -> Finding | None:
    """The answer speaks of itself as some language model, or refuses in its set phrases."""
    for exchange in exchanges(example):
        if (hit := _BOILERPLATE.search(exchange.answer)) and not _ABOUT_MODELS.search(exchange.question):
            return flag(example, "boilerplate", f"assistant boilerplate{exchange.place}: {quote(hit[0])}")
    return None
