"""What template.yaml promises to whoever deploys it: what stays, what is allowed, and what can't be given wrong."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from local.permissions import EVERYWHERE, OPEN_RESOURCES
from local.template import TEMPLATE, Stack, actions, document, resources
from remediator.core.outcome import BadInput
from remediator.core.repair.auth_config import fault_in
from tests.unit.given import settings

TEXT = TEMPLATE.read_text(encoding="utf-8")

RETRIES = {
    "codebuild:StartBuild",
    "codebuild:RetryBuild",
    "codebuild:StopBuild",
    "codebuild:RetryBuildBatch",
    "codepipeline:RetryStageExecution",
}
WRITES = {"codebuild:UpdateProject", *RETRIES, "iam:AttachRolePolicy", "iam:PassRole"}
GRANTS = {
    "managed": {"iam:AttachRolePolicy"},
    "secret": {"secretsmanager:PutResourcePolicy"},
    "inline": {"iam:PutRolePolicy"},
    "none": set[str](),
}
"""What each PolicyMode may write."""
EVERY_GRANT = {action for written in GRANTS.values() for action in written}
RULES = ("ThrottledPull", "FailedCommand", "UnreadableSecret")
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0f8e7d6c-0000-4000-8000-a1b2c3d4e5f6"

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:docker-hub-AbCdEf"

NEVER_SENT = {
    "codebuild:serviceRole",
    "codebuild:vpcConfig",
    "codebuild:artifacts",
    "codebuild:secondaryArtifacts",
    "codebuild:secondarySources",
    "codebuild:fileSystemLocations.identifier",
    "codebuild:logsConfig",
    "codebuild:cache",
    "codebuild:encryptionKey",
    "codebuild:buildBatchConfig",
    "codebuild:concurrentBuildLimit",
    "codebuild:autoRetryLimit",
    "codebuild:source",
    "codebuild:source.buildspec",
    "codebuild:source.location",
}

# A build is started again with the overrides that it had; these are none that Remediator gives again.
START_NEVER_SENT = {
    "codebuild:serviceRole",
    "codebuild:artifacts",
    "codebuild:secondaryArtifacts",
    "codebuild:secondarySources",
    "codebuild:logsConfig",
    "codebuild:encryptionKey",
    "codebuild:autoRetryLimit",
}

# In the statement for inline buildspecs a source has to be there, with a buildspec.
EDIT_NEVER_SENT = NEVER_SENT - {"codebuild:source", "codebuild:source.buildspec", "codebuild:source.location"}

_LOG_GROUPS = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${LogGroupPattern}"

SHARED_VARIABLES = {
    "JOURNAL_TABLE",
    "SECRET_ARN",
    "GRANT_POLICY_ARN",
    "MODE",
    "RETRY_BUILD",
    "RETRY_SUPERSEDED",
    "PROJECT_NAME_PATTERN",
    "ENVIRONMENT_VARIABLES",
    "USERNAME_VARIABLE",
    "PASSWORD_VARIABLE",
    "SETTLE_SECONDS",
    "MAX_ATTEMPTS",
    "COOLDOWN_MINUTES",
    "UNTRUSTED_PROJECTS",
    "INSPECT_BUILD_LOGS",
    "EDIT_BUILDSPECS",
    "POLICY_MODE",
    "SECRET_KMS_KEY_ARN",
    "ALLOW_LIMITED_ACCOUNT",
    "DOCKER_HUB_UNREACHABLE",
    "WRITABLE_TOKEN",
    "TAGGED_PROJECTS_ONLY",
    "NOTICES_TOPIC",
    "STACK_NAME",
    "DOCKER_HUB_ENDPOINT",
    "JOURNAL_DAYS",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_LOG_LEVEL",
}


def pattern_accepts(parameter: str, value: str) -> bool:
    """CloudFormation matches the whole value."""
    return re.fullmatch(document()["Parameters"][parameter]["AllowedPattern"], value) is not None


# --- What stays when the stack goes ----------------------------------------------------------------------------------


def test_secret_policy_and_journal_outlive_the_stack_and_their_own_replacement() -> None:
    retained = {name for name, each in Stack().resources.items() if each.get("DeletionPolicy") == "Retain"}
    assert retained == {"DockerHubSecret", "GrantPolicy", "Journal"}
    for name in retained:
        assert Stack().resources[name]["UpdateReplacePolicy"] == "Retain"


def test_the_secret_has_a_name_that_no_other_instance_of_the_stack_has() -> None:
    template, values = Stack().resources["DockerHubSecret"]["Properties"]["Name"]["Fn::Sub"]
    assert template == "docker-hub/${AWS::StackName}-${Instance}"
    assert "AWS::StackId" in json.dumps(values)


def test_the_grant_names_the_stacks_own_secret_also_after_a_switch_to_another() -> None:
    other = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:other-AbCdEf"
    listed = resources(Stack(DockerHubSecretArn=other).statement("secretsmanager:GetSecretValue", "GrantPolicy"))
    assert listed[0] == {"Ref": "DockerHubSecretArn"}
    assert listed[1]["Fn::Sub"][0].endswith(":secret:docker-hub/${AWS::StackName}-${Instance}-??????")


def test_the_grant_names_former_secrets_only_where_there_are_any() -> None:
    former = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:former-AbCdEf"]
    assert len(list(Stack().statements("GrantPolicy"))) == 1
    _, kept = Stack(FormerSecretArns=former).statements("GrantPolicy")
    assert kept["Resource"] == {"Ref": "FormerSecretArns"}


def test_the_grant_allows_reading_and_nothing_else() -> None:
    assert Stack().actions("GrantPolicy") == {"secretsmanager:GetSecretValue"}


def test_a_version_keeps_running_for_executions_that_wait_in_it() -> None:
    remediator = Stack().resources["Remediator"]
    assert remediator["UpdateReplacePolicy"] == "Retain"
    assert "DeletionPolicy" not in remediator  # SAM would hand it on to the versions instead of its own Retain


# --- What is allowed ------------------------------------------------------------------------------------------------


def test_no_action_has_a_wildcard() -> None:
    assert not {action for action in Stack(GrantPassRole="true").actions() if "*" in action}


def test_no_statement_is_on_every_resource_and_each_open_one_has_its_reason() -> None:
    for statement in Stack(GrantPassRole="true").statements():
        for resource in resources(statement):
            text = resource.get("Fn::Sub", "") if isinstance(resource, dict) else resource
            if text == "*":
                assert actions(statement) == list(EVERYWHERE), "CodeBuild has no resource for ListProjects alone"
            elif isinstance(text, str) and "*" in text:
                assert text in OPEN_RESOURCES, f"{statement['Sid']}: no reason is written down for {text}"


def test_no_aws_managed_policy_is_attached() -> None:
    assert "ManagedPolicyArns" not in TEXT
    for name in ("Intake", "Remediator"):
        assert "Role" in Stack().resources[name]["Properties"]  # else SAM makes one, with policies on "*"


def test_projects_are_written_only_within_the_name_pattern() -> None:
    writing = [
        each for each in Stack().statements() if {"codebuild:UpdateProject", "codebuild:StartBuild"} & {*actions(each)}
    ]
    assert len(writing) == 3
    for statement in writing:
        (resource,) = resources(statement)
        assert resource["Fn::Sub"].endswith(":project/${ProjectNamePattern}")


def test_projects_and_builds_are_read_only_within_the_name_pattern() -> None:
    for role in ("IntakeRole", "RemediatorRole"):
        for action in ("BatchGetBuilds", "BatchGetProjects", "ListBuildsForProject"):
            (resource,) = resources(Stack().statement(f"codebuild:{action}", role))
            assert resource["Fn::Sub"].endswith(":project/${ProjectNamePattern}")


@pytest.mark.parametrize(
    ("action", "never"), [("codebuild:UpdateProject", NEVER_SENT), ("codebuild:StartBuild", START_NEVER_SENT)]
)
def test_an_update_or_a_start_is_allowed_only_without_the_members_that_are_never_sent(
    action: str, never: set[str]
) -> None:
    condition = Stack(EditBuildspecs="false").statement(action)["Condition"]
    assert condition == {"Null": dict.fromkeys(never, "true")}


def test_builds_and_batches_are_retried_only_within_the_name_pattern() -> None:
    for action in ("RetryBuild", "StopBuild", "RetryBuildBatch", "BatchGetBuildBatches"):
        (resource,) = resources(Stack().statement(f"codebuild:{action}"))
        assert resource["Fn::Sub"].endswith(":project/${ProjectNamePattern}")


def test_pipelines_are_read_and_their_stages_retried_only_within_their_own_pattern() -> None:
    read = ("GetPipelineState", "GetPipeline", "ListActionExecutions")
    for action, end in (*((name, "") for name in read), ("RetryStageExecution", "/*")):
        (resource,) = resources(Stack().statement(f"codepipeline:{action}"))
        assert resource["Fn::Sub"].endswith(":${PipelineNamePattern}" + end)


def test_a_source_is_sent_only_to_edit_an_inline_buildspec_and_only_where_that_is_allowed() -> None:
    named = [each["Sid"] for each in Stack().statements() if "codebuild:UpdateProject" in actions(each)]
    assert named == ["RepairProjects", "EditInlineBuildspecs"]
    _, edit = (each for each in Stack().statements() if "codebuild:UpdateProject" in actions(each))
    wanted = {**dict.fromkeys(EDIT_NEVER_SENT, "true"), "codebuild:source.buildspec": "false"}
    assert edit["Condition"] == {"Null": wanted}
    assert actions(edit) == ["codebuild:UpdateProject"]
    for off in ({"EditBuildspecs": "false"}, {"InspectBuildLogs": "false"}, {"Mode": "plan"}):
        assert "EditInlineBuildspecs" not in {each["Sid"] for each in Stack(**off).statements()}


def test_logs_are_read_only_within_the_pattern_and_only_where_they_are_inspected() -> None:
    for role in ("IntakeRole", "RemediatorRole"):
        statement = Stack().statement("logs:FilterLogEvents", role)
        assert [each["Fn::Sub"] for each in resources(statement)] == [_LOG_GROUPS, f"{_LOG_GROUPS}:*"]
        assert actions(statement) == ["logs:FilterLogEvents", "logs:GetLogEvents"]
        assert not {"logs:FilterLogEvents", "logs:GetLogEvents"} & Stack(InspectBuildLogs="false").actions(role)


def test_intake_writes_outcomes_and_the_stop_switch_into_the_journal_and_nothing_else() -> None:
    def keys(action: str) -> list[str]:
        statement = Stack().statement(action, "IntakeRole")
        assert resources(statement) == [{"Fn::GetAtt": ["Journal", "Arn"]}]
        (listed,) = statement["Condition"]["ForAllValues:StringLike"].values()
        assert statement["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": listed}}
        return [*listed]

    assert keys("dynamodb:PutItem") == ["build#*", "stop"]
    assert keys("dynamodb:GetItem") == ["build#*", "project#*", "secret#*", "stop"]
    written = {action for action in Stack().actions("IntakeRole") if action.startswith("dynamodb:")}
    assert written == {"dynamodb:GetItem", "dynamodb:PutItem"}


def test_a_policy_may_be_attached_only_when_it_is_the_one_that_reads_the_secret() -> None:
    condition = Stack().statement("iam:AttachRolePolicy")["Condition"]
    assert condition == {"ArnEquals": {"iam:PolicyARN": {"Ref": "GrantPolicy"}}}


@pytest.mark.parametrize("mode", GRANTS)
def test_each_policy_mode_may_write_in_its_own_place_and_nowhere_else(mode: str) -> None:
    written = Stack(PolicyMode=mode, RolePath="/ci/").actions() & EVERY_GRANT
    assert written == GRANTS[mode]
    assert not Stack(PolicyMode=mode, RolePath="/ci/", Mode="plan").actions() & EVERY_GRANT


@pytest.mark.parametrize(
    ("mode", "read"),
    [
        ("managed", {"iam:ListAttachedRolePolicies"}),
        ("none", {"iam:ListAttachedRolePolicies"}),
        ("inline", {"iam:GetRolePolicy"}),
        ("secret", set[str]()),
    ],
)
def test_each_policy_mode_reads_of_roles_what_it_needs(mode: str, read: set[str]) -> None:
    iam = {action for action in Stack(PolicyMode=mode, RolePath="/ci/").actions() if action.startswith("iam:")}
    assert iam - GRANTS[mode] == {"iam:GetRole", "iam:GetPolicy", "iam:GetPolicyVersion", *read}


def test_an_inline_policy_is_put_only_under_the_path_that_has_to_be_given() -> None:
    stack = Stack(PolicyMode="inline", RolePath="/ci/", DockerHubSecretArn="arn")
    (resource,) = resources(stack.statement("iam:PutRolePolicy"))
    assert resource == {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role${RolePath}*"}
    assert stack.accepted()
    assert not Stack(PolicyMode="inline", DockerHubSecretArn="arn").accepted()
    assert Stack(PolicyMode="secret", DockerHubSecretArn="arn").accepted()
    for right in ("/service-role/", "/a/b/"):
        assert pattern_accepts("RolePath", right)
    for wrong in ("/", "//", "ci", "/ci", "ci/", "/*/", "/a//b/", "/c?/"):
        assert not pattern_accepts("RolePath", wrong)


def test_the_secrets_policy_is_written_only_where_everybody_is_kept_out() -> None:
    stack = Stack(PolicyMode="secret", DockerHubSecretArn="arn")
    statement = stack.statement("secretsmanager:PutResourcePolicy")
    assert statement["Condition"] == {"Bool": {"secretsmanager:BlockPublicPolicy": "true"}}
    assert statement["Resource"] == {"Ref": "DockerHubSecretArn"}


def test_remediator_may_never_write_to_the_roles_of_the_stack() -> None:
    (deny,) = (each for each in Stack().statements() if each["Effect"] == "Deny")
    assert {*actions(deny)} == GRANTS["managed"] | GRANTS["inline"]
    assert deny["Resource"] == [{"Fn::GetAtt": ["RemediatorRole", "Arn"]}, {"Fn::GetAtt": ["IntakeRole", "Arn"]}]
    for role in ("IntakeRole", "RemediatorRole"):
        assert "Path" not in Stack().resources[role]["Properties"], "RolePath is never that of these roles"


def test_a_customer_key_of_the_secret_is_used_through_secrets_manager_alone() -> None:
    assert not {action for action in Stack().actions() if action.startswith("kms:")}
    stack = Stack(SecretKmsKeyArn=KEY)
    via = {"Fn::Sub": "secretsmanager.${AWS::Region}.${AWS::URLSuffix}"}
    for holder in ("RemediatorRole", "GrantPolicy"):
        statement = stack.statement("kms:Decrypt", holder)
        assert statement["Resource"] == {"Ref": "SecretKmsKeyArn"}
        assert statement["Condition"]["StringEquals"]["kms:ViaService"] == via
    assert stack.statement("kms:GetKeyPolicy")["Resource"] == {"Ref": "SecretKmsKeyArn"}
    assert stack.resources["DockerHubSecret"]["Properties"]["KmsKeyId"] == {"Ref": "SecretKmsKeyArn"}


def decrypted(stack: Stack, holder: str) -> list[Any]:
    """The secrets for which each statement that decrypts with the secret's key does so."""
    conditions = [each["Condition"] for each in stack.statements(holder) if actions(each) == ["kms:Decrypt"]]
    keys = [
        {**each["StringEquals"], **each.get("StringLike", {})}["kms:EncryptionContext:SecretARN"] for each in conditions
    ]
    return [key if isinstance(key, list) else [key] for key in keys]


