"""A conversation with a model in the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.errors import TemplateError, TutelageError
from tutelage.evaluation.answers import context_length
from tutelage.model.generate import stream
from tutelage.model.load import Loaded
from tutelage.recipe import DecodingSettings
from tutelage.records import Role, Turn
from tutelage.text.encode import Encoder
from tutelage.tuning.run import write_text

HELP = """\
/system TEXT   set the system text (without TEXT: take it away)
/reset         forget the conversation
/undo          take back the last question and its answer
/save FILE     keep the conversation as a line of JSON that `tutelage tune` reads
/help          this list
/quit          leave (Ctrl-D does too); Ctrl-C stops an answer
"""
BROKEN = "\ufffd"


@dataclass
class Talk:
    """A conversation so far: the system text, and questions with their answers."""

    system: str = ""
    exchanges: list[tuple[str, str]] = field(default_factory=list)

    def turns(self) -> tuple[Turn, ...]:
        """All turns in order."""
        made = [Turn(Role.SYSTEM, self.system)] if self.system else []
        for question, answer in self.exchanges:
            made += [Turn(Role.USER, question), Turn(Role.ASSISTANT, answer)]
        return tuple(made)

    def asking(self, question: str) -> tuple[Turn, ...]:
        """All turns and a new question."""
        return (*self.turns(), Turn(Role.USER, question))


def as_text(encoder: Encoder, ids: Iterable[int]) -> Iterator[str]:
    """The text of ids as they come, in pieces that hold whole characters only.

    A character may take several tokens. Until the last of them is there its bytes decode to U+FFFD, and with
    some tokenizers so do the bytes before it; such text is held back until it is whole or nothing follows.
    """
    seen: list[int] = []
    told = text = ""
    for number in ids:
        seen.append(number)
        text = encoder.decode(seen)
        whole = text.rstrip(BROKEN)
        if len(whole) > len(told) and whole.startswith(told):
            yield whole[len(told) :]
            told = whole
        elif whole == text and not text.startswith(told):
            # Bytes that make no character spoilt those before them for good: go on after the damage.
            yield text[text.rfind(BROKEN) :] if BROKEN in text else ""
            told = text
    if text.startswith(told) and text != told:
        yield text[len(told) :]


class _Chat:
    """One conversation with one model. Every answer is of the same encoder that tuning used."""

    def __init__(
        self,
        loaded: Loaded,
        encoder: Encoder,
        decoding: DecodingSettings,
        talk: Talk,
        write: Callable[[str], None],
        max_length: int,
    ) -> None:
        self.network, self.encoder, self.decoding = loaded.network, encoder, decoding
        self.talk, self.write = talk, write
        self.most = min(max_length, context_length(loaded.network) or max_length)

    def command(self, line: str) -> bool:
        """Do what a line that begins with / says; whether to go on."""
        name, _, rest = line.partition(" ")
        rest = rest.strip()
        if name == "/quit":
            return False
        if name == "/system":
            self.talk.system = rest
            self.write("The system text is set.\n" if rest else "There is no system text now.\n")
        elif name == "/reset":
            self.talk.exchanges.clear()
            self.write("The conversation is forgotten.\n")
        elif name == "/undo":
            undone = bool(self.talk.exchanges) and bool(self.talk.exchanges.pop())
            self.write("The last exchange is taken back.\n" if undone else "There is nothing to take back.\n")
        elif name == "/save":
            self.write(self._save(rest))
        elif name == "/help":
            self.write(HELP)
        else:
            self.write(f"There is no command {name}; /help lists them.\n")
        return True

    def _save(self, name: str) -> str:
        path = Path(name).expanduser()
        if not name:
            return "Name a file: /save FILE\n"
        if not self.talk.exchanges:
            return "There is nothing to save yet.\n"
        if path.exists():
            return f"{path} exists; name another file.\n"
        messages = [{"role": turn.role.value, "content": turn.text} for turn in self.talk.turns()]
        try:
            write_text(path, json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
        except (OSError, TutelageError) as error:
            return f"{path} cannot be written: {error}\n"
        return f"Saved in {path}.\n"

    def _prompt(self, question: str) -> tuple[list[int], int]:
        """The prompt's ids and the room for an answer; the oldest exchanges go where there is too little.

        Raises:
            TemplateError: the template refuses the turns, or not even the question alone leaves room.
        """
        dropped = 0
        ids = self.encoder.prompt(self.talk.asking(question))
        while self.talk.exchanges and len(ids) + self.decoding.max_new_tokens > self.most:
            self.talk.exchanges.pop(0)
            dropped += 1
            ids = self.encoder.prompt(self.talk.asking(question))
        if dropped:
            count = "oldest exchange is" if dropped == 1 else f"{dropped} oldest exchanges are"
            self.write(f"(The conversation became too long: the {count} forgotten.)\n")
        room = self.most - len(ids)
        if room < 1:
            raise TemplateError(f"this is too long: {len(ids)} tokens, and the limit is {self.most}")
        return ids, min(room, self.decoding.max_new_tokens)

    def answer(self, question: str) -> None:
        """Write the model's answer as it comes and remember it, as far as it came."""
        try:
            ids, room = self._prompt(question)
        except TemplateError as error:
            self.write(f"{error}\n")
            return
        settings = self.decoding.model_copy(update={"max_new_tokens": room})
        pieces: list[str] = []
        new: list[int] = []
        try:
            for piece in as_text(self.encoder, _kept(stream(self.network, ids, self._stops, settings), new)):
                pieces.append(piece)
                self.write(piece)
        except KeyboardInterrupt:
            self.write("\n(stopped)")
        else:
            if not new or new[-1] not in self._stops:
                self.write(f"\n(cut off after {len(new)} tokens)")
        self.write("\n")
        # An answer of nothing would teach the model by example to say nothing.
        if text := "".join(pieces).strip():
            self.talk.exchanges.append((question, text))

    @property
    def _stops(self) -> frozenset[int]:
        return self.encoder.stop_ids


