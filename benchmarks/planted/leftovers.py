"""Things that belong in no answer: leftovers of templates, pages and e-mails; wrong characters; a model's excuses."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from random import Random

from planted.passages import PASSAGES
from planted.rows import Kind, Row, inserted, sentences, words_of
from planted.wordings import (
    CLAUSES,
    CUT_OFFS,
    LOREM,
    NOTATIONS,
    NOTES,
    OPENINGS,
    REFUSALS,
    SLOTS,
    WITH_SLOTS,
)

Made = tuple[str, Row, Row | None]

PEOPLE = ("Ann Weaver", "Tom Okafor", "Marta Lind", "J. Pereira", "Ivo Horak", "Dana Cole", "Lee Chang", "Ruth Abel")
FIRMS = ("Northgate Tools", "Brightwell Ltd", "Kestrel Travel", "Oakline Foods", "Halden & Sons", "Blue Quay Media")
CLOSINGS = (
    "Best regards,",
    "Kind regards,",
    "Regards,",
    "Cheers,",
    "Sincerely,",
    "Many thanks,",
    "Best,",
    "BR",
    "Thx,",
)
JOBS = ("Customer Care", "Sales Manager", "Second Line Support", "Office Administrator", "Account Executive")
SMALL_PRINT = (
    "This e-mail and any files with it are confidential and meant only for the addressee.",
    "Please consider the environment before printing this message.",
    "If you have received this message in error, please notify the sender and delete it.",
    "Registered office: 4 Mill Lane, Harwich. Company No. 0448812.",
)


def leftover(draw: Random, row: Row, others: Sequence[Row]) -> Made:
    """Something of a template, a draft, a page or an e-mail stands in the answer."""
    makers = {"slot": _slot, "slot ": _slot, "lorem": _lorem, "note": _note, "html": _html, "html ": _html,
              "quoted mail": _quoted, "signature": _signature}  # fmt: skip
    form = draw.choice(list(makers))
    return form.strip(), Row(row.instruction, row.context, makers[form](draw, row.response)), None


def _slot(draw: Random, answer: str) -> str:
    notation = draw.choice(NOTATIONS)

    def slot() -> str:
        t = draw.choice(SLOTS)
        s = t.replace(" ", draw.choice("_-") if "{{" in notation else "_")
        return notation.format(s=s, S=t.upper().replace(" ", "_"), t=t, T=t.title(), U=t.upper())

    if draw.random() < 0.35:  # in place of a word of the answer
        words = answer.split(" ")
        words[draw.randrange(len(words))] = slot()
        return " ".join(words)
    sentence = draw.choice(WITH_SLOTS)
    return inserted(draw, answer, sentence.format(*(slot() for _ in range(sentence.count("{}")))))


def _lorem(draw: Random, answer: str) -> str:
    all_words = " ".join(LOREM).split()
    start = draw.choice([0, 0, draw.randrange(len(all_words) - 12)])
    words = all_words[start : start + draw.randint(10, 50)]
    text = " ".join(words).capitalize() + "."
    return draw.choice([text, inserted(draw, answer, text), inserted(draw, answer, text)])


def _note(draw: Random, answer: str) -> str:
    return inserted(draw, answer, draw.choice(NOTES))


def _html(draw: Random, answer: str) -> str:
    pieces, words = sentences(answer), answer.split(" ")
    place = draw.randrange(len(words))
    word = words[place]
    match draw.randrange(8):
        case 0:
            return "".join(f"<p>{html.escape(piece)}</p>" + draw.choice(["", "\n"]) for piece in pieces)
        case 1:
            return draw.choice(["<br>", "<br/>", "<br />\n", "<BR>"]).join(pieces)
        case 2:
            name = draw.choice(["div", "span", "section", "td"])
            return f'<{name} class="{draw.choice(["content", "post-body", "answer", "mb-2"])}">{answer}</{name}>'
        case 3:
            kind = draw.choice(['a href="https://example.org/p?id=31"', "b", "strong", "i", 'font color="red"', "em"])
            words[place] = f"<{kind}>{word}</{kind.split()[0]}>"
        case 4:
            entity = draw.choice(
                ["&nbsp;", "&amp;", "&quot;", "&#39;", "&lt;", "&gt;", "&amp;nbsp;", "&rsquo;", "&#8217;"]
            )
            return answer.replace(" ", f" {entity} ", draw.randint(1, 4))
        case 5:
            return "<ul>" + "".join(f"<li>{piece}</li>" for piece in pieces) + "</ul>"
        case 6:
            return answer + draw.choice(["</p>", "</div></div>", "<br><br>", '<img src="x.png" alt="">', "</li>"])
        case _:
            return inserted(draw, answer, '<script>window.dataLayer.push({"event":"view"});</script>')
    return " ".join(words)


def _quoted(draw: Random, answer: str) -> str:
    who, other, day = draw.choice(PEOPLE), draw.choice(PEOPLE), draw.randint(1, 28)
    mail = f"{who.split()[-1].lower()}@example.{draw.choice(['com', 'org', 'net'])}"
    asked = draw.choice(["Could you look into this?", "Thanks for the quick reply!", "See my questions below."])
    heads = (
        f"On {day} May 2021, at 09:{day + 20}, {who} <{mail}> wrote:\n> {asked}\n>\n> {who.split()[0]}",
        f"On Tue, Mar {day}, 2019 at 4:{day + 20} PM {who} wrote:\n\n> {asked}",
        f"-----Original Message-----\nFrom: {who} [mailto:{mail}]\nSent: {day} June 2018 14:02\nTo: {other}\nSubject: "
        f"RE: question\n\n{asked}",
        f"________________________________\nFrom: {who}\nSent: Monday, {day} October\nTo: {other}\n"
        f"Subject: Re: Fw: order\n\n{asked}",
        f">> {asked}\n> I have passed it on.\n\n> {who.split()[0]}",
        f"Begin forwarded message:\n\nFrom: {who} <{mail}>\nDate: {day}. 11. 2020\nTo: {other}\n\n{asked}",
        f"Am {day}.03.2022 um 08:15 schrieb {who}:\n> {asked}",
    )
    return f"{answer.rstrip()}\n\n{draw.choice(heads)}"


def _signature(draw: Random, answer: str) -> str:
    who, firm = draw.choice(PEOPLE), draw.choice(FIRMS)
    phone = f"+44 1632 960{draw.randint(100, 999)}"
    ends = (
        f"-- \n{who}\n{draw.choice(JOBS)}, {firm}\nT: {phone}",
        f"{draw.choice(CLOSINGS)}\n{who}\n{draw.choice(JOBS)} | {firm}\n\n{draw.choice(SMALL_PRINT)}",
        f"{draw.choice(CLOSINGS)}\n\n{who.split()[0]}\n\nSent from my {draw.choice(['iPhone', 'phone', 'iPad'])}",
        f"{draw.choice(CLOSINGS)}\n{who}\n\n{firm}\nTel. {phone}\nwww.example.com\n{draw.choice(SMALL_PRINT)}",
        f"{draw.choice(CLOSINGS)} {who.split()[0]}\n---\n{draw.choice(SMALL_PRINT)}",
        f"Sent from {draw.choice(['Outlook for Android', 'Mail for Windows', 'my mobile device'])}",
    )
    return f"{answer.rstrip()}\n\n{draw.choice(ends)}"


ACCENTED = (
    "The café on the Plaça Reial closes at ten – it’s worth a visit.", "Mr Müller’s naïve résumé said “yes”.",
    "It costs 20 € … or £18 if you’re lucky.", "São Paulo’s mayor didn’t agree — not at all.",
    "They’ll serve crème brûlée and jalapeños.", "Zürich, Kraków and Århus aren’t far by train.",
    "“Don’t worry,” she said, “it’s only 30 °C.”", "José’s façade was painted in 1920–1925.",
)  # fmt: skip
CHAINS = (
    ("utf-8", "cp1252"), ("utf-8", "cp1252"), ("utf-8", "latin-1"), ("utf-8", "mac_roman"), ("utf-8", "cp437"),
    ("utf-8", "cp850"), ("utf-8", "cp1251"), ("utf-8", "cp1250"), ("cp1252", "utf-8"), ("utf-8", "gbk"),
    ("utf-8", "ascii"), ("utf-8", "shift_jis"), ("cp1252", "mac_roman"),
)  # fmt: skip


def mojibake(draw: Random, row: Row, others: Sequence[Row]) -> Made:
    """The answer written in one encoding and read in another, once or twice; or its special characters lost."""
    curly = row.response.replace("'", "’").replace(" - ", " – ").replace("...", "…")
    text = inserted(draw, curly, draw.choice(ACCENTED))
    form = draw.choices(["once", "twice", "lost", "foreign", "mark"], [7, 2, 1, 2, 1])[0]
    if form == "once":
        written, read = draw.choice(CHAINS)
        form, text = f"{written} as {read}", _misread(text, written, read)
    elif form == "twice":
        text = _misread(_misread(text, "utf-8", "cp1252"), "utf-8", "cp1252")
    elif form == "lost":
        text = text.encode("ascii", "replace").decode()
    elif form == "foreign":
        language, written, read = draw.choice(
            [("Russian", "koi8-r", "cp1251"), ("Russian", "utf-8", "cp1252"), ("Japanese", "shift_jis", "latin-1"),
             ("Chinese", "gbk", "cp1252"), ("Polish", "utf-8", "cp1250"), ("Greek", "utf-8", "latin-1"),
             ("Korean", "utf-8", "latin-1")]
        )  # fmt: skip
        said = draw.choice([p for p in PASSAGES if p.language == language]).sentences
        form, text = f"{language} {written} as {read}", _misread(" ".join(said), written, read)
    else:
        text = "ï»¿" + row.response
    return form, Row(row.instruction, row.context, text), None


def _misread(text: str, written: str, read: str) -> str:
    return text.encode(written, "replace").decode(read, "replace")


MAKERS = ("OpenAI", "Google", "Anthropic", "Meta", "Microsoft", "a team of researchers", "Mistral AI", "LMSYS")
BOTS = ("ChatGPT", "GPT-4", "Bard", "Claude", "an AI called Vicuna", "Alpaca, a language model", "Bing Chat")


def boilerplate(draw: Random, row: Row, others: Sequence[Row]) -> Made:
    """What a model says about itself, about its knowledge's end, or when it will not answer."""
    form = draw.choice(["self", "self", "cut-off", "refusal"])
    month, year = draw.choice(["January", "April", "June", "September", "October"]), draw.randint(2019, 2024)
    if form == "self":
        opening = draw.choice(OPENINGS).format(maker=draw.choice(MAKERS), bot=draw.choice(BOTS))
        said = f"{opening} {draw.choice(CLAUSES)}"
    elif form == "cut-off":
        said = draw.choice(CUT_OFFS).format(month=month, year=year)
    else:
        return form, Row(row.instruction, row.context, draw.choice(REFUSALS)), None
    alone = draw.random() < 0.2
    answer = said if alone else inserted(draw, row.response, said)
    return form, Row(row.instruction, row.context, answer), None


def _plain(row: Row) -> bool:
    return words_of(row) >= 15 and not re.search(r"html|code|program|\bAI\b|chatbot|<|&\w+;", str(row), re.I)


KINDS = (
    Kind("leftover", leftover, _plain),
    Kind("mojibake", mojibake, _plain),
    Kind("boilerplate", boilerplate, _plain),
)
