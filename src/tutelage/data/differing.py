"""How two answers to one question speak against each other: yes and no, another number, another name."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from difflib import SequenceMatcher

from tutelage.data.exchange import quote, sentences, word_set, words

SHORT = 6
"""Words in an answer that is just a fact."""
FACT = 3
"""Words in an answer that is one even where it holds no name and no number."""
SAME = 15
"""Words from on which two answers to an open question are one, copied and changed, where they are nearly the same."""
BRIEF = 40
"""Words in an answer whose numbers are likely to be the answer's own."""
ROUGHLY = 0.3
"""Share of words in common from which on an amount in both is the same thing's."""
ALIKE = 0.6
"""Share of words in common from which on two answers are the same one but for details."""
NEARLY = 0.8
"""The same for answers to open questions, which have many."""
DETAIL = 5
"""Words that a detail has at most."""
ASKING = 400
"""A longer first paragraph is a text to work on, and the last one says what is asked."""
READ = 600
"""Words of an answer that are compared one by one."""
_OPEN = re.compile(
    r"^\W*(?:please |can you |could you )*(?:write|name (?:a|an|one|some|any|two|three|\d)|list|give|suggest|generate"
    r"|create|think of|come up|make"
    r"|describe|invent|compose|provide|recommend|brainstorm|share|imagine|say|pick|choose|ask|mention|what (?:are|is)"
    r" (?:some|a|an|your)\b"
    r"|what(?:'s| is) your|where should|what should|how (?:are|do) you|do you|who do you|hi\b|hello\b|hey\b|thank|what"
    r" would)",
    re.IGNORECASE,
)  # fmt: skip
_HOW_MANY = re.compile(
    r"\bhow (?:many|much|long|old|often|far|tall|big|high|fast|heavy|deep|wide|large)\b|\b(?:what|which) (?:year|date"
    r"|age|number|day|percentage|price)\b|\bwhen\b",
    re.IGNORECASE,
)  # fmt: skip
_MATTER_OF_TASTE = re.compile(
    r"\b(?:best|greatest|favou?rite|why|should|opinion|think|better|worst|most (?:beautiful|important|interesting)"
    r"|ways? to"
    r"|example|some|any|one of|reason|random|fun|idea|suggest\w*|recommend\w*|might)\b",
    re.IGNORECASE,
)
_POLAR = re.compile(
    r"^\W*(?:(?:please |so |ok |hi |and |but |tell me |do you know |i wonder )*(?:if|whether) |(?:is|are|was|were|do"
    r"|does|did|can|could|will|would|has|have|had|should|may|must|am)(?:n't)? )|\b(?:true or false|yes or no|is (?:it"
    r"|this|that) true|is that (?:right|correct))\b",
    re.IGNORECASE,
)  # fmt: skip
_FACTUAL = re.compile(
    r"\b(?:who|whom|whose|when|where|which|what(?:'s| is| are| was| were| year| country| city| does| did| do| kind|"
    r" type)?)\b|\bhow (?:many|much|long|old|often|far|tall|big|high|fast)\b",
    re.IGNORECASE,
)  # fmt: skip
"""What asks for one thing; what does not is open: many good answers differ in what they name."""
CAPITALS = 0.85
"""Where more of the words have a capital, it tells no name."""
_PLACE = re.compile(r"\{\{[^{}\n]{0,60}\}\}|\[[A-Z][^\[\]\n]{0,40}\](?!\()")
_PLAIN = re.compile(
    r"^\W*(?:is|are|was|were|does|do|did|has|have|can|could|will|would)(?:n't)? (?!you\b|i\b|we\b|there"
    r" any)",
    re.IGNORECASE,
)
_HEDGES = word_set(
    "depends depending both some sometimes partly partially mostly generally may might could whether if debated either"
)
READ_FIRST = 25
"""Words at an answer's beginning that take a side, where it takes one."""
_EITHER = re.compile(r"\b(?:or|either)\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,])[$\u20ac\u00a3]?\d[\d,]*(?:\.\d+)?(?:\s?%|\s(?=([^\W\d_]{2,})))?")
_NO = word_set(
    "no not never cannot can't don't doesn't isn't aren't won't didn't wasn't weren't hasn't haven't couldn't shouldn't"
    " wouldn't"
    " without neither nor nein nicht kein keine nunca jamais"
)
_YES = word_set(
    "yes yeah yep yup true correct right indeed absolutely definitely certainly sure affirmative ja oui"
    " s\u00ed si da hai"
)
_DENIES = word_set("no nope nah false incorrect wrong untrue negative nein non nunca nie nee nej ne")
_AUX = word_set("is are was were do does did can could will would has have had should may must am")
_IT = word_set("it they he she you we this that there these those i")
_SMALL = word_set(
    "a an the of to in is it and or for on at by are was were be this that with as from has have had its their his her"
    " they he"
    " she which who also not so but if then than into about there been will can"
)
_COUNTED = {
    name: str(number)
    for number, name in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ]
    )
}
_TOKEN = re.compile(r"[$\u20ac\u00a3]?\d[\d,]*(?:\.\d+)?%?|[^\W\d]+(?:['\u2019-]\w+)*")
_LOOSE = word_set("about around approximately roughly nearly almost over under circa ca some up")


