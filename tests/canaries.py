"""The values that must never come out of the functions, and the check that looks for them in all that came out.

Whoever sees something come out tells `saw`; a test in which a text held a canary fails (tests/conftest.py).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

USER = "hubuser"
PASSWORD = 'kanari"6f1c/&+%ecd9'
"""No token of Docker's, so that no redaction knows it by its looks; with signs that JSON and addresses escape."""
AUTH = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
"""Both, as `docker_auth_config` and an Authorization header have them."""
VARIABLE = 'kanari-value-"71b0'
WEBHOOK_SECRET = "kanari-webhook-5d2e"
SOURCE_TOKEN = "kanari-token-93ac"

OTHER_PASSWORDS = ("dckr_pat_right", "dckr_pat_4711", "dckr_pat_ä:b", "dckr_pat_a:b")
"""Those of tests that need one of their own: malformed, not ASCII, with a colon."""

PASSWORD_KIND, USER_KIND, AUTH_KIND = "the secret's password", "the secret's user name", "the secret's auth"
VARIABLE_KIND, WEBHOOK_KIND, TOKEN_KIND = "a variable's value", "the webhook's secret", "the source's token"

CANARIES: Mapping[str, Sequence[str]] = {
    PASSWORD_KIND: (PASSWORD, *OTHER_PASSWORDS),
    USER_KIND: (USER,),
    AUTH_KIND: (AUTH, *(base64.b64encode(f"{USER}:{one}".encode()).decode() for one in OTHER_PASSWORDS)),
    VARIABLE_KIND: (VARIABLE,),
    WEBHOOK_KIND: (WEBHOOK_SECRET,),
    TOKEN_KIND: (SOURCE_TOKEN,),
}

OF_THE_PROJECT = frozenset({VARIABLE_KIND, TOKEN_KIND})
"""What a project is sent back with, and a build that is run again."""

PLAINTEXT = {"name": "KANARI", "value": VARIABLE, "type": "PLAINTEXT"}
"""A variable of a project's own."""

MASK = "***"
SHOWN = 30
"""Characters that are shown before a leak, and as many after it."""
JSON_DEPTH = 3
"""A report is JSON, in a journal item that is JSON, in a request that is JSON."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A canary, by its kind and never its value, where it was seen, and the text around it with all canaries masked."""

    kind: str
    place: str
    around: str

    def __str__(self) -> str:
        return f"{self.kind} in {self.place}: {self.around}"


class Finder:
    """Looks for values in a text: as they are, as JSON and addresses write them, and in base64."""

    def __init__(self, canaries: Mapping[str, Sequence[str]]) -> None:
        self._kinds = {form: kind for kind, values in canaries.items() for value in values for form in forms(value)}
        longest_first = sorted(self._kinds, key=len, reverse=True)
        self._reach = SHOWN + len(longest_first[0])
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        self._shortest = [
            form for form in longest_first if not any(one in form for one in longest_first if one != form)
        ]

    def find(self, place: str, text: str, may_hold: frozenset[str] = frozenset()) -> list[Leak]:
        """The leaks in a text that came out at `place`, where the canaries of the kinds in `may_hold` may be."""
        # A search for each form is eighteen times as fast as one for any of them, and nearly all texts hold none.
        if not any(form in text for form in self._shortest):
            return []
        matches = [match for match in self._pattern.finditer(text) if self._kinds[match[0]] not in may_hold]
        return [Leak(self._kinds[match[0]], place, self._around(text, match)) for match in matches]

    def _around(self, text: str, match: re.Match[str]) -> str:
        before = self._masked(text[max(0, match.start() - self._reach) : match.start()])[-SHOWN:]
        after = self._masked(text[match.end() : match.end() + self._reach])[:SHOWN]
        return f"{before}{MASK}{after}"

    def _masked(self, text: str) -> str:
        return self._pattern.sub(MASK, text)


class Capture:
    """The texts that came out, each of which is looked through once, and the leaks that were in them."""

    def __init__(self, finder: Finder) -> None:
        self.texts = 0
        self.leaks: list[Leak] = []
        self._finder = finder
        self._known: set[tuple[int, frozenset[str]]] = set()

    def saw(self, place: str, text: str, may_hold: frozenset[str] = frozenset()) -> None:
        """This came out at `place`. Only what held nothing is not looked through again."""
        self.texts += 1
        known = (hash(text), may_hold)
        if known in self._known:
            return
        found = self._finder.find(place, text, may_hold)
        if found:
            self.leaks += found
        else:
            self._known.add(known)

    def taken(self) -> tuple[int, tuple[Leak, ...]]:
        """How many texts came out since the last time, and the leaks in them, each once."""
        texts, leaks = self.texts, tuple(dict.fromkeys(self.leaks))
        self.texts, self.leaks = 0, []
        return texts, leaks


def forms(value: str) -> frozenset[str]:
    """All the ways in which a value is written."""
    written = {value, repr(value)[1:-1], quote(value), quote(value, safe=""), quote_plus(value)}
    for ensure_ascii in (True, False):
        escaped = value
        for _ in range(JSON_DEPTH):
            escaped = json.dumps(escaped, ensure_ascii=ensure_ascii)[1:-1]
            written.add(escaped)
    for bytes_before in range(3):
        inner = _base64_within(value.encode(), bytes_before)
        written |= {inner, inner.translate(str.maketrans("+/", "-_")), quote(inner, safe="")}
    return frozenset(written)


def _base64_within(value: bytes, bytes_before: int) -> str:
    """The part of the base64 of a longer text that depends on the value alone, which begins after so many bytes."""
    encoded = base64.b64encode(bytes(bytes_before) + value).decode()
    return encoded[-(-bytes_before * 8 // 6) : (bytes_before + len(value)) * 8 // 6]


_captures = [Capture(Finder(CANARIES))]


def current() -> Capture:
    return _captures[-1]


def saw(place: str, text: str, may_hold: frozenset[str] = frozenset()) -> None:
    """Something came out while a test ran."""
    current().saw(place, text, may_hold)


@contextmanager
def apart() -> Iterator[Capture]:
    """For tests that leak on purpose: what comes out in here is told to this capture, and fails nobody."""
    capture = Capture(Finder(CANARIES))
    _captures.append(capture)
    try:
        yield capture
    finally:
        _captures.remove(capture)
