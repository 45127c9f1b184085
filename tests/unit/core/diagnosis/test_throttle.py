"""What is evidence of a throttled pull, and what is not."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.core.diagnosis.throttle import EXCERPT_LENGTH, Cause, Throttle, find_throttle, is_pull_failure

ANONYMOUS = (
    "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
)
ACCOUNT = (
    "toomanyrequests: You have reached your pull rate limit as 'sample-robot': dckr_jti_Zm9v-YmFy_cXV4=. "
    "You may increase the limit by upgrading. https://www.docker.com/increase-rate-limit"
)
ELSEWHERE = "Error response from daemon: toomanyrequests: Rate exceeded"
STATUS_ONLY = (
    "ERROR: pulling from host registry-1.docker.io failed with status code [manifests 7]: 429 Too Many Requests"
)
NOISE = (
    "[Container] 2026/11/20 09:14:08.123456 Entering phase BUILD\nStep 3/9 : RUN npm ci\nadded 1433 packages in 32s\n"
)
MENTION = '[Container] 2026/11/20 09:14:08.123456 Running command docker build . || grep "toomanyrequests: You" log\n'


def found(text: str) -> Throttle:
    throttle = find_throttle(text)
    assert throttle is not None
    return throttle


def test_a_text_without_a_throttled_pull_has_none() -> None:
    assert find_throttle(NOISE * 10) is None
    assert find_throttle("") is None


@pytest.mark.parametrize(
    ("line", "cause"),
    [(ANONYMOUS, Cause.ANONYMOUS_LIMIT), (ACCOUNT, Cause.ACCOUNT_LIMIT), (ELSEWHERE, Cause.OTHER_REGISTRY)],
)
def test_evidence_is_found_wherever_it_is_in_a_log(line: str, cause: Cause) -> None:
    place = random.Random(7)
    for _ in range(20):
        log = NOISE * place.randrange(50) + line + "\n" + NOISE * place.randrange(50)
        assert found(log).cause is cause


def test_the_last_evidence_decides() -> None:
    assert found(f"{ANONYMOUS}\n{NOISE}{ELSEWHERE}\n").cause is Cause.OTHER_REGISTRY
    assert found(f"{ELSEWHERE}\n{NOISE}{ANONYMOUS}\n").cause is Cause.ANONYMOUS_LIMIT


def test_a_bare_status_gets_the_reason_that_was_told_shortly_before() -> None:
    throttle = found(f"{ANONYMOUS}\n------\n > [internal] load metadata\n------\n{STATUS_ONLY}\n")
    assert throttle.cause is Cause.ANONYMOUS_LIMIT
    assert "unauthenticated" in throttle.excerpt
    assert "status code" in throttle.excerpt


def test_a_bare_status_gets_no_reason_of_another_registry_or_of_long_ago() -> None:
    quay = "GET https://quay.io/v2/acme/tool/manifests/1: 429 Too Many Requests"
    assert found(f"{quay}\n{STATUS_ONLY}\n").cause is Cause.UNKNOWN
    assert found(f"{ANONYMOUS}\n{NOISE * 200}{STATUS_ONLY}\n").cause is Cause.UNKNOWN


def test_the_registry_is_taken_from_the_line_above_where_the_builder_tells_it_there() -> None:
    above = "ERROR: unexpected status from HEAD request to https://{}/v2/acme/tool/manifests/1: 429 Too Many Requests\n"
    throttle = found(above.format("public.ecr.aws") + "toomanyrequests: Rate exceeded\n")
    assert (throttle.cause, throttle.registry) == (Cause.OTHER_REGISTRY, "public.ecr.aws")
    assert throttle.excerpt.startswith("ERROR: unexpected status")
    assert found(above.format("registry-1.docker.io") + ANONYMOUS).registry == "docker.io"


def test_what_other_lines_name_is_not_blamed() -> None:
    around = "GET https://ghcr.io/v2/acme/tool/manifests/1 200\n"
    assert found(f"{around}{ANONYMOUS}\n{around}").registry == "docker.io"
    assert found(f"#5 [1/4] FROM ghcr.io/acme/tool:1\n{ANONYMOUS}\n").cause is Cause.ANONYMOUS_LIMIT


def test_the_registry_of_a_bare_status_may_be_told_in_the_request_below_it() -> None:
    bare = "jib: dockerBuild failed: 429 Too Many Requests\n"
    assert found(f"{bare}GET https://registry-1.docker.io/v2/acme/tool/manifests/1\n").registry == "docker.io"
    assert found(f"{bare}GET https://ghcr.io/v2/acme/tool/manifests/1 200 OK\n").registry is None


def test_the_classic_builders_step_tells_the_registry() -> None:
    throttle = found("Step 1/4 : FROM public.ecr.aws/acme/tool:1\ntoomanyrequests: Rate exceeded\n")
    assert (throttle.cause, throttle.registry) == (Cause.OTHER_REGISTRY, "public.ecr.aws")


def test_docker_hubs_words_from_another_host_are_that_hosts_fault() -> None:
    above = "ERROR: https://registry-1.docker.io.evil.example/v2/acme/tool/manifests/1: 429 Too Many Requests\n"
    throttle = found(above + ANONYMOUS)
    assert (throttle.cause, throttle.registry) == (Cause.OTHER_REGISTRY, "registry-1.docker.io.evil.example")


def test_a_message_for_an_account_is_never_taken_for_the_anonymous_limit_wherever_it_is_cut() -> None:
    context = f"BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: CannotPullContainerError: {ACCOUNT}"
    for end in range(len(context) + 1):
        throttle = find_throttle(context[:end])
        assert throttle is None or throttle.cause in (Cause.ACCOUNT_LIMIT, Cause.UNKNOWN), context[:end]


def test_a_command_that_mentions_the_words_is_no_evidence() -> None:
    assert find_throttle(MENTION) is None
    assert find_throttle("Error while executing command: a\nb\ntoomanyrequests: x\nc. Reason: exit status 1") is None


def test_evidence_before_or_after_a_mention_still_counts() -> None:
    assert found(f"{ANONYMOUS}\n{MENTION}").cause is Cause.ANONYMOUS_LIMIT
    quoted = "Error while executing command: docker build .. Reason: exit status 1"
    assert found(f"{quoted}\n{ANONYMOUS}").cause is Cause.ANONYMOUS_LIMIT


def test_an_excerpt_shows_no_account_and_no_token() -> None:
    excerpt = found(ACCOUNT).excerpt
    assert "sample-robot" not in excerpt
    assert "Zm9v" not in excerpt
    assert "pull rate limit as '…': …. You may increase the limit by upgrading." in excerpt


def test_a_token_that_a_terminal_colour_or_an_invisible_character_hides_is_redacted() -> None:
    excerpt = found(f"dckr_\x1b[1mpat_hun\u200bter2x\x1b[0m {ANONYMOUS}").excerpt
    assert "ter2x" not in excerpt


def test_an_excerpt_is_printable_and_short() -> None:
    excerpt = found(f"\x1b]0;title\x07\x1b[2J\u202e\ud800\t{'x ' * 2_000}{ANONYMOUS} {'y ' * 2_000}\r").excerpt
    assert excerpt.isprintable()
    assert len(excerpt) <= EXCERPT_LENGTH
    assert "unauthenticated pull rate limit" in excerpt


def test_a_token_that_the_edge_of_the_excerpt_would_cut_is_redacted() -> None:
    for width in range(380, 460):
        excerpt = found(f"{ANONYMOUS}{'.' * (width - len(ANONYMOUS))} dckr_pat_hunter2x").excerpt
        assert "hunter" not in excerpt
    for width in range(760, 830):
        excerpt = found(f"dckr_pat_{'hunter2x' * 6} {'.' * (width - 60)} {ANONYMOUS}").excerpt
        assert "hunter" not in excerpt


@given(st.text(), st.text(), st.sampled_from([ANONYMOUS, ACCOUNT, ELSEWHERE, STATUS_ONLY, "toomanyrequests:", ""]))
def test_any_text_is_read_without_an_error(before: str, after: str, line: str) -> None:
    throttle = find_throttle(before + line + after)
    if throttle is not None:
        assert throttle.excerpt.isprintable()
        assert len(throttle.excerpt) <= EXCERPT_LENGTH
        assert "sample-robot" not in throttle.excerpt


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="'\"`\\\n"), min_size=8, max_size=40))
def test_no_account_name_is_ever_shown(name: str) -> None:
    if not name.strip() or name in ACCOUNT:
        return
    excerpt = found(ACCOUNT.replace("sample-robot", name)).excerpt
    assert f"'{name}'" not in excerpt


@pytest.mark.parametrize(
    "piece",
    [
        "toomanyrequests: You have reached ",
        "toomanyrequests ",
        "npm ERR! 429 Too Many Requests - GET https://registry.npmjs.org/docker\n",
        MENTION,
        "docker.io/library/" + "a." * 40,
        "as '",
        "Error while executing command: ",
    ],
)
def test_a_hostile_log_costs_time_that_is_linear_and_bounded(piece: str) -> None:
    log = piece * (2_000_000 // len(piece))
    start = time.process_time()
    find_throttle(log)
    find_throttle(log + ANONYMOUS)
    assert time.process_time() - start < 5


def test_a_phase_context_tells_whether_the_builds_own_image_could_not_be_pulled() -> None:
    assert is_pull_failure("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: Unable to pull customer's container image.")
    assert is_pull_failure("[BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: cut")
    assert not is_pull_failure("COMMAND_EXECUTION_ERROR: echo BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE")
    assert not is_pull_failure("")
