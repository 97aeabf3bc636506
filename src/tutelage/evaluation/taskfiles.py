"""The rows of a file of tasks, in JSON Lines or YAML, each with the line that it begins in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tutelage.data.jsonrows import read_lines
from tutelage.errors import DataError
from tutelage.pages import cut, readable
from tutelage.records import Dropped

TYPED = ("schema", "checks")
"""Fields in which YAML's numbers are numbers; elsewhere what is written is the text: 1.50 and 007 stay as they are."""
DEEPEST = 60
LARGEST = 64 * 1024**2
"""Bytes of a YAML file."""
_KINDS = ("null", "bool", "int", "float")


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row: file and line in words, the row's own number, and its fields."""

    where: str
    number: int
    value: Mapping[str, Any]


def rows_of(path: Path) -> Iterator[FileRow]:
    """The rows of a file; of a YAML mapping first what stands beside `items`, with a `task` in any case.

    Raises:
        DataError: the file cannot be read, or a row is no object.
    """
    if path.suffix in (".yaml", ".yml"):
        yield from _yaml_rows(path)
        return
    for row in read_lines(path):
        line = row.source.rows[0]
        where = f"{path}, line {line}"
        if isinstance(row, Dropped):
            raise DataError(f"{where}: {row.reason}")
        yield FileRow(where, line, row.value)


class _Loader(yaml.SafeLoader):
    """YAML without anchors, which could unfold without end, and not nested too deeply."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """See yaml.composer.Composer."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            line = f"line {event.start_mark.line + 1}: " if event.start_mark else ""
            raise yaml.MarkedYAMLError(None, None, f"{line}references (*name) are not read here; write it out")
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.MarkedYAMLError(None, None, "nested too deeply")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def _yaml_rows(path: Path) -> Iterator[FileRow]:
    root = _composed(path)
    if isinstance(root, yaml.MappingNode):
        fields = {key.value: (key, value) for key, value in root.value}
        if "items" not in fields or not isinstance(fields["items"][1], yaml.SequenceNode):
            raise DataError(f"{path}: a YAML file of tasks is a list of items, or a mapping with a list named items")
        head = yaml.MappingNode(root.tag, [pair for pair in root.value if pair[0].value != "items"], root.start_mark)
        yield FileRow(f"{path}, line {_line(root)}", 0, {"task": "", **_mapping(path, head, False)})
        root = fields["items"][1]
    if not isinstance(root, yaml.SequenceNode):
        raise DataError(f"{path}: a YAML file of tasks is a list of items, or a mapping with a list named items")
    for number, node in enumerate(root.value, 1):
        where = f"{path}, line {_line(node)}"
        if not isinstance(node, yaml.MappingNode):
            raise DataError(f"{where}: an item is a mapping, such as - prompt: …")
        yield FileRow(where, number, _mapping(path, node, False))


def _composed(path: Path) -> Any:
    try:
        data = path.read_bytes()
        if len(data) > LARGEST:
            raise DataError(f"{path}: more than {LARGEST // 1024**2} MB of YAML; write it as JSON Lines")
        loader: Any = _Loader(data.decode("utf-8-sig"))
        return loader.get_single_node()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start + 1}: save the file as UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error.strerror}") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        told = getattr(error, "problem", None) or getattr(error, "reason", None) or "nested too deeply"
        raise DataError(f"{path}{line}: not valid YAML: {cut(readable(str(told)), 200)}") from None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _mapping(path: Path, node: yaml.MappingNode, typed: bool) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in node.value:
        where = f"{path}, line {_line(key)}"
        if not isinstance(key, yaml.ScalarNode):
            raise DataError(f"{where}: the name of a field is a text")
        if key.value in made:
            raise DataError(f"{where}: the field {cut(readable(key.value), 60)} stands twice")
        made[key.value] = _value(path, value, typed or key.value in TYPED)
    return made


def _value(path: Path, node: yaml.Node, typed: bool) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(path, node, typed)
    if isinstance(node, yaml.SequenceNode):
        return [_value(path, one, typed) for one in node.value]
    kind = node.tag.rpartition(":")[2]
    if kind == "null" and not node.value:
        return None  # a field with nothing after it
    if not typed or kind not in _KINDS:
        return node.value
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(f"{path}, line {_line(node)}: {cut(readable(node.value), 60)} cannot be read") from error
