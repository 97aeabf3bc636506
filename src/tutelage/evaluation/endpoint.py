"""A model behind an OpenAI-compatible endpoint: the client that compare and judge ask it through.

Whoever answers at the other end is not trusted: what comes is bounded in time and size, a redirect is not followed, and
the key stands in one header of one request and nowhere else, not even in a message that the endpoint sends back.
"""

from __future__ import annotations

import json
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlunsplit

from tutelage.errors import ModelError
from tutelage.evaluation.addresses import KEY_VARIABLE, address_of, is_local, key_from
from tutelage.evaluation.addresses import is_address as is_address
from tutelage.evaluation.foreign import in_time, message_of, retry_after
from tutelage.pages import cut, readable
from tutelage.records import Turn

if TYPE_CHECKING:
    import httpx2

TIMEOUT, CONNECT = 300.0, 15.0
"""Seconds for a whole answer, and for a connection."""
ATTEMPTS, FIRST_WAIT, LONGEST_WAIT = 5, 1.0, 60.0
"""Times that a request is sent; seconds between the first two (then twice as long each time), and at most."""
MOST_BYTES = 4_000_000
"""Of one answer. A long one has some hundred thousand."""
SIDE_BY_SIDE = 4
BUSY = (408, 409, 425, 429, 500, 502, 503, 504, 529)
OF_REQUEST = (400, 413, 422)
ENDED = ("stop", "eos_token", "stop_sequence", "end_turn")
"""How servers say that the model ended its answer itself."""
MODELS = 1_000
_SAID = 300


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint answered.

    Attributes:
        prompt_tokens, tokens: as the endpoint counts them, of the prompt and of the answer; 0 where it does not say.
        stopped: the model ended its answer before the limit.
    """

    text: str
    prompt_tokens: int
    tokens: int
    stopped: bool


class EndpointError(ModelError):
    """The endpoint cannot be reached, refuses, or answers something else than an answer.

    Attributes:
        status: the HTTP status, None where none came.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def of_request(self) -> bool:
        """Whether it is this request that is refused (too long, say), and another one may be answered."""
        return self.status in OF_REQUEST


class _Again(Exception):
    """Worth another try, after `wait` seconds where the endpoint says how long."""

    def __init__(self, error: EndpointError, wait: float = 0.0, tries: int = ATTEMPTS) -> None:
        super().__init__(str(error))
        self.error, self.wait, self.tries = error, wait, tries


def reach(address: str, key: str = "") -> Endpoint:
    """The endpoint at URL#MODEL; without #MODEL, the one model that it serves.

    Args:
        key: name of the variable or file with the key, see `key_from`.

    Raises:
        UsageError: the address or the key cannot be one.
        EndpointError: no model is named, and the endpoint does not serve exactly one.
    """
    url, _, model = address.partition("#")
    endpoint = Endpoint(url, model, key_from(key))
    if model:
        return endpoint
    try:
        served = endpoint.models()
    except EndpointError:
        endpoint.close()
        raise
    if len(served) != 1:
        endpoint.close()
        listed = ", ".join(served[:12]) + (", …" if len(served) > 12 else "") or "none"
        raise EndpointError(f"{endpoint.url} serves these models: {listed}; name one as {endpoint.url}#MODEL")
    endpoint.model = served[0]
    return endpoint


