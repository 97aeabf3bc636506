"""Personal data and secrets: what is found and what is left alone, and stand-ins that a key undoes."""

from __future__ import annotations

import json
import os
import random
import stat
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.data import personal
from tutelage.data.personal_shapes import luhn
from tutelage.errors import DataError
from tutelage.records import Conversation, Dataset, Ledger, Role, Source, Turn, with_ids

Make = Callable[..., Dataset]

FOUND = {
    "EMAIL": [
        "write to max.muster@example.com please",
        "<jane_doe+news@mail.example.co.uk>",
        "Mail: o'neil@b\u00fccher.example.",
        "reach me: jane [at] example [dot] org",
        "jane(at)example.com",
    ],
    "PHONE": [
        "call +49 170 1234567 now",
        "Phone:555-123-4567",
        "my number: (555) 123-4567.",
        "1-800-555-0199",
        "555.867.5309",
        "Tel. 030 / 1234567",
        "0171-2345678 is mine",
        "06 12 34 56 78",
        "020 7946 0958",
        "+1 (212) 555-0100",
        "0044 20 7946 0958",
        "WhatsApp 01723456789",
        "Please call 555-0123 today",
        "it is,+61 491 570 006 thanks",
        "write to (+353 20 912 3456) or not",
        "my pin for it is 0161 496 0123 10 am",
        "she said no.+33 6 39 98 01 02 maybe",
        "+34 612 34 56 78 2 people",
        "we are at (0131) 496 0999 now",
        "08-465 004 12 in Stockholm",
        "his old number was 612 345 678",
    ],
    "CARD": [
        "card 4111 1111 1111 1111 exp",
        "5500005555555559",
        "amex 3782-822463-10005",
        "3782 822463 10005",
        "my credit card number is 6011111111111117",
        "account 5105 1051 0510 5100 10 am",
        "the customer has 3714 496353 98431, I think",
        "charged from 4539578763621486 twice",
        "an old one, 4222 222 222 222, still works",
        "in fours it is 3782 8224 6310 005",
    ],
    "IBAN": [
        "IBAN DE89 3704 0044 0532 0130 00 and",
        "GB82WEST12345698765432",
        "FR14 2004 1010 0505 0001 3M02 606",
        "NO9386011117947 ok",
    ],
    "IP": [
        "from 203.0.113.17 came",
        "192.168.10.5",
        "server 8.8.8.8",
        "8.8.4.4 is a dns",
        "it was 45.83.61.27 all day",
        "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "host fe80::1ff:fe23:4567:890a.",
    ],
    "KEY": [
        "sk-proj-abcdEFGH1234567890abcdEFGH",
        "export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+IBAAK/CAQEA\n-----END RSA PRIVATE KEY-----",
        "api_key: 9f8a7b6c5d4e3f2a1b0c",
        "Authorization: Bearer a1b2c3d4e5f6a7b8c9d0e1f2",
        "token = 'q8Zt5Lw2Xv9Rb4Nc'",
        "wJalrXUtnFEMI/K7MDENG9bPxRfiCYEXAMPLE1KEYx2",
        "xoxb-123456789012-abcdefGHIJKL",
    ],
    "PASSWORD": [
        "Password: hunter2",
        "my password is S3cret!pass",
        "user: jo\npassword: sunshine\nthanks",
        "pwd=Tr0ub4dor",
        "Passwort lautet Blau12Himmel",
        "my PIN is 4821",
        "login jo / pw: Blume77",
        '"password": "abc123xyz"',
    ],
}
LEFT_ALONE = [
    "order 4111111111111112 was shipped",
    "Order #4539578763621486 is late",
    "tracking number 9400110200881234567890",
    "invoice 20240117-0042",
    "on 2024-01-17 and 17.01.2024, from 1990-1995",
    "version 10.2.3.4 and v1.2.3.4, Chrome 91.0.4472.124",
    "127.0.0.1 and 0.0.0.0, section 1.2.3.4",
    "ISBN 978-3-16-148410-0",
    "pi is 3.14159265358979",
    "population 1 234 567 and 1,234,567 dollars",
    "0 1 2 3 4 5 6 7 8 9 10 11",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "550e8400-e29b-41d4-a716-446655440000",
    "std::vector<a::b>, at 12:30:45, mac 00:1a:2b:3c:4d:5e",
    "follow @jane or see icon@2x.png and git@github.com:a/b",
    "The password is incorrect. Reset your password: click here",
    "Your password must be changed; password: ******",
    "the token is required, and the secret is out",
    "DE89 3704 0044 0532 0130 01 has another check digit",
    "account number is 9931939443153",
    "ticket 555-123-4567",
    "12345678901234567890123456789",
    "Call us within 30 days or 1234 hours",
    "the key-value store, sk-learn and task-oriented-dialogue-systems",
    "https://example.com/a/1234567890?id=4242424",
    "postal pin code is 342312",
    "Python 3.11.7.1 and 10.15.7",
    "numbers 07 12 19 23 34 41",
    "078-05-1120 is neither",
    "{{phone}} and [EMAIL-3]",
    "the book has 978 3 16 148410 0 on its back",
    "I called about ticket 020 7946 0958",
    "call it a day at 5 or 6",
    "a table of 12 345 678 and 23 456 789",
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in FOUND.items() for text in texts])
def test_is_found(kind: str, text: str) -> None:
    assert [hit.kind for hit in personal.find(text)] == [kind]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_is_left_alone(text: str) -> None:
    assert [text[hit.start : hit.end] for hit in personal.find(text)] == []


