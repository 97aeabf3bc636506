"""From anybody's files to a Dataset whose two ledgers add up, and prompts for a model to answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.data import columns, formats, store
from tutelage.data.drafts import Draft, finish, joined
from tutelage.data.formats import Format, asked, text
from tutelage.data.messages import as_list, is_messages, turns_of
from tutelage.data.rows import Row, RowError, passed_over
from tutelage.data.sources import DataFile, find, read_rows, rows
from tutelage.data.tickets import LEFT_OUT, Threads
from tutelage.errors import DataError, UsageError
from tutelage.recipe import DataSettings
from tutelage.records import Conversation, Dataset, Dropped, Finding, Ledger, Prompt, Role, Source, Turn, with_ids

SAMPLE = 20
"""A file's format is recognised from so many rows."""
EARLY = 100
"""From so many rows on, a file most of whose rows are bad is not read to its end."""
EVERY = 1000
Made = tuple[Conversation, Source, str, tuple[str, ...]]


@dataclass(slots=True)
class _Gathered:
    made: list[Made] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    formats: dict[str, str] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    unknown: list[DataError] = field(default_factory=list)


def read(
    settings: DataSettings,
    files: Sequence[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Dataset:
    """All conversations in the files, and every row and conversation that is not used, with the reason.

    A row that cannot be read or lacks the format's columns is passed over; a conversation whose turns are
    out of order, unanswered or not to be trained is dropped. No quality rule is applied here. Folders
    written by `store.save` are read back as they are.

    Args:
        settings: how to read; `files` of it is read where `files` here is None.
        files: files, folders, patterns or hub data sets.
        progress: called now and then with the number of rows read so far.

    Raises:
        DataError: a missing file, an unknown layout, too many bad rows, or nothing left.
        UsageError: an unknown format, or a wrong mapping of columns.
    """
    names = settings.files if files is None else tuple(files)
    if not names:
        raise DataError("no files given: name a file, a folder or a hub data set with examples")
    format = _asked_format(settings)
    if len(names) == 1 and store.is_dataset(Path(names[0])):
        return store.load(Path(names[0]))
    gathered, seen = _Gathered(), set[Path]()
    for name in names:
        if store.is_dataset(Path(name)):
            _add_stored(gathered, store.load(Path(name)))
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


def _asked_format(settings: DataSettings) -> Format | None:
    if settings.columns:
        if settings.format != "auto":
            raise UsageError(f"columns and format ({settings.format}) contradict each other; give one of them")
        return columns.mapped(settings.columns)
    if settings.instruction:
        told = "data.instruction is put before the prompts of a table read with columns"
        raise UsageError(f"{told}: give data.columns=prompt=…,response=… too")
    return None if settings.format == "auto" else formats.named(settings.format)


def _read_file(
    file: DataFile,
    format: Format | None,
    settings: DataSettings,
    gathered: _Gathered,
    progress: Callable[[int], None] | None,
) -> None:
    source = rows(file)
    sample = _sample(source)
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
    _convert_all(file, _again(sample, source), chosen, settings, gathered, progress)


def _set_aside(file: DataFile, values: list[Mapping[str, object]], format: Format | None, gathered: _Gathered) -> None:
    """No row fits: an error where the user named the file, else one more file that holds no examples."""
    name = str(file.path)
    error = columns.without(name, values, format) if format else columns.unknown(name, values)
    if file.named:
        raise error
    gathered.ignored.append((name, f"no examples: columns {', '.join(columns.columns_of(values))}"))
    gathered.unknown.append(error)


def _sample(source: Iterator[Row | Dropped]) -> list[Row | Dropped]:
    sample: list[Row | Dropped] = []
    good = 0
    for row in source:
        sample.append(row)
        good += isinstance(row, Row)
        if good == SAMPLE or len(sample) == 10 * SAMPLE:
            break
    return sample


def _again(sample: Sequence[Row | Dropped], source: Iterator[Row | Dropped]) -> Iterator[Row | Dropped]:
    yield from sample
    yield from source


def _convert_all(
    file: DataFile,
    source: Iterator[Row | Dropped],
    format: Format | None,
    settings: DataSettings,
    gathered: _Gathered,
    progress: Callable[[int], None] | None,
) -> None:
    before, kept, dropped = gathered.ledger.rows_read, len(gathered.made), len(gathered.dropped)
    threads = format.threads(settings) if format and format.threads else None
    bad: list[Dropped] = []
    count = passed = 0
    for count, row in enumerate(source, 1):
        outcome: object = row
        if isinstance(row, Row) and format is not None:
            outcome = _convert(row, format, settings, gathered, threads)
        if isinstance(outcome, Dropped):
            passed += 1
            gathered.dropped.append(outcome)
        if isinstance(outcome, Dropped) and outcome.rule not in LEFT_OUT:
            bad.append(outcome)
            if count >= EARLY and len(bad) > count * max(0.5, settings.max_bad):
                raise _too_many(file, bad, count, settings, "so far")
        if progress and count % EVERY == 0:
            progress(before + count)
    if len(bad) > 1 and len(bad) > count * settings.max_bad:
        raise _too_many(file, bad, count, settings, "in all")
    for made_of, draft in threads.finish() if threads else ():
        _keep(draft, made_of, gathered)
    kept, dropped = len(gathered.made) - kept, len(gathered.dropped) - dropped - passed
    gathered.ledger += Ledger(count, count - passed, passed, kept + dropped, kept, dropped)
    if progress:
        progress(before + count)


def _convert(
    row: Row, format: Format, settings: DataSettings, gathered: _Gathered, threads: Threads | None
) -> Dropped | None:
    """A row's conversations into `gathered`, or its messages into `threads`; or why there are none."""
    try:
        if missing := format.missing(row.value):
            raise RowError(f"lacks the column {', '.join(missing)}", "layout")
        if threads:
            gathered.findings += threads.take(row)
            return None
        drafts = list(format.convert(row, settings))
        if not drafts:
            raise RowError("holds no conversation", "layout")
    except RowError as error:
        return passed_over(row.source, error)
    for draft in drafts:
        _keep(draft, row.source, gathered)
    return None


def _keep(draft: Draft, source: Source, gathered: _Gathered) -> None:
    """A draft as a conversation, or the reason why it is none."""
    try:
        finished = finish(draft)
    except RowError as error:
        gathered.dropped.append(Dropped(source, "conversation", error.rule, str(error)))
        return
    gathered.made.append((finished.conversation, source, draft.group, draft.tags))
    gathered.repairs.update(finished.repairs)


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
    gathered.made += [(e.conversation, e.source, e.group, e.tags) for e in stored.examples]
    gathered.dropped += stored.dropped
    gathered.findings += stored.findings
    gathered.repairs.update(stored.repairs)
    gathered.ignored += stored.ignored
    gathered.formats.update(stored.formats)
    gathered.ledger += stored.ledger


def _dataset(names: Sequence[str], gathered: _Gathered) -> Dataset:
    dataset = Dataset(
        with_ids(gathered.made),
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
