"""JSON in answers, strictly read, and kept to a schema that may come from anybody: no network, no endless search."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from tutelage.data.jsonrows import StrictJson
from tutelage.data.rows import RowError
from tutelage.evaluation.patterns import finds, pattern_fault
from tutelage.pages import cut, readable

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MOST_STEPS = 10_000
"""References that are followed in one answer: those of a schema can double at every level."""
DEEPEST = 60
"""Levels of a schema."""
SHOWN = 160
_FENCED = re.compile(r"```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)


class _TooMuch(Exception):
    """A schema asks for more work than is done."""


def parsed(answer: str) -> tuple[Any, str]:
    """The JSON value that an answer is, and what is wrong with it, "" where nothing is.

    Strict: no NaN, no key twice, nothing before or after but a Markdown fence around all of it.
    """
    text = answer.strip()
    if hit := _FENCED.fullmatch(text):
        text = hit[1].strip()
    decoder = StrictJson()
    try:
        value, end = decoder.value(text)
    except RowError as error:
        return None, str(error)
    if decoder.faults:
        return None, f"not valid JSON: {decoder.faults[0]}"
    return value, f"not valid JSON: more text after the value at character {end + 1}" if end < len(text) else ""


def schema_fault(schema: object) -> str:
    """What is wrong with a schema, in words; "" where answers can be held against it."""
    import jsonschema
    from referencing import Registry, Resource
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    if not isinstance(schema, Mapping):
        return "the schema is no object"
    if schema.get("$schema", DRAFT) not in (DRAFT, DRAFT + "#"):
        return f"the schema is of another draft; only {DRAFT} is read"
    plain = _plain(schema)
    if told := next(_faults(plain, 0), ""):
        return f"the schema {told}"
    try:
        jsonschema.Draft202012Validator.check_schema(plain, format_checker=None)  # type: ignore[arg-type]
    except jsonschema.SchemaError as error:
        return f"the schema is not valid: {cut(readable(error.message), SHOWN)}"
    resource: Any = Resource.from_contents(plain, default_specification=DRAFT202012)
    known: Any = Registry().with_resource("", resource)
    for wanted in _references(plain):
        try:
            known.resolver().lookup(wanted)
        except (Unresolvable, ValueError):
            return f"the schema refers to {cut(readable(wanted), SHOWN)}, which is not in it"
    return ""


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without the name of its draft, by which jsonschema would take its own validator instead of ours."""
    return {name: part for name, part in schema.items() if name != "$schema"}


def _faults(part: object, depth: int) -> Iterator[str]:
    """What stands in a schema and is not read here."""
    if depth > DEEPEST:
        yield "is nested too deeply"
        return
    if isinstance(part, Mapping):
        if "patternProperties" in part:
            yield "has patternProperties, which is not read here; name the properties"
        for name in ("$schema", "$id"):
            if isinstance(part.get(name), str):
                yield f"has {name} within it, which is not read here; leave it out"
        wanted = part.get("pattern")
        if isinstance(wanted, str) and (told := pattern_fault(wanted)):
            yield f"has the pattern {cut(readable(wanted), SHOWN)}: {told}"
    for one in part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ():
        yield from _faults(one, depth + 1)


def _references(part: object) -> Iterator[str]:
    if isinstance(part, Mapping):
        yield from (part[name] for name in ("$ref", "$dynamicRef") if isinstance(part.get(name), str))
    for one in part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ():
        yield from _references(one)


def validated(value: object, schema: object) -> str:
    """Where a value does not keep a schema without fault, in words; "" where it does."""
    from referencing.exceptions import Unresolvable

    try:
        fault = next(iter(_validator(_plain(schema) if isinstance(schema, Mapping) else {}).iter_errors(value)), None)
    except (RecursionError, _TooMuch):
        return "the schema goes round in circles"
    except Unresolvable as error:
        return f"the schema refers to what is not in it: {cut(readable(str(error)), SHOWN)}"
    except ArithmeticError:
        return "a number is too large to be held against the schema"
    if fault is None:
        return ""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.absolute_path)
    return cut(readable(f"{where.lstrip('.') or 'the value'}: {fault.message}"), SHOWN)


def _validator(schema: dict[str, Any]) -> Any:
    """A validator that never asks the network, searches with RE2, and follows only so many references."""
    from jsonschema import Draft202012Validator, ValidationError, validators
    from referencing import Registry

    steps = count(1)

    def pattern(validator: Any, wanted: str, instance: Any, schema: Any) -> Iterator[Any]:
        if isinstance(instance, str) and not finds(wanted, instance):
            yield ValidationError(f"{instance!r} does not match {wanted!r}")

    def follow(validator: Any, wanted: str, instance: Any, schema: Any) -> Iterator[Any]:
        if next(steps) > MOST_STEPS:
            raise _TooMuch
        yield from Draft202012Validator.VALIDATORS["$ref"](validator, wanted, instance, schema) or ()

    rules: dict[str, Any] = {"pattern": pattern, "$ref": follow, "$dynamicRef": follow}
    kind: Any = validators.extend(Draft202012Validator, rules)  # type: ignore[no-untyped-call]
    return kind(schema, registry=Registry())
