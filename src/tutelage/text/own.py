"""A model's own Jinja chat template, used only after it is proven on probe conversations.

The template is run twice on a conversation: with the real texts, and with each text replaced by a mark of its
own. Where both agree, the marks tell which characters are people's and which are the template's, so the same
spans come out as from a built-in template. Where they do not agree (it rewrites an earlier turn, say), the
conversation is refused by name rather than mislabelled.
"""

from __future__ import annotations

import math
import re
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import CallBlock, Node
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tutelage.errors import TemplateError
from tutelage.records import Role, Turn
from tutelage.text.templates import Span, split_literal

with suppress(ImportError):
    import resource  # not on every system

SOURCE_MOST = 200_000  # characters; the longest published chat templates have some 20,000
OUTPUT_MOST = 50_000_000
SECONDS_MOST = 5.0
AGAIN = 1.0
"""Seconds after which the alarm comes again: Python only reports what is raised while it collects garbage."""
MEMORY_MOST = 512 * 1024**2
"""Bytes that a template may take beside what the process has already."""
_OPEN, _CLOSE = "\ue0f0", "\ue0f1"  # private-use characters around a mark's number
_MARK = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_HINT = "use model.template=plain (works with every model) or another built-in template"


class _Generation(Extension):
    """Accepts the generation marks that some templates carry; here they change nothing."""

    tags = {"generation"}  # noqa: RUF012 - Jinja's own interface

    def parse(self, parser: Parser) -> Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller: Any) -> str:
        return str(caller())


class _Stopped(BaseException):
    """A template's time is over. No Exception: Jinja swallows those while it works out constants."""


def _bounded(seconds: float, work: Callable[[], str]) -> str:
    """What `work` makes. Stops a template whose loops never end, or that fills the memory; the sandbox does neither.

    Timer and limit work in the main thread only, where nothing else computes meanwhile. All is in one function, since
    an alarm may go off between any two lines: in a context manager's own ones, it would keep the timer going.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        return work()
    inside = True

    def stop(number: int, frame: object) -> None:
        if inside:
            raise _Stopped

    before = signal.signal(signal.SIGALRM, stop)
    limits = _limited(MEMORY_MOST)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        try:
            return work()
        finally:
            inside = False
    except _Stopped:
        raise TemplateError(f"the model's chat template ran for over {seconds:g} s; {_HINT}") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if limits:
            resource.setrlimit(resource.RLIMIT_AS, limits)


def _limited(more: int) -> tuple[int, int] | None:
    """Lets the process grow by so many bytes only, past which Python raises MemoryError; what the limit was before,
    None where the system does not say how large a process is."""
    try:
        size = int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = size + more if soft == resource.RLIM_INFINITY else min(soft, size + more)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    except (NameError, OSError, ValueError):
        return None
    return soft, hard


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Products and powers cannot fill the memory in one step, which no timer could stop."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """See SandboxedEnvironment.call_binop."""
        sizes = [abs(part) if isinstance(part, int | float) else len(part) for part in (left, right)]
        if operator == "**" or math.prod(sizes) > OUTPUT_MOST:
            raise jinja2.TemplateError(f"{operator} of things this large")
        return super().call_binop(context, operator, left, right)


@lru_cache(maxsize=8)
def _compiled(source: str) -> jinja2.Template:
    environment = _Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(source)


@dataclass(frozen=True)
class OwnTemplate:
    """A Jinja chat template with the control tokens of its tokenizer.

    Attributes:
        jinja: the source.
        controls: control tokens that stand in it.
        variables: bos_token, eos_token, … as transformers passes them.
        stop: the control token after an assistant's text; found by `prove`.
    """

    jinja: str
    controls: tuple[str, ...]
    variables: Mapping[str, str]
    stop: str = ""
    name: str = "own"

    def _render(self, turns: Sequence[Turn], texts: Sequence[str], prompt: bool) -> str:
        messages = [{"role": turn.role.value, "content": text} for turn, text in zip(turns, texts, strict=True)]

        def written() -> str:
            pieces, length = [], 0
            for piece in _compiled(self.jinja).generate(
                messages=messages, add_generation_prompt=prompt, tools=None, **self.variables
            ):
                length += len(piece)
                if length > OUTPUT_MOST:
                    raise TemplateError(f"the model's chat template wrote over {OUTPUT_MOST} characters; {_HINT}")
                pieces.append(piece)
            return "".join(pieces)

        try:
            return _bounded(SECONDS_MOST, written)
        except TemplateError:
            raise
        except Exception as error:  # a template is a program: whatever it raises means it does not fit
            why = str(error)[:500] or type(error).__name__
            raise TemplateError(f"the model's chat template refuses these turns: {why}; {_HINT}") from error

    def _marked(self, turns: Sequence[Turn], prompt: bool) -> tuple[list[str], list[str]]:
        """The template's output cut at the texts (literal, number, literal, …), and the texts as it writes them."""
        marks = [f"{_OPEN}{number}{_CLOSE}" for number in range(len(turns))]
        marked = self._render(turns, marks, prompt)
        pieces = _MARK.split(marked)
        for texts in ([turn.text for turn in turns], [turn.text.strip() for turn in turns]):
            filled = "".join(texts[int(piece)] if odd % 2 else piece for odd, piece in enumerate(pieces))
            if filled == self._render(turns, [turn.text for turn in turns], prompt):
                return pieces, texts
        raise TemplateError(f"the model's own chat template rewrites the texts of this conversation; {_HINT}")

    def _spans(self, turns: Sequence[Turn], prompt: bool) -> tuple[Span, ...]:
        pieces, texts = self._marked(turns, prompt)
        if [int(piece) for piece in pieces[1::2]] != list(range(len(turns))):
            raise TemplateError(f"the model's own chat template loses, repeats or moves a turn; {_HINT}")
        made = split_literal(pieces[0], self.controls)
        for turn, text, index, literal in zip(turns, texts, range(len(turns)), pieces[2::2], strict=True):
            answer = turn.role is Role.ASSISTANT
            made.append(Span(text, trained=turn.is_trained, starts=answer, turn=index))
            made += self._end(literal, turn, index) if answer else split_literal(literal, self.controls)
        return tuple(made)

    def _end(self, literal: str, turn: Turn, index: int) -> list[Span]:
        """What follows an assistant's text: up to the stop token it belongs to the turn."""
        spans = split_literal(literal, self.controls)
        end = next((place for place, span in enumerate(spans) if span.control), None)
        if end is None or self.stop not in ("", spans[end].text):
            raise TemplateError(f"the model's own chat template does not end every answer with one stop token; {_HINT}")
        turns = [replace(span, trained=turn.is_trained, turn=index) for span in spans[: end + 1]]
        return turns + spans[end + 1 :]

    def spans(self, turns: Sequence[Turn]) -> tuple[Span, ...]:
        """See ChatTemplate.spans.

        Raises:
            TemplateError: the template refuses or rewrites this conversation.
        """
        return self._spans(turns, prompt=False)

    def prompt(self, turns: Sequence[Turn]) -> tuple[Span, ...]:
        """See ChatTemplate.prompt."""
        return self._spans(turns, prompt=True)


