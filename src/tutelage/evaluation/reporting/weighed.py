"""What a comparison says: the verdict, who stood against whom, and what each contender is."""

from __future__ import annotations

from tutelage.evaluation.reporting.content import Block, Column, Forest, Headline, Row, Section, Table, Tile, Value
from tutelage.evaluation.reporting.pictures import bars_of
from tutelage.evaluation.results import OTHER_TOKENS, Comparison, ContenderResult
from tutelage.evaluation.verdict import Kind, Said
from tutelage.model.generate import LOOP_TIMES, LOOP_TOKENS

WORDS = {
    Said.BETTER: "Tuning helped",
    Said.BASE: "The base was enough",
    Said.PROMPT: "A prompt was enough",
    Said.EXAMPLES: "Examples were enough",
    Said.RUN: "Another run was enough",
    Said.MODEL: "Another model was enough",
    Said.EVEN: "Not distinguishable",
    Said.NONE: "No verdict",
}
TODO = {
    Said.BETTER: "Use the tuned model. Read some answers below first: better than the others is not yet good enough.",
    Said.BASE: "Use the base as it is, or tune on more or better data.",
    Said.PROMPT: "Use the base with the written prompt: it costs no tuning, only the prompt's tokens in every answer.",
    Said.EXAMPLES: "Show the base the examples: it costs no tuning, only their tokens in every answer.",
    Said.RUN: "Use the other run, and look at what was different in its settings and data.",
    Said.MODEL: "Use the other model with the prompt, or start tuning from it.",
    Said.EVEN: "Compare on more prompts before you decide; until then the simpler way is as good.",
    Said.NONE: "Hold more conversations out, or name tasks, and compare again.",
}
HOW = (
    "Loss: nats per token of the reference answers, each contender under its own prompt; lower is better. Ends: "
    "answers that the model ended itself; a base may also end by beginning the next turn. Loops: answers that were "
    f"cut, and do not count as ended, because they said the same {LOOP_TIMES} times over ({LOOP_TOKENS} tokens or "
    "more). Tokens read and written are what an answer costs, on average. Intervals hold the true value in 95 of 100 "
    "such comparisons."
)


def headline(found: Comparison | None, run: str) -> Headline:
    """The verdict in a sentence; without a comparison, how to come to one."""
    if found is None:
        todo = f"tutelage compare {run}"
        return Headline("Not compared yet", "Whether tuning helped is not known yet.", "even", f"To find out: {todo}")
    verdict = found.verdict
    return Headline(WORDS[verdict.said], verdict.text, verdict.tone, TODO[verdict.said])


def _gain_form(found: Comparison) -> str:
    return "signed score" if found.verdict.metric.score else "signed percent"


def _mark(low: float, high: float) -> str:
    return "better" if low > 0 else "worse" if high < 0 else ""


def gains(found: Comparison) -> Section | None:
    """What the tuned model gains over each opponent; the picture of the verdict."""
    rows = [(one.opponent, one.interval, _mark(one.interval.low, one.interval.high)) for one in found.verdict.gains]
    if not rows:
        return None
    form = _gain_form(found)
    unit = "points of 100" if found.verdict.metric.score else "share of the opponent's loss"
    axis = f"gain of the tuned model ({unit})"
    columns = (
        Column("opponent", "against"),
        Column("gain", "the tuned model gains", form),
        Column("won", "better on", "share"),
        Column("lost", "worse on", "share"),
        Column("prompts", "prompts", "count"),
    )
    table = Table(
        "gains",
        "What the tuned model gains over each opponent",
        columns,
        tuple(
            Row((one.opponent, one.interval, one.won, one.lost, one.interval.count), mark)
            for one, (_, _, mark) in zip(found.verdict.gains, rows, strict=True)
        ),
    )
    about = "The tuned model's gain over each opponent with its 95% interval; the numbers stand in the table below it."
    sides = ("opponent is better", "tuned is better")
    forest = Forest("gains", about, axis, form, bars_of(rows), 0.0, sides)
    lead = f"What decides was fixed before any answer was seen: {found.verdict.metric.name}."
    return Section("verdict", "The verdict in numbers", lead, (forest, table), tuple(found.notes))


