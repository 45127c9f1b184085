"""Decides whether a text shows that an image pull was throttled, by which limit, and whose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from remediator.core.diagnosis.registry_named import names_other_url, registry_named
from remediator.core.names import DOCKER_HUB
from remediator.core.value import value
from remediator.core.wording import harmless

EXCERPT_LENGTH = 600

WORDS = ("toomanyrequests", "TOOMANYREQUESTS", "Too Many Requests", "pull rate limit", "failed login attempts")
"""One of them is in every evidence; looking for plain words is what makes a log of 50 MB cheap."""

_BEFORE, _AFTER = 800, 400
"""How much of a line is read around a word; some logs are one line."""

_NEAR = 8_000
"""How far back, in characters, the other lines of the same failed pull may be."""

_PATIENCE = 20_000
"""How many lines with such words, but without evidence, are read from the end: only a hostile log has more."""

_COMMAND = 4_096
"""How far back, in characters, a phase context may begin that quotes a command of several lines."""


class Cause(StrEnum):
    """Why a pull was refused; signing in to Docker Hub cures the first only."""

    ANONYMOUS_LIMIT = "anonymous-limit"
    ACCOUNT_LIMIT = "account-limit"
    LOGIN_LOCKOUT = "login-lockout"
    ABUSE_LIMIT = "abuse-limit"
    OTHER_REGISTRY = "other-registry"
    UNKNOWN = "unknown"


@value
class Throttle:
    """A pull that was throttled. `registry` is `docker.io`, another host, or None where the text does not tell.
    `excerpt` holds the decisive lines, joined by " | ", redacted, printable, at most EXCERPT_LENGTH characters: all
    that is kept of them."""

    cause: Cause
    registry: str | None
    excerpt: str


def find_throttle(text: str) -> Throttle | None:
    """The throttled pull that a line or a whole log ends with; None when it shows none. Linear in time.

    The last evidence decides: an earlier refusal did not fail the build. Where it says "429" without the reason, the
    evidence shortly before it gives the reason, since builders repeat an error in a shorter form.
    A command's own text is no evidence, neither where CodeBuild announces the command nor where it quotes it
    (`docker build . || grep toomanyrequests log`).
    """
    last: Throttle | None = None
    nearest, patience = 0, _PATIENCE
    for at in _candidates(text):
        if at < nearest or not patience:
            break
        throttle = _read(text, at)
        if throttle is None:
            patience -= 1
            continue
        if last is None:
            if throttle.cause is not Cause.UNKNOWN:
                return throttle
            last, nearest = throttle, at - _NEAR
        elif throttle.cause is not Cause.UNKNOWN and _same_registry(throttle, last):
            return _joined(throttle, last)
    return last


def is_pull_failure(context: str) -> bool:
    """Does a phase context say that the build's own image could not be pulled, for whatever reason?
    https://docs.aws.amazon.com/codebuild/latest/userguide/troubleshooting.html"""
    return context.lstrip("[ ").startswith("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE")


def _same_registry(one: Throttle, other: Throttle) -> bool:
    return one.registry is None or other.registry is None or one.registry == other.registry


def _joined(reason: Throttle, last: Throttle) -> Throttle:
    excerpt = f"{reason.excerpt[: EXCERPT_LENGTH // 2]} | {last.excerpt}"
    return Throttle(reason.cause, reason.registry or last.registry, excerpt[:EXCERPT_LENGTH])


# Where the words are


def _candidates(text: str) -> Iterator[int]:
    """Positions of the words where evidence may be, the last one first, at most one for each line."""
    places = {word: _last_place(text, word, len(text)) for word in WORDS}
    while (at := max(places.values())) >= 0:
        yield at
        line = _line_start(text, at)
        for word, place in places.items():
            if place >= line:
                places[word] = _last_place(text, word, line)


def _last_place(text: str, word: str, end: int) -> int:
    """Where `word` last stands before `end` as it would in evidence; -1 when it does not."""
    at = text.rfind(word, 0, end)
    while at >= 0 and not _may_be_evidence(text, at, word):
        at = text.rfind(word, 0, at)
    return at


