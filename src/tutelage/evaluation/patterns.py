"""Regular expressions that others wrote, searched by RE2: its time is linear in the text, whatever the expression."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tutelage.pages import cut, readable

LONGEST = 2_000
"""Characters of a regular expression."""


def finds(pattern: str, text: str) -> bool:
    """Whether a pattern without fault is found somewhere in a text."""
    return _compiled(pattern).search(text.encode(errors="replace").decode()) is not None


def pattern_fault(pattern: str) -> str:
    """Why a text cannot be searched for as a regular expression, in words; "" where it can."""
    import re2

    if len(pattern) > LONGEST:
        return f"it has {len(pattern):,} characters, more than {LONGEST:,}"
    try:
        _compiled(pattern)
    except (re2.error, UnicodeError) as error:
        told = error.args[0] if error.args else ""
        told = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
        return f"RE2 reads no look-around and no back-references, and says: {cut(readable(told), LONGEST)}"
    return ""


@lru_cache(1024)
def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False  # else it writes to stderr by itself
    return re2.compile(pattern, options)
