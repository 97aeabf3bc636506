"""Answers that only say the question again.

What tells is what an answer adds: one that holds most of the question's words, and beside them only small words and
those of a frame ("You asked: …", "Great question!"), says nothing.
"""

from __future__ import annotations

import re
from itertools import pairwise

from tutelage.data.exchange import Exchange, exchanges, flag, quote, word_set, words
from tutelage.data.languages import SMALL_WORDS
from tutelage.records import Example, Finding

SHORTEST = 4
"""An answer equal to a shorter question is no echo: "hello" answers "hello"."""
ALIKE, AT_LEAST = 0.7, 0.6
"""Share of the question's own words that come again; and where its first words do, too."""
CHANGED = 0.34
"""Other words for so many of them are a new wording, where the answer asks or orders as the question does."""
ADDED = 16
"""Words that a frame may add."""
LEAST = 0.4
"""An echo has at least this share of the question's characters."""
LONGEST = 400
"""Longer questions are compared by their first so many words."""
_POLITE = r"^\W*(?:(?:please|can you|could you|kindly|would you|now|i want you to|help me) )*"
_SAY_AGAIN = re.compile(
    rf"{_POLITE}(?:repeat|copy|echo|say|translate|quote|recite|type|read)\b|\brepeat (?:after|the|this|it|back)\b"
    rf"|\bword for word\b",
    re.IGNORECASE,
)
_MEND = re.compile(
    rf"{_POLITE}(?:re-?write|reword|rephrase|paraphras\w*|correct|fix|edit|proofread|format|capitali[sz]e|insert"
    rf"|spell|punctuate|remove|replace|convert|change|turn|make"
    r"|add|use|reorder|rearrange|sort|unscramble|arrange|complete|fill|reverse|shorten|simplify|combine|split|put"
    r"|order)\b|\b(?:grammar|typos?|(?:lower|upper) ?case|punctuation|spelling"
    r"|sentence|paraphrase|reword\w*|rephras\w*|rewrit\w*|spelled|letters?|verbatim)\b",
    re.IGNORECASE,
)
_ASKING = word_set(
    "what what's who whom whose which when where why how is are was were do does did can could should would will has"
    " have"
    " was wer wo wann warum wie welche welcher kann quel quelle qui que comment pourquoi qué quién cómo"
)
_WH = word_set("what what's who whom whose which when where why how")
_ORDERS = word_set(
    "give provide list name tell explain describe write compose create make show find classify summarize summarise"
    " identify"
    " enumerate inform discuss generate suggest recommend extract compare outline state define calculate compute"
    " determine"
    " draft share present produce offer mention categorize pick choose select clarify elaborate specify detail"
    " supply detail"
)
_SETS_OUT = word_set("given imagine pretend based come plan using according suppose from top")
_FRAME = word_set(
    "sure certainly course ok okay well so hmm hm um you asked ask asking asks want wants wanted know question"
    " questions"
    " request requested requesting task instruction instructions says said user user's prompt here following follows"
    " i i'm have been let"
    " let's me answer answered answering response reply great good nice interesting excellent wonderful thanks thank"
    " need anything else"
    " regarding re would like do this that understand understood repeat restate restating again think see consider q"
    " a your"
    " happy help glad hello hi hey dear please other words namely topic statement given really absolutely indeed"
    " mentioned wish"
    " posed put stated wondering curious inquiring reads reading asker about sentence simply just now first what's"
    " mind requires"
    " requests respond responding following will follow moment seems appears looking interested learn it its lautet"
    " frage fragen"
    " sie pregunta preguntas quieres saber demande voulez savoir domanda chiedi pergunta vraag"
)
_NOTHING = SMALL_WORDS | _FRAME | _ASKING
_SAYS = word_set("yes no not true false none neither never both nor n't don't doesn't isn't aren't can't cannot won't")


