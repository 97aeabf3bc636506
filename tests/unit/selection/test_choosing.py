"""A budget: what is taken, in what order, from which tags; and that the ledger accounts for the rest."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tutelage.errors import DataError, UsageError
from tutelage.recipe import SelectSettings
from tutelage.records import Conversation, Dataset, Example, Ledger, Role, Source, Turn, with_ids
from tutelage.selection.choosing import RULE, choose


@dataclass
class Scores:
    """Scores by the question's text; what is not named cannot be measured."""

    ifd: dict[str, float] = field(default_factory=dict)
    spots: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def lengths(self, examples: Sequence[Example]) -> NDArray[np.int64]:
        return np.array([len(e.conversation.answer.split()) for e in examples], np.int64)

    def difficulty(self, examples: Sequence[Example]) -> NDArray[np.float64]:
        return np.array([self.ifd.get(asked(e), np.nan) for e in examples])

    def places(self, examples: Sequence[Example]) -> NDArray[np.float32]:
        return np.array([self.spots.get(asked(e), (np.nan, np.nan)) for e in examples], np.float32)


def asked(example: Example) -> str:
    return example.conversation.turns[0].text


def dataset(words: Sequence[int], tags: Sequence[tuple[str, ...]] = ()) -> Dataset:
    """Questions q0, q1, … whose answers have so many words."""
    made = with_ids(
        (
            Conversation((Turn(Role.USER, f"q{place}"), Turn(Role.ASSISTANT, " ".join(["w"] * count)))),
            Source("f.jsonl", (place + 1,)),
            "",
            tags[place] if tags else (),
        )
        for place, count in enumerate(words)
    )
    count = len(made)
    return Dataset(made, ledger=Ledger(count, count, 0, count, count, 0))


def names(found: Dataset) -> set[str]:
    return set(map(asked, found.examples))


def test_without_a_budget_nothing_changes() -> None:
    whole = dataset([1, 2, 3])
    assert choose(whole, SelectSettings(), Scores()) is whole


@pytest.mark.parametrize("lacking", [{"method": "ifd"}, {"quotas": ("code:0.5",)}])
def test_a_method_or_quotas_without_a_budget_are_refused(lacking: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"needs a budget: select\.budget=N"):
        choose(dataset([1]), SelectSettings.model_validate(lacking), Scores())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=25), st.integers(0, 12), st.integers(0, 90), st.data())
def test_the_ledger_adds_up_and_the_budget_is_kept(
    words: list[int], budget: int, tokens: int, data: st.DataObject
) -> None:
    method = data.draw(st.sampled_from(["random", "longest", "ifd", "diverse", "quality_diverse"]))
    draw = random.Random(data.draw(st.integers(0, 9)))
    scores = Scores(
        {f"q{n}": draw.uniform(0.1, 1.4) for n in range(len(words))},
        {f"q{n}": (draw.gauss(0, 1), draw.gauss(0, 1)) for n in range(len(words))},
    )
    whole = dataset(words)
    asked_for = SelectSettings(method=method, budget=budget, tokens=tokens)
    if tokens and min(words) > tokens:
        with pytest.raises(DataError, match="no conversation fits"):
            choose(whole, asked_for, scores)
        return
    found = choose(whole, asked_for, scores) if budget or tokens else whole
    assert found.ledger.balances() and found.ledger.conversations_kept == len(found)
    assert len(found) + len(found.dropped) == len(whole)
    assert {row.rule for row in found.dropped} <= {RULE}
    kept = sum(int(size) for size in scores.lengths(found.examples))
    assert (not budget or len(found) <= budget) and (not tokens or kept <= tokens)
    if budget and not tokens:
        assert len(found) == min(budget, len(whole))
    if tokens and not budget:  # the next would not have fitted, if all fit into the budget alone
        assert len(found) == len(whole) or kept + max(words) > tokens
    mixed = replace(whole, examples=tuple(draw.sample(whole.examples, len(whole))))
    if budget or tokens:
        assert names(choose(mixed, asked_for, scores)) == names(found)


def test_lots_are_nested_and_differ_by_seed() -> None:
    whole = dataset([3] * 200)
    ten, twenty = (names(choose(whole, SelectSettings(budget=n), Scores())) for n in (10, 20))
    assert len(ten) == 10 and ten < twenty
    assert names(choose(whole, SelectSettings(budget=10, seed=1), Scores())) != ten
    grown = dataset([3] * 400)
    assert names(choose(grown, SelectSettings(budget=400), Scores())) > twenty
    # Adding rows only pushes some out: who stays was in before, in the same order.
    assert names(choose(grown, SelectSettings(budget=20), Scores())) & names(whole) <= twenty


def test_longest_by_characters_of_what_is_trained() -> None:
    found = choose(dataset([5, 40, 7, 30]), SelectSettings(method="longest", budget=2), Scores())
    assert names(found) == {"q1", "q3"}
    reasons = {str(row.source): row.reason for row in found.dropped}
    assert reasons["f.jsonl:3"] == "13 characters answered, 3rd of 4; the budget ends at 2"
    assert reasons["f.jsonl:1"] == "9 characters answered, 4th of 4; the budget ends at 2"


