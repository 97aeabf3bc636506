"""Recipe: the one typed configuration. The YAML file, the command line's overrides and the help are this model."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tutelage.errors import UsageError

FREE = (
    "tuning.epochs",
    "tuning.max_steps",
    "tuning.save_every",
    "tuning.save_minutes",
    "tuning.keep_checkpoint",
    "tuning.samples",
    "tuning.memory_gb",
    "model.threads",
    "data.near",
    "data.benchmarks",
    "select.",
    "decoding.",
    "compare.",
    "track.",
    "out.",
)
"""Settings that may change while a run is stopped."""
DEEPEST = 20
"""Levels of a recipe's YAML; its settings stand on the second, their lists on the third."""


class Section(BaseModel):
    """A frozen part of the recipe; unknown keys are refused; a field's docstring is its help text."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _listed(value: object) -> object:
    """`a, b` as it is written on a command line, and a single name, are lists too."""
    return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class DataSettings(Section):
    """What to learn from."""

    files: tuple[str, ...] = ()
    """Files, folders or hub data sets with examples."""
    held_out: str = ""
    """A file of held-out conversations; empty: a stable share of the data is held out."""
    hold_out: float = Field(0.05, ge=0, lt=1)
    """Share of the conversations kept from training, by the hash of their group."""
    hold_out_most: int = Field(64, ge=0)
    """At most this many of them are measured; the others are held back, so that added rows never move old ones."""
    mix: tuple[str, ...] = ()
    """Other data to mix in, as FILE:SHARE of all tokens tuned on; general:0.2 takes a set that comes with Tutelage."""
    format: str = "auto"
    """Name of the data's format; auto: recognised from the columns."""
    columns: str = ""
    """How to read any other table: prompt=COLUMN,response=COLUMN (also system=, context=, group=); tickets with a row
    a message: ticket=,time=,author=,role=,body= (also customer=, internal=)."""
    agents: str = ""
    """The support side's e-mail domains, addresses or author ids, with commas, for ticket exports without roles."""
    instruction: str = ""
    """Text put before each prompt of a table read with columns."""
    positive_examples: int = Field(0, ge=0, le=8)
    """Super-NaturalInstructions: how many of a task's positive examples stand before the input."""
    max_bad: float = Field(0.01, ge=0, le=1)
    """Stop when more than this share of the rows cannot be read."""
    near: Literal["off", "flag", "drop"] = "flag"
    """curate: what happens to near duplicates; drop keeps the best of those that are near in question and answer."""
    benchmarks: Names = ()
    """curate: files of benchmark items; conversations that hold one are flagged and listed in contaminated.jsonl."""


class QualitySettings(Section):
    """What happens to rows that a quality rule finds; docs/data.md lists the rules by name."""

    off: Names = ()
    """Rules that are not asked."""
    drop: Names = ()
    """Rules whose finds are dropped, not only flagged; all: every rule that is not off."""
    repair: Names = ()
    """Rules whose finds are mended: html, marker, mojibake, quoted, signature; all: each of them."""


class PersonalSettings(Section):
    """What happens to personal data and secrets."""

    mask: bool = False
    """curate: write stand-ins such as [EMAIL-3] for them, and the key to undo it beside the data set's folder."""


class SelectSettings(Section):
    """curate: how much is kept of what could be used, and which conversations those are."""

    method: Literal["random", "longest", "ifd", "diverse", "quality_diverse"] = "random"
    """Which: by lot; longest answers; hardest below 1 (ifd); far apart (diverse); both. docs/selection.md says more."""
    budget: int = Field(0, ge=0)
    """Keep at most so many conversations; 0: no limit."""
    tokens: int = Field(0, ge=0)
    """Keep conversations of at most so many tokens in all, counted with the base's tokenizer; 0: no limit."""
    quotas: Names = ()
    """Shares of the budget that tags get, as TAG:SHARE; what is left goes to conversations with none of these tags."""
    seed: int = 0
    """Another seed draws others, and settles what is equal in another way."""


class ModelSettings(Section):
    """What is tuned, and where."""

    base: str = "starter"
    """Run folder, Hugging Face folder, hub name, GGUF file, or `starter`."""
    template: str = "auto"
    """Chat template: plain, chatml, gemma, llama3, own (the model's); auto: its own if it has one, else plain."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the weights in the forward pass; auto: bfloat16 only where it is faster."""
    threads: int = Field(0, ge=0)
    """CPU threads; 0: one for each physical core."""


