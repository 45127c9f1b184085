"""A project with everything that a project may have comes out of a remediation with the planned differences alone."""

from __future__ import annotations

import copy

from tests.every_member import every_member, known_paths, with_unknown_members
from tests.workflow.account import Account
from tests.workflow.test_main_job import credential_of, variables_of


def test_nothing_but_the_plan_changes_in_a_project_with_every_member(account: Account) -> None:
    absent = ("environment.registryCredential",)
    document = with_unknown_members(every_member("orders", account.role_arn, without=absent))
    account.simulator.plant_project(document)
    before = account.project()
    build = account.failed_build_of("maria")
    outcome = account.remediate(build)
    after = account.project()
    assert after["environment"].pop("registryCredential") == credential_of(account), outcome
    assert after["environment"]["environmentVariables"][-2:] == variables_of(account)
    del after["environment"]["environmentVariables"][-2:]
    assert after["environment"].pop("imagePullCredentialsType") == "SERVICE_ROLE"
    assert before["environment"].pop("imagePullCredentialsType") == "CODEBUILD"
    assert after.pop("lastModified") > before.pop("lastModified")
    # The server's status is CodeBuild's own, and output only.
    assert before["environment"]["dockerServer"].pop("status")
    assert after["environment"]["dockerServer"].pop("status")
    assert after == before
    # It has an autoRetryLimit, so CodeBuild itself runs the build again.
    assert outcome["outcome"] == "remediated", outcome


def test_the_generated_project_has_every_path_of_the_model() -> None:
    document = every_member("orders", "arn:aws:iam::123456789012:role/r")
    missing = [path for path in known_paths() if not _has(copy.deepcopy(document), path)]
    assert missing == []
    assert len(known_paths()) > 100


def _has(document: object, path: str) -> bool:
    for part in path.replace("[]", ".[]").split("."):
        if part == "[]":
            if not isinstance(document, list) or not document:
                return False
            document = document[0]
        else:
            if not isinstance(document, dict) or part not in document:
                return False
            document = document[part]
    return True
