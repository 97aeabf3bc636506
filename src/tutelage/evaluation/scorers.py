"""Scorers: one small function each, from an answer and what is wanted to a value from 0 to 1 and the reason."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tutelage.evaluation.following.checks import checked
from tutelage.evaluation.patterns import finds, pattern_fault
from tutelage.evaluation.picking import last_number, number_wanted, picked, place_of, standing_in
from tutelage.evaluation.schemas import parsed, schema_fault, validated
from tutelage.pages import cut, readable

if TYPE_CHECKING:
    from tutelage.evaluation.tasks import Item

SHOWN = 60
"""Characters of a text that a reason quotes."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A value from 0 to 1, and why it is that."""

    value: float
    reason: str


@dataclass(frozen=True, slots=True)
class Scorer:
    """How answers are scored.

    Attributes:
        title: for a table.
        score: an answer and its item to a value and the reason. The same answer always gets the same.
        lacks: what an item needs and does not have, in words; "" where it has all.
    """

    title: str
    score: Callable[[str, Item], Scored]
    lacks: Callable[[Item], str]


def exact(answer: str, item: Item) -> Scored:
    """A reference, character for character; white space around it is overlooked."""
    hit = answer.strip() in {one.strip() for one in item.references}
    return Scored(float(hit), "is a reference" if hit else f"is not {quoted(item.references)}")


def normalised(answer: str, item: Item) -> Scored:
    """A reference but for case, ASCII punctuation and white space: exact match as Super-NaturalInstructions has it."""
    hit = normal(answer) in map(normal, item.references)
    same = "is a reference, but for case, punctuation and white space"
    return Scored(float(hit), same if hit else f"is not {quoted(item.references)}")


def normal(text: str) -> str:
    """In lower case, without ASCII punctuation, with single spaces (Wang et al. 2022, arXiv:2204.07705)."""
    return " ".join("".join(c for c in text.lower() if c not in string.punctuation).split())


def contains(answer: str, item: Item) -> Scored:
    """A reference stands in the answer as whole words; case and the kind of white space are overlooked."""
    hit = next((one for one in item.references if standing_in(answer, one)), None)
    return Scored(float(hit is not None), f"holds {quoted([hit])}" if hit else f"lacks {quoted(item.references)}")


def regex(answer: str, item: Item) -> Scored:
    """A reference, a regular expression in RE2's form, is found in the answer; RE2's time is linear in the text."""
    hit = next((one for one in item.references if finds(one, answer)), None)
    return Scored(
        float(hit is not None), f"matches {quoted([hit])}" if hit else f"no match of {quoted(item.references)}"
    )


def choice(answer: str, item: Item) -> Scored:
    """The option that the answer names, by its letter or its text, is the one wanted."""
    wanted = {place_of(one, item.choices) for one in item.references}
    place, how = picked(answer, item.choices)
    if place is None:
        return Scored(0.0, how)
    return Scored(float(place in wanted), f"picks {letter(place)} ({how})")


def letter(place: int) -> str:
    """A, B, C … of an option's place."""
    return string.ascii_uppercase[place]


def number(answer: str, item: Item) -> Scored:
    """The answer's last number is the reference's; what follows `####` counts where that stands (GSM8K's form)."""
    found = last_number(answer)
    if found is None:
        return Scored(0.0, "holds no number")
    hit = any(found == number_wanted(one) for one in item.references)
    return Scored(float(hit), f"its last number is {cut(str(found), SHOWN)}")


def rouge_l(answer: str, item: Item) -> Scored:
    """ROUGE-L's F-measure of stemmed words (Lin 2004), the best over the references; sees only a to z and digits."""
    values = [_rouge().score(one, answer)["rougeL"].fmeasure for one in item.references]
    best = max(range(len(values)), key=values.__getitem__)
    return Scored(values[best], f"ROUGE-L {100 * values[best]:.1f} with {quoted([item.references[best]])}")


@lru_cache(1)
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)


