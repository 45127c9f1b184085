"""Keeps of a log's line what is known to be no secret, and masks the rest: nobody can list what secrets look like.

Kept are known words, short numbers, registries' hosts, and images where a message's own form shows that one stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from remediator.core.codebuild.image import COMPONENT, TAG
from remediator.core.diagnosis.words import CLIENTS, HOSTS, LOG_KEYS, WORDS

MASK = "…"

# How a name is quoted, in plain text and inside JSON, also JSON inside JSON.
_QUOTE = r"(?:\\*[\"'`]|\\+u00(?:27|22)|&(?:#39|#x27|quot|apos);)"

# An account's name stands here, which may be a known word: "pull rate limit as 'hubuser': …", also where the closing
# quote was cut off or there are no quotes.
_ACCOUNTS = (
    rf"(?i)\b(as\s{{1,8}}){_QUOTE}[^\n]{{0,256}}?{_QUOTE}",
    rf"(?i)\b(as\s{{1,8}}){_QUOTE}(?!{MASK}')[^\n]{{0,256}}",
    rf"(?i)(rate\s{{1,8}}limit\s{{1,8}}as\s{{1,8}})(?!'{MASK}')\S+",
)

_LABEL = r"[A-Za-z0-9_-]{1,63}"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL}){{0,12}}\.?|\[[0-9A-Fa-f:]{{2,45}}\])(?::[0-9]{{1,5}})?"
_NAME = rf"{COMPONENT}(?:/{COMPONENT}){{0,7}}"
_DIGEST = r"sha256:[a-f0-9]{1,64}"
_IMAGE = rf"{_NAME}(?::{TAG})?(?:@{_DIGEST})?"
_ANY_IMAGE = rf"(?:{_HOST}/)?{_IMAGE}"

# How the messages of docker, BuildKit, containerd and podman name an image, to the character behind it; each with the
# words without which it is not in a line. Most lines need no form at all, and a form takes long to compile.
_IMAGE_FORMS = (
    ("failed to solve: ", rf"failed to solve: (?P<a>{_ANY_IMAGE})(?=: )"),
    ("ailed to pull ", rf"[Ff]ailed to pull (?P<a>{_ANY_IMAGE})(?=: )"),
    (
        " image ",
        rf"(?:[Ff]ailed to pull|unpack|[Pp]ulling|reading|find) image [\"'](?P<a>{_ANY_IMAGE})[\"']",
    ),
    ("reading manifest ", rf"reading manifest (?P<a>{TAG}) in (?P<b>{_ANY_IMAGE})(?=: )"),
    (": Pulling from ", rf"(?<!\S)(?P<a>{TAG}): Pulling from (?P<b>{_ANY_IMAGE})\s*$"),
    ("FROM ", rf"(?<!\S)FROM (?P<a>{_ANY_IMAGE})(?: (?i:as) \S+)?\s*$"),
    ("status code [manifests ", rf"status code \[manifests (?P<a>{TAG}|{_DIGEST})\]"),
)

# A registry's interface: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints
_INTERFACE = rf"/v2/(?:{_NAME}/(?:manifests|blobs|tags)/(?:{TAG}|{_DIGEST}))?"

_NUMBER = (
    r"\d{1,5}|v?\d{1,3}(?:\.\d{1,3}){1,3}"  # a status, a version, an address
    r"|\d{1,5}(?:\.\d{1,6})?(?:ns|us|µs|μs|ms|s|m|h|%|B|[kKMG]i?B)"  # a duration, a size, a part
    r"|\d{1,3}/\d{1,3}|\d{1,5}/(?:second|minute|hour)|\d{1,3};w=\d{1,5}"  # a step of several, a rate, a limit
    r"|\d{4}[-/]\d\d[-/]\d\d(?:T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)?|\d\d:\d\d:\d\d(?:\.\d{1,9})?"
)
_REGISTRY = (
    r"\d{12}\.dkr[.-]ecr(?:-fips)?\.[a-z]{2,4}(?:-[a-z]{1,12}){1,3}-\d{1,2}\.(?:amazonaws\.com(?:\.cn)?|on\.aws)"
    r"|[a-z]{2,12}(?:-[a-z]{2,12}\d{1,2})?-docker\.pkg\.dev"
)
_SERVICES = "codebuild|ecr|iam|kms|logs|s3|secretsmanager|ssm|sts"
_OF_AWS = (
    rf"arn:aws[a-z-]{{0,12}}:(?:{_SERVICES}):[a-z0-9-]{{0,20}}:\d{{0,12}}:[\w+=,.@:/*-]{{1,512}}"
    rf"|(?:{_SERVICES}):[A-Z][A-Za-z]{{2,40}}"
)

_CHUNK = r"[^\s\"'`\\<>(){}\[\],;|]+"
_URL = rf"(?P<scheme>https?|docker|oci)://(?:\S*@)?(?P<host>{_HOST}|{MASK})(?P<path>/[^?#]*)?(?P<more>[?#].*)?"
_ASSIGNED = r"""([\w.-]{1,64})(?:["'\\]{0,8}\s?=\s?["'\\]{0,8}|["'\\]{1,8}\s?:\s?["'\\]{1,8})$"""
_OPTION = r"""(?<!\S)--?[A-Za-z]\S*\s{1,8}["'\\]{0,8}$"""
_BEFORE = 100
"""How many characters before a word tell whether it is an option's, or something's value."""


def redact(line: str) -> str:
    """The line with a mask for everything that is not known to be harmless."""
    for account in _ACCOUNTS:
        line = re.sub(account, rf"\g<1>'{MASK}'", line)
    forms = (form for words, form in _IMAGE_FORMS if words in line)
    found = (match for form in forms for match in re.finditer(form, line))
    images = {match.span(group) for match in found for group in match.groupdict()}
    kept = "".join(_pieces(line, images))
    return re.sub(rf"{MASK}(?:[\s,;|&:=.]{{0,8}}{MASK})+", MASK, kept)


def _pieces(line: str, images: set[tuple[int, int]]) -> Iterator[str]:
    at = 0
    for match in re.finditer(_CHUNK, line):
        chunk, start = match[0], match.start()
        head = len(chunk) - len(chunk.lstrip("#!"))
        core = chunk[head:].rstrip(".:!?*")
        yield line[at:start]
        at = match.end()
        if not core:
            yield chunk if len(chunk) <= 3 else MASK
        elif (start + head, start + head + len(core)) in images:
            yield chunk
        else:
            kept = MASK if _is_value(line[max(0, start - _BEFORE) : start]) else _kept(core)
            yield f"{chunk[:head]}{kept}{chunk[head + len(core) :]}"
    yield line[at:]


def _is_value(before: str) -> bool:
    """Does a value stand behind this: that of an option, or of a name that is none of a log's own?"""
    if re.search(_OPTION, before):
        return True
    name = re.search(_ASSIGNED, before)
    return name is not None and name[1].lower() not in LOG_KEYS


def _kept(core: str) -> str:
    """What may be kept of a word with no blank, quote or bracket in it."""
    if _is_harmless(core) or _is_harmless(core.rstrip("=")):
        return core
    url = re.fullmatch(_URL, core)
    if url:
        return _kept_of_url(url, core)
    host, slash, image = core.partition("/")
    if _is_known(host) and (not slash or re.fullmatch(_IMAGE, image)):
        return core
    name, assigned, value = core.partition("=")
    if assigned and name.lower() in LOG_KEYS:
        return f"{name}={value if _is_harmless(value) else MASK}"
    before, client, after = _client_in(core)
    return f"{MASK if before else ''}{client}{MASK if after else ''}"


def _client_in(core: str) -> tuple[str, str, str]:
    """The name of a client of registries within a longer name, with what stands before and behind it."""
    names = "|".join(map(re.escape, CLIENTS))
    match = re.search(rf"(?<![A-Za-z0-9])(?:{names})(?![A-Za-z0-9])", core, re.IGNORECASE)
    return (core[: match.start()], match[0], core[match.end() :]) if match else (core, "", "")


def _is_harmless(word: str) -> bool:
    """Is it a known word, a number, a sign, or a name in the forms that AWS gives to names?"""
    sign = len(word) <= 3 and not any(map(str.isalnum, word))
    return sign or word.lower() in WORDS or re.fullmatch(f"{_NUMBER}|{_OF_AWS}", word) is not None


def _kept_of_url(url: re.Match[str], core: str) -> str:
    scheme, host, path = url["scheme"], url["host"], url["path"] or ""
    head = f"{scheme}://{MASK}@" if "@" in core[: url.start("host")] else f"{scheme}://"
    if scheme in ("docker", "oci") and re.fullmatch(_ANY_IMAGE, f"{host}{path}"):
        return f"{head}{host}{path}"
    interface = re.fullmatch(_INTERFACE, path)
    if scheme not in ("http", "https") or not (_is_known(host) or (interface and re.search(r"[.:]", host))):
        return f"{scheme}://{MASK}"
    return f"{head}{host}{path if interface else _kept_of_path(path)}{f'?{MASK}' if url['more'] else ''}"


def _kept_of_path(path: str) -> str:
    parts = path.split("/")
    known = next((at for at, part in enumerate(parts) if part and part.lower() not in WORDS), len(parts))
    return "/".join([*parts[:known], *([MASK] if known < len(parts) else [])])


def _is_known(host: str) -> bool:
    name = re.sub(r":\d{1,5}$|\.$", "", host.lower())
    return name in HOSTS or re.fullmatch(_REGISTRY, name) is not None