def test_the_place_is_exact() -> None:
    text = "a max@example.com b 192.168.10.5."
    assert [text[hit.start : hit.end] for hit in personal.find(text)] == ["max@example.com", "192.168.10.5"]


def test_a_hit_does_not_hold_its_value() -> None:
    assert "max" not in repr(personal.find("max@example.com"))


def _card(random: random.Random) -> str:
    start = random.choice(["4", "51", "55"])
    body = start + "".join(random.choice(string.digits) for _ in range(15 - len(start)))
    return next(body + digit for digit in string.digits if luhn(body + digit))


def _iban(random: random.Random) -> str:
    body = "".join(random.choice(string.digits) for _ in range(18))
    check = 98 - int(body + "131400") % 97
    return f"DE{check:02}{body}"


MADE: dict[str, Callable[[random.Random], str]] = {
    "EMAIL": lambda r: (
        f"{r.choice(['jo', 'a.b', 'x_1'])}{r.randrange(99)}@{r.choice(['web', 'my-shop'])}.{r.choice(['de', 'com'])}"
    ),
    "PHONE": lambda r: r.choice(["+49 {:03d} {:07d}", "+1-{:03d}-555-{:04d}", "+44 20 {:04d} {:04d}"]).format(
        r.randrange(151, 179), r.randrange(1000, 9999)
    ),
    "CARD": _card,
    "IBAN": _iban,
    "IP": lambda r: ".".join(str(r.randrange(11, 250)) for _ in range(4)).replace("127.", "12."),
    "KEY": lambda r: "sk-" + "".join(r.choice(string.ascii_letters + string.digits) for _ in range(32)),
}
AROUND = ["My {} is right.", "{}", "Please use {}, thanks", "It was ({})", "Name: Jo\nContact: {}\nBye"]
NUMBERS = [
    "order {:012d}",
    "ticket {:08d}",
    "version {}.4.2",
    "in {} of 2024",
    "{} people",
    "SKU-{:09d}",
    "{:,} dollars",
]


def test_recall_and_precision_over_many_made_values() -> None:
    dice = random.Random(0)
    right = found = wanted = 0
    for _ in range(1500):
        kind = dice.choice(sorted(MADE))
        value = MADE[kind](dice)
        text = dice.choice(AROUND).format(value) + " " + dice.choice(NUMBERS).format(dice.randrange(1, 10**9))
        hits = [(hit.kind, text[hit.start : hit.end]) for hit in personal.find(text)]
        wanted += 1
        found += len(hits)
        right += (kind, value) in hits
    assert (right / wanted >= 0.95, right / found >= 0.9) == (True, True), (right, found, wanted)


def test_counts_by_kind(dataset: Make) -> None:
    made = dataset(("I am a@b.de", "Hello a@b.de"), ("From 203.0.113.9", "Fine."))
    assert personal.count(made) == {"EMAIL": 2, "IP": 1}


