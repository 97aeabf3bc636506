"""Random conversations, and a slow obvious way to encode them that shares no code with `tutelage.text`."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenizers import Tokenizer

from tutelage.records import Role, Turn

CONTROL_TEXTS = (
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_of_image>",
    "<end_of_image>",
    "<image_soft_token>",
    "<unused7>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<bos>",
    "<eos>",
    "<pad>",
    "<unk>",
    "<mask>",
    "<s>",
    "</s>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "[INST]",
    "[/INST]",
    "<|end|>",
    "<repo_name>",
    "<jupyter_start>",
)

MARKERS = (
    "<|user|>\n",
    "<|assistant|>\n",
    "<|system|>\n",
    "<|im_end|>\n<|im_start|>assistant\n",
    "<end_of_turn>\n<start_of_turn>model\n",
    "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "<|im_",
    "_end|>",
    "<|",
    "|>",
    "<end_of_",
    "<",
    "user\n",
    "model\n",
    "</",
    "\ue0f00\ue0f1",
    "{{ bos_token }}",
    "{% endgeneration %}",
)

ORDINARY = (
    "What is the capital of France?",
    "Paris.",
    "It's 3.14159, more or less (1,000 times).",
    "Please explain how a tokenizer cuts text; I don't know!",
    "Größe, naïve café, Ünïcödé — “quoted” … ½ € £",
    "日本語のテキストと中文字符，以及한국어",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "🙂 emoji 👩‍👩‍👧‍👦 family 🏳️‍🌈 and 👍🏽 tone",
    "e\u0301 combining, \u200bzero\u200dwidth, \u00a0no-break",
    "def f(x):\n    return {'a': [x, None]}\n\n\nprint(f(1))",
    "for (int i = 0; i < n; ++i) {\r\n\tsum += a[i];\r\n}",
    '{"role": "user", "content": "hi", "n": [1, 2.5, true, null]}',
    "<table><tr><td>1</td></tr></table>",
    "# Title\n\n- one\n- two\n\n\n\n1. three",
    "a\n\n\n\n\n\nb\r\n\r\nc",
    "word    with     spaces\tand\t\ttabs",
    "https://example.org/a?b=c&d=%20#e",
    "x",
    "0",
    "The quick brown fox jumps over the lazy dog. " * 3 + "End.",
    "SELECT * FROM t WHERE a <> 'b' AND c <= 4;",
    "line\u2028separator\u2029 and \x0b vertical \x7f del",
)

EDGES = ("", "", "", " ", "  ", "\n", "\n\n", "\t", "\r\n", " \n ", "\u00a0")


def wild_text(rng: random.Random) -> str:
    """Anything that people may write: control tokens as text, markers whole and in part, white space anywhere."""
    if rng.random() < 0.04:
        return rng.choice(("", " ", "\n", ".", "\n\n\n"))
    pools = (ORDINARY, CONTROL_TEXTS, MARKERS, EDGES)
    parts = [rng.choice(rng.choices(pools, (4, 3, 3, 2))[0]) for _ in range(rng.randint(1, 5))]
    return rng.choice(EDGES) + "".join(parts) + rng.choice(EDGES)


def ordinary_text(rng: random.Random) -> str:
    """Text without control tokens, markers, or white space at its edges."""
    return rng.choice((" ", "\n", "\n\n", ", ")).join(rng.choice(ORDINARY) for _ in range(rng.randint(1, 3)))


def chat(rng: random.Random, ordinary: bool, tools: bool = True) -> tuple[Turn, ...]:
    """One to four exchanges, perhaps with a system turn and tool turns; some answers are not trained if wild."""
    text = ordinary_text if ordinary else wild_text
    turns = [Turn(Role.SYSTEM, text(rng))] if rng.random() < 0.4 else []
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        turns += [Turn(Role.USER, text(rng)), _answer(rng, text(rng), ordinary)]
        while tools and rng.random() < 0.15:
            turns += [Turn(Role.TOOL, text(rng)) for _ in range(rng.choice((1, 1, 2)))]
            turns.append(_answer(rng, text(rng), ordinary))
    return tuple(turns)


def _answer(rng: random.Random, text: str, ordinary: bool) -> Turn:
    return Turn(Role.ASSISTANT, text, None if ordinary else rng.choice((None, None, True, False)))


def chats(seed: str, count: int, ordinary: bool = False, tools: bool = True) -> Iterator[tuple[Turn, ...]]:
    """`count` chats that depend on the seed alone."""
    rng = random.Random(seed)
    for _ in range(count):
        yield chat(rng, ordinary, tools)


def assistants(turns: Sequence[Turn]) -> list[int]:
    """Places of the assistant's turns."""
    return [place for place, turn in enumerate(turns) if turn.role is Role.ASSISTANT]


@dataclass(frozen=True)
class Style:
    """How a tokenizer treats the start of a text, known from how it was made and not measured.

    `at_start`, `after_control`: it puts a space there. `swallows`: control tokens that take the white space
    beside them.
    """

    at_start: bool = False
    after_control: bool = False
    swallows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """Text or one control token, as a person would write the format down."""

    text: str
    control: bool = False
    trained: bool = False
    answer: bool = False