def test_ifd_takes_the_hardest_below_one() -> None:
    scores = Scores({"q0": 0.2, "q1": 0.95, "q2": 1.3, "q3": 0.6, "q4": 1.01})
    orders = [names(choose(dataset([2] * 6), SelectSettings(method="ifd", budget=n), scores)) for n in range(1, 6)]
    added = [now - before for before, now in zip([set[str](), *orders], orders, strict=False)]
    assert added == [{"q1"}, {"q3"}, {"q0"}, {"q4"}, {"q2"}]
    found = choose(dataset([2] * 6), SelectSettings(method="ifd", budget=2), scores)
    reasons = {row.source.rows[0]: row.reason for row in found.dropped}
    assert reasons[1] == "ifd 0.2, 3rd of 6; the budget ends at 2"
    assert reasons[3] == "ifd 1.3, the question does not help, 5th of 6; the budget ends at 2"
    assert reasons[6].startswith("the base cannot read it whole")


def test_a_token_budget_ends_at_the_first_that_does_not_fit() -> None:
    scores = Scores({"q0": 0.9, "q1": 0.8, "q2": 0.7, "q3": 0.95})
    found = choose(dataset([10, 8, 3, 50]), SelectSettings(method="ifd", tokens=15), scores)
    assert names(found) == {"q0"}
    reasons = {row.source.rows[0]: row.reason for row in found.dropped}
    assert reasons[2] == "ifd 0.8, 2nd of 3; the budget of 15 tokens ends at 1"
    assert reasons[4] == "50 tokens, more than the whole budget of 15"


SPOTS = {"q0": (1.0, 0.0), "q1": (0.99, 0.01), "q2": (-1.0, 0.1), "q3": (0.0, 1.0), "q4": (0.0, -1.1)}


def test_diverse_takes_no_twin_before_all_corners() -> None:
    for seed in range(5):
        found = choose(dataset([2] * 5), SelectSettings(method="diverse", budget=4, seed=seed), Scores(spots=SPOTS))
        assert len(names(found) & {"q0", "q1"}) == 1
        (left,) = found.dropped
        kept = "f.jsonl:1" if left.source.rows == (2,) else "f.jsonl:2"
        assert left.reason == f"0.01 from {kept}, the nearest one chosen; the budget ends at 4"


def test_quality_diverse_takes_the_better_of_twins() -> None:
    scores = Scores({"q0": 0.8, "q1": 0.9, "q2": 0.3, "q3": 0.2, "q4": 0.1}, SPOTS)
    found = choose(dataset([2] * 5), SelectSettings(method="quality_diverse", budget=3), scores)
    assert names(found) == {"q1", "q2", "q3"}
    reasons = {row.source.rows[0]: row.reason for row in found.dropped}
    assert reasons[1].startswith("ifd 0.8, 2nd of 5, but 0.01 from f.jsonl:2, which was taken (")
    assert reasons[5] == "ifd 0.1, 5th of 5; the budget ends at 3"
    whole = choose(dataset([2] * 5), SelectSettings(method="quality_diverse", budget=5), scores)
    assert len(whole) == 5


TAGS = [("code",), ("code", "math"), ("math",), (), (), (), (), ("code",), ("other",), ("other",)]


def test_quotas_give_each_tag_its_share() -> None:
    asked_for = SelectSettings(method="longest", budget=6, quotas=("code:0.34", "math:0.16"))
    found = choose(dataset([9, 8, 1, 2, 3, 4, 5, 7, 6, 1], TAGS), asked_for, Scores())
    assert names(found) == {"q0", "q1", "q2", "q8", "q6", "q5"}
    reason = next(row.reason for row in found.dropped if row.source.rows == (8,))
    assert reason == "13 characters answered, 3rd of 3; the share of code ends at 2"


def test_what_a_tag_lacks_goes_to_the_others() -> None:
    said: list[str] = []
    asked_for = SelectSettings(budget=8, quotas=("math:0.5",))
    found = choose(dataset([2] * 10, TAGS), asked_for, Scores(), said.append)
    counts = Counter("math" in e.tags for e in found.examples)
    assert counts == {True: 2, False: 6}
    assert said == ["All 2 conversations with the tag math are taken; they do not fill its share."]


def test_token_quotas_add_up() -> None:
    asked_for = SelectSettings(tokens=20, quotas=("code:0.5",))
    found = choose(dataset([2] * 30, [("code",) if n % 3 else () for n in range(30)]), asked_for, Scores())
    assert Counter(bool(e.tags) for e in found.examples) == {True: 5, False: 5}


@pytest.mark.parametrize(
    "quotas", [("code",), ("code:2",), (":0.5",), ("code:0.6", "math:0.6"), ("code:.1", "code:.2")]
)
def test_quotas_that_are_none_are_refused(quotas: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match=r"select\.quotas"):
        choose(dataset([1] * 10, TAGS), SelectSettings(budget=3, quotas=quotas), Scores())


def test_an_unknown_tag_is_named_with_the_nearest() -> None:
    with pytest.raises(DataError, match="no conversation has the tag cod; did you mean code"):
        choose(dataset([1] * 10, TAGS), SelectSettings(budget=3, quotas=("cod:0.5",)), Scores())


def test_quotas_on_the_command_line_are_a_list() -> None:
    from tutelage.recipe import Recipe, build

    made = build({}, ["select.quotas=code:0.3,math:0.2", "select.budget=10"])
    assert made.select.quotas == ("code:0.3", "math:0.2")
    assert made.numbers_hash() == Recipe().numbers_hash()