def test_a_customer_key_decrypts_the_secrets_that_may_be_read_and_no_other_one() -> None:
    """Roles may read more secrets than ours, and be held back by their key alone."""
    former = [SECRET.replace("docker-hub", "former")]
    stack = Stack(SecretKmsKeyArn=KEY, DockerHubSecretArn=SECRET, FormerSecretArns=former)
    (own,) = decrypted(stack, "RemediatorRole")
    assert own == resources(stack.statement("secretsmanager:GetSecretValue", "RemediatorRole"))
    policy = list(stack.statements("GrantPolicy"))
    read = [resources(each) for each in policy if "secretsmanager:GetSecretValue" in actions(each)]
    assert decrypted(stack, "GrantPolicy") == read
    assert len(read) == 2
    assert len(decrypted(Stack(SecretKmsKeyArn=KEY), "GrantPolicy")) == 1


def test_a_customer_key_of_the_stacks_data_encrypts_all_of_it_and_is_used_through_its_services_alone() -> None:
    stack, key = Stack(DataKmsKeyArn=KEY), {"Ref": "DataKmsKeyArn"}
    properties = {name: each.get("Properties", {}) for name, each in stack.resources.items()}
    assert properties["Journal"]["SSESpecification"]["KMSMasterKeyId"] == key
    assert properties["Notices"]["KmsMasterKeyId"] == key
    for name in ("IntakeDeadLetters", "RemediatorDeadLetters", "RuleDeadLetters"):
        assert properties[name]["KmsMasterKeyId"] == key
        assert "SqsManagedSseEnabled" not in properties[name]
    for name in ("IntakeLog", "RemediatorLog"):
        assert properties[name]["KmsKeyId"] == key
    services = [{"Fn::Sub": f"{name}.${{AWS::Region}}.${{AWS::URLSuffix}}"} for name in ("dynamodb", "sns", "sqs")]
    for role in ("IntakeRole", "RemediatorRole"):
        statement = stack.statement("kms:GenerateDataKey", role)
        assert statement["Resource"] == key
        assert statement["Condition"] == {"StringEquals": {"kms:ViaService": services}}