def _kept(ids: Iterable[int], into: list[int]) -> Iterator[int]:
    for number in ids:
        into.append(number)
        yield number


def chat(
    loaded: Loaded,
    encoder: Encoder,
    decoding: DecodingSettings,
    system: str,
    ask: Callable[[str], str] | None = None,
    write: Callable[[str], None] | None = None,
    max_length: int = 2048,
) -> Talk:
    """Talk with a model until the user leaves.

    Args:
        system: the system text to begin with, "" for none.
        ask: gets a prompt text and returns the user's next line; EOFError ends the chat, KeyboardInterrupt
            asks again. None: this process's terminal or pipe.
        write: gets pieces of text to show, at once and without line breaks of its own. None: as for `ask`.
        max_length: most tokens of conversation and answer together; the model's own limit holds too.

    Returns:
        The conversation as it was at the end.
    """
    here = terminal()
    ask, write = ask or here[0], write or here[1]
    talk = Talk(system)
    chatting = _Chat(loaded, encoder, decoding, talk, write, max_length)
    while True:
        try:
            line = ask("> ").strip()
        except EOFError:
            return talk
        except KeyboardInterrupt:
            write("\n(/quit or Ctrl-D leaves)\n")
            continue
        if line.startswith("/"):
            if not chatting.command(line):
                return talk
        elif line:
            chatting.answer(line)


def terminal() -> tuple[Callable[[str], str], Callable[[str], None]]:
    """`ask` and `write` for this process: with line editing and colour at a terminal, plain in a pipe."""
    if sys.stdin.isatty():
        import contextlib

        with contextlib.suppress(ImportError):  # Windows has no readline; input() works without
            import readline  # noqa: F401

    def ask(prompt: str) -> str:
        if sys.stdin.isatty():
            # \001 and \002 tell readline that the colour takes no room on the line.
            colour = sys.stdout.isatty()
            return input(f"\001\x1b[1;36m\002{prompt}\001\x1b[0m\002" if colour else prompt)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    return ask, write