class AdapterSettings(Section):
    """Which weights change."""

    kind: Literal["full", "lora", "qlora"] = "lora"
    """full: every weight; lora: small matrices beside the linear layers; qlora: the same beside a base in 4 bits."""
    rank: int = Field(16, ge=1)
    """Rank of the LoRA matrices."""
    alpha: float = Field(32.0, gt=0)
    """LoRA scale; the update is multiplied by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout on LoRA's input."""
    targets: str = "all-linear"
    """Which layers get LoRA: all-linear (every linear layer but the head), or names with commas."""


class TuningSettings(Section):
    """How the weights change."""

    epochs: float = Field(0.0, ge=0)
    """Times through the data; 0: the measured default of the adapter kind."""
    max_steps: int = Field(0, ge=0)
    """Stop after this many optimizer steps; 0: when the epochs are done."""
    batch_size: int = Field(4, ge=1)
    """Conversations in one optimizer step."""
    row_tokens: int = Field(2048, ge=1)
    """Conversations of a step share rows of up to this many tokens; changes memory and speed, not the result."""
    max_length: int = Field(2048, ge=8)
    """Longest conversation in tokens."""
    too_long: Literal["keep_last_turns", "drop"] = "keep_last_turns"
    """What happens to a longer one: keep the system turn and the last whole turns that fit, or drop it."""
    lr: float = Field(0.0, ge=0)
    """Peak learning rate; 0: the measured default of the adapter kind."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate falls after the warm-up."""
    warmup: float = Field(0.05, ge=0, lt=1)
    """Share of the steps in which the learning rate rises from 0."""
    weight_decay: float = Field(0.0, ge=0)
    """AdamW's weight decay, on matrices only."""
    betas: tuple[float, float] = (0.9, 0.99)
    """AdamW's decay of the first and second moments."""
    clip: float = Field(1.0, ge=0)
    """Largest gradient norm; 0: no clipping."""
    prompt_weight: float = Field(0.0, ge=0, le=1)
    """Weight of the prompt's tokens in the loss; answers have 1."""
    memory_gb: float = Field(0.0, ge=0)
    """Fit the run into so many GB: shorter rows, recomputing, LoRA instead of full; 0: change nothing."""
    checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, slower."""
    seed: int = 0
    """Seed of the order of the data, LoRA's start and dropout."""
    save_every: int = Field(0, ge=0)
    """Write a checkpoint every so many steps; 0: only when stopped, and by time."""
    save_minutes: float = Field(10.0, ge=0)
    """Write a checkpoint when the last one is older than so many minutes; 0: never by time."""
    keep_checkpoint: bool = False
    """Keep the last checkpoint of a finished run."""
    evaluate_every: int = Field(0, ge=0)
    """Measure the hold-out every so many steps; 0: at the end of each epoch."""
    patience: int = Field(0, ge=0)
    """Stop after so many hold-out measures without a better one; the best weights are kept. 0: never early."""
    samples: int = Field(2, ge=0)
    """Held-out prompts answered at each hold-out measure, to look at."""


class DecodingSettings(Section):
    """How answers are written."""

    max_new_tokens: int = Field(256, ge=1)
    """Longest answer in tokens."""
    temperature: float = Field(0.0, ge=0)
    """0: always the likeliest token (greedy)."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Sample from the likeliest tokens that together have this probability."""
    seed: int = 0
    """Seed of sampling."""
    batch_size: int = Field(80, ge=1)
    """Prompts decoded side by side."""


class CompareSettings(Section):
    """How the tuned model is compared with its base."""

    prompts: int = Field(40, ge=1)
    """Held-out prompts answered by every contender."""
    system: str = ""
    """File with a written system prompt for the base; empty: a short general one."""
    examples: int = Field(2, ge=0)
    """Training conversations shown to the base as examples; 0: none."""


class TrackSettings(Section):
    """Where else each step is written, beside metrics.jsonl."""

    tensorboard: bool = False
    """Write TensorBoard's event files into the run's folder."""
    wandb: str = ""
    """Project of Weights & Biases that each step is sent to; empty: none."""
    trackio: str = ""
    """Project of trackio that each step is written to; empty: none."""


