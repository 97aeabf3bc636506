"""Checks of an answer's form: how long it is, its lists, lines, paragraphs, parts, marks and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from tutelage.evaluation.following import counting
from tutelage.evaluation.following.counting import lines, numbered, paragraphs, plain, sentences, shown, words
from tutelage.evaluation.following.limits import Limit, ParameterError, Phrase, Phrases, off

JsonKind = Literal["string", "number", "boolean", "list", "object", "null"]
_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_FENCED = re.compile(r"```[\w+#.-]{0,30}[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)
_FENCE = re.compile(r"^[ \t]{0,3}```([\w+#.-]{0,30})[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+\S")
_STRONG = re.compile(r"(?<![*\w])(\*{1,3})(?![\s*])([^*\n]{1,2000})(?<!\s)\1(?![*\w])")
_SLOT = re.compile(r"\[[ \t]{0,9}[^\W\d_][^\[\]\n]{0,200}\](?!\()")
_QUOTES: Mapping[str, str] = {'"': '"', "\u201c": "\u201d", "\u201e": "\u201c", "\u00ab": "\u00bb", "\u300c": "\u300d"}
_DELIMITER = re.compile(
    r"[ \t]{0,9}\|?(?:[ \t]{0,9}:?-{1,80}:?[ \t]{0,9}\|){0,50}[ \t]{0,9}:?-{1,80}:?[ \t]{0,9}\|?[ \t]*"
)


def count_words(answer: str, exactly: Limit = None, at_least: Limit = None, at_most: Limit = None) -> str:
    """The answer has so many words."""
    return off(len(words(answer)), "words", exactly, at_least, at_most)


def count_sentences(
    answer: str,
    exactly: Limit = None,
    at_least: Limit = None,
    at_most: Limit = None,
    words_at_most: Annotated[int, Field(ge=1)] | None = None,
) -> str:
    """The answer has so many sentences; with `words_at_most` none of them is longer than so many words."""
    found = sentences(answer)
    if words_at_most is not None:
        long = next((one for one in found if len(words(one)) > words_at_most), "")
        if long or not found:
            told = f"{len(words(long))} words in the sentence {shown(long)}, more than {words_at_most}"
            return told if long else "no sentence"
        if exactly is at_least is at_most is None:
            return ""
    return off(len(found), "sentences", exactly, at_least, at_most)


def count_paragraphs(answer: str, exactly: Limit = None, at_least: Limit = None, at_most: Limit = None) -> str:
    """The answer has so many paragraphs, parted by blank lines."""
    return off(len(paragraphs(answer)), "paragraphs", exactly, at_least, at_most)


def count_lines(answer: str, exactly: Limit = None, at_least: Limit = None, at_most: Limit = None) -> str:
    """The answer has so many lines that are not blank."""
    return off(len(lines(answer)), "lines", exactly, at_least, at_most)


def count_characters(answer: str, exactly: Limit = None, at_least: Limit = None, at_most: Limit = None) -> str:
    """The answer has so many characters, blanks within it counted."""
    return off(len(answer.strip()), "characters", exactly, at_least, at_most)


def bullets(
    answer: str,
    exactly: Limit = None,
    at_least: Limit = None,
    at_most: Limit = None,
    alone: bool = False,
    words_at_most: Annotated[int, Field(ge=1)] | None = None,
) -> str:
    """The answer has so many bulleted items (`-`, `*`, `•` and their like).

    With `alone` nothing else stands in it; with `words_at_most` no item is longer than so many words.
    """
    found = counting.bullets(answer)
    if failure := off(len(found), "bullet points", exactly, at_least, at_most):
        return failure
    if alone and len(found) < len(lines(answer)):
        return "text beside the bullet points"
    return _long_item(found, words_at_most)


def numbered_list(
    answer: str,
    exactly: Limit = None,
    at_least: Limit = None,
    at_most: Limit = None,
    alone: bool = False,
    words_at_most: Annotated[int, Field(ge=1)] | None = None,
) -> str:
    """The answer has so many numbered items, counted 1, 2, 3 … without a gap; the rest as for bullets."""
    found = numbered(answer)
    if failure := off(len(found), "numbered items", exactly, at_least, at_most):
        return failure
    numbers = [number for number, _ in found]
    if numbers != list(range(1, len(found) + 1)):
        return f"numbered {', '.join(map(str, numbers[:12]))}, not 1, 2, 3 and so on"
    if alone and len(found) < len(lines(answer)):
        return "text beside the numbered items"
    return _long_item([text for _, text in found], words_at_most)


def _long_item(items: list[str], most: int | None) -> str:
    long = next((item for item in items if most is not None and len(words(item)) > most), "")
    return f"{len(words(long))} words in the item {shown(long)}, more than {most}" if long else ""


def valid_json(
    answer: str,
    keys: Phrases | None = None,
    only: bool = False,
    types: dict[str, JsonKind] | None = None,
    items: Limit = None,
    bare: bool = False,
) -> str:
    """The answer is one JSON value and nothing else; by default an object.

    A Markdown fence around all of it is allowed, unless it has to be `bare`. Strict JSON: no NaN, no key twice.

    Args:
        keys: the object has them; with `only` no others.
        types: kind of the value of each of these keys, which it has too.
        items: the answer is a list of so many objects, and keys and types are meant for each.
    """
    if only and keys is None:
        raise ParameterError("only needs keys")
    try:
        value = _parsed(answer.strip(), bare)
    except (ValueError, RecursionError) as error:
        return f"not valid JSON: {_why(error)}"
    if items is None:
        return _object(value, keys or [], only, types or {})
    if not isinstance(value, list):
        return "JSON, but no list"
    if len(value) != items:
        return f"a list of {len(value):,}, not of {items:,}"
    return next((told for one in value if (told := _object(one, keys or [], only, types or {}))), "")


def _parsed(text: str, bare: bool) -> Any:
    if not bare and (hit := _FENCED.fullmatch(text)):
        text = hit[1].strip()
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key stands twice")
    return fields


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.lower().removesuffix(' at')} at character {error.pos + 1}"
    return str(error) if "digits" not in str(error) else "a number with too many digits"


def _object(value: Any, keys: list[str], only: bool, types: Mapping[str, JsonKind]) -> str:
    if not isinstance(value, dict):
        return "JSON, but no object"
    if missing := [key for key in (*keys, *types) if key not in value]:
        return f"the key {shown(missing[0])} is missing"
    if only and (more := [key for key in value if key not in keys]):
        return f"the key {shown(more[0])} was not asked for"
    for key, kind in types.items():
        found = value[key]
        if not isinstance(found, _KINDS[kind]) or (isinstance(found, bool) and kind == "number"):
            return f"the value of {shown(key)} is no {kind}"
    return ""


def starts_with(answer: str, text: Phrase, case: bool = False) -> str:
    """The answer begins with a text, whole words of it; marks of Markdown before it are overlooked."""
    start, begin = plain(answer, case).lstrip(), plain(text.strip(), case)
    if _begins(start, begin) or _begins(start.lstrip("*_#>\"' "), begin):
        return ""
    return f"begins with {shown(start)}" if start else "empty"


def _begins(text: str, begin: str) -> bool:
    inside = counting.is_part_of_word(begin[-1]) and counting.is_part_of_word(text[len(begin) : len(begin) + 1])
    return text.startswith(begin) and not inside


def ends_with(answer: str, text: Phrase, case: bool = False) -> str:
    """The answer ends with a text, whole words of it; marks of Markdown and quotation marks after it are overlooked.

    Where the text has no closing mark of its own, one that follows it is overlooked too.
    """
    end, finish = plain(answer, case).rstrip(), plain(text.strip(), case)
    forms = (end, end.rstrip("*_\"' "), end.rstrip("*_\"' ").rstrip(".!?\u2026\u3002\uff01\uff1f").rstrip("*_\"' "))
    for form in forms:
        before = form[: -len(finish)]
        inside = counting.is_part_of_word(finish[0]) and counting.is_part_of_word(before[-1:])
        if form.endswith(finish) and not inside:
            return ""
    return f"ends with {shown(end[-40:])}" if end else "empty"


def heading(answer: str, exactly: Limit = None, at_least: Limit = None, at_most: Limit = None) -> str:
    """The answer has so many Markdown headings (`# …`); what stands in a code block is none."""
    count, code = 0, False
    for line in answer.splitlines():
        code ^= line.lstrip().startswith("```")
        count += bool(_HEADING.match(line)) and not code
    return off(count, "headings", exactly, at_least, at_most)


def separated(
    answer: str,
    separator: Phrase,
    exactly: Limit = None,
    at_least: Limit = None,
    at_most: Limit = None,
    different: bool = True,
) -> str:
    """The answer has so many parts, with a separator on a line of its own between them.

    Each part holds a letter or digit; with `different` no two are the same.
    """
    parts = [""]
    for line in answer.splitlines():
        if line.strip() == separator.strip():
            parts.append("")
        else:
            parts[-1] += line + "\n"
    filled = [" ".join(plain(part).split()) for part in parts if any(map(str.isalnum, part))]
    if len(filled) < len(parts):
        return "a part is empty" if len(parts) > 1 else "empty"
    if failure := off(len(parts), "parts", exactly, at_least, at_most):
        return failure
    return "two parts are the same" if different and len(set(filled)) < len(filled) else ""


def quoted(answer: str) -> str:
    """The whole answer stands in one pair of quotation marks."""
    text = answer.strip()
    close = _QUOTES.get(text[:1], "")
    if not close or len(text) < 3 or not text.endswith(close):
        return "not wrapped in quotation marks"
    inside = text[1:-1]
    if not any(map(str.isalnum, inside)):
        return "nothing between the quotation marks"
    # "One" and "two": the first mark is closed before the end
    return "several quotations, not one" if close in inside and (close != '"' or _split_up(inside)) else ""


def _split_up(inside: str) -> bool:
    """Whether straight marks inside close the outer pair: the first of them stands where a quotation ends."""
    before = inside[: inside.index('"')]
    return not before or not before[-1].isspace()


def postscript(answer: str, marker: Phrase = "P.S.") -> str:
    """The answer ends with a postscript: after other text a last paragraph that begins with the marker and goes on."""
    blocks = paragraphs(answer)
    last = lines(blocks[-1])[-1] if blocks else ""
    start = blocks[-1] if blocks and _marked(blocks[-1], marker) else last
    if not _marked(start, marker):
        return f"no postscript that begins with {shown(marker)} at the end"
    if not words(start.lstrip("*_ ")[len(marker.strip()) :]):
        return "an empty postscript"
    return "" if answer.strip() != start else "nothing before the postscript"


def _marked(block: str, marker: str) -> bool:
    return plain(block).lstrip("*_ ").startswith(plain(marker.strip()))


def highlighted(answer: str, exactly: Limit = None, at_least: Limit = None, at_most: Limit = None) -> str:
    """The answer has so many parts between stars, as `*this*` or `**this**`."""
    return off(len(_STRONG.findall(answer)), "highlighted parts", exactly, at_least, at_most)


def placeholders(answer: str, exactly: Limit = None, at_least: Limit = None, at_most: Limit = None) -> str:
    """The answer has so many places to fill in, as `[name]`; a Markdown link and a footnote `[1]` are none."""
    return off(len(_SLOT.findall(answer)), "placeholders", exactly, at_least, at_most)


def table(answer: str, columns: Limit = None, rows: Limit = None) -> str:
    """The answer holds a Markdown table of so many columns, and rows below its head."""
    if columns is None and rows is None:
        raise ParameterError("give columns or rows")
    found = answer.splitlines()
    at = next((n for n in range(1, len(found)) if "|" in found[n - 1] and _DELIMITER.fullmatch(found[n])), 0)
    if not at:
        return "no table"
    wide = len(_cells(found[at - 1]))
    if wide != len(_cells(found[at])):
        return "the table's head and the line below it do not have the same columns"
    below = 0
    while at + 1 + below < len(found) and "|" in found[at + 1 + below]:
        below += 1
    if columns is not None and wide != columns:
        return f"a table of {wide} columns, not {columns}"
    return f"a table of {below} rows, not {rows}" if rows is not None and below != rows else ""


def _cells(line: str) -> list[str]:
    return line.strip().removeprefix("|").removesuffix("|").split("|")


def code_block(answer: str, language: Phrase | None = None, alone: bool = False) -> str:
    """The answer holds exactly one fenced code block, which is not empty; `alone`: and nothing else."""
    fences = list(_FENCE.finditer(answer))
    if len(fences) != 2 or fences[1][1]:
        return f"{len(fences)} code fences, not an opening and a closing one" if fences else "no code block"
    first, second = fences
    if not answer[first.end() : second.start()].strip():
        return "an empty code block"
    if language is not None and first[1].casefold() != language.casefold():
        return f"a code block marked {shown(first[1])}, not {shown(language)}"
    outside = answer[: first.start()] + answer[second.end() :]
    return "text beside the code block" if alone and outside.strip() else ""
