"""What a comparison found, as values that can be kept, shown and read back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.errors import UsageError
from tutelage.evaluation.answers import Answer
from tutelage.evaluation.contenders import FormatLoss
from tutelage.evaluation.intervals import Interval, score_interval
from tutelage.evaluation.losses import AnswerLoss, Losses
from tutelage.evaluation.verdict import Gain, Kind, Measured, Metric, Said, Verdict
from tutelage.recipe import DecodingSettings
from tutelage.records import Role, Turn

OTHER_TOKENS = (
    "The contenders do not cut text into the same tokens, so their losses per token are not comparable with "
    "each other; a verdict by loss compares the loss of the same whole texts."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as every contender got it, before its system text.

    Attributes:
        reference: the first reference answer; None where there is none.
        category: of a task's item.
    """

    id: str
    turns: tuple[Turn, ...]
    reference: str | None = None
    category: str = ""


@dataclass(frozen=True)
class ContenderResult:
    """How one contender did.

    Attributes:
        name: base, base + system prompt, tuned, or another model's.
        model: what the user called the model.
        format: name of the chat template or text format it was shown in.
        system: the system text put before every prompt.
        losses: over the hold-out, on the conversations that every contender with losses could measure; empty for a
            model behind an endpoint.
        answers: to the prompts, in order.
        formats: for a base model, what each format gave.
        kind: who it is.
        prompt_tokens: of each prompt as this contender was shown it; empty where an endpoint does not say.
        shots: examples put before each prompt, as turns.
        scores: from 0 to 1 for each prompt where a task's scorer decides, else empty; reasons: of the scores.
        more: the same contender as tuned with other seeds.
    """

    name: str
    model: str
    format: str
    system: str
    losses: Losses
    answers: tuple[Answer, ...]
    formats: tuple[FormatLoss, ...] = ()
    kind: Kind = Kind.BASE
    prompt_tokens: tuple[int, ...] = ()
    shots: tuple[Turn, ...] = ()
    scores: tuple[float, ...] = ()
    reasons: tuple[str, ...] = ()
    more: tuple[ContenderResult, ...] = ()

    @property
    def seeds(self) -> tuple[ContenderResult, ...]:
        """One result for each seed; for most contenders just this one."""
        return (self, *self.more)

    @property
    def has_losses(self) -> bool:
        """Whether losses were asked for; a model behind an endpoint gives none."""
        return bool(self.losses.answers or self.losses.left_out)

    @property
    def loss(self) -> float | None:
        """Nats per answer token of the hold-out, stop tokens excluded, over all seeds; None where there is none."""
        return _number(fmean(one.losses.per_token for one in self.seeds))

    @property
    def loss_with_stop(self) -> float | None:
        """The same with stop tokens."""
        return _number(fmean(one.losses.per_token_with_stop for one in self.seeds))

    @property
    def score(self) -> Interval | None:
        """Mean score over prompts and seeds with its 95 % interval; None where no task was given."""
        return score_interval(*(one.scores for one in self.seeds)) if self.scores else None

    @property
    def stop_rate(self) -> float:
        """Share of the answers that the model ended itself."""
        return self._mean([float(answer.stopped) for one in self.seeds for answer in one.answers])

    @property
    def loop_rate(self) -> float:
        """Share of the answers that were cut because they repeated themselves."""
        return self._mean([float(answer.looped) for one in self.seeds for answer in one.answers])

    @property
    def mean_tokens(self) -> float:
        """Tokens of an answer, on average."""
        return self._mean([answer.tokens for one in self.seeds for answer in one.answers])

    @property
    def mean_prompt_tokens(self) -> float | None:
        """Tokens that are read for an answer, on average; None where they are not known."""
        return self._mean([count for one in self.seeds for count in one.prompt_tokens]) if self.prompt_tokens else None

    @staticmethod
    def _mean(values: Sequence[float]) -> float:
        return sum(values) / max(1, len(values))

    def measured(self, metric: Metric) -> Measured | None:
        """The numbers that the verdict is made of; None where this contender has none."""
        rows = [one.scores if metric.score else [a.nats for a in one.losses.answers] for one in self.seeds]
        values: NDArray[np.float64] = np.array(rows, np.float64)
        return Measured(self.name, self.kind, values) if values.size else None


