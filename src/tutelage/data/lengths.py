"""Answers of a length that cannot be meant: a word where an explanation was asked for, or far too much."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Sequence

from tutelage.data.exchange import Exchange, exchanges, flag, quote, unit, word_set, words
from tutelage.data.usual import Usual
from tutelage.records import Example, Finding

_POLITE = (
    r"^\W*(?:(?:please|kindly|can you|could you|would you|will you|i want you to|i need you to|help me|hi|hey|ok"
    r"|now)[, ]+){0,3}"
)
OPEN = re.compile(
    _POLITE + r"(?:write|explain|describe|summari[sz]e|discuss|compose|draft|elaborate|outline|compare|contrast"
        r"|brainstorm|tell me"
    r"|teach|walk me|think of|come up with|provide|suggest|recommend|imagine|create|generate|design|analy[sz]e|define"
    r"|list"
    r"|(?:give|get|make|name|show) (?:me |us )?(?:an? (?:summary|description|detailed|list|brief|few|couple|overview"
    r"|plan|recipe|table|bullet\w*)"
    r"|some|several|ideas|examples|the (?:pros|names|steps|top|most)|\d+|two|three|four|five|six|seven|eight|ten)"
    r"|how (?:do|does|can|should|would|to|is|are|was|were|did|has|have|might)\b"
    r"|why\b|what(?:'s| is| are| were) (?:some|the (?:differences?|steps|benefits?|advantages?|disadvantages?|pros|main"
    r"|best ways?|top|key|most common|causes?"
    r"|reasons?|effects?|history|purpose|process|rules|ingredients|components|symptoms|types|features|characteristics"
    r"|impact|implications"
    r"|importance|significance|meaning|story|plot|ways?|major|similarities)|your)\b"
    r"|who (?:is|was|were|are) (?-i:[A-Z])|what (?:makes?|causes?|is a good way|do (?!you|i\b)\w+ (?:do|eat|believe"
    r"|study|mean|use|need)|things?|steps|factors|are (?:ways|good|the different)|should i (?:do|know|consider|pack"
    r"|bring|look)|can (?:i|you|we) do|do (?:i|you) (?:need|think)|happen\w*)\b"
    r"|what (?:is|are) (?:an? )?\w+(?: \w+)?\W*$|(?:from|using|based on|given) .{0,400}\b(?:list|summari[sz]e|explain"
    r"|describe|extract all)\b)",
    re.IGNORECASE | re.DOTALL,
)  # fmt: skip
_TELLING = re.compile(
    _POLITE + r"(?:(?:write|compose|draft) (?!down)|explain|describe|summari[sz]e|discuss|elaborate|outline|tell me"
        r" (?:\w+ )?about|brainstorm"
    r"|why\b|how (?:do|does|can|should|to|is|are|was|were|did|has|have)\b|(?:give|provide) (?:me )?an? (?:\w+"
    r" )?(?:summary|description|overview)"
    r"|list (?:down |me |out )?(?:some|\d+|five|ten|three|several|the (?:names|key|main|top)))",
    re.IGNORECASE,
)  # fmt: skip
"""Questions that one word does not answer, whatever else stands in them."""
_ONE = re.compile(
    r"\b(?:one|single|a|1) (?:\w+[ -])?(?:word|letter|character|number|digit|emoji|regex|formula|equation|name|title"
    r"|headline"
    r"|label|symbol|sign|char|answer|code|line of code|command)s?\b|\bhow (?:many|much|old|long|far|tall|big|often)\b"
    r"|\bwhich\b"
    r"|\bclassif\w+|\bcategori[sz]e|\blabel\b|\btranslat\w+|\bonly (?:answer|respond|reply|output)|\bwhether\b",
    re.IGNORECASE,
)
BRIEF = re.compile(
    r"\b(?:one|single|a|two|few|1|2) (?:\w+[ -])?(?:word|letter|character|number|digit|emoji|line of code|regex|formula"
    r"|equation|name|title|headline|label|symbol|sign|char|answer)s?\b|\bbriefly\b|\bshort(?:est)?\b"
    r"|\bhow (?:many|much|old|long|far|tall|big|often|high|fast|deep|heavy|large|wide)\b|\bwhich\b|\bwhether\b|\byes or"
    r" no\b"
    r"|\btrue or false\b|\bcalled\b|\bfill in\b|\bclassif\w+|\bcategori[sz]e|\blabel\b|\bsentiment\b|\bname of\b"
    r"|\btranslat\w+"
    r"|\brhymes? with\b|\bsynonym|\bantonym|\bacronym|\bcapital\b|\banswer with\b|\bonly (?:answer|respond|reply"
    r"|output)",
    re.IGNORECASE,
)
_LETTER = re.compile(
    r"\b(?:letters?|grade|option|choose|choice|pick|select|variable|blood|symbol|chromosome|vitamin|roman|musical"
    r"|initial|alphabet|vowel|consonant|programming language|\w\)|[A-E][.:]|[A-E]\b.{1,60}\b[B-E]\b)",
    re.IGNORECASE,
)
_GRAMMAR = re.compile(
    r"\b(?:words?|articles?|prepositions?|pronouns?|conjunctions?|verbs?|grammar|fill|blank|missing|complete|sentences?"
    r"|tokens?|letters?|translat\w*|part of speech|tag|spell\w*|syllables?|synonyms?|opposite|antonym|next|band|film"
    r"|movie"
    r"|novel|book|song)\b|_{2,}",
    re.IGNORECASE,
)
_BEGINS_ONLY = word_set(
    "the a an in on at of to for from by with as and or but if because since while although when it its it's he she"
    " they we"
    " you your my our their his her this that these those there here is are was were be been has have had do does did"
    " can"
    " could will would should may might must some many most there's they're i'm i i've let let's such so then thus"
    " hence"
    " however therefore first firstly one's into about over under between through during before after according also"
    " both"
    " each every der die das ein eine und oder aber es er sie wir ich ist sind war hat haben im in am le la les un une"
    " des"
    " et ou mais il elle ils nous vous je est sont el los las una y pero"
)
"""Words that only begin or join something: alone they answer nothing."""
_IF = re.compile(r"\b(?:if|whether)\b", re.IGNORECASE)
_SIDES = (("yes",), ("no",), ("true",), ("false",))
ASKING = 200
"""A longer last paragraph is a text to work on, not what is asked about it."""
OFFERING = 25
"""A question with more words may hold the word that is its answer."""
FEW = 3
"""Words (or 5 characters of Chinese and its like) that are no explanation."""
LABELS = 0.3
"""Where more than this share of the answers are that short, short answers are labels."""
MANY, TIMES = 1500, 12
"""An answer is absurdly long with so many words, where that is so many times the longest of nearly all others."""
SOME = 20
"""So many examples tell what is usual."""
GROUP = 10
"""So many examples of a group tell what is usual in it."""
UNBROKEN = 400
"""Characters without a blank, and no address or code: what a person cannot have written."""
Brief = dict[str, tuple[int, int]]
"""By group: how many answers are brief, and how many there are."""


def brief_ones(examples: Sequence[Example]) -> Brief:
    """How many of the answers are brief, of all and of those of each group."""
    seen: Brief = {}
    for example in examples:
        brief = is_brief(example.conversation.answer)
        for name in {"", example.group} - {example.id}:  # a group of its own says nothing
            few, all_of_it = seen.get(name, (0, 0))
            seen[name] = few + brief, all_of_it + 1
    return seen


def labelled(seen: Sequence[Brief]) -> frozenset[str]:
    """The groups in which many answers are brief, because they are labels; \"\" is the whole data set."""
    sums: Brief = {}
    for part in seen:
        for name, (brief, count) in part.items():
            few, all_of_it = sums.get(name, (0, 0))
            sums[name] = few + brief, all_of_it + count
    return frozenset(
        name for name, (brief, count) in sums.items() if brief > LABELS * count and (not name or count >= GROUP)
    )