def _may_be_evidence(text: str, at: int, word: str) -> bool:
    """A look at a few characters that lets most near misses go."""
    if word == "Too Many Requests":
        return "429" in text[max(0, at - 200) : at + 80]
    if word == "pull rate limit":
        return "reached your" in text[max(0, at - 32) : at]
    if word == "failed login attempts":
        return text[max(0, at - 9) : at].lower() == "too many "
    return re.match(_AFTER_CODE, text[at + len(word) : at + len(word) + 2]) is not None


def _line_start(text: str, at: int) -> int:
    """Where the line of `at` begins. A JSON document's `\\n` ends a line too, and a long line begins with a word."""
    begin = max(0, at - _BEFORE)
    before = text[begin:at]
    real, escaped = before.rfind("\n"), before.rfind("\\n")
    if real >= 0 or escaped >= 0:
        return begin + max(real + 1, escaped + 2 if escaped >= 0 else 0)
    if begin == 0:
        return 0
    # What is cut off must not be half a token, which nobody could recognise and redact any more.
    blank = before.find(" ")
    return at if blank < 0 else begin + blank + 1


def _line_end(text: str, at: int) -> int:
    after = text[at : at + _AFTER]
    ends = [end for end in (after.find("\n"), after.find("\\n")) if end >= 0]
    return at + (min(ends) if ends else len(after))


def _lines_above(text: str, start: int) -> Iterator[str]:
    """Up to two lines above the one that starts at `start`, the nearer one first."""
    for _ in range(2):
        end = start - (2 if text.endswith("\\n", 0, start) else 1)
        if end <= 0 or not text.startswith(("\n", "\\n"), end):
            return
        start = _line_start(text, end)
        yield _plain(text[start:end])


def _line_below(text: str, end: int) -> str:
    start = end + (2 if text.startswith("\\n", end) else 1)
    return _plain(text[start : _line_end(text, start)])


def _plain(line: str) -> str:
    """The line as a person would read it: JSON's escapes resolved, nothing invisible."""
    return harmless(re.sub(r"\\+u00(?:27|22)", "'", line))


# What they say; `re` compiles these at the first use, so that a start that reads no evidence does not pay for it

# A registry's error code ends in ": ", or stands in quotes; a terminal's colour may be in between.
_AFTER_CODE = r"[\"'\\\r\n\x1b]|:[\s<\\\x1b]|:?\Z"
_ERROR_CODE = (
    r"(?<![\w-])(?:toomanyrequests|TOOMANYREQUESTS)(?::(?=\s|$|<))"
    r"|(?:^|: )(?:toomanyrequests|TOOMANYREQUESTS)\s*$"
    r"|code[\"'\\]*\s*:\s*[\"'\\]*(?:TOOMANYREQUESTS|toomanyrequests)(?=[\"'\\])"
)
_LIMIT_REACHED = r"reached your (?:\w+ )?pull rate limit"
_LOCKED_OUT = r"(?i)too many failed login attempts(?: for username|.{0,80}docker)"
_STATUS = r"429.{0,200}Too Many Requests|Too Many Requests.{0,80}429"
_ABOUT_A_PULL = r"(?i)/v2/|docker|image|manifest|blob|pull|\bjib\b|HAP429"

# The agent's announcements, a shell's trace, a builder's echo of a RUN line, and commands that search for the word.
_COMMAND_LINE = (
    r"\[Container\].{0,60}(?:Running command|Entering command|Command did not exit successfully) "
    r"|^\s*\++ |process \"/bin/sh -c |^#\d+ \[[^\]]{0,80}\d+/\d+\] RUN "
    r"|\| (?:>>> )?RUN |^Step \d+/\d+ : RUN |\b(?:grep|egrep|rg|awk|sed) "
)
_QUOTED = "Error while executing command:"
_END_OF_QUOTE = r"\. Reason: |\n\[Container\] "

# BuildKit has address and status on one line and the reason on the next, the classic builder the image in the step
# before, jib the address below. Other lines nearby may be about another pull.
_SAME_PULL = r"\b429\b|^Step \d+/\d+ : FROM |(?i:error|failed).*/v2/"
_REQUEST_ALONE = r"\s*(?:GET|HEAD) \S+\s*$"

