"""Texts of people: times, mails, HTML, quality rules with their repairs, personal data, and what compares texts."""

from __future__ import annotations

import math
from itertools import pairwise

from hostile.drawing import PIECES, Draw, stretched
from hostile.files import adds_up, folder
from hostile.judging import Harness
from tutelage.data import duplicates, personal, quality, similar, split
from tutelage.data.htmltext import to_text
from tutelage.data.mailtext import clean
from tutelage.data.rows import RowError
from tutelage.data.times import LAST, moment
from tutelage.recipe import QualitySettings
from tutelage.records import Conversation, Dataset, Ledger, Role, Source, Turn, with_ids

SETTINGS = (
    QualitySettings(),
    QualitySettings(drop=("all",)),
    QualitySettings(repair=("all",)),
    QualitySettings(drop=("all",), repair=("all",)),
)
PLAIN = (
    ("How do I reset my password?", "Open the settings, choose Account, and press Reset."),
    ("When is the office open?", "From nine to five on weekdays; it is closed on Sundays."),
)


def times(data: bytes) -> None:
    """A time is read as one that can be, or refused; text or number."""
    draw = Draw(data)
    text = draw.rest().decode("utf-8", "ignore")
    for value in (text, draw.value(0), len(text) * 10 ** (len(text) % 30)):
        try:
            found = moment(value)
        except RowError as error:
            assert error.rule == "time"
            continue
        for day_first in (False, True):
            assert math.isfinite(found.seconds(day_first)) and 0 <= found.seconds(day_first) <= LAST


def mails(data: bytes) -> None:
    """A mail's text and HTML, as one or the other: text comes out that can be written, and no more than went in."""
    text = stretched(data)
    for markup in (False, True):
        cleaned = clean(text, markup).text
        assert cleaned == cleaned.strip() and len(cleaned) <= 3 * len(text) + 10
        cleaned.encode()
    to_text(text).text.encode()


def _dataset(pairs: list[tuple[str, str]], group: str = "") -> Dataset:
    made = [
        (Conversation((Turn(Role.USER, asked), Turn(Role.ASSISTANT, answered))), Source("f", (n,)), group, (asked[:9],))
        for n, (asked, answered) in enumerate(pairs, 1)
    ]
    return Dataset(with_ids(made), ledger=Ledger(len(made), len(made), 0, len(made), len(made), 0))


def rules(data: bytes) -> None:
    """Every rule and repair, repeats, near copies and the hold-out: each conversation is in one place."""
    draw = Draw(data)
    settings, action = draw.one_of(SETTINGS), draw.one_of(("flag", "drop"))
    share = draw.byte() / 255
    pairs = [(draw.text(), draw.text()) for _ in range(draw.below(3))]
    long = stretched(draw.rest())
    dataset = _dataset([*PLAIN, *pairs, ("a", long), (long, "b")])
    after = similar.mark_near(duplicates.drop_repeats(quality.apply(dataset, settings)), action)  # type: ignore[arg-type]
    adds_up(after)
    assert len(after) + len(after.dropped) == len(dataset)
    assert len({example.id for example in after.examples}) == len(after)
    if settings is SETTINGS[0]:
        assert {pair[0] for pair in PLAIN} <= {example.conversation.prompt[0].text for example in after.examples}
    train, held = split.hold_out(after, share, 3)
    adds_up(settled := split.settled(after, train, held))
    assert not {example.id for example in train.examples} & {example.id for example in held.examples}
    assert len(settled) == len(train) + len(held)


def masks(data: bytes) -> None:
    """Masked and unmasked is what it was; masked again with the same key is the same."""
    draw = Draw(data)
    pairs = [(draw.text() + draw.text(), draw.text()) for _ in range(draw.below(4))]
    long = stretched(draw.rest())
    dataset = _dataset([*pairs, (long, "ok")], draw.text())
    key = folder() / "set.key.json"
    key.unlink(missing_ok=True)
    hidden = personal.mask(dataset, key)
    assert personal.unmask(hidden, key).examples == dataset.examples
    assert personal.mask(dataset, key).examples == hidden.examples
    for example in dataset.examples:
        for turn in example.conversation.turns:
            hits = personal.find(turn.text)
            assert all(one.end <= other.start for one, other in pairwise(hits))
            assert all(0 <= hit.start < hit.end <= len(turn.text) for hit in hits)


MAILS = (
    b"Hello,\n\nit works.\n\nKind regards,\nAnn\n-- \nAnn Lee\n+49 30 901820",
    b"> > a\n>b\n\nOn Mon, 5 Mar 2024 at 14:30, Ann <ann@example.com> wrote:\n> x\n-----Original Message-----\nFrom: a",
    b"<html><head><style>p{</style></head><body><p>a<br/>b<blockquote class=gmail_quote>c</p></body>",
    b"<div><div><div><!-- <p> --><a href='http://x'>y</a><li>&#xD800;&#1114112;&nbsp;&amp;lt;",
    "Am 05.03.2024 schrieb Ann:\u2028\u0085\x0b> ja\u200b\ufeff".encode(),
)
SIGNS = ("<a ", "<!--", "a.", "a@", "'\"", "1.", "::", "[", "{", ">\n", "+1", "- ", "\n\n", "=", "http://a")
STRETCHED = (
    *(bytes([how]) + mail for mail in MAILS for how in (0, 241, 254)),
    *(bytes([250]) + piece.encode() for piece in (*PIECES[1:], *SIGNS)),
    *(bytes([254]) + sign.encode() for sign in SIGNS[:5]),
)
HARNESSES = {
    "times": Harness(
        times,
        (
            *(b"2024-03-05T14:30:00Z", b"1709649000", b"1709649000123.5", b"Tue, 5 Mar 2024 14:30:00 +0100 (CET)"),
            *(b"03/04/2024 2:30 PM", b"5. M\xc3\xa4rz 2024 um 14:30 Uhr", b"20240305143000"),
            *("\u0663\u0664/\u0661\u0662/\u0662\u0660\u0662\u0664".encode(), b"2024-W10-2"),
            *(b"0001-01-01", b"9999-12-31", b"24:00", b"12:60:60,9 a.m."),
        ),
        words=(b"uhr", b"gmt", b"+01:00", b"am ", b"March", b"T", b":", b"W"),
    ),
    "mails": Harness(
        mails,
        STRETCHED,
        words=(b"<p>", b"</", b"<blockquote", b"wrote:", b"From: ", b"-- \n", b"> ", b"&#", b"<!--"),
        quick=60,
    ),
    "quality rules": Harness(
        rules,
        tuple(bytes([n % 4, n, 5 * n % 256, 0]) + seed for n, seed in enumerate(STRETCHED)),
        words=(b"</s>", b"&amp;", b"<br>", b"Question:", b"\xc3\x83", b"{{", b"As an AI", b"regards", b"```", b"1. "),
        quick=12,
    ),
    "personal data": Harness(
        masks,
        (
            *(bytes([0]) + seed for seed in STRETCHED),
            b"\x00\x00[EMAIL-1] ann@example.com Ann@Example.com [EMAIL-1.2]",
            b"\x00\x004111111111111111 4111 1111 1111 1111",
        ),
        words=(
            b"@",
            b".com",
            b"+49",
            b"4111",
            b"DE89",
            b"sk-",
            b"AKIA",
            b"password: ",
            b"[EMAIL-1]",
            b"::1",
            b"127.0.",
        ),
        quick=12,
    ),
}