def _short(example: Example, labels: frozenset[str]) -> Finding | None:
    return None if "" in labels or example.group in labels else too_short(example)


short = Usual(brief_ones, labelled, _short)
"""A word or a character where an explanation or a text was asked for.

Silent where many answers of the data set, or of the example's group, are that short: there they are labels.
"""


def is_brief(answer: str) -> bool:
    """Whether an answer has a word or two: what labels have, and explanations have not."""
    return len(answer) < 60 and len(answer.strip()) < 25 and unit(answer) < FEW


def too_short(example: Example) -> Finding | None:
    """What `short` finds in one example, where short answers are not usual around it."""
    for exchange in exchanges(example):
        if is_brief(exchange.answer) and _is_too_short(exchange):
            reason = f"the answer{exchange.place} to an open question is only {quote(exchange.answer)}"
            return flag(example, "short", reason)
    return None


def _is_too_short(exchange: Exchange) -> bool:
    parts = [part for part in exchange.question.strip().split("\n\n") if part.strip()] or [""]
    asked = parts[0] if len(parts) == 1 or len(parts[-1]) > ASKING else f"{parts[0]}\n{parts[-1]}"
    answer = exchange.answer.strip()
    said = words(answer)
    begins = said and all(word in _BEGINS_ONLY for word in said)
    if begins and exchange.only and not _GRAMMAR.search(asked):
        return f" {' '.join(said)} or " not in f" {' '.join(words(asked))} "
    if _TELLING.match(asked) and not _ONE.search(asked):
        return True
    if BRIEF.search(asked):
        return False
    if len(answer) == 1 and answer.isalpha() and answer.isascii() and not _LETTER.search(asked):
        return True
    given = said and f" {' '.join(said)} " in f" {' '.join(words(asked))} "
    offered = given and (" or " in asked or ":" in asked or len(words(asked)) > OFFERING)
    return len(said) < 2 and bool(OPEN.match(asked)) and not offered and not (_IF.search(asked) and said[:1] in _SIDES)


