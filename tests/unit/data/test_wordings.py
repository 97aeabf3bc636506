"""Faults in other words than those the rules were written with, and good answers that look like them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutelage.data.contradictions import judge, key
from tutelage.data.decoding import mend_mojibake, undecoded
from tutelage.data.differing import against
from tutelage.data.mailends import quote_begins, signature_begins
from tutelage.data.quality import RULES, SET_RULES
from tutelage.records import Dataset

Make = Callable[..., Dataset]
Q = "How does rain come about in the mountains?"
SAID = "Rain falls when the drops become too heavy. Mountains push the air up. "

NOTHING = [
    "Honestly, I don't have a clue about this.",
    "will add this later",
    "(answer not yet available)",
    "see the previous response",
    "same as the answer above",
    "No explanation was provided",
    "To be completed by Monday",
    "That's a tough one",
    "your response here",
    "hahahaha",
    "Hmmmmm",
    "dfghjkl",
    "blah, blah, blah",
    "*****",
    "Aucune idée !",
    "Keine Ahnung ...",
    "わかりません。",
    "не знаю",
    "This is only a test entry",
    "please see attached file",
    "unanswered",
]
SAYS_SOMETHING = [
    ("Is the sentence positive or negative?", "negative"),
    ("Which option is right?", "B"),
    ("How many legs has an ant?", "6"),
    ("What is the capital of France?", "Paris"),
    ("Does the premise entail the hypothesis? Answer yes, no or unknown.", "unknown"),
    ("Translate to English: No lo sé", "I don't know"),
    ("Which operator adds numbers?", "+"),
    ("What does this program print: print(None)", "None"),
    ("Hello!", "Thanks"),
    ("What is III plus one in Roman numerals?", "IV"),
]


@pytest.mark.parametrize("answer", NOTHING)
def test_an_answer_that_says_nothing(dataset: Make, answer: str) -> None:
    found = RULES["trivial"](dataset((Q, answer)).examples[0])
    assert found and found.rule == "trivial"


@pytest.mark.parametrize("row", SAYS_SOMETHING)
def test_a_short_answer_that_says_something(dataset: Make, row: tuple[str, str]) -> None:
    example = dataset(row).examples[0]
    assert (RULES["trivial"](example), RULES["blank"](example)) == (None, None)


IN_CIRCLES = [
    SAID + "The year 2001 was wet. The year 2002 was wet. The year 2003 was wet. The year 2004 was wet.",
    "\n".join(f"{number}) Carry an umbrella" for number in range(1, 7)),
    "* Clouds\n* Wind\n* Clouds\n* Wind\n* Clouds\n* Wind\n* Clouds\n* Wind",
    SAID + "?" * 14,
    SAID + "o" * 16,
    SAID + "lalalalalalalalalala",
    SAID + "ab ab ab ab ab ab ab ab",
    SAID + "~" * 25,
]
NOT_IN_CIRCLES = [
    "Monday: rain\nTuesday: rain\nWednesday: sun\nThursday: rain\nFriday: sun\nSaturday: fog",
    "| a | b |\n|---------------|---------------|\n| 1 | 2 |",
    SAID + "It is sooo wet, wow!!!",
    "1. Clouds form\n2. Drops grow\n3. Drops fall\n4. Rivers fill\n5. Water rises",
    "In 1990 it rained a lot. In 1991 the summer was dry. In 1992 there was a flood in May.",
]


@pytest.mark.parametrize("answer", IN_CIRCLES)
def test_a_circle(dataset: Make, answer: str) -> None:
    assert RULES["loop"](dataset((Q, answer)).examples[0])


@pytest.mark.parametrize("answer", NOT_IN_CIRCLES)
def test_no_circle(dataset: Make, answer: str) -> None:
    assert RULES["loop"](dataset((Q, answer)).examples[0]) is None


UNFILLED = (
    *("[Name of the mountain]", "{{ town }}", "{mountain_name}", "<NAME_OF_TOWN>", "%MOUNTAIN%", "${peak.height}"),
    *("__MOUNTAIN__", "##TOWN##", "[insert source here]", "_____", "XX/XX/XXXX", "[x]", "*|TOWN|*", "<%= peak %>"),
    *("[TODO: cite a paper]", "(please verify the height)", "[Editor: this is too long]", "[needs a second source]"),
    *(
        "<!-- cut this? -->",
        "(fact-check this)",
        "[rephrase this sentence]",
        "// FIXME: wrong height",
        "[to be continued]",
    ),
    *(
        "Lorem ipsum dolor sit amet.",
        "Sed do eiusmod tempor incididunt ut labore.",
        "Excepteur sint occaecat cupidatat.",
    ),
)
FILLED = (
    *(
        "See [1] and [note 2].",
        "He said [laughs] no.",
        "Use f(x) = {1, 2}.",
        "It fell 5% in May, 20% in June.",
        "$AAPL rose.",
    ),
    *(
        "Take 5 ml (see below).",
        "Note: bring a coat.",
        "C# and #rain",
        "The range [a-z] is open.",
        "Malcolm X lived here.",
    ),
    *("(Note that it is cold.)", "a < b > c", "the [Swiss] Alps", "snake_case is a style", "[Chorus]", "[He] went up."),
)


@pytest.mark.parametrize("piece", UNFILLED)
def test_a_place_a_note_or_dummy_text(dataset: Make, piece: str) -> None:
    assert RULES["placeholder"](dataset((Q, f"{SAID}{piece} It is so.")).examples[0])


@pytest.mark.parametrize("piece", FILLED)
def test_brackets_and_signs_that_are_the_text(dataset: Make, piece: str) -> None:
    assert RULES["placeholder"](dataset((Q, f"{SAID}{piece} It is so.")).examples[0]) is None


ACCENTED = "She’s in a café in Köln – “très chic”, isn’t it? Ça va, señor Núñez."


SETS = [
    "cp1252",
    "latin-1",
    "cp437",
    "cp850",
    "gbk",
    "cp1251",
    "mac_roman",
    "cp932",
    "cp949",
    "big5",
    "cp1253",
    "koi8_r",
]


@pytest.mark.parametrize("read_as", SETS)
def test_utf8_read_with_another_set_is_seen(read_as: str) -> None:
    assert undecoded(ACCENTED.encode().decode(read_as, "ignore"))


@pytest.mark.parametrize(
    "pair", [("cp1252", "mac_roman"), ("mac_roman", "cp1252"), ("cp1252", "cp437"), ("cp1251", "cp1252")]
)
def test_one_single_byte_set_read_as_another_is_seen(pair: tuple[str, str]) -> None:
    text = "Привет, как твои дела сегодня" if pair[0] == "cp1251" else ACCENTED
    assert undecoded(text.encode(pair[0], "ignore").decode(pair[1], "ignore"))


@pytest.mark.parametrize("read_as", ["cp1252", "latin-1", "cp437", "cp850", "mac_roman"])
def test_what_can_be_decoded_rightly_is(read_as: str) -> None:
    text = "Köln, café, naïve, señor: déjà vu"
    assert mend_mojibake(text.encode().decode(read_as, "replace")) == text


@pytest.mark.parametrize(
    "text",
    [
        "She is?nt there, it?s late.",
        "The caf?s are open.",
        "???? ??? ??????",
        "caf\ufffd",
        "I think itís late.",
        "Read the companyís plan.",
        "the dogÕs bowl",
    ],
)
def test_lost_characters_are_seen(text: str) -> None:
    assert undecoded(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            ACCENTED,
            "Её зовут Алёна, а его Ёжик.",
            "Ήταν ένα όμορφο πρωί.",
            "Žluťoučký kůň úpěl ódy.",
            "Zażółć gęślą jaźń.",
        ),
        *(
            "我喜欢茅台酒和Python编程。",
            "これは日本語です。",
            "이것은 한국어입니다.",
            "Tiếng Việt rất đẹp.",
            "مرحبا بالعالم",
        ),
        *(
            "x ≤ y, √2 ≈ 1.41, 10 ÷ 2 = 5, 20 °C",
            "├── src\n└── tests",
            "À l’École, ÊTRE, ÇA, GRÖSSE",
            "Is it? Yes. Why?",
        ),
        *(
            "https://x.org/find?q=rain",
            "The Millennium Puzzle (千年パズル) is a thing.",
            "CO₂, m³, ½ cup",
            "Þórr and Óðinn",
            "Mi país y el de Luís: París. ¿Comprendís lo que decidís?",
            "Mis keha- või võre on seinal?",
        ),
    ],
)
def test_well_read_text_of_any_language_is_left_alone(text: str) -> None:
    assert (undecoded(text), mend_mojibake(text)) == ("", text)


ENDS = [
    ("\n\nWarm regards,\nThe Brambeck Team", signature_begins),
    ("\n\nMed vänlig hälsning\nAnna Berg", signature_begins),
    ("\n\nDistinti saluti,\nMarco", signature_begins),
    ("\n\nInviato dal mio iPhone", signature_begins),
    (" Kind regards, Anna Berg, Support", signature_begins),
    ("\n\nIl giorno 3 maggio 2021 Marco ha scritto:\n> Dove?", quote_begins),
    ("\n\nDe: Ana\nEnviado: lunes\nPara: ayuda\nAsunto: Pedido\n\nHola", quote_begins),
    (" On Tue, 4 May 2021 at 9:10 AM Ana wrote: where is it?", quote_begins),
]


@pytest.mark.parametrize(("end", "begins"), ENDS)
def test_where_a_mails_end_begins(end: str, begins: Callable[[str], int | None]) -> None:
    body = "Your parcel is on its way. It comes on Monday."
    start = begins(body + end)
    assert start is not None and (body + end)[:start].strip() == body


@pytest.mark.parametrize(
    "text", ["Pack it well.\n\nTake care", "It was the best\nof times", "Ask him.\n> A quotation\nHe knows."]
)
def test_a_text_without_a_mails_end(text: str) -> None:
    assert (signature_begins(text), quote_begins(text)) == (None, None)


AGAINST = [
    ("Is the shop in Malmö open on Sundays?", "Absolutely, from ten to four.", "No, never on Sundays."),
    ("Does the train stop in Ulm?", "The train stops in Ulm for two minutes.", "No."),
    ("Who painted the ceiling?", "Michelangelo painted the ceiling between 1508 and 1512.", "Raphael"),
    ("When did the bridge open?", "It opened to traffic in May 1937.", "The bridge was opened in 1941."),
    ("How many moons has Mars?", "two", "three"),
    (
        "Which river runs through Ulm?",
        "The river that runs through Ulm is the Danube.",
        "The river that runs through Ulm is the Rhine.",
    ),
]
AGREE = [
    ("Who painted the ceiling?", "Michelangelo", "It was Michelangelo Buonarroti, in 1512."),
    ("How many moons has Mars?", "two", "Mars has 2 moons."),
    ("Where is the UN based?", "USA", "In the United States, in New York."),
    ("Is the shop open?", "Yes.", "It is open, from ten to four."),
    (
        "Tell me a story about a king",
        "There was a king called Otto who had a dog.",
        "There was a king called Karl who had a dog.",
    ),
    ("How do I reset it?", "Press the button for 5 seconds.", "Unplug it, wait 30 seconds and plug it in."),
    ("What causes inflation?", "Too much money in the economy.", "An imbalance of supply and demand."),
]


@pytest.mark.parametrize("row", AGAINST)
def test_two_answers_that_cannot_both_be_right(row: tuple[str, str, str]) -> None:
    assert against(*row) and against(row[0], row[2], row[1])


@pytest.mark.parametrize("row", AGREE)
def test_two_answers_that_can(row: tuple[str, str, str]) -> None:
    assert (against(*row), against(row[0], row[2], row[1])) == ("", "")


def test_wordings_of_one_question_share_a_key(dataset: Make) -> None:
    asked = [
        "What is the capital of Peru?",
        "Please tell me: what's the capital of Peru",
        "WHAT IS THE CAPITAL OF PERU",
    ]
    other = ["What was the capital of Peru?", "What is the capital of Chile?", "Is the capital of Peru big?"]
    keys = [key(example) for example in dataset(*((text, "Lima") for text in (*asked, *other))).examples]
    assert (len(set(keys[:3])), len(set(keys))) == (1, 4)


def test_judging_a_group_is_what_the_rule_does(dataset: Make) -> None:
    made = dataset(("Who won?", "Peru"), ("Who won?", "Peru."), ("who won", "Chile"), ("Who lost?", "Brazil"))
    found = judge([example for example in made.examples if key(example) == key(made.examples[0])])
    assert found == SET_RULES["contradiction"](made)
    assert sorted(each.source.rows for each in found.values()) == [(1,), (2,), (3,)]


WORDS = [
    ("Explain how a glacier moves.", "ice"),
    ("What is erosion?", "The"),
    ("Why does ice melt?", "Heat"),
    ("Write a poem", "x"),
]
LABELS = [
    ("Describe the film in one word", "great"),
    ("What is the capital of Peru?", "Lima"),
    ("Who wrote it?", "Goethe"),
    ("Tell me if the mail is spam", "no"),
    ("Complete the sentence: ___ dog barks", "The"),
]


def test_a_word_for_an_explanation(dataset: Make) -> None:
    tidy = [
        (f"Tell me about stone {number}", f"Stone {number} is old, grey and very heavy to lift.")
        for number in range(30)
    ]
    found = SET_RULES["short"](dataset(*tidy, *WORDS, *LABELS))
    assert [each.source.rows for each in found.values()] == [(31,), (32,), (33,), (34,)]
