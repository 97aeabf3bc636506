"""Where a mail that a text quotes begins, or the signature that ends it: what `mailtext` cuts, found in other texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tutelage.data.exchange import word_set
from tutelage.data.mailtext import (
    ABOVE,
    BRIEF,
    DIVIDER,
    LINE,
    QUOTED_LINE,
    RULE,
    SIGN_OFF,
    is_header,
    next_line,
    without_signature,
    wrote,
)

_ENDINGS = word_set(
    "regards;wishes;sincerely;faithfully;truly;cheers;thank;best;yours;take care;have a ;warmly;respectfully;"
    "cordial;gratitude;appreciation;sent ;outlook;grüß;gruss;gruess;dank;mfg;lg;vg;gesendet;envoy;enviado;"
    "inviato;saludo;saluti;salutations;atenta;atencio;groet;merci;cumprimentos;hälsning;hilsen;pozdr;"
    "poważaniem;saygı;уважением;\n--;\n—;confidential;privileged;\n–;vertraulich;environment;umwelt;"
    "disclaimer;hochachtung;rgds;\nbr;\nkr;bien à;amical;abraços;intended",
    ";",
)
_QUOTINGS = word_set(
    "wrote;writes;schrieb;crit :;crit:;escribi;scritto;schreef;escreveu;skrev;napis;napsal;\n>;from:;from :;"
    "von:;\nde:;\nde :;\nda:;van:;från:;fra:;\nod:;above this line;oberhalb;---;___;***;===;quoting;citando;"
    "zitat von;begin forwarded;anfang der;>:",
    ";",
)
_FLAT = re.compile(
    r"(?:^|[\s>])(?:from|von|de) ?: [^\n]{2,80}? (?:sent|date|gesendet|datum|envoy\u00e9|enviado) ?: [^\n]{4,80}? (?:to"
    r"|an|\u00e0|para) ?: [^\n]{2,120}? (?:subject|betreff|objet|asunto) ?:"
    r"|-{3,10} ?(?:original|forwarded) message ?-{3,10}"
    r"|(?<=[.!?] )(?:on|am|le|el) [^\n]{0,20}\d{1,4}[^\n]{2,100}(?:wrote|schrieb|a \u00e9crit|escribi\u00f3) ?:",
    re.I,
)
_RUN_ON = re.compile(
    r"(?<=[.!?] )(?:(?:kind|best|warm|warmest|kindest|with (?:kind|best|warm)) regards|(?:yours )?sincerely|yours"
    r" (?:truly|faithfully)|best wishes"
    r"|mit freundlichen gr\u00fc\u00dfen|viele gr\u00fc\u00dfe|cordialement|un cordial saludo|saludos cordiales),?"
    r" (?-i:[A-Z])[^.!?\n]{1,80}\.?\s*\Z|\n\s?[\u2014\u2013] ?(?-i:[A-Z])[\w.]{1,20}(?:["
    r" ,]{1,2}[\w.&]{1,20}){0,5}\s*\Z",
    re.I,
)
LEAST = 3
"""Words that stand before a quoted mail or a signature, for it to be one that ends something."""
TAIL = 6000
"""Characters at the end of a text in which a signature is looked for."""


def quote_begins(text: str) -> int | None:
    """Where the mail begins that a text quotes behind itself; None where it quotes none.

    A line with > alone is a quotation; two or more that end the text are a mail.
    """
    lowered = text.lower()
    if not any(word in lowered for word in _QUOTINGS):
        return None
    lines = text.split("\n")
    ends = next(
        (n for n in range(len(lines), 0, -1) if lines[n - 1].strip() and not QUOTED_LINE.match(lines[n - 1])), 0
    )
    first = next((n for n in range(len(lines)) if _heads_quote(lines, n)), len(lines))
    quoted = sum(1 for line in lines[ends:] if line.strip()) >= LEAST - 1
    start = sum(len(line) + 1 for line in lines[: min(first, ends if quoted else len(lines))])
    if flat := _FLAT.search(text):
        start = min(start, flat.start())
    return _from(text, start)


def _heads_quote(lines: Sequence[str], at: int) -> bool:
    """Whether a heading of a quoted mail stands in this line, perhaps quoted itself."""
    line = lines[at].lstrip("> ")
    if not line or len(line) > LINE:
        return False
    if DIVIDER.fullmatch(line) or ABOVE.fullmatch(line) or is_header(lines, at):
        return True
    return bool((RULE.fullmatch(line) and is_header(lines, next_line(lines, at + 1))) or wrote(lines, at))


def _from(text: str, start: int) -> int | None:
    enough = start < len(text.rstrip()) and len(text[:start].split(None, LEAST)) >= LEAST
    return max(0, start - 1) if enough and text[start - 1] == "\n" else start if enough else None


def signature_begins(text: str) -> int | None:
    """Where a signature begins that ends a text; None where there is none.

    A sign-off alone is no signature: a name has to follow, in its line or below.
    """
    tail = text[-TAIL:]
    lowered = tail.lower()
    if not any(word in lowered for word in _ENDINGS):
        return None
    if hit := _RUN_ON.search(tail, max(0, len(tail) - LINE)):
        return _from(text, len(text) - len(tail) + hit.start())
    if "\n" not in tail:
        return None
    lines = tail.rstrip().split("\n")
    left = without_signature(lines)
    if left == lines or not any(map(str.strip, left)):
        return None
    first = next((n for n, (a, b) in enumerate(zip(lines, left, strict=False)) if a != b), len(left))
    cut = [line for line in lines[first : first + len(lines) - len(left)] if line.strip()]
    if not cut or (len(cut) == 1 and _is_bare(cut[0])):
        return None
    return _from(text, len(text) - len(tail) + sum(len(line) + 1 for line in lines[:first]))


def _is_bare(line: str) -> bool:
    """A sign-off without a name: the end of many a text that is no mail."""
    said = line.strip(" ,.!;")
    return bool(SIGN_OFF.fullmatch(said) or BRIEF.fullmatch(said)) and "," not in said
