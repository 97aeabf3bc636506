"""What keys, tokens and passwords look like. Each is looked for in time that grows with the text's length only."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from tutelage.data.exchange import word_set
from tutelage.data.personal_shapes import NEAR, Span, apart

_KNOWN_KEYS = re.compile(
    r"""(?<![\w-])(?:
      -----BEGIN\ (?:[A-Z0-9]{1,20}\ ){0,3}PRIVATE\ KEY(?:\ BLOCK)?-----(?:[^-]|-(?!----)){0,20000}
        (?:-----END\ (?:[A-Z0-9]{1,20}\ ){0,3}PRIVATE\ KEY(?:\ BLOCK)?-----)?
    | eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{6,}
    | sk-[A-Za-z0-9_-]{16,} | [srp]k_(?:live|test)_[A-Za-z0-9]{10,} | whsec_[A-Za-z0-9]{16,}
    | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_\w{20,} | glpat-[\w-]{16,} | hf_[A-Za-z0-9]{20,} | npm_[A-Za-z0-9]{20,}
    | pypi-[\w-]{20,} | (?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,20}(?!\w) | AIza[\w-]{30,} | ya29\.[\w-]{20,}
    | xox[abeoprs]-[\w-]{10,} | SG\.[\w-]{16,}\.[\w-]{16,} | shp(?:at|ca|pa|ss)_[0-9a-fA-F]{20,}
        | do[opr]_v1_[0-9a-f]{40,}
    | (?:key|pubkey)-[0-9a-f]{32} | (?:SK|AC)[0-9a-f]{32}(?!\w) | gsk_[A-Za-z0-9]{20,} | r8_[A-Za-z0-9]{20,}
    | hooks\.slack\.com/services/[\w/]{20,} | \d{8,10}:AA[\w-]{30,}
    )""",
    re.VERBOSE,
)
SHORTEST = 12
"""No key is shorter; a text without a word that long has none."""
BARE = 14
"""No key is shorter that stands without a word which says that it is one."""
KEY_WORDS = ("key", "token", "secret", "credential", "bearer", "_id", " id", "-id")
_LABEL = (
    r"(?:api|access|auth(?:entication|orization)?|bearer|client|secret|private|session|refresh|encryption|signing"
    r"|license)"
    r"[ _-]?(?:access[ _-]?)?(?:key|token|secret|id)|token|secret|credential|AWS_SECRET_ACCESS_KEY"
)
_LABELLED_KEY = re.compile(
    rf"(?<![A-Za-z])(?:{_LABEL})s?[\"'`]?\s{{0,3}}(?::|=>?"
    rf"|\bis\b:?)\s{{0,3}}(?:Bearer\s)?[\"'`]?([A-Za-z0-9_+/.~=-]{{12,512}})"
    r"|\bBearer\s{1,3}([A-Za-z0-9_+/.~=-]{20,4000})",
    re.IGNORECASE,
)
_BARE_KEY = re.compile(r"(?<![\w/+=.@-])[A-Za-z0-9+/_-]{36,512}={0,2}(?![\w/+=@.-])")
_PASSWORD = re.compile(
    r"(?<![A-Za-z])(?:password|passwort|passphrase|passcode|passwd|pwd|kennwort|mot de passe|contrase\u00f1a|senha"
    r"|wachtwoord"
    r"|pin(?: code| number)?|db_pass(?:word)?|user_pass|(?:pw|pass)(?= ?[:=]))[\"'`]?\s{0,3}(?:(:|=>?)|\b(?:is|was|ist"
    r"|lautet|est|es"
    r"|to)\b:?)\s{0,3}"
    r"[\"'`\u201c]?([^\s\"'`\u201c\u201d,;<>()\[\]{}]{4,64})",
    re.IGNORECASE,
)
_PASS = re.compile(
    r"[PpKkCcSsWwMm](?:(?i:(?<=p)(?:ass|wd|in|w)|(?<=k)ennw|(?<=c)ontras|(?<=s)enha|(?<=w)achtw|(?<=m)ot"
    r" de))"
)
_NO_PASSWORD = word_set(
    "required incorrect invalid wrong reset changed none null optional hidden enter your the this that correct expired"
    " weak"
    " strong protected case-sensitive encrypted hashed string true false must should minimum field forgot forgotten"
    " new old"
    " not too stored sent empty blank missing unknown str text password same here below above shown"
)
_POSTAL = re.compile(r"\b(?:postal|post|zip|area|indian?)\b", re.IGNORECASE)


def keys(text: str) -> Iterator[Span]:
    """API keys, tokens, JWTs and blocks with private keys."""
    longest = max(map(len, text.split()), default=0)
    if longest < SHORTEST:  # as in most texts
        return
    is_long = longest >= BARE or "PRIVATE KEY" in text
    found = [hit.span() for hit in _KNOWN_KEYS.finditer(text)] if is_long else []
    lowered = text.lower()
    for hit in _LABELLED_KEY.finditer(text) if any(word in lowered for word in KEY_WORDS) else ():
        group = 1 if hit[1] else 2
        value = hit[group].rstrip(".")
        if _is_random(value, 2.8) and not value.isalpha():
            found.append((hit.start(group), hit.start(group) + len(value)))
    for hit in _BARE_KEY.finditer(text) if is_long else ():
        value = hit[0]
        mixed = any(map(str.islower, value)) and any(map(str.isupper, value)) and sum(map(str.isdigit, value)) >= 4
        if mixed and value.count("/") <= 2 and value.count("-") + value.count("_") <= 2 and _is_random(value, 4.0):
            found.append(hit.span())
    yield from apart(found)


def _is_random(value: str, bits: float) -> bool:
    """Whether a text's characters are as mixed as those of a key: Shannon entropy, in bits a character."""
    counts = Counter(value)
    entropy = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    return entropy >= bits and any(map(str.isdigit, value))


def passwords(text: str) -> Iterator[Span]:
    """What stands after `password:` and its like, where it is a password and not the sentence going on."""
    for hit in _PASSWORD.finditer(text) if _PASS.search(text) else ():
        value = hit[2].rstrip(".!?:")
        start = hit.start(2)
        if len(value) < 4 or value.casefold() in _NO_PASSWORD or set(value) <= set("*xX.\u2022_-"):
            continue
        if _POSTAL.search(text[max(0, hit.start() - NEAR) : hit.start()]):
            continue
        is_pin = text[hit.start() : hit.start() + 3].casefold() == "pin"
        has_sign = any(not c.isalpha() for c in value[:-1]) and any(map(str.isalnum, value))
        odd = has_sign or not value[1:].islower()
        ends_line = hit[1] and re.match(r"[ \t]*(?:[,;\n]|\Z)", text[hit.end() : hit.end() + 40])
        if value.isdigit() if is_pin else odd or ends_line:
            yield start, start + len(value)
