"""Chat templates: a conversation becomes spans of text, and the same call says which are control and trained."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from tutelage.errors import TemplateError, UsageError
from tutelage.records import Role, Turn


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a rendered conversation.

    Attributes:
        text: the characters.
        control: it is exactly one control token; only a template writes these, never people's text.
        trained: the loss looks at its tokens.
        starts: an assistant's text begins here, so the tokenizer must not join it with what precedes it.
        turn: index of the turn that this belongs to, -1 for the template's own text between turns.
    """

    text: str
    control: bool = False
    trained: bool = False
    starts: bool = False
    turn: int = -1


class ChatTemplate(Protocol):
    """What the encoder needs of a template; the built-in ones and a model's own Jinja both do this."""

    @property
    def name(self) -> str:
        """Short name, recorded in the run."""

    @property
    def stop(self) -> str:
        """The control token that ends an assistant turn."""

    @property
    def jinja(self) -> str:
        """The same template for transformers, with generation marks where we wrote it."""

    def spans(self, turns: Sequence[Turn]) -> tuple[Span, ...]:
        """The whole conversation."""

    def prompt(self, turns: Sequence[Turn]) -> tuple[Span, ...]:
        """Turns that end with a user's, up to where the assistant's text begins."""


def split_literal(text: str, controls: tuple[str, ...], trained: bool = False, turn: int = -1) -> list[Span]:
    """A template's own text as spans, each control token alone."""
    return [Span(piece, control, trained, turn=turn) for piece, control in _cut(text, controls)]


@lru_cache(maxsize=4096)  # a template writes few different texts, and some tokenizers have thousands of control tokens
def _cut(text: str, controls: tuple[str, ...]) -> tuple[tuple[str, bool], ...]:
    present = sorted((token for token in controls if token in text), key=len, reverse=True)
    pieces = re.split(f"({'|'.join(map(re.escape, present))})", text) if present else [text]
    return tuple((piece, piece in present) for piece in pieces if piece)


@dataclass(frozen=True)
class BuiltIn:
    """A template that writes fixed text before and after each turn.

    Attributes:
        before, after: the template's text around a turn, by role.
        stop: the control token that ends an assistant turn; `after[ASSISTANT]` starts with it.
        controls: the tokenizer's added tokens that stand in the texts above.
        fold_system: the system text is put at the head of the first user turn, with a blank line between.
    """

    name: str
    before: Mapping[Role, str]
    after: Mapping[Role, str]
    stop: str
    controls: tuple[str, ...] = ()
    fold_system: bool = False

    def spans(self, turns: Sequence[Turn]) -> tuple[Span, ...]:
        """See ChatTemplate.spans."""
        made: list[Span] = []
        folded = self.fold_system and bool(turns) and turns[0].role is Role.SYSTEM
        for index, turn in enumerate(turns):
            if folded and index == 0:
                continue
            made += split_literal(self.before[turn.role], self.controls)
            if folded and index == 1:
                made += [Span(turns[0].text, turn=0), Span("\n\n")]
            answer, trained = turn.role is Role.ASSISTANT, turn.is_trained
            if turn.text or answer:
                made.append(Span(turn.text, trained=trained, starts=answer, turn=index))
            made += self._end(turn, index)
        return tuple(made)

    def _end(self, turn: Turn, index: int) -> list[Span]:
        after = self.after[turn.role]
        if turn.role is not Role.ASSISTANT:
            return split_literal(after, self.controls)
        stop = Span(self.stop, control=True, trained=turn.is_trained, turn=index)
        return [stop, *split_literal(after.removeprefix(self.stop), self.controls)]

    def prompt(self, turns: Sequence[Turn]) -> tuple[Span, ...]:
        """See ChatTemplate.prompt."""
        return self.spans(turns) + tuple(split_literal(self.before[Role.ASSISTANT], self.controls))

    @property
    def jinja(self) -> str:
        """See ChatTemplate.jinja. Texts stand in it as quoted constants, so any token is safe."""
        body = "".join(
            f"{'{% if' if number == 0 else '{% elif'} message['role'] == '{role}' %}}" + self._jinja_turn(role)
            for number, role in enumerate(Role)
            if not (self.fold_system and role is Role.SYSTEM)
        )
        body = body.replace("{% elif", "{% if", 1) if not body.startswith("{% if") else body
        head = "{% set messages = messages[1:] %}" if self.fold_system else ""
        fold = (
            "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] + '\\n\\n' %}"
            + head
            + "{% else %}{% set system = '' %}{% endif %}"
            if self.fold_system
            else ""
        )
        generation = "{% if add_generation_prompt %}" + _constant(self.before[Role.ASSISTANT]) + "{% endif %}"
        return fold + "{% for message in messages %}" + body + "{% endif %}{% endfor %}" + generation

    def _jinja_turn(self, role: Role) -> str:
        before, after = self.before[role], self.after[role]
        if role is Role.ASSISTANT:
            marked = "{% generation %}{{ message['content'] }}" + _constant(self.stop) + "{% endgeneration %}"
            return _constant(before) + marked + _constant(after.removeprefix(self.stop))
        system = "{% if loop.first %}{{ system }}{% endif %}" if self.fold_system else ""
        return _constant(before) + system + "{{ message['content'] }}" + _constant(after)