def against(question: str, one: str, other: str) -> str:
    """How two answers to a question contradict each other, in words for a person; "" where they need not."""
    a, b = words(one), words(other)
    if not a or not b:
        return ""
    sides = _side(question, one, a), _side(question, other, b)
    if set(sides) == {"yes", "no"} or _is_denied(question, sides, (a, b)):
        return "one says yes, one no"
    shown = f"{quote(one)} against {quote(other)}"
    common = len(set(a) & set(b)) / len(set(a) | set(b))
    one, other = _PLACE.sub(" ", one), _PLACE.sub(" ", other)
    parts = question.strip().split("\n\n")
    asked = parts[0] if len(parts[0]) <= ASKING else parts[-1][:ASKING]
    is_open = bool(_OPEN.match(question) or _MATTER_OF_TASTE.search(asked)) or not (
        _FACTUAL.search(asked) or _POLAR.search(question)
    )
    brief = max(len(a), len(b)) <= SHORT
    if common >= (0.5 if brief else NEARLY if is_open else ALIKE) and (
        how := _in_detail(one, other, is_open, max(len(a), len(b)))
    ):
        return f"{how}: {shown}"
    if (common >= ROUGHLY or _HOW_MANY.search(question)) and (differing := _differing_amounts(one, other)):
        return f"other numbers: {differing}"
    if _HOW_MANY.search(question) and not is_open and _counted_otherwise(question, one, other, max(len(a), len(b))):
        return f"other numbers: {shown}"
    if is_open:
        return ""
    if _is_elsewhere(question, a, b):
        return f"only one of them is about what was asked: {shown}"
    return f"other facts: {shown}" if _is_other_fact(question, one, other) else ""


def _side(question: str, answer: str, said: tuple[str, ...]) -> str:
    """Whether an answer says yes or no: by its first word, or by how it takes up a question for one of them."""
    polar = bool(_POLAR.search(question)) and not _EITHER.search(question.split("\n")[0])
    first = said[0]
    if first in _DENIES:
        return "no"
    if first in _YES and (polar or len(said) <= SHORT or first in ("yes", "yeah", "yep", "ja", "oui", "s\u00ed")):
        return "no" if len(said) > 1 and said[1] in ("not", "nicht", "pas") else "yes"
    if not polar:
        return ""
    opening = words((sentences(answer) or ("",))[0])[: 3 * SHORT + DETAIL]
    denied = any(word in _NO for word in opening)
    if (
        opening[:1]
        and opening[0] in _IT
        and len(opening) > 1
        and (opening[1] in _AUX or opening[1] in _NO)
        and len(opening) <= 4
    ):
        return "no" if denied else "yes"
    asked = set(words(question.split("\n")[0])) - _SMALL - _AUX - _NO
    if asked and len(asked & set(opening)) >= 0.75 * len(asked) and not (set(words(question)) & _NO):
        return "no" if denied else "yes"
    return "no" if denied and len(opening) <= SHORT else ""