def test_without_a_customer_key_everything_is_encrypted_all_the_same() -> None:
    properties = {name: each.get("Properties", {}) for name, each in Stack().resources.items()}
    assert properties["Journal"]["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert properties["Notices"]["KmsMasterKeyId"] == "alias/aws/sns"


@pytest.mark.parametrize("parameter", ["SecretKmsKeyArn", "DataKmsKeyArn"])
def test_a_key_is_named_completely_and_not_by_an_alias(parameter: str) -> None:
    assert pattern_accepts(parameter, "")
    assert pattern_accepts(parameter, KEY)
    for wrong in ("alias/docker-hub", KEY.replace("key/", "alias/"), KEY.partition("/")[2], f"{KEY}*", "*"):
        assert not pattern_accepts(parameter, wrong)


def test_projects_of_other_regions_are_read_in_the_regions_that_are_given_and_in_no_other() -> None:
    (here,) = (each for each in Stack().statements("RemediatorRole") if "codebuild:BatchGetProjects" in actions(each))
    assert "${AWS::Region}" in here["Resource"]["Fn::Sub"]
    stack = Stack(RoleRegions="us-east-1,eu-north-1")
    _, there = (each for each in stack.statements("RemediatorRole") if "codebuild:BatchGetProjects" in actions(each))
    assert actions(there) == ["codebuild:BatchGetProjects"]
    assert there["Resource"] == {
        "Fn::Sub": "arn:${AWS::Partition}:codebuild:*:${AWS::AccountId}:project/${ProjectNamePattern}"
    }
    regions = {"Fn::Split": [",", {"Ref": "RoleRegions"}]}
    assert there["Condition"] == {"StringEquals": {"aws:RequestedRegion": regions}}


@pytest.mark.parametrize("regions", ["", "us-east-1", "us-gov-west-1,cn-north-1", "ap-southeast-2,eu-west-1"])
def test_other_regions_are_given_by_their_names(regions: str) -> None:
    assert pattern_accepts("RoleRegions", regions)
    settings(ROLE_REGIONS=regions)


@pytest.mark.parametrize("regions", ["*", "us-*", "us-east-1, eu-west-1", "us-east-1,", "Ireland", "us-east-1\n", ","])
def test_what_is_no_region_is_refused(regions: str) -> None:
    assert not pattern_accepts("RoleRegions", regions)
    with pytest.raises(BadInput, match="ROLE_REGIONS"):
        settings(ROLE_REGIONS=regions)


def test_roles_are_passed_only_when_asked_for_and_only_to_codebuild() -> None:
    assert "iam:PassRole" not in Stack().actions()
    condition = Stack(GrantPassRole="true").statement("iam:PassRole")["Condition"]
    assert condition == {"StringEquals": {"iam:PassedToService": "codebuild.amazonaws.com"}}


def test_in_plan_mode_nothing_foreign_can_be_written() -> None:
    assert Stack(GrantPassRole="true").actions() >= WRITES
    assert not WRITES & Stack(Mode="plan", GrantPassRole="true").actions()


def test_without_retries_no_build_can_be_started() -> None:
    assert not RETRIES & Stack(RetryBuild="false").actions()
    assert "codebuild:UpdateProject" in Stack(RetryBuild="false").actions()


@pytest.mark.parametrize("parameters", [{}, {"Mode": "plan"}, {"RetryBuild": "false"}, {"PolicyMode": "none"}])
def test_what_starts_a_pipeline_can_be_read_wherever_a_project_is_judged(parameters: dict[str, str]) -> None:
    assert "codepipeline:GetPipeline" in Stack(**parameters).actions()


@pytest.mark.parametrize("given", ["", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hub-AbCdEf"])
def test_remediator_reads_the_one_secret_and_intake_none(given: str) -> None:
    stack = Stack(DockerHubSecretArn=given)
    expected = {"Ref": "DockerHubSecretArn"} if given else {"Fn::GetAtt": ["DockerHubSecret", "Id"]}
    assert stack.statement("secretsmanager:GetSecretValue", "RemediatorRole")["Resource"] == expected
    assert "secretsmanager:GetSecretValue" not in stack.actions("IntakeRole")


def test_intake_can_change_nothing_but_the_journal() -> None:
    assert Stack().actions("IntakeRole") == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
        "codebuild:BatchGetBuilds",
        "codebuild:BatchGetProjects",
        "codebuild:ListBuildsForProject",
        "logs:FilterLogEvents",
        "logs:GetLogEvents",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "sns:Publish",
        "lambda:InvokeFunction",
    }


def test_only_intake_may_invoke_remediator_and_only_its_alias() -> None:
    allowed = Stack().statement("lambda:InvokeFunction")
    assert allowed in list(Stack().statements("IntakeRole"))
    assert allowed["Resource"] == {"Ref": "RemediatorAliaslive"}
    permissions = [each for each in Stack().resources.values() if each["Type"] == "AWS::Lambda::Permission"]
    assert [each["Properties"]["FunctionName"] for each in permissions] == [{"Fn::GetAtt": ["Intake", "Arn"]}] * len(
        RULES
    )


def test_remediator_reads_only_its_own_executions() -> None:
    for action in ("CheckpointDurableExecution", "GetDurableExecutionState", "GetDurableExecution"):
        (resource,) = resources(Stack().statement(f"lambda:{action}"))
        assert resource["Fn::Sub"].startswith("${Remediator.Arn}:")


def test_no_partition_is_written_out() -> None:
    assert "arn:aws:" not in TEXT


# --- What can't be given wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameter", ["DockerHubUsername", "DockerHubToken"])
@pytest.mark.parametrize("breaker", ['"', "\\", "\n", "\r", "\t", "\x00"])
def test_a_credential_that_would_break_out_of_the_secrets_json_is_refused(parameter: str, breaker: str) -> None:
    assert pattern_accepts(parameter, "plain")
    assert not pattern_accepts(parameter, f"be{breaker}fore")
    assert not pattern_accepts(parameter, f"end{breaker}")


def test_every_other_printable_character_makes_a_secret_that_is_json() -> None:
    printable = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '"\\')
    assert pattern_accepts("DockerHubToken", printable)
    template, values = Stack().resources["DockerHubSecret"]["Properties"]["SecretString"]["Fn::Sub"]
    assert values == {"Auth": {"Fn::Base64": {"Fn::Sub": "${DockerHubUsername}:${DockerHubToken}"}}}
    auth = base64.b64encode(f"me:{printable}".encode()).decode()
    text = template.replace("${Auth}", auth).replace("${DockerHubUsername}", "me")
    secret = json.loads(text.replace("${DockerHubToken}", printable))
    assert (secret["username"], secret["password"]) == ("me", printable)
    assert fault_in(secret["docker_auth_config"], "me", printable) == ""


def test_the_token_is_never_shown() -> None:
    assert document()["Parameters"]["DockerHubToken"]["NoEcho"] is True
    secret = json.dumps(document()["Resources"]["DockerHubSecret"])
    assert TEXT.count("${DockerHubToken}") == secret.count("${DockerHubToken}") == 2
    assert not [output for output in document()["Outputs"].values() if "Token" in json.dumps(output)]


@pytest.mark.parametrize(
    ("parameters", "accepted"),
    [
        ({}, False),
        ({"DockerHubUsername": "me"}, False),
        ({"DockerHubToken": "token"}, False),
        ({"DockerHubUsername": "me", "DockerHubToken": "token"}, True),
        ({"DockerHubSecretArn": "arn"}, True),
        ({"DockerHubSecretArn": "arn", "UsernameVariable": "X", "PasswordVariable": "X"}, False),
    ],
)
def test_credentials_and_two_different_variable_names_are_required(parameters: dict[str, str], accepted: bool) -> None:
    assert Stack(**parameters).accepted() is accepted


@pytest.mark.parametrize("parameter", ["DockerHubSecretArn", "FormerSecretArns"])
def test_a_secret_is_named_completely_and_without_wildcards(parameter: str) -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:docker/hub-AbCdEf"
    assert pattern_accepts(parameter, "")
    assert pattern_accepts(parameter, arn)
    assert pattern_accepts(parameter, arn.replace("arn:aws:", "arn:aws-cn:"))
    for wrong in ("docker/hub", arn[:-7], arn + "*", arn.replace("hub", "*"), f"{arn}:username"):
        assert not pattern_accepts(parameter, wrong)


def test_credentials_can_be_checked_only_at_docker_hub_or_on_this_machine() -> None:
    for right in ("", "http://127.0.0.1:4567", "http://localhost:4567"):
        assert pattern_accepts("DockerHubEndpoint", right)
    for wrong in (
        "http://127.0.0.1",
        "https://example.com:443",
        "http://127.0.0.1:80@example.com",
        "http://localhost.example.com:80",
    ):
        assert not pattern_accepts("DockerHubEndpoint", wrong)


def test_a_name_pattern_can_name_nothing_but_projects() -> None:
    for right in ("*", "orders-*", "team-?-api", "orders_api"):
        assert pattern_accepts("ProjectNamePattern", right)
    for wrong in ("", "a/b", "a:b", "${x}", "a,b", "a b"):
        assert not pattern_accepts("ProjectNamePattern", wrong)


def test_variables_that_codebuild_keeps_for_itself_are_refused() -> None:
    for parameter in ("UsernameVariable", "PasswordVariable"):
        assert pattern_accepts(parameter, "DOCKERHUB_USERNAME")
        for wrong in ("", "1ST", "A-B", "CODEBUILD_TOKEN"):
            assert not pattern_accepts(parameter, wrong)


def test_every_parameter_is_described_grouped_labelled_and_says_what_is_allowed() -> None:
    console = document()["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in console["ParameterGroups"] for name in group["Parameters"]]
    parameters = document()["Parameters"]
    assert sorted(grouped) == sorted(parameters)
    assert console["ParameterLabels"].keys() == parameters.keys()
    for name, given in parameters.items():
        assert {"Description", "Default", "ConstraintDescription"} <= given.keys(), name
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & given.keys(), name
        default = str(given["Default"])
        assert default in map(str, given.get("AllowedValues", [default])), name
        assert "AllowedPattern" not in given or pattern_accepts(name, default), name


# --- Functions, rule, outputs ---------------------------------------------------------------------------------------


def test_the_functions_get_the_variables_that_settings_read() -> None:
    shared = document()["Globals"]["Function"]["Environment"]["Variables"]
    assert shared.keys() == SHARED_VARIABLES
    functions = Stack().resources
    assert functions["Intake"]["Properties"]["Environment"]["Variables"].keys() == {"REMEDIATOR"}
    assert functions["Remediator"]["Properties"]["Environment"]["Variables"].keys() == {"OWN_ROLE", "ROLE_REGIONS"}


def test_a_changed_parameter_publishes_a_new_version() -> None:
    """An alias runs a version, whose environment is fixed; only a changed description replaces it."""
    variables = [
        document()["Globals"]["Function"]["Environment"]["Variables"],
        document()["Resources"]["Remediator"]["Properties"]["Environment"]["Variables"],
    ]
    description, values = document()["Resources"]["Remediator"]["Properties"]["VersionDescription"]["Fn::Sub"]
    named = description + json.dumps(values)
    conditions = document()["Conditions"]
    named += json.dumps([conditions[name] for name in re.findall(r'"Fn::If": \["(\w+)"', named)])
    for parameter in document()["Parameters"]:
        if f'"Ref": "{parameter}"' in json.dumps(variables):
            assert f"${{{parameter}}}" in named or f'"Ref": "{parameter}"' in named, parameter


def test_the_longest_version_description_fits() -> None:
    parameters = document()["Parameters"]
    description, _ = document()["Resources"]["Remediator"]["Properties"]["VersionDescription"]["Fn::Sub"]
    letters = json.dumps(document()["Resources"]["Remediator"]["Properties"]["VersionDescription"]).count("Fn::If") - 1
    longest = {"Secret": 76 + 7, "Letters": letters}

    def length(name: str) -> int:
        given = parameters.get(name, {})
        known = [*given.get("AllowedValues", []), given.get("MaxValue", "")]
        return longest.get(name) or given.get("MaxLength") or max(len(str(each)) for each in known)

    names = re.findall(r"\$\{(\w+)\}", description)
    assert "{1,76}-[A-Za-z0-9]{6}" in parameters["DockerHubSecretArn"]["AllowedPattern"]
    assert sum(map(length, names)) + len(names) - 1 <= 256


def test_both_functions_are_one_artifact_for_arm_without_tracing() -> None:
    common = document()["Globals"]["Function"]
    assert (common["Runtime"], common["Architectures"], common["CodeUri"]) == ("python3.13", ["arm64"], "src/")
    assert "Tracing" not in common
    for name in ("Intake", "Remediator"):
        function = Stack().resources[name]
        assert function["Metadata"]["BuildMethod"] == "makefile"
        assert not {"CodeUri", "Runtime", "Tracing", "ReservedConcurrentExecutions"} & function["Properties"].keys()


def test_an_execution_lasts_longer_than_all_retries_of_the_longest_builds_with_their_waits() -> None:
    attempts = document()["Parameters"]["MaxAttempts"]["MaxValue"]
    watches_and_waits = attempts * (2 * (36 + 8) + 7) * 3600
    assert Stack().resources["Remediator"]["Properties"]["DurableConfig"]["ExecutionTimeout"] > watches_and_waits


def test_functions_and_rules_have_a_dead_letter_queue_each_encrypted_and_kept_for_days() -> None:
    """Two weeks what holds names alone; a weekend where whole events may be."""
    stack = Stack()
    queues = {name for name, each in stack.resources.items() if each["Type"] == "AWS::SQS::Queue"}
    assert queues == {"IntakeDeadLetters", "RemediatorDeadLetters", "RuleDeadLetters"}
    for name in queues:
        properties = stack.resources[name]["Properties"]
        days = 3 if name == "RuleDeadLetters" else 14
        assert properties == {"SqsManagedSseEnabled": True, "MessageRetentionPeriod": days * 24 * 3600}
    for function in ("Intake", "Remediator"):
        queue = {"Fn::GetAtt": [f"{function}DeadLetters", "Arn"]}
        assert stack.resources[function]["Properties"]["DeadLetterQueue"]["TargetArn"] == queue
        assert stack.statement("sqs:SendMessage", f"{function}Role")["Resource"] == queue


def test_the_rules_dead_letters_come_from_those_rules_alone() -> None:
    (statement,) = Stack().resources["RuleDeadLettersPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    rules = [{"Fn::GetAtt": [rule, "Arn"]} for rule in RULES]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rules}}
    for rule in RULES:
        (target,) = Stack().resources[rule]["Properties"]["Targets"]
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["RuleDeadLetters", "Arn"]}}
        assert target["RetryPolicy"].keys() == {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"}


def test_the_rule_on_failed_commands_is_there_only_where_logs_are_inspected() -> None:
    pattern = Stack().resources["FailedCommand"]["Properties"]["EventPattern"]
    wanted = json.loads(json.dumps(Stack().resources["ThrottledPull"]["Properties"]["EventPattern"]))
    phases = wanted["detail"]["additional-information"]["phases"]
    phases["phase-context"] = [{"prefix": "COMMAND_EXECUTION_ERROR"}]
    assert pattern == wanted
    without = Stack(InspectBuildLogs="false")
    assert not {"FailedCommand", "FailedCommandMayInvokeIntake"} & without.resources.keys()
    (statement,) = without.resources["RuleDeadLettersPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    others = [{"Fn::GetAtt": [rule, "Arn"]} for rule in RULES if rule != "FailedCommand"]
    assert statement["Condition"]["ArnEquals"]["aws:SourceArn"] == others


def test_the_rule_on_secrets_matches_a_phase_that_ended_with_an_error_of_secrets_manager() -> None:
    pattern = Stack().resources["UnreadableSecret"]["Properties"]["EventPattern"]
    wanted = json.loads(json.dumps(Stack().resources["ThrottledPull"]["Properties"]["EventPattern"]))
    wanted["detail"]["additional-information"]["phases"]["phase-context"] = [{"prefix": "Secrets Manager Error"}]
    assert pattern == wanted


def test_the_rule_matches_a_phase_whose_context_tells_a_pull_that_failed() -> None:
    assert Stack().resources["ThrottledPull"]["Properties"]["EventPattern"] == {
        "account": [{"Ref": "AWS::AccountId"}],
        "region": [{"Ref": "AWS::Region"}],
        "source": ["aws.codebuild"],
        "detail-type": ["CodeBuild Build State Change"],
        "detail": {
            "build-status": ["FAILED", "FAULT", "TIMED_OUT"],
            "additional-information": {
                "phases": {
                    "phase-context": [
                        {"wildcard": "*toomanyrequests*"},
                        {"prefix": "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"},
                    ]
                }
            },
        },
    }


def test_all_rules_hand_on_the_same_of_an_event() -> None:
    """tests/unit/test_input_transformer.py says what."""
    targets = [target for rule in RULES for target in Stack().resources[rule]["Properties"]["Targets"]]
    first, *others = [target["InputTransformer"] for target in targets]
    assert others == [first, first]
    named = re.findall(r"<([a-z]+)>", first["InputTemplate"])
    assert sorted(named) == sorted(first["InputPathsMap"]), "each is used, and used once"


@pytest.mark.parametrize("rule", RULES)
def test_the_rules_may_invoke_intake(rule: str) -> None:
    permission = Stack().resources[f"{rule}MayInvokeIntake"]["Properties"]
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"] == {"Fn::GetAtt": [rule, "Arn"]}


def test_the_journal_is_on_demand_recoverable_encrypted_and_expires() -> None:
    journal = Stack().resources["Journal"]["Properties"]
    assert journal["BillingMode"] == "PAY_PER_REQUEST"
    assert journal["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert journal["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert journal["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_logs_end_after_the_days_that_the_parameter_says() -> None:
    logs = [each for each in Stack().resources.values() if each["Type"] == "AWS::Logs::LogGroup"]
    assert len(logs) == 2
    for log in logs:
        assert log["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_no_secret_is_made_when_one_is_given() -> None:
    assert "DockerHubSecret" in Stack().resources
    assert "DockerHubSecret" not in Stack(DockerHubSecretArn="arn").resources


def test_the_outputs_name_what_people_and_programs_look_for() -> None:
    assert document()["Outputs"].keys() == {
        "IntakeFunction",
        "RemediatorFunction",
        "RemediatorAlias",
        "JournalTable",
        "GrantPolicyArn",
        "SecretArn",
        "NoticesTopic",
        "ThrottledPullRule",
        "FailedCommandRule",
        "UnreadableSecretRule",
        "IntakeDeadLetters",
        "RemediatorDeadLetters",
        "RuleDeadLetters",
    }
    assert all(output["Description"] for output in document()["Outputs"].values())
