"""Words that people read: no account name, token or password, nothing that a terminal would obey, times as UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_MASK = "***"

# How a name is quoted, in plain text and inside JSON, also JSON inside JSON.
_QUOTE = r"(?:\\*[\"'`]|\\+u00(?:27|22)|&(?:#39|#x27|quot|apos);)"

_ASSIGNED = (
    r"(?i)((?:pass(?:word|wd|phrase)?|secret|token|username|auth|credentials?|(?:api|access|private|secret)[_-]?key"
    r"|(?:^|[_-])pat)(?:\\*[\"'])?\s{0,8}[=:]\s{0,8})"
    r"(?!\*\*\*)(?:\\*\"[^\"\n]{0,512}\"?|\\*'[^'\n]{0,512}'?|[^\s\"'&,;]{1,512})"
)
_OPTION = (
    r"(?<![\w-])((?:-p|-u|--password|--username)(?:\s{1,8}|=))"
    r"(?!\*\*\*)(?:\"[^\"\n]{0,512}\"?|'[^'\n]{0,512}'?|\S{1,512})"
)

_SECRETS = (
    # Docker's own: personal and organization access tokens, and the token ids of Docker Hub's messages.
    (r"(?i)dckr_[a-z]{2,8}_[^\s\"'`,;<>()\[\]{}]*", f"dckr_{_MASK}"),
    # "pull rate limit as 'hubuser': …", and the same where the closing quote was cut off or there are no quotes.
    (rf"(?i)\b(as\s{{1,8}}){_QUOTE}[^\n]{{0,256}}?{_QUOTE}", rf"\g<1>'{_MASK}'"),
    (rf"(?i)\b(as\s{{1,8}}){_QUOTE}(?!\*\*\*')[^\n]{{0,256}}", rf"\g<1>'{_MASK}'"),
    (r"(?i)(rate\s{1,8}limit\s{1,8}as\s{1,8})(?!')\S+", rf"\g<1>'{_MASK}'"),
    # GitHub's, GitLab's, npm's, PyPI's, Slack's and AWS's own.
    (r"\b(?:gh[opsur]|github_pat|glpat|npm|pypi|xox[abps])[_-][\w-]{16,255}", _MASK),
    (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", _MASK),
    (r"(://)[^\s/@\"'<>]{1,512}@", rf"\g<1>{_MASK}@"),
    (r"(?i)\b((?:bearer|basic)\s{1,8})[\w.+/=~-]{6,}", rf"\g<1>{_MASK}"),
    (r"\beyJ[\w-]{8,}(?:\.[\w-]{0,4096}){0,2}", _MASK),
    (_ASSIGNED, rf"\g<1>{_MASK}"),
    (_OPTION, rf"\g<1>{_MASK}"),
)

_TERMINAL_SEQUENCE = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,512}(?:\x07|\x1b\\)?|[@-Z\\^_]?)"


def redact(text: str) -> str:
    """The text without account names, tokens and passwords; a redacted text stays the same."""
    for pattern, replacement in _SECRETS:
        text = re.sub(pattern, replacement, text)
    return text


def harmless(text: str) -> str:
    """The text without terminal sequences and invisible characters; every kind of blank is one space."""
    if text.isprintable():
        return text
    text = re.sub(_TERMINAL_SEQUENCE, "", text)
    return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)


def moment(seconds: float) -> str:
    """`2026-11-27 05:10 UTC` for seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