def _is_denied(question: str, sides: tuple[str, str], said: tuple[tuple[str, ...], tuple[str, ...]]) -> bool:
    """Whether one answer is a plain no (or yes), and the other tells (or denies) what was asked without either word."""
    if "" not in sides or sides == ("", "") or not _PLAIN.match(question) or _EITHER.search(question.split("\n")[0]):
        return False
    telling = sides.index("")
    if len(said[1 - telling]) > 2 * SHORT:
        return False
    opening = said[telling][:READ_FIRST]
    denied = any(word in _NO for word in opening)
    hedged = any(word in _HEDGES for word in opening)
    about = set(words(question.split("\n")[0])) - _SMALL - _AUX
    return not hedged and bool(about & set(opening)) and denied == (sides[1 - telling] == "yes")


def _in_detail(one: str, other: str, is_open: bool, size: int) -> str:
    """What differs between two answers that are nearly the same: a denial, a number, a name."""
    a, b = _tokens(one), _tokens(other)
    folded = [[token.casefold() for token in side] for side in (a, b)]
    matcher = SequenceMatcher(None, folded[0], folded[1], autojunk=False)
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    first, second = (Counter(side) for side in folded)
    if bool(_NO & set(folded[0])) != bool(_NO & set(folded[1])) and len((first - second) + (second - first)) <= SHORT:
        return "one denies what the other says"
    if is_open and size < SAME:
        return ""
    changed = sum(max(j - i, end - k) for _, i, j, k, end in changes)
    if changed > max(2 * DETAIL, 0.25 * max(len(a), len(b))) or (is_open and len(changes) > DETAIL):
        return ""
    named = sum(token[0].isupper() for token in a) <= CAPITALS * len(a) or len(a) <= 2 * SHORT
    for tag, i, j, k, end in changes:
        if tag != "replace" or j - i > DETAIL or end - k > DETAIL:
            continue
        mine, theirs = a[i:j], b[k:end]
        if _numbers(mine) and _numbers(theirs) and not _numbers(mine) & _numbers(theirs):
            if not (_numbers(mine) <= _numbers(b) and _numbers(theirs) <= _numbers(a)) and not _LOOSE & set(
                folded[0][i:j]
            ):
                return "other numbers"
        elif named and _is_other_name(_names(a, i, j), _names(b, k, end), second, first):
            return "other names"
    return ""


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)[:READ]


def _numbers(tokens: list[str]) -> set[str]:
    """Numbers as digits, without signs of thousands and currencies."""
    found = set()
    for token in tokens:
        if any(map(str.isdigit, token[:2])):
            found.add(token.replace(",", "").strip("$\u20ac\u00a3%").removesuffix(".0"))
        elif token.casefold() in _COUNTED and token.casefold() != "one":
            found.add(_COUNTED[token.casefold()])
    return found


def _names(tokens: list[str], start: int, end: int) -> list[str]:
    """What is written with a capital inside a text; at its beginning, only where it is no small word."""
    return [
        token
        for place, token in enumerate(tokens[start:end], start)
        if token[:1].isupper()
        and token.casefold() not in _SMALL
        and (place or len(tokens) <= SHORT or token[1:2].islower())
    ]


def _is_other_name(one: list[str], other: list[str], in_other: Counter[str], in_one: Counter[str]) -> bool:
    if not one or not other:
        return False
    first, second = ({name.casefold().removesuffix("'s") for name in side} for side in (one, other))
    if first & second or _is_short_for(one, other) or _is_short_for(other, one):
        return False
    if any(a in b or b in a or a[:4] == b[:4] for a in first for b in second):
        return False
    return not any(in_other[name] for name in first) or not any(in_one[name] for name in second)


