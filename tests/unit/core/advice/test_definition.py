"""A repair in the form of each tool that may own the project, to the letter."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from remediator.core.advice.definition import in_definition
from remediator.core.advice.layout import one_line
from remediator.core.advice.owner import Owner
from tests.unit.repairs import (
    CHANGES,
    ENVIRONMENT,
    HOSTILE,
    LOGIN,
    NOBODY,
    OWNERS,
    PULUMI,
    SMUGGLED,
    STACK,
    TERRAFORM,
    pasted,
)


def kept(owner: Owner, project: str, changes: dict[str, Any]) -> str:
    return in_definition(owner, project, changes, head="Keep the change", why=f"the project {project} was changed")


CLOUDFORMATION_FORM = """\
Keep the change in CloudFormation: add these properties to those of the project and add the login to its buildspec, \
as the first command of the first phase.
where: the template of the stack web, resource WebBuild
why: the project shop was changed

Resources:
  "WebBuild":
    Properties:
      Environment:
        RegistryCredential:
          Credential: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf"
          CredentialProvider: "SECRETS_MANAGER"
        ImagePullCredentialsType: "SERVICE_ROLE"
        EnvironmentVariables:
          - Name: "DOCKERHUB_USERNAME"
            Value: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf:username"
            Type: "SECRETS_MANAGER"
          - Name: "DOCKERHUB_PASSWORD"
            Value: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf:password"
            Type: "SECRETS_MANAGER"

- |
  printf '%s' "$DOCKERHUB_PASSWORD" | docker login --username "$DOCKERHUB_USERNAME" --password-stdin"""

TERRAFORM_FORM = """\
Keep the change in Terraform: add these blocks to those of the project and add the login to its buildspec, \
as the first command of the first phase.
where: the resource aws_codebuild_project of the project shop (workspace prod)
why: the project shop was changed

environment {
  image_pull_credentials_type = "SERVICE_ROLE"

  registry_credential {
    credential          = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf"
    credential_provider = "SECRETS_MANAGER"
  }

  environment_variable {
    name  = "DOCKERHUB_USERNAME"
    value = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf:username"
    type  = "SECRETS_MANAGER"
  }

  environment_variable {
    name  = "DOCKERHUB_PASSWORD"
    value = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf:password"
    type  = "SECRETS_MANAGER"
  }
}

- |
  printf '%s' "$DOCKERHUB_PASSWORD" | docker login --username "$DOCKERHUB_USERNAME" --password-stdin"""

PULUMI_FORM = """\
Keep the change in Pulumi: add these properties to those of the project and add the login to its buildspec, \
as the first command of the first phase.
where: the resource aws:codebuild:Project of the project shop (stack dev)
why: the project shop was changed

resources:
  "PROJECT_RESOURCE":
    type: "aws:codebuild:Project"
    properties:
      environment:
        registryCredential:
          credential: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf"
          credentialProvider: "SECRETS_MANAGER"
        imagePullCredentialsType: "SERVICE_ROLE"
        environmentVariables:
          - name: "DOCKERHUB_USERNAME"
            value: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf:username"
            type: "SECRETS_MANAGER"
          - name: "DOCKERHUB_PASSWORD"
            value: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf:password"
            type: "SECRETS_MANAGER"

- |
  printf '%s' "$DOCKERHUB_PASSWORD" | docker login --username "$DOCKERHUB_USERNAME" --password-stdin"""


@pytest.mark.parametrize(
    ("owner", "text"), [(STACK, CLOUDFORMATION_FORM), (TERRAFORM, TERRAFORM_FORM), (PULUMI, PULUMI_FORM)]
)
def test_the_owners_form_in_full(owner: Owner, text: str) -> None:
    assert kept(owner, "shop", CHANGES) == text


def capitalised(value: Any) -> Any:
    """The same document with the names of CloudFormation's properties."""
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: capitalised(inner) for key, inner in value.items()}
    return [capitalised(inner) for inner in value] if isinstance(value, list) else value


def test_cloudformations_form_reads_back_as_what_was_set() -> None:
    properties, _, login = pasted(CLOUDFORMATION_FORM).rpartition("\n\n")
    assert yaml.safe_load(properties) == {
        "Resources": {"WebBuild": {"Properties": {"Environment": capitalised(ENVIRONMENT)}}}
    }
    assert yaml.safe_load(login) == [LOGIN]


def test_pulumis_form_reads_back_as_what_was_set() -> None:
    properties, _, login = pasted(PULUMI_FORM).rpartition("\n\n")
    assert yaml.safe_load(properties)["resources"]["PROJECT_RESOURCE"]["properties"] == {"environment": ENVIRONMENT}
    assert yaml.safe_load(login) == [LOGIN]


def test_a_project_without_a_telling_tag_gets_cloudformations_form_and_is_told_so() -> None:
    text = kept(NOBODY, "shop", CHANGES)
    assert text.splitlines()[1] == (
        "where: what the project shop is deployed from; no tag tells what that is, so this is CloudFormation's form"
    )
    assert "PROJECT_RESOURCE" in yaml.safe_load(pasted(text).rpartition("\n\n")[0])["Resources"]


