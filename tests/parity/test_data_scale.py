"""Large data beside small: examples on a disk, in parts and in other processes, come to what they come to in memory."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

import polars
import pytest

from tutelage.data import batches, contamination, duplicates, glance, personal, quality, similar, spool, store
from tutelage.data.crew import Crew
from tutelage.data.ledger import Reason, set_aside
from tutelage.data.profile import profile
from tutelage.data.reading import read
from tutelage.errors import DataError
from tutelage.recipe import DataSettings, QualitySettings
from tutelage.records import Dataset, with_ids

HOSTILE = (
    b'{"prompt": "a", "prompt": "b", "response": "twice"}',
    b'{"prompt": "a", "response": NaN}',
    b'{"prompt": "half \\ud800", "response": "x"}',
    b"[" * 100_000,
    b'{"prompt": "long", "response": ' + b"9" * 5000 + b"}",
    b'{"prompt": "nul \\u0000", "response": "x"}',
    b'{"prompt": "nul \0", "response": "x"}',
    b'{"prompt": "not utf-8 \xff", "response": "x"}',
    b"\xef\xbb\xbf" + b'{"prompt": "mark", "response": "x"}',
    b'{"response": "no prompt"}',
    b'{"prompt": ["a", "list"], "response": "x"}',
)
WORDS = [f"{start}{middle}{end}" for start in "bdfgklmn" for middle in ("a", "ei", "o", "u") for end in "lnrst"]


def sentence(rng: random.Random) -> str:
    return f"{' '.join(rng.choices(WORDS, k=rng.randint(6, 14))).capitalize()}."


def lines(count: int, seed: int) -> Iterator[bytes]:
    """Rows with repeats, near copies, other answers to one question, faults of every kind and hostile lines."""
    rng = random.Random(seed)
    made: list[dict[str, object]] = []
    for number in range(count):
        answer = " ".join(sentence(rng) for _ in range(rng.randint(2, 5)))
        row: dict[str, object] = {"prompt": f"What is {sentence(rng)}", "response": answer}
        if made and number % 7 == 0:
            row = dict(rng.choice(made))
        elif made and number % 11 == 0:
            row = {**rng.choice(made), "response": rng.choice(["Yes, 12 days.", "No.", "Yes.", "It takes 40 days."])}
        elif made and number % 13 == 0:
            old = rng.choice(made)
            row = {**old, "response": str(old["response"]).replace("a", "x", 1) + " " + rng.choice(WORDS)}
        row |= {3: {"response": "  "}, 5: {"response": f"As an AI language model, {answer}"}}.get(number % 40, {})
        row |= {9: {"response": answer[:-4] + " the"}, 15: {"prompt": "cafÃ© \u2028 ＡＢＣ"}}.get(number % 40, {})
        row |= {20: {"response": f"{answer} jane.doe@example.org"}, 21: {"system": "Be brief."}}.get(number % 40, {})
        made.append(row)
        yield json.dumps(row, ensure_ascii=number % 2 == 0).encode()
        if number % 25 == 24:
            yield HOSTILE[number // 25 % len(HOSTILE)]
            yield b" "


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Several files of several formats, with repeats within and between them."""
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines(300, 1)))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b"\n".join([*lines(60, 1), *lines(60, 2)])))
    rows = [
        "question,answer",
        *(f'"What is {n}?","It is {n // 2}, said ""{n}""\nand more"' for n in range(90)),
        "a,b,c",
    ]
    (tmp_path / "c.csv").write_text("\n".join(rows))
    talk = [[{"role": "user", "content": f"Hi {n}"}, {"role": "assistant", "content": f"Hello {n}"}] for n in range(40)]
    polars.DataFrame({"messages": talk}).write_parquet(tmp_path / "d.parquet")
    (tmp_path / "e.json").write_text(
        json.dumps([{"instruction": "Add", "input": f"{n}", "output": "3"} for n in range(30)])
    )
    return [str(tmp_path / name) for name in ("a.jsonl", "b.jsonl.gz", "c.csv", "d.parquet", "e.json")]


@pytest.fixture(params=[0, 2], ids=["here", "two processes"])
def crew(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Crew]:
    """Tiny parts, so that repeats and groups lie in different ones."""
    for module, name, size in ((batches, "FIRST", 20), (batches, "ROWS", 37), (spool, "PART", 41)):
        monkeypatch.setattr(module, name, size)
    with Crew(request.param, tmp_path) as made:
        yield made


SETTINGS = DataSettings(max_bad=0.5)


def same(one: Dataset, other: Dataset) -> None:
    """Everything equal, examples compared as they are read."""
    assert tuple(one.examples) == tuple(other.examples)
    assert one.dropped == other.dropped
    assert one.findings == other.findings
    assert one.ledger == other.ledger
    assert (one.repairs, one.ignored, one.formats) == (other.repairs, other.ignored, other.formats)
    assert one.data_hash() == other.data_hash()
    assert one.ledger.balances()


