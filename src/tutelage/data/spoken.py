"""Answers in another language than the one they were asked in or asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tutelage.data.exchange import exchanges, flag, quote, without_code, words
from tutelage.data.languages import NAMES, alike, language, languages, small_words, told
from tutelage.data.usual import Usual
from tutelage.records import Example, Finding, Role

ENOUGH = 20
"""So many examples have a main language."""
MAIN = 0.9
"""Where so many answers of a data set are in one language, a question that is too short to tell is in it too."""
LOOKED_AT = 400
"""Characters of a question's beginning in which it may ask for a language."""
TAIL = 120
"""Characters of its end, behind the text it is about, in which it may."""
_SENTENCE_END = re.compile(r"[.!?\n]\s+")
_OTHER_NAMES = (
    "English=englisch* anglais inglés ingles inglese inglês engels engelsk* angielsk* anglick* английск* англійськ*"
    " 英语 英文 英語 영어* ingilizce* englanniksi inggris;"
    "German=deutsch* allemand alemán aleman tedesco alemão duits tysk* niemieck* německ* немецк* 德语 德文 ドイツ語"
    " 독일어* almanca saksaksi jerman;"
    "French=französisch* français francais francés frances francese francês frans fransk* francusk*"
    " французск* 法语 法文 フランス語 프랑스어* fransızca ranskaksi prancis;"
    "Spanish=spanisch* espagnol español espanol castellano spagnolo espanhol spaans spansk* hiszpańsk* испанск*"
    " 西班牙语"
    " スペイン語 스페인어* ispanyolca espanjaksi spanyol;"
    "Italian=italienisch* italien italiano italiaans italiensk* włosk* итальянск* 意大利语 イタリア語;"
    "Portuguese=portugiesisch* portugais portugués portugues português portoghese portugees portugisisk* португальск*"
    " 葡萄牙语;"
    "Dutch=niederländisch* holländisch* néerlandais neerlandés holandés olandese holandês nederlands;"
    "Russian=russisch* russe ruso russo rosyjsk* русск* 俄语 ロシア語;"
    "Chinese=mandarin cantonese chinesisch* chinois chino cinese chinês chinees китайск* 中文 汉语 中国語;"
    "Japanese=japanisch* japonais japonés giapponese 日语 日本語 японск*;"
    "Korean=koreanisch* coréen coreano 韩语 한국어*;Arabic=arabisch* arabe árabe 阿拉伯语 العربية;"
    "Turkish=türkisch* turc turco türkçe*;Polish=polnisch* polonais polaco polsk* polnisch*;Persian=farsi;"
    "Swedish=schwedisch* suédois sueco svensk*;Ukrainian=українськ*;Hebrew=hebräisch*;Tagalog=filipino"
)
"""What languages are called in others; * stands for any ending."""


def _called() -> tuple[dict[str, str], dict[str, str]]:
    """Names of languages and the beginnings of such names, each with the language."""
    whole = {name.casefold(): name for name in NAMES.values()}
    stems: dict[str, str] = {}
    for each in _OTHER_NAMES.split(";"):
        name, _, others = each.partition("=")
        whole |= {form: name for form in others.split() if form[-1] != "*"}
        stems |= {form[:-1]: name for form in others.split() if form[-1] == "*"}
    return whole, stems


_WHOLE, _STEMS = _called()
_STEM_STARTS = {stem[:4] for stem in _STEMS}
_STEM_SIZES = sorted({len(stem) for stem in _STEMS})
_TELL = (
    r"answer|reply|respond|write|compose|draft|rewrite|continue|speak|communicate"
    r"|(?:be)?antworte\w*|schreibe?|répon(?:ds|dez)|écri(?:s|vez)|rédige[zr]?|responde[rd]?|contest[ae]|escrib[ae]"
    r"|escreva|rispond[ia]|scriv[ia]|beantwoord|antwoord|schrijf|svara|skriv|odpowiedz|napisz|ответь\w*|напиши\w*"
)
_TELL_MORE = (
    r"explain|describe|give|tell|summari[sz]e|list|name|provide|say|put|show|discuss|create|generate|make"
    r"|erkläre?|nenne|explique[sz]?|explica|resum[ae]|donne[sz]?|spiega|beschreibe?"
)
_TRANSLATE = r"translat\w+|übersetz\w*|tradu\w+|trad[iu]\w*|vertaal|översätt|przetłumacz|перевед\w*|render|convert"
_INTO = r"(?:in|into|using|auf|ins|en|em|på|po|op|на)\s+(?:het\s+|plain\s+|simple\s+|proper\s+|modern\s+|brazilian\s+)?"
_BEGINS = r"(?:^|[.!?:;,\n]\s*|\b(?:please|kindly|you|and|then|must|should|bitte|always|only)\s+)"
_ENDS_THERE = r"(?=\W*$|[.,:;!?)\n]|\s+(?:and|please|only|language|using|with|about|for|bitte)\b)"
_COMMAND = re.compile(
    rf"{_BEGINS}(?:{_TELL})\b[^.!?\n]{{0,120}}?\b{_INTO}(\w+){_ENDS_THERE}"
    rf"|{_BEGINS}(?:{_TELL_MORE})\b[^.!?\n]{{0,120}}?\b{_INTO}(\w+)(?=\W*$|[.:!?]\s)"
    rf"|\b(?:{_TRANSLATE})\b[^.!?\n]{{0,120}}?\b(?:to|al|au|naar|{_INTO})\s*(\w+)"
    rf"|\A\W*{_INTO}(\w+)[,:]"
    rf"|\b(?:answer|reply|response|output|antwort|réponse|respuesta)\b[^.!?\n]{{0,40}}?\b{_INTO}(\w+){_ENDS_THERE}"
    r"|\b(?:in|en|auf)\s+(\w+),?\s+(?:please|only|bitte)\b|\((?:in|en|auf)\s+(\w+)\)|\b(?:use|only)\s+(\w+)\W*$"
    r"|(?:用|译成|翻译成|翻译为)([^\W\d_a-z]{1,4}?[语文語])(?:回答|写|说|答|。|$)",
    re.MULTILINE,
)
_ABOUT_WORDS = re.compile(
    r"\b(?:mean|means|meaning|words?|phrases?|grammar|verbs?|nouns?|tenses?|pronounc\w+|alphabet|idioms?|called|say"
    r"|letters?|literature|novels?|songs?|movies?|films?|books?|poets?|authors?|magazines?|newspapers?|names?)\b"
)
_MEANT = re.compile(
    r"\btranslat\w+|\bbilingual|\bmultilingual|\bforeign\b|\blyrics\b|\banthem\b"
    r"|(?<!programming )(?<!body )(?<!query )(?<!markup )(?<!scripting )\blanguages?\b(?! model)"
    r"|\bübersetz\w*|\bsprachen?\b|\btradu[cizts]\w+|\blangues?\b|\bidiomas?\b|\bl[ií]nguas?\b|\bvertaal\w*"
    r"|翻译|译成|翻訳|\bперевед\w*|\bязык\w*"
)
QUOTING = 400
"""A shorter answer that begins with a quotation mark may be the quotation that was asked for."""
_QUOTES = re.compile("[\"\u201c\u201d«\u201e「]|(?<!\\w)['\u2018]\\w")


