"""From anybody's files to a Dataset whose two ledgers add up, and prompts for a model to answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path

from tutelage.data import columns, formats, store
from tutelage.data.batches import Batch, Converted, asked_format, batches, check_columns, converted, keep, packed_up
from tutelage.data.cells import asked, text
from tutelage.data.crew import Crew, Tell, processors
from tutelage.data.drafts import joined
from tutelage.data.formats import Format
from tutelage.data.messages import as_list, is_messages, turns_of
from tutelage.data.rows import Row, RowError, passed_over
from tutelage.data.sources import DataFile, find, read_rows
from tutelage.data.spool import PART, Made, Spool, packed
from tutelage.data.tickets import LEFT_OUT, Threads
from tutelage.errors import DataError
from tutelage.recipe import DataSettings
from tutelage.records import Dataset, Dropped, Finding, Ledger, Prompt, Role, Turn, with_ids

SAMPLE = 20
"""A file's format is recognised from so many rows."""
LARGE = 64 * 1024**2
"""Files of so many bytes together are read by several processes; smaller ones are done before those would start."""
PACKED = 4
"""Text is so many times as large as the Parquet or gzip file that holds it, about."""
EARLY = 100
"""From so many rows on, a file most of whose rows are bad is not read to its end."""


@dataclass(slots=True)
class _Gathered:
    crew: Crew | None
    spool: Spool | None
    made: list[Made] = field(default_factory=list)
    count: int = 0
    dropped: list[Dropped] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    formats: dict[str, str] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    unknown: list[DataError] = field(default_factory=list)

    def add(self, found: Converted) -> None:
        """Take over what became of some rows."""
        self.repairs.update(found.repairs)
        self.dropped += [row for _, row in found.dropped]
        self.count += len(found.made) + (len(found.pack.sizes) if found.pack else 0)
        if self.spool:
            self.spool.add(found.pack or packed(found.made))
        else:
            self.made += found.made

    def outcomes(self, source: Iterator[Batch], settings: DataSettings, name: str) -> Iterator[Converted]:
        """What becomes of batches, in order; in other processes where there are some."""
        if self.crew:
            return self.crew.ordered(partial(packed_up, settings=settings, name=name), source)
        return (converted(batch, settings, name) for batch in source)


def read(
    settings: DataSettings,
    files: Sequence[str] | None = None,
    progress: Tell | None = None,
    crew: Crew | None = None,
) -> Dataset:
    """All conversations in the files, and every row and conversation that is not used, with the reason.

    A row that cannot be read or lacks the format's columns is passed over; a conversation whose turns are
    out of order, unanswered or not to be trained is dropped. No quality rule is applied here. Folders
    written by `store.save` are read back as they are.

    Args:
        settings: how to read; `files` of it is read where `files` here is None.
        files: files, folders, patterns or hub data sets.
        progress: told now and then how many rows were read; with a crew, also what comes of them later.
        crew: processes that share out the work, and a folder that the examples are written into instead of memory.

    Raises:
        DataError: a missing file, an unknown layout, too many bad rows, or nothing left.
        UsageError: an unknown format, or a wrong mapping of columns.
    """
    names = settings.files if files is None else tuple(files)
    if not names:
        raise DataError("no files given: name a file, a folder or a hub data set with examples")
    format = asked_format(settings)
    if len(names) == 1 and store.is_dataset(Path(names[0])):
        return store.load(Path(names[0]), crew)
    if crew:
        crew.tell = progress
    gathered, seen = _Gathered(crew, Spool(crew) if crew else None), set[Path]()
    for name in names:
        if store.is_dataset(Path(name)):
            _add_stored(gathered, store.load(Path(name), crew))
            continue
        found = find(name)
        gathered.ignored += found.ignored
        for file in found.files:
            if file.path.resolve() in seen:
                gathered.ignored.append((str(file.path), "named twice"))
                continue
            seen.add(file.path.resolve())
            _read_file(file, format, settings, gathered, progress)
    return _dataset(names, gathered)


def crew_for(
    files: Sequence[str], beside: Path | None = None, large: int = LARGE
) -> AbstractContextManager[Crew | None]:
    """Processes for files of more than `large` bytes; none for smaller ones, which are done before those would start.

    Raises:
        DataError: as `sources.find`.
    """
    size = 0
    for name in files:
        stored = store.is_dataset(Path(name))
        paths = [Path(name) / store.PARTS[0]] if stored else [file.path for file in find(name).files]
        size += sum(path.stat().st_size * (PACKED if path.suffix in (".gz", ".parquet") else 1) for path in paths)
    if size <= large:
        return nullcontext()
    there = beside and next((place for place in (beside, *beside.parents) if place.is_dir()), None)
    return Crew(processors(), there)


