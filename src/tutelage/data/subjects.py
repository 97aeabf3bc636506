"""What instructions are about: the words that carry a subject, how few of them cover half of the instructions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from tutelage.data.exchange import is_unspaced, word_set, words
from tutelage.data.languages import SMALL_WORDS

READ = 1000
"""So many characters of an instruction are looked at."""
SHORTEST = 3
"""Letters of a word that carries a subject."""
OF_ANY_TASK = word_set(
    "about above after again all along already also always another answer answers any anyone anything are aren't "
    "around article ask asked away back based because been before being below best better between bitte bonjour "
    "both can't choose come context correct could couldn't create danke describe determine did didn't different "
    "does doesn't doing don't done down during each either else enough even ever every everyone example examples "
    "explain false few find first five following four further generate get gets getting give given giving going "
    "gone good got gracias had hallo hasn't have haven't having hello help her here hers hey high him his hola "
    "how however i'd i'll i'm i've identify input inputs instead instruction instructions isn't it's its itself "
    "just keep kind know known last later least less let let's like list little long look looking lot made make "
    "makes making many maybe mean means mentioned merci might more most much must myself name necessary need "
    "needs never new next nothing now number off often old once one only option options other others our out "
    "output outputs over own paragraph part passage per perhaps please possible provide provided put question "
    "questions quite rather read really respond response right said same say says see seem select sentence "
    "sentences several she she's short should shouldn't show simple since single six small some someone something "
    "statement still such sure take taken takes task tasks tell ten text texts than thank thanks that's their "
    "them then there there's these they they're thing things think third this those though three through thus "
    "time times today together too true two under until upon use used user uses using various very via want wants "
    "was wasn't way ways well went were what what's when where whether which while who whole whose why will with "
    "within without won't word words work working would wouldn't write wrote yes yet you you'd you'll you're "
    "you've your yours"
)
"""Words that stand in instructions about anything."""


def subject_words(text: str) -> tuple[str, ...]:
    """The words of a text that may say what it is about; pairs of characters where there are no blanks."""
    text = text[:READ]
    if is_unspaced(text):
        letters = "".join(filter(str.isalnum, text))
        return tuple(letters[at : at + 2] for at in range(len(letters) - 1))
    return tuple(
        word
        for word in words(text)
        if len(word) >= SHORTEST and not word[0].isdigit() and word not in SMALL_WORDS and word not in OF_ANY_TASK
    )


def covering_half(texts: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The words that half of the texts hold, chosen greedily: each time the one that most of the rest hold.

    Five such words mean one narrow subject; with fifty, the texts are about many things. Texts without any word
    of their own are not counted. Ties go to the word that comes first in the alphabet.
    """
    holders: dict[str, set[int]] = defaultdict(set)
    counted = 0
    for place, text in enumerate(texts):
        counted += bool(text)
        for word in text:
            holders[word].add(place)
    left = Counter({word: len(places) for word, places in holders.items()})
    covered: set[int] = set()
    chosen: list[str] = []
    while 2 * len(covered) < counted:
        word = min(left, key=lambda each: (-left[each], each))
        chosen.append(word)
        for place in holders[word] - covered:
            covered.add(place)
            left.subtract(set(texts[place]))
    return tuple(chosen)


def likeness(texts: Sequence[Sequence[str]]) -> float:
    """The mean cosine of two different texts, by which words they hold (0: none shared, 1: always the same).

    Each text is a vector of length 1 over its words; the mean over all pairs follows from the vectors' sum.
    """
    held = [set(text) for text in texts if text]
    if len(held) < 2:
        return 0.0
    weights: Counter[str] = Counter()
    for text in held:
        for word in text:
            weights[word] += len(text) ** -0.5
    squared = sum(weight * weight for weight in weights.values())
    return max(0.0, (squared - len(held)) / (len(held) * (len(held) - 1)))
