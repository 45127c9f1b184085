"""Writes advice on how the Docker Hub credentials are stored, so that every project can use them."""

from __future__ import annotations

import shlex

from remediator.core.advice.layout import VALUE_LENGTH, artefact, one_line
from remediator.core.names import DOCKER_HUB_KEY

WRITABLE = (
    "the token in the secret can also push to Docker Hub, and a repair lets every command of a project's builds read it"
)
"""What Docker Hub has shown of a token. Where it shows nothing, nothing is said."""

READ_ONLY = (
    "put a token with the permission Public Repo Read-only into the secret; a new version is asked about at once"
)


# All keys at once: a value without docker_auth_config would break the projects that read it. The token is asked for, so
# that no history, list of processes or file has it.
_LINES = """\
python3 - YOUR-USER <<'EOF' | PUT
import base64, getpass, json, sys
user, token = sys.argv[1], getpass.getpass("Docker Hub access token: ")
auth = base64.b64encode(f"{user}:{token}".encode()).decode()
config = json.dumps({"auths": {"HUB_KEY": {"auth": auth}}})
print(json.dumps({"username": user, "password": token, "docker_auth_config": config}))
EOF""".replace("HUB_KEY", DOCKER_HUB_KEY)


def store_credentials(secret_arn: str, why: str, then: str = "use the remediate command") -> str:
    """For a secret that can't be used: `why` says what is wrong with it, and nothing that it holds."""
    secret = one_line(secret_arn, VALUE_LENGTH)
    put = f"aws secretsmanager put-secret-value {region_and_id(secret)} --secret-string file:///dev/stdin"
    return artefact(
        "Store a user name and an access token that Docker Hub accepts (permission Public Repo Read-only), under all "
        f"three keys, then {then}. This replaces the whole value: add keys of your own.",
        where=f"the secret {secret}",
        why=one_line(why, VALUE_LENGTH),
        paste=_LINES.replace("PUT", put),
    )


def region_and_id(secret_arn: str) -> str:
    """The options by which the AWS CLI finds the secret, whatever region it is set to."""
    region = next(iter(secret_arn.split(":")[3:4]), "")
    return f"--region {shlex.quote(region)} --secret-id {shlex.quote(secret_arn)}"