def _sizes(examples: Sequence[Example]) -> Counter[int]:
    return Counter(_most_words(example) for example in examples)


def _most_words(example: Example) -> int:
    return max((len(exchange.answer.split()) for exchange in exchanges(example)), default=0)


def _known_sizes(seen: Sequence[Counter[int]]) -> int:
    counts = sum(seen, Counter[int]())
    return _usual(sorted(counts.elements())) if counts.total() >= SOME else 0


def _long(example: Example, usual: int) -> Finding | None:
    words = _most_words(example) if usual else 0
    if words > max(MANY, TIMES * usual):
        reason = f"the answer has {words:,} words; 99 % of the others have up to {usual:,}"
        return flag(example, "long", reason)
    for exchange in exchanges(example):
        if len(exchange.answer) >= UNBROKEN and (widest := _unbroken(exchange.answer, exchange.answer.split())):
            return flag(example, "long", f"{len(widest):,} characters without a blank: {quote(widest[:50])}")
    return None


long = Usual(_sizes, _known_sizes, _long)
"""Answers absurdly longer than nearly all others of the data set, or with endless words."""


def _usual(ordered: list[int]) -> int:
    """Words that 99 % of the answers do not exceed; in a small set, no more than four times what half of them have."""
    usual = ordered[int(0.99 * (len(ordered) - 1))]
    return min(usual, 4 * max(1, int(statistics.median(ordered)))) if len(ordered) < 200 else usual


def _unbroken(answer: str, pieces: list[str]) -> str:
    for piece in pieces:
        if len(piece) >= UNBROKEN and piece.isascii() and "://" not in piece and "```" not in answer:
            return piece
    return ""
