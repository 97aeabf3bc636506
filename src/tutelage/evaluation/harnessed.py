"""A model as lm-evaluation-harness asks it: our encoder, our decoder, our forward; needs the extra `harness`.

The harness hands prompts around as one string. A string that came from a template carries its turns with it
(`Shown`), so its ids are those of the chat, the server and the tuning: one beginning-of-sequence token, and nothing
that stands in a task's text becomes a control token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import normalize_gen_kwargs

from tutelage.errors import TemplateError, UsageError
from tutelage.evaluation.answers import context_length
from tutelage.evaluation.likelihoods import likelihoods
from tutelage.evaluation.plaintext import part_losses, windows
from tutelage.model.forward import Proof
from tutelage.model.generate import decode
from tutelage.recipe import DecodingSettings
from tutelage.records import ConversationError, Prompt, Role, Turn
from tutelage.text.encode import Encoder

WITHOUT_EFFECT: Mapping[str, Sequence[object]] = {
    "top_k": (None, 0),
    "min_p": (None, 0),
    "num_beams": (None, 1),
    "repetition_penalty": (None, 1),
    "length_penalty": (None, 1),
    "no_repeat_ngram_size": (None, 0),
    "use_cache": (None, True, False),
    "seed": (None,),
}
"""Settings of decoding that a task may ask for although this decoder has none of them: with these values."""
OF_DRAWING = ("temperature", "top_p", "top_k", "min_p", "seed")
"""Settings that mean nothing where the likeliest token is taken."""

Progress = Callable[[int], None]


class Shown(str):
    """A rendered prompt that knows what it was made from.

    Attributes:
        turns: what is asked.
        begun: with what the answer begins already.
    """

    turns: tuple[Turn, ...]
    begun: str

    @classmethod
    def of(cls, encoder: Encoder, turns: tuple[Turn, ...], begun: str) -> Shown:
        """The prompt as a reader of the harness's logs sees it."""
        spans = encoder.template.prompt(turns)
        made = cls("".join(span.text for span in spans) + begun)
        made.turns, made.begun = turns, begun
        return made


