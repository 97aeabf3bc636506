"""Shares of instructions kept: their groups, and intervals that are right where all or none are kept."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from tutelage.errors import DataError
from tutelage.evaluation.following.shares import Share, shares
from tutelage.evaluation.following.suite import suite
from tutelage.evaluation.intervals import above_all

GOOD = {
    one.prompt.id: "42 IS THE ANSWER" if place % 3 else "No, I can't: it is not here."
    for place, one in enumerate(suite())
}
NOTHING = dict.fromkeys(GOOD, "")


def kept(answers: dict[str, str]) -> list[bool]:
    """Whether each prompt's instructions are kept."""
    return [not one.failures(answers[one.prompt.id]) for one in suite()]


def test_groups_cover_each_prompt_once() -> None:
    found = shares(suite(), GOOD)
    for part in ("whole", "category", "place", "distraction"):
        rows = [one for one in found if one.part == part]
        assert sum(one.kept.count for one in rows) == len(suite())
        assert sum(one.kept.value * one.kept.count for one in rows) == pytest.approx(sum(kept(GOOD)))
    assert [one.name for one in found if one.part == "place"] == ["user", "system"]
    assert [one.name for one in found][:2] == ["whole", suite()[0].category]


def test_a_shares_interval_is_clopper_and_pearsons() -> None:
    """Against scipy's own, by its slow way; the groups of a part are surer."""
    found = shares(suite(), GOOD)
    parts = [one.part for one in found]
    assert 0 < found[0].kept.value < 1
    for one in found:
        sure = 1 - 2 * (1 - above_all(parts.count(one.part)))
        slow = binomtest(round(one.kept.value * one.kept.count), one.kept.count).proportion_ci(sure, "exact")
        assert (one.kept.low, one.kept.high) == pytest.approx((slow.low, slow.high), abs=1e-9)
    nothing = shares(suite(), NOTHING)
    assert all(one.kept.low == one.kept.value == 0.0 < one.kept.high < 1.0 for one in nothing)


def test_a_prompt_without_an_answer_is_an_error() -> None:
    fewer = {name: answer for place, (name, answer) in enumerate(GOOD.items()) if place not in (2, 5)}
    with pytest.raises(
        DataError, match=f"2 of {len(suite())} prompts have no answer, the first {suite()[2].prompt.id}"
    ):
        shares(suite(), fewer)


def test_json_and_back() -> None:
    for one in shares(suite(), GOOD):
        assert Share.from_json(one.to_json()) == one
