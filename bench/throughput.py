"""How fast log text is diagnosed, and that twice the text takes no more than about twice the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from remediator.core.diagnosis.throttle import find_throttle

MB = 1_000_000
ROUNDS = 9
HIT = (
    "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
)
# What a log is full of, each line a little different so that nothing can be learnt from repetition.
ORDINARY = "#{n} 12.{n} Get:{n} http://deb.example.org/debian bookworm/main amd64 libexample{n} amd64 1.{n}-2 [{n} kB]"
# Each has a word that evidence has, and is none.
NEAR_MISS = "[{n}] test_client_retries_after_429 Too Many Requests ... ok, grep toomanyrequests: found nothing {n}"

Make = Callable[[int], str]


def ordinary(size: int) -> str:
    return _lines(ORDINARY, size)


def with_hits(size: int) -> str:
    """Evidence at the beginning, so that all of the rest is searched; and near misses on the way."""
    return f"{HIT}\n{_lines(ORDINARY + chr(10) * 40 + NEAR_MISS, size)}"


def near_misses(size: int) -> str:
    return _lines(NEAR_MISS, size)


def one_line(size: int) -> str:
    """No line break at all, and a near miss in every hundred characters."""
    return _lines(NEAR_MISS, size).replace("\n", " ")


def speed(make: Make, size: int) -> float:
    """MB a second, the best of a few rounds."""
    text = make(size)
    return len(text) / MB / _seconds(text)


def doubling(make: Make, size: int) -> float:
    """How many times as long twice the text takes."""
    one, two = make(size), make(2 * size)
    return median(_once(two) / _once(one) for _ in range(ROUNDS))


def _lines(form: str, size: int) -> str:
    per_line = len(form.format(n=123_456)) + 1
    return "\n".join(form.format(n=n) for n in range(100_000, 100_000 + size // per_line))


def _seconds(text: str) -> float:
    return min(_once(text) for _ in range(ROUNDS))


def _once(text: str) -> float:
    began = time.process_time()
    find_throttle(text)
    return time.process_time() - began