def chrf(answer: str, item: Item) -> Scored:
    """chrF: F-score of character n-grams (Popović 2015), the best over the references; for every script."""
    from sacrebleu.metrics.chrf import CHRF

    value = CHRF().sentence_score(answer, list(item.references)).score / 100
    return Scored(min(1.0, max(0.0, value)), f"chrF {100 * value:.1f} with the closest reference")


def valid_json(answer: str, item: Item) -> Scored:
    """The answer is one strict JSON value and nothing else; a Markdown fence around it is overlooked."""
    _, fault = parsed(answer)
    return Scored(float(not fault), fault or "valid JSON")


def json_schema(answer: str, item: Item) -> Scored:
    """The answer is valid JSON and keeps the item's schema (draft 2020-12)."""
    value, fault = parsed(answer)
    fault = fault or validated(value, item.schema)
    return Scored(float(not fault), fault or "keeps the schema")


def instructions(answer: str, item: Item) -> Scored:
    """The answer keeps every instruction; the reason lists those that it fails."""
    failures = checked(answer, item.checks)
    return Scored(float(not failures), "; ".join(failures) or "keeps every instruction")


def quoted(texts: tuple[str, ...] | list[str]) -> str:
    """Up to three texts for a reason, cut and without characters that act."""
    shown = " or ".join(f"“{cut(readable(' '.join(one.split())), SHOWN)}”" for one in texts[:3])
    return shown + (f" or {len(texts) - 3} more" if len(texts) > 3 else "")


def _references(item: Item) -> str:
    if not item.references:
        return "needs a reference: the answer that is wanted"
    return "a reference is blank" if not all(one.strip() for one in item.references) else ""


def _normal_references(item: Item) -> str:
    blank = next((one for one in item.references if not normal(one)), None)
    told = f"nothing of the reference {quoted([blank])} is left without punctuation; take exact" if blank else ""
    return _references(item) or told


def _patterns(item: Item) -> str:
    found = ((one, pattern_fault(one)) for one in item.references)
    told = next((f"the reference {quoted([one])} is no regular expression: {told}" for one, told in found if told), "")
    return _references(item) or told


def _options(item: Item) -> str:
    if not 2 <= len(item.choices) <= len(string.ascii_uppercase):
        return "needs choices: a list of 2 to 26 options"
    if len({normal(one) or one for one in item.choices}) < len(item.choices):
        return "two of the choices are the same"
    stray = next((one for one in item.references if place_of(one, item.choices) is None), None)
    return _references(item) or (
        f"the reference {quoted([stray])} is none of the choices, nor a letter" if stray else ""
    )


def _numbers(item: Item) -> str:
    without = next((one for one in item.references if number_wanted(one) is None), None)
    return _references(item) or (f"the reference {quoted([without])} holds no number" if without else "")


def _latin(item: Item) -> str:
    unseen = next((one for one in item.references if not any(c in _SEEN for c in one.lower())), None)
    told = f"ROUGE-L sees only a to z and digits, and {quoted([unseen])} has none; take chrf" if unseen else ""
    return _references(item) or told


_SEEN = frozenset(string.ascii_lowercase + string.digits)


def _nothing(item: Item) -> str:
    return ""


def _schema(item: Item) -> str:
    return "needs a schema" if item.schema is None else schema_fault(item.schema)


def _checks(item: Item) -> str:
    return "" if item.checks else 'needs checks, such as [{"name": "words", "at_most": 50}]'


SCORERS: Mapping[str, Scorer] = {
    "exact": Scorer("exact match", exact, _references),
    "normalised": Scorer("normalised match", normalised, _normal_references),
    "contains": Scorer("contains", contains, _references),
    "regex": Scorer("regex", regex, _patterns),
    "choice": Scorer("choice", choice, _options),
    "number": Scorer("number", number, _numbers),
    "rouge_l": Scorer("ROUGE-L", rouge_l, _latin),
    "chrf": Scorer("chrF", chrf, _references),
    "json": Scorer("valid JSON", valid_json, _nothing),
    "json_schema": Scorer("JSON schema", json_schema, _schema),
    "instructions": Scorer("instructions", instructions, _checks),
}
"""All scorers by the name that a file of tasks uses."""
