"""Addresses of OpenAI-compatible endpoints, and where their keys are kept."""

from __future__ import annotations

import ipaddress
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from tutelage.errors import UsageError
from tutelage.pages import cut, readable

KEY_VARIABLE = "TUTELAGE_KEY"
"""Read where no other variable or file is named. A key for one provider is never sent to another by accident."""


NEAR = (".local", ".lan", ".internal", ".home.arpa")
"""Ends of names that no public address has."""


def is_address(name: str) -> bool:
    """Whether a model's name is the address of an endpoint."""
    return name.lower().startswith(("http://", "https://"))


def key_from(name: str = "") -> str | None:
    """The key that a variable or a file holds; without a name, that of TUTELAGE_KEY, None where it is not set.

    Args:
        name: of an environment variable or of a file; never the key itself.

    Raises:
        UsageError: there is no such variable or file, or what it holds cannot be a key. The text is not repeated: it
            may be the key, typed here by mistake.
    """
    found = os.environ.get(name or KEY_VARIABLE, "").strip()
    if not found:
        if not name:
            return None
        path = Path(name).expanduser()
        try:
            found = path.read_bytes()[:65_536].decode("utf-8-sig").strip()
        except (OSError, ValueError) as error:
            raise UsageError(
                "--key names an environment variable that is set, or a file that can be read, and never holds the key "
                f"itself; without it the variable {KEY_VARIABLE} is read"
            ) from error
    if not found or not found.isascii() or not found.isprintable() or " " in found:
        raise UsageError("the variable or file that --key names does not hold one key (a word of printable ASCII)")
    return found


def address_of(url: str) -> SplitResult:
    """The address of an endpoint, without /chat/completions; where it has no path, with /v1.

    Raises:
        UsageError: it cannot be one, has a password in it, or is plain http to a machine outside the own network.
    """
    try:
        parts = urlsplit(url.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or not url.strip().isprintable():
        shown = cut(readable(url.partition("?")[0].rpartition("@")[2]), 100)
        raise UsageError(f"{shown} is no address of an endpoint; it looks like http://localhost:8080/v1")
    if "@" in parts.netloc:
        raise UsageError(f"the address of {parts.hostname} has a name or password in it; keep the key in a file: --key")
    if parts.scheme == "http" and not is_near(parts):
        raise UsageError(
            f"http://{parts.netloc} is not encrypted and not in your own network: everybody on the way could read "
            f"texts and key. Use https, or a tunnel: ssh -L {parts.port or 8080}:localhost:{parts.port or 80} "
            f"{parts.hostname}, and then http://localhost:{parts.port or 8080}"
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions").rstrip("/") or "/v1"
    return parts._replace(path=path, fragment="")


def is_near(address: SplitResult) -> bool:
    """Whether what is asked there is on this machine or in its own network, by its private address or short name."""
    host = (address.hostname or "").rstrip(".")
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_private
    return is_local(address) or "." not in host or host.endswith(NEAR)


def is_local(address: SplitResult) -> bool:
    """Whether what is asked there runs on this machine."""
    host = address.hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False