def _probes() -> tuple[tuple[Turn, ...], ...]:
    """Conversations that a template must be able to write, and after them some that it may refuse."""
    ask, answer = Role.USER, Role.ASSISTANT
    texts = [
        "What is 2 + 2?",
        "It is 4.",
        "And twice that, in words?",
        "Eight, and <b>not</b> 9.\n\n- done",
        "Thanks",
        "Bye",
    ]
    turns = tuple(Turn(ask if number % 2 == 0 else answer, text) for number, text in enumerate(texts))
    told = (Turn(Role.SYSTEM, "Be brief."), *turns)
    used = (*turns[:2], Turn(Role.TOOL, "[8]"), Turn(answer, "Eight."), *turns[4:])
    return (turns[:2], turns[:4], turns, told[:3], told, used)


_NEEDED = 3


def prove(template: OwnTemplate) -> OwnTemplate:
    """The template with its stop token, once it has shown that it can be trusted.

    Proven on probe conversations: every turn's text appears once and in order; the prompt is all that stands
    before the answer; every answer is followed by one and the same control token. A template may refuse system
    and tool turns: conversations that have some are then refused one by one.

    Raises:
        TemplateError: naming what failed, and offering a built-in template.
    """
    if len(template.jinja) > SOURCE_MOST:
        raise TemplateError(f"the model's chat template has over {SOURCE_MOST} characters; {_HINT}")
    stops: set[str] = set()
    for number, turns in enumerate(_probes()):
        try:
            spans = template.spans(turns)
        except TemplateError:
            if number < _NEEDED:
                raise
            continue
        start = template.prompt(turns[:-1])
        last = next(place for place, span in enumerate(spans) if span.turn == len(turns) - 1)
        if [(span.text, span.control) for span in spans[:last]] != [(span.text, span.control) for span in start]:
            raise TemplateError(
                f"the model's own chat template writes a prompt that is not the start of the conversation; {_HINT}"
            )
        stops |= {span.text for span in spans if span.turn >= 0 and span.control}
    if len(stops) != 1:
        raise TemplateError(f"the model's own chat template does not end every answer with one stop token; {_HINT}")
    return replace(template, stop=stops.pop())