def _told(examples: Sequence[Example]) -> Counter[str]:
    return Counter(told(without_code(example.conversation.answer)) for example in examples)


def _main(seen: Sequence[Counter[str]]) -> str:
    """The language that nearly all answers are in; "" where there is none, or where there are few answers."""
    counts = sum(seen, Counter[str]())
    enough = counts.total() >= ENOUGH
    del counts[""]
    name, count = counts.most_common(1)[0] if counts else ("", 0)
    return name if enough and count >= MAIN * counts.total() else ""


def in_other_language(example: Example, main: str) -> Finding | None:
    """What `other_language` finds in one example of a data set in that language, or in none ("")."""
    for exchange in exchanges(example):
        answer = without_code(exchange.answer)
        guess = told(answer)
        wanted = asked_for(exchange.question)
        if not wanted and guess and guess == told(exchange.question):
            continue
        answered = language(answer)
        if not answered:
            continue
        if wanted:
            if not _is_in(exchange.answer, answered, {wanted}):
                reason = f"asked for in {wanted}, answered{exchange.place} in {answered}: {quote(exchange.answer)}"
                return flag(example, "language", reason)
            continue
        if answered == language(exchange.question):
            continue
        asked = [turn.text for turn in example.conversation.turns if turn.role in (Role.USER, Role.SYSTEM)]
        spoken = {name for text in asked for name in languages(text)} or _by_default(asked, main, answered)
        if spoken and not _is_meant(asked, answered) and not _is_in(exchange.answer, answered, spoken):
            reason = f"asked in {', '.join(sorted(spoken))}, answered{exchange.place} in {answered}"
            return flag(example, "language", f"{reason}: {quote(exchange.answer)}")
    return None


other_language = Usual(_told, _main, in_other_language, few=True)
"""Answers in another language than their question's, or than the one it asked for."""


def called(word: str) -> str:
    """The language that a word in small letters is a name of; "" where it is none."""
    if name := _WHOLE.get(word, ""):
        return name
    return next((_STEMS[word[:size]] for size in _STEM_SIZES if word[:size] in _STEMS), "")


def asked_for(question: str) -> str:
    """The language in which a question says that it wants its answer; "" where it says none."""
    text = _ends(question)
    if text.isascii():
        said = set(words(text))
        if said.isdisjoint(_WHOLE) and _STEM_STARTS.isdisjoint([word[:4] for word in said]):
            return ""
    for hit in _COMMAND.finditer(text):
        name = called(next(filter(None, hit.groups())))
        if name and not (hit[2] and _ABOUT_WORDS.search(hit[0])):
            return name
    return ""


def _ends(question: str) -> str:
    """Where a question may say what it wants, in small letters: its first paragraph and its last sentence."""
    first, _, rest = question.strip().partition("\n\n")
    last = rest if len(rest) <= TAIL else _SENTENCE_END.split(rest[-TAIL:], maxsplit=1)[-1]
    return f"{first[:LOOKED_AT]}\n{last}".casefold()


def _is_in(answer: str, answered: str, wanted: set[str]) -> bool:
    """Whether an answer is, or may be, in one of these: names and quotations may stand in a text of the right one."""
    if any(alike(answered, name) for name in wanted):
        return True
    return bool(wanted & languages(answer)) or bool(_QUOTES.match(answer) and len(answer) < QUOTING)


def _is_meant(asked: list[str], answered: str) -> bool:
    """Whether the conversation speaks of the answer's language, or of languages at all."""
    for text in map(_ends, asked):
        if _MEANT.search(text) or any(alike(name, answered) for word in words(text) if (name := called(word))):
            return True
    question = asked[-1]
    return len(small_words(question, answered)) > max(1, len(small_words(question, language(question))))


def _by_default(asked: list[str], main: str, answered: str) -> set[str]:
    """The data set's main language for a question that is too short to tell, if nothing in it is of the answer's."""
    if told(asked[-1]) not in ("", main):
        return set()
    text = " ".join(asked)
    own = small_words(text, answered) - small_words(text, main)
    return {main} if main and not own and text.isascii() else set()
