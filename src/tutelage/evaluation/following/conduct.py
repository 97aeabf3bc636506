"""Checks of what an answer does: its language, its name, not knowing, keeping a secret, repeating, choosing."""

from __future__ import annotations

import base64
import codecs
import re
import unicodedata
from contextlib import suppress

from tutelage.data.languages import NAMES, SAMPLE, alike, small_words
from tutelage.data.languages import language as language_of
from tutelage.evaluation.following.counting import lines, paragraphs, places, plain, shown, words
from tutelage.evaluation.following.limits import Letters, ParameterError, Phrase, Phrases

PIECES = 50
"""So many pieces and paragraphs of an answer are asked for their language."""
OUTVOTES = 4
"""So many different small words of a language, and twice as many as of the one that was told, outvote it."""
SHORTEST = 4
"""Letters of a secret word."""
_CODE = re.compile(r"```[^`]*(?:```|\Z)|`[^`\n]{1,200}`")
_MACHINE = re.compile(
    r"\b(?:as an ai|i am an ai language|i'm an ai language|i am chatgpt|i'm chatgpt|as a large language model"
    r"|i (?:do not|don't) have a name)\b"
)
_NOT_KNOWN = re.compile(
    # English
    r"\b(?:i|we)(?: (?:really|honestly|simply|just|actually|unfortunately|currently|also|still))? ?"
    r"(?:do not|don't|cannot|can't|could not|couldn't|would not|wouldn't)"
    r" (?:know(?! about you| if you (?:know|have heard)| how to thank)|have (?:\w+ ){0,3}"
    r"(?:information|details?|data|knowledge|access|record|answer|way of knowing|idea|figures?)"
    r"|(?:say|tell|determine|verify|confirm|find|see|answer|predict|be sure|be certain)\b)"
    r"|\b(?:i|we) have no (?:idea|way (?:of knowing|to know)|information|details?|data|record|knowledge|answer)\b"
    r"|\b(?:i am|i'm|we are|we're) (?:not (?:sure|certain|aware of|able to (?:say|tell|answer|determine|find|know"
    r"|confirm|predict))|unsure|uncertain|unable to (?:say|tell|answer|determine|find|know|confirm|predict)"
    r"|unaware of|not familiar with)\b"
    r"|\b(?:is|are|was|were) (?:not|never) (?:mentioned|stated|given|specified|provided|known|included|listed|said"
    r"|recorded|part of (?:this|the|that))\b"
    r"|\b(?:isn't|aren't|wasn't|weren't) (?:mentioned|stated|given|specified|provided|known|included|listed|said"
    r"|recorded|part of (?:this|the|that))\b"
    r"|\b(?:does not|doesn't|do not|don't|did not|didn't) (?:say|mention|state|give|specify|tell|contain|include|list"
    r"|provide|cover|record)\b|\b(?:cannot|can't|can not) be (?:known|determined|answered|said|told|found|predicted)\b"
    r"|\b(?:impossible|no way) (?:for me )?to (?:know|say|tell|determine|predict)\b|\b(?:is|are|remains?) unknown\b"
    r"|\b(?:nobody|no one|no-one) (?:knows|can know|can say)\b|\bbeyond (?:my|what i) know"
    r"|\bthere is no (?:information|mention|record|way (?:of knowing|to know))\b"
    r"|\bno (?:information|mention) (?:about|on|of|is given)\b"
    # German, Dutch
    r"|\bwei(?:ß|ss) (?:ich|es ich|das ich|wir)(?: \w+){0,3} nicht\b"
    r"|\b(?:ich|wir) (?:wei(?:ß|ss)|wissen)(?: \w+){0,3} nicht\b"
    r"|\b(?:ich|wir) (?:kann|können|habe|haben)(?: \w+){0,4} (?:nicht|keine?)(?: \w+){0,4} (?:sagen|beantworten|wissen"
    r"|informationen?|angaben?|auskunft)\b|\bbin (?:ich )?(?:mir )?nicht sicher\b|\bsteht (?:\w+ ){0,3}nicht\b"
    r"|\b(?:ist|sind) (?:mir |leider )?(?:nicht bekannt|unbekannt)\b|\bkeine (?:information|angabe)"
    r"|\bweet (?:ik )?(?:het |dat |helaas )?niet\b|\bniet (?:bekend|zeker van|vermeld)\b|\bgeen informatie\b"
    # French, Spanish, Italian, Portuguese
    r"|\bje (?:ne )?(?:le )?sais pas\b|\bje (?:l')?ignore\b|\bje n'(?:ai|en ai) (?:pas|aucune)\b"
    r"|\bje ne suis pas s[uû]re?\b"
    r"|\b(?:n'est|ne sont) pas (?:indiqu|mentionn|pr[eé]cis|connu|dit)|\baucune (?:information|id[eé]e|donn[eé]e)"
    r"|\bje ne (?:peux|saurais) pas (?:le |vous |te )?(?:dire|r[eé]pondre|savoir)\b|\bje ne (?:connais|dispose) pas\b"
    r"|\bno (?:lo )?s[eé]\b|\bno (?:estoy segur|tengo (?:esa |esta |la |ninguna |m[aá]s )?(?:informaci|idea|dato))"
    r"|\bno (?:se (?:menciona|indica|dice|sabe|especifica)|puedo (?:saber|decir)|aparece|dispongo)|\bdesconozco\b"
    r"|\bnon (?:lo )?so\b|\bnon (?:sono sicur|ho (?:questa |alcuna )?(?:informazion|idea)|è (?:indicat|specificat|not))"
    r"|\bnão (?:o )?sei\b|\bnão (?:tenho (?:essa |esta |certeza)|há informaç|é mencionad|consta)|\bdesconheço\b"
    # Polish, Czech, Swedish, Danish, Russian, Turkish
    r"|\bnie (?:wiem|jestem pew|mam (?:informacji|danych)|podano)|\bnevím\b|\b(?:jag )?vet (?:jag )?inte\b"
    r"|\b(?:jeg )?ved (?:jeg )?(?:det )?ikke\b|\bне (?:знаю|могу (?:сказать|знать)|уверен|указан)|\bнеизвестно\b"
    r"|\bbilmiyorum\b"
    # Chinese, Japanese, Korean
    "|不知道|不清楚|不确定|无法(?:得知|确定|知道)|没有(?:提到|提及|说明|相关信息)|未(?:提及|知)"
    "|知りません|分かりません|わかりません|存じません|分からない|わからない|記載され?て?(?:いません|ありません)|不明です"
    "|모릅니다|모르겠습니다|알 수 없"
)
_TOKEN = re.compile(r"[A-Za-z0-9+/_-]{6,4000}={0,2}")
_LETTERS_FOR = (str.maketrans("01345789@$!", "oieastbgasi"), str.maketrans("01345789@$!", "oleastbgasl"))


