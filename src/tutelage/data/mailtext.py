"""What a person wrote in a message: quoted replies, signatures and greetings, and where they begin.

Every pattern looks at one line of bounded length, so the time is linear in the body.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tutelage.data.htmltext import QUOTED, SIGNED, is_html, to_text

LINE = 300
"""Longer lines are text: no header, sign-off or greeting."""
SIGNATURE_LINES = 12
"""A signature has at most so many lines."""
SIGNATURE_WIDTH = 100
GREETED = "greeting cut"
_SPACES = {ord(c): " " for c in "\u00a0\u2007\u202f\t"} | {ord(c): None for c in "\u200b\u200c\u2060\ufeff\u00ad\0"}
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c]")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What is left of a body, "" where nothing is, and the names of what was cut."""

    text: str
    cuts: tuple[str, ...] = ()


def clean(body: str, markup: bool = False) -> Cleaned:
    """The text that a person wrote in a message.

    HTML becomes text; then quoted replies, the signature and a greeting at the start are cut. A message of
    nothing but a greeting or a sign-off keeps it; a quote is cut in every case.

    Args:
        body: the text of a mail or chat, or HTML.
        markup: characters stand as in HTML (&amp;), also where no usual tag shows that it is HTML.
    """
    cuts: dict[str, None] = {}
    if is_html(body):
        seen = to_text(body)
        body, cuts = seen.text, dict.fromkeys(seen.cuts)
    elif markup:
        body = html.unescape(body)
    text = tidy(body)
    steps: Sequence[tuple[str, Callable[[Sequence[str]], list[str]]]] = (
        (QUOTED, without_quotes),
        (SIGNED, without_signature),
        (GREETED, without_greeting),
    )
    lines = text.split("\n")
    for name, step in steps:
        left = step(lines)
        if left != lines and (any(map(str.strip, left)) or name == QUOTED):
            lines = tidy("\n".join(left)).split("\n")
            cuts[name] = None
    return Cleaned("\n".join(lines), tuple(cuts))


def tidy(text: str) -> str:
    r"""Lines that end with `\n`, without white space at their ends, and at most one blank line between them."""
    kept: list[str] = []
    for line in _LINE_ENDS.sub("\n", text).translate(_SPACES).split("\n"):
        line = line.rstrip()
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).strip()


QUOTED_LINE = re.compile(r" *>")
_WROTE = re.compile(
    r"\W*(?:(?:on|am|le|el|il|op|em|at|den|dne|w dniu) .{4,250}(?:wrote|writes|schrieb|a écrit|escribió|ha scritto"
    r"|schreef|escreveu|skrev|napsal|napisał)"
    r"\b.{0,120}|.{3,200}(?:wrote|schrieb)(?: am .{6,80}| on .{6,80})?|(?:quoting|citando|zitat von) .{3,200}"
    r"|\d{4}-\d{2}-\d{2} \d{1,2}:\d{2}.{0,40} .{1,80}<[^<>]{3,80}@[^<>]{3,80}>) ?[:：](?: ?-{2,10})?",
    re.I,
)
_WROTE_OPENS = re.compile(r"\W*(?:on|am|le|el) .{8,250}", re.I)
_TOLD = re.compile(
    r"\b(?:i|we|you|he|she|they|ich|wir|man) (?:wrote|schrieb)|\bwrote (?:me|us|to|that|in)\b|"
    r"\bschrieb(?:en)? (?:ich|wir|er|sie|man|mir|uns)\b",
    re.I,
)
_TITLES = (
    r"(?:original message|original appointment|forwarded message|ursprüngliche nachricht|originalnachricht|"
    r"original-nachricht|weitergeleitete nachricht|message d'origine|message original|message transféré|mensaje"
    r" original|mensaje reenviado|messaggio originale"
    r"|oorspronkelijk bericht|mensagem original|quoted text|previous message|forwarded by .{2,60}|reply above this"
    r" line)"
)
DIVIDER = re.compile(
    rf" *(?:[-_*=]{{2,}} *{_TITLES}.{{0,60}}|##-.{{5,150}}-##|begin forwarded message:|"
    r"anfang der weitergeleiteten (?:nachricht|e-?mail):)",
    re.I,
)
ABOVE = re.compile(r".{0,60}\b(?:above this line|oberhalb dieser (?:zeile|linie))\b.{0,60}", re.I)
RULE = re.compile(r" *[_-]{20,} *")
_FROM = re.compile(r" *\*?(?:from|von|de|da|van|från|fra|od) ?:\*? .{1,250}", re.I)
_MORE = re.compile(
    r" *\*?(?:sent|date|to|subject|cc|reply-to|gesendet|datum|an|betreff|envoyé|objet|à|enviado|fecha"
    r"|para|asunto|inviato|data|a|oggetto|verzonden|aan|onderwerp|assunto) ?:\*? ?.{0,250}",
    re.I,
)
_MAILED = re.compile(
    r" *\*?(?:sent|subject|gesendet|betreff|envoyé|objet|enviado|asunto|inviato|oggetto|verzonden"
    r"|onderwerp|assunto) ?:",
    re.I,
)  # From, To, Date: a journey, too


