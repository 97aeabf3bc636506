"""The planter of the data bench: what it plants is counted, varied by seed, and true."""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

import planting
from data_bench import written
from measured import defects
from measured.personal import covered
from measured.table import Section
from planted import near, personal, questions
from planted.near import copies, runs_of, similarity, true_pairs
from planted.passages import PASSAGES
from planted.rows import DESK, Row, clean_rows, squeezed
from planted.scale import write_many
from planting import EACH, KINDS, Planted, plant


@cache
def desk() -> list[Row]:
    return clean_rows(DESK)


@cache
def rich() -> list[Row]:
    """Rows with everything that a kind asks for: long answers, contexts, numbers, names."""
    rows = desk()
    said = [row.response for row in rows]
    about = [Row(f"Summarize the following text about case {n}, please.", text, text) for n, text in enumerate(said)]
    short = [Row(f"In which year did branch number {n} open?", "", f"It opened in {1900 + n}.") for n in range(100)]
    three = [" ".join((said[n], said[n - 1], said[n - 2])) for n in range(len(rows))]
    long = [Row(f"{row.instruction} Tell me all about it.", "", text) for row, text in zip(rows, three, strict=True)]
    return [*rows, *about, *short, *long]


@cache
def planted(seed: int = 0) -> list[Planted]:
    return plant(rich(), seed)


def test_fifty_of_each_of_twelve_kinds() -> None:
    counts = Counter(item.kind for item in planted())
    assert {kind.name: counts[kind.name] for kind in KINDS} == {kind.name: EACH for kind in KINDS}
    assert len(KINDS) == 12
    assert sum(item.clean for item in planted()) >= 300


def test_the_same_seed_gives_the_same_rows_and_another_others() -> None:
    first, again, other = (plant(rich()[:500], seed, each=10, total=400) for seed in (0, 0, 1))
    assert first == again
    ours, theirs = ({item.row for item in rows if item.kind} for rows in (first, other))
    assert len(ours & theirs) < 0.2 * len(ours)


def test_kinds_stand_at_random_places() -> None:
    for kind in KINDS:
        places = [place for place, item in enumerate(planted()) if item.kind == kind.name]
        assert max(places) - min(places) > len(planted()) / 2


def test_planted_rows_differ_from_their_originals() -> None:
    for item in planted():
        if item.kind and item.form != "copy":
            assert item.row != item.original, item


def test_clean_rows_are_rows_that_were_given() -> None:
    given = set(rich())
    assert all(item.row in given for item in planted() if item.clean)


def test_wordings_vary() -> None:
    for kind in KINDS:
        rows = {item.row for item in planted() if item.kind == kind.name}
        assert len(rows) >= 40, kind.name
    for name in ("echo", "loop", "leftover", "boilerplate", "mojibake"):
        assert len({item.form for item in planted() if item.kind == name}) >= 3


def test_partners_name_each_other_and_repeat_or_contradict() -> None:
    rows = planted()
    for place, item in enumerate(rows):
        if item.partner is not None:
            assert rows[item.partner].partner == place
            assert bool(item.kind) != bool(rows[item.partner].kind)
        if item.kind == "duplicate":
            assert item.partner is not None
            assert _normal(item.row) == _normal(rows[item.partner].row)
        if item.kind == "contradiction":
            assert item.partner is not None
            other = rows[item.partner].row
            assert squeezed(item.row.instruction) == squeezed(other.instruction)
            assert squeezed(item.row.response) != squeezed(other.response)


def _normal(row: Row) -> list[str]:
    import unicodedata

    return [squeezed(unicodedata.normalize("NFC", text)) for text in (row.instruction, row.context, row.response)]


def test_cut_off_answers_are_the_start_of_a_longer_one_and_end_within() -> None:
    for item in planted():
        if item.kind == "cut off":
            assert item.original is not None
            if item.form != "code":
                assert item.original.response.startswith(item.row.response.rstrip())
            assert item.row.response.rstrip()[-1] not in ".!?" or item.form == "code"


def test_missing_inputs_are_not_there() -> None:
    assert all(not item.row.context for item in planted() if item.kind == "missing input")


def test_lengths_are_absurd() -> None:
    sizes = [len(item.row.response) for item in planted() if item.kind == "length"]
    assert all(size == 1 or size > 30_000 for size in sizes)
    assert 5 < sizes.count(1) < 45


def test_few_rows_are_planted_into_several_times() -> None:
    rows = plant(desk()[:40], 3, each=5, total=100)
    assert Counter(item.kind for item in rows if item.kind) == {kind.name: 5 for kind in KINDS}
    assert sum(item.clean for item in rows) == 20


def test_contradictory_numbers_differ() -> None:
    draw = random.Random(1)
    assert all(questions._another(draw, number) != number for number in ("0", "4", "7", "1999") for _ in range(50))


def test_written_rows_stand_on_their_own_line(tmp_path: Path) -> None:
    rows = [item.row for item in planted()]
    planting.write(rows, tmp_path / "rows.jsonl")
    assert (tmp_path / "rows.jsonl").read_bytes().count(b"\n") == len(rows)


def test_passages_are_many_and_in_many_languages() -> None:
    assert len(PASSAGES) >= 20 and len({passage.language for passage in PASSAGES}) >= 8
    assert all(len(passage.sentences) >= 2 and passage.english.isascii() for passage in PASSAGES)


