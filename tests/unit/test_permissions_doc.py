"""docs/permissions.md says what template.yaml allows, with a reason for all of it."""

from __future__ import annotations

import pytest
from botocore.session import Session

from local.permissions import (
    EVERYWHERE,
    OPEN_RESOURCES,
    PAGE,
    Untold,
    either,
    open_resources,
    page,
    reasons,
    statements,
)
from local.template import TEMPLATE, Stack, document, read

WRITTEN = TEMPLATE.read_text(encoding="utf-8")
SMALL = """
Parameters:
  Mode: {Type: String, Default: auto, AllowedValues: [auto, plan]}
  Key: {Type: String, Default: ""}
  Name: {Type: String, Default: "*"}
Conditions:
  MayWrite: !Equals [!Ref Mode, auto]
  HasKey: !And
    - !Condition MayWrite
    - !Not [!Equals [!Ref Key, ""]]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              # Told
              # in two lines.
              - Sid: Look
                Effect: Allow
                Action: s3:GetObject
                Resource: !Sub arn:${AWS::Partition}:s3:::${Name}
              # Only with a key, a|b.
              - !If
                - HasKey
                - Sid: Open
                  Effect: Allow
                  Action: [kms:Decrypt, kms:Encrypt]
                  Resource: !Ref Key
                  Condition: {"Null": {kms:one: "true", kms:two: "false"}, StringEquals: {kms:three: x}}
                - !Ref AWS::NoValue
"""
READS = ("Get", "List", "BatchGet", "Describe", "Filter", "ConditionCheck")
NO_EVENT = {"iam:PassRole", "kms:Decrypt", "kms:GenerateDataKey", "logs:CreateLogStream"}


def table(*lines: str) -> str:
    return "\n".join(lines)


def test_the_page_says_what_the_template_says() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, WRITTEN) == text, "docs/permissions.md is stale: make docs"


def test_a_statement_is_told_with_its_condition_its_parameters_and_the_comment_above_it() -> None:
    told = page("<!-- statements: Role -->\nold\n<!-- end -->\nprose", SMALL)
    assert told == table(
        "<!-- statements: Role -->",
        "| statement | effect | actions | resources | only | there with | why |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| `Look` | Allow | `s3:GetObject` | `arn:…:s3:::${Name}` | – | always | Told in two lines. |",
        "| `Open` | Allow | `kms:Decrypt`, `kms:Encrypt` | `Key` | without `kms:one`; with `kms:two`; `kms:three` is "
        "`x` | `Mode=auto` and `Key` given | Only with a key, a\\|b. |",
        "<!-- end -->",
        "prose",
    )


def test_each_parameter_is_told_with_what_it_takes_away_adds_and_changes() -> None:
    told = page("<!-- statements: Role -->\n<!-- end -->\n<!-- parameters -->\n<!-- end -->", SMALL)
    assert told.partition("<!-- parameters -->\n")[2] == table(
        "| parameter | takes away | adds | changes |",
        "| --- | --- | --- | --- |",
        "| `Mode=plan` with `Key` given | `Open` | – | – |",
        "| `Key` given | – | `Open` | – |",
        "| `Name` other than its default | – | – | `Look` |",
        "<!-- end -->",
    )


@pytest.mark.parametrize("comment", ["", "              # https://docs.aws.amazon.com/kms/\n"])
def test_a_statement_without_a_reason_is_named(comment: str) -> None:
    without = SMALL.replace("              # Only with a key, a|b.\n", comment)
    with pytest.raises(Untold, match="Open of Role"):
        reasons(without)


def test_a_resource_whose_statements_have_no_place_on_the_page_is_named() -> None:
    with pytest.raises(Untold, match="statements: Role"):
        page("no markers", SMALL)


def test_a_table_of_a_resource_that_is_gone_is_named() -> None:
    with pytest.raises(Untold, match="a table for Gone"):
        page("<!-- statements: Role -->\n<!-- end -->\n<!-- statements: Gone -->\n<!-- end -->", SMALL)


@pytest.mark.parametrize("resource", ["'*'", "arn:aws:s3:::any-*", "!Sub 'arn:aws:s3:::${Name}-??'"])
def test_a_wildcard_without_a_reason_is_named(resource: str) -> None:
    wide = SMALL.replace("!Sub arn:${AWS::Partition}:s3:::${Name}", resource)
    with pytest.raises(Untold, match="in the statement Look"):
        open_resources(read(wide))


def test_every_reason_for_a_wildcard_is_still_needed() -> None:
    found = {text for text, _ in open_resources(document())}
    assert found - {"*"} == OPEN_RESOURCES.keys()
    everywhere = [each.body for each in statements(document()) if each.body["Resource"] == "*"]
    assert {action for body in everywhere for action in either(body["Action"])} == EVERYWHERE.keys()


def test_every_write_of_the_functions_is_told_where_cloudtrail_is() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Finding what it did in CloudTrail")[2]
    for each in statements(document()):
        if each.holder in ("IntakeRole", "RemediatorRole"):
            for action in either(each.body["Action"]):
                name = {"lambda:InvokeFunction": "Invoke"}.get(action, action.partition(":")[2])
                assert name.startswith(READS) or action in NO_EVENT or f"`{name}`" in section, action


def test_every_member_that_an_update_may_carry_is_among_what_is_left_to_whoever_takes_over_remediator() -> None:
    """Those of botocore's model for which the statement has no condition."""
    (bounded,) = (each for each in Stack(EditBuildspecs="false").statements() if each["Sid"] == "RepairProjects")
    never = {key.removeprefix("codebuild:").partition(".")[0] for key in bounded["Condition"]["Null"]}
    shape = Session().get_service_model("codebuild").operation_model("UpdateProject").input_shape
    assert shape
    left = set(shape.members) - never - {"name"}
    assert {"tags", "sourceVersion", "secondarySourceVersions", "environment"} <= left
    told = PAGE.read_text(encoding="utf-8").partition("Whoever takes over Remediator can still do this:")[2]
    told = told.partition("| `PolicyMode` |")[0]
    assert [member for member in sorted(left) if f"`{member}`" not in told] == []
