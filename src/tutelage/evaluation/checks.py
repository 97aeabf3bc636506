"""What `selfcheck` looks at, and its checks of tokens: each goes through what tuning, chat and export use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.errors import TutelageError
from tutelage.model.forward import Proof
from tutelage.model.machine import quiet_libraries
from tutelage.recipe import AdapterSettings
from tutelage.records import Example, Role, Turn
from tutelage.text.certificate import Seen, walk
from tutelage.text.encode import Encoder, Tokens
from tutelage.text.pack import Pack, packs_of
from tutelage.tuning.finish import save_model


class LeftOut(TutelageError):
    """A check that does not apply to this model or data; the message is the reason."""


@dataclass(frozen=True)
class Found:
    """What a check found.

    Attributes:
        measured: how much is wrong: a count, or a difference relative to the largest value. 0 is perfect.
        limit: the most that passes.
        sentence: what was looked at, in plain words.
    """

    measured: float
    limit: float
    sentence: str


@dataclass(frozen=True, eq=False)
class Subject:
    """What is checked. No check changes the network's weights.

    Attributes:
        network: the model's first layers, in float32 and eval mode.
        encoder: the template that tuning would use, bound to the model's tokenizer.
        examples, tokens: the conversations, and what they are encoded to.
        short: parts of their tokens, at most 64 each: the words that go through the network.
        proof: how packs go through this network.
        adapter: which weights are tuned; its dropout is 0.
        row_tokens: how many tokens share a row when the conversations are packed.
        folder: an empty folder for what is written to disk.
    """

    network: Any
    encoder: Encoder
    examples: tuple[Example, ...]
    tokens: tuple[Tokens, ...]
    short: tuple[Tokens, ...]
    proof: Proof
    adapter: AdapterSettings
    row_tokens: int
    folder: Path

    @cached_property
    def packs(self) -> list[Pack]:
        """The conversations in rows, as a step of tuning has them."""
        return packs_of(self.tokens, range(len(self.tokens)), self.row_tokens)

    @cached_property
    def seen(self) -> Seen:
        """What the certificate counts in the packs."""
        return walk(self.packs, self.examples, self.tokens, self.encoder)

    @cached_property
    def saved(self) -> Path:
        """The network saved as a finished run saves its model, with tokenizer and template."""
        with quiet_libraries():
            save_model(self.network, self.encoder, self.folder / "model")
        return self.folder / "model"


@dataclass(frozen=True, eq=False)
class Row:
    """One conversation as it stands in its pack.

    Attributes:
        ids: its T tokens.
        trained: for each token whether the loss looks at its prediction.
        strays: predictions with a weight that are not of the token that follows.
    """

    example: Example
    ids: list[int]
    trained: list[bool]
    strays: int

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The conversation's turns."""
        return self.example.conversation.turns

    @property
    def answers(self) -> list[int]:
        """Places of the turns that should be trained."""
        return [place for place, turn in enumerate(self.turns) if turn.is_trained]


def rows(subject: Subject) -> Iterator[Row]:
    """Every conversation, read from the arrays of the packs."""
    examples = {example.id: example for example in subject.examples}
    for pack in subject.packs:
        for name, start, end in zip(pack.examples, pack.boundaries[:-1], pack.boundaries[1:], strict=True):
            ids, weighted = pack.ids[start:end], pack.weights[start:end] > 0
            follows = np.append(pack.targets[start : end - 1] == ids[1:], False)
            trained = [False, *weighted[:-1].tolist()]
            yield Row(examples[name], ids.tolist(), trained, int((weighted & ~follows).sum()))


def _of(wrong: list[str], count: int, what: str) -> str:
    """`11 of 12 answers …; the first that …`"""
    first = f"; not so: {wrong[0]}" if wrong else ""
    return f"{max(0, count - len(wrong)):,} of {count:,} {what}{first}"