def echo(example: Example) -> Finding | None:
    """The answer only says the question again, perhaps in a frame or reworded."""
    for exchange in exchanges(example):
        if how := _echoes(exchange):
            return flag(example, "echo", f"the answer{exchange.place} {how}: {quote(exchange.answer)}")
    return None


def _echoes(exchange: Exchange) -> str:
    size = len(exchange.answer)
    for question in _askings(exchange.question):
        if not LEAST * len(question) <= size <= 3 * len(question) + 12 * ADDED:
            continue
        answer = words(exchange.answer[: 12 * LONGEST])[:LONGEST]
        asked = words(question[: 12 * LONGEST])[:LONGEST]
        shortest = 2 if question.rstrip().endswith("?") and exchange.only else SHORTEST + (not exchange.only)
        if len(asked) < shortest or not answer:
            continue
        if answer == asked:
            return "is the question again"
        if len(answer) > 2.25 * len(asked) + ADDED or _SAY_AGAIN.search(question):
            continue
        verbatim = f" {' '.join(asked)} " in f" {' '.join(answer)} " and (asked[0] in _ASKING or len(asked) > SHORTEST)
        if verbatim and _adds_nothing(asked, answer):
            return "has the question again, and says no more"
        if (
            len(asked) >= SHORTEST
            and not _MEND.search(question)
            and _is_the_question(asked, answer, question, exchange.answer)
        ):
            return "says the question again and no more"
    return ""


def _askings(question: str) -> list[str]:
    """The whole question, and its first paragraph where it has several: data may stand in the others."""
    first, _, rest = question.strip().partition("\n\n")
    return [question, first] if rest.strip() else [question]


def _stem(word: str) -> str:
    return word[:5]


def _adds_nothing(asked: tuple[str, ...], answer: tuple[str, ...]) -> bool:
    return not ({*answer} - {*asked} - _NOTHING) and not ({*answer} - {*asked}) & _SAYS


def _is_the_question(asked: tuple[str, ...], answer: tuple[str, ...], question: str, text: str) -> bool:
    own = {_stem(word) for word in asked if word not in _NOTHING and word not in _ORDERS}
    said = {_stem(word) for word in answer}
    if len(own) < 3 or ({*answer} - {*asked}) & _SAYS:
        return False
    kept = len(own & said) / len(own)
    new = len(
        {_stem(word) for word in answer if word not in _NOTHING and word not in _ORDERS}
        - {_stem(word) for word in asked}
    )
    start = " ".join(asked[:3])
    begins = start in " ".join(answer[: ADDED + 3])
    if kept < (AT_LEAST if begins else ALIKE) or new > CHANGED * len(own):
        return False
    offers = question.count(",") >= 2 or "\n" in question or ":" in question or " or " in question
    if not _asks(answer, text, question):
        # a statement in the question's words may be its answer: "Paris is the capital of France."
        return begins and not new and not offers and ("?" in question or asked[0] in _ASKING or asked[0] in _ORDERS)
    return begins if offers else not new or _in_order(asked, answer)


def _asks(answer: tuple[str, ...], text: str, question: str) -> bool:
    """Whether the answer asks or orders, as a question does, after whatever frames it."""
    if text.rstrip().endswith("?") and "?" in question:
        return True
    first = next((word for word in answer if word not in _FRAME or word in _ASKING), "")
    if first in _SETS_OUT:  # "Given this paragraph, tell me how many \u2026"
        return any(word in _ORDERS or word in _WH for word in answer[2:])
    return first in _ORDERS or (first in _WH and first != "when")  # "When it rains, \u2026" is a statement


def _in_order(asked: tuple[str, ...], answer: tuple[str, ...]) -> bool:
    """Whether what both hold comes in the same order, in the answer as in the question, with few steps back."""
    places = {_stem(word): place for place, word in reversed(list(enumerate(asked)))}
    common = [places[_stem(word)] for word in answer if _stem(word) in places]
    back = sum(later < earlier for earlier, later in pairwise(common))
    return back <= len(common) / 4
