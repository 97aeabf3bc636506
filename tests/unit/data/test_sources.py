"""Rows from every kind of file, and what becomes of broken ones."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tutelage.data import jsonrows, opening, tablerows
from tutelage.data.rows import Row
from tutelage.data.sources import find, read_rows
from tutelage.errors import DataError
from tutelage.records import Dropped

Write = Callable[..., Path]
A, B = {"prompt": "a", "response": "b"}, {"prompt": "c", "response": "d"}


def good(path: Path | str) -> list[dict[str, object]]:
    return [dict(row.value) for row in read_rows(str(path)) if isinstance(row, Row)]


def bad(path: Path) -> list[tuple[int, str]]:
    return [(row.source.rows[0], row.reason) for row in read_rows(str(path)) if isinstance(row, Dropped)]


def parquet(rows: list[dict[str, object]]) -> bytes:
    import io

    import polars

    stream = io.BytesIO()
    polars.DataFrame(rows).write_parquet(stream)
    return stream.getvalue()


JSONL = b"".join(json.dumps(row).encode() + b"\n" for row in (A, B))
CSV = b"prompt,response\na,b\nc,d\n"
CONTENTS = {
    "rows.jsonl": JSONL,
    "rows.ndjson": JSONL,
    "no_last_newline.jsonl": JSONL[:-1],
    "windows.jsonl": JSONL.replace(b"\n", b"\r\n"),
    "bom.jsonl": opening.BOM + JSONL,
    "blank_lines.jsonl": b"\n\n" + JSONL.replace(b"\n", b"\n \n"),
    "lines_named.json": JSONL,
    "list.json": json.dumps([A, B], indent=2).encode(),
    "list_in_one_line.json": json.dumps([A, B]).encode(),
    "list_named.jsonl": json.dumps([A, B], indent=2).encode(),
    "bom.json": opening.BOM + json.dumps([A, B]).encode(),
    "held.json": json.dumps({"version": 1, "data": [A, B]}).encode(),
    "held_alone.json": json.dumps({"anything": [A, B]}).encode(),
    "table.csv": CSV,
    "table_windows.csv": CSV.replace(b"\n", b"\r\n"),
    "table_bom.csv": opening.BOM + CSV,
    "table_semicolon.csv": CSV.replace(b",", b";"),
    "table_blank_rows.csv": CSV + b"\n,\n",
    "table.tsv": CSV.replace(b",", b"\t"),
    "table_named.jsonl": CSV,
    "lines_named.csv": JSONL,
    "table.parquet": parquet([A, B]),
    "no_extension": JSONL,
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", CONTENTS)
def test_every_kind_of_file_gives_the_same_rows(write: Write, name: str, packed: bool) -> None:
    content = gzip.compress(CONTENTS[name]) if packed else CONTENTS[name]
    assert good(write(name + ".gz" * packed, content)) == [A, B]


BAD_LINES = {
    "not UTF-8": b'{"prompt": "\xff", "response": "b"}',
    "byte order mark": opening.BOM + b'{"prompt": "a", "response": "b"}',
    "NUL byte": b'{"prompt": "\x00", "response": "b"}',
    "NUL character": b'{"prompt": "\\u0000", "response": "b"}',
    "surrogate pair": b'{"prompt": "\\ud800", "response": "b"}',
    "NaN is no JSON number": b'{"prompt": NaN, "response": "b"}',
    "-Infinity is no JSON number": b'{"prompt": -Infinity, "response": "b"}',
    "too large": b'{"prompt": 1e999, "response": "b"}',
    "nested too deeply": b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "number of 5,000 digits": b'{"prompt": ' + b"7" * 5000 + b', "response": "b"}',
    "longer than": b'{"prompt": "' + b"x" * 3_000_000 + b'", "response": "b"}',
    '"prompt" stands twice': b'{"prompt": "a", "prompt": "c", "response": "b"}',
    '"x" stands twice': b'{"prompt": "a", "response": "b", "deep": [{"x": 1, "x": 2}]}',
    "a list where an object": b'["a", "b"]',
    "text where an object": b'"a"',
    "null where an object": b"null",
    "a number where an object": b"7",
    "not valid JSON": b'{"prompt": "a", "response": ',
    "more text after the value": b'{"prompt": "a"} {"prompt": "b"}',
    "control character": b'{"prompt": "a\tb"}',
}


@pytest.mark.parametrize("reason", BAD_LINES)
def test_a_bad_line_is_one_entry_and_the_rest_is_read(
    write: Write, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setattr(opening, "LINE_LIMIT", 1024 * 1024)
    first, second, _ = JSONL.split(b"\n")
    path = write("faq.jsonl", b"\n".join([first, BAD_LINES[reason], b"", second, b""]))
    (number, told), rows = bad(path)[0], good(path)
    assert (number, reason in told, len(bad(path)), rows) == (2, True, 1, [A, B])


@pytest.mark.parametrize("reason", [name for name in BAD_LINES if name not in {"byte order mark", "longer than"}])
def test_a_bad_first_line_too(write: Write, reason: str) -> None:
    path = write("faq.jsonl", BAD_LINES[reason] + b"\n" + JSONL)
    assert ([number for number, _ in bad(path)], good(path)) == ([1], [A, B])


LIST_FAULTS = [
    "NaN is no JSON number",
    "surrogate pair",
    "NUL character",
    "not UTF-8",
    "number of 5,000 digits",
    '"prompt" stands twice',
    "a list where an object",
]


@pytest.mark.parametrize("reason", LIST_FAULTS)
def test_a_bad_row_of_a_json_list_is_one_entry(write: Write, reason: str) -> None:
    first, second, _ = JSONL.split(b"\n")
    path = write("faq.json", b"[" + b",\n".join([first, BAD_LINES[reason], second]) + b"]")
    assert (bad(path)[0][0], reason in bad(path)[0][1], good(path)) == (2, True, [A, B])


def test_line_separators_of_unicode_are_text(write: Write) -> None:
    row = {"prompt": "a\u2028b\u2029c\u0085d", "response": "\ufeffe"}
    assert good(write("faq.jsonl", json.dumps(row, ensure_ascii=False))) == [row]


def test_a_long_line_is_never_held_whole(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "LINE_LIMIT", 1000)
    path = write("faq.jsonl", b"x" * 10_000_000 + b"\n" + JSONL)
    with opening.open_bytes(path) as stream:
        assert [len(line or b"") for _, line in opening.lines(stream)] == [0, 32, 32]


def test_a_line_of_just_the_limit_is_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "LINE_LIMIT", 33)
    path = write("edge.txt", b"x" * 33 + b"\n" + b"y" * 34 + b"\n" + b"z" * 33)
    with opening.open_bytes(path) as stream:
        assert [line and line[:1] for _, line in opening.lines(stream)] == [b"x", None, b"z"]


def test_a_gzip_bomb_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "UNPACKED_LIMIT", 100_000)
    path = write("bomb.jsonl.gz", gzip.compress(b'{"prompt": "' + b"x" * 50_000_000))
    with pytest.raises(DataError, match="unpacks to more than"):
        list(read_rows(str(path)))


def test_damaged_gzip_is_told(write: Write) -> None:
    path = write("cut.jsonl.gz", gzip.compress(JSONL * 100)[:-20])
    with pytest.raises(DataError, match="gzip data is damaged"):
        list(read_rows(str(path)))


BROKEN_FILES = {
    "cut.json": (b'[{"a": 1}, {"a": ', "line 1: not valid JSON"),
    "two.json": (b'[\n{"a": 1}]\n{"a": 2', "line 3: more text after the list"),
    "comma.json": (b'[{"a": 1}\n{"a": 2}]', "without a comma"),
    "deep.json": (b"[" * 100_000, "nested too deeply"),
    "splits.json": (b'{"train": [{"a": 1}], "data": [{"a": 1}]}', "several lists"),
    "twice.csv": (b"a,a\n1,2\n", "two columns are named 'a'"),
    "latin.csv": (b"pr\xe9,b\n1,2\n", "column names are not UTF-8"),
    "wide.csv": ("prompt,response\n".encode("utf-16"), "UTF-16"),
    "sheet.csv": (b"PK\x03\x04rest", "not text"),
    "text.parquet": (b"prompt", "does not start like a Parquet file"),
    "cut.parquet": (b"PAR1" + b"x" * 50, "not a readable Parquet file"),
    "notes.txt": (b"just text", "not a file of rows"),
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_broken_file_is_named_with_the_reason(write: Write, name: str) -> None:
    content, reason = BROKEN_FILES[name]
    with pytest.raises(DataError, match=reason) as told:
        list(read_rows(str(write(name, content))))
    assert name in str(told.value)


def test_a_parquet_file_that_its_reader_panics_at_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A panic is no Exception, so it would pass every handler."""
    import polars

    def panicking(stream: object) -> None:
        raise polars.exceptions.PanicException("index out of bounds")

    monkeypatch.setattr(polars, "read_parquet", panicking)
    with pytest.raises(DataError, match=r"rows\.parquet: not a readable Parquet file: index out of bounds"):
        good(write("rows.parquet", parquet([A])))


