"""Which language a text is in, by what cannot be taken for a name: its script and its small words.

Statistical detectors call a list of footballers Luxembourgish; a list of names has no small words, so here it has no
language. What has none is never flagged. The same text always gets the same answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from tutelage.data.exchange import exchanges, flag, quote, without_code, words
from tutelage.records import Dataset, Example, Finding, Role

EVIDENCE = ((4, 0.2), (3, 0.4))
"""A text is in a language that has so many different small words in it, written small, at such a share of its words."""
MAIN = 0.9
"""Where so many answers of a data set are in one language, a question that is too short to tell is in it too."""
CLEARLY = 1.5
"""So many times those of the next language."""
LETTERS = 12
"""Letters of a script, and more than half of all letters, that make it the text's."""
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
    "Swedish": "och att det som en på är av för med den till inte har de ett om var jag men så vi kan från när du vad"
    " ska eller"
    " sig hur detta vara han hon där efter under också mycket dig mig din sin alla finns",
    "Danish": "og at det en den er som på de med til af for ikke der jeg et han har var men om fra vi kan så når du"
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
_KIN = ({"Danish", "Swedish"}, {"Spanish", "Portuguese", "Italian"})
"""Languages that share many small words: one is not told from the other by these."""
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
_MEANT = re.compile(
    r"\b(?:translat\w*|translation|language|english|german|french|spanish|italian|portuguese|dutch|swedish|norwegian"
    r"|danish"
    r"|polish|czech|turkish|indonesian|vietnamese|romanian|finnish|hungarian|russian|ukrainian|bulgarian|greek|arabic"
    r"|persian|farsi|urdu|hebrew|hindi|bengali|tamil|telugu|thai|korean|japanese|chinese|mandarin|latin|bilingual"
    r"|multilingual"
    r"|foreign|lyrics|quote|\u00fcbersetz\w*|sprache|deutsch|englisch\w*|franz\u00f6sisch\w*|spanisch\w*|italienisch\w*"
    r"|tradu\w+|trad[iu]\w*|langue|anglais|fran\u00e7ais|allemand|espagnol|idioma|ingl[e\u00e9]s|espa\u00f1ol"
    r"|franc\u00e9s|alem\u00e1n"
    r"|lingua|inglese|italiano|francese|tedesco|portugu\u00eas|l\u00edngua|vertaal\w*|nederlands|engels)\b"
    r"|\u7ffb\u8bd1|\u8bd1\u6210|\u82f1\u6587|\u82f1\u8bed|\u4e2d\u6587|\u7ffb\u8a33|\u82f1\u8a9e"
    r"|\u043f\u0435\u0440\u0435\u0432\u0435\u0434|\u0430\u043d\u0433\u043b\u0438\u0439|\u0440\u0443\u0441\u0441\u043a",
    re.IGNORECASE,
)


def _by_word() -> dict[str, tuple[str, ...]]:
    languages: dict[str, list[str]] = {}
    for name, small in _SMALL.items():
        for word in set(small.split()):
            if len(word) > 1 or name != "Hungarian":
                languages.setdefault(word, []).append(name)
    return {word: tuple(names) for word, names in languages.items()}


_LANGUAGES_OF = _by_word()


@lru_cache(64)
def language(text: str) -> str:
    """The language (or script) that most of a text is in; "" where that is not clear."""
    if not text.isascii():
        letters = sum(map(str.isalpha, text))
        for name, pattern in _IN_SCRIPT.items():
            count = len(pattern.findall(text))
            # Japanese mixes in Chinese characters: its own letters need not be most of them
            if count >= LETTERS / 2 and count > (0.15 if name == "Japanese" else 0.5) * letters:
                return name
    said = words(text)
    counts = Counter(name for word in said for name in _LANGUAGES_OF.get(word, ()))
    if not counts:
        return ""
    (best, count), *others = counts.most_common(4)
    rivals = [other for name, other in others if not any({best, name} <= kin for kin in _KIN)]
    if count < CLEARLY * max(rivals, default=0):
        return ""
    different = {word for word in said if best in _LANGUAGES_OF.get(word, ())}
    written_small = different.intersection(text.split()) if len(said) > 8 else different  # "Les Bleus" is a name
    enough = any(len(different) >= least and count >= share * len(said) for least, share in EVIDENCE)
    return best if enough and 2 * len(written_small) >= len(different) else ""


def other_language(dataset: Dataset) -> dict[str, Finding]:
    """Answers in another language than their question, where that did not ask for one, by the ids of examples."""
    answered = Counter(language(example.conversation.answer) for example in dataset.examples)
    del answered[""]
    main, count = answered.most_common(1)[0] if answered else ("", 0)
    main = main if len(dataset) >= 20 and count >= MAIN * answered.total() else ""
    found = {example.id: _in_other_language(example, main) for example in dataset.examples}
    return {key: each for key, each in found.items() if each}


def _in_other_language(example: Example, main: str) -> Finding | None:
    asked = [turn.text for turn in example.conversation.turns if turn.role in (Role.USER, Role.SYSTEM)]
    for exchange in exchanges(example):
        answered = language(without_code(exchange.answer))
        if not answered or answered == language(exchange.question):
            continue
        spoken = {name for text in asked for name in languages(text)} or _by_default(asked, main, answered)
        alike = any({answered, name} <= kin for kin in _KIN for name in spoken)
        mixed = spoken & languages(exchange.answer)  # names and quotations in a text of the right language
        if spoken and answered not in spoken and not alike and not mixed and not any(map(_MEANT.search, asked)):
            told = f"asked in {', '.join(sorted(spoken))}, answered{exchange.place} in {answered}"
            return flag(example, "language", f"{told}: {quote(exchange.answer)}")
    return None


def _by_default(asked: list[str], main: str, answered: str) -> set[str]:
    """The data set's main language for a question that is too short to tell, if nothing in it is of the answer's."""
    own = {word for text in asked for word in words(text) if _LANGUAGES_OF.get(word, ()) == (answered,)}
    return {main} if main and not own and all(map(str.isascii, asked)) else set()


def languages(text: str) -> set[str]:
    """The languages of a text's paragraphs and of its whole: a question may quote another language."""
    found = {language(part) for part in (text, *text.split("\n"))} if len(text) < 20_000 else {language(text)}
    return found - {""}
