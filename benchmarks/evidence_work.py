"""Runs and answers of the evidence page, kept on disk: what is there already is not made again.

A run's key is a hash of its rows, its recipe, its base's weights and the product's code; the key of its answers is
that one with the prompts and the decoding. A run that was killed goes on from its last checkpoint.
"""

from __future__ import annotations

import gc
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

from evidence_data import Rows

import tutelage
from tutelage import Recipe, resume, terminal, tune
from tutelage.errors import TuningError
from tutelage.evaluation.answers import Answer, Ask, generate_together
from tutelage.evaluation.contenders import Contender as Shown
from tutelage.evaluation.contenders import candidates, in_best_format, markers_of
from tutelage.evaluation.scorers import SCORERS
from tutelage.evaluation.tasks import Item
from tutelage.model import machine
from tutelage.model.forward import prove
from tutelage.model.load import Loaded, load, load_tokenizer, locate, located_hash
from tutelage.recipe import DecodingSettings
from tutelage.records import Conversation, Example, Prompt, Role, Source, Turn
from tutelage.text.encode import Encoder
from tutelage.tuning import checkpoint
from tutelage.tuning.run import Run, is_run, write_text
from tutelage.tuning.work import Stopped, Watch

SPEED = 110
"""Tokens a second that are guessed before the first run is measured."""
BASE_ANSWER, TUNED_ANSWER = 1.5, 0.5
"""Seconds for an answer, guessed: a base does not stop and writes to the limit."""


FORMAT = "base, choosing its plain-text format"
"""A piece."""


