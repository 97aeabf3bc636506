"""Template + tokenizer -> token ids with the weight of each in the loss. Tuning, chat, serving and export use this.

The rendered conversation is cut at control tokens and where an assistant's text begins, and each piece is
encoded alone. On ordinary text this gives the ids of encoding it in one go, it makes the prompt's ids a prefix
of the training ids in every case, and control ids can only come from the template's own control spans.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tutelage.errors import TemplateError
from tutelage.records import Dropped, Example, Role, Turn
from tutelage.text.own import OwnTemplate, prove
from tutelage.text.templates import ChatTemplate, Span, built_in

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
        control: the control tokens, text -> id. The unknown token is none of them: it stands for characters
            that the tokenizer cannot write, and its own text is cut up like any control token's.
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
        added = {token.content: number for number, token in tokenizer.added_tokens_decoder.items()}
        special = {
            token.content
            for token in tokenizer.added_tokens_decoder.values()
            if token.special or NAMED.fullmatch(token.content)
        }
        special |= {text for text in tokenizer.all_special_tokens if text in added}
        if isinstance(template, str):
            template = choose(tokenizer, template, tuple(added), tuple(sorted(special)))
        self.template: ChatTemplate = template
        inside = self.template.jinja
        self.control = {
            text: number
            for text, number in added.items()
            if (text in special or (text.strip() and text in inside)) and text != tokenizer.unk_token
        }
        self._control_ids = frozenset(self.control.values())
        self.stop_ids = frozenset({self.control[self.template.stop], tokenizer.eos_token_id})
        self.bos = _expected_bos(tokenizer)
        self._pieces = _Pieces(self._backend, self._control_ids, tokenizer.eos_token or "")

    def _encode(self, spans: Iterable[Span]) -> tuple[list[int], list[tuple[int, int, Span]]]:
        """Ids, and (start, end, span) of each piece, where span is the piece's first."""
        ids: list[int] = []
        marks: list[tuple[int, int, Span]] = []
        waiting: list[Span] = []
        first = True

        def flush() -> None:
            nonlocal first
            if not waiting:
                return
            after_control = bool(marks) and marks[-1][2].control
            piece = self._pieces.ids("".join(span.text for span in waiting), first, after_control)
            marks.append((len(ids), len(ids) + len(piece), waiting[0]))
            ids.extend(piece)
            waiting.clear()
            first = False

        for span in spans:
            if span.control:
                flush()
                marks.append((len(ids), len(ids) + 1, span))
                ids.append(self.control[span.text])
                first = False
                continue
            if span.starts:
                flush()
            waiting.append(span)
        flush()
        if self.bos is not None and ids[:1] != [self.bos]:
            ids.insert(0, self.bos)
            marks = [(start + 1, end + 1, span) for start, end, span in marks]
        return ids, marks

    def encode(self, turns: Sequence[Turn], example: str = "", prompt_weight: float = 0.0) -> Tokens:
        """A conversation's ids and weights: 1 on trained answers and their stop tokens, else `prompt_weight`."""
        ids, marks = self._encode(self.template.spans(turns))
        weights = np.full(len(ids), prompt_weight, np.float32)
        reach: dict[int, tuple[int, int]] = {}
        for start, end, span in marks:
            if span.trained:
                weights[start:end] = 1.0
                reach[span.turn] = (reach.get(span.turn, (start, end))[0], end)
        return Tokens(np.asarray(ids, np.int32), weights, tuple(reach.values()), example)

    def prompt(self, turns: Sequence[Turn]) -> list[int]:
        """The ids that come before an answer to these turns."""
        return self._encode(self.template.prompt(turns))[0]

    def plain(self, text: str) -> list[int]:
        """Text without any template, after the BOS where the model expects one; control tokens in it are text."""
        ids = self._pieces.ids(text, True, False)
        return [self.bos, *ids] if self.bos is not None else ids

    def portable_jinja(self) -> str:
        """The template for transformers' `apply_chat_template`, which adds no BOS of its own."""
        own = self.template.name == "own" or self.bos is None
        return self.template.jinja if own else "{{ bos_token }}" + self.template.jinja

    def decode(self, ids: Sequence[int]) -> str:
        """Text of answer ids; control tokens are left out, everything else is kept as it is."""
        return self.text([number for number in ids if number not in self._control_ids])

    def text(self, ids: Sequence[int]) -> str:
        """Text of ids, nothing left out."""
        return self._backend.decode(list(ids), skip_special_tokens=False)


