"""Spoilt answers: blank, echoed, looping, cut off, in another language, of absurd length."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from random import Random

from planted.code import CODE
from planted.passages import ASKED, PASSAGES
from planted.rows import Kind, Row, sentences, words_of
from planted.wordings import FRAMES, TRIVIAL

Made = tuple[str, Row, Row | None]

# Blank in all the ways in which exports, people and models leave an answer out.
BLANK = ("", " ", "\n", "\n\n\n", "\t", "   \n  ", "\u200b", "\ufeff", "\u00a0\u00a0", "-", "--", "...", "…", "_____")


def blank(draw: Random, row: Row, others: Sequence[Row]) -> Made:
    """Nothing, or a word that stands for nothing, where a long answer belongs."""
    form = draw.choice(["blank", "trivial", "trivial"])
    answer = draw.choice(BLANK if form == "blank" else TRIVIAL)
    return form, Row(row.instruction, row.context, answer), None


def echo(draw: Random, row: Row, others: Sequence[Row]) -> Made:
    """The instruction as the answer: as it is, in a frame, or with a word or two changed."""
    form = draw.choice(["same", "frame", "frame", "case", "reworded", "reworded"])
    said = row.instruction.strip()
    if form == "frame":
        said = draw.choice(FRAMES).format(q=said)
    elif form == "case":
        bare = re.sub(r"[^\w\s']", "", said)
        said = draw.choice([said.upper(), said.lower(), bare, bare.lower(), said.title(), said.rstrip(".?!:") + "!"])
    elif form == "reworded":
        said = _reworded(draw, said)
    return form, Row(row.instruction, row.context, said), None


def _reworded(draw: Random, said: str) -> str:
    words = said.split()
    place = draw.randrange(1, len(words) - 1)
    match draw.randrange(5):
        case 0:
            del words[place]
        case 1:
            words[place], words[place - 1] = words[place - 1], words[place]
        case 2:
            words = words[1:]
        case 3:
            words.insert(place, draw.choice(["please", "exactly", "actually", "just", "then", "really"]))
        case _:
            swaps = {"what": "which", "is": "was", "are": "were", "the": "this", "a": "one", "how": "in what way",
                     "give": "provide", "list": "name", "write": "compose", "some": "a few"}  # fmt: skip
            words = [swaps.get(word.lower(), word) for word in words]
            words[-1] = words[-1].rstrip("?.") + draw.choice(["", "?", "."])
    return " ".join(words)


def loop(draw: Random, row: Row, others: Sequence[Row]) -> Made:
    """The answer goes round in circles, from its start or after some good sentences; it often breaks off within."""
    form = draw.choice(["word", "phrase", "sentence", "in turn", "list", "lines", "paragraph", "characters", "numbers"])
    pieces, words = sentences(row.response), row.response.split()
    phrase = " ".join(words[(at := draw.randrange(len(words) - 8)) : at + draw.randint(2, 8)])
    some = draw.sample(pieces, min(len(pieces), draw.choice([1, 1, 2])))
    if form == "word":
        round_about = " ".join([draw.choice(words)] * draw.randint(12, 90))
    elif form == "phrase":
        joint = draw.choice([" ", " ", ", ", " and ", "; "])
        round_about = joint.join([phrase] * draw.randint(max(5, 14 // len(phrase.split())), 30))
    elif form == "sentence":
        round_about = draw.choice([" ", "\n", "\n\n"]).join(some[:1] * draw.randint(4, 18))
    elif form == "in turn":
        round_about = " ".join(draw.sample(pieces, min(len(pieces), draw.randint(2, 3))) * draw.randint(3, 10))
    elif form == "list":
        mark = draw.choice(["{}. ", "{}) ", "({}) ", "Step {}: ", "#{} "])
        round_about = "\n".join(mark.format(n) + some[n % len(some)] for n in range(1, draw.randint(8, 30)))
    elif form == "lines":
        mark = draw.choice(["- ", "* ", "• ", "", "> "])
        round_about = "\n".join([mark + phrase] * draw.randint(6, 40))
    elif form == "paragraph":
        round_about = "\n\n".join([row.response.strip()] * draw.randint(3, 5))
    elif form == "characters":
        unit = draw.choice(
            ["ha", "!", "?!", "na ", "-", "=", "ab", "0", ". ", "lo", "#", "\\n", "🙂", "e", "__", "1, "]
        )
        round_about = unit * draw.randint(60, 400)
    else:
        start, few = draw.randint(1, 1990), " ".join(phrase.split()[:6])
        round_about = " ".join(f"In {start + n} {few}." for n in range(draw.randint(9, 30)))
    lead = " ".join(pieces[: draw.randint(1, 3)]) if form != "paragraph" and draw.random() < 0.5 else ""
    if draw.random() < 0.4 and len(round_about) > 80:
        round_about = round_about[: -draw.randint(1, 20)]
    return form, Row(row.instruction, row.context, f"{lead}\n{round_about}".strip()), None


def cut(draw: Random, row: Row, others: Sequence[Row]) -> Made:
    """Cut at a random token, as a limit on tokens does; never where a sentence, line or code block ends by chance."""
    in_code = draw.random() < 0.12 or not any(_within(row.response, end, False) for end in range(len(row.response)))
    instruction, context, answer = (row.instruction, row.context, row.response)
    if in_code:
        (instruction, answer), context = draw.choice(CODE), ""
    ends = [match.end() for match in re.finditer(r"\s?\w{1,5}|[^\w\s]", answer)]
    ends = [end for end in ends if _within(answer, end, in_code)]
    end = draw.choice(ends)
    form = "code" if in_code else _place(answer, end)
    return form, Row(instruction, context, answer[:end] + draw.choice(["", "", "", "", " "])), None


def _within(answer: str, end: int, in_code: bool) -> bool:
    head, rest = answer[:end], answer[end:]
    if in_code:
        return head.count("```") == 1 and "\n" in head.rpartition("```")[2] and bool(rest.strip())
    inside = head[-1:].isalnum() or head[-1:] in ",(\u201c&+/"
    return inside and len(head.split()) >= 15 and len(rest.split()) >= 5 and rest[:1] not in '\n.!?:;)]"\u201d'


def _place(answer: str, end: int) -> str:
    line = answer[:end].rpartition("\n")[2]
    if answer[end].isalnum() and answer[end - 1].isalnum():
        return "word"
    return "list" if re.match(r"\s*(?:[-*•]|\d+[.)])", line) else "sentence"


def language(draw: Random, row: Row, others: Sequence[Row]) -> Made:
    """Answered in another language than was asked in, or than was asked for by name."""
    passage = draw.choice(PASSAGES)
    joint = "" if passage.language in ("Japanese", "Chinese") else " "
    said = joint.join(passage.sentences[: draw.randint(1, len(passage.sentences))])
    form = draw.choices(["answer", "question", "by name"], [7, 2, 1])[0]
    if form == "answer":
        made = Row(row.instruction, row.context, said)
    elif form == "question":
        opening = draw.choice(
            ["", "", "Sure. ", "In short: ", "Of course! ", "Good question. ", "Well, it is simple. "]
        )
        made = Row(passage.question, "", opening + passage.english)
    else:
        asked = draw.choice(ASKED).format(language=passage.language)
        made = Row(f"{row.instruction.rstrip()} {asked}", row.context, row.response)
    return f"{form}, {passage.language}", made, None


def length(draw: Random, row: Row, others: Sequence[Row]) -> Made:
    """One character where paragraphs belong, or hundreds of pages."""
    form = draw.choice(["one", "one", "pages", "pages", "blob"])
    if form == "one":
        answer = draw.choice("abcdexyABCDTFYN0123456789*#,;/|~=+)(¿é中🙂✓\u2022")
    elif form == "pages":
        pages, size = [row.response], draw.randint(60_000, 200_000)
        while sum(map(len, pages)) < size:
            pages.append(draw.choice(others).response)
        answer = draw.choice(["\n\n", "\n", " "]).join(pages)
    else:
        blob = draw.randbytes(draw.randint(20_000, 60_000))
        answer = draw.choice(["", "Here it is: ", "data:image/png;base64,"]) + draw.choice(
            [base64.b64encode(blob).decode(), blob.hex()]
        )
    return form, Row(row.instruction, row.context, answer), None


def _speaks_of_languages(row: Row) -> bool:
    return bool(re.search(r"translat|language|speak|french|german|spanish|italian|japan|chin|latin", str(row), re.I))


KINDS = (
    Kind("blank", blank, lambda row: words_of(row) >= 20),
    Kind("echo", echo, lambda row: 7 <= len(row.instruction.split()) <= 40),
    Kind("loop", loop, lambda row: 20 <= words_of(row) <= 90 and len(sentences(row.response)) >= 2),
    Kind("cut off", cut, lambda row: words_of(row) >= 60),
    Kind("language", language, lambda row: words_of(row) >= 15 and row.instruction.isascii()
         and row.response.isascii() and not _speaks_of_languages(row)),
    Kind("length", length, lambda row: words_of(row) >= 25),
)  # fmt: skip
