"""What a server that is not trusted may do to who asks it: take long, refuse in its own words, ask to come back."""

from __future__ import annotations

import json
import math
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

T = TypeVar("T")


def in_time(seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns, if it does in time: a peer that sends a byte now and then outlives any timeout of a socket.

    Raises:
        TimeoutError: it does not. Its thread ends with its connection, or with the program.
    """
    box: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            box.put((work(), None))
        except Exception as error:
            box.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        found, failure = box.get(timeout=seconds)
    except queue.Empty as error:
        raise TimeoutError from error
    if failure is not None:
        raise failure
    return cast(T, found)


def message_of(data: bytes) -> str:
    """What a refusal says: the message of its JSON, or its text."""
    text = data[:20_000].decode("utf-8", "replace")
    with suppress(ValueError, RecursionError):
        content = json.loads(data)
        for name in ("error", "message", "detail"):
            if isinstance(content, dict) and name in content:
                content = content[name]
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return "" if text.lstrip().startswith("<") else text


def retry_after(headers: Any) -> float:
    """Seconds that the endpoint asks us to wait, 0 where it does not say."""
    value = headers.get("retry-after", "")[:100]
    with suppress(ValueError):
        seconds = float(value)
        return seconds if math.isfinite(seconds) else 0.0
    with suppress(ValueError, TypeError):
        when = parsedate_to_datetime(value)
        return (when - datetime.now(UTC)).total_seconds()
    return 0.0
