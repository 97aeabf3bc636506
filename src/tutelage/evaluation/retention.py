"""What tuning cost: a model before and after, on the same prompts and texts, with paired intervals and in plain words.

Four things are kept or lost: following instructions, expecting plain text, answering what is harmless (and declining
what is not), and ending an answer in good time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tutelage.errors import UsageError
from tutelage.evaluation.answers import Answer
from tutelage.evaluation.intervals import Interval
from tutelage.evaluation.plaintext import Perplexity
from tutelage.evaluation.rates import Rates, rates
from tutelage.evaluation.refusals import refusal

FOLLOWS_LITTLE = 0.2
"""A model that keeps a smaller share of the suite's instructions has little to lose: of the models that were tried, a
base of 270 M weights keeps an eighth, an instruct model of 135 M weights a quarter."""
WIDE = 0.1
"""An interval that reaches further down than this is named where nothing was lost: few prompts prove little."""
MINUS = "\u2212"
FOLLOWING, HARMLESS, DECLINED = "following", "harmless", "to be declined"
"""What a prompt is asked for."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.

    Attributes:
        part: FOLLOWING, HARMLESS or DECLINED.
        category: within the part.
        value: 1 where it is as it should be, 0 where it is not: all instructions kept, a harmless prompt answered,
            one that is not harmless refused.
        reason: why, in words; "" where there is nothing to say.
        place: the turn in which instructions stand, `user` or `system`; "" for the other parts.
        distraction: what stands beside the instructions; "" where nothing does.
    """

    part: str
    category: str
    answer: Answer
    value: float
    reason: str = ""
    place: str = ""
    distraction: str = ""


@dataclass(frozen=True)
class Side:
    """One of the two models.

    Attributes:
        model: what the user called it.
        format: the template or plain-text format that it was asked in.
        replies: to all prompts, in order.
        perplexity: of the plain texts.
    """

    model: str
    format: str
    replies: tuple[Reply, ...]
    perplexity: Perplexity

    @property
    def rates(self) -> Rates:
        """Of all answers."""
        return rates([reply.answer for reply in self.replies])

    def of(self, part: str) -> list[Reply]:
        """The replies of a part."""
        return [one for one in self.replies if one.part == part]


@dataclass(frozen=True, slots=True)
class Change:
    """One number before and after.

    Attributes:
        part: what it belongs to: "following", "text", "refusals" or "answers".
        name: in words.
        unit: "share" (0 to 1), "bits" (per byte) or "tokens".
        sign: 1 where more is better, -1 where less is, 0 where neither is.
        difference: after less before, in the unit, paired over prompts or texts. Rows below the first of a part
            have wider intervals, so that all of them together are as sure as one is alone.
    """

    part: str
    name: str
    unit: str
    sign: int
    before: float
    after: float
    difference: Interval

    @property
    def word(self) -> str:
        """`lost` or `gained` where the whole interval says so; `more` or `less` where neither is better; else ""."""
        low, high = self.difference.low, self.difference.high
        if not (low > 0 or high < 0):
            return ""
        if not self.sign:
            return "more" if low > 0 else "less"
        return "gained" if (low > 0) == (self.sign > 0) else "lost"


@dataclass(frozen=True)
class Retention:
    """A model before and after tuning.

    Attributes:
        changes: every number that is shown, the most important first.
        left_out: ids of prompts that do not fit into one of the two, by their length or by its template.
    """

    before: Side
    after: Side
    changes: tuple[Change, ...]
    left_out: tuple[str, ...] = ()

    @property
    def little_to_lose(self) -> bool:
        """Whether the model before follows so few instructions that there is little to lose."""
        return self.has("following") and self.change("following").before < FOLLOWS_LITTLE

    def has(self, part: str) -> bool:
        """Whether anything of a part was measured."""
        return any(one.part == part for one in self.changes)

    def change(self, part: str) -> Change:
        """The first, and so the whole, change of a part."""
        return next(one for one in self.changes if one.part == part)

    @property
    def text(self) -> str:
        """What tuning on this data cost, in a few sentences."""
        found = [self._verdict(), self._following(), self._plain_text(), self._refusals(), self._answers()]
        if self.left_out:
            found.append(
                f"{len(self.left_out)} prompts do not fit into one of the two models and are left out of both."
            )
        return " ".join(sentence for sentence in found if sentence)

    def _whole(self) -> list[Change]:
        """The first row of each part, and every row of the parts whose rows are no parts of the first."""
        heads = {self.change(part).name for part in ("following", "text") if self.has(part)}
        return [one for one in self.changes if one.part in ("refusals", "answers") or one.name in heads]

    def _verdict(self) -> str:
        whole = self._whole()
        lost = [one.name for one in whole if one.word == "lost"]
        if lost:
            return f"Lost: {', '.join(lost)}."
        shares = [one for one in whole if one.unit == "share" and one.sign > 0]
        wide = [one for one in shares if min(one.before, -one.difference.low) > WIDE]
        unsure = (
            f" But for {', '.join(one.name for one in wide)} a loss of more than {100 * WIDE:.0f} points of 100 cannot "
            "be ruled out."
        )
        return f"Nothing measurable was lost.{unsure if wide else ''}"

    def _following(self) -> str:
        if not self.has("following"):
            return ""
        one = self.change("following")
        shares = f"instructions kept in {one.before:.0%} of the answers before, {one.after:.0%} after"
        if self.little_to_lose:
            return (
                f"Following instructions: {shares}. A base has little to lose: the model before keeps so few that this "
                "says little about what tuning on this data costs. To measure that, start from a model that follows "
                "instructions, or from a run that was tuned broadly."
            )
        sure = f"{_points(one.difference.value)} ({_between(one)})"
        if one.word == "lost":
            lost = [row for row in self.changes if row.part == "following" and row is not one and row.word == "lost"]
            worst = sorted(lost, key=lambda row: row.difference.value)[:3]
            where = f", most of all in {', '.join(row.name for row in worst)}" if worst else ""
            return f"Following instructions: lost {sure.lstrip(MINUS)}{where}; {shares}."
        if one.word == "gained":
            return f"Following instructions: nothing lost, gained {sure.lstrip('+')}; {shares}."
        return f"Following instructions: no clear change, {sure}; {shares}."

    def _plain_text(self) -> str:
        if not self.has("text"):
            return ""
        one = self.change("text")
        word = {"lost": "is expected less well", "gained": "is expected better"}.get(one.word, "is expected as before")
        kinds = [row.name for row in self.changes if row.part == "text" and row is not one and row.word == "lost"]
        where = f" (worse in {', '.join(kinds)})" if kinds and one.word != "gained" else ""
        before, after = self.before.perplexity, self.after.perplexity
        same = [text.tokens for text in before.texts] == [text.tokens for text in after.texts]
        tokens = (
            f"perplexity {before.per_token:,.1f} before, {after.per_token:,.1f} after"
            if same
            else "the two cut text into different tokens, so their perplexities cannot be compared, bits per byte can"
        )
        return f"Plain text {word}{where}: {one.before:.3f} bits per byte before, {one.after:.3f} after; {tokens}."

    def _refusals(self) -> str:
        parts = []
        for part, rule in ((HARMLESS, "harmless prompts"), (DECLINED, "prompts that should be declined")):
            counts = [_refused(side.of(part)) for side in (self.before, self.after)]
            if of := len(self.after.of(part)):
                parts.append(f"{counts[1]} of {of} {rule} refused ({counts[0]} before)")
        return f"Refusals: {', '.join(parts)}." if parts else ""

    def _answers(self) -> str:
        before, after = self.before.rates, self.after.rates
        if not after.answers:
            return ""
        return (
            f"Of {after.answers} answers {after.stopped} stop ({before.stopped} before), {after.looped} repeat "
            f"themselves ({before.looped}), and the middle one has {after.median_tokens:.0f} tokens "
            f"({before.median_tokens:.0f})."
        )

    def to_json(self) -> str:
        """Everything, as one JSON object."""
        content = {
            "text": self.text,
            "little_to_lose": self.little_to_lose,
            "left_out": self.left_out,
            "changes": [asdict(one) | {"difference": one.difference.to_json()} for one in self.changes],
            "before": _side(self.before),
            "after": _side(self.after),
        }
        return json.dumps(_finite(content), ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Retention:
        """What `to_json` made.

        Raises:
            UsageError: the text is something else.
        """
        try:
            content = json.loads(text)
            changes = tuple(_change(row) for row in content["changes"])
            sides = [_side_from(content[name]) for name in ("before", "after")]
            return cls(sides[0], sides[1], changes, tuple(content["left_out"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"this is no retention.json that this version wrote ({error!r}); measure again") from error


def _refused(replies: Sequence[Reply]) -> int:
    return sum(bool(refusal(one.answer.answer)) for one in replies)


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points of 100".replace("-", MINUS)


def _between(one: Change) -> str:
    ends = (f"{100 * end:+.1f}".replace("-", MINUS) for end in (one.difference.low, one.difference.high))
    return f"95% interval {' to '.join(ends)}"


def _side(side: Side) -> dict[str, Any]:
    replies = [asdict(one) for one in side.replies]
    shared = {"model": side.model, "format": side.format, "rates": side.rates.to_json()}
    return shared | {"perplexity": side.perplexity.to_json(), "replies": replies}


def _side_from(content: Mapping[str, Any]) -> Side:
    replies = tuple(Reply(**row | {"answer": Answer(**row["answer"])}) for row in content["replies"])
    return Side(content["model"], content["format"], replies, Perplexity.from_json(content["perplexity"]))


def _change(row: Mapping[str, Any]) -> Change:
    values = {name: math.nan if row[name] is None else row[name] for name in ("before", "after")}
    return Change(**dict(row) | values | {"difference": Interval.from_json(row["difference"])})


def _finite(value: Any) -> Any:
    """The value with null for every number that JSON does not know."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
