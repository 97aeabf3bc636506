"""Answers side by side: which prompts are shown, and what is marked in their answers."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.evaluation.reporting.content import Answers, Item, Piece
from tutelage.evaluation.reporting.content import Said as Told
from tutelage.evaluation.reporting.differences import agreement, changes
from tutelage.evaluation.results import Asked, Comparison, ContenderResult
from tutelage.evaluation.verdict import Kind
from tutelage.pages import cut
from tutelage.records import Role, Turn

SHOWN = 40
"""Prompts with their answers on a page."""
TEXT = 2_500
"""Characters of a text; what is longer is cut, and says so."""
EARLIER = 12
"""Turns before the prompt."""
CONTENDERS = 8
"""Contenders whose answers stand beside each other: the tuned model, its best opponent, and the first of the others."""
NAMED = 3
"""Prompts with the largest gains, and with the largest losses, that are pointed to."""
WHO = {Role.USER: "asked", Role.ASSISTANT: "answered", Role.SYSTEM: "system", Role.TOOL: "tool"}


def side_by_side(found: Comparison, most: int = SHOWN) -> Answers | None:
    """The prompts of a comparison with all answers; of many, those where tuning gained and lost most, and some between.

    Args:
        most: prompts.
    """
    if not found.prompts:
        return None
    per = [_gain(found, place) for place in range(len(found.prompts))]
    ranked = sorted((place for place, gain in enumerate(per) if gain is not None), key=lambda place: -(per[place] or 0))
    places = _chosen(ranked, len(per), most)
    who = _who(found)
    items = tuple(_item(found, place, per[place], who) for place in places)
    gained = tuple(place + 1 for place in ranked[:NAMED] if (per[place] or 0) > 0)
    lost = tuple(place + 1 for place in reversed(ranked[-NAMED:]) if (per[place] or 0) < 0)
    form = "signed score" if found.verdict.metric.score else "signed percent"
    return Answers(len(per), _note(found, len(items), bool(ranked), who), form, items, gained, lost)


def _note(found: Comparison, shown: int, ranked: bool, who: Sequence[ContenderResult]) -> str:
    parts = []
    if shown < len(found.prompts):
        how = (
            "those where the tuned model gained and lost most, and others evenly between"
            if ranked
            else "some, evenly drawn"
        )
        parts.append(f"Shown are {how}; compare.json has all of them.")
    if len(who) < len(found.contenders):
        parts.append(f"The answers of {len(who)} of {len(found.contenders)} contenders stand here.")
    if any(one.more for one in found.contenders):
        parts.append("Of contenders with several seeds the first one's answers are shown.")
    if any(asked.reference for asked in found.prompts):
        parts.append("What an answer has word for word in common with the reference answer is marked.")
    return " ".join(parts)


def _chosen(ranked: Sequence[int], count: int, most: int) -> list[int]:
    """Places to show, in order: all; or a quarter with the largest gains, a quarter with the largest losses, others."""
    if count <= most:
        return list(range(count))
    ends = {*ranked[: most // 4], *ranked[len(ranked) - most // 4 :]} if len(ranked) > most // 2 else set(ranked)
    rest = [place for place in range(count) if place not in ends]
    wanted = most - len(ends)
    return sorted(ends | {rest[number * len(rest) // wanted] for number in range(wanted)})


def _who(found: Comparison) -> list[ContenderResult]:
    """Those whose answers are shown, in the comparison's order."""
    first = {found.verdict.opponent, *(one.name for one in found.contenders if one.kind is Kind.TUNED)}
    for one in found.contenders:
        if len(first) < CONTENDERS:
            first.add(one.name)
    return [one for one in found.contenders if one.name in first]


def _loss(one: ContenderResult, name: str) -> float | None:
    """Of the reference answer to a prompt, per token."""
    found = next((each for each in one.losses.answers if each.example == name), None)
    return found.nats / found.tokens if found and found.tokens else None


def _gain(found: Comparison, place: int) -> float | None:
    tuned = next((one for one in found.contenders if one.kind is Kind.TUNED), None)
    best = next((one for one in found.contenders if one.name == found.verdict.opponent), None)
    if tuned is None or best is None:
        return None
    if found.verdict.metric.score:
        return tuned.scores[place] - best.scores[place] if tuned.scores and best.scores else None
    name = found.prompts[place].id
    both = [next((one.nats for one in each.losses.answers if one.example == name), None) for each in (tuned, best)]
    ours, theirs = both
    return 1 - ours / theirs if ours is not None and theirs else None


def _item(found: Comparison, place: int, gain: float | None, who: Sequence[ContenderResult]) -> Item:
    asked = found.prompts[place]
    answers = [] if asked.reference is None else [Told("reference", (Piece(cut(asked.reference, TEXT)),))]
    answers += [_told(one, asked, place) for one in who]
    texts = {one.name: cut(one.answers[place].answer, TEXT) for one in who}
    ours = next((one.name for one in who if one.kind is Kind.TUNED), "")
    against = found.verdict.opponent if found.verdict.opponent in texts else ""
    made = changes(texts[against], texts[ours]) if ours and against else ()
    return Item(place + 1, asked.id, asked.category, _turns(asked.turns), tuple(answers), gain, against, made)


def _told(one: ContenderResult, asked: Asked, place: int) -> Told:
    answer = one.answers[place]
    text = cut(answer.answer, TEXT)
    pieces, same = agreement(text, cut(asked.reference, TEXT)) if asked.reference else ((Piece(text),), None)
    ends = "stopped" if answer.stopped else "repeats itself" if answer.looped else "did not stop"
    score = one.scores[place] if one.scores else None
    reason = one.reasons[place] if one.reasons else ""
    ours = one.kind is Kind.TUNED
    loss = _loss(one, asked.id) if not one.scores else None
    return Told(one.name, pieces, ours, ends, answer.tokens, score, cut(reason, 300), loss, same)


def _turns(turns: Sequence[Turn]) -> tuple[tuple[str, str], ...]:
    left = len(turns) - EARLIER - 1
    kept = turns[-EARLIER - 1 :]
    told = [("", f"… {left:,} earlier turns are not shown")] if left > 0 else []
    return (*told, *((WHO[turn.role], cut(turn.text, TEXT)) for turn in kept))
