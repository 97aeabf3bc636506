"""What personal data and secrets look like. Each shape is looked for in time that grows with the text's length only."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from tutelage.data.exchange import word_set

Span = tuple[int, int]

_EMAIL = re.compile(r"(?<![\w.+%'-])\w[\w.+%'-]{0,63}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?!\w)")
_SPELT_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64} ?[\[({<] ?at ?[\])}>] ?[\w-]{1,63}(?: ?(?:\.|[\[({<] ?dot ?[\])}>]) ?[\w-]{2,24}){1,4}"
    r"(?!\w)|(?<![\w.+-])[\w+-]{1,64}(?: dot [\w+-]{1,64}){0,2} at [\w-]{1,63}(?: dot [\w-]{2,24}){0,2} dot"
    r" (?:com|org|net|edu|gov|info|io|co|de|fr|es|it|nl|uk|eu)(?!\w)",
    re.IGNORECASE,
)
_AT = re.compile(r"[\[({<] ?(?i:at) ?[\])}>]| (?i:dot) (?i:com|org|net|edu|gov|info|io|co|de|fr|es|it|nl|uk|eu)\b")
"""What every spelt-out address holds: looked for first, since most texts have none."""
_NO_TLD = word_set("png jpg jpeg gif svg webp css js ts py html htm json md txt pdf mp4 local localhost")
_IBAN = re.compile(r"[A-Z](?<![A-Za-z0-9].)[A-Z][0-9]{2}(?:[ -]?[A-Z0-9]){11,30}")
_IBAN_LENGTHS = {
    each[:2]: int(each[2:])
    for each in word_set(
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29"
        " ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28"
        " LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25"
        " QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
    )
}
_CARD = re.compile(
    r"(?=([2-6](?<![0-9].)(?<![0-9][.,].)(?:[0-9]{3}([ -]?)[0-9]{4}\2[0-9]{4}\2[0-9]{4}(?:\2[0-9]{3})?"
    r"|[0-9]{3}([ -]?)[0-9]{6}\3[0-9]{4,5}"
    r"|[0-9]{3}([ -])(?:[0-9]{4}\4[0-9]{4}\4[0-9]{1,3}|[0-9]{3}\4[0-9]{3}\4[0-9]{3})"
    r"|[0-9]{12,18}))(?![0-9]|[.,][0-9]{1,2}(?![0-9])))"
)
_BRANDS = (
    (re.compile(r"4"), {13, 16, 19}),
    (re.compile(r"5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)"), {16}),
    (re.compile(r"3[47]"), {15}),
    (re.compile(r"3(?:0[0-5]|[689])"), {14, 16}),
    (re.compile(r"6(?:011|5|4[4-9])|35(?:2[89]|[3-8])"), {16, 19}),
    (re.compile(r"62|50|5[6-8]|6"), {16, 17, 18, 19}),
)
_IPV4 = re.compile(r"[0-9](?<![\w.].)[0-9]{0,2}\.(?:[0-9]{1,3}\.){2}[0-9]{1,3}(?![\w]|\.[0-9])")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
# Before a number with a brand's beginning and Luhn's digit: what an account or a payment is told by is private anyway.
_GOODS = re.compile(
    r"(?:\b(?:order|bestell\w*|invoice|rechnung\w*|ticket|tracking|track|parcel|shipment|serial|sku|isbn|issn|doi|imei"
    r"|item|model|part|article|product|batch|barcode|ean|upc|patent)\b)[^0-9\n]{0,20}\Z",
    re.IGNORECASE,
)
_CARD_NEAR = re.compile(
    r"\b(?:card|visa|mastercard|amex|credit|debit|karte|carte|tarjeta|pan|payment)\b", re.IGNORECASE
)
_VERSION = re.compile(
    r"(?:\b(?:version|release|build|firmware|driver|section|chapter|clause|update|rev)\b\D{0,6}|\bv\.? ?)\Z",
    re.IGNORECASE,
)
_IP_NEAR = re.compile(
    r"\b(?:ip|ipv4|address|server|host|dns|ping|gateway|subnet|router|network|from|connect\w*|https?)\b", re.IGNORECASE
)
NEAR = 40
"""Characters before a number in which a word says what it is."""


def apart(found: list[Span]) -> Iterator[Span]:
    """Spans in order, without those that touch an earlier one."""
    end = 0
    for span in sorted(found):
        if span[0] >= end:
            end = span[1]
            yield span


def emails(text: str) -> Iterator[Span]:
    """E-mail addresses, also with [at] and [dot]."""
    found = []
    if "@" in text:
        for hit in _EMAIL.finditer(text):
            local, _, domain = hit[0].rpartition("@")
            if domain.rpartition(".")[2].casefold() not in _NO_TLD and local != "git":
                found.append(hit.span())
    if _AT.search(text):
        found += [hit.span() for hit in _SPELT_EMAIL.finditer(text)]
    yield from apart(found)


def ibans(text: str) -> Iterator[Span]:
    """Bank accounts: the length of their country, and the remainder 1 by 97."""
    for hit in _IBAN.finditer(text):
        wanted = _IBAN_LENGTHS.get(hit[0][:2], 0)
        places = [place for place, character in enumerate(hit[0]) if character.isalnum()]
        if not wanted or len(places) < wanted:
            continue
        size = places[wanted - 1] + 1
        plain = "".join(filter(str.isalnum, hit[0][:size]))
        whole = size == len(hit[0]) or not hit[0][size].isalnum()
        if whole and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1:
            yield hit.start(), hit.start() + size


def cards(text: str) -> Iterator[Span]:
    """Payment cards: a brand's beginning and length, its usual groups, and Luhn's check digit."""
    end = 0
    for hit in _CARD.finditer(text):
        digits = hit[1].replace(" ", "").replace("-", "")
        if hit.start() < end or len(set(digits)) < 2 or not _has_brand(digits) or not luhn(digits):
            continue
        if text[max(0, hit.start() - 1) : hit.start()].isalnum() or text[hit.end(1) : hit.end(1) + 1].isalnum():
            continue
        before = text[max(0, hit.start() - NEAR) : hit.start()]
        if len(digits) < len(hit[1]) or not _GOODS.search(before) or _CARD_NEAR.search(before):
            end = hit.end(1)
            yield hit.span(1)


def _has_brand(digits: str) -> bool:
    return any(start.match(digits) and len(digits) in sizes for start, sizes in _BRANDS)


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others, as on payment cards."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0


def addresses(text: str) -> Iterator[Span]:
    """IPv4 and IPv6 addresses that belong to somebody: not those every machine has for itself, nor versions."""
    found = []
    for hit in _IPV4.finditer(text):
        parts = hit[0].split(".")
        before = text[max(0, hit.start() - NEAR) : hit.start()]
        if any(int(part) > 255 or part != str(int(part)) for part in parts) or _VERSION.search(before):
            continue
        near = f"{before} {text[hit.end() : hit.end() + NEAR // 2]}"
        brief = all(len(part) < 3 for part in parts) and sum(map(len, parts)) < 7
        like_a_version = brief and parts[0] != "10" and not _IP_NEAR.search(near)
        if parts[0] in ("0", "127", "255") or like_a_version:
            continue
        found.append(hit.span())
    if "::" in text or text.count(":") >= 7:
        found += [hit.span() for hit in _IPV6.finditer(text) if _is_ipv6(hit[0])]
    yield from apart(found)


def _is_ipv6(value: str) -> bool:
    groups = [group for group in value.split(":") if group]
    if len(groups) < 3 or not any(map(str.isdigit, value)):
        return False
    try:
        return not ipaddress.IPv6Address(value).is_loopback
    except ValueError:
        return False


def identity(kind: str, value: str) -> str:
    """What two spellings of one value share: case of an e-mail, blanks of a number."""
    if kind == "EMAIL":
        return value.casefold()
    if kind in ("PHONE", "CARD", "IBAN"):
        return "".join(filter(str.isalnum, value)).casefold()
    return value