def test_the_whole_way_comes_to_the_same(files: list[str], crew: Crew, tmp_path: Path) -> None:
    few, many = read(SETTINGS, files), read(SETTINGS, files, crew=crew)
    same(few, many)
    assert {row.rule for row in few.dropped} >= {"unreadable", "layout"}
    few, many = (quality.apply(each, QualitySettings()) for each in (few, many))
    same(few, many)
    assert {found.rule for found in few.findings} >= {"boilerplate", "mojibake", "contradiction", "cut"}
    few, many = map(duplicates.drop_repeats, (few, many))
    same(few, many)
    assert any(row.rule == "repeat" for row in few.dropped)
    same(similar.mark_near(few, "drop"), similar.mark_near(many, "drop"))
    few, many = (similar.mark_near(each, "flag") for each in (few, many))
    assert any(found.rule == similar.RULE for found in few.findings)
    (tmp_path / "items.jsonl").write_text(json.dumps({"id": "1", "prompt": few.examples[5].conversation.answer}))
    (few, first), (many, second) = (contamination.check(each, [str(tmp_path / "items.jsonl")]) for each in (few, many))
    same(few, many)
    assert first == second and first
    assert profile(few) == profile(many)
    assert personal.count(few) == personal.count(many)
    for each, name in ((few, "few"), (many, "many")):
        store.save(each, tmp_path / name)
    for part in (*store.PARTS, store.MANIFEST):
        assert (tmp_path / "few" / part).read_bytes() == (tmp_path / "many" / part).read_bytes()


@pytest.mark.parametrize(
    "settings",
    [
        QualitySettings(drop=("all",)),
        QualitySettings(repair=("all",)),
        QualitySettings(drop=("short", "contradiction")),
    ],
    ids=["drop", "repair", "drop some"],
)
def test_rules_that_drop_or_mend_come_to_the_same(files: list[str], settings: QualitySettings, tmp_path: Path) -> None:
    few = read(SETTINGS, files[:2])
    with pytest.MonkeyPatch.context() as patch, Crew(0, tmp_path) as crew:
        patch.setattr(spool, "PART", 41)
        many = read(SETTINGS, files[:2], crew=crew)
        same(quality.apply(few, settings), quality.apply(many, settings))


def test_masking_comes_to_the_same(files: list[str], tmp_path: Path) -> None:
    with Crew(0, tmp_path) as crew:
        few, many = read(SETTINGS, files[:2]), read(SETTINGS, files[:2], crew=crew)
        masked = [personal.mask(each, tmp_path / f"{name}.json") for each, name in ((few, "a"), (many, "b"))]
        same(*masked)
        assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
        assert masked[0].repairs["EMAIL masked"] > 5


def test_a_saved_data_set_is_read_back_the_same(files: list[str], crew: Crew, tmp_path: Path) -> None:
    dataset = read(SETTINGS, files)
    kept = set_aside(dataset, {dataset.examples[0].id: Reason("odd", "so that some `-2` stands alone")})
    store.save(kept, tmp_path / "saved")
    for names in ([str(tmp_path / "saved")], [str(tmp_path / "saved"), files[2]]):
        same(read(SETTINGS, names), read(SETTINGS, names, crew=crew))
    path = tmp_path / "saved" / "kept.jsonl"
    path.write_bytes(path.read_bytes().replace(b"Hello 1", b"Hallo 1", 1))
    with pytest.raises(DataError, match="was changed after it was saved"):
        store.load(tmp_path / "saved", crew)


@pytest.mark.parametrize("max_bad", [0.0, 0.01])
def test_too_many_bad_rows_are_told_in_the_same_words(files: list[str], crew: Crew, max_bad: float) -> None:
    told = []
    for each in (None, crew):
        with pytest.raises(DataError) as raised:
            read(DataSettings(max_bad=max_bad), files, crew=each)
        told.append(str(raised.value))
    assert told[0] == told[1]


def test_a_file_that_breaks_off_is_told_in_the_same_words(crew: Crew, tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(b'{"prompt": "%d", "response": "x"}' % n for n in range(1500)))[:-400])
    told = []
    for each in (None, crew):
        with pytest.raises(DataError) as raised:
            read(SETTINGS, [str(path)], crew=each)
        told.append(str(raised.value))
    assert told[0] == told[1]


def test_examples_on_a_disk_are_a_sequence_like_any(files: list[str], tmp_path: Path) -> None:
    with Crew(0, tmp_path) as crew:
        few, many = read(SETTINGS, files), read(SETTINGS, files, crew=crew)
        assert len(many) == len(few)
        assert [many.examples[place] for place in (0, 7, -1)] == [few.examples[place] for place in (0, 7, -1)]
        assert tuple(many.examples[3:9]) == tuple(few.examples[3:9])
        assert few.examples[4] in many.examples
        gone = {few.examples[place].id: Reason("odd", "for a test") for place in range(1, len(few), 2)}
        same(set_aside(few, gone), set_aside(many, gone))
        again = with_ids((e.conversation, e.source, e.group, e.tags) for e in many.examples)
        assert tuple(spool.ids(many.examples)) == tuple(example.id for example in again)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".tutelage-")]


def test_a_glance_at_many_counts_all_and_asks_some(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glance, "DRAWN", 100)
    dataset = read(SETTINGS, files)
    whole = glance.glance(dataset, QualitySettings())
    some = glance.glance(dataset, QualitySettings(), many=200)
    with Crew(0, tmp_path) as crew:
        spooled = glance.glance(read(SETTINGS, files, crew=crew), QualitySettings(), many=200)
        same(some.dataset, spooled.dataset)
    assert (whole.asked, whole.drawn) == (len(whole.dataset), False)
    assert (some.asked, some.drawn) == (100, True)
    assert some.dataset.examples == whole.dataset.examples and some.dataset.dropped == whole.dataset.dropped
    asked = {example.source for example in some.sample}
    found = {(each.source, each.rule) for each in some.dataset.findings}
    one_by_one = {(each.source, each.rule) for each in whole.dataset.findings if each.rule in quality.RULES}
    assert {pair for pair in found if pair[1] in quality.RULES} == {pair for pair in one_by_one if pair[0] in asked}