class Endpoint:
    """A model at an OpenAI-compatible address, such as http://localhost:8080/v1; may be asked from several threads.

    Attributes:
        url: the address, fit to be shown: without the part after `?`, where some providers' secrets stand.
        model: its name there.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            url: with or without /chat/completions; where it has no path, /v1 is meant.
            key: sent as a bearer token; None: none is sent.
            timeout: seconds for each try, however the endpoint spreads them.
            pause: waits for so many seconds between two tries.

        Raises:
            UsageError: the address cannot be one, has a password in it, or is neither encrypted nor on this machine.
        """
        self._parts = address_of(url)
        self.url = urlunsplit(self._parts._replace(query=""))
        self.model = model
        self._local = is_local(self._parts)
        self._key, self._timeout, self._pause = key, timeout, pause
        self._limit = "max_tokens"
        self._lock, self._under_way, self._closed = threading.Lock(), 0, False
        self._client = self._connected()

    def _connected(self) -> httpx2.Client:
        import httpx2

        # "identity": a compressed answer could be a thousand times as large as what is counted while it comes.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "tutelage"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        timeout = httpx2.Timeout(self._timeout, connect=min(CONNECT, self._timeout))
        return httpx2.Client(headers=headers, timeout=timeout, follow_redirects=False, trust_env=not self._local)

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r}, {self.model!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing can be asked any more; the connections are closed as soon as what is under way has ended."""
        with self._lock:
            self._closed = True
            busy = self._under_way > 0
        if not busy:
            self._client.close()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """A request under way: closed beneath it, its connection would stay open for ever."""
        with self._lock:
            if self._closed:
                raise EndpointError(f"the connection to {self.url} was closed")
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                last = self._closed and not self._under_way
            if last:
                self._client.close()

    def models(self) -> tuple[str, ...]:
        """Names of the models that are served there.

        Raises:
            EndpointError: it does not say.
        """
        content = self._ask("GET", "models", None)
        try:
            names = [row["id"] for row in content["data"]]
        except (KeyError, TypeError) as error:
            raise EndpointError(f"{self.url}/models does not list models; name one as {self.url}#MODEL") from error
        return tuple(self._clean(name, 200) for name in names[:MODELS] if isinstance(name, str))

    def chat(
        self,
        messages: Sequence[Turn],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
    ) -> Reply:
        """One answer.

        Args:
            messages: turns that end with the user's.
            seed: of sampling, for endpoints that have one; stop: texts before which the answer ends.

        Raises:
            EndpointError: after all tries there is none.
        """
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": turn.role.value, "content": turn.text} for turn in messages],
            "temperature": temperature,
            "stream": False,
        }
        body |= ({} if seed is None else {"seed": seed}) | ({"stop": list(stop)} if stop else {})
        try:
            content = self._ask("POST", "chat/completions", body | {self._limit: max_tokens})
        except EndpointError as error:
            # Some providers' newer models call the limit by another name, and say so.
            if not error.of_request or "max_completion_tokens" not in str(error) or self._limit != "max_tokens":
                raise
            self._limit = "max_completion_tokens"
            content = self._ask("POST", "chat/completions", body | {self._limit: max_tokens})
        return self._reply(content)

    def chats(
        self,
        asked: Sequence[Sequence[Turn]],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
        side_by_side: int = SIDE_BY_SIDE,
    ) -> Iterator[tuple[int, Reply | EndpointError]]:
        """Answers to several prompts as they come, each with its place; at most `side_by_side` are under way.

        A prompt that is refused for what it is (too long, say) gives the error in the place of its reply.

        Raises:
            EndpointError: any other; nothing more is asked then.
        """
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[int, Reply | Exception]] = queue.SimpleQueue()
        for place in range(len(asked)):
            waiting.put(place)
        over = threading.Event()

        def work() -> None:
            with suppress(queue.Empty):
                while not over.is_set():
                    place = waiting.get_nowait()
                    try:
                        done.put((place, self.chat(asked[place], max_tokens, temperature, seed, stop)))
                    except Exception as error:
                        done.put((place, error))

        for _ in range(min(side_by_side, len(asked))):
            threading.Thread(target=work, daemon=True).start()
        try:
            for _ in asked:
                place, reply = done.get()
                if isinstance(reply, Exception) and not (isinstance(reply, EndpointError) and reply.of_request):
                    raise reply
                yield place, reply
        finally:
            over.set()

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        """The JSON value that came, after as many tries as it is worth."""
        url = urlunsplit(self._parts._replace(path=f"{self._parts.path}/{path}"))
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once(method, url, body)
            except _Again as again:
                if attempt >= again.tries:
                    tried = f" ({attempt} tries)" if attempt > 1 else ""
                    raise EndpointError(f"{again.error}{tried}", again.error.status) from again
                usual = FIRST_WAIT * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
                self._pause(min(max(usual, again.wait), LONGEST_WAIT))
        raise AssertionError("unreachable")

    def _once(self, method: str, url: str, body: dict[str, Any] | None) -> Any:
        import httpx2

        try:
            status, headers, data = in_time(self._timeout, lambda: self._exchange(method, url, body))
        except (TimeoutError, httpx2.TimeoutException) as error:
            message = f"{self.url} does not answer within {self._timeout:g} seconds; is it running, and not overloaded?"
            raise _Again(EndpointError(message), tries=2) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError) as error:
            message = f"{self.url} cannot be reached: {self._clean(str(error)) or type(error).__name__}; is it running?"
            raise _Again(EndpointError(message)) from error
        if 300 <= status < 400:
            to = self._clean(headers.get("location", "another address"))
            raise EndpointError(f"{self.url} sends us on to {to}; name that address where you trust it", status)
        if status >= 400:
            raise self._refused(status, headers, data)
        if len(data) > MOST_BYTES:
            raise EndpointError(f"{self.url} answers more than {MOST_BYTES:,} bytes; that is no chat answer", status)
        return self._parsed(status, headers, data)

    def _exchange(self, method: str, url: str, body: dict[str, Any] | None) -> tuple[int, Any, bytes]:
        """Status, headers, and the body as far as it is not too long."""
        with self._counted(), self._client.stream(method, url, json=body) as response:
            data = bytearray()
            for piece in response.iter_raw():
                data += piece
                if len(data) > MOST_BYTES:
                    break
            return response.status_code, response.headers, bytes(data)

    def _parsed(self, status: int, headers: Any, data: bytes) -> Any:
        kind = self._clean(headers.get("content-type", "no type"), 60)
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            said = self._clean(data.decode("utf-8", "replace"), 80)
            message = f"{self.url} does not answer in JSON ({kind}): {said!r}; does the address end in /v1?"
            raise EndpointError(message, status) from error

    def _refused(self, status: int, headers: Any, data: bytes) -> Exception:
        said = self._clean(message_of(data))
        advice = {
            400: "the request as a whole is not accepted",
            401: f"name the variable or file with the key with --key, or set {KEY_VARIABLE}",
            403: "the key is not allowed to ask this",
            404: f"does the address end in /v1, and does it serve {self.model or 'models'}?",
            405: "does the address end in /v1?",
        }.get(status, "")
        parts = [f"{self.url} says {status}", *([f": {said}"] if said else []), *([f"; {advice}"] if advice else [])]
        error = EndpointError("".join(parts), status)
        spent = "insufficient_quota" in data[:10_000].decode("utf-8", "replace")
        return _Again(error, retry_after(headers)) if status in BUSY and not spent else error

    def _reply(self, content: Any) -> Reply:
        try:
            choice = content["choices"][0]
            text = choice["message"].get("content") or ""
            if isinstance(text, list):
                text = "".join(part["text"] for part in text if part.get("type") == "text")
            if not isinstance(text, str):
                raise TypeError(type(text).__name__)
            usage = content.get("usage")
            usage = usage if isinstance(usage, dict) else {}
        except (LookupError, TypeError, AttributeError) as error:
            said = self._clean(json.dumps(content), 120)
            raise EndpointError(f"{self.url} answers something else than a chat completion: {said}") from error
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # JSON may hold halves of pairs
        read, written = (_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens"))
        return Reply(whole, read, written, choice.get("finish_reason") in ENDED)

    def _clean(self, text: str, most: int = _SAID) -> str:
        """A foreign text in a message: on one line, harmless, short, and without the key."""
        if self._key:
            text = text.replace(self._key, "[key]")
        return cut(readable(" ".join(text[:20_000].split())), most)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