_ACCOUNT = r"pull rate limit\s+as\b|dckr_jti_|increase the limit by upgrading"
_ANONYMOUS = (
    r"unauthenticated pull rate limit|pull rate limit\s*[.,;:!)\]}\"'\\<]|limit by authenticating and upgrading"
    r"|https://(?:docs|www)\.docker\.com/[\w/-]*download-rate-limit"
)
_LIMIT_AT_END = r"pull rate limit\s*$"
_OTHERS_WORDING = r"(?i)(?:Rate|Data limit|Quota) exceeded|allowed: ?\d+/(?:second|minute|hour)|retry-after: "


def _read(text: str, at: int) -> Throttle | None:
    """What the line around `at` is evidence of."""
    start, end = _line_start(text, at), _line_end(text, at)
    line = _plain(text[start:end])
    word = _evidence_in(line)
    if word is None or re.search(_COMMAND_LINE, line[:word]) or _is_in_quoted_command(text, at):
        return None
    lines = [line]
    registry = registry_named(line[:word], line[word:])
    if registry is None:
        told = [other for other in _lines_above(text, start) if re.search(_SAME_PULL, other)]
        registry = next(filter(None, map(registry_named, told)), None)
        lines = [*(other for other in reversed(told) if "429" in other), line]
    if registry is None and line.rstrip().endswith("Too Many Requests"):
        below = _line_below(text, end)
        registry = registry_named(below) if re.match(_REQUEST_ALONE, below) else None
    cause = _cause(line, registry, is_whole=text.startswith(("\n", "\r", "\\n"), end))
    if cause in (Cause.OTHER_REGISTRY, Cause.UNKNOWN):
        known = None if registry == DOCKER_HUB and cause is Cause.OTHER_REGISTRY else registry
        return Throttle(cause, known, _excerpt(lines))
    return Throttle(cause, DOCKER_HUB, _excerpt(lines))


def _evidence_in(line: str) -> int | None:
    """Where the evidence in a line begins; None when it has none."""
    for pattern in (_ERROR_CODE, _LIMIT_REACHED, _LOCKED_OUT):
        if match := re.search(pattern, line):
            return match.start()
    status = re.search(_STATUS, line)
    if status and re.search(_ABOUT_A_PULL, line) and not names_other_url(line):
        return status.start()
    return None


def _is_in_quoted_command(text: str, at: int) -> bool:
    """A failed command's phase context quotes the command, which may have many lines, before it says the reason."""
    quote = text.rfind(_QUOTED, max(0, at - _COMMAND), at)
    return quote >= 0 and not re.search(_END_OF_QUOTE, text[quote:at])


def _cause(line: str, registry: str | None, *, is_whole: bool) -> Cause:
    """`is_whole`: the line ends here. A message that was cut after "pull rate limit" may go on " as 'user'"."""
    if registry not in (DOCKER_HUB, None):
        return Cause.OTHER_REGISTRY
    if re.search(_LOCKED_OUT, line):
        return Cause.LOGIN_LOCKOUT
    if re.search(_ACCOUNT, line):
        return Cause.ACCOUNT_LIMIT
    if "HAP429" in line:
        return Cause.ABUSE_LIMIT
    if re.search(_ANONYMOUS, line) or (is_whole and re.search(_LIMIT_AT_END, line)):
        return Cause.ANONYMOUS_LIMIT
    return Cause.OTHER_REGISTRY if re.search(_OTHERS_WORDING, line) else Cause.UNKNOWN


def _excerpt(lines: list[str]) -> str:
    """Redacted line by line, and before it is cut."""
    from remediator.core.diagnosis.excerpt import redact

    text = " | ".join(redact(line.strip()) for line in lines)
    if len(text) <= EXCERPT_LENGTH:
        return text
    middle = max(text.rfind(word) for word in WORDS)
    start = max(0, min(middle - EXCERPT_LENGTH // 2, len(text) - EXCERPT_LENGTH))
    return f"…{text[start + 1 : start + EXCERPT_LENGTH]}"
