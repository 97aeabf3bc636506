"""What is good about a data set, what to look at, and what to do next: sentences and commands over its overview."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tutelage.data import general
from tutelage.data.breadth import ADVISED
from tutelage.data.mending import MENDS
from tutelage.data.overview import UNTOLD, Bar, Overview, RuleFacts
from tutelage.data.quality import ALL
from tutelage.data.tickets import LEFT_OUT
from tutelage.pages import percent, readable
from tutelage.recipe import Recipe, defaults

FEW = 100
"""Fewer conversations than this are few."""
NOTED = 3
"""Rules that a sentence names."""
MIXED = 0.02
"""A second language in so large a share of the conversations is worth a word."""
CLEAN = 0.01
"""Flags on a smaller share than this are not worth a worry."""
TOKENS_OF_A_WORD = 1.35
"""Tokens of an English word, about."""
KIND_WORDS = {
    "KEY": "secret key",
    "PASSWORD": "password",
    "EMAIL": "e-mail address",
    "IBAN": "IBAN",
    "CARD": "card number",
    "IP": "IP address",
    "PHONE": "phone number",
}
PUBLIC = ("EMAIL", "PHONE", "IP")
"""Kinds of personal data that a company may hand out about itself."""
OPTIONS = ("data.files", "data.format", "data.columns", "data.instruction")
"""Settings that a command has in another form."""
DROPPING = ("trivial", "echo", "loop", "cut", "marker", "boilerplate", "missing_input", "contradiction")
"""Rules whose finds, where they are right, teach nothing good."""


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence; `tone` is good or look."""

    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """What to type, and what it does."""

    text: str
    does: str


def longest(recipe: Recipe) -> int:
    """About how many words a conversation may have to be tuned on whole."""
    return int(recipe.tuning.max_length / TOKENS_OF_A_WORD)


def notes(found: Overview, recipe: Recipe) -> tuple[Note, ...]:
    """What is good and what to look at, the most important first of each."""
    made = [
        *_size(found), *_breadth(found), *_private(found), *_rows(found), *_repetition(found), *_flags(found),
        *_long(found, recipe), *_languages(found), *_licences(found),
    ]  # fmt: skip
    return tuple(sorted(made, key=lambda note: note.tone != "look"))


def _size(found: Overview) -> Iterator[Note]:
    if found.conversations < FEW:
        yield Note(
            "look",
            f"{_count(found.conversations, 'conversation')} are few: enough to try things out. Before anybody relies "
            "on the tuned model, read its answers side by side (tutelage compare).",
        )


def _breadth(found: Overview) -> Iterator[Note]:
    breadth = found.breadth
    if breadth and breadth.narrow:
        yield Note("look", f"{breadth.warning} {breadth.advice}".strip())
    elif breadth and breadth.kinds:
        first = ", ".join(f"{kind.name} {kind.share:.0%}" for kind in breadth.kinds[:NOTED])
        yield Note("good", f"Broad: {len(breadth.kinds)} kinds of instruction ({first}, …).")


def _private(found: Overview) -> Iterator[Note]:
    if not found.private:
        yield Note("good", "No e-mail addresses, phone numbers, cards, IBANs, keys or passwords were found.")
        return
    listed = ", ".join(_count(each.pieces, KIND_WORDS.get(each.kind, each.kind)) for each in found.private)
    if _is_asked(found):
        told = "A tuned model can repeat them: mask them (personal.mask=true)."
    else:
        told = "All stand in answers: leave them where they are your own public addresses, else personal.mask=true."
    yield Note(
        "look", f"Personal data or secrets: {listed}. {told} Names and postal addresses are not found by any rule."
    )


def _is_asked(found: Overview) -> bool:
    """Whether personal data stands elsewhere than in answers, or secrets anywhere: that is nobody's public address."""
    return any(each.pieces > each.in_answers or each.kind not in PUBLIC for each in found.private)


def _rows(found: Overview) -> Iterator[Note]:
    read = found.funnel[0].count
    bad = [rule for rule in found.passed_over if rule.rule not in LEFT_OUT]
    aside = [rule for rule in found.passed_over if rule.rule in LEFT_OUT]
    lost = sum(rule.count for rule in bad)
    told = f"; left out as no messages to learn from: {_named(aside)}" if aside else ""
    if not lost:
        yield Note("good", f"Every one of the {read:,} rows could be read{told}.")
    else:
        share = percent(lost / max(1, read))
        yield Note("look", f"{lost:,} of {read:,} rows ({share}) could not be used: {_named(bad)}{told}.")
    gone = sum(rule.count for rule in found.dropped)
    if gone:
        yield Note("look", f"{_count(gone, 'conversation')} dropped: {_named(found.dropped)}.")


def _repetition(found: Overview) -> Iterator[Note]:
    whole, asked, *_ = found.repetitions
    if whole.surplus:
        yield Note(
            "look",
            f"{_count(whole.surplus, 'conversation')} nearly the same as another one: look at the groups below. "
            "Where they really say the same, keep one of each (data.near=drop): copies weigh more than others.",
        )
    if asked.surplus:
        yield Note(
            "look", f"{_count(asked.surplus, 'question')} asked before in nearly the same words, answered otherwise."
        )
    if not whole.surplus and not asked.surplus:
        yield Note("good", "No conversation is nearly the same as another one.")