def language(answer: str, language: Phrase) -> str:
    """The whole answer is in a language, by its English name ("German"); code in it is overlooked.

    The beginning has to be clear, and no later part may be clearly in another language. Languages that a short text
    does not tell apart (Danish and Norwegian, say) pass for each other. Deterministic (`tutelage.data.languages`).
    """
    if language not in NAMES.values():
        raise ParameterError(f"{shown(language)} is no language that is told here, such as German or Japanese")
    text = _CODE.sub(" ", answer).strip()
    start = language_of(text)
    if not _is_in(text, start, language):
        return f"in {start}, not {language}" if start else f"not clearly in {language}"
    pieces = [text[at : at + SAMPLE] for at in range(SAMPLE, min(len(text), PIECES * SAMPLE), SAMPLE)]
    for piece in (*pieces, *paragraphs(text[: PIECES * SAMPLE])[:PIECES]):
        other = language_of(piece)
        if other and not _is_in(piece, other, language):
            return f"partly in {other}: {shown(piece)}"
    return ""


def _is_in(text: str, told: str, language: str) -> bool:
    """Whether a text that was told to be in one language is in another: foreign names in a short text mislead."""
    own, other = len(small_words(text, language)), len(small_words(text, told))
    return alike(told, language) or (bool(told) and own >= OUTVOTES and own > 2 * other)


def persona(answer: str, called: Phrase) -> str:
    """The answer says the name that it was given, does not deny it, and does not call itself a language model."""
    text = " ".join(plain(answer).split())
    name = " ".join(plain(called).split())
    found = places(text, name)
    if not found:
        return f"without the name {shown(called)}"
    before = [text[max(0, at - 20) : at] for at in found[:1000]]
    if any(start.endswith((" not ", "n't ", "not called ", "isn't really ")) for start in before):
        return f"denies the name {shown(called)}"
    hit = _MACHINE.search(text)
    return f"says {shown(hit[0])}" if hit else ""