class Harnessed(TemplateLM):  # type: ignore[misc]
    """A network with its encoder behind lm-evaluation-harness's interface.

    Attributes:
        cut: requests that were longer than the model reads; they lost their beginning.
        untemplated: requests by task that came without the template although it is applied: such a task writes its
            prompts itself.
        folded: prompts whose system text stands in the first user turn, since the template has no system turn.
    """

    def __init__(
        self, network: Any, encoder: Encoder, proof: Proof, decoding: DecodingSettings, templated: bool = True
    ) -> None:
        super().__init__()
        self.network, self.encoder, self.proof, self.decoding = network, encoder, proof, decoding
        self.templated = templated
        self.tokenizer = encoder.tokenizer
        self.cut = self.folded = 0
        self.untemplated: Counter[str] = Counter()
        self.counting: Callable[[str, int], Progress | None] = lambda what, of: None

    @property
    def eot_token_id(self) -> int:
        """The end-of-sequence token's id."""
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        """What stands before a text that nothing else stands before."""
        bos = self.tokenizer.bos_token_id if self.encoder.bos is None else self.encoder.bos
        return self.eot_token_id if bos is None else int(bos)

    @property
    def max_length(self) -> int | None:
        """Tokens that the model reads; None: any number."""
        return context_length(self.network)

    @property
    def tokenizer_name(self) -> str:
        """For the harness's names of caches."""
        return f"{self.tokenizer.name_or_path}--{self.encoder.template.name}".replace("/", "__")

    def chat_template(self, chat_template: bool | str = False) -> str:
        """The template in Jinja, for the harness's records."""
        return self.encoder.template.jinja if chat_template else ""

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
        """Ids of plain text, after a beginning of sequence where the model expects one."""
        ids = self.encoder.plain(string)
        return ids[1:] if add_special_tokens is False and self.encoder.bos is not None else ids

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> Shown:
        """The prompt in the model's template; without `add_generation_prompt` the last message begins the answer.

        Raises:
            UsageError: a task asks in an order of turns that is no conversation.
        """
        turns = tuple(Turn(Role(message["role"]), message["content"]) for message in chat_history)
        begun = ""
        if not add_generation_prompt and turns and turns[-1].role is Role.ASSISTANT:
            turns, begun = turns[:-1], turns[-1].text
        try:
            turns = Prompt("", turns).turns
        except ConversationError as error:
            raise UsageError(f"a task asks in an order of turns that is no conversation: {error}") from error
        try:
            return Shown.of(self.encoder, turns, begun)
        except TemplateError:
            if turns[0].role is not Role.SYSTEM:
                raise
        self.folded += 1
        first = Turn(Role.USER, f"{turns[0].text}\n\n{turns[1].text}")
        return Shown.of(self.encoder, (first, *turns[2:]), begun)

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """(log-probability, whether greedy decoding writes it) of each (context, continuation)."""
        asked = [(request.args[0], request.args[1]) for request in requests]
        self._count([(request.task_name, request.args[0]) for request in requests])
        return self._loglikelihood_tokens([(pair, *self._pair(*pair)) for pair in asked])

    def _pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        if isinstance(context, Shown):
            before, begun = self._answer(context, "")
            whole = self._answer(context, continuation)[1]
            # Where the tokens of both texts together differ from those of the first alone, the second begins.
            same = next((n for n, (a, b) in enumerate(zip(begun, whole, strict=False)) if a != b), len(begun))
            return [*before, *whole[:same]], whole[same:]
        if not context:
            return [self.prefix_token_id], self.tok_encode(continuation, add_special_tokens=False)
        before, after = self._encode_pair(context, continuation)
        return before or [self.prefix_token_id], after

    def _answer(self, shown: Shown, continuation: str) -> tuple[list[int], list[int]]:
        """Ids of a prompt, and of an answer's text after it without the stop token."""
        text = shown.begun + continuation
        tokens = self.encoder.encode((*shown.turns, Turn(Role.ASSISTANT, text)))
        start, end = tokens.spans[-1]
        ids: list[int] = tokens.ids.tolist()
        return ids[:start], ids[start : end - 1]

    def _loglikelihood_tokens(self, requests: list[Any], **kwargs: Any) -> list[tuple[float, bool]]:
        pairs, most = [], self.max_length
        for _, context, continuation in requests:
            kept = self._room(context, len(continuation) - 1)
            pairs.append((kept, continuation[-most:] if most else continuation))
        counting = self.counting("continuations", len(pairs))
        found = likelihoods(self.network, self.proof, pairs, counting)
        return [(one.nats, one.greedy) for one in found]

    def _room(self, ids: Sequence[int], more: int) -> list[int]:
        """The ids, or as many of the last as leave room for so many more; a beginning of sequence stays."""
        most = self.max_length
        if most is None or len(ids) + more <= most:
            return list(ids)
        self.cut += 1
        room = max(1, most - more)
        first = list(ids[:1]) if ids[0] == self.encoder.bos and room > 1 else []
        return [*first, *ids[len(ids) - room + len(first) :]]

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """The log-probability of each text, without a template, in as large parts as the model reads."""
        texts = [self.tok_encode(request.args[0], add_special_tokens=False) for request in requests]
        parts = [
            (place, part)
            for place, ids in enumerate(texts)
            for part in windows([self.prefix_token_id, *ids], 1, self.max_length)
        ]
        counting = self.counting("texts", len(parts))
        losses = part_losses(self.network, self.proof, [part for _, part in parts], counting)
        found = [0.0] * len(texts)
        for (place, _), nats in zip(parts, losses, strict=True):
            found[place] -= float(nats.sum())
        return found

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """An answer to each (context, settings), cut before the first text in `until`."""
        self._count([(request.task_name, request.args[0]) for request in requests])
        groups: dict[str, list[int]] = {}
        for place, request in enumerate(requests):
            groups.setdefault(repr(sorted(request.args[1].items())), []).append(place)
        counting = self.counting("answers", len(requests))
        found = [""] * len(requests)
        for places in groups.values():
            first = requests[places[0]]
            settings, until = self._settings(first.task_name, first.args[1])
            contexts = [requests[place].args[0] for place in places]
            for place, text in zip(places, self._written(contexts, settings, until, counting), strict=True):
                found[place] = text
        return found

    def _written(
        self, contexts: Sequence[str], settings: DecodingSettings, until: Sequence[str], counting: Progress | None
    ) -> list[str]:
        most, control = self.max_length, self.encoder.control
        new = settings.max_new_tokens if most is None else min(settings.max_new_tokens, max(1, most // 2))
        ids = [self._room(self._asked(context), new) for context in contexts]
        stop_ids = self.encoder.stop_ids | {control[one] for one in until if one in control}
        texts = [one for one in until if one and one not in control]
        # A character has at most four bytes, and a token at least one of them, but for parts of one.
        reach = max((len(one.encode()) for one in texts), default=0) + 4

        def ended(place: int, ids: Sequence[int]) -> bool:
            tail = self.encoder.decode(ids[-reach:])
            return any(one in tail for one in texts)

        settings = settings.model_copy(update={"max_new_tokens": new})
        made = decode(self.network, ids, stop_ids, settings, counting, ended if texts else None)
        return [_before(self.encoder.decode(one.ids), texts) for one in made]

    def _asked(self, context: str) -> list[int]:
        if not isinstance(context, Shown):
            return self.tok_encode(context) or [self.prefix_token_id]
        if not context.begun:
            return self.encoder.prompt(context.turns)
        before, begun = self._answer(context, "")
        return before + begun

    def _settings(self, task: str, asked: Mapping[str, Any]) -> tuple[DecodingSettings, list[str]]:
        """What a task asks of decoding, as our settings, and the texts that end an answer.

        Raises:
            UsageError: it asks for something that this decoder does not do.
        """
        given = dict(normalize_gen_kwargs(dict(asked), self.decoding.max_new_tokens))
        until = given.pop("until", None) or []
        drawn = bool(given.pop("do_sample", False))
        made: dict[str, Any] = {"max_new_tokens": given.pop("max_gen_toks"), "temperature": 0.0, "top_p": 1.0}
        if drawn:
            made |= {name: float(given.pop(name, 1.0)) for name in ("temperature", "top_p")}
        for name, value in given.items():
            without = value in WITHOUT_EFFECT.get(name, ()) or (name in OF_DRAWING and not drawn)
            if not without:
                raise UsageError(f"the task {task} asks for {name}={value}, which is not how answers are written here")
        return self.decoding.model_copy(update=made), [until] if isinstance(until, str) else list(until)

    def _count(self, asked: Sequence[tuple[str | None, str]]) -> None:
        if self.templated:
            self.untemplated.update(str(task) for task, text in asked if text and not isinstance(text, Shown))


def _before(text: str, ends: Sequence[str]) -> str:
    found = [place for one in ends if (place := text.find(one)) >= 0]
    return text[: min(found)] if found else text