class Recipe(Section):
    """Everything a run needs; written into its folder resolved, so that it can be repeated."""

    data: DataSettings = DataSettings()
    quality: QualitySettings = QualitySettings()
    personal: PersonalSettings = PersonalSettings()
    select: SelectSettings = SelectSettings()
    model: ModelSettings = ModelSettings()
    adapter: AdapterSettings = AdapterSettings()
    tuning: TuningSettings = TuningSettings()
    decoding: DecodingSettings = DecodingSettings()
    compare: CompareSettings = CompareSettings()
    track: TrackSettings = TrackSettings()
    out: str = ""
    """The run's folder; empty: runs/NAME-N."""

    def to_yaml(self) -> str:
        """The recipe as YAML, every field written."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def hash(self) -> str:
        """SHA-256 of the resolved YAML."""
        return hashlib.sha256(self.to_yaml().encode()).hexdigest()

    def numbers_hash(self) -> str:
        """SHA-256 of the settings that the numbers of a step follow from; how long a run goes on is none of them."""
        content = {f"{section}.{key}": value for section, key, value in _leaves(self.model_dump(mode="json"))}
        kept = {name: value for name, value in content.items() if not name.startswith(FREE)}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _leaves(content: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for section, part in content.items():
        for key, value in part.items() if isinstance(part, dict) else [("", part)]:
            yield section, key, value


def fields() -> dict[str, str]:
    """Every setting as `section.key` with its help text, in order."""
    found: dict[str, str] = {}
    for name, info in Recipe.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, Section):
            for key, field in section.model_fields.items():
                found[f"{name}.{key}"] = field.description or ""
        else:
            found[name] = info.description or ""
    return found


def read_recipe(path: Path) -> dict[str, Any]:
    """A recipe file as a plain mapping, not yet checked.

    Raises:
        UsageError: where the file is missing or no YAML mapping.
    """
    try:
        content = _from_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: not a readable recipe: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{path}: a recipe is a mapping of sections (data, model, tuning, …)")
    return content


class _Loader(yaml.SafeLoader):
    """YAML in which off, no and 2024-03-05 are words, as they are on a command line, and no recipe is a maze."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """See yaml.composer.Composer."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.YAMLError("nested too deeply")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag.rpartition(":")[2] not in ("bool", "timestamp")]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)\Z", re.IGNORECASE), list("tTfF"))


def _from_yaml(text: str) -> Any:
    """
    Raises:
        ValueError: the text is no YAML, or something in it is not of the type that it names.
    """
    try:
        return yaml.load(text, _Loader)
    except Exception as error:  # PyYAML passes on what its types raise: a KeyError for !!bool x, for instance
        raise ValueError(str(error)) from error


def build(settings: Mapping[str, Any], overrides: Iterable[str] = ()) -> Recipe:
    """A recipe from a mapping and `section.key=value` overrides, the later winning.

    Raises:
        UsageError: for an unknown key (with the nearest known one) or a value of the wrong kind.
    """
    merged = {name: dict(part) if isinstance(part, Mapping) else part for name, part in settings.items()}
    for override in overrides:
        key, _, text = override.partition("=")
        _check_known(key)
        section, _, name = key.partition(".")
        try:
            value = _from_yaml(text) if text else ""
        except ValueError as error:
            raise UsageError(f"{override}: the value cannot be read: {error}") from error
        if not name:
            merged[section] = value
        elif isinstance(merged.setdefault(section, {}), dict):
            merged[section][name] = value
    try:
        return Recipe.model_validate(merged)
    except ValidationError as error:
        raise UsageError(_explain(error)) from error


def _check_known(key: str) -> None:
    known = fields()
    if key not in known:
        near = difflib.get_close_matches(key, known, 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else "; `tutelage settings` lists them all"
        raise UsageError(f"there is no setting {key}{hint}")


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, fields(), 1, 0.5)
            lines.append(f"there is no setting {key}" + (f"; did you mean {near[0]}?" if near else ""))
        else:
            lines.append(f"{key}: {problem['msg'].lower()} (it is {reprlib.repr(problem['input'])[:200]})")
    return "\n".join(lines)


def defaults(recipe: Recipe) -> dict[str, Any]:
    """Every setting's value as `section.key`."""
    found: dict[str, Any] = {}
    for name in Recipe.model_fields:
        value = getattr(recipe, name)
        if isinstance(value, Section):
            found |= {f"{name}.{key}": part for key, part in value.model_dump(mode="json").items()}
        else:
            found[name] = value
    return found
