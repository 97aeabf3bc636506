"""Answers in another language than the question's, or than the one it asks for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutelage.data.languages import alike, language, told
from tutelage.data.spoken import asked_for, other_language
from tutelage.records import Dataset

Make = Callable[..., Dataset]

SENTENCES = {
    "German": "Ein weiches Ei braucht etwa f\u00fcnf Minuten.",
    "French": "Rincez le riz et laissez cuire \u00e0 feu doux.",
    "Italian": "Un frigorifero sposta il calore verso l'esterno grazie a un gas.",
    "Dutch": "Gebruik vers gemalen bonen en water dat net niet kookt.",
    "Swedish": "Vispa ihop mj\u00f6l, mj\u00f6lk och \u00e4gg och stek i sm\u00f6r.",
    "Finnish": "K\u00e4yt\u00e4 tuoretta kahvia ja kylm\u00e4\u00e4 vett\u00e4, ja puhdista keitin usein.",
    "Polish": "Li\u015bcie trac\u0105 chlorofil, wi\u0119c wida\u0107 inne barwniki.",
    "Czech": "Cvi\u010dte ka\u017ed\u00fd den kr\u00e1tce a za\u010dn\u011bte jednoduch\u00fdmi akordy.",
    "Hungarian": "A lisztet v\u00edzzel \u00e9s \u00e9leszt\u0151vel \u00f6sszegy\u00farjuk, majd megs\u00fctj\u00fck.",
    "Turkish": "V\u00fccudumuz g\u00fcn i\u00e7inde yorulur ve uykuya ihtiya\u00e7 duyar.",
    "Vietnamese": "Hãy luyện nghe mỗi ngày và nói chuyện với người bản xứ.",
    "Swahili": "Sikiliza redio kila siku na uzungumze na watu wanaojua lugha hiyo.",
    "Croatian": "Di\u0161ite polako, \u0161e\u0107ite svaki dan i spavajte dovoljno.",
    "Russian": "Сварите бульон, добавьте свёклу, капусту и картофель.",
    "Greek": "Βράστε νερό και προσθέστε δύο κουταλιές καφέ.",
    "Arabic": "اقرأ كل يوم نصاً قصيراً واستمع إلى الإذاعة.",
    "Hebrew": "מרתיחים מים ומוסיפים שתי כפיות קפה.",
    "Hindi": "पानी उबालें, उसमें चाय पत्ती, दूध और चीनी डालें।",
    "Thai": "เข้านอนเวลาเดิมทุกคืนและงดดื่มกาแฟ",
    "Korean": "물을 끓이고 커피 두 숟가락을 넣으세요.",
    "Japanese": "お湯を沸かして、コーヒーを二杯入れてください。",
    "Chinese": "把水烧开，放入茶叶，等三分钟即可。",
}
NAMES = [
    "Fennesz, Autechre, Oval, Alva Noto, Ryoji Ikeda",
    "nigiri, makizushi, chirashi, inari, sashimi",
    "Barolo - La Morra - Cherasco - Castiglione Falletto",
    "The capital of Brazil is Rio de Janeiro.",
    "Java, Scala, Python, SQL",
    "M, t, c, i, z",
    "北京",
]
ENGLISH = "Put the egg in boiling water for six minutes, and then in cold water."


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_has_a_language_and_another_one_is_seen(dataset: Make, name: str) -> None:
    text = SENTENCES[name]
    assert alike(language(text), name)
    assert other_language(dataset(("How do I boil an egg in the morning?", text)))
    assert other_language(dataset((text, ENGLISH)))
    assert not other_language(dataset((text, text)))


@pytest.mark.parametrize("text", NAMES)
def test_names_and_lists_have_no_foreign_language(dataset: Make, text: str) -> None:
    assert language(text) in ("", "English")
    assert not other_language(dataset(("Name some of the things that you like in the city.", text)))


ASKS = [
    ("What is rain? Answer in French.", "French"),
    ("Please write your reply in Brazilian Portuguese: what is rain?", "Portuguese"),
    ("Translate the text below from English to German.", "German"),
    ("In Spanish, what is rain?", "Spanish"),
    ("What is rain? (in Polish please)", "Polish"),
    ("Your answer should be in Japanese. What is rain?", "Japanese"),
    ("Beantworte das bitte auf Englisch.", "English"),
    ("Responde en franc\u00e9s.", "French"),
    ("请用英语回答。", "English"),
]
NO_COMMAND = [
    "Which books are written in French?",
    "What does the word mean in German?",
    "Describe the use of the past tense in Spanish.",
    "List some famous dishes in Italian cuisine.",
    "What is a French press?\n\nIn French, it is called a cafeti\u00e8re.",
]


@pytest.mark.parametrize(("question", "name"), ASKS)
def test_a_language_asked_for_by_name_is_the_one_expected(dataset: Make, question: str, name: str) -> None:
    assert asked_for(question) == name
    wrong = SENTENCES["Hungarian"] if name == "English" else ENGLISH
    assert [found.reason.partition(",")[0] for found in other_language(dataset((question, wrong))).values()] == [
        f"asked for in {name}"
    ]


@pytest.mark.parametrize("question", NO_COMMAND)
def test_a_language_that_is_only_spoken_of_is_not_asked_for(dataset: Make, question: str) -> None:
    assert asked_for(question) == ""
    assert not other_language(dataset((question, ENGLISH)))


def test_an_answer_in_the_language_asked_for_is_fine(dataset: Make) -> None:
    assert not other_language(dataset(("How long does it take? Answer in German.", SENTENCES["German"])))
    assert not other_language(dataset(("Translate this song", SENTENCES["French"])))


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "\ufffe", "\x7f" * 50, "", " "])
def test_what_no_text_should_hold_has_no_language(text: str) -> None:
    assert (told(text), language(text)) == ("", "")


def test_the_same_text_has_the_same_language_whatever_was_asked_before() -> None:
    def ask() -> list[str]:
        language.cache_clear()
        told.cache_clear()
        return [language(text) for text in (*SENTENCES.values(), *NAMES)]

    assert ask() == ask()[:]
