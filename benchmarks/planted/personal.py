"""Made-up personal data and secrets, and things that look like them, at random places in support conversations.

Nothing here belongs to anyone: numbers are drawn by seed, telephone numbers from ranges kept for fiction where a
country has one.
"""

from __future__ import annotations

import base64
import json
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

DIGITS, LETTERS = string.digits, string.ascii_letters
FIRST = ("anna", "tom", "li.wei", "m.garcia", "jo-ann", "r2d", "priya", "o'neil", "Kwame", "s_berg", "info", "ztk")
LAST = ("smith", "lopez", "nguyen", "weber84", "okoye", "kowalska", "haddad", "young", "rossi.it", "77")
HOSTS = (
    "gmail.com", "example.org", "mail.example.co.uk", "web.de", "proton.me", "my-shop.io", "uni-bonn.example.de",
    "outlook.com", "EXAMPLE.COM", "yahoo.fr", "acme.technology", "hey.com", "müller.example", "st.ox.ac.uk",
)  # fmt: skip
PHONES = (
    "(###) 555-01##", "###-555-01##", "###.555.01##", "+1 ### 555 01##", "1-800-555-01##", "+1-###-555-01##",
    "###55501##", "020 7946 0###", "+44 20 7946 0###", "07700 900###", "+447700900###", "01632 960###",
    "+44 (0)1632 960 ###", "030 23125 ###", "+49 30 23125###", "0171 39200##", "+49 (0)171 3920 0##",
    "0171/39200##", "01 99 00 ## ##", "+33 1 99 00 ## ##", "06.39.98.##.##", "+34 612 ### ###", "91 ### ## ##",
    "+39 06 #### ####", "+31 6 ########", "020-### ## ##", "+41 44 668 ## ##", "044 668 ## ##", "(02) 5550 ####",
    "+61 491 570 ###", "+91 98765 #####", "(11) 98765-####", "+55 11 9####-####", "03-1234-####",
    "+81 90 1234 ####", "+48 512 ### ###", "08-465 004 ##", "+43 660 #######", "+353 20 91# ####",
    "+27 82 ### ####", "+86 138 #### ####", "0049 30 23125 ###",
)  # fmt: skip
IBANS = {
    "DE": "#" * 18, "GB": "AAAA" + "#" * 14, "FR": "#" * 10 + "A" + "#" * 12, "ES": "#" * 20, "IT": "A" + "#" * 22,
    "NL": "AAAA" + "#" * 10, "BE": "#" * 12, "CH": "#" * 17, "AT": "#" * 16, "PL": "#" * 24, "SE": "#" * 20,
    "NO": "#" * 11, "PT": "#" * 21, "IE": "AAAA" + "#" * 14, "FI": "#" * 14, "DK": "#" * 14,
}  # fmt: skip
CARDS = (("4", 16), ("4", 16), ("51", 16), ("55", 16), ("2223", 16), ("37", 15), ("34", 15), ("6011", 16), ("36", 14),
         ("3530", 16), ("4", 13))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hidden:
    """A text with one value in it: `kind` is empty for what only looks like personal data; `form` is its shape."""

    text: str
    kind: str
    form: str
    start: int
    end: int

    @property
    def value(self) -> str:
        """What was planted."""
        return self.text[self.start : self.end]


def filled(draw: Random, shape: str) -> str:
    """# is a digit, A a capital letter."""
    return "".join(
        draw.choice(DIGITS) if c == "#" else draw.choice(string.ascii_uppercase) if c == "A" else c for c in shape
    )


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 * (doubled > 9)
    return total % 10 == 0


def iban_checks(iban: str) -> bool:
    """Whether the two check digits are right (ISO 13616: the rearranged number is 1 modulo 97)."""
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


def _spaced(draw: Random, number: str, groups: Sequence[int], marks: str = " -") -> str:
    mark, pieces, at = draw.choice(marks), [], 0
    for size in groups:
        pieces.append(number[at : at + size])
        at += size
    return mark.join(piece for piece in pieces if piece)


def email(draw: Random) -> tuple[str, str]:
    """An address."""
    joint, number = draw.choice(["", ".", "_", "-", "+news", "+shop"]), draw.choice(["", draw.randint(1, 1999)])
    name = f"{draw.choice(FIRST)}{joint}{draw.choice(LAST)}{number}"
    host = draw.choice(HOSTS)
    return "." + host.rpartition(".")[2].lower(), f"{name}@{host}"


def phone(draw: Random) -> tuple[str, str]:
    """A number in one of several national notations."""
    shape = draw.choice(PHONES)
    with_area = shape.replace("###", str(draw.randint(201, 989)), 1) if "555-01" in shape else shape
    return shape, filled(draw, with_area)


