"""Questions and answers in which something is missing: no content, no input, too little, or far too much."""

from __future__ import annotations

import re
import statistics
import unicodedata
from collections import defaultdict

from tutelage.data.exchange import Exchange, exchanges, flag, quote, unit, word_set, words
from tutelage.records import Dataset, Example, Finding, Role

NO_ANSWER = frozenset({"nan", "null", "undefined", "<nooutput>", "[deleted]", "[removed]"})
STAND_INS = word_set(
    "n/a;na;none;nil;no answer;no output;no response;no comment;see above;as above;same as above;test;testing;asdf"
    ";qwerty"
    ";foo;foo bar;xxx;xx;tbd;todo;idk;dunno;i don't know;i dont know;don't know;not sure;unknown;?;??;???;ok;k;empty"
    ";answer;response;output;text;your answer here;insert answer"
    " here;placeholder;error;#n/a;#ref!;#value!;[object object]"
    ";keine antwort;keine angabe;k.a;wei\u00df nicht;siehe oben;sans r\u00e9ponse;ninguna;no s\u00e9",
    ";",
)
OPEN = re.compile(
    r"^(?:please |can you |could you |kindly )*(?:write|explain|describe|summari[sz]e|discuss|compose|draft|elaborate"
    r"|outline"
    r"|compare|tell me about|give me a (?:summary|description|detailed)|how (?:do|does|can|should|would|to)\b|why\b)",
    re.IGNORECASE,
)
BRIEF = re.compile(
    r"\b(?:one|single|a|two|few|1|2) (?:\w+[ -])?(?:word|letter|character|number|digit|emoji|line of code|regex|formula"
    r"|equation|name|title|headline|label|symbol|sign|char)s?\b|\bbriefly\b|\bshort(?:est)?\b|\bhow (?:many|much|old"
    r"|long|far"
    r"|tall|big|often)\b|\bwhich\b|\bwhether\b|\byes or no\b|\btrue or false\b",
    re.IGNORECASE,
)
_LETTER = re.compile(
    r"\b(?:letters?|grade|option|choose|choice|pick|select|variable|blood|symbol|chromosome|vitamin|\w\))",
    re.IGNORECASE,
)
FEW = 3
"""Words (or 5 characters of Chinese and its like) that are no explanation."""
LABELS = 0.3
"""Where more than this share of the answers are that short, short answers are labels."""
MANY, TIMES = 1500, 12
"""An answer is absurdly long with so many words, where that is so many times the longest of nearly all others."""
UNBROKEN = 400
"""Characters without a blank, and no address or code: what a person cannot have written."""
_UNBROKEN = re.compile(rf"\S{{{UNBROKEN},}}")
_NOUN = (
    r"(?:text|passage|paragraph|article|sentences?|story|document|essay|poem|e-?mail|message|review|comment|tweet|post"
    r"|code"
    r"|function|snippet|table|list|data|numbers|words|conversation|dialogue|transcript|statement|input|excerpt|context"
    r"|abstract|lyrics|recipe|report|speech|letter|quote|equation|query|reviews|items|description)"
)
_POINTS = re.compile(
    rf"\b(?:(?:following|below|above|given|provided|attached|reference)\s+(?:\w+\s+)?{_NOUN}|{_NOUN}\s+(?:below|above"
    rf"|provided"
    r"|given|attached)|(?:from|in|to|on|read|using)\s+the\s+(?:passage|paragraph|text|context(?! of)|excerpt"
    r"|transcript)"
    r"|(?:folgende[nrs]?|diese[nrs]?)\s+(?:text|absatz|satz|artikel|abschnitt|nachricht|e-?mail)\w*"
    r"|(?:texte|paragraphe|article|phrase)\s+suivante?|(?:siguiente)\s+(?:texto|p\u00e1rrafo|art\u00edculo|frase))\b",
    re.IGNORECASE,
)
_THIS = re.compile(rf"\bth(?:is|ese)\s+{_NOUN}\b", re.IGNORECASE)
_ASKS = re.compile(
    r"^\W*(?:who|when|where|how|why|is|are|does|do|did|was|were|use|list|describe|tell)\b", re.IGNORECASE
)
_WORKS_ON = re.compile(
    r"^\W*(?:please |can you |could you |kindly |bitte )*(?:summari[sz]e|translate|classify|re-?write|rephrase"
    r"|paraphrase"
    r"|proofread|correct|edit|shorten|simplify|extract|identify|find|fix|convert|categori[sz]e|analy[sz]e|review|read"
    r"|based on"
    r"|given|using|according to|from|in|what|which|determine|label|tag|answer|complete|continue|sort|improve|check"
    r"|debug"
    r"|explain|count|evaluate|interpret|reword|underline|fasse|\u00fcbersetze|korrigiere|r\u00e9sume[zr]?|traduis\w*"
    r"|corrige\w*"
    r"|resum[ea]|traduce)\b",
    re.IGNORECASE,
)
_ASKS_BACK = re.compile(
    r"\b(?:please (?:provide|share|paste|send|supply|give me)|(?:you (?:did not|didn['\u2019]t|have not"
    r"|haven['\u2019]t)"
    r"|there (?:is|was) no|no) (?:provide|provided|share|shared|include|included|paste|pasted|attach|attached|given|"
    r"text|passage|article|input|context)|(?:don['\u2019]t|do not|cannot|can['\u2019]t) see (?:any|the|a) "
    r"(?:text|passage|article|attachment|input))\b",
    re.IGNORECASE,
)
INPUT_WORDS = 30
"""A question with more words than that holds what it speaks of."""


