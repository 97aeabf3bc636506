"""Quality rules: one small function each, from an example to a finding or None, listed in RULES."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from tutelage.data.duplicates import normal
from tutelage.data.ledger import Reason, set_aside
from tutelage.records import Dataset, Example, Finding, Role

Rule = Callable[[Example], Finding | None]

NO_ANSWER = frozenset({"nan", "null", "undefined", "<nooutput>", "[deleted]", "[removed]"})
ECHO_WORDS = 4
"""An answer equal to a shorter question is no echo: "hello" answers "hello"."""
LOOP_WORDS = 24
LOOP_SHARE = 0.5
"""A loop: of the runs of four words in an answer, more than this share repeats an earlier one."""
_PLACEHOLDER = re.compile(
    r"\{\{[^{}\n]{1,60}\}\}|\blorem ipsum\b|\bTODO\b(?!\s*list)|\[(?:insert|your|enter) [^\]\n]{1,40}\]",
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(
    r"\b(?:as|i am|i['\u2019]m) an? (?:large |artificial )?(?:ai|language|intelligence)"
    r"(?: language)? (?:model|assistant)\b|\bmy (?:knowledge|training data) cut-?off\b",
    re.IGNORECASE,
)
_MOJIBAKE = re.compile("\u00c3[\u0080-\u00bf]|\u00c2[\u0080-\u00bf]|\u00e2\u20ac[^\\w\\s]|\u00f0\u0178|\ufffd")


def _found(example: Example, rule: str, action: str, reason: str) -> Finding:
    return Finding(example.source, rule, action, reason)


def _is_empty(text: str) -> bool:
    """Only white space, control characters, dots and dashes; or a known stand-in for nothing."""
    stripped = text.strip().lower()
    if stripped in NO_ANSWER:
        return True
    return all(unicodedata.category(c)[0] in "ZC" or c in ".-_\u2013\u2014\u2026" for c in stripped)


def blank(example: Example) -> Finding | None:
    """A trained answer without content would teach to stop at once; a blank prompt asks nothing."""
    turns = example.conversation.turns
    for number, turn in enumerate(turns, 1):
        if turn.is_trained and _is_empty(turn.text):
            shown = f" ({turn.text.strip()})" if turn.text.strip() else ""
            return _found(example, "blank", "drop", f"the answer in turn {number} is blank{shown}")
        if turn.role is Role.USER and not turn.text.strip():
            return _found(example, "blank", "drop", f"the prompt in turn {number} is blank")
    return None


def echo(example: Example) -> Finding | None:
    """The answer only says the question again."""
    answer, question = normal(example.conversation.answer), normal(example.conversation.prompt[-1].text)
    if answer == question and len(answer.split()) >= ECHO_WORDS:
        return _found(example, "echo", "flag", "the answer is the question again")
    return None


def loop(example: Example) -> Finding | None:
    """The answer goes round in circles."""
    words = normal(example.conversation.answer).split()
    if len(words) < LOOP_WORDS:
        return None
    runs = Counter(zip(words, words[1:], words[2:], words[3:], strict=False))
    repeated = 1 - len(runs) / runs.total()
    if repeated <= LOOP_SHARE:
        return None
    run, count = runs.most_common(1)[0]
    return _found(example, "loop", "flag", f"{repeated:.0%} repeats; “{' '.join(run)}” stands {count} times")


def placeholder(example: Example) -> Finding | None:
    """The answer holds a slot that nobody filled."""
    return _matches(example, "placeholder", _PLACEHOLDER, "an unfilled place")


def boilerplate(example: Example) -> Finding | None:
    """The answer speaks of itself as some language model."""
    return _matches(example, "boilerplate", _BOILERPLATE, "assistant boilerplate")


def mojibake(example: Example) -> Finding | None:
    """The text was decoded with the wrong character set."""
    return _matches(example, "mojibake", _MOJIBAKE, "wrongly decoded characters", Role.USER)


def _matches(
    example: Example, rule: str, pattern: re.Pattern[str], what: str, also: Role | None = None
) -> Finding | None:
    for turn in example.conversation.turns:
        if (turn.is_trained or turn.role is also) and (hit := pattern.search(turn.text)):
            return _found(example, rule, "flag", f"{what}: “{hit.group()}”")
    return None


RULES: Mapping[str, Rule] = {rule.__name__: rule for rule in (blank, echo, loop, placeholder, boilerplate, mojibake)}
"""The default rules by name, in the order in which they are asked."""


def apply(dataset: Dataset, rules: Mapping[str, Rule] = RULES) -> Dataset:
    """The data set after its rules: dropped examples are in the ledger, flags in `findings`.

    A rule that drops ends the questions for that example; flags of dropped examples are not kept.
    """
    gone: dict[str, Reason] = {}
    flags: list[Finding] = []
    for example in dataset.examples:
        own: list[Finding] = []
        for rule in rules.values():
            if found := rule(example):
                own.append(found)
            if found and found.action == "drop":
                gone[example.id] = Reason(found.rule, found.reason)
                break
        if example.id not in gone:
            flags += own
    return replace(set_aside(dataset, gone), findings=(*dataset.findings, *flags))