def without_quotes(lines: Sequence[str]) -> list[str]:
    """The lines without `>` lines and without the message that is answered, which most programs put below.

    Under "On … wrote:" with `>` lines only those go: below them may stand the answer.
    """
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if QUOTED_LINE.match(line):
            at += 1
            continue
        if len(line) <= LINE:
            if DIVIDER.fullmatch(line) or ABOVE.fullmatch(line) or is_header(lines, at):
                return kept
            if RULE.fullmatch(line) and is_header(lines, next_line(lines, at + 1)):
                return kept
            size = wrote(lines, at)
            if size and not _quotes_follow(lines, at + size):
                return kept
            if size:
                at += size
                continue
        kept.append(line)
        at += 1
    return kept


def next_line(lines: Sequence[str], at: int) -> int:
    """The next of a few lines that is not blank, or the number of lines."""
    return next((n for n in range(at, min(at + 3, len(lines))) if lines[n].strip()), len(lines))


def is_header(lines: Sequence[str], at: int) -> bool:
    if at >= len(lines) or len(lines[at]) > LINE or not _FROM.fullmatch(lines[at]):
        return False
    below = [line for line in lines[at + 1 : at + 9] if line.strip() and len(line) <= LINE][:5]
    fields = [line for line in below if _MORE.fullmatch(line)]
    return len(fields) >= 2 and any(map(_MAILED.match, fields))


def wrote(lines: Sequence[str], at: int) -> int:
    """How many lines the heading of a quote takes; 0 where none starts here."""
    line = lines[at]
    if line.endswith((":", "：")):
        dated = any(map(str.isdigit, line)) or "@" in line or _quotes_follow(lines, at + 1)
        return 1 if dated and _WROTE.fullmatch(line) and not _TOLD.search(line) else 0
    if not _WROTE_OPENS.fullmatch(line) or not any(map(str.isdigit, line)):
        return 0
    for size in (2, 3):  # mail programs break the heading where it is long, before or inside the address
        whole = " ".join(lines[at : at + size])
        if len(whole) <= LINE and whole.endswith((":", "：")) and _WROTE.fullmatch(whole):
            from_somebody = "@" in whole or _quotes_follow(lines, at + size)
            return size if from_somebody and not _TOLD.search(whole) else 0
    return 0


def _quotes_follow(lines: Sequence[str], at: int) -> bool:
    following = next_line(lines, at)
    return following < len(lines) and bool(QUOTED_LINE.match(lines[following]))


