"""What is kept of a log's line: the words that decide, and nothing that could be a secret."""

from __future__ import annotations

import base64
import re
import sys

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from remediator.core.advice.mirrors import image_named
from remediator.core.diagnosis import words
from remediator.core.diagnosis.excerpt import MASK, redact
from remediator.core.diagnosis.throttle import find_throttle
from remediator.core.names import HOSTS_OF_DOCKER_HUB

LIMIT = "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
API = "https://registry-1.docker.io/v2"
DIGEST = "sha256:" + "5a" * 32
READ = "failed to copy: httpReadSeeker: failed open: unexpected status code"
STATUS = "unexpected status from"

# In the forms in which docker, BuildKit, containerd, podman, kaniko, jib, ECR, GHCR and CodeBuild say it.
WHOLE = (
    f"toomanyrequests: {LIMIT}",
    f"Error response from daemon: toomanyrequests: {LIMIT}",
    (
        f"ERROR: failed to solve: node:22: failed to resolve source metadata for docker.io/library/node:22: "
        f"{READ} {API}/library/node/manifests/{DIGEST}: 429 Too Many Requests - Server message: "
        f"toomanyrequests: {LIMIT}"
    ),
    "#3 ERROR: pulling from host registry-1.docker.io failed with status code [manifests 2-dind]: 429",
    f"failed to authorize: failed to fetch oauth token: {STATUS} POST request to https://auth.docker.io/token: 429",
    (
        f'Failed to pull image "acme/tool:v1": rpc error: code = Unknown desc = failed to pull and unpack image '
        f'"docker.io/acme/tool:v1": {READ} {API}/acme/tool/manifests/v1: 429 Too Many Requests'
    ),
    (
        "WARN[0037] Failed, retrying in 1s ... (1/3). Error: initializing source docker://acme/tool:v1: "
        f"reading manifest v1 in docker.io/acme/tool: toomanyrequests: {LIMIT}"
    ),
    (
        "error building image: GET https://index.docker.io/v2/library/golang/manifests/1.22: TOOMANYREQUESTS: "
        "You have reached your pull rate limit."
    ),
    (
        '{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit. You may increase the '
        'limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit"}]}'
    ),
    "18-alpine: Pulling from library/node",
    "Unable to find image 'docker:27-dind' locally",
    "Step 1/4 : FROM python:3.12-slim",
    "received unexpected HTTP status while pulling: 429 Too Many Requests (HAP429)",
    'Head "https://registry-1.docker.io/v2/acme/tool/manifests/1.2.3": unauthorized: incorrect username or password',
    "toomanyrequests: too many failed login attempts for username or IP address",
    "denied: requested access to the resource is denied",
    "failed to pull ghcr.io/acme/tool: toomanyrequests: retry-after: 880.092µs, allowed: 44000/minute",
    "failed to pull mirror.example:5000/acme/tool:1: toomanyrequests: Rate exceeded",
    "111122223333.dkr.ecr.eu-west-1.amazonaws.com/acme/tool:1: toomanyrequests: Rate exceeded",
    "[Container] 2026/11/20 09:14:08.123456 Phase complete: BUILD State: FAILED",
    (
        "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: Unable to pull customer's container image. CannotPullContainerError: "
        "inspect image has been retried 5 time(s): httpReaderSeeker: failed open"
    ),
    (
        "Secrets Manager Error: AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/orders/A-1 is "
        "not authorized to perform: secretsmanager:GetSecretValue on resource: "
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:hub-AbCdEf because no identity-based policy allows the "
        "secretsmanager:GetSecretValue action"
    ),
    "Secrets Manager Error: ResourceNotFoundException: Secrets Manager can't find the specified secret.",
)


