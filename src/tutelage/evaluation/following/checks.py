"""All checks by name, and their parameters as a file gives them: typed, and refused by line where they are wrong."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from tutelage.errors import DataError
from tutelage.evaluation.following import conduct, layout, wording
from tutelage.evaluation.following.counting import shown
from tutelage.evaluation.following.limits import ParameterError

CHECKS: Mapping[str, Callable[..., str]] = {
    "language": conduct.language,
    "persona": conduct.persona,
    "unsure": conduct.unsure,
    "secret": conduct.secret,
    "repeats": conduct.repeats,
    "choice": conduct.choice,
    "words": layout.count_words,
    "sentences": layout.count_sentences,
    "paragraphs": layout.count_paragraphs,
    "lines": layout.count_lines,
    "characters": layout.count_characters,
    "bullets": layout.bullets,
    "numbered": layout.numbered_list,
    "json": layout.valid_json,
    "starts": layout.starts_with,
    "ends": layout.ends_with,
    "headings": layout.heading,
    "separated": layout.separated,
    "quoted": layout.quoted,
    "postscript": layout.postscript,
    "highlighted": layout.highlighted,
    "placeholders": layout.placeholders,
    "table": layout.table,
    "code": layout.code_block,
    "include": wording.include,
    "exclude": wording.exclude,
    "occurrences": wording.occurrences,
    "no_characters": wording.no_characters,
    "no_commas": wording.no_commas,
    "uppercase": wording.uppercase,
    "lowercase": wording.lowercase,
    "titlecase": wording.titlecase,
    "first_letters": wording.first_letters,
    "emoji": wording.emoji,
    "palindromes": wording.palindromes,
    "alphabetical": wording.alphabetical,
    "order": wording.order,
}
"""Each takes an answer and its parameters, and gives "" where the answer passes, else the reason in words."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check with its parameters, as `read_check` makes it."""

    name: str
    parameters: Mapping[str, Any]

    def failure(self, answer: str) -> str:
        """The check's name and the reason why an answer fails, or "" where it passes."""
        reason = CHECKS[self.name](answer, **self.parameters)
        return f"{self.name}: {reason}" if reason else ""

    def to_json(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {"name": self.name, **self.parameters}


def read_check(row: object, where: str = "") -> Check:
    """A check from its row in a file: `{"name": "words", "at_most": 50}`.

    Raises:
        DataError: where there is no such check, or a parameter is unknown, of another type or out of range, or the
            parameters do not go together; `where` (file and line) stands before it.
    """
    at = f"{where}: " if where else ""
    if not isinstance(row, Mapping) or not isinstance(row.get("name"), str):
        raise DataError(f'{at}a check is an object with a name, such as {{"name": "words", "at_most": 50}}')
    name = row["name"]
    if name not in CHECKS:
        raise DataError(f"{at}there is no check {shown(name)}; there are {', '.join(CHECKS)}")
    given = {key: value for key, value in row.items() if key != "name"}
    try:
        # what is given, as it is given: defaults stay in one place
        parameters = _model(name)(**given).model_dump(exclude_unset=True)
        CHECKS[name]("", **parameters)
    except ValidationError as error:
        raise DataError(f"{at}check {name}: {_told(name, error)}") from None
    except ParameterError as error:
        raise DataError(f"{at}check {name}: {error}") from None
    return Check(name, parameters)


def read_checks(rows: object, where: str = "") -> tuple[Check, ...]:
    """The checks of a prompt, at least one.

    Raises:
        DataError: as `read_check`, and where there is none.
    """
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{where + ': ' if where else ''}checks is a list of at least one check")
    return tuple(read_check(row, where) for row in rows)


def checked(answer: str, checks: Iterable[Check | Mapping[str, Any]]) -> tuple[str, ...]:
    """The failures of an answer in words, in the order of the checks; () where it passes all.

    The same answer always gets the same failures. Any text may be given: control characters, halves of surrogate
    pairs and very long answers are counted and quoted, never an error.

    Raises:
        DataError: where a check given as a mapping is none (`read_check`).
    """
    made = [check if isinstance(check, Check) else read_check(check) for check in checks]
    return tuple(failure for check in made if (failure := check.failure(answer)))


@lru_cache(len(CHECKS))
def _model(name: str) -> type[BaseModel]:
    """The parameters of a check as its function's signature types them; none is converted, and no other is taken."""
    signature = inspect.signature(CHECKS[name], eval_str=True)
    fields: dict[str, Any] = {
        key: (one.annotation, ... if one.default is inspect.Parameter.empty else one.default)
        for key, one in list(signature.parameters.items())[1:]
    }
    return create_model(f"Parameters of {name}", __config__=ConfigDict(extra="forbid", strict=True), **fields)


def parameters_of(name: str) -> tuple[str, ...]:
    """The names of a check's parameters."""
    return tuple(_model(name).model_fields)


def _told(name: str, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"no parameter {shown(where)}; there {_listed(parameters_of(name))}"
    if first["type"] == "missing":
        return f"the parameter {where} is missing"
    told = first["msg"][:1].lower() + first["msg"][1:]
    return f"the parameter {where}: {told}, not {shown(repr(first['input']))}"


def _listed(names: tuple[str, ...]) -> str:
    return f"are {', '.join(names)}" if len(names) > 1 else f"is {names[0]}" if names else "is none"
