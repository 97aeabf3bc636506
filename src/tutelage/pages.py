"""Pages without scripts or network: their style sheet and its policy, text that cannot act, files not written over."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path

from tutelage.errors import UsageError

STYLE = Path(__file__).with_name("pages.css")
GENERATOR = '<meta name="generator" content="tutelage">'
"""Stands near the top of every page that may be written over."""
HEAD = 2048
"""Bytes in which it stands."""
_SHARED = "/* pages.css */"
_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def skeleton(path: Path) -> tuple[str, str]:
    """A page's template with the shared style sheet put into its own, and its content-security policy.

    Only this very style sheet may act: were some text ever to slip through unescaped, it would do nothing.
    """
    text = path.read_text(encoding="utf-8").replace(_SHARED, STYLE.read_text(encoding="utf-8"))
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return text, f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def readable(text: str) -> str:
    """The text with every character that is not seen but acts (controls, directions, halves of pairs) made visible."""
    return _ACTING.sub(_visible, text.replace("\r\n", "\n"))


def _visible(hit: re.Match[str]) -> str:
    code = ord(hit[0])
    if code < 0x20 or code == 0x7F:
        return chr(0x2421 if code == 0x7F else 0x2400 + code)  # Unicode has a picture of each
    return f"\u27e8U+{code:04X}\u27e9"


def cut(text: str, most: int) -> str:
    """The text, or its beginning with a mark that says how much is missing."""
    return text if len(text) <= most else f"{text[:most].rstrip()} \u2026 [{len(text) - most:,} more characters]"


def percent(share: float) -> str:
    """A share for a person; what is there is never 0 %."""
    return "<0.1%" if 0 < share < 0.001 else f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"


def size(count: int) -> str:
    """Bytes for a person."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count:,} bytes"


def check(path: Path | None) -> None:
    """Ask before a long piece of work whether its page can be written; None: no page is wanted.

    Raises:
        UsageError: the file is something else than a page that was made here.
    """
    if path and path.exists() and not is_page(path):
        raise UsageError(f"{path}: exists and is no page of this program; name another file, or move it away")


def write(path: Path, content: str) -> None:
    """Write a page through a temporary file; only a page that was made here is written over.

    Raises:
        UsageError: as `check`, and where the file cannot be written.
    """
    check(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(content, encoding="utf-8", newline="\n")
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: the page cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def is_page(path: Path) -> bool:
    """Whether a file was written here, and may be written over."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return GENERATOR.encode() in stream.read(HEAD)
