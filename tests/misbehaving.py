"""A real HTTP server that answers as it is told to: well, badly, slowly, too much, or not at all."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Say = Callable[["Handler"], None]


@dataclass
class Served:
    """What a server was asked: for each request its path, headers and body."""

    url: str = ""
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    side_by_side: int = 0
    most_side_by_side: int = 0


class Handler(BaseHTTPRequestHandler):
    """Hands every request to `say`."""

    protocol_version = "HTTP/1.1"
    body: Any = None

    def do_POST(self) -> None:
        served: Served = self.server.served  # type: ignore[attr-defined]
        length = int(self.headers.get("content-length", 0))
        self.body = json.loads(self.rfile.read(length)) if length else None
        with self.server.lock:  # type: ignore[attr-defined]
            served.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, self.body))
            served.side_by_side += 1
            served.most_side_by_side = max(served.most_side_by_side, served.side_by_side)
            say = self.server.says(len(served.asked))  # type: ignore[attr-defined]
        try:
            say(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.server.lock:  # type: ignore[attr-defined]
                served.side_by_side -= 1

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def send(self, status: int, data: bytes, kind: str = "application/json", **headers: str) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)


def raw(status: int, data: bytes | str, kind: str = "application/json", **headers: str) -> Say:
    """Any answer."""
    content = data.encode() if isinstance(data, str) else data
    return lambda handler: handler.send(status, content, kind, **headers)


def answer(text: Any, reason: str | None = "stop", **more: Any) -> Say:
    """A chat completion."""
    message = {"role": "assistant", "content": text}
    content = {"choices": [{"index": 0, "message": message, "finish_reason": reason}], **more}
    return raw(200, json.dumps(content))


def hang(handler: Handler) -> None:
    """Nothing for a while, then the connection ends."""
    time.sleep(1.0)
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """A byte of a header now and then, each in time for the socket."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
    for _ in range(40):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)


def half(handler: Handler) -> None:
    """The connection ends in the middle of the answer."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    """The connection ends before anything is said."""
    handler.close_connection = True
    handler.connection.close()


@contextmanager
def serving(*says: Say, always: Callable[[Any], Say] | None = None) -> Iterator[Served]:
    """A server that gives these answers in turn, the last one for ever; or `always(body)`."""
    served = Served()

    def pick(number: int) -> Say:
        if always is not None:
            return lambda handler: always(handler.body)(handler)
        return says[min(number, len(says)) - 1]

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.served, server.says, server.lock = served, pick, threading.Lock()  # type: ignore[attr-defined]
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    served.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
