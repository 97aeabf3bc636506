"""Every harness of tests/hostile with a few fixed inputs, so that none rots; `make fuzz` makes many, and new ones."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile import HARNESSES
from hostile.drawing import LONGEST, Draw, changed, stretched
from hostile.judging import Harness, TooSlow, bounded, judged, smaller
from tutelage.errors import DataError


# Hypothesis counts in the garbage collector once it has run: an alarm that stops a template may go off there, and goes
# off again a moment later in the template.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*gc_callback:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", HARNESSES)
def test_hostile_input_is_read_or_refused(name: str) -> None:
    harness = HARNESSES[name]
    seeds = random.Random(name).sample(harness.seeds, min(len(harness.seeds), harness.quick // 2))
    for data in (*seeds, *changed(harness.seeds, harness.quick - len(seeds), 1)):
        harm = judged(harness, data)
        assert harm is None, f"{data!r}\n{harm.told}"


@pytest.mark.parametrize("name", [name for name in HARNESSES if name != "own templates"])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_bytes_are_read_or_refused(name: str, data: st.DataObject) -> None:
    """Seeds with anything before, between and after them; Hypothesis finds the smallest that does harm.

    Not for templates: an alarm that stops one may go off inside Hypothesis, which counts in the garbage collector.
    """
    harness = HARNESSES[name]
    parts = st.one_of(st.binary(max_size=40), st.sampled_from([seed for seed in harness.seeds if len(seed) < 300]))
    made = b"".join(data.draw(st.lists(parts, max_size=4)))
    harm = judged(harness, made)
    assert harm is None, harm.told


def _fails(data: bytes) -> None:
    if b"!" in data:
        raise KeyError("!")
    if b"?" in data:
        raise DataError("no")


def test_a_harness_tells_harm_from_a_refusal() -> None:
    """And the smallest input that does the same is found."""
    harness = Harness(_fails, (b"",), (DataError,))
    harm = judged(harness, b"abc!def")
    assert harm is not None
    assert "KeyError: '!'" in harm.told
    assert (judged(harness, b"abc"), judged(harness, b"a?c")) == (None, None)
    assert judged(Harness(_fails, (b"",)), b"a?c") is not None
    assert smaller(harness, b"a" * 50 + b"!" + b"b" * 50, harm.where) == b"!"


def test_an_input_that_never_ends_is_harm() -> None:
    def forever(data: bytes) -> None:
        while True:
            pass

    with pytest.raises(TooSlow), bounded(0.05):
        forever(b"")


def test_choices_come_from_the_bytes() -> None:
    draw = Draw(b"\x07\x02ab\x03")
    found = (draw.byte(), draw.below(2), draw.taken(2), draw.one_of("wxyz"), draw.byte(), draw.rest())
    assert found == (7, 0, b"ab", "z", 0, b"")
    assert stretched(b"\x00ab") == "ab"
    assert stretched(b"\xfeab") == "ab" * (LONGEST // 2)
    assert changed((b"one", b"two"), 5, 1) == changed((b"one", b"two"), 5, 1) != changed((b"one", b"two"), 5, 2)
