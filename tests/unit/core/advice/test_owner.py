"""Which tool the tags tell."""

from __future__ import annotations

import pytest

from remediator.core.advice.owner import Owner, owner_of

NOBODY = Owner("cloudformation", "", "", certain=False)


def test_cloudformations_own_tags_name_stack_and_resource() -> None:
    tags = {"aws:cloudformation:stack-name": "web", "aws:cloudformation:logical-id": "WebBuild"}
    assert owner_of(tags) == Owner("cloudformation", "web", "WebBuild", certain=True)


def test_cloudformations_own_tags_count_more_than_what_people_wrote() -> None:
    tags = {"pulumi:stack": "dev", "managed-by": "terraform", "aws:cloudformation:stack-name": "web"}
    assert owner_of(tags) == Owner("cloudformation", "web", "", certain=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("managed-by", "terraform"),
        ("ManagedBy", "Terraform"),
        ("terraform", "true"),
        ("TERRAFORM", "yes"),
        ("tool", "OpenTofu 1.9"),
        ("terraform_module", "codebuild"),
        ("source", "github.com/acme/terraform-builds"),
    ],
)
def test_a_key_or_value_with_the_word_tells_terraform(key: str, value: str) -> None:
    assert owner_of({"team": "web", key: value}) == Owner("terraform", "", "", certain=True)


@pytest.mark.parametrize("key", ["tf-workspace", "TerraformWorkspace", "terraform:workspace", "TF_WORKSPACE"])
def test_a_workspace_is_terraforms_and_names_it(key: str) -> None:
    assert owner_of({key: "prod"}) == Owner("terraform", "prod", "", certain=True)


def test_pulumis_tags_name_the_stack_whatever_words_are_beside_it() -> None:
    assert owner_of({"pulumi:project": "from-terraform", "pulumi:stack": "dev"}) == Owner(
        "pulumi", "dev", "", certain=True
    )
    assert owner_of({"pulumi:project": "web"}) == Owner("pulumi", "", "", certain=True)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"team": "web"},
        {"terraform": "false"},
        {"managed-by-terraform": " No "},
        {"course": "terraforming"},
        {"tf": "2.15"},
        {"workspace": "prod"},
        {"my:cloudformation:stack-name": "web"},
        {"pulumi": ""},
    ],
)
def test_tags_that_tell_no_tool_make_no_certain_owner(tags: dict[str, str]) -> None:
    assert owner_of(tags) == NOBODY
