"""For each rule that looks at one example, what it finds and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutelage.data.languages import language
from tutelage.data.quality import RULES
from tutelage.records import Conversation, Dataset, Example, Role, Source, Turn

Make = Callable[..., Dataset]
Rows = dict[str, list[tuple[str, str]]]

REFUNDS = "Refunds take five days. We send an email when the money is on its way."
FOUND: Rows = {
    "blank": [
        ("Hi", ""),
        ("Hi", " \u200b\ufeff\n"),
        ("Hi", "..."),
        ("Hi", "\u2014"),
        ("Hi", "NaN"),
        ("Hi", "<nooutput>"),
        ("Hi", "[deleted]"),
        (" \n", "Hello"),
    ],
    "trivial": [
        ("What is the capital of Peru?", "N/A"),
        ("What is the capital of Peru?", "idk."),
        ("What is the capital of Peru?", "?"),
        ("Describe a sunset.", "see above"),
        ("Describe a sunset.", "asdf"),
    ],
    "echo": [
        ("Where is my card now?", "where is  my card now?"),
        ("What is Python?", "What is Python?"),
        ("Where is my new card?", "Sure! Where is my new card?"),
        ("Give me three tips for staying healthy", "You asked: Give me three tips for staying healthy"),
        ("How long does a refund to my card take?", "How long does the refund to my card take?"),
        ("Describe how a bicycle is made in a factory.", "Describe how a bicycle is built in a factory."),
        ("Explain why the sky is blue.\n\nLight is scattered.", "Explain why the sky is blue."),
    ],
    "loop": [
        ("Hi", "I am sorry for that. " * 12),
        ("Hi", REFUNDS + " Thank you for your patience." * 4),
        ("Hi", REFUNDS + " again" * 15),
        ("Hi", f"{REFUNDS} You can also call the help line, which is open all day. " * 2),
        ("Hi", "Yes.\nWe open at nine in the morning.\nWe close at six.\n" * 3),
        ("Hi", "no no no no no no no no no no"),
        ("Hi", "我们很抱歉给您带来不便。" * 4),
        ("Hi", "heeeeeeeeeeeeeeeeeeeeeeeeeeeeelp me"),
        ("Hi", "New.\nThis line stands again.\nAlso new.\nThis line stands again.\nBut.\nThis line stands again."),
    ],
    "placeholder": [
        ("Hi", "Dear {{Name}}, hello."),
        ("Hi", "Dear {first_name}, hello."),
        ("Hi", "Dear [Customer Name], hello."),
        ("Hi", "Lorem ipsum dolor sit amet."),
        ("Hi", "TODO"),
        ("Hi", "Regards, [your name]"),
        ("Hi", "Call us at <insert phone here>."),
        ("Hi", "Your order ${order.id} is on its way."),
        ("Hi", "Your order %ORDER_ID% is on its way."),
        ("Hi", "Your order is with [COMPANY]."),
        ("Hi", "Hello <<name>>, welcome."),
    ],
    "marker": [
        ("Hi", "Hello there.<|im_end|>"),
        ("Hi", "Hello there.</s>"),
        ("Hi", "Hello.\n\n### Instruction:\nSay more"),
        ("Hi", "[INST] Hello [/INST]"),
        ("Hi", "Hello.\n\nHuman: What else?"),
        ("Hi", "Hello.\nAssistant: Hello again."),
    ],
    "html": [
        ("Hi", "<p>Hello</p> there"),
        ("Hi", "Fish &amp; chips"),
        ("Hi", "One<br/>two"),
        ("Hi", 'See <a href="x">here</a>'),
        ("Hi", "It&#39;s fine"),
    ],
    "mojibake": [
        ("Hi", "caf\u00c3\u00a9"),
        ("Hi", "it\u00e2\u20ac\u2122s"),
        ("Is \ufffd ok?", "Yes."),
        ("Hi", "5 \u00e2\u201a\u00ac"),
        ("Hi", "\u00d0\u0178\u00d1\u20ac\u00d0\u00b8"),
    ],
    "quoted": [
        ("Hi", "It is on its way.\n\nOn Mon, 3 May 2021 at 10:12, Jo <jo@x.org> wrote:\n> Where is it?"),
        ("Hi", "It is on its way.\n-----Original Message-----\nFrom: Jo"),
        ("Hi", "It is on its way.\n\nFrom: Jo\nSent: Monday\nTo: Us\nSubject: Parcel"),
        ("Hi", "Es ist unterwegs.\n\nAm 3. Mai 2021 um 10:12 schrieb Jo:\n> Wo ist es?"),
        ("Hi", "It is on its way.\n> Where is it?\n> I wait.\n> Jo"),
    ],
    "signature": [
        ("Hi", "It is on its way.\n\nBest regards,\nMaria\nSupport Team"),
        ("Hi", "It is on its way.\nSent from my iPhone"),
        ("Hi", "It is on its way.\n-- \nMaria, Shop Ltd"),
        ("Hi", "Es ist unterwegs.\n\nMit freundlichen Gr\u00fc\u00dfen\nMaria"),
    ],
    "boilerplate": [
        ("Hi", "As an AI language model, I cannot."),
        ("Hi", "I\u2019m an AI assistant."),
        ("Tell me about Rome", "I don't have personal experiences, but it is old."),
        ("Tell me about Rome", "I'm sorry, but I can't assist with that request."),
        ("Tell me about Rome", "My knowledge cutoff is 2021."),
        ("Was ist Rom?", "Als KI-Sprachmodell kann ich das nicht sagen."),
        ("Qu'est-ce que Rome?", "En tant que mod\u00e8le de langage, je ne sais pas."),
    ],
    "missing_input": [
        ("Summarize the following text:", "The text is about dogs."),
        ("Translate the following sentence into French.", "Bonjour."),
        ("What is the main idea of the passage below?", "It is about dogs."),
        ("Classify this review as positive or negative.", "Positive"),
        ("Correct the grammar in this sentence:", "I am fine."),
        ("Fasse den folgenden Text zusammen:", "Es geht um Hunde."),
        ("Summarize the article.", "Please provide the article that you want me to summarize."),
    ],
}
FINE = [
    ("Hi", "No."),
    ("2 + 2?", "4"),
    ("Which sign?", "+"),
    ("hello", "Hello"),
    ("Is any of them open?", "None of them"),
    ("Is it A, B or none?", "None"),
    ("Say it twice", "Very good, very good indeed."),
    ("{{Name}} asks", "What does {{ mean?"),
    ("Plan", "Put milk on your todo list."),
    ("Who?", "A language model predicts words."),
    ("Translate", "\u00c2ge, \u00c3o, na\u00efve, 5 \u20ac"),
    ("List", " ".join(f"{n} times {n} is {n * n}," for n in range(4))),
    ("Is Paris the capital of France?", "Yes, Paris is the capital of France."),
    ("The first king of the Gupta dynasty was", "The first king of the Gupta dynasty was Sri Gupta."),
    ("Rewrite: he go home every day", "He goes home every day."),
    ("Classify as cat or dog: Felix, Tom, Rex", "cat, cat, cat, cat, cat, cat, dog, cat, cat, cat"),
    ("Repeat the word yes ten times", "yes " * 10),
    ("Write the chorus of a poem", "Row, row, row your boat.\n" * 5),
    ("Sequence", "0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1"),
    ("Write a template for a letter", "Dear [Name], hello."),
    ("What does [EMAIL-3] want?", "[EMAIL-3] wants to know."),
    ("Write HTML for a line", "<p>Hello</p>"),
    ("Is 2 < 3 && 4 > 3?", "Yes: 2 < 3 and 4 > 3; AT&T is a company."),
    ("Show code", "Use `<br>` here:\n```\n<p>{name}</p>\n```"),
    ("Write an email to Jo", "Dear Jo,\nit is here.\n\nBest regards,\nMaria"),
    ("Quote somebody", "> To be or not to be\n\nThat is from Hamlet."),
    ("Are you an AI?", "I am an AI assistant."),
    ("Who would know?", "Ask an AI researcher, as an AI company would."),
    ("Translate into German: How are you today?", "Wie geht es dir und was machst du heute?"),
    ("Name some players of the French team", "Le Normand, Des Moines, La Rue, Du Pont, Les Bleus"),
    ("Which of the following is odd? Red, blue, cat", "Cat"),
    ("Summarize the following text:\n\nDogs bark at night.", "Dogs bark."),
    ("Translate the following sentence: 'I am here'", "Je suis l\u00e0."),
    ("How do I find this article of clothing in my size?", "Look at the label."),
    ("What is a list of numbers?", "Several numbers, one after another."),
]


@pytest.mark.parametrize(("rule", "row"), [(rule, row) for rule, rows in FOUND.items() for row in rows])
def test_a_rule_finds_what_it_is_for(dataset: Make, rule: str, row: tuple[str, str]) -> None:
    found = RULES[rule](dataset(row).examples[0])
    assert (found and found.rule, found and found.reason) == (rule, found and found.reason)


@pytest.mark.parametrize("row", FINE)
def test_the_rules_leave_this_alone(dataset: Make, row: tuple[str, str]) -> None:
    example = dataset(row).examples[0]
    assert {name: found for name, rule in RULES.items() if (found := rule(example))} == {}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_leaves_other_rules_faults_alone(dataset: Make, rule: str) -> None:
    others = [row for name, rows in FOUND.items() if name not in (rule, "blank") for row in rows[:1]]
    allowed = {"short", "trivial"}
    found = {row: hit.rule for row in others if (hit := RULES[rule](dataset(row).examples[0]))}
    assert {row: name for row, name in found.items() if name not in allowed} == {}


def test_every_rule_has_cases() -> None:
    assert set(FOUND) == set(RULES)


def test_each_trained_answer_is_looked_at_and_its_turn_is_named() -> None:
    turns = [
        Turn(Role.USER, "Hi"),
        Turn(Role.ASSISTANT, "Hello."),
        Turn(Role.USER, "More"),
        Turn(Role.ASSISTANT, "<p>x</p>"),
    ]
    told = RULES["html"](Example("1", Conversation(tuple(turns)), Source("f", (1,))))
    untrained = [*turns[:3], Turn(Role.ASSISTANT, "<p>x</p>", trained=False)]
    silent = RULES["html"](Example("1", Conversation(tuple(untrained)), Source("f", (1,))))
    assert (told and told.reason, silent) == ("remains of HTML in turn 4: \u201c<p>\u201d", None)


TEXTS = {
    "English": "This is the text that you have asked for, and it is not long.",
    "German": "Das ist der Text, den Sie haben wollten, und er ist nicht lang.",
    "French": "Voici le texte que vous avez demand\u00e9, et il n'est pas tr\u00e8s long pour nous.",
    "Spanish": "Este es el texto que usted ha pedido, y no es muy largo para los dem\u00e1s.",
    "Italian": "Questo \u00e8 il testo che hai chiesto, e non \u00e8 molto lungo per gli altri.",
    "Portuguese": "Este \u00e9 o texto que voc\u00ea pediu, e n\u00e3o \u00e9 muito longo para os outros.",
    "Dutch": "Dit is de tekst die je hebt gevraagd, en het is niet zo lang als wij dachten.",
    "Polish": "To jest tekst, o kt\u00f3ry prosi\u0142e\u015b, i nie jest on zbyt d\u0142ugi dla nas.",
    "Turkish": "Bu sizin istedi\u011finiz bir metin ve \u00e7ok uzun de\u011fil ama daha iyi olan var.",
    "Japanese": "これはあなたが求めた文章です。あまり長くありません。",
    "Chinese": "这是您要的文本，它不是很长，请您仔细阅读。",
    "Korean": "이것은 당신이 요청한 텍스트입니다. 길지 않습니다.",
    "Russian": "Это текст, который вы просили.",
    "": "Madrid, Paris, Berlin, Roma, La Paz",
}


@pytest.mark.parametrize("name", TEXTS)
def test_language_of_a_text(name: str) -> None:
    assert language(TEXTS[name]) == name


def test_a_question_that_gives_an_address_asks_for_no_mail(dataset: Make) -> None:
    row = ("Where is it? My email is [EMAIL-1].", "It is on its way.\n\nBest regards,\nMaria")
    assert RULES["signature"](dataset(row).examples[0])