def _brute(a: str, b: str) -> float:
    """The definition, written out once more."""
    lists = []
    for text in (a, b):
        words = re.findall(r"\w+", text.casefold())
        lists.append({" ".join(words[n : n + 3]) for n in range(max(1, len(words) - 2))} if words else set())
    both = [run for run in lists[0] if run in lists[1]]
    return len(both) / (len(lists[0]) + len(lists[1]) - len(both)) if both else 0.0


@pytest.mark.parametrize("view", list(near.VIEWS))
def test_true_similarity_equals_a_brute_force_twin(view: str) -> None:
    made = copies(rich()[:90], 5, count=40, total=120)
    texts = made.texts(view)
    twin = {(a, b): share for b in range(len(texts)) for a in range(b) if (share := _brute(texts[a], texts[b])) >= 0.5}
    assert true_pairs(texts, 0.5) == pytest.approx(twin)
    for pair in made.pairs:
        assert similarity(texts[pair[0]], texts[pair[1]]) == pytest.approx(_brute(texts[pair[0]], texts[pair[1]]))


def test_copies_are_near_and_far() -> None:
    made = copies(desk(), 0, count=100, total=400)
    texts = made.texts("both")
    shares = [similarity(texts[a], texts[b]) for a, b in made.pairs]
    assert len(shares) == 100
    assert sum(share >= 0.8 for share in shares) >= 20 and sum(share < 0.6 for share in shares) >= 10
    assert len({edit for edit in made.pairs.values()}) >= 6


def test_runs_of_short_texts() -> None:
    assert runs_of("") == runs_of("?!") == frozenset()
    assert runs_of("Two words") == {("two", "words")}
    assert similarity("", "") == 0.0 and similarity("One, two!", "one TWO") == 1.0


@cache
def values(seed: int = 0) -> list[personal.Hidden]:
    return personal.hidden([row.response for row in desk()], seed)


def test_fifty_values_of_each_kind_and_as_many_look_alikes() -> None:
    counts = Counter(item.kind for item in values())
    assert counts == {**{kind: 50 for kind in personal.KINDS}, "": 300}
    assert len({item.form for item in values() if not item.kind}) >= 15


def test_values_stand_where_they_are_said_to() -> None:
    for item in values():
        assert 0 <= item.start < item.end <= len(item.text) and item.value == item.value.strip()
    ours, theirs = ({item.value for item in values(seed) if item.kind} for seed in (0, 1))
    assert len(ours & theirs) <= 3


def test_cards_and_accounts_check_and_look_alikes_do_not() -> None:
    bare = {place: re.sub(r"[ -]", "", item.value) for place, item in enumerate(values())}
    for place, item in enumerate(values()):
        if item.kind == "card":
            assert personal.luhn(bare[place])
        if item.kind == "IBAN":
            assert personal.iban_checks(bare[place])
        if item.form == "failing card":
            assert not personal.luhn(bare[place])
        if item.form == "failing IBAN":
            assert not personal.iban_checks(bare[place])
    assert personal.luhn("79927398713") and not personal.luhn("79927398710")
    assert personal.iban_checks("GB82WEST12345698765432") and not personal.iban_checks("GB83WEST12345698765432")


def test_any_number_of_conversations(tmp_path: Path) -> None:
    size = write_many(desk(), tmp_path / "a.jsonl", 300, 1)
    write_many(desk(), tmp_path / "b.jsonl", 300, 1)
    write_many(desk(), tmp_path / "c.jsonl", 300, 2)
    first, again, other = ((tmp_path / f"{name}.jsonl").read_bytes() for name in "abc")
    assert first == again != other
    assert first.count(b"\n") == 300 and 700 < size / 300 < 1300


def test_a_defect_is_found_by_rules_that_were_silent_before() -> None:
    row = Row("a", "", "b")
    alone, pair = Planted(row, "loop"), Planted(row, "contradiction", partner=1)
    before = {0: {"cut": "flag"}, 1: {"echo": "flag"}}
    assert defects.new_rules(0, alone, {0: {"cut": "flag", "loop": "flag"}}, before) == {"loop"}
    assert defects.new_rules(0, alone, {0: {"cut": "flag", "repeat": "drop"}}, before) == set()
    assert defects.new_rules(2, pair, {1: {"echo": "flag", "contradiction": "flag"}}, before) == {"contradiction"}


def test_a_value_is_covered_by_its_findings_together() -> None:
    item = personal.Hidden("call 12345 67890 now", "phone", "x", 5, 16)
    assert covered(item, [("PHONE", 5, 16)]) == covered(item, [("A", 0, 10), ("B", 10, 20)]) == 1.0
    assert covered(item, []) == covered(item, [("A", 0, 5), ("B", 16, 20)]) == 0.0


def test_goals_that_are_missed_stand_in_bold_and_are_told() -> None:
    section = Section("Some")
    assert [section.share("a", 19, 20, 0.95), section.share("b", 9, 10, 0.95)] == ["95.0%", "**90.0%**"]
    assert (section.share("c", 0, 0, 0.95), section.failed) == ("n/a", ["b 90.0%"])


def test_a_section_takes_the_place_of_the_one_of_its_title() -> None:
    page = written("# Page\n\nHead.\n", Section("One", ["1"]), "run")
    page = written(page, Section("Two", ["2"]), "run")
    page = written(page, Section("One", ["once more"]), "run")
    assert re.findall(r"^## .*|^\d$|^once more$", page, re.M) == ["## One", "once more", "## Two", "2"]
