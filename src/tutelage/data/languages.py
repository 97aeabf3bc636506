"""Which language a text is in, by CLD2 and by what cannot be taken for a name: small words and running text.

Statistical detectors call a list of footballers Luxembourgish. So what CLD2 is sure of counts only where the text also
holds small words of that language, or runs on in words that are written small; what has neither has no language here,
and is never flagged. The same text always gets the same answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tutelage.data.exchange import word_set, words

try:
    import pycld2
except ImportError:  # no wheel for this system: small words and scripts alone tell languages, and fewer of them
    pycld2: Any = None  # type: ignore[no-redef]

SAMPLE = 600
"""Characters of a text that are looked at."""
_CODES = (
    "en English;de German;fr French;es Spanish;it Italian;pt Portuguese;nl Dutch;sv Swedish;da Danish;no Norwegian"
    ";nn Norwegian;fi Finnish;is Icelandic;pl Polish;cs Czech;sk Slovak;sl Slovenian;hr Croatian;bs Croatian"
    ";sr Serbian;hu Hungarian;ro Romanian;tr Turkish;az Azerbaijani;id Indonesian;ms Malay;vi Vietnamese;tl Tagalog"
    ";sw Swahili;af Afrikaans;ca Catalan;gl Galician;eu Basque;lt Lithuanian;lv Latvian;et Estonian;sq Albanian"
    ";cy Welsh;ga Irish;mt Maltese;eo Esperanto;la Latin;ru Russian;uk Ukrainian;bg Bulgarian;mk Macedonian"
    ";be Belarusian;kk Kazakh;mn Mongolian;el Greek;hy Armenian;ka Georgian;ar Arabic;fa Persian;ur Urdu;ps Pashto"
    ";iw Hebrew;hi Hindi;mr Marathi;ne Nepali;bn Bengali;pa Punjabi;gu Gujarati;ta Tamil;te Telugu;kn Kannada"
    ";ml Malayalam;si Sinhala;th Thai;lo Lao;km Khmer;my Burmese;ko Korean;ja Japanese;zh Chinese;zh-Hant Chinese"
    ";am Amharic;ha Hausa;yo Yoruba;ig Igbo;so Somali;zu Zulu;xh Xhosa;ht Haitian;uz Uzbek;jw Javanese"
)
NAMES: Mapping[str, str] = {code: name for code, _, name in (pair.partition(" ") for pair in _CODES.split(";"))}
"""The languages that are told, by CLD2's codes; what it calls by any other is more often a list of names."""
_SMALL: Mapping[str, str] = {
    "English": "the of and to in is that it for you was with on as are be this have from or had by but what all were"
    " we when"
    " your can there an which their if will how about them then these so her would has him more its who did my they his"
    " could should do does not please i me any our been into than only also where why give write explain list name"
    " does did where who tell show need want am was",
    "German": "der die das und ist nicht ein eine zu den mit von auf für im dem es sich auch als wie wird sind aus bei"
    " oder"
    " ich du sie wir ihr kann wenn aber nach noch nur über vor zum zur einen einem einer eines haben hat war werden"
    " bitte"
    " ihre ihren sein ihm mir mich dich uns was wer wo warum welche welcher dass durch um am bis gibt kannst können"
    " sollte",
    "French": "le la les des et est une un du que qui dans pour pas au ce il ne sur se plus par avec vous je nous sont"
    " cette"
    " mais ou elle ils son sa ses leur aux comme être fait quel quelle quels puis puis-je dois pourquoi comment votre"
    " vos notre ces"
    " qu'il c'est"
    " d'un d'une n'est j'ai qu'elle l'on très peut donc si même aussi était ont a été entre tout tous sans en",
    "Spanish": "el la los las de que y en un una es por con para no se su del al lo como más pero sus le ha este esta"
    " son"
    " entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante ser está qué cómo cuál puede"
    " mi"
    " d\u00f3nde cu\u00e1ndo qui\u00e9n cu\u00e1l tengo quiero puedo necesito tu usted ustedes porque si ya o fue eran"
    " era esto ese esa tiene",
    "Italian": "il lo la gli di che è e un una per non con del della dei delle nel nella sono come più ma anche si da"
    " al alla"
    " questo questa ha se suo sua o ci mi ti vi cosa quando dove perché chi essere può molto tra fra degli dal dalla i"
    " le"
    " quale quali hanno era stato tuo tua",
    "Portuguese": "o a os as de que e do da em um uma para com não por mais dos das no na se como mas foi ao ele ela"
    " seu sua ou"
    " ser quando muito há nos já está eu também só pelo pela até isso entre era depois sem mesmo aos seus quem nas me"
    " esse"
    " eles você essa num nem suas meu às qual são pode",
    "Dutch": "de het een van en in is dat op te zijn met voor niet aan er om ook als dan maar die bij hij ze wij je ik"
    " naar"
    " heeft hebben worden wordt door over uit kan nog wel geen meer deze dit wat wie waar waarom hoe onze uw jouw tot"
    " of"
    " moet kunnen was werd zo",
    "Swedish": "i och att det som en på är av för med den till inte har de ett om var jag men så vi kan från när du vad"
    " ska eller"
    " sig hur detta vara han hon där efter under också mycket dig mig din sin alla finns",
    "Danish": "i og at det en den er som på de med til af for ikke der jeg et han har var men om fra vi kan så når du"
    " hvad skal"
    " eller sig hvordan dette være hun efter også meget dig mig din sin alle blev være hvor",
    "Polish": "nie jest w na i z że się to do jak co po ale za od czy dla są tym tego który która które może tylko"
    " jego jej ich"
    " być przez oraz już tak było był była gdy można bardzo przed pod jako",
    "Czech": "je se na že to v s z do jsem jako by pro ale tak po jsou který která které jeho může jak také být byl"
    " byla bylo"
    " nebo od už pak při jen když jeho není kde proč co",
    "Turkish": "ve bir bu için ile de da ne olarak daha çok gibi var olan kadar sonra ama ben sen biz siz o en ki mi"
    " değil her"
    " nasıl neden olduğu veya hem yok şey ise",
    "Indonesian": "yang dan di untuk dengan ini itu dari dalam tidak pada adalah ke akan oleh juga atau karena saya"
    " anda kita"
    " mereka bisa dapat ada sebagai sudah telah lebih seperti apa bagaimana jika",
    "Vietnamese": "và của là các có được cho một không trong này với những để người đã khi từ đến như về ở cũng nhiều"
    " tôi bạn"
    " nó làm thì sẽ hay vì",
    "Romanian": "și de la în un o nu este pe cu care din pentru mai sunt ce că se sau fi ai au lui ca dar fost prin"
    " această"
    " acest după poate când cum până",
    "Finnish": "ja on ei se että oli hän mutta ovat kun niin tai jos voi mitä kuin myös olla sen minä sinä joka jotka"
    " tämä"
    " ole mukaan sekä",
    "Hungarian": "a az és hogy nem is egy ez van de meg csak el volt mint már ha vagy ki azt lehet kell amely minden"
    " még között"
    " után",
}
_KIN = tuple(
    word_set(names, ";")
    for names in (
        "Danish;Swedish;Norwegian",
        "Spanish;Portuguese;Italian;Galician;Catalan",
        "Croatian;Serbian;Slovenian;Macedonian",
        "Czech;Slovak",
        "Indonesian;Malay;Javanese",
        "Dutch;Afrikaans",
        "Cyrillic script;Russian;Ukrainian;Bulgarian;Macedonian;Belarusian;Serbian;Kazakh;Mongolian",
        "Arabic script;Arabic;Persian;Urdu;Pashto",
        "an Indian script;Hindi;Marathi;Nepali;Bengali;Punjabi;Gujarati;Tamil;Telugu;Kannada",
        "Turkish;Azerbaijani",
    )
)
"""Languages that a short text does not tell apart."""
_SCRIPTS: Mapping[str, str] = {
    "Cyrillic script": "\u0400-\u052f",
    "Greek": "\u0370-\u03ff\u1f00-\u1fff",
    "Arabic script": "\u0600-\u06ff\u0750-\u077f",
    "Hebrew": "\u0590-\u05ff",
    "an Indian script": "\u0900-\u0dff",
    "Thai": "\u0e00-\u0e7f",
    "Korean": "\uac00-\ud7af\u1100-\u11ff",
    "Japanese": "\u3040-\u30ff",
    "Chinese": "\u4e00-\u9fff\u3400-\u4dbf",
}
_IN_SCRIPT = {name: re.compile(f"[{span}]") for name, span in _SCRIPTS.items()}
_FOREIGN = re.compile("[\u0370-\U0003ffff]")
FOREIGN = 6
"""Letters of another script than the Latin one that a text in it has at least; more than half of its letters are."""
LETTERS = 10
"""A text of fewer letters is a label."""
RUNNING = 3
"""Words written small, and as many as half of all, that make a text a running one."""
UNLISTED = 5
"""So many of them are asked for in a language whose small words are not listed here."""
SURE = 5
"""So many small English words leave no doubt of an English text."""
SHARE = 0.3
"""Share of the small words of a language in a text of which CLD2 is not sure, or is wrong."""
_REFUSED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def _by_word() -> dict[str, frozenset[str]]:
    languages: dict[str, set[str]] = {}
    for name, small in _SMALL.items():
        for word in set(small.split()):
            if len(word) > 1 or name != "Hungarian":
                languages.setdefault(word, set()).update({name, "Norwegian"} if name == "Danish" else {name})
    return {word: frozenset(names) for word, names in languages.items()}