def written(template: str, turns: Sequence[Turn], eos: str, bos: str | None, added: set[str]) -> list[Piece]:
    """A conversation in one of the formats, written down by hand. `added`: which texts are single tokens."""
    pieces: list[Piece] = [Piece(bos, True)] if bos else []

    def say(text: str, trained: bool = False) -> None:
        pieces.append(Piece(text, text in added, trained))

    turns = list(turns)
    lead = ""
    if template == "own" and turns[0].role is not Role.SYSTEM:
        say("<|im_start|>")
        say("system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face")
        say("<|im_end|>")
        say("\n")
    if template == "gemma" and turns[0].role is Role.SYSTEM:
        lead = turns.pop(0).text + "\n\n"
    for turn in turns:
        answer, trained = turn.role is Role.ASSISTANT, turn.role is Role.ASSISTANT and turn.trained is not False
        if template == "plain":
            say(f"<|{turn.role}|>")
            say("\n")
        elif template in ("chatml", "own"):
            say("<|im_start|>")
            say(f"{turn.role}\n")
        elif template == "gemma":
            say("<start_of_turn>")
            say("model\n" if answer else "user\n")
        else:
            say("<|start_header_id|>")
            say("ipython" if turn.role is Role.TOOL else str(turn.role))
            say("<|end_header_id|>")
            say("\n\n")
        pieces.append(Piece(lead + turn.text, trained=trained, answer=answer))
        lead = ""
        stop = {"plain": eos, "gemma": "<end_of_turn>", "llama3": "<|eot_id|>"}.get(template, "<|im_end|>")
        pieces.append(Piece(stop, True, trained))
        if template in ("chatml", "own", "gemma"):
            say("\n")
    return pieces


@dataclass
class Naive:
    """Encodes pieces with a copy of the tokenizer whose JSON knows no control tokens."""

    tokenizer: Any
    control: set[str]
    style: Style
    _edited: Tokenizer = field(init=False)

    def __post_init__(self) -> None:
        self.tokenizer.backend_tokenizer.encode_special_tokens = False
        plan = json.loads(self.tokenizer.backend_tokenizer.to_str())
        unflagged = [token["content"] for token in plan["added_tokens"] if not token["special"]]
        # A control token that is flagged as special is spelt out in one go, any other is cut after its first
        # character; where added tokens overlap, the longest leftmost one counts.
        self._spelt = re.compile("|".join(map(re.escape, sorted(unflagged, key=len, reverse=True))) or "(?!)")
        hidden = self.control | {self.tokenizer.unk_token}
        # They get new names rather than none, so that every other token keeps its id.
        model, names = (
            plan["model"],
            {text: f"\ue123{number}\ue456" for number, text in enumerate(sorted(hidden - {None}))},
        )
        model["vocab"] = {names.get(text, text): number for text, number in model["vocab"].items()}
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
        for token in plan["added_tokens"]:
            token["content"] = names.get(token["content"], token["content"])
        self._edited = Tokenizer.from_str(json.dumps(plan))
        self._anchor = self._encoded("\x01")

    def _encoded(self, text: str) -> list[int]:
        return list(self._edited.encode(text, add_special_tokens=False).ids)

    def _text(self, text: str, spaced: bool) -> list[int]:
        """Ids of text; a tokenizer that puts a space before each text is kept from it by a character before."""
        ids: list[int] = []
        start = 0
        cuts = [m.start() + 1 for m in self._spelt.finditer(text) if m.group() in self.control]
        for cut in [*cuts, len(text)]:
            part = text[start:cut]
            if spaced or not self.style.at_start:
                ids += self._encoded(part)
            elif part:
                ids += self._encoded("\x01" + part)[len(self._anchor) :]
            spaced, start = False, cut
        return ids

    def encode(self, pieces: Sequence[Piece]) -> tuple[list[int], list[int], list[int]]:
        """Ids, mask, and where each answer begins."""
        ids: list[int] = []
        mask: list[int] = []
        answers: list[int] = []
        place, last = 0, "start"  # what stands before: a control token, "" for text
        while place < len(pieces):
            piece = pieces[place]
            if piece.control:
                new, last = [self.tokenizer.convert_tokens_to_ids(piece.text)], piece.text
                place += 1
            else:
                text = piece.text
                place += 1
                while place < len(pieces) and not pieces[place].control and not pieces[place].answer:
                    text += pieces[place].text
                    place += 1
                if last in self.style.swallows:
                    text = text.lstrip()
                if place < len(pieces) and pieces[place].control and pieces[place].text in self.style.swallows:
                    text = text.rstrip()
                new = self._text(
                    text, self.style.at_start if last == "start" else last != "" and self.style.after_control
                )
                if piece.answer:
                    answers.append(len(ids))
                last = "" if new else last
            ids += new
            mask += [int(piece.trained)] * len(new)
        return ids, mask, answers
