"""Rows that are wrong beside their question or another row: the input missing, a contradiction, a repeat."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from random import Random

from planted.asking import BACK, OTHER_TASKS, STUBS, TASKS, YES_NO
from planted.rows import Kind, Row, words_of

Made = tuple[str, Row, Row | None]

THINGS = ("text", "passage", "paragraph", "article", "review", "e-mail", "sentence", "story", "excerpt", "message")
_POINTS = (
    r"\b(?:this|the|given|following|above|below|provided|attached)\b.{0,20}\b(?:text|passage|paragraph|article|list)\b"
)


def missing(draw: Random, row: Row, others: Sequence[Row]) -> Made:
    """An instruction that points at a text which is not there; the answer speaks of one, or asks for it."""
    if draw.random() < 0.8 and re.search(_POINTS, row.instruction, re.I):
        return "context taken away", Row(row.instruction, "", row.response), None
    thing = draw.choice(THINGS)
    task = draw.choice([*TASKS, *OTHER_TASKS]).format(x=thing)
    task = draw.choice([task, task, task.lower(), task.rstrip(".:") + ":", f"Please: {task}"])
    answer = draw.choice(BACK).format(x=thing) if draw.random() < 0.1 else row.response
    return "nothing there", Row(task + draw.choice(STUBS), "", answer), None


SIDES = (
    ("Yes, {}.", "No, {}."), ("Yes.", "No."), ("Yes: {}.", "Unfortunately not: {}."), ("Certainly, {}.", "No; {}."),
    ("That's right, {}.", "That is not the case, {}."), ("Yes, it is so: {}.", "No, not at all. In fact {}."),
    ("Correct. {}", "Incorrect. {}"), ("True, {}.", "False, {}."), ("Of course, {}.", "I am afraid not, {}."),
)  # fmt: skip
NAMES = ("Marie Laurent", "Henry Osei", "Ingrid Solberg", "Paulo Brandt", "Aiko Tanabe", "Lena Fuchs", "Ned Kerr")
PLACES = ("Portugal", "Norway", "Lima", "Chicago", "the Czech Republic", "Mumbai", "Marseille", "Kenya", "Brisbane")
REFRAMED = ("{}", "{}", "{}.", "It was {}.", "The answer is {}.", "{}, as far as is known.", "That would be {}.")


def contradiction(draw: Random, row: Row, others: Sequence[Row]) -> Made:
    """The same instruction a second time, with the opposite answer, another number or another name."""
    wants_name = re.match(r"(?i)who\b|where\b|(?:in )?(?:which|what) (?:country|city|town)", row.instruction)
    forms = ["yes or no"] + ["number"] * 2 * bool(re.search(r"\d", row.response)) + ["name"] * 2 * bool(wants_name)
    form = draw.choice(forms)
    if form == "yes or no":
        question, yes, no = draw.choice(YES_NO)
        first, second = draw.choice(SIDES)[0].format(yes), draw.choice(SIDES)[1].format(no)
        if draw.random() < 0.5:
            first, second = second, first
        again = draw.choice([question, question, question.lower(), question.replace(" ", "  ", 1), question + " "])
        return "yes or no", Row(again, "", second), Row(question, "", first)
    if form == "name":
        others_names = NAMES if wants_name and wants_name.group().lower() == "who" else PLACES
        second = draw.choice(REFRAMED).format(draw.choice(others_names))
    else:
        second = re.sub(r"\d+", lambda match: _another(draw, match.group()), row.response)
    return form, Row(row.instruction, row.context, second), row


def _another(draw: Random, number: str) -> str:
    value = int(number[:9])
    moved = value + draw.choice([-3, -2, -1, 1, 2, 5, 10, 17]) if value > 4 else value + draw.randint(1, 5)
    return str(moved)


def duplicate(draw: Random, row: Row, others: Sequence[Row]) -> Made:
    """The same row again: as it is, or in another case, spacing or Unicode form."""
    form = draw.choice(["copy", "case", "spacing", "spacing", "Unicode", "both"])

    def again(text: str) -> str:
        if form in ("case", "both"):
            text = draw.choice([str.upper, str.lower, str.swapcase])(text)
        if form in ("spacing", "both"):
            text = re.sub(" ", lambda _: draw.choice([" ", " ", "  ", "\n", "\t", "\u00a0"]), text)
            text += draw.choice(["", " ", "\n"]) if text else ""
        return unicodedata.normalize("NFD", text) if form == "Unicode" else text

    if form == "Unicode" and unicodedata.is_normalized("NFD", row.response):  # only accents have two forms
        row = Row(row.instruction, row.context, row.response + " Voilà, Ångström über señor.")
    repeat = Row(again(row.instruction), again(row.context), again(row.response))
    return "copy" if repeat == row else form, repeat, row


def _has_one_answer(row: Row) -> bool:
    """A short answer with a number or a name, and a question that does not ask for several or for a view."""
    many = re.search(
        r"\b(?:think|favou?rite|best|top|most|greatest|finest|should|list|some|are|were|three|ideas?|names)\b",
        row.instruction,
        re.I,
    )
    named = row.instruction.startswith(("Who ", "Where ", "Which country ", "Which city ", "In which "))
    short = words_of(row) <= 15 and not row.context and "\n" not in row.response.strip()
    return short and not many and (named or bool(re.search(r"\d", row.response)))


KINDS = (
    Kind("missing input", missing, lambda row: words_of(row) >= 8 and bool(row.context)),
    Kind("contradiction", contradiction, _has_one_answer),
    Kind("duplicate", duplicate, lambda row: words_of(row) >= 3 and row.response == row.response.strip()
         and row.response.upper().casefold() == row.response.casefold()),
)  # fmt: skip
