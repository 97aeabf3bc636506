"""The types of parameters of checks, and the one comparison of a count with what was asked for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Limit = Annotated[int, Field(ge=0, le=1_000_000)] | None
"""A number that is asked for, or None."""
Phrase = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"\S")]
"""Text that holds something."""
Letters = Annotated[str, Field(min_length=2, max_length=60, pattern=r"^[^\W\d_]+$")]
"""One word."""
Phrases = Annotated[list[Phrase], Field(min_length=1, max_length=100)]


class ParameterError(ValueError):
    """Parameters of a check that do not go together; the message says which."""


def off(count: int, thing: str, exactly: Limit, at_least: Limit, at_most: Limit) -> str:
    """The reason why a count is not what was asked for, or ""; `thing` is in the plural.

    Raises:
        ParameterError: where nothing is asked for, or what nothing can keep.
    """
    if exactly is None and at_least is None and at_most is None:
        raise ParameterError("give exactly, at_least or at_most")
    if exactly is not None and (at_least is not None or at_most is not None):
        raise ParameterError("exactly stands without at_least and at_most")
    if at_least is not None and at_most is not None and at_least > at_most:
        raise ParameterError(f"at_least {at_least} is more than at_most {at_most}")
    if exactly is not None and count != exactly:
        return f"{count:,} {thing}, not exactly {exactly:,}"
    if at_least is not None and count < at_least:
        return f"{count:,} {thing}, fewer than {at_least:,}"
    if at_most is not None and count > at_most:
        return f"{count:,} {thing}, more than {at_most:,}"
    return ""
