"""Repairs of what is left over in a text, where the repair is safe."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from tutelage.data.exchange import words
from tutelage.records import Conversation, Dataset, Example, Finding, Role, Turn, with_ids

TAGS = (
    "p|br|div|span|strong|em|ul|ol|li|table|tbody|thead|tr|td|th|h[1-6]|img|font|script|style|html|body|head"
    "|blockquote|pre"
    "|code|sup|sub|center|hr|iframe|form|input|button|a|b|i|u"
)
HTML_TAG = re.compile(rf"</?(?:{TAGS})(?:\s[^<>]{{0,300}})?/?>", re.IGNORECASE)
HTML_ENTITY = re.compile(
    r"&(?:amp|lt|gt|quot|apos|nbsp|ndash|mdash|[lr][sd]quo|hellip|copy|reg|trade|euro|pound|bull|middot|laquo|raquo|deg"
    r"|times|[aeiounyc](?:acute|grave|circ|uml|tilde|cedil)|szlig|#\d{1,6}|#x[0-9a-f]{1,5});",
    re.IGNORECASE,
)
MARKER = re.compile(
    r"<\|[A-Za-z][\w /-]{0,40}\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|</s>|<(?:bos|eos|pad|unk)>"
    r"|(?:^|\n)#{2,4} ?(?:instructions?|response|input|human|assistant|user|system|output|answer|question) ?:"
    r"|\n\n(?:human|user) ?: |\nassistant ?: ",
    re.IGNORECASE,
)
_END_MARKER = re.compile(r"(?:<\|[A-Za-z][\w /-]{0,40}\|>|</s>|<(?:eos|pad)>|<end_of_turn>)\s{0,20}\Z")
_BREAK = re.compile(r"<br(?:\s[^<>]{0,100})?/?>|</(?:p|div|li|tr|h[1-6])>", re.IGNORECASE)
_MOJIBAKE = re.compile(
    "[\u00c2\u00c3\u00c4\u00c5\u00ce\u00cf\u00d0\u00d1\u00d7\u00d8\u00d9\u00da][{c}]|[\u00e0-\u00ef][{c}][{c}]"
    "|\u00f0[{c}][{c}][{c}]".replace(
        "{c}",
        "\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c\u201d"
        "\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178",
    )
)
_LOST = re.compile("\ufffd|\u00e2\u20ac(?=[\\s\\w]|\\Z)")
_WROTE = (
    r"(?:On [^\n]{5,120}|Am [^\n]{5,120}|Le [^\n]{5,120}|El [^\n]{5,120}|Op [^\n]{5,120}|Il [^\n]{5,120})\n?[^\n]{0,60}"
    r"(?:wrote|schrieb[^\n]{0,80}|a \u00e9crit|escribi\u00f3|schreef[^\n]{0,80}|ha scritto) ?:"
)
_CHAIN = re.compile(
    rf"(?:^|\n)[> ]{{0,4}}(?:{_WROTE}"
    r"|-{2,10} ?(?:Original(?: Message|nachricht)|Urspr\u00fcngliche Nachricht|Forwarded message|Weitergeleitete"
    r" Nachricht"
    r"|Message d'origine|Mensaje original) ?-{2,10}|Begin forwarded message:"
    r"|_{10,60}\nFrom: |(?:From|Von|De): [^\n]{1,120}\n(?:(?:Sent|Date|Gesendet|Datum|Envoy\u00e9|Enviado|To|An|\u00c0"
    r"|Para): ))"
)
_CLOSING = re.compile(
    r"(?:(?:best|kind|kindest|warm|warmest|many|with (?:best|kind|warm)) )?(?:regards|wishes)|(?:yours )?(?:sincerely"
    r"|truly"
    r"|faithfully)(?: yours)?|yours|cheers|thanks|thank you|many thanks|thanks again|best|all the best|respectfully"
    r"|cordially"
    r"|mit freundlichen gr\u00fc\u00dfen|(?:viele|beste|herzliche|liebe|freundliche) gr\u00fc\u00dfe|mfg|lg"
    r"|cordialement|bien \u00e0 vous"
    r"|sinc\u00e8res salutations|saludos(?: cordiales)?|atentamente|un saludo|cordiali saluti|distinti saluti|met"
    r" vriendelijke groet"
    r"|atenciosamente",
    re.IGNORECASE,
)
_CARRIER = re.compile(
    r"\n\s{0,3}(?:sent from my |get outlook for |von meinem [^\n]{0,30}gesendet|envoy\u00e9 de mon |enviado desde mi"
    r" )[^\n]{1,60}\s*\Z"
    r"|\n-- ?\n[^\n]*(?:\n[^\n]*){0,9}\Z"
    r"|\n[^\n]{0,40}(?:this (?:e-?mail|message)(?:, including| and) any (?:attachment|file)s?|confidentiality notice)",
    re.IGNORECASE,
)
SIGNATURE_LINES, SIGNATURE_WIDTH = 7, 70


def undecoded(text: str) -> str:
    """The first piece of a text that was decoded with the wrong character set; "" where there is none."""
    if text.isascii():
        return ""
    for hit in _MOJIBAKE.finditer(text):
        if _redecoded(hit[0]) != hit[0]:
            return hit[0]
    lost = _LOST.search(text)
    return lost[0] if lost else ""


def _redecoded(piece: str) -> str:
    """UTF-8 that was read as Windows-1252 (or Latin-1), read rightly; the same piece where it is not that."""
    try:
        raw = b"".join(_byte(character) for character in piece)
        return raw.decode("utf-8")
    except UnicodeError:
        return piece


def _byte(character: str) -> bytes:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")


def mend_mojibake(text: str) -> str:
    """Wrongly decoded characters decoded rightly, even where it happened twice."""
    for _ in range(2):
        mended = text if text.isascii() else _MOJIBAKE.sub(lambda hit: _redecoded(hit[0]), text)
        if mended == text:
            break
        text = mended
    return text


def mend_html(text: str) -> str:
    """Entities as the characters they stand for, line breaks as lines, other tags taken away."""
    if not (HTML_TAG.search(text) or HTML_ENTITY.search(text)):
        return text
    text = HTML_TAG.sub("", _BREAK.sub("\n", text))
    return HTML_ENTITY.sub(lambda hit: html.unescape(hit[0]).replace("\u00a0", " "), text).strip()


def mend_marker(text: str) -> str:
    """End markers of a template at the end of the text taken away; others stay: what is around them is unclear."""
    end = len(text)
    while hit := _END_MARKER.search(text, max(0, end - 70), end):
        end = hit.start()
    return text[:end].rstrip() if end < len(text) else text


def mail_begins(text: str) -> int | None:
    """Where the mail begins that the text quotes behind itself; None where it quotes none."""
    hit = _CHAIN.search(text)
    start = hit.start() if hit else _quoted_end(text)
    return start if start < len(text) and len(words(text[:start])) >= 3 else None


def _quoted_end(text: str) -> int:
    """Where the lines begin that start with > and end the text, as in an answer by mail; at least three of them."""
    start, end, lines = len(text), len(text), 0
    while (line := text.rfind("\n", 0, end)) >= 0 and text.startswith(">", line + 1):
        start, end, lines = line, line, lines + 1
    return start if lines >= 3 else len(text)


def signature_begins(text: str) -> int | None:
    """Where a signature begins that ends the text; None where there is none."""
    if (hit := _CARRIER.search(text)) and len(words(text[: hit.start()])) >= 3:
        return hit.start()
    lines = text.split("\n")
    size = 0
    for back, line in enumerate(reversed(lines[1:])):
        size += len(line) + 1
        if len(line) > SIGNATURE_WIDTH or back > SIGNATURE_LINES:
            return None
        if (
            back
            and _CLOSING.fullmatch(line.strip().rstrip(",.!- "))
            and any(map(str.strip, lines[len(lines) - back :]))
        ):
            start = len(text) - size
            return start if len(words(text[:start])) >= 3 else None
    return None


def mend_quoted(text: str) -> str:
    """The text without the mails it quotes behind itself."""
    return text[: mail_begins(text)].rstrip()


def mend_signature(text: str) -> str:
    """The text without the signature that ends it."""
    return text[: signature_begins(text)].rstrip()


MENDS: Mapping[str, Callable[[str], str]] = {
    "mojibake": mend_mojibake,
    "html": mend_html,
    "marker": mend_marker,
    "quoted": mend_quoted,
    "signature": mend_signature,
}
"""Repairs by the name of the rule whose finds they mend, in the order in which they are made."""
PROMPTS_TOO = frozenset({"mojibake", "html"})
"""Repairs that a prompt gets as well: a mail's end may be what the prompt is about."""


