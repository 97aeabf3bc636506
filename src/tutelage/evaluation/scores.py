"""What an evaluation found: every answer with its score and the reason, and the means with their intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tutelage.errors import UsageError
from tutelage.evaluation.answers import Answer
from tutelage.evaluation.intervals import Interval, score_difference, score_interval
from tutelage.evaluation.losses import AnswerLoss, Losses


@dataclass(frozen=True, slots=True)
class Score:
    """One answer, scored.

    Attributes:
        task: the task's name.
        id, category: of the item; the answer has the item's id too.
        value: from 0 to 1, by the scorer that decides.
        reason: of the value, in words.
        others: (scorer, value) of the item's other scorers.
    """

    task: str
    id: str
    category: str
    value: float
    reason: str
    answer: Answer
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of a task.

    Attributes:
        scorer: what decides, in words.
        hash: of its items (`Task.hash`): the same questions give the same.
        items: how many it has; left_out: of them, those that did not fit every model.
    """

    name: str
    scorer: str
    hash: str
    items: int
    left_out: int = 0


@dataclass(frozen=True)
class Scores:
    """How one model did.

    Attributes:
        model: what the user called it.
        format: the template or plain-text format that it was asked in.
        scores: of every item, in the tasks' order; the same items for all models.
        losses: of the held-out conversations of the runs among the models; empty where there is no run.
        seconds: that asking and measuring took.
    """

    model: str
    format: str
    scores: tuple[Score, ...]
    losses: Losses = field(default_factory=lambda: Losses(()))
    seconds: float = 0.0

    def values(self, task: str = "", category: str | None = None, scorer: str = "") -> list[float]:
        """Of a task and a category, or of all; by another of the items' scorers than the one that decides."""
        found = [
            one
            for one in self.scores
            if (not task or one.task == task) and (category is None or one.category == category)
        ]
        return [dict(one.others)[scorer] for one in found] if scorer else [one.value for one in found]

    def mean(self, task: str = "", category: str | None = None, scorer: str = "") -> Interval:
        """The mean of `values`, with its interval (`score_interval`)."""
        return score_interval(self.values(task, category, scorer))

    @property
    def loss(self) -> float | None:
        """Nats per held-out answer token, stop tokens apart; None where none was measured."""
        return self.losses.per_token if self.losses.tokens else None

    @property
    def stop_rate(self) -> float:
        """Share of the answers that the model ended itself."""
        return sum(one.answer.stopped for one in self.scores) / max(1, len(self.scores))

    @property
    def mean_tokens(self) -> float:
        """Tokens written per answer."""
        return sum(one.answer.tokens for one in self.scores) / max(1, len(self.scores))


@dataclass(frozen=True)
class Evaluation:
    """What every model scored on the same items."""

    tasks: tuple[Asked, ...]
    models: tuple[Scores, ...]

    def gain(self, model: Scores, task: str = "", category: str | None = None, scorer: str = "") -> Interval:
        """What a model scores more than the first one, paired over the items."""
        return score_difference(model.values(task, category, scorer), self.models[0].values(task, category, scorer))

    def categories(self, task: str) -> list[str]:
        """Of a task, in order; none where there is only one."""
        found = list(dict.fromkeys(one.category for one in self.models[0].scores if one.task == task))
        return found if len(found) > 1 else []

    def scorers(self, task: str) -> list[str]:
        """The scorers beside the one that decides that every item of a task has."""
        rows = [{name for name, _ in one.others} for one in self.models[0].scores if one.task == task]
        shared = set.intersection(*rows) if rows else set()
        first = next((one.others for one in self.models[0].scores if one.task == task), ())
        return [name for name, _ in first if name in shared]

    def to_json(self) -> str:
        """Everything, as one JSON object: of each model first the means with their intervals, then every answer."""
        models = []
        for one in self.models:
            models.append(
                {
                    "model": one.model,
                    "format": one.format,
                    "held_out_loss": one.loss,
                    "stop_rate": one.stop_rate,
                    "mean_tokens": one.mean_tokens,
                    "seconds": one.seconds,
                    "means": {task.name: self._means(one, task.name) for task in self.tasks},
                    "losses": asdict(one.losses),
                    "scores": [asdict(score) for score in one.scores],
                }
            )
        content = {"tasks": [asdict(task) for task in self.tasks], "models": models}
        return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    def _means(self, model: Scores, task: str) -> dict[str, Any]:
        shown: dict[str, Any] = {"all": model.mean(task).to_json()}
        shown |= {f"by {name}": model.mean(task, scorer=name).to_json() for name in self.scorers(task)}
        named = self.categories(task)
        if named:
            shown["categories"] = {name: model.mean(task, name).to_json() for name in named}
        if model is not self.models[0]:
            shown["gain over the first model"] = self.gain(model, task).to_json()
        return shown

    @classmethod
    def from_json(cls, text: str) -> Evaluation:
        """What `to_json` made.

        Raises:
            UsageError: the text is something else.
        """
        try:
            content = json.loads(text)
            models = tuple(
                Scores(
                    one["model"],
                    one["format"],
                    _scores(one["scores"]),
                    _losses(one["losses"]),
                    one["seconds"],
                )
                for one in content["models"]
            )
            return cls(tuple(Asked(**row) for row in content["tasks"]), models)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"this is no evaluate.json that this version wrote ({error!r}); evaluate again") from error


def _losses(content: Mapping[str, Any]) -> Losses:
    return Losses(tuple(AnswerLoss(**row) for row in content["answers"]), tuple(content["left_out"]))


def _scores(rows: Sequence[Mapping[str, Any]]) -> tuple[Score, ...]:
    others = [tuple((str(name), float(value)) for name, value in row["others"]) for row in rows]
    return tuple(
        Score(**dict(row) | {"answer": Answer(**row["answer"]), "others": own})
        for row, own in zip(rows, others, strict=True)
    )


def in_points(value: Interval, sign: str = "") -> str:
    """A mean in points of 100 with its interval, where it has one."""
    if not math.isfinite(value.value):
        return "–"
    shown = f"{100 * value.value:{sign}.1f}"
    if math.isfinite(value.low):
        shown += f" ({100 * value.low:{sign}.1f} to {100 * value.high:{sign}.1f})"
    return shown.replace("-", "−")