def _is_short_for(brief: list[str], full: list[str]) -> bool:
    """USA for United States of America."""
    letters = "".join(brief).replace(".", "")
    return (
        len(brief) == 1
        and letters.isupper()
        and letters[:2] == "".join(name[0] for name in full)[:2].upper()
        and len(full) > 1
    )


def _counted_otherwise(question: str, one: str, other: str, size: int) -> bool:
    """Whether both name numbers that the question has not, and none of them in common."""
    if size > BRIEF:
        return False
    known = _numbers(_tokens(question))
    first, second = (_numbers(_tokens(text)) - known for text in (one, other))
    units = [{hit[1].casefold() for hit in _NUMBER.finditer(text) if hit[1]} for text in (one, other)]
    if units[0] and units[1] and not units[0] & units[1]:
        return False
    return bool(first and second) and not first & second and not any(_is_close(x, y) for x in first for y in second)


def _is_close(one: str, other: str) -> bool:
    """Whether two numbers may be one, told more or less exactly."""
    try:
        x, y = float(one), float(other)
    except ValueError:
        return False
    return abs(x - y) <= 0.02 * max(abs(x), abs(y)) and not (x.is_integer() and y.is_integer() and 1000 < x < 2100)


def _is_other_fact(question: str, one: str, other: str) -> bool:
    """Two short answers with nothing in common, or a short one whose name or number the long one does not hold."""
    (brief, long) = sorted((one, other), key=lambda text: len(words(text)))
    a, b = words(brief), words(long)
    if len(a) > SHORT or set(a) & (_YES | _DENIES):
        return False
    known = set(words(question))
    first, second = ({_COUNTED.get(word, word) for word in side} - _SMALL for side in (a, b))
    both = first & second
    if both - known or not first - both or not second - both or _spelt_alike(first - both, second - both):
        return False
    names = [_names(tokens, 0, len(tokens)) for tokens in (_tokens(brief), _tokens(long))]
    if _is_short_for(names[0], names[1]) or _is_short_for(names[1], names[0]):
        return False
    told = (set(map(str.casefold, names[0])) | _numbers(_tokens(brief))) - known
    if len(b) <= SHORT:
        return len(b) <= FACT or bool(told and (names[1] or _numbers(_tokens(long))))
    return bool(told) and len(b) <= BRIEF and bool(set(map(str.casefold, names[1])) - known or _numbers(_tokens(long)))


def _spelt_alike(first: set[str], second: set[str]) -> bool:
    return any(a[:4] == b[:4] or a in b or b in a for a in first for b in second if min(len(a), len(b)) >= 3)


def _is_elsewhere(question: str, a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether one answer takes up words of the question and the other has none of them, nor of the first."""
    asked, first, second = ({word for word in set(each) - _SMALL if len(word) > 3} for each in (words(question), a, b))
    fewer, more = sorted((len(asked & first), len(asked & second)))
    return not fewer and more >= 2 and not first & second and min(len(first), len(second)) >= SHORT


def _differing_amounts(one: str, other: str) -> str:
    """The same thing counted differently: each answer has one number before a word, and the numbers differ."""
    first, second = (_amounts(text) for text in (one, other))
    for name, count in first.items():
        against_it = second.get(name, set())
        if len(count) == len(against_it) == 1 and count != against_it:
            return f"\u201c{min(count)} {name}\u201d against \u201c{min(against_it)} {name}\u201d"
    return ""


def _amounts(text: str) -> dict[str, set[str]]:
    by_unit: dict[str, set[str]] = defaultdict(set)
    for hit in _NUMBER.finditer(text):
        if hit[1] and hit[1].casefold() not in _SMALL:
            by_unit[hit[1].casefold()].add(hit[0].strip().replace(",", ""))
    return by_unit
