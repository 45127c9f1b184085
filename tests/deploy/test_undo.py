"""README's undo, followed literally where two projects share a service role, breaks none of them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws.launch import ROOT, start
from local.demo.scene import Case
from local.stack import MINISTACK, build
from tests.deploy.stack import Deployed

pytestmark = [pytest.mark.deploy, pytest.mark.slow]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    if not MINISTACK.exists():
        pytest.skip("no local AWS here: python3 bootstrap.py local sam fetches it")
    template = build(tmp_path_factory.mktemp("build") / "built")
    with start(python=MINISTACK, folder=tmp_path_factory.mktemp("aws"), seed=4711) as aws:
        yield Deployed.to(aws, template, seed=1, SettleSeconds=1)


def test_two_projects_on_one_role_are_undone_one_after_the_other_and_none_is_broken(stack: Deployed) -> None:
    first, second = two_on_one_role(stack)
    for case in (first, second):
        stack.fail(case)
        assert stack.outcome(case)["outcome"] == "remediated"
    before = stack.scene.project(second)

    said = readme_undo(stack, first.project)
    assert second.project in next(line for line in said.splitlines() if line.startswith("Kept: "))
    assert attached(stack, first.role) == [stack.outputs["GrantPolicyArn"]]
    assert stack.scene.project(second) == before
    assert runs(stack, second)["buildStatus"] == "SUCCEEDED"
    assert fails_as_before(runs(stack, first))
    assert "settingOfNextYear" in stack.scene.project(first)["environment"]

    readme_undo(stack, second.project)
    assert attached(stack, first.role) == []
    for case in (first, second):
        assert fails_as_before(runs(stack, case))
        assert stack.outcome(case)["outcome"] == "skipped"
        assert stack.outputs["SecretArn"] not in str(stack.scene.project(case))
    assert "0 of 2 projects" in remediator(stack, "projects", "--stack", stack.names.stack)


def test_errors_are_sentences_with_a_status(stack: Deployed) -> None:
    refused = run(stack, ["./remediator", "undo", "nothing", "--stack", "nowhere"])
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "there is no stack nowhere in" in refused.stderr
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    refused = run(stack, ["./remediator", "projects", "--stack", stack.names.stack], **nobody)
    assert (refused.returncode, refused.stdout) == (1, "")
    told, state = refused.stderr.splitlines()
    assert told == "remediator: no AWS credentials were found. Set AWS_PROFILE, or sign in (aws sso login)."
    assert state == "Nothing was changed."


def two_on_one_role(stack: Deployed) -> tuple[Case, Case]:
    first, second = stack.case("first", privilegedMode=True), stack.case("second", privilegedMode=True)
    project = stack.scene.project(second)
    stack.aws.order("plant-project", project={**project, "serviceRole": first.role_arn})
    return first, second


def readme_undo(stack: Deployed, project: str) -> str:
    """Run the commands that README prints for the undo of one project, as they are but for the two names."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## Undo and uninstall\n")[2].partition("\n## ")[0]
    block = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0]
    names = block.replace("orders-api", project).replace("codebuild-pull-limit-remediator", stack.names.stack)
    commands = [shlex.split(line, comments=True) for line in names.splitlines()]
    assert [command[:2] for command in commands] == [
        ["./remediator", "projects"],
        ["./remediator", "undo"],
        ["./remediator", "undo"],
    ]
    return "\n".join(remediator(stack, *command[1:]) for command in commands)


def remediator(stack: Deployed, *arguments: str) -> str:
    done = run(stack, ["./remediator", *arguments])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(stack: Deployed, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **stack.aws.environment, **variables}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


def attached(stack: Deployed, role: str) -> list[str]:
    answer = stack.boto("iam").list_attached_role_policies(RoleName=role)
    return [policy["PolicyArn"] for policy in answer["AttachedPolicies"]]


def runs(stack: Deployed, case: Case) -> dict[str, Any]:
    """A new build of the case's project, when it has ended."""
    stack.scene.start(case)
    stack.wait_for("the build to end", lambda: stack.build(case.build)["buildComplete"])
    return stack.build(case.build)


def fails_as_before(build: dict[str, Any]) -> bool:
    """Did the build fail on Docker Hub's limit while its image was pulled, as before its project's repair?"""
    told = str(next(phase for phase in build["phases"] if phase.get("phaseStatus") == "FAILED"))
    return "PROVISIONING" in told and "toomanyrequests" in told and "secret" not in told.lower()