def mend(dataset: Dataset, found: Callable[[Example, str], bool], names: tuple[str, ...]) -> Dataset:
    """The data set with the named faults mended where a rule finds them; each mended turn is counted.

    An answer of which nothing would be left stays as it is. Ids follow the new content.

    Args:
        found: whether a rule, by name, finds its fault in an example.
        names: of MENDS.
    """
    repairs: dict[str, int] = dict(dataset.repairs)
    findings: list[Finding] = []
    made: list[Example] = []
    for example in dataset.examples:
        for name in names:
            if not found(example, name):
                continue
            turns = tuple(_mended(turn, name) for turn in example.conversation.turns)
            count = sum(a is not b for a, b in zip(turns, example.conversation.turns, strict=True))
            if count:
                own = example.group == example.conversation.content_hash()
                example = replace(example, conversation=Conversation(turns), group="" if own else example.group)
                repairs[f"{name} mended"] = repairs.get(f"{name} mended", 0) + count
                findings.append(Finding(example.source, name, "repair", f"{count} turn{'s' * (count > 1)} mended"))
        made.append(example)
    if not findings:
        return dataset
    examples = with_ids((e.conversation, e.source, e.group, e.tags) for e in made)
    return replace(dataset, examples=examples, repairs=repairs, findings=(*dataset.findings, *findings))


def _mended(turn: Turn, name: str) -> Turn:
    if not (turn.is_trained or (name in PROMPTS_TOO and turn.role is Role.USER)):
        return turn
    text = MENDS[name](turn.text)
    return replace(turn, text=text) if text.strip() and text != turn.text else turn
