"""Outcomes for credentials that can't be used: what is wrong with the secret or its account, and what to do."""

from __future__ import annotations

from remediator.core.advice.secret import READ_ONLY, WRITABLE, store_credentials
from remediator.core.outcome import Outcome, advised, rejected
from remediator.core.wording import moment


def wrong(secret_arn: str, fault: str, *background: str) -> Outcome:
    """Outcome for a secret that holds the wrong things: which, and how to store the right ones."""
    return rejected(fault, store_credentials(secret_arn, fault)).with_facts(background=background)


def not_accepted(secret_arn: str, until: float) -> Outcome:
    """Outcome for credentials that Docker Hub refuses, and that are not tried again `until` then."""
    return wrong(
        secret_arn,
        f"Docker Hub does not accept the user name and password of the secret {secret_arn} (401), which are its keys "
        "username and password",
        f"a new version of the secret is tried at once, this one not before {moment(until)}: failed sign-ins add up to "
        "a lockout",
    )


def lacks_public_scope(secret_arn: str, until: float) -> Outcome:
    """Outcome for a token of an organization that is made for chosen repositories, and asked about again `until` then.
    https://docs.docker.com/security/access-tokens/organization-access-tokens/"""
    return rejected(
        f"Docker Hub takes the user name and password of the secret {secret_arn}, and the token may not pull public "
        'images: it lacks the scope "read public repositories"',
        "give the organization access token the scope to read public repositories, or put a personal access token with "
        "the permission Public Repo Read-only into the secret; then use the remediate command",
    ).with_facts(background=(f"a new version of the secret is tried at once, this one after {moment(until)}",))


def writable() -> Outcome:
    """Outcome for a token that could push, where such a one is refused."""
    return advised(f"{WRITABLE}: WritableToken is refuse", f"{READ_ONLY}; then use the remediate command")


def unknown_key(secret_arn: str, key: str) -> Outcome:
    """Outcome for a customer key on which this stack grants nothing."""
    return rejected(
        f"the secret {secret_arn} is encrypted with the customer key {key}, and the stack was deployed without "
        "SecretKmsKeyArn",
        "deploy with the ARN of that key as SecretKmsKeyArn, then use the remediate command",
    )


def limited(limit: int, remaining: int | None, window: int | None) -> Outcome:
    """Outcome for an account with a pull limit of its own, where such a one is refused."""
    seconds = f" in {window} s" if window else ""
    return advised(
        f"the secret's account may pull {limit} images{seconds} and has {remaining} left, which all repaired projects "
        "would share; anonymous pulls have a limit for each address",
        "put a token of an account without a pull limit into the secret (Docker Pro, Team or Business), then use "
        "remediate",
        "or pull Docker's official images from public.ecr.aws/docker/library, which needs no account",
        "or deploy with AllowLimitedAccount=true if the projects' pulls fit into that limit together",
    )
