"""Where a project names a secret: by its ARN, with or without the suffix, or by name where CodeBuild resolves it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.given import SECRET
from undo.mentions import mentions

NAME = SECRET.split(":")[-1][:-7]
SHORT = SECRET[:-7]


def variable(name: str, value: str, kind: str = "SECRETS_MANAGER") -> dict[str, Any]:
    return {"environment": {"environmentVariables": [{"name": name, "value": value, "type": kind}]}}


@pytest.mark.parametrize(
    ("project", "where"),
    [
        ({"environment": {"registryCredential": {"credential": SECRET}}}, "environment.registryCredential"),
        ({"environment": {"registryCredential": {"credential": NAME}}}, "environment.registryCredential"),
        (variable("A", f"{SECRET}:username"), "environment.environmentVariables.A"),
        (variable("A", f"{SHORT}:username::"), "environment.environmentVariables.A"),
        (variable("A", f"{NAME}:username"), "environment.environmentVariables.A"),
        (variable("A", NAME), "environment.environmentVariables.A"),
        (variable("A", SECRET, "PLAINTEXT"), "environment.environmentVariables.A"),
        ({"source": {"buildspec": f"env:\n  secrets-manager:\n    A: {NAME}:username\n"}}, "source.buildspec"),
        ({"source": {"buildspec": f"phases: [ broken\n  {SHORT}"}}, "source.buildspec"),
        ({"secondarySources": [{"buildspec": SECRET}]}, "secondarySources[0].buildspec"),
        ({"memberOfNextYear": {"credential": {"arn": SECRET}}}, "memberOfNextYear.credential.arn"),
    ],
)
def test_each_way_of_naming_it_is_found(project: dict[str, Any], where: str) -> None:
    assert mentions(project, [SECRET]) == (where,)


@pytest.mark.parametrize(
    "project",
    [
        {},
        variable("A", f"{NAME}-of-somebody-else:username"),
        variable("A", f"prefix/{NAME}:username"),
        variable("A", NAME, "PLAINTEXT"),
        variable("A", NAME, "PARAMETER_STORE"),
        {"name": NAME, "description": f"once used {SECRET}", "tags": [{"key": "secret", "value": SECRET}]},
        {"source": {"buildspec": f"phases: {{build: {{commands: [echo {NAME}]}}}}\n"}},
        {"source": {"buildspec": "buildspec.yml"}, "environment": {"environmentVariables": None}},
    ],
)
def test_what_only_looks_like_it_is_not(project: dict[str, Any]) -> None:
    assert mentions(project, [SECRET]) == ()


def test_any_of_several_secrets_counts() -> None:
    other = SECRET.replace(NAME, "former")
    assert mentions(variable("A", f"{other}:username"), [SECRET, other]) == ("environment.environmentVariables.A",)