@pytest.mark.parametrize(
    ("owner", "where"),
    [
        (
            Owner("cloudformation", "web", "", certain=True),
            "the template of the stack web, the resource of the project p",
        ),
        (Owner("cloudformation", "", "Build", certain=True), "the stack's template, resource Build"),
        (Owner("terraform", "", "", certain=True), "the resource aws_codebuild_project of the project p"),
        (Owner("pulumi", "", "", certain=True), "the resource aws:codebuild:Project of the project p"),
    ],
)
def test_an_owner_of_whom_less_is_known_is_named_by_what_is(owner: Owner, where: str) -> None:
    assert kept(owner, "p", CHANGES).splitlines()[1] == f"where: {where}"


@pytest.mark.parametrize("owner", OWNERS)
def test_a_change_of_the_environment_alone_says_nothing_of_a_login(owner: Owner) -> None:
    text = kept(owner, "shop", {"environment": ENVIRONMENT})
    assert "login" not in text
    assert "docker login" not in pasted(text)


@pytest.mark.parametrize("owner", OWNERS)
def test_a_change_of_the_buildspec_alone_is_the_login_alone(owner: Owner) -> None:
    text = kept(owner, "shop", {"source": {"buildspec": LOGIN}})
    assert yaml.safe_load(pasted(text)) == [LOGIN]
    assert "add these" not in text


@pytest.mark.parametrize("owner", OWNERS)
def test_no_change_leaves_nothing_to_paste(owner: Owner) -> None:
    text = kept(owner, "shop", {"source": {"buildspec": ""}})
    assert "nothing has to be added" in text
    assert pasted(text) == ""


@pytest.mark.parametrize("owner", [TERRAFORM, PULUMI])
def test_a_login_with_braces_is_escaped_where_the_tool_would_fill_them_in(owner: Owner) -> None:
    text = kept(owner, "shop", {"source": {"buildspec": 'echo "${A}"'}})
    assert yaml.safe_load(pasted(text)) == ['echo "$${A}"']
    assert "$${ is written ${" in text


def test_cloudformation_takes_a_login_with_braces_as_it_is() -> None:
    text = kept(STACK, "shop", {"source": {"buildspec": 'echo "${A}"'}})
    assert yaml.safe_load(pasted(text)) == ['echo "${A}"']


def test_terraform_and_pulumi_fill_in_nothing_of_a_value() -> None:
    changes = {"environment": {"image": "${a}%{b}$"}}
    assert 'image = "$${a}%%{b}$"' in kept(TERRAFORM, "p", changes)
    assert 'image: "$${a}%{b}$"' in kept(PULUMI, "p", changes)
    assert 'Image: "${a}%{b}$"' in kept(STACK, "p", changes)


def test_a_value_that_is_no_text_keeps_its_kind() -> None:
    changes = {"environment": {"privilegedMode": True}, "timeoutInMinutes": 45}
    assert pasted(kept(TERRAFORM, "p", changes)) == (
        "timeout_in_minutes = 45\n\nenvironment {\n  privileged_mode = true\n}"
    )
    read = yaml.safe_load(pasted(kept(STACK, "p", changes)))
    assert read["Resources"]["WebBuild"]["Properties"] == {
        "Environment": {"PrivilegedMode": True},
        "TimeoutInMinutes": 45,
    }


@pytest.mark.parametrize("tool", ["cloudformation", "terraform", "pulumi"])
def test_hostile_names_and_values_add_no_line(tool: Any) -> None:
    def of(name: str) -> str:
        changes = {"environment": {"environmentVariables": [{"name": name, "value": name, "type": name}]}}
        return kept(Owner(tool, name, name, certain=True), name, changes)

    hostile, plain = of(HOSTILE).split("\n"), of("plain").split("\n")
    assert [len(line) - len(line.lstrip()) for line in hostile] == [len(line) - len(line.lstrip()) for line in plain]
    assert not any(line.lstrip().startswith(SMUGGLED) for line in hostile[3:])


def test_a_hostile_value_reads_back_as_one_line_of_text() -> None:
    changes = {"environment": {"environmentVariables": [{"name": "A", "value": HOSTILE}]}}
    read = yaml.safe_load(pasted(kept(STACK, "p", changes)))
    variables = read["Resources"]["WebBuild"]["Properties"]["Environment"]["EnvironmentVariables"]
    assert variables == [{"Name": "A", "Value": one_line(HOSTILE)}]


def test_a_stacks_resource_is_named_by_letters_and_digits_alone() -> None:
    owner = Owner("cloudformation", "web", 'Web":\n  Evil: {}', certain=True)
    assert list(yaml.safe_load(pasted(kept(owner, "p", CHANGES)).rpartition("\n\n")[0])["Resources"]) == ["WebEvil"]