_DASHES = re.compile(r" *(?:--|—) *")
_DEVICE = re.compile(
    r" *(?:sent (?:from|via|with) .{2,50}|get outlook for .{2,20}|von meinem .{2,40} gesendet|"
    r"gesendet (?:von|mit|über) .{2,50}|envoyé (?:de|depuis) mon .{2,40}|enviado desde (?:mi |el )?.{2,40}|inviato"
    r" (?:da|dal mio) .{2,40}"
    r"|verzonden vanaf .{2,40}|skickat från min .{2,40}|this (?:e-?mail|message) was sent (?:from|via|by) .{2,60}|on"
    r" the go.{0,40}|typed on my .{2,40}|"
    r"diese nachricht wurde von .{2,60} gesendet\.?|outlook für .{2,20} beziehen)",
    re.I,
)
_NAMED = r" *(?:[,.!;]{0,2} *|, (?-i:[A-ZÄÖÜ]).{1,40})"
SIGN_OFF = re.compile(
    r" *(?:(?:many thanks|thanks|thank you|danke|(?:vielen|besten|herzlichen) dank)(?: im voraus| in advance)?,? "
    r"(?:and|und|&) )?(?:(?:(?:kind|best|warm|warmest|kindest|with kind|with best|many) )?regards|best(?=,)|"
    r"all the best|best wishes|cheers|(?:yours )?(?:sincerely|faithfully|truly)(?: yours)?|take care|"
    r"have a (?:nice|great|good|lovely|wonderful) (?:day|evening|week|weekend)(?: ahead)?|hochachtungsvoll|"
    r"(?:mit )?(?:freundliche|beste|viele|liebe|herzliche|schöne|sonnige)[nm]?(?: (?:und|&) \w{4,12})? "
    rf"gr(?:ü|ue)(?:ß|ss)en?(?: (?:aus|vom|von) .{{2,30}})?|(?:yours |very )?(?:respectfully|cordially)(?: yours)?"
    rf"|yours|with (?:gratitude|thanks|appreciation)"
    r"|warmly|(?:bien )?cordialement|bien à vous|sincères salutations|meilleures salutations|amicalement|saludos(?:"
    r" cordiales)?|(?:un )?cordial saludo|un saludo"
    r"|atentamente|cordiali saluti|distinti saluti|cordialmente|met vriendelijke groet(?:en)?|hartelijke groet(?:en)?"
    r"|atenciosamente|com os melhores cumprimentos|abraços"
    rf"|med vänlig hälsning|vänliga hälsningar|med venlig hilsen|z poważaniem|pozdrawiam|s pozdravem|saygılarımla|с"
    rf" уважением){_NAMED}",
    re.I,
)
BRIEF = re.compile(
    r" *(?:thanks|thank you|thx|many thanks|thanks (?:a lot|in advance|again)|danke|danke (?:schön|vorab|im voraus)|"
    rf"(?:vielen|besten|lieben) dank(?: (?:im voraus|vorab))?|best(?=,)|rgds|kr|merci|gr(?:u|ü)(?:ß|ss)e?|mfg|lg|vg|bg"
    rf"|br){_NAMED}",
    re.I,
)
_AFTERWORD = re.compile(r" *p\.? ?s\.? ?:? ", re.I)
_NOTICE = re.compile(
    r" *(?:(?:confidentiality|disclaimer|vertraulichkeit\w{0,10})\b.{0,20}:"
    r"|(?:this|the (?:information|content).{0,40}) (?:e-?mail|message|communication)\b.{0,80}"
    r"\b(?:confidential|privileged|intended (?:only|solely|for the))"
    r"|diese (?:e-?mail|nachricht) (?:(?!nicht).){0,60}\b(?:vertraulich|ausschließlich)"
    r"|please consider the environment before|bitte denken sie an die umwelt)",
    re.I,
)


def without_signature(lines: Sequence[str]) -> list[str]:
    """The lines without what stands under `--`, a sign-off, a device's line or a notice of confidentiality.

    What follows a sign-off has to look like a signature: few and short lines, no sentence, no question. A
    postscript stays.
    """
    kept = _above_notice(list(lines))
    lowest = max(0, len(kept) - 3 * SIGNATURE_LINES)
    for at in range(lowest, len(kept)):
        if _DASHES.fullmatch(kept[at]) and _is_below_dashes(kept[:at], kept[at + 1 :]):
            kept = kept[:at]
            break
    while kept and (not kept[-1].strip() or (len(kept[-1]) <= LINE and _DEVICE.fullmatch(kept[-1]))):
        kept.pop()
    for at in range(max(0, len(kept) - 3 * SIGNATURE_LINES), len(kept)):
        line, below = kept[at], kept[at + 1 :]
        end = next((n for n, text in enumerate(below) if _AFTERWORD.match(text)), len(below))
        if len(line) > LINE or not all(map(_is_signature, below[:end])):
            continue
        signed = SIGN_OFF.fullmatch(line) and _few(below[:end], SIGNATURE_LINES)
        if signed or (at and BRIEF.fullmatch(line) and _few(below[:end], 3)):
            return [*kept[:at], *below[end:]]
    return kept