_LANGUAGES_OF = _by_word()
_LISTED = frozenset(_SMALL) | {"Norwegian"}
_OF = {name: frozenset(word for word, names in _LANGUAGES_OF.items() if name in names) for name in _LISTED}
SMALL_WORDS = frozenset(_LANGUAGES_OF)
"""The small words of every language here: what a text is about stands in the others."""


def alike(one: str, other: str) -> bool:
    """Whether two languages are the same, or so near that a short text does not tell which of them it is in."""
    return one == other or any(one in kin and other in kin for kin in _KIN)


def small_words(text: str, name: str) -> frozenset[str]:
    """The different words of a text's beginning that are small words of a language."""
    return _OF[name].intersection(words(text[:SAMPLE])) if name in _OF else frozenset()


@lru_cache(256)
def language(text: str) -> str:
    """The language (or script) that the beginning of a text is in; "" where that is not clear."""
    start = text[:SAMPLE]
    name = told(text)
    if name and _is_clear(start, name):
        return name
    return _by_small_words(start) or ("" if start.isascii() else _by_script(start))


@lru_cache(256)
def told(text: str) -> str:
    """The language that CLD2 is sure of for the beginning of a text, names and lists of them too; or \"\"."""
    if pycld2 is None:
        return ""
    sample = _REFUSED.sub(" ", text[:SAMPLE]).encode(errors="replace")
    try:
        sure, _, found = pycld2.detect(sample, isPlainText=True)
    except pycld2.error:  # a character that no text should hold
        return ""
    return NAMES.get(found[0][1], "") if sure else ""