def card(draw: Random, valid: bool = True) -> tuple[str, str]:
    """A payment card's number; `valid` False: one that fails its check."""
    prefix, size = draw.choice(CARDS)
    body = prefix + "".join(draw.choice(DIGITS) for _ in range(size - len(prefix) - 1))
    check = next(digit for digit in DIGITS if luhn(body + digit))
    number = body + (check if valid else draw.choice([digit for digit in DIGITS if digit != check]))
    groups = {15: (4, 6, 5), 14: (4, 6, 4), 13: (4, 3, 3, 3)}.get(size, (4, 4, 4, 4))
    form = draw.choice(["solid", "grouped", "grouped"])
    return f"{form} {size}", number if form == "solid" else _spaced(draw, number, groups)


def iban(draw: Random, valid: bool = True) -> tuple[str, str]:
    """An account number; `valid` False: one that fails its check."""
    country = draw.choice(list(IBANS))
    body = filled(draw, IBANS[country])
    number = next(n for check in range(2, 99) if iban_checks(n := f"{country}{check:02}{body}"))
    if not valid:
        number = f"{country}{(int(number[2:4]) + draw.randint(1, 50)) % 97 + 2:02}{body}"
        number = number if not iban_checks(number) else f"{country}00{body}"
    form = draw.choice(["solid", "grouped"])
    return f"{country} {form}", number if form == "solid" else _spaced(draw, number, [4] * 9, " ")


def address(draw: Random) -> tuple[str, str]:
    """An IPv4 or IPv6 address from no private range."""
    if draw.random() < 0.6:
        first = draw.choice([n for n in range(11, 223) if n not in (100, 127, 169, 172, 192, 198, 203)])
        return "IPv4", ".".join(map(str, [first, *(draw.randint(0, 255) for _ in range(2)), draw.randint(1, 254)]))
    words = [f"{draw.randrange(1, 65536):x}" for _ in range(8)]
    words[0] = draw.choice(["2001", "2a02", "2600", "2003", "2804"])
    form = draw.choice(["IPv6 full", "IPv6 short", "IPv6 short", "IPv6 padded", "IPv6 capitals"])
    if form == "IPv6 short":
        return form, ":".join(words[: draw.randint(2, 4)]) + "::" + ":".join(words[draw.randint(5, 7) :])
    if form == "IPv6 padded":
        return form, ":".join(word.rjust(4, "0") for word in words)
    return form, ":".join(words).upper() if form == "IPv6 capitals" else ":".join(words)


def _random(draw: Random, size: int, letters: str = LETTERS + DIGITS) -> str:
    return "".join(draw.choice(letters) for _ in range(size))


def _token(draw: Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    body = {"sub": _random(draw, 10, DIGITS), "iat": draw.randint(10**9, 2 * 10**9)}
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(body)}.{_random(draw, 43, LETTERS + DIGITS + '-_')}"


def _pem(draw: Random) -> str:
    kind = draw.choice(["RSA ", "EC ", "OPENSSH ", ""])
    lines = "\n".join(_random(draw, 64, LETTERS + DIGITS + "+/") for _ in range(draw.randint(2, 6)))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


HEX = "0123456789abcdef"
SECRETS: Mapping[str, Callable[[Random], str]] = {
    "AWS": lambda draw: draw.choice(["AKIA", "ASIA"]) + _random(draw, 16, string.ascii_uppercase + "234567"),
    "GitHub": lambda draw: draw.choice(["ghp_", "gho_", "ghs_"]) + _random(draw, 36),
    "GitHub, fine": lambda draw: f"github_pat_{_random(draw, 22)}_{_random(draw, 59)}",
    "OpenAI": lambda draw: "sk-" + _random(draw, 48),
    "OpenAI, project": lambda draw: "sk-proj-" + _random(draw, 64, LETTERS + DIGITS + "_-") + "a",
    "Anthropic": lambda draw: "sk-ant-api03-" + _random(draw, 90, LETTERS + DIGITS + "_-") + "AA",
    "Slack": lambda draw: (
        f"xox{draw.choice('bp')}-{_random(draw, 12, DIGITS)}-{_random(draw, 12, DIGITS)}-" + _random(draw, 24)
    ),
    "Stripe": lambda draw: draw.choice(["sk_live_", "rk_live_", "sk_test_"]) + _random(draw, 24),
    "Google": lambda draw: "AIza" + _random(draw, 34, LETTERS + DIGITS + "_-") + "k",
    "SendGrid": lambda draw: f"SG.{_random(draw, 22)}.{_random(draw, 43)}",
    "GitLab": lambda draw: "glpat-" + _random(draw, 20),
    "Hugging Face": lambda draw: "hf_" + _random(draw, 34, LETTERS),
    "npm": lambda draw: "npm_" + _random(draw, 36),
    "Twilio": lambda draw: "SK" + _random(draw, 32, HEX),
    "JWT": _token,
    "private key": _pem,
}


def secret(draw: Random) -> tuple[str, str]:
    """A key or token of a well-known shape."""
    form = draw.choice(list(SECRETS))
    return form, SECRETS[form](draw)