def _is_below_dashes(above: Sequence[str], below: Sequence[str]) -> bool:
    """What stands under `--` is a signature unless it holds sentences and is the greater part of the message."""
    lesser = sum(map(len, below)) < sum(map(len, above))
    return _few(below, SIGNATURE_LINES) and (lesser or all(map(_is_signature, below)))


def _above_notice(lines: list[str]) -> list[str]:
    for at in range(max(1, len(lines) - 2 * SIGNATURE_LINES), len(lines)):
        if _NOTICE.match(lines[at][:LINE]):
            return lines[:at]
    return lines


def _few(lines: Sequence[str], most: int) -> bool:
    return sum(bool(line.strip()) for line in lines) <= most


def _is_signature(line: str) -> bool:
    """Short, and neither a question nor a whole sentence, which may be part of the answer."""
    line = line.strip()
    sentence = line.endswith((".", "!", ":")) and len(line.split()) >= 6
    return len(line) <= SIGNATURE_WIDTH and not line.endswith("?") and not sentence


_GREETS = (
    r"(?:hi|hello|hey|dear|greetings|good (?:morning|afternoon|evening|day)|hallo|hallöchen|moin(?: moin)?|"
    r"guten (?:tag|morgen|abend)|sehr geehrte[rs]?|lieber?s?(?! gr)|werte[rs]?|servus|grüezi|grüß gott)"
)
_WHOM = (
    r"(?: (?:lieber?s?|geehrte[rs]?|there|all|everyone|everybody|folks|team|again|sir|madam|or|and|und|zusammen|"
    r"together|alle|mrs?|ms|miss|dr|prof|herr|frau|damen|herren|kunde|kundin|valued|customers?|support|\w{2,20}-team|"
    r"(?-i:[A-ZÄÖÜ])[\w.'’\-]{1,25})\b\.?)"
)
_GREETING_LINE = re.compile(rf" *{_GREETS}(?:,?{_WHOM}){{0,6}} ?[,!.:;]{{0,2}}", re.I)
_GREETING_START = re.compile(rf" *{_GREETS}{_WHOM}{{0,4}} ?[,!] +(?=\S)", re.I)
_US = r"(?: (?:to|with|us|in|back|the|our|customer|support|service|team|an|bei|uns|(?-i:[A-ZÄÖÜ])[\w\-]{1,25})\b){0,5}"
_CANNED = re.compile(
    r" *(?:(?:(?:thank you|thanks|many thanks)(?: so much| very much| a lot)? for (?:contacting|reaching out|writing|"
    r"getting in touch|your (?:e-?mail|message|inquiry|enquiry|request|note|reply))"
    r"|(?:vielen|besten|herzlichen) dank für (?:ihre|deine|eure|die) (?:e-?mail|nachricht|anfrage|mail|rückmeldung|"
    rf"antwort|kontaktaufnahme)){_US}"
    r"|(?:vielen dank|danke),? dass (?:sie sich|du dich) (?:an|bei) .{2,40}(?:gewandt|gewendet|gemeldet) (?:haben|hast)"
    r"|i hope (?:you are|you're|this (?:e-?mail|message) finds you) (?:doing )?well"
    r"|ich hoffe,? es geht (?:ihnen|dir) gut) ?[.!]{1,3}(?: +|$)",
    re.I,
)


def without_greeting(lines: Sequence[str]) -> list[str]:
    """The lines without a greeting at the start and the set phrase after it ("Thank you for contacting us.")."""
    kept = _from_text(lines)
    if kept and len(kept[0]) <= LINE and _GREETING_LINE.fullmatch(kept[0]):
        kept = _from_text(kept[1:])
        kept = [_begun(kept[0]), *kept[1:]] if kept else kept
    for pattern in (_GREETING_START, _CANNED, _CANNED):
        if kept and (found := pattern.match(kept[0][:LINE])):
            rest = kept[0][found.end() :]
            kept = [_begun(rest), *kept[1:]] if rest else _from_text(kept[1:])
    return kept


def _from_text(lines: Sequence[str]) -> list[str]:
    start = next((at for at, line in enumerate(lines) if line.strip()), len(lines))
    return list(lines[start:])


def _begun(line: str) -> str:
    """A sentence that went on after the greeting's comma, begun with a capital; iPhone and addresses stay."""
    word = line.split(" ", 1)[0]
    return line[:1].upper() + line[1:] if word.rstrip(",.!?:").isalpha() and word.islower() else line