def choose(tokenizer: Any, name: str, added: Sequence[str], controls: Sequence[str]) -> ChatTemplate:
    """The template called `name`; auto is the model's own where it has a proven one, else plain.

    Raises:
        TemplateError: own was asked for and is missing or fails its proof.
    """
    source = tokenizer.chat_template
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
    return built_in("plain" if name == "auto" else name, tokenizer.eos_token, added, controls)


def _expected_bos(tokenizer: Any) -> int | None:
    """The BOS id where the tokenizer itself puts one before a text."""
    bos = tokenizer.bos_token_id
    return int(bos) if bos is not None and tokenizer("a").input_ids[:1] == [bos] else None


class _Pieces:
    """Encodes text in which nothing becomes a control token.

    Some tokenizers put a space before each text they get (Llama 2, Mistral). A piece from the middle of a
    conversation must not get one; a piece at the start, or after a control token, gets what the tokenizer
    itself would give it there.
    """

    def __init__(self, backend: Tokenizer, control: frozenset[int], eos: str) -> None:
        self._native, self._control = backend, control
        without = _without_prefix(backend)
        self._middle = without or backend
        self._at_start = self._after_control = False
        if without is not None:
            plain = without.encode("a", add_special_tokens=False).ids
            self._at_start = backend.encode("a", add_special_tokens=False).ids != plain
            backend.encode_special_tokens = False
            after = backend.encode(eos + "a", add_special_tokens=False).ids[1:]
            self._after_control = bool(eos) and after != plain

    def ids(self, text: str, first: bool, after_control: bool) -> list[int]:
        """Ids of one piece; where a control id would appear, the text is cut inside that token and tried again."""
        native = (first and self._at_start) or (after_control and self._after_control)
        return self._safe(text, self._native if native else self._middle)

    def _safe(self, text: str, backend: Tokenizer) -> list[int]:
        backend.encode_special_tokens = True  # the transformers wrapper resets it on every call of its own
        encoding = backend.encode(text, add_special_tokens=False)
        ids: list[int] = encoding.ids
        if self._control.isdisjoint(ids):
            return ids
        place = next(place for place, number in enumerate(ids) if number in self._control)
        start, end = encoding.offsets[place]
        if end - start < 2:
            raise TemplateError(f"the character {text[start:end]!r} is a control token of this tokenizer")
        cut = start + 1
        return self._safe(text[:cut], backend) + self._safe(text[cut:], self._middle)


def _without_prefix(backend: Tokenizer) -> Tokenizer | None:
    """A copy that adds no space at the start of a text; None where the tokenizer adds none."""
    backend.encode_special_tokens = True
    lone, inner = (backend.encode(text, add_special_tokens=False).ids for text in ("a", "\na"))
    if lone == inner[-len(lone) :]:
        return None
    plan = json.loads(backend.to_str())
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
            while len(item) > max_length and too_long == "keep_last_turns":
                fewer = _without_first_exchange(turns)
                if fewer is None:
                    break
                turns = fewer
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
                conversation = type(example.conversation)(tuple(turns))
                example = Example(example.id, conversation, example.source, example.group, example.tags)
            tokens.append(item)
            kept.append(example)
    return Encoded(tuple(tokens), tuple(kept), tuple(shortened), cut, tuple(dropped))


def _without_first_exchange(turns: tuple[Turn, ...]) -> tuple[Turn, ...] | None:
    """The turns less the first question and its answer; the system turn stays. None where only one is left."""
    head = 1 if turns[0].role is Role.SYSTEM else 0
    starts = [place for place, turn in enumerate(turns) if turn.role is Role.USER and place > head]
    return turns[:head] + turns[starts[0] :] if starts else None
