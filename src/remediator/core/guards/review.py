"""Decides whether a project may be repaired after this failure: every guard between a diagnosis and a change."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Snapshot, is_role_of, role_name
from remediator.core.guards.scope import Scope, out_of_scope
from remediator.core.guards.strangers import Untrusted, stranger_objection
from remediator.core.outcome import Outcome, advised, gave_up, skipped
from remediator.core.reading import Reading
from remediator.core.repair.change import SetRegistryCredential
from remediator.core.repair.plan import Plan
from remediator.core.repair.sign_in import SignIn, takes_registry_credential


def objection(reading: Reading, sign_in: SignIn, untrusted: Untrusted, edited_at: float | None) -> Outcome | None:
    """Outcome of the first guard that objects to a repair, None when none does. `edited_at` is when somebody else than
    us last edited the project, by CodeBuild's clock; None where the project is to be left as it is, and its build is
    only run again: then no credential is set for an image."""
    build, snapshot = reading.build, reading.snapshot
    of_its_kind = None
    if build.failure.of_command:
        from remediator.core.guards.own_commands import other_commands

        of_its_kind = other_commands(reading, sign_in)
    elif edited_at is not None:
        of_its_kind = _image_not_ours(reading, edited_at) or _image_signed_in(build, snapshot, sign_in)
    return role_objection(reading, sign_in) or of_its_kind or stranger_objection(snapshot, untrusted)


def still_objects(snapshot: Snapshot, role: str, scope: Scope, untrusted: Untrusted) -> Outcome | None:
    """The same for a project as it is just before a write. `role` is the name of the role that it had before."""
    objection = out_of_scope(snapshot, scope) or stranger_objection(snapshot, untrusted)
    if objection or role_name(snapshot.project) == role:
        return objection
    return gave_up(f"the project was given another service role than {role} since the diagnosis")


def role_objection(reading: Reading, sign_in: SignIn) -> Outcome | None:
    """Is the role that would be granted the secret the build's own, and are both of this account?"""
    build, own = reading.build, reading.build.failure.build
    elsewhere = foreign_secret(own.region, own.account, sign_in)
    return _another_role(build, reading.snapshot, sign_in) or _foreign_role(build, reading.snapshot) or elsewhere


def _another_role(build: Build, snapshot: Snapshot, sign_in: SignIn) -> Outcome | None:
    """StartBuild may give a build another role than the project's."""
    if role_name(build.document) == role_name(snapshot.project):
        return None
    project_role = snapshot.project.get("serviceRole")
    or_let_read = sign_in.let_role_read(build.service_role, "Or let the role of that build read the credentials.")
    return advised(
        f"the build ran with the service role {build.service_role}, the project has {project_role}: an override, or "
        "the project was edited since",
        "start the build again without the override of its role",
        *([or_let_read] if is_role_of(build.failure.build.account, build.document) else []),
    )


def _image_not_ours(reading: Reading, edited_at: float) -> Outcome | None:
    """An override of the image can be given its own credential, as long as it is surely an override."""
    build, snapshot = reading.build, reading.snapshot
    if not reading.another_image:
        takes_one = takes_registry_credential(snapshot.environment)
        return None if takes_one else skipped("this build environment takes no Docker Hub credential")
    if edited_at <= build.started_at and takes_registry_credential(build.environment):
        return None
    image, project_image = build.environment.get("image"), snapshot.environment.get("image")
    return advised(
        f"the build's image {image} is not the project's, {project_image}: an override, or the project was edited "
        "since",
        "give the start of that build a registryCredentialOverride, or set the image in the project",
    )


def other_images(builds: Sequence[Build], snapshot: Snapshot, plan: Plan) -> Outcome | None:
    """A project's registry credential goes to every registry from which its builds take images of their own. CodeBuild
    refuses it with its own images and ECR's, and no override takes it away. `builds` are the project's newest."""
    if not any(isinstance(change, SetRegistryCredential) for change in plan.changes):
        return None
    images = {
        str(build.environment.get("image"))
        for build in builds
        if build.environment.get("image") != snapshot.environment.get("image")
        and not takes_registry_credential(build.environment)
    }
    if not images:
        return None
    return advised(
        f"builds of the project bring images of their own, {', '.join(sorted(images)[:5])}, with which a registry "
        "credential of the project would go to other registries or be refused",
        "give the builds in Docker Hub's images a project of their own, or set the credential by hand",
    )


def _foreign_role(build: Build, snapshot: Snapshot) -> Outcome | None:
    """IAM knows roles by name: a role of another account would be mistaken for one of that name here."""
    account = build.failure.build.account
    records = (build.document, snapshot.project)
    foreign = [str(each.get("serviceRole")) for each in records if not is_role_of(account, each)]
    if not foreign:
        return None
    return advised(
        f"the project's service role {foreign[0]} is not of this account, {account}",
        "let that role read the secret in its own account, then set the registry credential by hand",
    )


def foreign_secret(region: str, account: str, sign_in: SignIn) -> Outcome | None:
    """Another account decides whether a service role may read its secret, and nobody here can look there. `region` and
    `account` are the project's."""
    if sign_in.secret_arn.split(":")[3:5] == [region, account]:
        return None
    return advised(
        f"the secret {sign_in.secret_arn} is not of this account and region, {account} in {region}: whether "
        "the project's builds could read it can't be told from here",
        "keep the credentials in a secret of this account and region, and deploy with its ARN",
    )


def _image_signed_in(build: Build, snapshot: Snapshot, sign_in: SignIn) -> Outcome | None:
    """A build with a credential of its own has shown what credentials do here."""
    used = (build.environment.get("registryCredential") or {}).get("credential")
    now = (snapshot.environment.get("registryCredential") or {}).get("credential")
    if used not in (None, sign_in.secret_arn):
        return advised(
            f"the build signs in already, with the credential {used}",
            "check that account's allowance, or remove the credential and start the build again",
        )
    if now not in (None, sign_in.secret_arn):
        return advised(
            f"the project has had a credential of its own, {now}, since this build; it was kept",
            "start the build again",
        )
    return None
