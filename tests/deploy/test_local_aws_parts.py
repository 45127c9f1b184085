"""The parts of local AWS that need no MiniStack: condition keys, durable executions, requests, holds, policies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from queue import Queue
from typing import Any

import pytest
from aws_durable_execution_sdk_python.lambda_service import OperationUpdate
from aws_durable_execution_sdk_python_testing.exceptions import InvalidParameterValueException
from aws_durable_execution_sdk_python_testing.model import StartDurableExecutionInput

from local.aws import requests, secret_policies
from local.aws.condition_keys import codebuild_keys
from local.aws.executions import Executions
from local.aws.holds import Holds

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:worker"
ARN = f"{FUNCTION}:1/durable-execution/name/2f1c"
STEP = {"Id": "s", "Type": "STEP", "SubType": "Step"}


class Running(Executions):
    """One execution, whose function and clock are the test's: it takes events, puts answers and moves the time."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.events: Queue[dict[str, Any]] = Queue()
        self.answers: Queue[dict[str, Any]] = Queue()
        super().__init__("eu-central-1", self._run_function, lambda execution: None, clock=self)
        self.begin(ARN, StartDurableExecutionInput("123456789012", "worker", "1", "name", 3600, 1, "2f1c", input='"e"'))

    def _run_function(self, _arn: str, event: dict[str, Any]) -> dict[str, Any]:
        self.events.put(event)
        return self.answers.get()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def arm(self, _wake: datetime) -> float:
        return 3600.0  # timers fire in `wake` alone

    def wake(self, seconds: float) -> str:
        """The status of the one operation after the timer fired at this time."""
        self.seconds = seconds
        asyncio.run(self._fire_due_and_invoke_handler(ARN)())  # type: ignore[arg-type]
        return self.get_execution(ARN).operations[1].status.value

    def checkpoint(self, now: float, **update: Any) -> Any:
        """The operation after this update, with the token of the last invocation or checkpoint."""
        self.seconds = now
        token = self.get_execution(ARN).get_new_checkpoint_token()
        answer = self.checkpoint_execution(ARN, token, [OperationUpdate.from_dict(update)]).to_dict()
        return answer["NewExecutionState"]["Operations"][0]


@pytest.fixture
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.shutdown()


def test_an_update_without_a_service_role_carries_no_key_for_it() -> None:
    keys = codebuild_keys("UpdateProject", {"name": "web", "environment": {"image": "team/base:1"}})
    assert keys == {"codebuild:environment": "true", "codebuild:environment.image": "team/base:1"}


def test_every_member_that_an_update_carries_has_its_key() -> None:
    request = {
        "name": "web",
        "serviceRole": "arn:aws:iam::123456789012:role/other",
        "vpcConfig": {"vpcId": "vpc-1"},
        "fileSystemLocations": [{"identifier": "disk", "type": "EFS"}],
        "concurrentBuildLimit": -1,
        "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        "environment": {
            "registryCredential": {"credential": "one"},
            "environmentVariables": [{"name": "A", "value": "b"}],
        },
    }
    keys = codebuild_keys("UpdateProject", request)
    assert keys["codebuild:serviceRole"] == request["serviceRole"]
    assert keys["codebuild:vpcConfig.vpcId"] == "vpc-1"
    assert keys["codebuild:fileSystemLocations.identifier"] == ["disk"]
    assert keys["codebuild:concurrentBuildLimit"] == "-1"
    assert keys["codebuild:environment.registryCredential.credential"] == "one"
    assert keys["codebuild:environment.environmentVariables/A.value"] == "b"
    assert keys["codebuild:source.buildspec"] == "true", "the text of a buildspec is no value of a key"
    assert "codebuild:fileSystemLocations" not in keys, "there is no key of that name"


def test_an_override_of_a_build_has_the_key_of_the_member_that_it_overrides() -> None:
    keys = codebuild_keys("StartBuild", {"projectName": "web", "serviceRoleOverride": "r", "buildspecOverride": "x"})
    assert keys == {
        "codebuild:serviceRole": "r",
        "codebuild:source": "true",
        "codebuild:source.buildspec": "true",
    }
    assert codebuild_keys("StartBuild", {"projectName": "web", "sourceVersion": "main"}) == {}


def test_a_wait_is_over_when_its_time_has_come_and_not_before(running: Running) -> None:
    running.events.get(timeout=10)
    wait = running.checkpoint(
        101.0, Id="w", Type="WAIT", SubType="Wait", Action="START", WaitOptions={"WaitSeconds": 60}
    )
    assert wait["WaitDetails"]["ScheduledEndTimestamp"].timestamp() == 161.0
    running.answers.put({"body": b'{"Status": "PENDING"}'})
    assert running.wake(160.9) == "STARTED"
    assert running.wake(161.0) == "SUCCEEDED"
    event = running.events.get(timeout=10)
    assert event["UpdatedOperationIds"] == ["w"]
    waited = event["InitialExecutionState"]["Operations"][1]
    assert (waited["Status"], waited["EndTimestamp"]) == ("SUCCEEDED", 161_000)


def test_a_step_that_is_retried_is_ready_when_its_delay_is_over(running: Running) -> None:
    running.events.get(timeout=10)
    running.checkpoint(101.0, **STEP, Action="START")
    retry = {"Action": "RETRY", "StepOptions": {"NextAttemptDelaySeconds": 5}, "Error": {"ErrorMessage": "no"}}
    step = running.checkpoint(102.0, **STEP, **retry)
    assert (step["Status"], step["StepDetails"]["Attempt"]) == ("PENDING", 1)
    assert step["StepDetails"]["NextAttemptTimestamp"].timestamp() == 107.0
    assert running.wake(106.9) == "PENDING"
    assert running.wake(107.0) == "READY"


