"""Template + tokenizer -> token ids with the weight of each in the loss. Tuning, chat, serving and export use this.

The rendered conversation is cut at control tokens and where an assistant's text begins, and each piece is
encoded alone. On ordinary text this gives the ids of encoding it in one go, it makes the prompt's ids a prefix
of the training ids in every case, and control ids can only come from the template's own control spans.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tutelage.errors import TemplateError
from tutelage.records import Conversation, Dropped, Example, Role, Turn
from tutelage.text.own import OwnTemplate, prove
from tutelage.text.templates import BuiltIn, ChatTemplate, Span, built_in

NAMED = re.compile(
    r"<(start|end)_of_(turn|image)>|<image_soft_token>|<unused\d+>|<\|?reserved_special_token_\d+\|?>"
    r"|<\|(im_start|im_end|endoftext|eot_id|eom_id|python_tag|start_header_id|end_header_id|begin_of_text|"
    r"end_of_text|end|system|user|assistant|tool)\|>|</?(s|think|tool_call|tool_response)>|\[/?INST\]"
)
"""Control tokens that some tokenizers do not flag as special."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """One example as the model sees it.

    Attributes:
        ids: (T,) token ids.
        weights: (T,) weight of predicting each token; the first token is never predicted.
        spans: (start, end) of each trained turn, its stop token included.
        example: the example's id.
    """

    ids: NDArray[np.int32]
    weights: NDArray[np.float32]
    spans: tuple[tuple[int, int], ...]
    example: str

    def __len__(self) -> int:
        return len(self.ids)


class Encoder:
    """A template bound to a tokenizer.

    Attributes:
        template: the chat template.
        tokenizer: the transformers tokenizer it was made for.
        control: the control tokens, text -> id. The unknown token is none of them, unless it is bos or eos too:
            it stands for characters that the tokenizer cannot write. Its own text is cut up like theirs.
        stop_ids: ids that end an answer.
        bos: id that starts every sequence, None where the model expects none.
    """

    def __init__(self, tokenizer: Any, template: str | ChatTemplate = "auto") -> None:
        """
        Args:
            tokenizer: a fast transformers tokenizer.
            template: name of a built-in one, own, auto; or a template made elsewhere.

        Raises:
            TemplateError: the template does not fit this tokenizer or cannot be trusted.
        """
        self.tokenizer = tokenizer
        self._backend: Tokenizer = tokenizer.backend_tokenizer
        added = _added(tokenizer)
        special = _special(tokenizer, added)
        if isinstance(template, str):
            template = choose(tokenizer, template, tuple(added), special)
        self.template: ChatTemplate = template
        written = template.controls if isinstance(template, BuiltIn | OwnTemplate) else (template.stop,)
        self.control = {text: added[text] for text in dict.fromkeys((*special, *written))}
        self._control_ids = frozenset(self.control.values())
        self.stop_ids = frozenset({self.control[template.stop], tokenizer.eos_token_id})
        self.bos = _expected_bos(tokenizer)
        self._pieces = _Pieces(tokenizer, self.control)

    def _encode(self, spans: Sequence[Span]) -> tuple[list[int], list[tuple[int, int, Span]]]:
        """Ids, and (start, end, span) of each piece, where span is the piece's first."""
        groups = list(_groups(spans))
        ids: list[int] = []
        marks: list[tuple[int, int, Span]] = []
        before: str | None = None
        for group, following in zip(groups, [*groups[1:], None], strict=True):
            first = group[0]
            after = following[0].text if following and following[0].control else ""
            if first.control:
                piece, before = [self.control[first.text]], first.text
            else:
                piece = self._pieces.ids("".join(span.text for span in group), before, after)
                before = "" if piece else before
            marks.append((len(ids), len(ids) + len(piece), first))
            ids += piece
        return ids, marks

    def _started(self, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        """The spans after the BOS where the model expects one and the template does not write it."""
        bos = self.tokenizer.bos_token
        there = bool(spans) and spans[0].control and spans[0].text == bos
        return spans if self.bos is None or there else (Span(bos, control=True), *spans)

    def spans(self, turns: Sequence[Turn]) -> tuple[Span, ...]:
        """What is encoded for a conversation: the template's spans, after a BOS where the model expects one.

        Raises:
            TemplateError: the template refuses these turns.
        """
        return self._started(self.template.spans(turns))

    def encode(self, turns: Sequence[Turn], example: str = "", prompt_weight: float = 0.0) -> Tokens:
        """A conversation's ids and weights: 1 on trained answers and their stop tokens, else `prompt_weight`."""
        ids, marks = self._encode(self.spans(turns))
        weights = np.full(len(ids), prompt_weight, np.float32)
        reach: dict[int, tuple[int, int]] = {}
        for start, end, span in marks:
            if span.trained:
                weights[start:end] = 1.0
                reach[span.turn] = (reach.get(span.turn, (start, end))[0], end)
        return Tokens(np.asarray(ids, np.int32), weights, tuple(reach.values()), example)

    def prompt(self, turns: Sequence[Turn]) -> list[int]:
        """The ids that come before an answer to these turns."""
        return self._encode(self._started(self.template.prompt(turns)))[0]

    def plain(self, text: str) -> list[int]:
        """Text without any template, after the BOS where the model expects one; control tokens in it are text."""
        ids = self._pieces.ids(text, None, "")
        return [self.bos, *ids] if self.bos is not None else ids

    def portable_jinja(self) -> str:
        """The template for transformers' `apply_chat_template`, which adds no BOS of its own."""
        spans = self.template.spans((Turn(Role.USER, "a"), Turn(Role.ASSISTANT, "b")))
        return ("" if self._started(spans) == spans else "{{ bos_token }}") + self.template.jinja

    def decode(self, ids: Sequence[int]) -> str:
        """Text of answer ids; control tokens are left out, everything else is kept as it is."""
        return self.text([number for number in ids if number not in self._control_ids])

    def text(self, ids: Sequence[int]) -> str:
        """Text of ids, nothing left out."""
        return self._backend.decode(list(ids), skip_special_tokens=False)


def _groups(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """What is encoded together: a control token is alone, an assistant's text and what is not trained begin anew."""
    waiting: list[Span] = []
    for span in spans:
        if waiting and (span.control or span.starts or span.trained != waiting[0].trained):
            yield waiting
            waiting = []
        waiting.append(span)
        if span.control:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _added(tokenizer: Any) -> dict[str, int]:
    """Added tokens with their ids; bos and eos belong to them even where only the model's config names them."""
    added = {token.content: number for number, token in tokenizer.added_tokens_decoder.items()}
    for token in (tokenizer.bos_token, tokenizer.eos_token):
        if token is not None:
            added.setdefault(token, tokenizer.convert_tokens_to_ids(token))
    return added


def _special(tokenizer: Any, added: Mapping[str, int]) -> tuple[str, ...]:
    """The tokens that are control in any template. In some tokenizers (GPT-2) the unknown token ends sequences too."""
    flagged = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    chosen = {text for text in added if text in flagged or NAMED.fullmatch(text)}
    ends = {token for token in (tokenizer.bos_token, tokenizer.eos_token) if token is not None}
    chosen |= ends | {text for text in tokenizer.all_special_tokens if text in added}
    return tuple(sorted(chosen - ({tokenizer.unk_token} - ends)))


def choose(tokenizer: Any, name: str, added: Sequence[str], controls: Sequence[str]) -> ChatTemplate:
    """The template called `name`; auto is the model's own where it has one, else plain.

    Raises:
        TemplateError: own was asked for and is missing, or the model's own fails its proof.
    """
    source = tokenizer.chat_template
    if isinstance(source, dict):
        source = source.get("default")
    if name in ("own", "auto") and isinstance(source, str):
        inside = tuple(token for token in added if token.strip() and token in source)
        variables = {
            key: getattr(tokenizer, key)
            for key in ("bos_token", "eos_token", "unk_token", "pad_token")
            if getattr(tokenizer, key) is not None
        }
        return prove(OwnTemplate(source, tuple(dict.fromkeys((*inside, *controls))), variables))
    if name == "own":
        raise TemplateError("this model has no chat template of its own; use model.template=plain")
    return built_in("plain" if name == "auto" else name, tokenizer.eos_token, added)


def _expected_bos(tokenizer: Any) -> int | None:
    """The BOS id where the tokenizer itself puts one before a text."""
    bos = tokenizer.bos_token_id
    return int(bos) if bos is not None and tokenizer("a").input_ids[:1] == [bos] else None


class _Pieces:
    """Encodes text in which nothing becomes a control token.

    Some tokenizers put a space before each text they get (Llama 2, Mistral). A piece from the middle of a
    conversation must not get one; a piece at the start, or after a control token, gets what the tokenizer
    itself would give it there. Some control tokens take the white space beside them with them (Phi-3).
    """

    def __init__(self, tokenizer: Any, control: Mapping[str, int]) -> None:
        backend: Tokenizer = tokenizer.backend_tokenizer
        self._native, self._control = backend, frozenset(control.values())
        tokens = tokenizer.added_tokens_decoder.values()
        self._takes_after = {token.content for token in tokens if token.rstrip} & control.keys()
        self._takes_before = {token.content for token in tokens if token.lstrip} & control.keys()
        without = _without_prefix(backend)
        self._middle = without or backend
        self._at_start = self._after_control = False
        if without is not None:
            plain = without.encode("a", add_special_tokens=False).ids
            self._at_start = backend.encode("a", add_special_tokens=False).ids != plain
            backend.encode_special_tokens = False
            after = backend.encode(tokenizer.eos_token + "a", add_special_tokens=False).ids[1:]
            self._after_control = after != plain

    def ids(self, text: str, before: str | None, after: str) -> list[int]:
        """Ids of one piece.

        Args:
            text: any characters.
            before: the control token just before it, "" for other text, None at the start of the sequence.
            after: the control token just after it, "" for anything else.
        """
        text = text.lstrip() if before in self._takes_after else text
        text = text.rstrip() if after in self._takes_before else text
        native = self._at_start if before is None else before != "" and self._after_control
        return self._safe(text, self._native if native else self._middle)

    def _safe(self, text: str, backend: Tokenizer) -> list[int]:
        """Where control ids would appear, the text is cut inside those tokens and tried again."""
        # The transformers wrapper sets these three on every call of its own.
        backend.encode_special_tokens = True
        backend.no_truncation()
        backend.no_padding()
        encoding = backend.encode(text, add_special_tokens=False)
        ids: list[int] = encoding.ids
        if self._control.isdisjoint(ids):
            return ids
        found = [reach for number, reach in zip(ids, encoding.offsets, strict=True) if number in self._control]
        cuts = [0, *(_inside(text, start, end) for start, end in found), len(text)]
        made: list[int] = []
        for start, end in pairwise(cuts):
            made += self._safe(text[start:end], backend if start == 0 else self._middle)
        return made


def _inside(text: str, start: int, end: int) -> int:
    """A place within a control token that was found at these offsets, white space that it takes with it included."""
    if end - start < 2:
        raise TemplateError(f"the character {text[start:end]!r} is a control token of this tokenizer")
    blank = end - start - len(text[start:end].lstrip())
    return min(start + blank + 1, end - 1)


def _without_prefix(backend: Tokenizer) -> Tokenizer | None:
    """A copy that adds no space at the start of a text; None where the tokenizer adds none."""
    backend.encode_special_tokens = True
    lone, inner = (backend.encode(text, add_special_tokens=False).ids for text in ("a", "\na"))
    if lone == inner[-len(lone) :]:
        return None
    plan = json.loads(backend.to_str()) | {"truncation": None, "padding": None}
    for part in ("normalizer", "pre_tokenizer"):
        plan[part] = _unprefixed(plan.get(part))
    return Tokenizer.from_str(json.dumps(plan))


def _unprefixed(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    if part.get("type") == "Prepend":
        return None
    part = dict(part)
    if "prepend_scheme" in part:
        part["prepend_scheme"] = "never"
    if part.get("type") == "ByteLevel":
        part["add_prefix_space"] = False
    for key in ("normalizers", "pretokenizers"):
        if key in part:
            part[key] = [kept for kept in map(_unprefixed, part[key]) if kept is not None]
    return part


@dataclass(frozen=True)
class Encoded:
    """Examples as tokens, with what did not fit.

    Attributes:
        tokens: one for each example kept.
        examples: those examples, in the same order (their turns may be fewer than before).
        shortened: ids of examples that lost their first turns.
        turns_cut: how many turns that was.
        dropped: examples of which not even the last exchange fits, or that the template refuses.
    """

    tokens: tuple[Tokens, ...]
    examples: tuple[Example, ...]
    shortened: tuple[str, ...]
    turns_cut: int
    dropped: tuple[Dropped, ...]


def encode_all(
    encoder: Encoder,
    examples: Sequence[Example],
    max_length: int,
    too_long: str = "keep_last_turns",
    prompt_weight: float = 0.0,
) -> Encoded:
    """Every example as tokens. What is too long is decided here, before packing, and counted."""
    tokens, kept, shortened, dropped, cut = [], [], [], [], 0
    for example in examples:
        turns = example.conversation.turns
        try:
            item = encoder.encode(turns, example.id, prompt_weight)
            whole = len(item)
            if whole > max_length and too_long == "keep_last_turns":
                turns = _last_turns(encoder, turns, max_length)
                item = encoder.encode(turns, example.id, prompt_weight)
        except TemplateError as error:
            dropped.append(Dropped(example.source, "conversation", "template", str(error)))
            continue
        if len(item) > max_length:
            reason = f"{whole} tokens, the limit is {max_length} (tuning.max_length)"
            dropped.append(Dropped(example.source, "conversation", "too long", reason))
        elif not item.spans:
            dropped.append(Dropped(example.source, "conversation", "nothing trained", "no turn is trained"))
        else:
            lost = len(example.conversation.turns) - len(turns)
            cut += lost
            if lost:
                shortened.append(example.id)
                example = replace(example, conversation=Conversation(turns))
            tokens.append(item)
            kept.append(example)
    return Encoded(tuple(tokens), tuple(kept), tuple(shortened), cut, tuple(dropped))


def _last_turns(encoder: Encoder, turns: tuple[Turn, ...], max_length: int) -> tuple[Turn, ...]:
    """The system turn and as many of the last exchanges as fit; the last exchange where not even that fits."""
    head = 1 if turns[0].role is Role.SYSTEM else 0
    fewer = [turns[:head] + turns[at:] for at, turn in enumerate(turns) if turn.role is Role.USER]
    fits = bisect_left(fewer, True, key=lambda some: len(encoder.encode(some)) <= max_length)
    return fewer[min(fits, len(fewer) - 1)]