def _constant(text: str) -> str:
    return "{{ " + repr(text) + " }}" if text else ""


def _plain(eos: str) -> BuiltIn:
    return BuiltIn(
        "plain",
        {role: f"<|{role}|>\n" for role in Role},
        {role: eos for role in Role},
        eos,
    )


def _chatml(eos: str) -> BuiltIn:
    end = "<|im_end|>"
    return BuiltIn(
        "chatml",
        {role: f"<|im_start|>{role}\n" for role in Role},
        {role: f"{end}\n" for role in Role},
        end,
    )


def _gemma(eos: str) -> BuiltIn:
    names = {Role.SYSTEM: "user", Role.USER: "user", Role.TOOL: "user", Role.ASSISTANT: "model"}
    end = "<end_of_turn>"
    return BuiltIn(
        "gemma",
        {role: f"<start_of_turn>{names[role]}\n" for role in Role},
        {role: f"{end}\n" for role in Role},
        end,
        fold_system=True,
    )


def _llama3(eos: str) -> BuiltIn:
    names = {role: str(role) for role in Role} | {Role.TOOL: "ipython"}
    end = "<|eot_id|>"
    return BuiltIn(
        "llama3",
        {role: f"<|start_header_id|>{names[role]}<|end_header_id|>\n\n" for role in Role},
        {role: end for role in Role},
        end,
    )


@dataclass(frozen=True, slots=True)
class Family:
    """How to make a built-in template for a tokenizer, and the tokens that it must have."""

    make: Callable[[str], BuiltIn]
    needs: tuple[str, ...] = ()


FAMILIES: Mapping[str, Family] = {
    "plain": Family(_plain),
    "chatml": Family(_chatml, ("<|im_start|>", "<|im_end|>")),
    "gemma": Family(_gemma, ("<start_of_turn>", "<end_of_turn>")),
    "llama3": Family(_llama3, ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")),
}


def built_in(name: str, eos: str, added: Sequence[str]) -> BuiltIn:
    """A built-in template for a tokenizer.

    Args:
        name: plain, chatml, gemma or llama3.
        eos: the tokenizer's end-of-sequence token.
        added: its added tokens' texts; those in the template's own text are control tokens.

    Raises:
        UsageError: no template has this name.
        TemplateError: the tokenizer lacks a token that the template needs.
    """
    if name not in FAMILIES:
        raise UsageError(f"there is no template {name}; choose one of {', '.join(FAMILIES)}, own, auto")
    family = FAMILIES[name]
    missing = [token for token in family.needs if token not in added]
    if missing:
        raise TemplateError(
            f"the template {name} needs {' and '.join(missing)}, which this model's tokenizer does not have; "
            "use model.template=plain, which works with every model"
        )
    made = family.make(eos)
    texts = (*made.before.values(), *made.after.values())
    inside = [token for token in added if token.strip() and any(token in text for text in texts)]
    return replace(made, controls=tuple(inside))
