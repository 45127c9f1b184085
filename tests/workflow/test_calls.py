"""What a remediation asks of AWS, call by call: every call is time, money and a permission."""

from __future__ import annotations

from pathlib import Path

from tests.workflow.account import Account, Json
from tests.workflow.test_main_job import credential_of, variables_of

ROOT = Path(__file__).parents[2]

DIAGNOSIS = [
    "BatchGetBuilds",  # Intake: which image it was, which a rule does not hand on
    "Invoke",
    "UpdateItem",  # the project's lease, with its history
    "BatchGetBuilds",
    "BatchGetProjects",
    "GetRole",
    "ListAttachedRolePolicies",
    "GetResourcePolicy",  # does the secret's own policy keep the role out, whatever it is granted?
]
KNOWN = ["GetItem"]  # who else has the role that is to read the secret
READ = [
    "GetItem",
    "UpdateItem",
    "ListProjects",
    "BatchGetProjects",
    "UpdateItem",
]  # the same, read for a wave of failures
STILL_ALLOWED = [
    "GetRole",  # may still nobody else assume it?
    "BatchGetProjects",  # the owner's tag, what is public, the webhook
    "GetItem",  # the stop switch
]  # before each write, once it is known who shares the role
PROVEN = [
    "TransactWriteItems",  # the build, with what is about to change, and the stop switch
    "GetSecretValue",
    "UpdateItem",  # one signs in at a time, and what Docker Hub said is remembered
]
ASKED = ["DescribeSecret", "UpdateItem"]  # its key, and Docker Hub's word, where nobody has asked just now


def repair(asked: list[str], shared: list[str]) -> list[str]:
    return [
        *DIAGNOSIS,
        *PROVEN,
        *asked,
        *shared,
        *STILL_ALLOWED,
        "AttachRolePolicy",
        *KNOWN,
        *STILL_ALLOWED,
        "BatchGetProjects",  # nobody has edited it in these milliseconds
        "UpdateProject",
        "BatchGetProjects",
        "UpdateItem",  # when it was repaired, by CodeBuild's clock
        "ListBuildsForProject",  # has a newer build been started since?
        *KNOWN,
        *STILL_ALLOWED,
        "StartBuild",
    ]


REPAIRED_ALREADY = [
    *DIAGNOSIS,
    *PROVEN,
    "ListBuildsForProject",  # has a newer build been started since?
    *KNOWN,
    *STILL_ALLOWED,
    "StartBuild",
]


def from_event_to_retry(account: Account, event: Json) -> list[str]:
    answer = account.ask(event)
    name = account.lambda_.starts[-1]
    assert name in answer["started"]
    account.execute(name, account.lambda_.started[name])
    return account.calls[: account.calls.index("StartBuild") + 1]


def test_the_page_on_performance_and_its_bench_tell_these_counts() -> None:
    page, bench = ((ROOT / path).read_text(encoding="utf-8") for path in ("docs/performance.md", "bench/__main__.py"))
    full, again = len(repair(ASKED, READ)), len(repair([], KNOWN))
    repaired = len(REPAIRED_ALREADY) - len(KNOWN) + len(ASKED) + len(READ)
    assert f"| AWS calls, full repair | {full} | {full} | the first of a wave; {again} for every other one" in page
    assert f"| AWS calls, already repaired | {repaired} | {repaired} | {len(REPAIRED_ALREADY)} within" in page
    assert f'"listed in bench.json", {full})' in bench
    assert f'len(calls["repaired"]), "listed", {repaired})' in bench


def test_the_first_repair_of_a_wave_takes_thirty_six_calls_up_to_the_retry(account: Account) -> None:
    account.create_project()
    calls = from_event_to_retry(account, account.event_of(account.failed_build()))
    assert calls == repair(ASKED, READ)
    assert len(calls) == 36


def test_every_other_repair_of_a_wave_reads_one_item_to_know_who_shares_its_role(account: Account) -> None:
    account.create_project("first")
    account.remediate(account.failed_build("first"))
    account.calls.clear()
    account.create_project(serviceRole=account.make_role("another-build"))
    build = account.failed_build()

    calls = from_event_to_retry(account, account.event_of(build))

    assert calls == repair([], KNOWN)
    assert len(calls) == 30


def test_a_project_that_is_repaired_already_takes_seventeen_once_the_credentials_are_proved(account: Account) -> None:
    account.create_project("first")
    account.remediate(account.failed_build("first"))
    account.calls.clear()
    account.create_project()
    build = account.failed_build()
    account.attach_policy()
    account.edit(
        environment={"registryCredential": credential_of(account), "environmentVariables": variables_of(account)}
    )
    calls = from_event_to_retry(account, account.event_of(build))
    assert calls == REPAIRED_ALREADY
    assert len(calls) == 17


def test_a_look_alike_that_its_record_tells_takes_two(account: Account) -> None:
    account.world.others_throttled = True
    account.create_project(environment={"image": "public.ecr.aws/docker/library/python:3.12"})
    answer = account.ask(account.event_of(account.failed_build()))
    assert answer["outcome"] == "skipped"
    assert account.calls == ["BatchGetBuilds", "PutItem"]


def test_the_engine_checkpoints_each_step_and_wait_at_most_once(account: Account) -> None:
    account.create_project()
    result = account.run(account.failed_build())
    names = [operation.name for operation in reversed(result.get_all_operations())]
    assert names == [
        "claim",
        "diagnose",
        "check",
        "grant",
        "settle",
        "patch",
        "retry",
        "release",
        "watch",
        "report",
    ]