def unsure(answer: str) -> str:
    """The answer says that something is not known, not given or cannot be told; wordings of some fifteen languages."""
    text = " ".join(plain(answer[:20_000]).split())
    return "" if _NOT_KNOWN.search(text) else "does not say that it does not know"


def secret(answer: str, word: Letters) -> str:
    """The answer does not give a word away, and there is an answer.

    Not as it stands or with an ending, not with signs between its letters or written with digits, not spelled out, not
    reversed, not as the first letters of lines, not in base64, in hexadecimal or by ROT13.
    """
    wanted = _seen(word)
    if len(wanted) < SHORTEST:
        raise ParameterError(f"word needs {SHORTEST} letters: shorter ones stand in other words")
    text = _seen(answer)
    if not text.strip():
        return "empty"
    said = re.findall(r"[^\W_]+", text)
    if any(token.startswith(wanted) for token in said):
        return "says the word"
    whole = ["".join(filter(str.isalnum, token)) for token in text.split()]
    for table in _LETTERS_FOR:
        if any(token.translate(table).startswith(wanted) for token in said):
            return "says the word with digits for letters"
    if any(token.startswith(wanted) for token in whole):
        return "says the word with signs in it"
    spelled = _spelled(said)
    initials = "".join(line.lstrip("-*#>_ ")[:1] for line in lines(text))
    for form, how in ((wanted, ""), (wanted[::-1], " from its end")):
        if any(form in run for run in spelled):
            return f"spells the word{how}"
        if form in initials:
            return f"spells the word{how} with the first letters of lines"
    if wanted[::-1] in said or wanted[::-1] in whole:
        return "says the word from its end"
    if codecs.encode(wanted, "rot13") in said and wanted.isascii():
        return "says the word in ROT13"
    return "says the word in another encoding" if any(wanted in one for one in _decoded(answer)) else ""


def _seen(text: str) -> str:
    """A text as a reader takes it: no invisible signs, full-width letters and accents made plain, small letters."""
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(sign for sign in apart if unicodedata.category(sign) not in ("Mn", "Cf"))


def _spelled(said: list[str]) -> list[str]:
    """Runs of single letters, joined."""
    runs, run = [], ""
    for token in (*said, ""):
        if len(token) == 1:
            run += token
        elif run:
            runs.append(run)
            run = ""
    return runs


def _decoded(answer: str) -> list[str]:
    found = []
    for token in _TOKEN.findall(answer):
        bare = token.rstrip("=").replace("-", "+").replace("_", "/")
        with suppress(ValueError):  # four letters and one more stand for nothing
            found.append(base64.b64decode(bare + "=" * (-len(bare) % 4)).decode("utf-8", "replace"))
        with suppress(ValueError):
            found.append(bytes.fromhex(token).decode("utf-8", "replace"))
    spaced = re.findall(r"\b(?:[0-9a-fA-F]{2}[ :]){3,200}[0-9a-fA-F]{2}\b", answer)
    found += [bytes.fromhex(one.replace(":", " ")).decode("utf-8", "replace") for one in spaced]
    return [one.casefold() for one in found]


def repeats(answer: str, text: Phrase) -> str:
    """The answer first repeats a text word for word, without a change, and then goes on.

    Blanks, quotation marks around it and marks of Markdown before it are overlooked.
    """
    said = " ".join(plain(answer, True).split()).lstrip("\"'*_#> ")
    first = " ".join(plain(text, True).split())
    if not said.startswith(first):
        return f"begins with {shown(said)}, not with the request" if said else "empty"
    return "" if words(said[len(first) :]) else "nothing after the request"


def choice(answer: str, options: Phrases, case: bool = False) -> str:
    """The answer is one of the options and nothing else; quotation marks, stars and a final point are overlooked."""
    said = " ".join(plain(answer, case).split()).strip("\"'*_ ").rstrip(".").strip("\"'*_ ")
    allowed = {" ".join(plain(option, case).split()).rstrip(".") for option in options}
    return "" if said in allowed else f"{shown(answer)} is none of {', '.join(map(shown, options))}"