def mask(subject: Subject) -> Found:
    """Decode what is trained: it must be each answer, whole, right after its question, and nothing else.

    This knows nothing of the encoder's spans: runs of trained tokens are read back as text. Stop tokens are passed
    over here; they have their own check. No control token may come from people's text, trained or not.
    """
    wrong: list[str] = []
    count = 0
    for row in rows(subject):
        count += len(row.answers)
        runs = [
            (trained, [number for _, number in part])
            for trained, part in groupby(zip(row.trained, row.ids, strict=True), key=lambda pair: pair[0])
        ]
        taught = [(before, run) for (_, before), (trained, run) in pairwise(runs) if trained]
        good = [
            _follows(row.turns[place - 1], before, subject.encoder) and _is_answer(row.turns[place], run, subject)
            for place, (before, run) in zip(row.answers, taught, strict=False)
        ]
        faults = abs(len(row.answers) - len(taught)) + good.count(False) + row.strays
        wrong += [str(row.example.source)] * faults
    forged = subject.seen.control_in_text
    more = f"; {forged} control tokens come from people's text" if forged else ""
    what = "answers are trained from their first to their last token, and nothing else is"
    return Found(len(wrong) + forged, 0, _of(wrong, count, what) + more)


def _texts(text: str, encoder: Encoder) -> tuple[str, str]:
    """A text as it was written, and as this tokenizer gives it back, which with some is not the same."""
    ids = encoder.plain(text.strip())
    return text.strip(), encoder.text(ids if encoder.bos is None else ids[1:])


def _follows(question: Turn, before: list[int], encoder: Encoder) -> bool:
    """Whether the tokens before an answer hold the turn that it answers."""
    shown = encoder.text(before)
    return any(text.strip() in shown for text in _texts(question.text, encoder))


def _is_answer(turn: Turn, run: list[int], subject: Subject) -> bool:
    """Whether a run of trained tokens is this answer; the template may write something before the stop token."""
    encoder = subject.encoder
    run = run[:-1] if run[-1] in encoder.stop_ids else run
    if not set(run).isdisjoint(encoder.control.values()):
        return False
    shown = encoder.text(run)
    after = [shown.removeprefix(text) for text in _texts(turn.text, encoder) if shown.startswith(text)]
    return any(text.strip() in encoder.template.jinja for text in after)


def prompt(subject: Subject) -> Found:
    """What chat and server show before each answer must be how the trained conversation begins."""
    wrong: list[str] = []
    count = 0
    for example, tokens in zip(subject.examples, subject.tokens, strict=True):
        turns = example.conversation.turns
        for place in (place for place, turn in enumerate(turns) if turn.role is Role.ASSISTANT):
            ids = subject.encoder.prompt(turns[:place])
            count += 1
            if tokens.ids[: len(ids)].tolist() != ids:
                wrong.append(f"{example.source}, turn {place + 1}")
    return Found(len(wrong), 0, _of(wrong, count, "prompts are, token for token, how the trained conversation begins"))


def stop_token(subject: Subject) -> Found:
    """Each trained turn must have one trained stop token, or the model never learns to end."""
    wrong: list[str] = []
    count = 0
    for row in rows(subject):
        stops = [number for number, trained in zip(row.ids, row.trained, strict=True) if trained]
        found = sum(number in subject.encoder.stop_ids for number in stops)
        count += len(row.answers)
        wrong += [str(row.example.source)] * abs(len(row.answers) - found)
    return Found(len(wrong), 0, _of(wrong, count, "answers have a stop token that is trained"))


def export(subject: Subject) -> Found:
    """transformers, given the saved folder alone, must make the same ids: of conversations, and of prompts.

    A conversation in whose texts a control token is spelt out is passed over: transformers would take it for one,
    which is what our encoder keeps people's text from.
    """
    from transformers import AutoTokenizer

    with quiet_libraries():
        tokenizer: Any = AutoTokenizer.from_pretrained(subject.saved, local_files_only=True, trust_remote_code=False)
    wrong: list[str] = []
    count = 0
    for example, tokens in zip(subject.examples, subject.tokens, strict=True):
        turns = example.conversation.turns
        if any(control in turn.text for turn in turns for control in subject.encoder.control):
            continue
        count += 1
        messages = [{"role": turn.role.value, "content": turn.text} for turn in turns]
        whole = tokenizer.apply_chat_template(messages, return_dict=True)
        begun = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, return_dict=True)
        ours = tokens.ids.tolist(), subject.encoder.prompt(turns[:-1])
        if (whole["input_ids"], begun["input_ids"]) != ours:
            wrong.append(str(example.source))
    if not count:
        raise LeftOut("every conversation has control tokens spelt out, which transformers cannot tell from real ones")
    spelt = len(subject.examples) - count
    more = f"; {spelt} with control tokens spelt out in their texts are not compared" if spelt else ""
    what = "conversations get the same ids in tuning, in a chat prompt, and from the saved tokenizer and template"
    return Found(len(wrong), 0, _of(wrong, count, what) + more)