def _is_clear(text: str, name: str) -> bool:
    if not text.isascii() and name not in _LISTED:
        count = len(_FOREIGN.findall(text))
        if count >= FOREIGN and 2 * count > sum(map(str.isalpha, text)):
            return True
    own = small_words(text, name)
    if name == "English" and len(own) >= SURE:
        return True
    pieces = text.split()
    small = {piece for piece in pieces if piece[0].islower()}
    written_small = len(small)
    if 2 * len(own & small) < len(own) - 1:  # "Les Bleus" is a name
        return False
    english = 0 if name == "English" else len(small_words(text, "English") - own)
    runs = 2 * written_small >= len(pieces)
    if name not in _LISTED:
        return runs and written_small >= max(UNLISTED, 2 * english)
    signs = len(own) + (runs and written_small >= RUNNING) + (name != "English" and not text.isascii())
    return signs >= 2 and (len(own) > english or not english) and sum(map(str.isalpha, text)) >= LETTERS


def _by_small_words(text: str) -> str:
    said = words(text)
    counts = Counter(name for word in set(said) for name in _LANGUAGES_OF.get(word, ()))
    if not counts:
        return ""
    (best, count), *others = counts.most_common(5)
    rival = max((other for name, other in others if not alike(best, name)), default=0)
    written_small = small_words(text, best).intersection(text.split())
    sure = (
        count >= 2
        and len(text) >= 2 * LETTERS
        and count > rival
        and count >= SHARE * len(said)
        and 2 * len(written_small) >= count
    )
    return best if sure else ""


def _by_script(text: str) -> str:
    letters = sum(map(str.isalpha, text))
    for name, pattern in _IN_SCRIPT.items():
        count = len(pattern.findall(text))
        # Japanese mixes in Chinese characters: its own letters need not be most of them
        if count >= FOREIGN and count > (0.15 if name == "Japanese" else 0.5) * letters:
            return name
    return ""


def languages(text: str) -> set[str]:
    """The languages of a text's paragraphs and of its whole: a question may quote another language."""
    found = {language(part) for part in (text, *text[: 10 * SAMPLE].split("\n")[:100])}
    return found - {""}