def test_the_same_value_has_the_same_stand_in_everywhere(dataset: Make, tmp_path: Path) -> None:
    made = dataset(("I am a@b.de", "Hello a@b.de, not c@d.de"), ("A@B.de again", "Call +49 170 1234567"))
    masked = personal.mask(made, tmp_path / "key.json")
    assert [[turn.text for turn in e.conversation.turns] for e in masked.examples] == [
        ["I am [EMAIL-1]", "Hello [EMAIL-1], not [EMAIL-2]"],
        ["[EMAIL-1.2] again", "Call [PHONE-1]"],
    ]
    assert masked.repairs == {"EMAIL masked": 4, "PHONE masked": 1}
    assert (masked.ledger, masked.ledger.balances()) == (made.ledger, True)
    assert personal.unmask(masked, tmp_path / "key.json").examples == made.examples


def test_the_key_is_only_for_its_owner_from_the_start(
    dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    real = os.open

    def watched(path: str, flags: int, mode: int = 0o777) -> int:
        handle = real(path, flags, mode)
        modes.append(stat.S_IMODE(os.fstat(handle).st_mode))
        return handle

    monkeypatch.setattr(os, "open", watched)
    personal.mask(dataset(("a@b.de", "Hi")), tmp_path / "key.json")
    assert modes == [0o600]
    assert stat.S_IMODE((tmp_path / "key.json").stat().st_mode) == 0o600


def test_a_key_is_gone_on_with(dataset: Make, tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    first = personal.mask(dataset(("a@b.de", "Hi")), key)
    again = personal.mask(first, key)
    other = personal.mask(dataset(("c@d.de and a@b.de", "Hi")), key)
    assert again.examples == first.examples
    assert other.examples[0].conversation.turns[0].text == "[EMAIL-2] and [EMAIL-1]"
    assert personal.unmask(first, key).examples[0].conversation.turns[0].text == "a@b.de"


def test_what_looks_like_a_stand_in_stays(dataset: Make, tmp_path: Path) -> None:
    made = dataset(("[EMAIL-1] wrote", "to a@b.de"))
    masked = personal.mask(made, tmp_path / "key.json")
    assert masked.examples[0].conversation.answer == "to [EMAIL-2]"
    assert personal.unmask(masked, tmp_path / "key.json").examples == made.examples


def test_reasons_and_groups_are_masked_too(dataset: Make, tmp_path: Path) -> None:
    from tutelage.data.quality import apply

    made = apply(dataset(("Say: a@b.de", "{{Name}} a@b.de"), ("b", ""), ("c", "d", "a@b.de")))
    masked = personal.mask(made, tmp_path / "key.json")
    assert "a@b.de" not in repr(masked)
    assert masked.examples[1].group == "[EMAIL-1]"


def test_a_file_that_is_no_key_is_kept(dataset: Make, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text('{"kind": "something", "a@b.de": 1}')
    with pytest.raises(DataError, match="is no key") as caught:
        personal.mask(dataset(("a@b.de", "Hi")), tmp_path / "key.json")
    assert "a@b.de" not in str(caught.value)
    assert json.loads((tmp_path / "key.json").read_text())["kind"] == "something"


def test_the_key_lies_beside_the_folder() -> None:
    assert personal.key_file(Path("sets/faq")) == Path("sets/faq.key.json")


PIECES = st.sampled_from(
    [
        "max@example.com",
        "MAX@example.com",
        "+49 170 1234567",
        "[EMAIL-1]",
        "[PHONE-1.2]",
        "4111 1111 1111 1111",
        "203.0.113.7",
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=12)), min_size=1, max_size=8).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3))
def test_masked_and_unmasked_is_the_same(rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    talks = [Conversation((Turn(Role.USER, q), Turn(Role.ASSISTANT, a))) for q, a in rows]
    count = len(rows)
    made = with_ids((talk, Source("made", (number,)), "", ()) for number, talk in enumerate(talks, 1))
    data = Dataset(made, ledger=Ledger(count, count, 0, count, count, 0))
    key = tmp_path_factory.mktemp("keys") / "key.json"
    masked = personal.mask(data, key)
    assert personal.unmask(masked, key).examples == data.examples
    assert not any("example.com" in turn.text for e in masked.examples for turn in e.conversation.turns)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS)
def test_hits_are_in_order_and_apart(text: str) -> None:
    places = [place for hit in personal.find(text) for place in (hit.start, hit.end)]
    assert places == sorted(places)