@dataclass(frozen=True)
class Comparison:
    """The same prompts to every contender, the losses of the hold-out, and the verdict.

    Attributes:
        run: the run's folder.
        prompts: what was asked, in order.
        contenders: in the order of the report.
        left_out: held-out conversations that not every contender could measure.
        notes: what a reader must know: how the format was chosen, who could not be compared and why.
    """

    run: str
    prompts: tuple[Asked, ...]
    contenders: tuple[ContenderResult, ...]
    verdict: Verdict
    decoding: DecodingSettings
    left_out: int = 0
    notes: tuple[str, ...] = ()

    @property
    def better(self) -> bool:
        """Whether the tuned model is clearly better than every other contender."""
        return self.verdict.better

    @property
    def one_tokenizer(self) -> bool:
        """Whether every contender counts the same answer tokens, so that losses per token can be compared."""
        return len({result.losses.tokens for result in self.contenders if result.losses.answers}) <= 1

    def to_json(self) -> str:
        """Everything, as one JSON object."""
        content = {
            "run": self.run,
            "verdict": _verdict(self.verdict),
            "contenders": [_contender(result) for result in self.contenders],
            "left_out": self.left_out,
            "notes": self.notes,
            "decoding": self.decoding.model_dump(),
            "prompts": [self._prompt(place, asked) for place, asked in enumerate(self.prompts)],
        }
        return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Comparison:
        """What `to_json` made.

        Raises:
            UsageError: the text is something else.
        """
        try:
            content = json.loads(text)
            prompts = [_asked_from(row) for row in content["prompts"]]
            rows = [row["answers"] for row in content["prompts"]]
            contenders = [_contender_from(row, rows) for row in content["contenders"]]
            return cls(
                content["run"],
                tuple(prompts),
                tuple(contenders),
                _verdict_from(content["verdict"]),
                DecodingSettings.model_validate(content["decoding"]),
                content["left_out"],
                tuple(content["notes"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"this is no comparison that this version wrote ({error!r}); compare again") from error

    def _prompt(self, place: int, asked: Asked) -> dict[str, Any]:
        answers = [
            {"contender": result.name, "seed": seed} | asdict(one.answers[place])
            for result in self.contenders
            for seed, one in enumerate(result.seeds)
        ]
        return {
            "id": asked.id,
            "messages": _messages(asked.turns),
            "reference": asked.reference,
            "category": asked.category,
            "answers": answers,
        }


def _messages(turns: Sequence[Turn]) -> list[dict[str, str]]:
    return [{"role": turn.role.value, "content": turn.text} for turn in turns]


def _turns(messages: Sequence[Mapping[str, str]]) -> tuple[Turn, ...]:
    return tuple(Turn(Role(message["role"]), message["content"]) for message in messages)


def _asked_from(row: Mapping[str, Any]) -> Asked:
    return Asked(row["id"], _turns(row["messages"]), row["reference"], row["category"])


def _contender(result: ContenderResult) -> dict[str, Any]:
    formats = [
        asdict(tried) | {"loss": _number(tried.loss), "loss_with_stop": _number(tried.loss_with_stop)}
        for tried in result.formats
    ]
    score = result.score
    return {
        "name": result.name,
        "kind": result.kind.value,
        "model": result.model,
        "format": result.format,
        "system": result.system,
        "shots": _messages(result.shots),
        "score": score.to_json() if score else None,
        "loss": result.loss,
        "loss_with_stop": result.loss_with_stop,
        "stop_rate": result.stop_rate,
        "loop_rate": result.loop_rate,
        "mean_tokens": result.mean_tokens,
        "mean_prompt_tokens": result.mean_prompt_tokens,
        "formats": formats,
        "seeds": [_seed(one) for one in result.seeds],
    }


def _seed(one: ContenderResult) -> dict[str, Any]:
    return {
        "model": one.model,
        "losses": [asdict(answer) for answer in one.losses.answers],
        "left_out": one.losses.left_out,
        "scores": one.scores,
        "reasons": one.reasons,
        "prompt_tokens": one.prompt_tokens,
    }


def _contender_from(row: Mapping[str, Any], asked: Sequence[Sequence[Mapping[str, Any]]]) -> ContenderResult:
    """
    Args:
        asked: for each prompt, the answers of all contenders and seeds.
    """
    formats = tuple(
        FormatLoss(tried["name"], _loss(tried["loss"]), _loss(tried["loss_with_stop"]), tried["conversations"])
        for tried in row["formats"]
    )
    seeds = []
    for seed, one in enumerate(row["seeds"]):
        mine = [
            answer for row_ in asked for answer in row_ if (answer["contender"], answer["seed"]) == (row["name"], seed)
        ]
        fields = ("id", "answer", "stopped", "tokens", "looped")
        seeds.append(
            ContenderResult(
                row["name"],
                one["model"],
                row["format"],
                row["system"],
                Losses(tuple(AnswerLoss(**loss) for loss in one["losses"]), tuple(one["left_out"])),
                tuple(Answer(**{name: answer[name] for name in fields}) for answer in mine),
                formats,
                Kind(row["kind"]),
                tuple(one["prompt_tokens"]),
                _turns(row["shots"]),
                tuple(one["scores"]),
                tuple(one["reasons"]),
            )
        )
    return with_seeds(seeds)


def with_seeds(results: Sequence[ContenderResult]) -> ContenderResult:
    """One contender of the results that its seeds gave."""
    return replace(results[0], more=tuple(results[1:]))


def _verdict(verdict: Verdict) -> dict[str, Any]:
    gains = [asdict(one) | {"interval": one.interval.to_json()} for one in verdict.gains]
    return asdict(verdict) | {"said": verdict.said.value, "gains": gains}


def _verdict_from(content: Mapping[str, Any]) -> Verdict:
    gains = tuple(Gain(**row | {"interval": Interval.from_json(row["interval"])}) for row in content["gains"])
    return Verdict(
        **dict(content) | {"said": Said(content["said"]), "metric": Metric(**content["metric"]), "gains": gains}
    )


def _loss(value: float | None) -> float:
    return math.nan if value is None else value


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