SHAPES: Mapping[str, tuple[str, ...]] = {
    "order number": ("AA-#######", "#######", "ORD########", "No. 10#####", "####-######"),
    "tracking number": ("1Z999AA1##########", "JD0146######", "AA#########DE"),
    "version": ("version #.1#.#", "v2.#.#", "Chrome 114.0.5735.3##", "build 1904#.###"),
    "date": ("2023-0#-1#", "1#/0#/2022", "0#.1#.2021", "20210#1#", "1# May 20#1"),
    "time": ("1#:#5", "0#:#5:#2", "1#:#0-1#:#5", "2023-01-0#T1#:#0:00Z"),
    "size": ("1920x1080", "##.# x 3#.# cm", "#,###,### bytes", "1#.5 GB", "3#-##-9#"),
    "price": ("$1,###.##", "##.## EUR", "£#,###", "1 ### 000 kr"),
    "ratio": ("16:9", "#:#:#", "1:#0 000", "##:1"),
    "ISBN": ("978-0-##-######-#", "0-###-#####-#", "978#1########1"),
    "handle": ("@anna_w", "@shop.help", "@KestrelTravel", "@tom84"),
    "place": ("LH ####", "BA2##", "room ###", "gate A##", "seat ##F"),
    "position": ("51.5##4, -0.1##8", "4#.####, 1#.####", "N 5# 1#.###"),
    "five numbers": ("#.#.#.#.#",),
    "out of range": ("3##.1#.2#.#", "1#.9##.#.1", "10.2##.4##.1"),
    "name in code": ("std::vector", "a::b", "Foo::Bar::baz()", "x@y", "sk-learn", "key_id", "@media"),
    "years": ("1###-1###", "20##-20##", "1### to 2###", "(19##)"),
    "points": ("# ### ###", "##,###,###", "4 #00 000 000", "1##.###.###"),
}


def _of_shape(shapes: Sequence[str]) -> Callable[[Random], str]:
    """Only shapes with a # are filled: names keep their capitals."""

    def make(draw: Random) -> str:
        shape = draw.choice(shapes)
        return filled(draw, shape) if "#" in shape else shape

    return make


LOOK_ALIKES: Mapping[str, Callable[[Random], str]] = {
    "failing card": lambda draw: card(draw, valid=False)[1],
    "failing IBAN": lambda draw: iban(draw, valid=False)[1],
    "hash": lambda draw: _random(draw, draw.choice([7, 32, 40]), HEX),
    "UUID": lambda draw: "-".join(_random(draw, size, HEX) for size in (8, 4, 4, 4, 12)),
    **{form: _of_shape(shapes) for form, shapes in SHAPES.items()},
}


def look_alike(draw: Random) -> tuple[str, str]:
    """Something that is no personal data."""
    form = draw.choice(list(LOOK_ALIKES))
    return form, LOOK_ALIKES[form](draw)


KINDS: Mapping[str, Callable[[Random], tuple[str, str]]] = {
    "e-mail": email,
    "phone": phone,
    "card": card,
    "IBAN": iban,
    "IP address": address,
    "secret": secret,
}
LEADS = {
    "e-mail": ("you can write to", "my e-mail is", "send it to", "it's registered under", "contact:"),
    "phone": ("call me on", "my number is", "you can reach me at", "text me at", "phone:", "tel."),
    "card": ("my card number is", "charge it to", "the card ending the booking is", "paid with"),
    "IBAN": ("please refund to", "my account is", "IBAN", "the money should go to"),
    "IP address": ("I log in from", "the router shows", "IP", "it says blocked:", "the server at"),
    "secret": ("my key is", "I use the token", "it is set to", "Authorization: Bearer", "api_key ="),
    "": ("it says", "the label reads", "I see", "for", "number", "that is", "it was"),
}


MARKS = (("", ""), ("", ""), ("", "."), ("", ","), ("(", ")"), ('"', '"'), ("", "?"))
"""What may stand right before and after a value."""


def hidden(texts: Sequence[str], seed: int = 0, each: int = 50, look_alikes: int = 300) -> list[Hidden]:
    """Texts with a value of each kind at a random place between words, half of them after words that announce it."""
    draw = Random(f"{seed} personal")
    made = []
    for kind, make in {**KINDS, "": look_alike}.items():
        for _ in range(each if kind else look_alikes):
            form, value = make(draw)
            text = draw.choice(texts)
            places = [0, len(text), *(match.end() for match in re.finditer(r"\s+", text))]
            place = draw.choice(places)
            lead = draw.choice(LEADS[kind]) + " " if draw.random() < 0.5 else ""
            before = text[:place] + ("" if not place or text[place - 1].isspace() else " ") + lead
            opening, closing = draw.choice(MARKS)
            after = f"{closing} {text[place:]}" if text[place:] else closing
            start = len(before) + len(opening)
            made.append(Hidden(before + opening + value + after, kind, form, start, start + len(value)))
    draw.shuffle(made)
    return made
