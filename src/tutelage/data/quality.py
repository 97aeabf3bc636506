"""Quality rules: one small function each, from an example to a finding or None, listed in RULES."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from tutelage.data.boilerplate import boilerplate
from tutelage.data.contradictions import contradiction, judge, key
from tutelage.data.cutoff import cut
from tutelage.data.echoing import echo
from tutelage.data.hollow import blank, trivial
from tutelage.data.lacking import missing_input
from tutelage.data.ledger import Reason, set_aside
from tutelage.data.leftovers import html, marker, mojibake, placeholder, quoted, signature
from tutelage.data.lengths import long, short
from tutelage.data.looping import loop
from tutelage.data.mending import MENDS, mend
from tutelage.data.spoken import other_language
from tutelage.data.spool import chosen, ids, in_parts
from tutelage.data.usual import Usual
from tutelage.data.usual import found as found_by
from tutelage.errors import UsageError
from tutelage.recipe import QualitySettings
from tutelage.records import Dataset, Example, Finding, Unheld

Rule = Callable[[Example], Finding | None]
SetRule = Callable[[Dataset], Mapping[str, Finding]]

RULES: Mapping[str, Rule] = {
    "blank": blank,
    "trivial": trivial,
    "echo": echo,
    "loop": loop,
    "placeholder": placeholder,
    "marker": marker,
    "html": html,
    "mojibake": mojibake,
    "quoted": quoted,
    "signature": signature,
    "boilerplate": boilerplate,
    "missing_input": missing_input,
}
"""The rules that look at one example, by name, in the order in which they are asked."""
SET_RULES: Mapping[str, SetRule] = {
    "short": short,
    "long": long,
    "language": other_language,
    "cut": cut,
    "contradiction": contradiction,
}
"""The rules that look at the whole data set: from it to findings by the ids of examples."""
ALL = "all"
DEFAULTS = QualitySettings()


def apply(dataset: Dataset, settings: QualitySettings = DEFAULTS) -> Dataset:
    """The data set after its rules: mended where asked, dropped examples in the ledger, flags in `findings`.

    Repairs come first, then the rules that look at one example, then those that look at what is left of the whole set.
    A rule that drops ends the questions for that example; flags of dropped examples are not kept.

    Raises:
        UsageError: a setting names a rule that does not exist, or one without a repair.
    """
    asked = [name for name in (*RULES, *SET_RULES) if name not in _named("off", settings.off, (*RULES, *SET_RULES))]
    drops = _named("drop", settings.drop, (*RULES, *SET_RULES))
    mends = _named("repair", settings.repair, tuple(MENDS))
    if mends:
        dataset = mend(dataset, lambda example, name: bool(RULES[name](example)), tuple(n for n in MENDS if n in mends))
    dataset, flags = _asked_one_by_one(dataset, tuple(name for name in RULES if name in asked), drops)
    waiting: list[str] = []
    for name in SET_RULES:
        waiting += [name] if name in asked else []
        if waiting and (name in drops or name == list(SET_RULES)[-1]):
            # Those that drop nothing see the same examples, and are asked side by side.
            for rule, found in _asked_of_all(dataset.examples, waiting).items():
                if rule in drops:
                    dataset = set_aside(dataset, {key: Reason(rule, each.reason) for key, each in found.items()})
                else:
                    flags += found.items()
            waiting = []
    flagged = {key for key, _ in flags}
    left = {key for key in ids(dataset.examples) if key in flagged}
    return replace(dataset, findings=(*dataset.findings, *(each for key, each in flags if key in left)))


def _asked_one_by_one(
    dataset: Dataset, names: tuple[str, ...], drops: Iterable[str]
) -> tuple[Dataset, list[tuple[str, Finding]]]:
    gone: dict[str, Reason] = {}
    flags: list[tuple[str, Finding]] = []
    for part_gone, part_flags in in_parts(dataset.examples, partial(_asked, names=names, drops=drops), "rules"):
        gone |= part_gone
        flags += part_flags
    return set_aside(dataset, gone), flags


def _asked(
    examples: Sequence[Example], names: tuple[str, ...], drops: Iterable[str]
) -> tuple[dict[str, Reason], list[tuple[str, Finding]]]:
    gone: dict[str, Reason] = {}
    flags: list[tuple[str, Finding]] = []
    for example in examples:
        for name in names:
            found = RULES[name](example)
            if found and (found.action == "drop" or name in drops):
                gone[example.id] = Reason(found.rule, found.reason)
                break
            if found:
                flags.append((example.id, found))
    return gone, flags


def _asked_of_all(examples: Sequence[Example], names: Iterable[str]) -> dict[str, Mapping[str, Finding]]:
    """What the rules of these names find, in their order."""
    usual = {name: rule for name in names if isinstance(rule := SET_RULES[name], Usual)}
    found: dict[str, Mapping[str, Finding]] = dict(found_by(examples, usual)) if usual else {}
    return {name: found[name] if name in usual else _contradictions(examples) for name in names}


def _contradictions(examples: Sequence[Example]) -> Mapping[str, Finding]:
    """`contradiction` of examples that may lie on a disk: only those that share a key are read again, by group."""
    if not isinstance(examples, Unheld):
        return contradiction(Dataset(examples))
    same: dict[bytes, int] = {}
    groups: dict[int, list[int]] = {}
    for place, shared in enumerate(chain.from_iterable(in_parts(examples, _keys, "contradictions"))):
        if shared:
            first = same.setdefault(shared, place)
            if first != place:
                groups.setdefault(first, [first]).append(place)
    found: dict[str, Finding] = {}
    for first in sorted(groups):
        found.update(judge(chosen(examples, groups[first])))
    return found


def _keys(examples: Sequence[Example]) -> list[bytes]:
    return [bytes.fromhex(key(example) or "") for example in examples]


def _named(setting: str, names: tuple[str, ...], known: tuple[str, ...]) -> frozenset[str]:
    """The rules that a setting names; `all` names every one that is known.

    Raises:
        UsageError: for an unknown name, with the nearest known one.
    """
    for name in names:
        if name not in (*known, ALL):
            near = difflib.get_close_matches(name, known, 1, 0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"quality.{setting}: {name} is none of {', '.join(known)}{hint}")
    return frozenset(known if ALL in names else names)
