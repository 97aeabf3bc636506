"""Contenders: a model with the way it is shown. A base model is shown in the format that suits it best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tutelage.evaluation.answers import Ask
from tutelage.evaluation.losses import Losses, joined, on_the_same, reference_losses
from tutelage.evaluation.verdict import Kind
from tutelage.model.forward import Proof
from tutelage.records import Conversation, Example, Prompt, Role, Turn
from tutelage.text.encode import Encoder
from tutelage.text.templates import BuiltIn, Span

FORMAT_FEW, FORMAT_MOST = 16, 64
"""Every format is tried on a few conversations, the two best of them on more; the best one's loss is of all."""


@dataclass(frozen=True)
class TextFormat:
    """A format of plain text, such as base models met on web pages.

    Only the last answer ends with the stop token. Earlier ones end with a blank line as everything else does:
    an end-of-sequence token in the middle would tell a base model that the text before it is over.

    Attributes:
        ask, reply: text before a question and before an answer.
        stop: the model's end-of-sequence token.
    """

    name: str
    ask: str
    reply: str
    stop: str
    jinja: str = ""

    @property
    def markers(self) -> tuple[str, ...]:
        """What stands where the next turn begins: a further question, or the same answer over again."""
        return (f"\n{self.ask.strip()}", f"\n{self.reply.strip()}")

    def spans(self, turns: Sequence[Turn]) -> tuple[Span, ...]:
        """See ChatTemplate.spans."""
        tool = "Tool result:\n"
        heads = {Role.SYSTEM: "", Role.USER: self.ask, Role.TOOL: tool, Role.ASSISTANT: self.reply}
        made: list[Span] = []
        for index, turn in enumerate(turns):
            answer = turn.role is Role.ASSISTANT
            if heads[turn.role]:
                made.append(Span(heads[turn.role]))
            made.append(Span(turn.text, trained=turn.is_trained, starts=answer, turn=index))
            if answer and index + 1 == len(turns):
                made.append(Span(self.stop, control=True, trained=turn.is_trained, turn=index))
            else:
                made.append(Span("\n\n"))
        return tuple(made)

    def prompt(self, turns: Sequence[Turn]) -> tuple[Span, ...]:
        """See ChatTemplate.prompt."""
        return (*self.spans(turns), Span(self.reply))


def text_formats(eos: str) -> tuple[TextFormat, ...]:
    """The plain-text formats that a base model is tried in."""
    return (
        TextFormat("question/answer", "Question:\n", "Answer:\n", eos),
        TextFormat("user/assistant", "User:\n", "Assistant:\n", eos),
        TextFormat("instruction/response", "### Instruction:\n", "### Response:\n", eos),
    )


def candidates(tokenizer: Any, template: str) -> tuple[Encoder, ...]:
    """Encoders for the run's own chat template and for each plain-text format."""
    formats = text_formats(str(tokenizer.eos_token))
    return (Encoder(tokenizer, template), *(Encoder(tokenizer, one) for one in formats))


def markers_of(encoder: Encoder) -> tuple[str, ...]:
    """Texts with which the next turn begins in this format, where no control token does."""
    template = encoder.template
    if isinstance(template, TextFormat):
        return template.markers
    if isinstance(template, BuiltIn):
        head = template.before[Role.USER].strip()
        return (head,) if head and not any(token in head for token in encoder.control) else ()
    return ()


def with_system(turns: Sequence[Turn], system: str) -> tuple[Turn, ...]:
    """The turns with a system text before them; one that is there already follows it after a blank line."""
    if not system:
        return tuple(turns)
    if turns and turns[0].role is Role.SYSTEM:
        return (replace(turns[0], text=f"{system}\n\n{turns[0].text}"), *turns[1:])
    return (Turn(Role.SYSTEM, system), *turns)