def _flags(found: Overview) -> Iterator[Note]:
    share = found.flagged_conversations / found.conversations if found.conversations else 0
    if share <= CLEAN:
        yield Note("good", f"The rules flag {percent(share)} of the conversations, kept all the same.")
    else:
        told = _named(found.flagged)
        yield Note(
            "look", f"The rules flag {percent(share)} of the conversations, kept all the same: {told}. See the samples."
        )


def _long(found: Overview, recipe: Recipe) -> Iterator[Note]:
    if found.long:
        yield Note(
            "look",
            f"{_count(found.long, 'conversation')} may be longer than tuning.max_length ({recipe.tuning.max_length:,} "
            "tokens): their oldest turns will be left out. tutelage tune … --dry-run counts exactly.",
        )


def _languages(found: Overview) -> Iterator[Note]:
    spoken = [bar for bar in found.languages_answered if bar.name != UNTOLD and bar.share >= MIXED]
    if len(spoken) > 1:
        yield Note("look", f"Answers in {len(spoken)} languages: {_shares(spoken)}. Fine if that is what you want.")


def _licences(found: Overview) -> Iterator[Note]:
    without = [file for file in found.files if not file.licence]
    if without:
        yield Note(
            "look",
            f"No licence found near {_count(len(without), 'file')}: ask whose data it is before you pass the model on.",
        )
    elif found.files:
        yield Note("good", "A licence was found near every file (below): read whether it allows what you plan.")
    if any(file.licence and file.licence.is_not_for_trade for file in found.files):
        yield Note("look", "A licence found speaks of non-commercial use only.")


def _named(rules: Sequence[RuleFacts]) -> str:
    few = [f"{rule.count:,} {rule.rule}" for rule in rules[:NOTED]]
    return ", ".join(few) + (", …" if len(rules) > NOTED else "")


def _shares(bars: Sequence[Bar]) -> str:
    return ", ".join(f"{bar.name} {percent(bar.share)}" for bar in bars)


def _count(number: int, what: str) -> str:
    plural = what if number == 1 else f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{number:,} {plural}"


def commands(found: Overview, recipe: Recipe, out: Path | None) -> tuple[Command, ...]:
    """What to type next.

    Args:
        out: the data set folder that was written; None: nothing was curated yet.
    """
    mix = ["--mix", f"{general.NAME}:{ADVISED:g}"] if found.breadth and found.breadth.narrow else []
    mixed = ", with general examples mixed in" if mix else ""
    if out is not None:
        return (
            Command(_line("tune", str(out), *mix, "--dry-run"), "See what tuning on it would take"),
            Command(_line("tune", str(out), *mix), f"Tune on it{mixed}"),
        )
    clean = f"{_stem(recipe)}-clean"
    mends = [rule.rule for rule in found.flagged if rule.rule in MENDS]
    drops = [rule.rule for rule in found.flagged if rule.rule in DROPPING and rule.rule not in mends]
    safe = {
        "personal.mask": "true" if _is_asked(found) else "",
        "quality.repair": _joined(recipe.quality.repair, mends),
    }
    bold = {
        "data.near": "drop" if found.repetitions[0].surplus else "",
        "quality.drop": _joined(recipe.quality.drop, drops),
    }
    told = [
        *(["personal data masked"] if safe["personal.mask"] else []),
        *([f"{', '.join(mends)} mended"] if mends else []),
    ]
    does = "Write a clean data set folder" + (f", with {' and '.join(told)}" if told else "")
    made = [Command(_curate(recipe, clean, safe), does)]
    if bold["data.near"] or drops:
        parts = {"keeps one of each group of near duplicates": bold["data.near"], "drops what is flagged": drops}
        more = [part for part, wanted in parts.items() if wanted]
        does = f"Or one that also {' and '.join(more)}: read the samples below first"
        made.append(Command(_curate(recipe, clean, {**safe, **bold}), does))
    return (*made, Command(_line("tune", clean, *mix), f"Then tune on what is left{mixed}"))


def _joined(asked: Sequence[str], advised: Sequence[str]) -> str:
    """What the user asked for already and what is advised, each once."""
    return ALL if ALL in asked else ",".join(dict.fromkeys((*asked, *advised)))


def _stem(recipe: Recipe) -> str:
    name = Path(recipe.data.files[0]).resolve().name if recipe.data.files else ""
    return re.sub(r"[^\w-]+", "-", name.partition(".")[0]).strip("-") or "data"


def _curate(recipe: Recipe, out: str, advised: Mapping[str, str]) -> str:
    """The command that reads the same files in the same way, with what was set and what is advised."""
    data, usual = recipe.data, defaults(Recipe())
    changed = {
        name: ",".join(value) if isinstance(value, list) else str(value)
        for name, value in defaults(recipe).items()
        if name.startswith(("data.", "quality.")) and name not in OPTIONS and value != usual[name]
    }
    options = {"--format": "" if data.format == "auto" else data.format, "--columns": data.columns}
    options["--instruction"] = data.instruction
    given = [part for name, value in options.items() if value for part in (name, value)]
    settings = [f"{name}={value}" for name, value in {**changed, **advised}.items() if value]
    return _line("curate", *data.files, *given, "--out", out, *settings)


def _line(*words: str) -> str:
    """A command as it can be pasted into a shell. Names are quoted; what acts unseen in them is shown, not kept."""
    return readable(" ".join(["tutelage", *(shlex.quote(word) for word in words)]))