def test_a_checkpoint_with_the_token_of_an_earlier_invocation_is_refused(running: Running) -> None:
    old = running.events.get(timeout=10)["CheckpointToken"]
    running.answers.put({"error": True, "body": {"errorMessage": "out of memory"}})
    running.events.get(timeout=10)
    with pytest.raises(InvalidParameterValueException, match=r"^Invalid checkpoint token$"):
        running.checkpoint_execution(ARN, old)


def test_a_finished_operation_cannot_be_changed(running: Running) -> None:
    running.events.get(timeout=10)
    running.checkpoint(101.0, **STEP, Action="START")
    running.checkpoint(101.0, **STEP, Action="SUCCEED", Payload="1")
    with pytest.raises(InvalidParameterValueException, match=r"^Invalid current STEP state to close\.$"):
        running.checkpoint(102.0, **STEP, Action="FAIL", Error={})


def test_an_execution_that_has_ended_takes_no_more_checkpoints(running: Running) -> None:
    running.events.get(timeout=10)
    running.stop_execution(ARN)
    with pytest.raises(InvalidParameterValueException):
        running.checkpoint(102.0, **STEP, Action="START")


def test_the_request_log_keeps_no_secret() -> None:
    kept = requests.clean(
        {
            "SecretId": "hub",
            "SecretString": "hush",
            "variables": [
                {"name": "A", "value": "hush"},
                {"name": "B", "type": "SECRETS_MANAGER", "value": "arn:x:username"},
            ],
        }
    )
    assert kept["SecretId"] == "hub"
    assert kept["variables"][1]["value"] == "arn:x:username"
    assert "hush" not in str(kept)


def test_the_error_code_is_found_in_header_json_and_xml() -> None:
    assert (
        requests.error_code(400, {"x-amzn-errortype": "AccessDeniedException:http://x"}, b"") == "AccessDeniedException"
    )
    assert requests.error_code(400, {}, b'{"__type": "com.aws#InvalidInputException"}') == "InvalidInputException"
    assert requests.error_code(404, {}, b"<Error><Code>NoSuchEntity</Code></Error>") == "NoSuchEntity"
    assert requests.error_code(200, {}, b'{"code": "none"}') is None


def test_a_hold_catches_one_request_of_the_principal_that_it_names() -> None:
    async def caught() -> list[bool]:
        holds = Holds()
        holds.add("codebuild", "UpdateProject", "role/fixer")
        seen = [
            ("codebuild", "UpdateProject", "role/other", False),
            ("codebuild", "UpdateProject", "role/fixer", True),
            ("codebuild", "UpdateProject", "role/fixer", False),
            ("codebuild", "UpdateProject", "role/fixer", False),
        ]
        return [holds.catch(*request) is not None for request in seen]

    assert asyncio.run(caught()) == [False, False, True, False]


ROLE = "arn:aws:iam::123456789012:role/service-role/orders-build"


def statement(**members: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
        **members,
    }


def policy(*statements: dict[str, Any], **members: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **members})


def refused(text: str, *, block_public: bool = True) -> str:
    """The code of Secrets Manager's answer to a policy, in an account that has ROLE alone."""
    found = secret_policies.fault(text, lambda principal: principal == ROLE, block_public=block_public)
    return found.code if found else ""


def test_a_secrets_policy_that_names_who_exists_is_accepted() -> None:
    listed = statement(Sid="two", Principal={"AWS": [ROLE], "Service": "codebuild.amazonaws.com"})
    denying = statement(Sid="three", Effect="Deny", Principal="*")
    assert refused(policy(statement(Sid="one"), listed, denying)) == ""


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        policy(),
        policy(statement(), Version="2019-10-19"),
        policy(statement(Effect="Permit")),
        policy(statement(NotAction="secretsmanager:*")),
        policy({name: value for name, value in statement().items() if name != "Resource"}),
        policy({name: value for name, value in statement().items() if name != "Principal"}),
        policy(statement(Sid="same"), statement(Sid="same")),
        policy(statement(Principal={"AWS": "arn:aws:iam::123456789012:role/nobody"})),
        policy(statement(), statement(Principal={"AWS": [ROLE, "AROA4EXAMPLE"]})),
        policy(statement(Principal=ROLE)),
    ],
)
def test_a_secrets_policy_that_is_none_or_names_nobody_is_malformed(text: str) -> None:
    assert refused(text) == "MalformedPolicyDocumentException"


@pytest.mark.parametrize("members", [{"Principal": "*"}, {"Principal": {"AWS": [ROLE, "*"]}}])
def test_a_secrets_policy_for_everybody_is_refused_where_that_is_blocked(members: dict[str, Any]) -> None:
    stage = {"StringEquals": {"secretsmanager:VersionStage": "AWSCURRENT"}}
    assert refused(policy(statement(**members, Condition=stage))) == "PublicPolicyException"
    assert refused(policy(statement(**members)), block_public=False) == ""
    assert refused(policy(statement(**members, Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}))) == ""


def test_a_secrets_policy_may_have_20480_characters() -> None:
    text = policy(statement())
    assert refused(text.ljust(20_480)) == ""
    assert refused(text.ljust(20_481)) == "ValidationException"


def test_a_deleted_role_stays_in_a_secrets_policy_as_its_unique_id() -> None:
    alone, listed = statement(Sid="one"), statement(Sid="two", Principal={"AWS": [ROLE, "123456789012"]})
    left = json.loads(secret_policies.without_role(policy(alone, listed), ROLE, "AROA4EXAMPLE"))["Statement"]
    assert [one["Principal"]["AWS"] for one in left] == ["AROA4EXAMPLE", ["AROA4EXAMPLE", "123456789012"]]
    assert refused(policy(*left)) == "MalformedPolicyDocumentException"