def _read_file(
    file: DataFile,
    format: Format | None,
    settings: DataSettings,
    gathered: _Gathered,
    progress: Tell | None,
) -> None:
    source = batches(file)
    first, sample = _sample(source)
    values = [row.value for row in sample if isinstance(row, Row)]
    chosen = format or formats.detect(values)
    if values and (chosen is None or not any(map(chosen.matches, values))):
        _set_aside(file, values, format, gathered)
        return
    if not sample and file.named:
        raise DataError(f"{file.path}: the file holds no rows")
    if not sample:
        gathered.ignored.append((str(file.path), "no rows"))
        return
    if chosen is not None and chosen.threads:
        chosen.threads(settings).check(str(file.path), values)
    if chosen is not None:
        gathered.formats[str(file.path)] = chosen.name
    _convert_all(file, chain(first, source), chosen, settings, gathered, progress)


def _set_aside(file: DataFile, values: list[Mapping[str, object]], format: Format | None, gathered: _Gathered) -> None:
    """No row fits: an error where the user named the file, else one more file that holds no examples."""
    name = str(file.path)
    error = columns.without(name, values, format) if format else columns.unknown(name, values)
    if file.named:
        raise error
    gathered.ignored.append((name, f"no examples: columns {', '.join(columns.columns_of(values))}"))
    gathered.unknown.append(error)


def _sample(source: Iterator[Batch]) -> tuple[list[Batch], list[Row | Dropped]]:
    """The first batches of a file, and the rows of them that its format is recognised from."""
    first: list[Batch] = []
    sample: list[Row | Dropped] = []
    good = 0
    for batch in source:
        first.append(batch)
        for row in batch.rows():
            sample.append(row)
            good += isinstance(row, Row)
            if good == SAMPLE or len(sample) == 10 * SAMPLE:
                return first, sample
    return first, sample


def _convert_all(
    file: DataFile,
    source: Iterator[Batch],
    format: Format | None,
    settings: DataSettings,
    gathered: _Gathered,
    progress: Tell | None,
) -> None:
    before, kept, dropped = gathered.ledger.rows_read, gathered.count, len(gathered.dropped)
    threads = format.threads(settings) if format and format.threads else None
    outcomes: Iterator[Converted]
    if format and threads:
        outcomes = (_threaded(batch, format, threads, gathered) for batch in source)
    else:
        outcomes = gathered.outcomes(source, settings, format.name if format else "")
    bad: list[Dropped] = []
    count = passed = 0
    for found in outcomes:
        for number, row in found.dropped:
            if row.stage == "row" and row.rule not in LEFT_OUT:
                bad.append(row)
                if count + number >= EARLY and len(bad) > (count + number) * max(0.5, settings.max_bad):
                    raise _too_many(file, bad, count + number, settings, "so far")
        gathered.add(found)
        count += found.rows
        passed += found.passed
        if progress:
            progress("rows read", before + count, 0)
    if len(bad) > 1 and len(bad) > count * settings.max_bad:
        raise _too_many(file, bad, count, settings, "in all")
    if threads:
        gathered.add(_finished(threads))
    kept, dropped = gathered.count - kept, len(gathered.dropped) - dropped - passed
    gathered.ledger += Ledger(count, count - passed, passed, kept + dropped, kept, dropped)


def _threaded(batch: Batch, format: Format, threads: Threads, gathered: _Gathered) -> Converted:
    """A batch's messages into `threads`, whose conversations are made when all are there."""
    found = Converted()
    for found.rows, row in enumerate(batch.rows(), 1):
        outcome: Row | Dropped = row
        if isinstance(row, Row):
            try:
                check_columns(row, format)
                gathered.findings += threads.take(row)
            except RowError as error:
                outcome = passed_over(row.source, error)
        if isinstance(outcome, Dropped):
            found.passed += 1
            found.dropped.append((found.rows, outcome))
    return found


def _finished(threads: Threads) -> Converted:
    found = Converted()
    for source, draft in threads.finish():
        keep(draft, source, found)
    return found