BAD_CSV = {
    "not UTF-8": b"\xff,b",
    "NUL byte": b"\x00,b",
    "byte order mark": opening.BOM + b"a,b",
    "3 cells where the header has 2": b"a,b,c",
    "1 cells where the header has 2": b"a",
    "not valid CSV": b'"a" b,c',
    "a quote not closed": b'"a,b',
    "longer than": b"x" * 3000 + b",b",
}


@pytest.mark.parametrize("reason", BAD_CSV)
def test_a_bad_csv_row_is_one_entry(write: Write, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    monkeypatch.setattr(opening, "LINE_LIMIT", 2000)
    monkeypatch.setattr(tablerows, "RECORD_LINES", 3)
    path = write("table.csv", CSV.replace(b"c,d\n", BAD_CSV[reason] + b"\nc,d\ne,f\ng,h\ni,j\n"))
    told = [(number, reason in why, "line 3" in why) for number, why in bad(path)]
    assert (told, good(path)[:2], len(good(path))) == ([(2, True, True)], [A, B], 5)


def test_quoted_cells_hold_commas_quotes_and_lines(write: Write) -> None:
    path = write("table.csv", b'prompt,response\n"a, b","he said ""no""\nand left"\nc,d\n')
    assert good(path) == [{"prompt": "a, b", "response": 'he said "no"\nand left'}, B]


def test_a_quote_left_open_at_the_end_costs_one_row(write: Write) -> None:
    path = write("table.csv", CSV.replace(b"c,d\n", b'"c,d\nc,d\ne,f\n'))
    assert ([number for number, _ in bad(path)], good(path)) == (
        [2],
        [A, B, {"prompt": "e", "response": "f"}],
    )


def test_a_tsv_without_header_is_flan(write: Write) -> None:
    path = write("cot.tsv", '"Is 7" odd?\\nOptions:\\n- yes\tyes\tIt is.\nIs 8 odd?\tno\tIt is not.\n')
    assert good(path)[0] == {
        "question": '"Is 7" odd?\nOptions:\n- yes',
        "answer": "yes",
        "explanation": "It is.",
    }


def test_quotes_in_tsv_are_text_unless_they_quote(write: Write) -> None:
    plain = good(write("plain.tsv", 'prompt\tresponse\n"So" he said\tb\n'))
    quoted = good(write("quoted.tsv", 'prompt\tresponse\n"a\tb"\t"say ""so"""\n'))
    assert (plain[0]["prompt"], quoted[0]) == ('"So" he said', {"prompt": "a\tb", "response": 'say "so"'})


def test_each_instance_of_a_task_file_is_a_row(write: Write) -> None:
    path = write("task1.json", json.dumps({"Definition": "d", "Instances": [{"input": "1"}, {"input": "2"}]}))
    assert good(path)[1] == {"Definition": "d", "Instances": [{"input": "2"}]}


def test_one_object_is_one_row(write: Write) -> None:
    row = {"messages": [{"role": "user", "content": "a"}]}
    assert good(write("one.json", json.dumps(row, indent=1))) == [row]


def test_a_folder_is_read_in_order_and_names_what_it_ignores(write: Write, tmp_path: Path) -> None:
    write("set/b/rows.jsonl", JSONL)
    write("set/a.csv", CSV)
    write("set/LICENSE", "Permission is granted, free of charge, …")
    write("set/README.md", "# A set")
    write("set/empty.jsonl", "")
    write("set/.cache/rows.jsonl", JSONL)
    (tmp_path / "set" / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    found = find(str(tmp_path / "set"))
    ignored = {Path(name).name: reason for name, reason in found.ignored}
    assert [file.path.name for file in found.files] == ["a.csv", "rows.jsonl"]
    assert ignored == {
        ".cache": "hidden folder",
        "LICENSE": "not a file of rows",
        "README.md": "not a file of rows",
        "empty.jsonl": "empty",
        "gone.jsonl": "a broken link, or no regular file",
    }


def test_a_name_that_cannot_be_written_down_is_refused(write: Write, tmp_path: Path) -> None:
    """It would stand in the data set, the report and the messages, and break them."""
    write("set/rows.jsonl", JSONL)
    name = os.fsencode(tmp_path) + b"/set/caf\xe9.jsonl"
    try:
        with open(name, "wb") as stream:
            stream.write(JSONL)
    except OSError:
        pytest.skip("this system's names are always text")
    with pytest.raises(DataError, match=r"caf\\xe9\.jsonl: the name holds bytes that are no UTF-8.*rename it"):
        find(os.fsdecode(name))
    found = find(str(tmp_path / "set"))
    ((ignored, reason),) = found.ignored
    assert ([file.path.name for file in found.files], ignored.endswith(r"caf\xe9.jsonl")) == (["rows.jsonl"], True)
    assert "rename it" in reason


def test_a_pattern_matches_files(write: Write, tmp_path: Path) -> None:
    write("a.jsonl", JSONL)
    write("b.csv", CSV)
    assert good(f"{tmp_path}/*.jsonl") == [A, B]
    with pytest.raises(DataError, match="no file of rows matches"):
        find(f"{tmp_path}/*.parquet")


def test_a_missing_path_names_near_ones(write: Write, tmp_path: Path) -> None:
    write("faq.jsonl", JSONL)
    with pytest.raises(DataError, match=r"did you mean .*faq\.jsonl\?"):
        find(str(tmp_path / "fag.jsonl"))
    with pytest.raises(DataError, match="there is no folder"):
        find(str(tmp_path / "nowhere" / "fag.jsonl"))


def test_a_hub_data_set_is_read_from_its_snapshot(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("snapshot/data/train-00000.jsonl", JSONL)
    write("snapshot/data/test-00000.jsonl", JSONL)
    asked: dict[str, object] = {}

    def download(name: str, **options: object) -> str:
        asked.update(options, name=name)
        return str(tmp_path / "snapshot")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    found = find("someone/something")
    assert (asked["name"], asked["repo_type"]) == ("someone/something", "dataset")
    assert [file.path.name for file in found.files] == ["train-00000.jsonl"]
    assert [(Path(name).name, reason[:13]) for name, reason in found.ignored] == [("test-00000.jsonl", "another split")]


def test_an_unreachable_hub_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(name: str, **options: object) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("offline")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(DataError, match="the hub could not be asked"):
        find("someone/something")


def test_a_document_too_large_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonrows, "DOCUMENT_LIMIT", 10)
    with pytest.raises(DataError, match="write it as JSON Lines"):
        good(write("list.json", json.dumps([A, B], indent=1)))


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(DataError, match="not a regular file"):
        find(str(tmp_path / "pipe.jsonl"))


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(DataError, match="an empty name"):
        find("")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(["x.jsonl", "x.json", "x.csv", "x.tsv", "x.parquet", "x.csv.gz", "x"]),
    st.lists(st.sampled_from([b"{", b"[", b'"', b",", b"\t", b"\n", b"\r", b"a", b"\x00", b"\xff", b"\x1f\x8b", b"1"])),
)
def test_any_bytes_are_read_or_refused(write: Write, name: str, content: list[bytes]) -> None:
    try:
        list(read_rows(str(write(name, b"".join(content)))))
    except DataError as error:
        assert name in str(error)
