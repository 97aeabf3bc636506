"""Files of rows: JSON Lines, JSON, tables, gzip, Parquet, prompts, and a data set that was saved."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Literal

from hostile.drawing import Draw
from hostile.judging import Harness
from tutelage.data import opening, store
from tutelage.data.reading import read, read_prompts
from tutelage.data.rows import Row
from tutelage.data.sources import read_rows
from tutelage.errors import DataError
from tutelage.recipe import DataSettings
from tutelage.records import Conversation, Dataset, Dropped, Finding, Ledger, Role, Source, Turn, with_ids

ALL_BAD = DataSettings(max_bad=1.0)
FIRST, LAST = {"prompt": "first", "response": "1"}, {"prompt": "last", "response": "2"}
LINES = [json.dumps(row).encode() for row in (FIRST, LAST)]


@cache
def folder() -> Path:
    """A folder in memory, where the system has that, that goes with this process."""
    import atexit

    place = Path(tempfile.mkdtemp(prefix="hostile-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    atexit.register(shutil.rmtree, place, True)
    return place


def written(name: str, content: bytes) -> Path:
    """A file of that name with that content."""
    path = folder() / name
    path.write_bytes(content)
    return path


def adds_up(dataset: Dataset) -> None:
    """Both sums of the ledger, and that its entries are as many as it says."""
    ledger = dataset.ledger
    rows = sum(gone.stage == "row" for gone in dataset.dropped)
    assert ledger.balances(), ledger
    assert ledger.rows_passed_over == rows, (ledger, dataset.dropped)
    assert ledger.conversations_dropped == len(dataset.dropped) - rows, (ledger, dataset.dropped)
    assert ledger.conversations_kept == len(dataset), ledger
    assert all(gone.reason.strip() and gone.rule for gone in dataset.dropped), dataset.dropped
    for example in dataset.examples:
        "".join(turn.text for turn in example.conversation.turns).encode()  # no half of a surrogate pair


def of_rows(path: Path, rule: str = "prompt") -> list[tuple[int, str]]:
    """Number and prompt of each row that is read; numbers go up."""
    found = list(read_rows(str(path)))
    numbers = [entry.source.rows[0] for entry in found]
    assert numbers == sorted(set(numbers)), numbers
    return [(row.source.rows[0], str(row.value.get(rule))) for row in found if isinstance(row, Row)]


def json_lines(data: bytes) -> None:
    """Whatever stands on the lines between two good ones, these are read, and each line is one entry or blank."""
    path = written("rows.jsonl", LINES[0] + b"\n" + data + b"\n" + LINES[1] + b"\n")
    lines = data.split(b"\n")
    entries = {entry.source.rows[0]: entry for entry in read_rows(str(path))}
    for number, line in enumerate(lines, 2):
        entry = entries.pop(number, None)
        assert (entry is None) == (not line.strip()), (number, line)
        if isinstance(entry, Row):
            assert entry.value == json.loads(line), line
    assert [row.value for row in entries.values() if isinstance(row, Row)] == [FIRST, LAST]
    adds_up(dataset := read(ALL_BAD, [str(path)]))
    assert {"first", "last"} <= {example.conversation.prompt[0].text for example in dataset.examples}


def json_file(data: bytes) -> None:
    """A list with something between two good rows: where that is JSON, they are read; else the file is named."""
    path = written("rows.json", b"[" + LINES[0] + b",\n" + data + b",\n" + LINES[1] + b"]")
    try:
        value: object = json.loads(data.decode())
    except (ValueError, RecursionError):
        value = json_file
    try:
        got = [prompt for _, prompt in of_rows(path)]
    except DataError as error:
        assert "rows.json" in str(error) and value is json_file, (error, value)
        got = []
    assert value is json_file or (got[0], got[-1]) == ("first", "last"), got
    adds_up(read(ALL_BAD, [str(written("any.json", data))]))


def table(data: bytes) -> None:
    """Rows of a table around any others are read, whatever quotes and separators these have."""
    draw = Draw(data)
    name, mark = draw.one_of((("rows.csv", b","), ("rows.csv", b";"), ("rows.tsv", b"\t")))
    end = draw.one_of((b"\n", b"\r\n"))
    between = draw.rest()
    rows = [mark.join((b"prompt", b"response")), mark.join((b"first", b"1")), between, mark.join((b"last", b"2"))]
    path = written(name, end.join(rows) + end)
    got = [prompt for _, prompt in of_rows(path)]
    assert "first" in got and "last" in got, got
    adds_up(read(ALL_BAD, [str(path)]))


def packed(data: bytes) -> None:
    """Gzip of anything, whole, cut or damaged."""
    draw = Draw(data)
    how, place, bit = draw.below(4), draw.byte() * 256 + draw.byte(), draw.below(8)
    content = gzip.compress(LINES[0] + b"\n" + draw.rest() + b"\n" + LINES[1] + b"\n", mtime=0)
    place %= len(content)
    if how == 1:
        content = content[:place]
    if how == 2:
        content = content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]
    if how == 3:
        content = data
    path = written("rows.jsonl.gz", content)
    try:
        got = of_rows(path)
    except DataError as error:
        assert "rows.jsonl.gz" in str(error) and how, error
        return
    assert how or got[0] == (1, "first"), got
    assert how or got[-1][1] == "last", got


def parquet(data: bytes) -> None:
    """A damaged Parquet file: whatever the library makes of it, a sentence or rows."""
    dataset = read(ALL_BAD, [str(written("rows.parquet", data))])
    adds_up(dataset)


def anything(data: bytes) -> None:
    """Any bytes under any name."""
    draw = Draw(data)
    name = draw.one_of(("x.jsonl", "x.json", "x.csv", "x.tsv", "x.parquet", "x.csv.gz", "x", "x.txt", "x.ndjson"))
    adds_up(read(ALL_BAD, [str(written(name, draw.rest()))]))


def prompts(data: bytes) -> None:
    """A file of prompts: every id once, every prompt ends with a question."""
    draw = Draw(data)
    path = written(draw.one_of(("p.jsonl", "p.txt", "p.csv", "p.json")), draw.rest())
    found = read_prompts(path)
    assert found and len({prompt.id for prompt in found}) == len(found)
    for prompt in found:
        assert prompt.turns[-1].role in (Role.USER, Role.TOOL)
        f"{prompt.id}{''.join(turn.text for turn in prompt.turns)}".encode()


def _any_dataset(draw: Draw) -> Dataset:
    made = []
    for _ in range(draw.below(4)):
        turns = [Turn(Role.SYSTEM, draw.text())] * draw.below(2)
        for asker in (Role.USER, draw.one_of((Role.USER, Role.TOOL)))[: 1 + draw.below(2)]:
            answer = Turn(Role.ASSISTANT, draw.text(), draw.one_of((None, True, False)))
            turns += [Turn(asker, draw.text()), answer]
        source = Source(draw.text(), (draw.byte(), draw.byte()))
        made.append((Conversation(tuple(turns)), source, draw.text(), (draw.text(), draw.text())[: draw.below(3)]))
    gone = [
        Dropped(Source(draw.text(), (1,)), draw.one_of(("row", "conversation")), draw.text(), draw.text())
        for _ in range(draw.below(3))
    ]
    found = [Finding(Source(draw.text(), (2,)), draw.text(), "flag", draw.text()) for _ in range(draw.below(3))]
    ignored = ((draw.text(), draw.text()),)[: draw.below(2)]
    counts = Ledger(*(draw.byte() for _ in range(6)))
    return Dataset(
        with_ids(made), tuple(gone), tuple(found), counts, {draw.text(): draw.byte()}, ignored, {draw.text(): "alpaca"}
    )


def saved(data: bytes) -> None:
    """What is saved is loaded; and a saved file that was changed is refused, never loaded as something else."""
    draw = Draw(data)
    place = folder() / "set"
    shutil.rmtree(place, ignore_errors=True)
    dataset = _any_dataset(draw)
    store.save(dataset, place)
    assert store.load(place) == dataset
    part = place / draw.one_of((*store.PARTS, store.MANIFEST))
    before = part.read_bytes()
    start = (draw.byte() * 256 + draw.byte()) % (len(before) + 1)
    after = before[:start] + draw.taken(draw.below(4)) + before[start + draw.below(4) :]
    part.write_bytes(after)
    try:
        again = store.load(place)
    except DataError:
        return
    # what the manifest says of counts and names is not sealed; what is trained on is
    assert again.examples == dataset.examples and again.dropped == dataset.dropped, after
    assert part.name == store.MANIFEST or after == before


def _parquet_seeds() -> tuple[bytes, ...]:
    import polars

    rows = [FIRST, LAST, {"prompt": "a\u2028b", "response": "=1"}]
    seeds = []
    kinds: tuple[Literal["uncompressed", "zstd", "snappy"], ...] = ("uncompressed", "zstd", "snappy")
    for compression in kinds:
        stream = io.BytesIO()
        polars.DataFrame(rows).write_parquet(stream, compression=compression)
        seeds.append(stream.getvalue())
    chat = [{"role": "user", "content": "x"}, {"role": "gpt", "content": None}]
    polars.DataFrame({"messages": [chat]}).write_parquet(stream := io.BytesIO())
    return (*seeds, stream.getvalue(), seeds[0][:60], b"PAR1" * 3)


BAD_LINES = (
    b'{"prompt": "\xff", "response": "b"}',
    opening.BOM + b'{"prompt": "a", "response": "b"}',
    b'{"prompt": "\x00", "response": "b"}',
    b'{"prompt": "\\u0000", "response": "b"}',
    b'{"prompt": "\\ud800", "response": "\\udfff\\ud83d\\ude00"}',
    b'{"prompt": NaN, "response": -Infinity}',
    b'{"prompt": 1e999, "response": -1E+400}',
    b'{"prompt": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    b'{"prompt": ' + b"7" * 4000 + b"777" * 120 + b"}",
    b'{"prompt": "a", "prompt": "c", "response": {"x": 1, "x": 2}}',
    b'["a", {}]\n"a"\nnull\n7\ntrue\n{}',
    b'{"prompt": "a"} {"prompt": "b"}\n{"prompt": "a\tb"}\n{"prompt": ',
    '{"prompt": "a\u2028b\u2029c\u0085d", "response": "\ufeffe"}'.encode(),
    b'\r\n\x0b\x0c\x1c{"prompt": "\\\\u0000", "response": "\\\\\\u0000"}\r',
    b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}',
)
CELLS = (
    b'"a, b","he said ""no""\nand left"',
    b"=1+1,+1\n-1,@sum\n=cmd|'/c calc'!A0,b",
    b'"a" b,c\n"never closed,d\n"\n""\n"""',
    b"\xff,b\n\x00,b\n" + opening.BOM + b"a,b\na\n,,\n,\n\n\r\r\n",
    b"prompt,response\nresponse,prompt",
    b'a\t"b\t\tc\n"a\tb"\t"c"\r',
    "a\u2028b,c\u0085d;e|f".encode(),
)
HARNESSES = {
    "json lines": Harness(json_lines, BAD_LINES, words=(b'"prompt"', b"\\u", b"\\ud83d", b"1e9", b"[[[[", b"NaN")),
    "json file": Harness(json_file, (*BAD_LINES, b'{"data": [{"prompt": "a"}]}', b"[]", b'[{"a": 1}]'), (DataError,)),
    "table": Harness(
        table, tuple(bytes([kind, 0]) + cell for kind in range(3) for cell in CELLS), words=(b'""', b'"\n"')
    ),
    "gzip": Harness(packed, tuple(bytes([n % 4, n, n, n]) + line for n, line in enumerate(BAD_LINES)), (DataError,)),
    "parquet": Harness(parquet, _parquet_seeds(), (DataError,)),
    "any file": Harness(
        anything,
        tuple(bytes([n]) + line for n, line in enumerate((*BAD_LINES, *CELLS))),
        (DataError,),
        (b"PAR1", b"\x1f\x8b\x08", b"\xff\xfe", b'{"messages": [', b"prompt,response\n", b'{"id": 1, "comments": [{'),
    ),
    "prompts": Harness(
        prompts,
        tuple(bytes([n % 4]) + line for n, line in enumerate((*BAD_LINES, *CELLS, b'{"id": 1, "prompt": "a"}'))),
        (DataError,),
        (b'"id"', b'"prompt"', b'"messages"', b'"role"', b'"user"', b'"content"', b'"instruction"'),
    ),
    "saved data set": Harness(saved, (b"", bytes(range(256)), bytes(range(255, 0, -1)) * 2, b"\x03\x01" * 60)),
}
