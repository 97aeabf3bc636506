"""What a comparison found, as values that can be kept and shown."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from tutelage.evaluation.answers import Answer
from tutelage.evaluation.contenders import FormatLoss
from tutelage.evaluation.losses import Losses
from tutelage.evaluation.verdict import Verdict
from tutelage.recipe import DecodingSettings
from tutelage.records import Turn

OTHER_TOKENS = (
    "The contenders do not cut text into the same tokens, so their losses per token are not comparable with "
    "each other; the verdict compares the loss of the same whole texts."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as every contender got it, before its system text; `reference` is None where there is none."""

    id: str
    turns: tuple[Turn, ...]
    reference: str | None = None


@dataclass(frozen=True)
class ContenderResult:
    """How one contender did.

    Attributes:
        name: base, base + system prompt, tuned, or another model's.
        model: what the user called the model.
        format: name of the chat template or text format it was shown in.
        system: the system text put before every prompt.
        losses: over the hold-out, on the conversations that every contender could measure.
        answers: to the prompts, in order.
        formats: for a base model, what each format gave.
    """

    name: str
    model: str
    format: str
    system: str
    losses: Losses
    answers: tuple[Answer, ...]
    formats: tuple[FormatLoss, ...] = ()

    @property
    def loss(self) -> float | None:
        """Nats per answer token of the hold-out, stop tokens excluded; None where there is none."""
        return _number(self.losses.per_token)

    @property
    def loss_with_stop(self) -> float | None:
        """The same with stop tokens."""
        return _number(self.losses.per_token_with_stop)

    @property
    def stop_rate(self) -> float:
        """Share of the answers that the model ended itself."""
        return sum(answer.stopped for answer in self.answers) / max(1, len(self.answers))

    @property
    def loop_rate(self) -> float:
        """Share of the answers that were cut because they repeated themselves."""
        return sum(answer.looped for answer in self.answers) / max(1, len(self.answers))

    @property
    def mean_tokens(self) -> float:
        """Tokens of an answer, on average."""
        return sum(answer.tokens for answer in self.answers) / max(1, len(self.answers))


@dataclass(frozen=True)
class Comparison:
    """The same prompts to every contender, the losses of the hold-out, and the verdict.

    Attributes:
        run: the run's folder.
        prompts: what was asked, in order.
        contenders: in the order of the report.
        left_out: held-out conversations that not every contender could measure.
    """

    run: str
    prompts: tuple[Asked, ...]
    contenders: tuple[ContenderResult, ...]
    verdict: Verdict
    decoding: DecodingSettings
    left_out: int = 0

    @property
    def better(self) -> bool:
        """Whether the tuned model is clearly better than every other contender."""
        return self.verdict.better

    @property
    def one_tokenizer(self) -> bool:
        """Whether every contender counts the same answer tokens, so that losses per token can be compared."""
        return len({result.losses.tokens for result in self.contenders}) <= 1

    def to_json(self) -> str:
        """Everything, as one JSON object."""
        content = {
            "run": self.run,
            "verdict": asdict(self.verdict),
            "contenders": [_contender(result) for result in self.contenders],
            "left_out": self.left_out,
            "decoding": self.decoding.model_dump(),
            "prompts": [self._prompt(place, asked) for place, asked in enumerate(self.prompts)],
        }
        return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    def _prompt(self, place: int, asked: Asked) -> dict[str, Any]:
        return {
            "id": asked.id,
            "messages": [{"role": turn.role.value, "content": turn.text} for turn in asked.turns],
            "reference": asked.reference,
            "answers": [{"contender": result.name} | asdict(result.answers[place]) for result in self.contenders],
        }


def _contender(result: ContenderResult) -> dict[str, Any]:
    formats = [
        asdict(tried) | {"loss": _number(tried.loss), "loss_with_stop": _number(tried.loss_with_stop)}
        for tried in result.formats
    ]
    return {
        "name": result.name,
        "model": result.model,
        "format": result.format,
        "system": result.system,
        "loss": result.loss,
        "loss_with_stop": result.loss_with_stop,
        "stop_rate": result.stop_rate,
        "loop_rate": result.loop_rate,
        "mean_tokens": result.mean_tokens,
        "formats": formats,
        "losses": [asdict(answer) for answer in result.losses.answers],
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
