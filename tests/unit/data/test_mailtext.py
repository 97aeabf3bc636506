"""What is left of a message: HTML, quotes, signatures and greetings."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.data.htmltext import to_text
from tutelage.data.mailtext import clean

QUOTED, SIGNED, GREETED = "quoted part cut", "signature cut", "greeting cut"

CUT = {
    "a whole mail": (
        "Hi Anna,\n\nThank you for contacting Brambeck Support. Please press reset.\n\nBest regards,\nJonas Weber\n"
        "Customer Care\n+49 30 1234",
        "Please press reset.",
        {SIGNED, GREETED},
    ),
    "a German mail": (
        "Sehr geehrte Damen und Herren,\n\nmein Login geht nicht.\n\nMit freundlichen Grüßen\nAnna Beck\n\n"
        "Von meinem iPhone gesendet",
        "Mein Login geht nicht.",
        {SIGNED, GREETED},
    ),
    "thanks and a set phrase": (
        "Guten Tag Frau Beck,\n\nvielen Dank für Ihre Nachricht.\n\nDas Geld kommt morgen.\n\nViele Grüße, Jonas",
        "Das Geld kommt morgen.",
        {SIGNED, GREETED},
    ),
    "quoted below": (
        "Please try again.\n\nOn Tue, Mar 5, 2024 at 2:30 PM Anna <anna@example.com> wrote:\n\n> secret\n> more secret",
        "Please try again.",
        {QUOTED},
    ),
    "quoted below, heading on two lines, no marks": (
        "Please try again.\n\nOn Tue, Mar 5, 2024 at 2:30 PM Anna Beck\n<anna@example.com> wrote:\n\nsecret",
        "Please try again.",
        {QUOTED},
    ),
    "quoted above": ("On 5 Mar 2024, A wrote:\n> secret\n> secret\n\nMy answer.", "My answer.", {QUOTED}),
    "quoted in between": ("> secret one?\nYes.\n> secret two?\nNo.", "Yes.\nNo.", {QUOTED}),
    "quoted in German": ("Ja.\n\nAm 05.03.2024 um 14:30 schrieb Support:\n> secret", "Ja.", {QUOTED}),
    "Outlook": (
        "Danke!\n\n________________________________\nVon: Support\nGesendet: Dienstag\nAn: Anna\nBetreff: Re\n\nsecret",
        "Danke!",
        {QUOTED},
    ),
    "Outlook without a rule": (
        "Fixed.\n\nFrom: Anna <a@example.com>\nSent: Tuesday\nTo: Support\nSubject: Login\n\nsecret",
        "Fixed.",
        {QUOTED},
    ),
    "original message": ("Fixed.\n-----Original Message-----\nsecret", "Fixed.", {QUOTED}),
    "forwarded": ("See below.\n\n---------- Forwarded message ---------\nFrom: x\nsecret", "See below.", {QUOTED}),
    "reply above this line": (
        "It works.\n\n##- Bitte geben Sie Ihre Antwort oberhalb dieser Zeile ein. -##\n\nsecret",
        "It works.",
        {QUOTED},
    ),
    "quoted, the heading broken inside the address": (
        "Klappt.\n\nAm Mo., 4. März 2024 um 10:00 Uhr schrieb Support <\nhelp@example.com>:\n\n> secret",
        "Klappt.",
        {QUOTED},
    ),
    "dashes": ("Yes, that works.\n-- \nJo\nExample Ltd", "Yes, that works.", {SIGNED}),
    "a notice": ("Yes.\n\nThis e-mail is confidential and intended only for the addressee.", "Yes.", {SIGNED}),
    "a postscript stays": (
        "Do this.\n\nRegards\nJo\n\nPS: Bring the receipt.",
        "Do this.\n\nPS: Bring the receipt.",
        {SIGNED},
    ),
    "a greeting in the line": ("Hi Anna, could you restart it?", "Could you restart it?", {GREETED}),
    "a greeting and a set phrase": ("Hey there! Thanks for reaching out. It ships.", "It ships.", {GREETED}),
}


@pytest.mark.parametrize("case", CUT)
def test_what_is_cut(case: str) -> None:
    body, text, cuts = CUT[case]
    cleaned = clean(body)
    assert (cleaned.text, set(cleaned.cuts)) == (text, cuts)


KEPT = (
    "Hello I cannot log in.",
    "Hi I can't log in!",
    "Hello my printer broke, what now?",
    "Thanks for your message, the refund was issued.",
    "Thank you for your patience while the refund of 20 euros went out",
    "Am 3. März schrieb ich Ihnen:\nBitte melden!",
    "I wrote on 3 May:\nplease call",
    "Am 3. März war ich da.\nDann schrieb der Support:\nBitte warten!",
    "On 3 May your colleague wrote me:\nwait",
    "Step 1: open it.\n--\nStep 2: tap reset and wait until the light is green again.",
    "Bitte beachten:\nDiese Nachricht ist nicht vertraulich.",
    "From: Berlin\nTo: Hamburg\nDate: 3 May\nCan I change it?",
    "Yes.\n\nBest regards,\nAnna\n\nOn your second point: the refund takes three days.",
    "Two ways:\n\n____________________________\n\nfirst, or second.",
    "Rate us:\nbest\ngood\nbad",
    "a < b and c > d",
    "The e-mail address was intended as a second login.",
    "Write to <help@example.com> for more.",
    "Menu > Account > Orders",
    # nothing else would be left
    "Hallo!",
    "Thanks!",
    "Liebe Grüße\nAnna",
    "Thank you for contacting us.",
)


@pytest.mark.parametrize("body", KEPT)
def test_what_may_be_the_message_is_kept(body: str) -> None:
    assert clean(body) == clean(clean(body).text)
    assert clean(body).text == body


@pytest.mark.parametrize(
    "body", ["> only\n> a quote", "-----Original Message-----\nsecret", "<blockquote>x</blockquote>"]
)
def test_a_quote_alone_leaves_nothing(body: str) -> None:
    cleaned = clean(body)
    assert (cleaned.text, QUOTED in cleaned.cuts) == ("", True)


PAGES = {
    "<p>Hi <b>Anna</b>,</p><p>press:</p><ol><li><p>Reset</p></li><li>Wait</li></ol><ul><li>or</li></ul>": (
        "Press:\n\n1. Reset\n\n2. Wait\n\n- or"
    ),
    '<div>See <a href="https://a.example/reset">the guide</a> or <a href="https://b.example/">b.example</a>.</div>': (
        "See the guide (https://a.example/reset) or b.example."
    ),
    '<div dir="ltr">Works</div><br><div class="gmail_quote">secret<blockquote>secret</blockquote></div>': "Works",
    '<p>Works</p><div id="x_divRplyFwdMsg"><b>From:</b> secret</div><p>secret</p>': "Works",
    "<p>Works</p><blockquote>secret<blockquote>secret</blockquote></blockquote><p>Really</p>": "Works\n\nReally",
    "<div>one</div><div>two</div><div><br></div><div>three</div>": "one\ntwo\n\nthree",
    "<div>Yes</div><div class='gmail_signature'>Jo, Example Ltd</div>": "Yes",
    "<style>p{}</style><!--[if mso]>secret<![endif]--><![if !mso]>a &lt; b<br>d<script>'<p>'</script>e": "a < b\nde",
    "<pre>one\n  two</pre>": "one\n  two",
    "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>": "a b\nc",
    "<p>open <b>and <i>never closed": "open and never closed",
    "<p>x</p></div></p></section>y": "x\n\ny",
    "<p>a<br/>b&nbsp;&uuml;</p><img src='cid:1'>": "a\nb ü",
    '<p title="a > b">x</p>': "x",
}


@pytest.mark.parametrize("page", PAGES)
def test_html_becomes_text(page: str) -> None:
    assert clean(page).text == PAGES[page]


def test_known_markup_without_tags_keeps_its_lines() -> None:
    assert clean("a &amp; b\nc <help@example.com>", markup=True).text == "a & b\nc <help@example.com>"


HOSTILE = {
    "brackets": "<" * 200_000,
    "tags never closed": "<a " * 60_000,
    "quotes never closed": '<p><a href="' * 20_000,
    "comments never closed": "<p>" + "<!--" * 50_000,
    "declarations": "<p>" + "<![x" * 40_000,
    "deep": "<div>" * 30_000 + "x",
    "deep quotes": "<blockquote>" * 15_000,
    "ends": "</p>" * 40_000,
    "headings": ("on " + "wrote " * 48 + ":\n") * 600,
    "headers": "From: x\n" * 20_000,
    "dashes": "--\n" * 50_000,
    "sign-offs": "regards\n" * 20_000,
    "greetings": "Hi " * 60_000,
    "lines": "\n" * 200_000,
    "one line": "x" * 2_000_000,
    "spaces": " " * 500_000 + "x",
    "entities": "<p>" + "&amp;" * 40_000,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_the_time_is_linear(case: str) -> None:
    since = time.process_time()
    clean(HOSTILE[case], markup=True)
    assert time.process_time() - since < 3  # quadratic time is minutes


PIECES = st.sampled_from(
    [
        *("Hi Anna,\n", "> q\n", "On 5 Mar 2024, A wrote:\n", "Best regards\n", "-- \n", "<p>", "</p>", "<blockquote>"),
        *("From: a\n", "Sent: b\n", "Subject: c\n", "word ", "\n", "<![if x]>", "<!--", "-->", "<", ">", '"', "&lt;"),
        *("é", "\u2028", "\0"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=30).map("".join))
def test_nothing_raises_and_the_text_is_tidy(body: str) -> None:
    for markup in (False, True):
        text = clean(body, markup).text
        assert (text, "\n\n\n" in text, "\r" in text) == (text.strip(), False, False)
    to_text(body)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["alpha", "beta 7", "Gamma!", ""]), min_size=1, max_size=6), st.integers(0, 2))
def test_quoted_text_never_stays(said: list[str], style: int) -> None:
    quote = ["secret one", "secret two"]
    parts = [
        ["", "On 5 Mar 2024 at 10:00, A <a@b.example> wrote:", *(f"> {line}" for line in quote)],
        ["", "-----Original Message-----", *quote],
        ["", "From: A <a@b.example>", "Sent: today", "To: B", "Subject: C", "", *quote],
    ]
    cleaned = clean("\n".join([*said, *parts[style]]))
    assert "secret" not in cleaned.text
    assert cleaned.text.split() == " ".join(said).split()
