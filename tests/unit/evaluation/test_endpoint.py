"""The endpoint's client against a real server that misbehaves in every way."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from misbehaving import Handler, Say, answer, drip, half, hang, hang_up, raw, serving
from tutelage.errors import UsageError
from tutelage.evaluation.addresses import key_from
from tutelage.evaluation.endpoint import ATTEMPTS, Endpoint, EndpointError, Reply, is_address, reach
from tutelage.records import Role, Turn

SECRET = "sk-secret-1234567890"
ASK = (Turn(Role.SYSTEM, "Be brief."), Turn(Role.USER, "Hi"))


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("TUTELAGE_KEY", raising=False)
    yield


def ask(url: str, waits: list[float] | None = None, timeout: float = 5.0, key: str | None = SECRET) -> Reply:
    pause = (lambda _: None) if waits is None else waits.append
    with Endpoint(url, "m", key, timeout=timeout, pause=pause) as endpoint:
        return endpoint.chat(ASK, 16)


def test_a_chat_and_what_was_sent() -> None:
    said = answer("Hello", usage={"prompt_tokens": 7, "completion_tokens": 2})
    with serving(said) as served, Endpoint(served.url + "/chat/completions", "m", SECRET) as endpoint:
        reply = endpoint.chat(ASK, 16, 0.5, seed=3, stop=["\n"])
    path, headers, body = served.asked[0]
    assert reply == Reply("Hello", 7, 2, True)
    assert (path, headers["authorization"]) == ("/v1/chat/completions", f"Bearer {SECRET}")
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    wanted = {"model": "m", "messages": messages, "max_tokens": 16, "temperature": 0.5, "seed": 3, "stop": ["\n"]}
    assert body == wanted | {"stream": False}


def test_without_a_key_none_is_sent() -> None:
    with serving(answer("Hello")) as served:
        ask(served.url, key=None)
    assert "authorization" not in served.asked[0][1]


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (answer("cut", "length"), Reply("cut", 0, 0, False)),
        (answer(None), Reply("", 0, 0, True)),
        (
            answer([{"type": "text", "text": "a"}, {"type": "x"}, {"type": "text", "text": "b"}]),
            Reply("ab", 0, 0, True),
        ),
        (answer("a\ud800b"), Reply("a\ufffdb", 0, 0, True)),
        (answer("Hi", None, usage={"prompt_tokens": True, "completion_tokens": -4}), Reply("Hi", 0, 0, False)),
        (answer("Hi", usage="much"), Reply("Hi", 0, 0, True)),
        (raw(200, json.dumps({"choices": [{"message": {"content": "x"}}]}), "text/html"), Reply("x", 0, 0, False)),
    ],
)
def test_odd_but_readable_answers(said: Say, reply: Reply) -> None:
    with serving(said) as served:
        assert ask(served.url) == reply


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
def test_a_busy_endpoint_is_asked_again(status: int) -> None:
    with serving(raw(status, "{}"), raw(status, "<html>"), answer("Hello")) as served:
        waits: list[float] = []
        assert ask(served.url, waits).text == "Hello"
    assert len(served.asked) == 3
    assert 0.7 < waits[0] < 1.3 < 1.4 < waits[1] < 2.6


@pytest.mark.parametrize("broken", [half, hang_up])
def test_a_broken_connection_is_tried_again(broken: Say) -> None:
    with serving(broken, answer("Hello")) as served:
        assert ask(served.url).text == "Hello"


def test_it_gives_up_and_says_how_often_it_tried() -> None:
    with (
        serving(raw(503, '{"error": {"message": "warming up"}}')) as served,
        pytest.raises(EndpointError, match=rf"says 503: warming up \({ATTEMPTS} tries\)") as caught,
    ):
        ask(served.url)
    assert (len(served.asked), caught.value.status) == (ATTEMPTS, 503)


def test_the_endpoint_says_how_long_to_wait() -> None:
    for value, least, most in (("7", 7, 7), ("1e9", 60, 60), ("nan", 0, 2), ("9" * 90, 60, 60), ("Tue", 0, 2)):
        with serving(raw(429, "{}", retry_after=value), answer("Hello")) as served:
            waits: list[float] = []
            ask(served.url, waits)
        assert least <= waits[0] <= most
    with serving(raw(429, "{}", retry_after="Wed, 21 Oct 2037 07:28:00 GMT"), answer("Hello")) as served:
        waits = []
        ask(served.url, waits)
    assert waits == [60]


def test_no_money_left_is_not_waited_for() -> None:
    with (
        serving(raw(429, '{"error": {"code": "insufficient_quota", "message": "pay"}}')) as served,
        pytest.raises(EndpointError, match="pay"),
    ):
        ask(served.url)
    assert len(served.asked) == 1


@pytest.mark.parametrize("slow", [hang, drip])
def test_slow_answers_end_with_the_time_given(slow: Say) -> None:
    with serving(slow) as served, pytest.raises(EndpointError, match=r"does not answer within 0\.2 seconds.*2 tries"):
        ask(served.url, timeout=0.2)
    assert len(served.asked) == 2


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (raw(200, "<html>Welcome</html>", "text/html"), r"does not answer in JSON \(text/html\): '<html>Welcome"),
        (raw(200, b"\xff\xfe\x00"), "does not answer in JSON"),
        (raw(200, b"[" * 200_000), "does not answer in JSON"),
        (raw(200, b"1" * 10_000), "does not answer in JSON"),
        (raw(200, b""), "does not answer in JSON"),
        (raw(200, "[]"), "something else than a chat completion"),
        (raw(200, '{"choices": []}'), "something else than a chat completion"),
        (raw(200, '{"choices": [{"message": {"content": 3}}]}'), "something else than a chat completion"),
        (raw(200, '{"error": "no such model"}'), "no such model"),
        (raw(200, b"x" * 5_000_000), "more than 4,000,000 bytes"),
        (raw(200, gzip.compress(b" " * 50_000_000), content_encoding="gzip"), "does not answer in JSON"),
        (raw(404, '{"detail": "Not Found"}'), r"says 404: Not Found; does the address end in /v1"),
        (raw(400, '{"error": {"message": "bad \\u001b[31m thing"}}'), "says 400: bad ␛.31m thing"),
        (raw(401, '{"error": {"message": "no key"}}'), "says 401: no key; name the variable or file"),
        (raw(418, "{}" * 1_000), "says 418"),
    ],
)
def test_what_is_no_answer(said: Say, words: str) -> None:
    with serving(said) as served, pytest.raises(EndpointError, match=words) as caught:
        ask(served.url)
    assert len(served.asked) == 1
    assert served.url in str(caught.value) and len(str(caught.value)) < 700


def test_redirects_are_not_followed() -> None:
    with (
        serving(answer("stolen")) as other,
        serving(raw(307, "", location=other.url + "/chat/completions")) as served,
        pytest.raises(EndpointError, match="sends us on to http"),
    ):
        ask(served.url)
    assert other.asked == []


def test_the_key_is_in_no_message_and_no_repr() -> None:
    echo = json.dumps({"error": {"message": f"Incorrect key {SECRET} given"}})
    for said in (raw(401, echo), raw(200, f"your key {SECRET}"), raw(302, "", location=f"http://x/{SECRET}")):
        with serving(said) as served, pytest.raises(EndpointError) as caught:
            ask(served.url)
        assert SECRET not in str(caught.value) and "[key]" in str(caught.value)
    models = raw(200, json.dumps({"data": [{"id": SECRET}]}))
    with serving(models) as served, Endpoint(served.url, "m", SECRET) as endpoint:
        assert endpoint.models() == ("[key]",)
    assert SECRET not in repr(Endpoint("https://example.org/v1", "m", SECRET))


def test_nobody_there() -> None:
    with serving(answer("x")) as served:
        pass
    with pytest.raises(EndpointError, match=r"cannot be reached: .*is it running\? \(5 tries\)"):
        ask(served.url)


def test_the_limit_by_its_other_name() -> None:
    complaint = {"error": {"message": "Unsupported parameter: use max_completion_tokens instead of max_tokens"}}

    def say(body: Any) -> Say:
        return answer("ok") if "max_completion_tokens" in body else raw(400, json.dumps(complaint))

    with serving(always=say) as served, Endpoint(served.url, "m") as endpoint:
        assert [endpoint.chat(ASK, 16).text for _ in range(2)] == ["ok", "ok"]
    assert len(served.asked) == 3


def test_several_side_by_side_keep_their_places() -> None:
    def say(body: Any) -> Say:
        text = body["messages"][-1]["content"]
        return raw(400, "{}") if text == "5" else answer(f"re {text}")

    asked = [(Turn(Role.USER, str(number)),) for number in range(12)]
    with serving(always=say) as served, Endpoint(served.url, "m") as endpoint:
        replies = dict(endpoint.chats(asked, 8, side_by_side=3))
    refused = replies.pop(5)
    assert {place: reply.text for place, reply in replies.items() if isinstance(reply, Reply)} == {
        number: f"re {number}" for number in range(12) if number != 5
    }
    assert isinstance(refused, EndpointError) and refused.status == 400
    assert 1 <= served.most_side_by_side <= 3 and len(served.asked) == 12


def test_another_error_ends_the_asking() -> None:
    asked = [(Turn(Role.USER, str(number)),) for number in range(50)]
    with (
        serving(raw(401, "{}")) as served,
        Endpoint(served.url, "m") as endpoint,
        pytest.raises(EndpointError, match="401"),
    ):
        list(endpoint.chats(asked, 8, side_by_side=2))
    assert len(served.asked) < 10


def test_closing_waits_for_what_is_under_way() -> None:
    arrived, may_end = threading.Event(), threading.Event()

    def slow(handler: Handler) -> None:
        arrived.set()
        may_end.wait(20)
        answer("late")(handler)

    def say(body: Any) -> Say:
        if body["messages"][-1]["content"] == "slow":
            return slow
        arrived.wait(20)
        return raw(401, "{}")

    with serving(always=say) as served:
        with Endpoint(served.url, "m") as endpoint, pytest.raises(EndpointError, match="401"):
            list(endpoint.chats([(Turn(Role.USER, text),) for text in ("slow", "bad")], 8))
        assert not endpoint._client.is_closed
        with pytest.raises(EndpointError, match="was closed"):
            endpoint.chat(ASK, 8)
        may_end.set()
        for _ in range(2_000):
            if endpoint._client.is_closed:
                break
            time.sleep(0.01)
    assert endpoint._client.is_closed and len(served.asked) == 2


def test_the_one_model_that_is_served() -> None:
    models = raw(200, '{"data": [{"id": "one"}, {"x": 1}]}')
    with serving(models) as served, pytest.raises(EndpointError, match="does not list models"):
        reach(served.url)
    with serving(raw(200, '{"data": [{"id": "one"}]}')) as served:
        with reach(served.url) as endpoint:
            assert endpoint.model == "one"
        assert served.asked[0][0] == "/v1/models"
    with serving(raw(200, '{"data": [{"id": "one"}, {"id": "two"}]}')) as served:
        with pytest.raises(EndpointError, match="serves these models: one, two; name one as"):
            reach(served.url)
        assert reach(f"{served.url}#org/two:latest").model == "org/two:latest"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://localhost:8080", "http://localhost:8080/v1"),
        ("http://localhost:8080/", "http://localhost:8080/v1"),
        ("https://h.example/api/v3/chat/completions/", "https://h.example/api/v3"),
        ("https://h.example/v1?api-version=1", "https://h.example/v1"),
    ],
)
def test_addresses(url: str, shown: str) -> None:
    assert Endpoint(url, "m").url == shown


@pytest.mark.parametrize(
    "url", ["ftp://x/v1", "localhost:80", "http://", "http://x:99999/v1", "http://[::1/v1", "http://a\nb"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError, match="no address"):
        Endpoint(url, "m")


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint(f"https://me:{SECRET}@h.example/v1", "m")
    assert SECRET not in str(caught.value)


def test_plain_http_is_for_the_own_network_alone() -> None:
    for url in (
        *("http://127.0.0.1/v1", "http://localhost/v1", "http://[::1]:1/v1", "https://h.example/v1"),
        *("http://192.168.0.7:80/v1", "http://10.1.2.3/v1", "http://gpu-box:8000/v1", "http://box.local/v1"),
    ):
        assert Endpoint(url, "m", SECRET).url == url
    for url in (
        "http://h.example/v1",
        "http://8.8.8.8:80/v1",
        "http://192.168.0.7.example",
        "http://localhost.example",
        "http://127.0.0.1.x.org",
    ):
        with pytest.raises(UsageError, match="not encrypted and not in your own network") as caught:
            Endpoint(url, "m", SECRET)
        assert SECRET not in str(caught.value)


def test_where_the_key_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert key_from() is None
    monkeypatch.setenv("TUTELAGE_KEY", f" {SECRET}\n")
    monkeypatch.setenv("MINE", "other")
    (tmp_path / "key").write_text(f"\ufeff{SECRET}\n")
    assert (key_from(), key_from("MINE"), key_from(str(tmp_path / "key"))) == (SECRET, "other", SECRET)
    (tmp_path / "two").write_text("one key\nand another")
    for name in (SECRET, str(tmp_path), str(tmp_path / "two"), "a\0b"):
        with pytest.raises(UsageError) as caught:
            key_from(name)
        assert SECRET not in str(caught.value)


def test_what_an_address_is() -> None:
    assert [is_address(name) for name in ("http://x", "HTTPS://x", "org/model", "runs/http")] == [
        True,
        True,
        False,
        False,
    ]


def test_waits_grow() -> None:
    waits: list[float] = []
    with serving(raw(500, "{}")) as served, pytest.raises(EndpointError):
        ask(served.url, waits)
    assert len(waits) == ATTEMPTS - 1 and all(1.1 * one < other for one, other in pairwise(waits))