def with_shots(turns: Sequence[Turn], shots: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns with examples before them, after a system turn where there is one."""
    first = 1 if turns and turns[0].role is Role.SYSTEM else 0
    return (*turns[:first], *shots, *turns[first:])


@dataclass(frozen=True, eq=False)
class Contender:
    """A model with the way it is shown.

    Attributes:
        name: for the report, such as `base` or `tuned`.
        model: what the user called the model.
        proof: how packs go through the network.
        system: text put before every conversation.
        markers: texts that end an answer besides the stop tokens (`answers.generate`).
        kind: who it is.
        shots: examples put before every conversation, after its system turn.
        weights: what `cellar` keeps its answers by; "": they are not kept.
    """

    name: str
    model: str
    network: Any
    encoder: Encoder
    proof: Proof
    system: str = ""
    markers: tuple[str, ...] = ()
    kind: Kind = Kind.BASE
    shots: tuple[Turn, ...] = ()
    weights: str = ""

    def shown(self, turns: Sequence[Turn]) -> tuple[Turn, ...]:
        """The turns with everything that this contender is told before them."""
        return with_system(with_shots(turns, self.shots), self.system)

    def losses(self, examples: Sequence[Example], progress: Callable[[int], None] | None = None) -> Losses:
        """The loss of the examples' last answers."""
        shown = [
            replace(example, conversation=Conversation(self.shown(example.conversation.turns))) for example in examples
        ]
        return reference_losses(self.network, self.encoder, self.proof, shown, progress)

    def ask(self, prompts: Sequence[Prompt]) -> Ask:
        """The prompts as this contender is shown them."""
        shown = [Prompt(prompt.id, self.shown(prompt.turns)) for prompt in prompts]
        return Ask(self.encoder, shown, self.markers)


@dataclass(frozen=True, slots=True)
class FormatLoss:
    """How a base model does in one format, in nats per answer token; `conversations` were measured."""

    name: str
    loss: float
    loss_with_stop: float
    conversations: int


@dataclass(frozen=True, eq=False)
class Choice:
    """A contender in its best format.

    Attributes:
        formats: what each format gave.
        losses: of the best one, on the first FORMAT_MOST examples.
    """

    contender: Contender
    formats: tuple[FormatLoss, ...]
    losses: Losses


def in_best_format(
    contender: Contender,
    encoders: Sequence[Encoder],
    examples: Sequence[Example],
    progress: Callable[[int], None] | None = None,
) -> Choice:
    """The contender in the format in which it expects the reference answers best.

    The stop token does not count: a base model cannot know that its answer ends with it. Without examples the
    first plain-text format is taken.

    Args:
        progress: called with the number of conversations measured since the last call, over all formats.
    """
    few, more = examples[:FORMAT_FEW], examples[FORMAT_FEW:FORMAT_MOST]
    tried = {one.template.name: replace(contender, encoder=one) for one in encoders}
    losses = {name: one.losses(few, progress) for name, one in tried.items()}
    shared = dict(zip(losses, on_the_same(list(losses.values())), strict=True))
    ranked = sorted((name for name in tried if shared[name].answers), key=lambda name: shared[name].per_token)
    if not ranked:
        name = next(
            (name for name, one in tried.items() if isinstance(one.encoder.template, TextFormat)), next(iter(tried))
        )
        return _choice(tried[name], (), losses[name])
    if more:
        for name in ranked[:2]:
            losses[name] = joined(losses[name], tried[name].losses(more, progress))
        shared |= dict(zip(ranked[:2], on_the_same([losses[name] for name in ranked[:2]]), strict=True))
        ranked[:2] = sorted(ranked[:2], key=lambda name: shared[name].per_token)
    formats = (
        FormatLoss(name, shared[name].per_token, shared[name].per_token_with_stop, len(shared[name].answers))
        for name in ranked
    )
    return _choice(tried[ranked[0]], tuple(formats), losses[ranked[0]])


def _choice(contender: Contender, formats: tuple[FormatLoss, ...], losses: Losses) -> Choice:
    return Choice(replace(contender, markers=markers_of(contender.encoder)), formats, losses)


def format_pieces(encoders: int, examples: int) -> int:
    """How many conversations `in_best_format` measures, over all formats."""
    few, more = min(examples, FORMAT_FEW), min(examples, FORMAT_MOST)
    return encoders * few + min(encoders, 2) * (more - few)