def contenders(found: Comparison) -> Section:
    """Everybody's numbers."""
    scored = any(one.scores for one in found.contenders)
    columns = [
        Column("name", "contender"),
        Column("format", "shown as"),
        Column("score", "score", "score"),
        Column("loss", "loss", "loss"),
        Column("loss_with_stop", "with its end", "loss"),
        Column("stop_rate", "ends", "share"),
        Column("loop_rate", "loops", "share"),
        Column("mean_prompt_tokens", "tokens read", "mean"),
        Column("mean_tokens", "written", "mean"),
        Column("answers", "answers", "count"),
    ]
    kept = [column for column in columns if scored or column.key != "score"]
    rows = tuple(_row(one, kept) for one in found.contenders)
    parts: list[Table | Forest | Block] = [Table("contenders", "Contenders on the same prompts", tuple(kept), rows)]
    if scored:
        about = "Every contender's mean score with its 95% interval; the numbers stand in the table."
        marked = [(_name(one), one.score, "ours" if one.kind is Kind.TUNED else "") for one in found.contenders]
        forest = Forest("contender-scores", about, "mean score (points of 100)", "score", bars_of(marked))
        parts.insert(0, forest)
    parts += _shown(found)
    notes = [HOW]
    if found.left_out:
        notes.append(f"{found.left_out:,} held-out conversations did not fit every contender.")
    if not found.one_tokenizer:
        notes.append(OTHER_TOKENS)
    decoding = found.decoding
    how = "always the likeliest token" if decoding.temperature == 0 else f"temperature {decoding.temperature:g}"
    lead = (
        f"{len(found.contenders)} contenders, the same {len(found.prompts):,} prompts. Answers have at most "
        f"{decoding.max_new_tokens:,} tokens; {how}."
    )
    return Section("contenders", "Who stood against whom", lead, tuple(parts), tuple(notes))


def _name(one: ContenderResult) -> str:
    return f"{one.name} ({len(one.seeds)} seeds)" if one.more else one.name


def _row(one: ContenderResult, columns: list[Column]) -> Row:
    answers = sum(len(each.answers) for each in one.seeds)
    given: dict[str, Value] = {"name": _name(one), "answers": answers}
    values = tuple(given.get(column.key, getattr(one, column.key, None)) for column in columns)
    return Row(values, "ours" if one.kind is Kind.TUNED else "")


def _shown(found: Comparison) -> list[Table | Forest | Block]:
    """How each was shown: formats that were tried, and what stood before every prompt; to be opened."""
    tried = [(one, each) for one in found.contenders for each in one.formats]
    parts: list[Table | Forest | Block] = []
    if tried:
        columns = (
            Column("contender", "contender"),
            Column("format", "format"),
            Column("loss", "loss", "loss"),
            Column("loss_with_stop", "with its end", "loss"),
            Column("conversations", "conversations", "count"),
        )
        rows = tuple(
            Row((one.name, each.name, each.loss, each.loss_with_stop, each.conversations)) for one, each in tried
        )
        parts.append(Table("formats", "Formats that the base was tried in, the best first", columns, rows, True))
    for one in found.contenders:
        before = [f"[{turn.role.value}] {turn.text}" for turn in one.shots]
        text = "\n\n".join([*([one.system] if one.system else []), *before])
        if text:
            parts.append(Block(f"What stands before every prompt of: {one.name}", text, folded=True))
    return parts


def tiles(found: Comparison) -> list[Tile]:
    """The tuned model's numbers at a glance, beside the best opponent's."""
    tuned = next((one for one in found.contenders if one.kind is Kind.TUNED), None)
    best = next((one for one in found.contenders if one.name == found.verdict.opponent), None)
    if tuned is None:
        return []
    against = {"name": best.name, "ends": best.stop_rate, "written": best.mean_tokens} if best else None
    made = []
    if found.verdict.gains:
        one = next(each for each in found.verdict.gains if each.opponent == found.verdict.opponent)
        note = f"better on {one.won:.0%} of the prompts, worse on {one.lost:.0%}"
        unit = "points gained" if found.verdict.metric.score else "of the loss gained"
        made.append(Tile("gain", f"{unit} over {one.opponent}", one.interval.value, _gain_form(found), note))
    ends = f"{against['ends']:.0%} of {against['name']}'s" if against else ""
    written = f"{against['written']:,.0f} by {against['name']}" if against else ""
    made.append(Tile("ends", "of its answers end by themselves", tuned.stop_rate, "share", ends))
    made.append(Tile("tokens", "tokens written per answer", tuned.mean_tokens, "mean", written))
    return made