def _is_empty(text: str) -> bool:
    """Only white space, control characters, dots and dashes; or a known stand-in for nothing."""
    stripped = text.strip().lower()
    if stripped in NO_ANSWER:
        return True
    return all(unicodedata.category(c)[0] in "ZC" or c in ".-_\u2013\u2014\u2026" for c in stripped)


def blank(example: Example) -> Finding | None:
    """A trained answer without content would teach to stop at once; a blank prompt asks nothing."""
    for number, turn in enumerate(example.conversation.turns, 1):
        if turn.is_trained and _is_empty(turn.text):
            shown = f" ({turn.text.strip()})" if turn.text.strip() else ""
            return Finding(example.source, "blank", "drop", f"the answer in turn {number} is blank{shown}")
        if turn.role is Role.USER and not turn.text.strip():
            return Finding(example.source, "blank", "drop", f"the prompt in turn {number} is blank")
    return None


def trivial(example: Example) -> Finding | None:
    """The answer is a stand-in for one (n/a, test, see above) that the question did not offer."""
    for exchange in exchanges(example):
        answer = " ".join(exchange.answer.casefold().split()).rstrip(".! ") or exchange.answer.strip()
        if answer in STAND_INS and not _offers(exchange.question, answer) and exchange.only:
            return flag(example, "trivial", f"the answer is only {quote(exchange.answer)}")
    return None


def _offers(question: str, answer: str) -> bool:
    named = words(answer)
    return bool(named) and f" {' '.join(named)} " in f" {' '.join(words(question))} "


def short(dataset: Dataset) -> dict[str, Finding]:
    """A word or a character where an explanation or a text was asked for, by the ids of examples.

    Silent where many answers of the data set, or of the example's group, are that short: there they are labels.
    """
    sizes: dict[str, list[bool]] = defaultdict(list)
    for example in dataset.examples:
        is_short = _is_short(example.conversation.answer)
        for name in {"", example.group}:
            sizes[name].append(is_short)
    usual = {name for name, each in sizes.items() if sum(each) > LABELS * len(each) and (not name or len(each) >= 10)}
    found: dict[str, Finding] = {}
    for example in dataset.examples:
        exchange = None if {"", example.group} & usual else _too_short(example)
        if exchange:
            reason = f"the answer{exchange.place} to an open question is only {quote(exchange.answer)}"
            found[example.id] = flag(example, "short", reason)
    return found


def _is_short(answer: str) -> bool:
    return len(answer.strip()) < 25 and unit(answer) < FEW


def _too_short(example: Example) -> Exchange | None:
    for exchange in exchanges(example):
        asked, answer = exchange.question.strip(), exchange.answer.strip()
        if not _is_short(answer) or BRIEF.search(asked):
            continue
        one_letter = len(answer) == 1 and answer.isalpha() and answer.isascii() and not _LETTER.search(asked)
        if not one_letter and _offers(asked, answer.casefold()):
            continue
        if OPEN.match(asked) or one_letter:
            return exchange
    return None


def missing_input(example: Example) -> Finding | None:
    """The question speaks of a text that is not there."""
    turns = example.conversation.turns
    first = next((number for number, turn in enumerate(turns) if turn.role is Role.USER), 0)
    if turns[0].role is Role.SYSTEM and len(words(turns[0].text)) > INPUT_WORDS:
        return None
    if len(turns) <= first + 1 or not _speaks_of_more(turns[first].text):
        asked = Exchange(0, turns[first].text, turns[first + 1].text if len(turns) > first + 1 else "")
        if not (
            _WORKS_ON.match(asked.question) and _ASKS_BACK.search(asked.answer[:200]) and len(words(asked.answer)) < 60
        ):
            return None
        if len(words(asked.question)) > INPUT_WORDS:
            return None
    return flag(example, "missing_input", f"the question needs a text that is not there: {quote(turns[first].text)}")


def _speaks_of_more(question: str) -> bool:
    text = question.strip()
    parts = [line for line in text.split("\n") if line.strip()]
    works = _WORKS_ON.match(text)
    if len(words(text)) > INPUT_WORDS or len(parts) > 1 or not (works or _ASKS.match(text)):
        return False
    point = _POINTS.search(text) or (_THIS.search(text) if works else None)
    if text[-1:] in ":\uff1a":
        return bool(point or (works and len(words(text)) <= 4))
    if not point or any(mark in text for mark in "\"\u201c\u00ab'\u2018`[{<="):
        return False
    rest = text[point.end() :]
    return not re.search(r"[:?.!]\s*\S", rest) and rest.count(",") < 2


def long(dataset: Dataset) -> dict[str, Finding]:
    """Answers absurdly longer than nearly all others of the data set, or with endless words, by example id."""
    sizes = {
        example.id: max((len(each.answer.split()) for each in exchanges(example)), default=0)
        for example in dataset.examples
    }
    ordered = sorted(sizes.values())
    if not ordered:
        return {}
    usual = ordered[int(0.99 * (len(ordered) - 1))]
    usual = min(usual, 4 * max(1, int(statistics.median(ordered)))) if len(ordered) < 200 else usual
    found: dict[str, Finding] = {}
    for example in dataset.examples:
        if len(dataset) >= 20 and sizes[example.id] > max(MANY, TIMES * usual):
            reason = f"the answer has {sizes[example.id]:,} words; 99 % of the others have up to {usual:,}"
            found[example.id] = flag(example, "long", reason)
        elif hit := next((hit for each in exchanges(example) if (hit := _unbroken(each.answer))), ""):
            found[example.id] = flag(example, "long", f"{len(hit):,} characters without a blank: {quote(hit[:50])}")
    return found


def _unbroken(answer: str) -> str:
    for hit in _UNBROKEN.finditer(answer):
        if hit[0].isascii() and "://" not in hit[0] and "```" not in answer:
            return hit[0]
    return ""
