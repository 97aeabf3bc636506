"""Repairs of what is left over in a text, where the repair is safe."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from tutelage.data.decoding import mend_mojibake
from tutelage.data.mailends import quote_begins, signature_begins
from tutelage.data.spool import Made, renewed
from tutelage.records import Conversation, Dataset, Example, Finding, Role, Turn

TAGS = (
    "p|br|div|span|strong|em|ul|ol|li|dl|dt|dd|table|tbody|thead|tfoot|tr|td|th|caption|col|colgroup|h[1-6]|img|font"
    "|script|style|html"
    "|body|head|title|meta|link|base|blockquote|pre|code|kbd|samp|tt|sup|sub|small|big|mark|del|ins|strike|center|hr"
    "|iframe|form|input"
    "|button|select|option|textarea|label|fieldset|legend|section|article|nav|header|footer|main|aside|figure"
    "|figcaption|video|audio"
    "|source|svg|path|canvas|object|embed|noscript|template|abbr|cite|address|details|summary|wbr|a|b|i|u"
)
HTML_TAG = re.compile(
    rf"</?(?:{TAGS})(?:\s[^<>]{{0,300}})?/?>|<!--[^<>]{{0,300}}-->"
    rf"|</?[a-z]{{1,10}}:[a-z]{{1,20}}(?:\s[^<>]{{0,200}})?/?>|<!doctype [^<>]{{1,200}}>",
    re.IGNORECASE,
)
HTML_ENTITY = re.compile(
    r"&(?:amp|lt|gt|quot|apos|nbsp|[mn]dash|[lr][sd]quo|[lr]aquo|hellip|copy|reg|trade|euro|pound|cent|yen|bull|middot"
    r"|deg|times|divide"
    r"|plusmn|frac\d\d|sup[123]|micro|para|sect|[lr]arr|[ud]arr|zwn?j|shy|[em]nsp|[en]nsp|thinsp|infin|ne|[lg]e|iexcl"
    r"|iquest|ordf|ordm"
    r"|[a-z](?:acute|grave|circ|uml|tilde|cedil|slash|ring|caron)|[ao]elig|szlig|eth|thorn|sbquo|bdquo|prime|#\d{1,6}"
    r"|#x[0-9a-f]{1,5});",
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


def mend_quoted(text: str) -> str:
    """The text without the mails it quotes behind itself."""
    return text[: quote_begins(text)].rstrip()


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

    def made() -> Iterator[Made]:
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
            yield example.conversation, example.source, example.group, example.tags

    examples = renewed(dataset.examples, made())
    if not findings:
        return dataset
    return replace(dataset, examples=examples, repairs=repairs, findings=(*dataset.findings, *findings))


def _mended(turn: Turn, name: str) -> Turn:
    if not (turn.is_trained or (name in PROMPTS_TOO and turn.role is Role.USER)):
        return turn
    text = MENDS[name](turn.text)
    return replace(turn, text=text) if text.strip() and text != turn.text else turn