def _too_many(file: DataFile, bad: list[Dropped], count: int, settings: DataSettings, when: str) -> DataError:
    reasons = "\n".join(f"  {row.source}: {row.reason}" for row in bad[:5])
    more = f"\n  and {len(bad) - 5} more" if len(bad) > 5 else ""
    share = len(bad) / count
    return DataError(
        f"{file.path}: {len(bad)} of {count} rows {when} cannot be used ({share:.1%}; allowed "
        f"{settings.max_bad:.1%}):\n{reasons}{more}\n"
        f"Mend them, or allow more: --max-bad {min(1.0, share + 0.01):.2f}"
    )


def _add_stored(gathered: _Gathered, stored: Dataset) -> None:
    source = iter(stored.examples)
    while block := list(islice(source, PART)):
        gathered.add(Converted(made=[(e.conversation, e.source, e.group, e.tags) for e in block]))
    gathered.dropped += stored.dropped
    gathered.findings += stored.findings
    gathered.repairs.update(stored.repairs)
    gathered.ignored += stored.ignored
    gathered.formats.update(stored.formats)
    gathered.ledger += stored.ledger


def _dataset(names: Sequence[str], gathered: _Gathered) -> Dataset:
    dataset = Dataset(
        gathered.spool.examples() if gathered.spool else with_ids(gathered.made),
        tuple(gathered.dropped),
        tuple(gathered.findings),
        ledger=gathered.ledger,
        repairs=dict(gathered.repairs),
        ignored=tuple(gathered.ignored),
        formats=gathered.formats,
    )
    if not dataset.examples and not dataset.dropped and gathered.unknown:
        raise gathered.unknown[0]
    if not dataset.examples:
        raise _nothing_left(", ".join(names), dataset)
    return dataset


def _nothing_left(names: str, dataset: Dataset) -> DataError:
    if not dataset.dropped:
        ignored = "\n".join(f"  {file}: {reason}" for file, reason in dataset.ignored[:5])
        return DataError(f"{names}: no file holds examples\n{ignored}")
    counts = Counter(f"{row.rule}: {row.reason}" for row in dataset.dropped)
    reasons = "\n".join(f"  {count}: {reason}" for reason, count in counts.most_common(5))
    return DataError(f"{names}: no conversation is left of {dataset.ledger.rows_read} rows:\n{reasons}")


def read_prompts(path: str | Path) -> tuple[Prompt, ...]:
    """Prompts to answer: rows with `id` and `messages`, `prompt`, `instruction` (and `input`) or `question`.

    The id of a row without one is its number. An answer that ends the messages is cut. In a .txt file each
    line is a prompt.

    Raises:
        DataError: a missing or empty file, a row that is no prompt (none is passed over), an id used twice.
    """
    path = Path(path)
    if path.suffix == ".txt" and path.is_file():
        prompts = _text_prompts(path)
    else:
        prompts = [_prompt(row) for row in read_rows(str(path))]
    if not prompts:
        raise DataError(f"{path}: no prompts in this file")
    counts = Counter(prompt.id for prompt in prompts)
    twice, count = counts.most_common(1)[0]
    if count > 1:
        raise DataError(f"{path}: the id {twice} stands {count} times; ids have to differ")
    return tuple(prompts)


def _text_prompts(path: Path) -> list[Prompt]:
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start + 1}: save the file as UTF-8") from None
    numbered = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    return [Prompt(str(number), (Turn(Role.USER, line),)) for number, line in numbered if line]


def _prompt(row: Row | Dropped) -> Prompt:
    if isinstance(row, Dropped):
        raise DataError(f"{row.source}: {row.reason}")
    value = row.value
    name = text(value, "id").strip() or str(row.source.rows[0])
    try:
        turns = list(_question(value))
        while turns and turns[-1].role is Role.ASSISTANT:
            turns.pop()
        if not turns or not turns[-1].text.strip():
            raise RowError("the prompt is blank", "blank")
        return Prompt(name, tuple(turns))
    except DataError as error:
        raise DataError(f"{row.source}: {error}") from None


def _question(value: Mapping[str, object]) -> tuple[Turn, ...]:
    system = text(value, "system")
    for name in ("messages", "conversations"):
        if is_messages(as_list(value.get(name))):
            return turns_of(value[name], value.get("tools"))
    for name in ("prompt", "question"):
        if value.get(name) is not None:
            return asked(value[name], name, system)
    if "instruction" in value:
        parts = [text(value, name) for name in ("instruction", "input", "context")]
        return asked(joined(parts), "instruction", system)
    seen = ", ".join(value) or "none"
    raise RowError(f"no prompt: a row has messages, prompt, instruction or question (columns: {seen})", "layout")