@pytest.mark.parametrize("line", WHOLE)
def test_a_line_of_registries_clients_and_codebuild_is_kept_whole(line: str) -> None:
    assert redact(line) == line


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (
            "toomanyrequests: You have reached your pull rate limit as 'sample-robot': dckr_jti_Zm9v=. You may",
            "toomanyrequests: You have reached your pull rate limit as '…': …. You may",
        ),
        (
            "Caused by: com.github.dockerjava.api.exception.DockerClientException: Could not pull image",
            "Caused by: com.github.dockerjava…: Could not pull image",
        ),
        (
            "Failed to execute goal com.google.cloud.tools:jib-maven-plugin:3.3.1:build on project orders: 429",
            "Failed to execute goal com.google.cloud.tools:jib-maven-plugin… on project …: 429",
        ),
        ("ERROR tc.testcontainers/ryuk:0.5.1 - Could not pull", "ERROR …testcontainers… - Could not pull"),
        ("notestcontainers testcontainers2", "…"),
        ("docker build -t orders . failed: toomanyrequests:", "docker build … . failed: toomanyrequests:"),
        (
            "status from GET request to https://auth.docker.io/token?scope=repository%3Aa%3Apull: 429",
            "status from GET request to https://auth.docker.io/token?…: 429",
        ),
        (
            "on resource: hunter2 because no identity-based policy allows",
            "on resource: … because no identity-based policy allows",
        ),
        ("GET https://mirror.example:5000/v2/acme/tool/manifests/1: 429", None),
        ("GET https://mirror.example:5000/acme/hunter2: 429", "GET https://…: 429"),
        ('level=error msg="pull failed" user=docker', 'level=error msg="pull failed" …'),
        ("retry 3/10 in 1.5s of 12.5kB at 10.0.0.7, v1.41 at 2026-11-20T09:14:08Z", None),
        ("one two alpha beta gamma limit", "one … limit"),
    ],
)
def test_what_is_not_known_is_masked_and_the_rest_is_kept(line: str, kept: str | None) -> None:
    assert redact(line) == (kept or line)


@pytest.mark.parametrize(
    "text",
    [
        "pull rate limit as 'hunter2x'",
        "pull rate limit as 'hunter2x",
        "pull rate limit as hunter2x: dckr_",
        r"pull rate limit as \u0027hunter2x\u0027: more",
        r"pull rate limit as \"hunter2x\": more",
        "token dckr_pat_hunter2x",
        "DCKR_PAT_hunter2x",
        "dckr_oat_hunter2x.",
        "https://robot:hunter2x@registry.example/v2/",
        "docker login -u robot -p hunter2x",
        'docker login --password="hunter2x and more"',
        "DOCKERHUB_PASSWORD=hunter2x",
        '{"password":"hunter2x"}',
        r"{\"auth\":\"hunter2x\"}",
        "Authorization: Bearer hunter2x",
    ],
)
def test_names_and_credentials_are_masked(text: str) -> None:
    assert "hunter2x" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "--build-arg API_KEY=sk-hunter2-hunter2",
        "apikey: sk-hunter2-hunter2",
        "X-Api-Key: sk-hunter2-hunter2",
        "PASS=sk-hunter2-hunter2",
        "CLIENT_SECRET='sk-hunter2-hunter2'",
        "PRIVATE_KEY=sk-hunter2-hunter2",
        "passphrase=sk-hunter2-hunter2",
        "GITHUB_PAT=sk-hunter2-hunter2",
        "ghp_hunter2hunter2hunter2",
        "github_pat_hunter2hunter2hunter2",
        "npm_hunter2hunter2hunter2hunter2",
    ],
)
def test_what_a_command_was_given_is_masked(text: str) -> None:
    assert "hunter2" not in redact(text)


def test_the_id_of_an_access_key_is_masked() -> None:
    assert redact("AKIA" + "A" * 16) == MASK


KNOWN = "docker"
"""A word that is kept where it stands alone, and that somebody may have as a password."""


@pytest.mark.parametrize(
    "text",
    [
        "mysql -u {} -p {}",
        "mysql -p{}",
        "tool --token {}",
        'tool --token "{}"',
        "DB_PWD={}",
        "DB_PWD = '{}'",
        '{"password": "{}"}',
        r"{\"password\":\"{}\"}",
        "https://robot:{}@example/",
        "https://example/?sig={}",
        "https://hooks.example/services/{}",
        "pull rate limit as '{}'",
    ],
)
def test_a_known_word_is_masked_where_a_value_stands(text: str) -> None:
    assert KNOWN not in redact(text.replace("{}", KNOWN))
    assert redact(f"the {KNOWN} daemon failed") == f"the {KNOWN} daemon failed"


@pytest.mark.parametrize(
    "text",
    [
        "hunter2/abc",
        "hunter2/abc:1.2",
        "docker-2024",
        "Docker2024!",
        "docker:2024",
        "pull rate limit hunter2/abc:1",
        "failed to solve: hunter2/abc node:22: failed",
        "Pulling from hunter2/abc library/node",
        "FROM hunter2/abc node:22",
        "reading manifest hunter2 3.12 in docker.io/library/python: toomanyrequests",
        "123456",
        "4111111111111111",
        "4111.1111.1111.1111",
        "4111-1111-1111-1111",
        "41111/41111",
        "hunter2.docker.io",
        "docker.io@hunter2",
        "https://docker.io:hunter2@evil.example/",
    ],
)
def test_what_only_looks_like_an_image_a_number_or_a_host_is_masked(text: str) -> None:
    kept = redact(text)
    assert MASK in kept
    assert not re.search(r"hunter2|2024|123456|4111", kept)