@lru_cache(1)
def code() -> str:
    """A hash of the code from rows to weights and from prompts to answers, and of the libraries beneath it."""
    package = Path(tutelage.__file__).parent
    digest = hashlib.sha256(f"{version('torch')} {version('transformers')}".encode())
    rooms = [sorted((package / room).rglob("*.py")) for room in ("text", "model", "tuning")]
    for path in (package / "recipe.py", package / "evaluation" / "answers.py", *chain(*rooms)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Clock:
    """What is still to do, in seconds as guessed, and how wrong the guesses have been so far."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say, self.todo = say, dict[str, float]()
        self.guessed = self.spent = 0.0
        self.begun = time.monotonic()

    def plan(self, pieces: Mapping[str, float]) -> None:
        """More to do."""
        self.todo |= pieces

    @property
    def left(self) -> float:
        """Seconds that the rest takes if guesses stay as wrong as they have been."""
        scale = self.spent / self.guessed if self.guessed > 60 else 1.0
        return sum(self.todo.values()) * scale

    def skip(self, name: str) -> None:
        """A piece that is there already."""
        if self.todo.pop(name, None) is not None:
            self.say(f"There already: {name}.")

    @contextmanager
    def piece(self, name: str) -> Iterator[None]:
        """A piece at work."""
        self.say(f"{name} — about {self.left / 60:.0f} minutes left in all, {len(self.todo)} pieces")
        since = time.monotonic()
        yield
        took = time.monotonic() - since
        self.guessed += self.todo.pop(name, took)
        self.spent += took
        self.say(f"{name}: done in {took / 60:.1f} minutes")


@dataclass
class Voice:
    """A model with the way it is asked.

    Attributes:
        name: of the piece, for the person.
        model: gives what `load` takes; called only where answers are missing, and may tune first.
        key: identifies its weights.
        format: "" for its own template, else the name of a format of `candidates`.
    """

    name: str
    model: Callable[[], str]
    key: str
    format: str = ""


@dataclass
class Bench:
    """Where everything is, and how much of it.

    Attributes:
        instruct: a model to make forget; "": the small one that comes with a package.
        threads: to compute with; 0: one for each physical core.
        tokens: that a run is tuned on at most, prompts and answers together.
        items: prompts of each tested task; of dolly twice as many.
    """

    base: str
    data: Path
    cache: Path
    tokens: int = 30_000
    items: int = 20
    seeds: int = 3
    counts: tuple[int, ...] = (5, 15, 35)
    pictures: Path = Path("docs/pictures")
    instruct: str = ""
    threads: int = 0
    say: Callable[[str], None] = terminal.say
    held: dict[str, Loaded] = field(default_factory=dict)

    @cached_property
    def clock(self) -> Clock:
        """Of the whole page."""
        return Clock(self.say)

    def hash_of(self, base: str) -> str:
        """Of a model's weights."""
        if base not in self._hashes:
            self._hashes[base] = located_hash(locate(base, self.say))
        return self._hashes[base]

    @cached_property
    def _hashes(self) -> dict[str, str]:
        return {}

    @cached_property
    def encoder(self) -> Encoder:
        """The base's tokenizer with the template that tuning chooses."""
        return Encoder(load_tokenizer(locate(self.base, self.say)))

    def count(self, prompt: str, answer: str) -> int:
        """Tokens of a conversation as it is tuned on."""
        return len(self.encoder.encode((Turn(Role.USER, prompt), Turn(Role.ASSISTANT, answer))).ids)

    def key(self, *content: Any) -> str:
        """A short hash of anything that JSON can hold, of the version, and of the code that numbers follow from."""
        whole = json.dumps([tutelage.__version__, code(), *content], sort_keys=True, default=str)
        return hashlib.sha256(whole.encode()).hexdigest()[:12]

    def rows_file(self, rows: Rows) -> Path:
        """The rows as a file of prompts and responses, named after its content."""
        path = self.cache / "data" / f"rows-{self.key(rows)}.jsonl"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [json.dumps({"prompt": asked, "response": answer}, ensure_ascii=False) for asked, answer in rows]
            write_text(path, "\n".join(lines) + "\n")
        return path

    def run_key(self, rows: Rows, settings: Mapping[str, Any], base: str = "") -> str:
        """Identifies a run before it is made."""
        return self.key(rows, settings, self.hash_of(base or self.base))

    def tuned(self, name: str, rows: Rows, settings: Mapping[str, Any], base: str = "") -> Run:
        """A finished run on these rows: as it lies there, gone on with, or new."""
        folder = self.cache / "runs" / self.run_key(rows, settings, base)
        if is_run(folder) and Run(folder).manifest().finished:
            self.clock.skip(name)
            return Run(folder)
        self.held.clear()
        gc.collect()
        content = {section: dict(part) for section, part in settings.items()}
        given = content.get("data", {})
        files = given.get("files") or [str(self.rows_file(rows))]
        content["data"] = {"hold_out": 0.0} | given | {"files": files}
        content["model"] = {"base": base or self.base, "threads": self.threads} | content.get("model", {})
        content["tuning"] = {"samples": 0, "save_minutes": 2.0} | content.get("tuning", {})
        recipe = Recipe.model_validate(content | {"out": str(folder)})
        with self.clock.piece(name), terminal.StepBar() as bar:
            return tuned_on(folder, recipe, Watch(self.say, bar.stepped))

    def loaded(self, model: str) -> Loaded:
        """A model in memory; the one before it is let go."""
        if model not in self.held:
            self.held.clear()
            gc.collect()
            machine.set_threads(self.threads)
            device = machine.choose_device("auto")
            self.held[model] = load(locate(model, self.say), device, machine.choose_precision("auto", device), self.say)
        return self.held[model]

    def answers(self, voice: Voice, prompts: Sequence[Sequence[Turn]], most: int) -> list[Answer]:
        """What a model writes to prompts, at most so many tokens each, greedily, by the product's decoder."""
        asked = [Prompt(str(place), tuple(turns)) for place, turns in enumerate(prompts)]
        key = self.key(voice.key, voice.format, [repr(one.turns) for one in asked], most)
        path = self.cache / "answers" / f"{key}.json"
        if path.exists():
            self.clock.skip(voice.name)
            self.clock.todo.pop(voice.name.partition(": answers")[0], None)  # nor is the run needed
            return [Answer(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
        model = voice.model()
        with self.clock.piece(voice.name), terminal.counting("answering", len(asked)) as count:
            loaded = self.loaded(model)
            encoder = self.in_format(loaded, voice.format)
            markers = markers_of(encoder)
            decoding = DecodingSettings(max_new_tokens=most)
            ask = Ask(encoder, asked, markers)
            made = generate_together(loaded.network, [ask], decoding, count, cut_loops=True)[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps([asdict(one) for one in made], ensure_ascii=False))
        return list(made)

    def in_format(self, loaded: Loaded, name: str) -> Encoder:
        """The model's tokenizer with a format by name, or with the template that it was tuned with."""
        if not name:
            return Encoder(loaded.tokenizer, loaded.located.template or "auto")
        return next(one for one in candidates(loaded.tokenizer, "auto") if one.template.name == name)

    def best_text(self, rows: Rows) -> tuple[str, str]:
        """Names of the base's template and of the plain-text format in which it expects these answers best.

        Chosen as the product chooses it, by the loss of reference answers; here of training tasks.
        """
        path = self.cache / "answers" / f"format-{self.key(rows, self.hash_of(self.base))}.json"
        if path.exists():
            self.clock.skip(FORMAT)
        else:
            with self.clock.piece(FORMAT):
                loaded = self.loaded(self.base)
                plain, *texts = candidates(loaded.tokenizer, "auto")
                shown = Shown("base", self.base, loaded.network, plain, prove(loaded.network))
                best = in_best_format(shown, texts, [_example(*row) for row in rows]).contender.encoder.template.name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps([plain.template.name, best]))
        template, text = json.loads(path.read_text(encoding="utf-8"))
        return template, text


def _example(prompt: str, answer: str) -> Example:
    turns = (Turn(Role.USER, prompt), Turn(Role.ASSISTANT, answer))
    return Example(hashlib.sha256(prompt.encode()).hexdigest()[:12], Conversation(turns), Source("superni", ()))


def tuned_on(folder: Path, recipe: Recipe, watch: Watch) -> Run:
    """A run that goes on where it was stopped, or begins again where there is nothing to go on from."""
    if is_run(folder) and checkpoint.latest(folder / "checkpoints"):
        try:
            return resume(folder, watch)
        except Stopped:
            raise
        except TuningError as error:
            watch.say(f"{folder} cannot go on and begins again: {error}")
    if folder.exists():
        shutil.rmtree(folder)
    return tune(recipe, watch)


def scores(answers: Sequence[Answer], items: Sequence[Item]) -> list[float]:
    """ROUGE-L of each answer, by the product's scorer."""
    rouge = SCORERS["rouge_l"].score
    return [rouge(given.answer, item).value for given, item in zip(answers, items, strict=True)]