def test_the_lists_are_sorted_in_lower_case_and_without_repetition() -> None:
    for text in (words._WORDS, words._HOSTS):
        listed = text.split()
        assert listed == sorted({word.lower() for word in listed})
    assert set(HOSTS_OF_DOCKER_HUB) <= words.HOSTS


# No secret survives, wherever it stands and however it is written.

_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_TOKENS = st.text(alphabet=_PLAIN, min_size=8, max_size=48)
_SIGNED = st.text(alphabet=_PLAIN + "-_.+/=~!@#$%^&*", min_size=10, max_size=48)
_HEX = st.binary(min_size=8, max_size=32).map(bytes.hex)
_BASE64 = st.binary(min_size=9, max_size=48).map(lambda raw: base64.b64encode(raw).decode())
_JWT = st.tuples(_BASE64, _BASE64, _TOKENS).map(lambda parts: f"eyJ{parts[0]}.{parts[1]}.{parts[2]}")
_SECRETS = st.one_of(
    _TOKENS,
    _SIGNED,
    _HEX,
    _BASE64,
    _JWT,
    _TOKENS.map("dckr_pat_{}".format),
    _TOKENS.map("ghp_{}".format),
    st.tuples(_HEX, _HEX).map("/".join),
)
_SYNTAXES = [
    "{}",
    "--token {}",
    "--token={}",
    "-p {}",
    "-p{}",
    "-u robot:{}",
    "K={}",
    "export DB_PWD='{}'",
    "sig={}",
    "https://u:{}@h/",
    "https://{}@github.com/acme/orders.git",
    "https://hooks.slack.com/services/T/B/{}",
    "https://h.example/?sig={}&expires=1",
    "https://registry-1.docker.io/token?password={}",
    '"password": "{}"',
    '{"auth":"{}"}',
    r"{\"auth\":\"{}\"}",
    "password: {}",
    "Authorization: Bearer {}",
    "Authorization: Basic {}",
    "X-Api-Key: {}",
    "as '{}'",
    "({})",
    "[{}]",
    "<{}>",
]


def is_like_a_secret(text: str) -> bool:
    """Letters and digits beside each other, which no known word has: a date of digits alone is none."""
    longest = max(re.findall(r"[A-Za-z0-9]+", text), key=len, default="")
    return len(longest) >= 8 and re.search(r"[A-Za-z]", longest) is not None and re.search(r"\d", longest) is not None


@given(st.sampled_from(WHOLE), st.integers(0, 60), st.sampled_from(_SYNTAXES), _SECRETS)
@example(WHOLE[0], 3, "https://hooks.slack.com/services/T/B/{}", "x1" * 12)
@example(WHOLE[9], 3, "{}", "ab/cd1234567")
@settings(max_examples=500, deadline=None)
def test_a_secret_survives_in_no_place_of_a_line_and_in_no_syntax(
    line: str, place: int, syntax: str, secret: str
) -> None:
    assume(is_like_a_secret(secret))
    parts = line.split(" ")
    place %= len(parts) + 1
    kept = redact(" ".join([*parts[:place], syntax.replace("{}", secret), *parts[place:]]))
    assert secret not in kept
    longest = max(re.findall(r"[A-Za-z0-9]+", secret), key=len)
    assert longest not in kept


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a ",
        "docker ",
        "err=",
        "a=",
        "--a ",
        "a/",
        "a.",
        "as '",
        "https://a@",
        "image 'a/",
        "Pulling from ",
        '{"a":',
        "…",
    ],
)
def test_a_hostile_line_costs_work_that_grows_with_its_length_alone(piece: str) -> None:
    half, whole = (work(piece * (length // len(piece))) for length in (2_000, 4_000))
    assert whole < 2.2 * half


def work(text: str) -> int:
    """How many functions are called: the same number in every run."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    redact("a")  # what is compiled once
    sys.setprofile(count)
    try:
        kept = redact(text)
    finally:
        sys.setprofile(None)
    assert len(kept) <= 2 * len(text)
    return calls


@pytest.mark.parametrize("line", WHOLE)
def test_what_is_read_from_a_line_is_read_from_what_is_kept_of_it(line: str) -> None:
    line = f"{line} DB_PWD=hunter2"
    found = find_throttle(line)
    if found:
        again = find_throttle(found.excerpt)
        assert again is not None
        assert (again.cause, again.registry) == (found.cause, found.registry)
        assert image_named(found.excerpt) == image_named(line)
