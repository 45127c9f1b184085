"""Tells what a build was started with besides its project's settings, and what of that can be given again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from remediator.core.buildspec.phases import BuildspecText
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Snapshot, role_name
from remediator.core.reading import Overrides
from remediator.core.repair.change import SECRETS_MANAGER, refers
from remediator.core.repair.sign_in import SignIn, takes_registry_credential
from remediator.core.repair.signed_in import same_buildspec
from remediator.core.value import value


def _overridden(*names: str) -> dict[str, str]:
    return {name: f"{name}Override" for name in names}


_ENVIRONMENT = {
    "type": "environmentTypeOverride",
    **_overridden("computeType", "privilegedMode", "certificate", "fleet", "hostKernel"),
}
_SOURCE = {
    "type": "sourceTypeOverride",
    "location": "sourceLocationOverride",
    "auth": "sourceAuthOverride",
    **_overridden("gitCloneDepth", "gitSubmodulesConfig", "insecureSsl", "reportBuildStatus", "buildStatusConfig"),
}
_BUILD = _overridden("timeoutInMinutes", "queuedTimeoutInMinutes", "cache")
"""Member of a build's record to the member of StartBuild's request that gives it again."""

_DEFAULTS: Mapping[str, Any] = {
    "privilegedMode": False,
    "gitCloneDepth": 0,
    "gitSubmodulesConfig": {"fetchSubmodules": False},
    "insecureSsl": False,
    "reportBuildStatus": False,
    "timeoutInMinutes": 60,
    "queuedTimeoutInMinutes": 480,
    "cache": {"type": "NO_CACHE"},
}
"""The meaning of an absent or empty member. A build's record has it filled in, and an override can say it."""

_STRUCTURES = {
    "auth": {"type", "resource"},
    "buildStatusConfig": {"context", "targetUrl"},
    "cache": {"type", "location", "modes", "cacheNamespace"},
    "environmentVariables": {"name", "value", "type"},
    "fleet": {"fleetArn"},
    "gitSubmodulesConfig": {"fetchSubmodules"},
    "registryCredential": {"credential", "credentialProvider"},
}
"""What a request may say of a member. A record may hold more, and botocore refuses what its model does not know."""

_DECIDED_APART = {"image", "registryCredential", "imagePullCredentialsType", "environmentVariables"}
_OUTPUT_ONLY = {"dockerServer"}
VARIABLES = "environment.environmentVariables"
BUILDSPEC = "source.buildspec"
"""The names of variables and of a buildspec that differ."""


@value
class _Difference:
    """One member that differs, and the request that gives it again; None where none does."""

    name: str
    request: Mapping[str, Any] | None = field(default=None, repr=False)


def overrides_of(
    build: Build,
    snapshot: Snapshot,
    sign_in: SignIn,
    ran: BuildspecText | None = None,
    buildspec: BuildspecText | None = None,
) -> Overrides:
    """Compare a build's record with its project, before or after a repair, without what a repair changes.

    `ran` is the build's buildspec, `buildspec` the project's, where they were read already. No record tells an
    override from a later edit of the project: both are given again.
    """
    differences = [
        *_members("environment", build.environment, snapshot.environment, _ENVIRONMENT, _DECIDED_APART | _OUTPUT_ONLY),
        *_image(build.environment, snapshot.environment, sign_in),
        *_variables(build.environment, snapshot.environment, sign_in),
        *_source(build, snapshot),
        *_buildspec(build, snapshot, sign_in, ran, buildspec),
        *_settings(build.document, snapshot.project),
        *_never_given(build, snapshot.project),
    ]
    return Overrides(
        request={name: value for found in differences for name, value in (found.request or {}).items()},
        names=tuple(dict.fromkeys(found.name for found in differences)),
        lost=tuple(dict.fromkeys(found.name for found in differences if found.request is None)),
    )


def _members(
    where: str, mine: Mapping[str, Any], theirs: Mapping[str, Any], overrides: Mapping[str, str], apart: set[str]
) -> Iterator[_Difference]:
    """The members of a build's `mine` that differ from its project's `theirs`; one without an override is lost."""
    for name in dict.fromkeys([*overrides, *sorted({*mine, *theirs} - apart)]):
        value = _value(mine, name)
        if value != _value(theirs, name):
            said = name in overrides and value is not None and _can_say(name, value)
            yield _Difference(f"{where}.{name}", {overrides[name]: value} if said else None)


def _image(mine: Mapping[str, Any], theirs: Mapping[str, Any], sign_in: SignIn) -> Iterator[_Difference]:
    """The build's image and its credential. What a repair sets on the project's own image is no difference."""
    own, project_has = _plain(mine.get("registryCredential")), theirs.get("registryCredential")
    if own and own.get("credential") == sign_in.secret_arn:
        own = None
    image = mine.get("image")
    if (image or None) != (theirs.get("image") or None):
        pull = _with(own) if own else _pull(mine, theirs, sign_in)
        yield _Difference("environment.image", {"imageOverride": image, **pull} if image and pull else None)
    elif own and own != _plain(project_has):
        yield _Difference("environment.registryCredential", _with(own))
    elif not project_has and not takes_registry_credential(mine) and _pull_type(mine) != _pull_type(theirs):
        request = {"imagePullCredentialsTypeOverride": _pull_type(mine)}
        yield _Difference("environment.imagePullCredentialsType", request)


def _pull(mine: Mapping[str, Any], theirs: Mapping[str, Any], sign_in: SignIn) -> dict[str, Any] | None:
    """What pulls an image that is not the project's; None where that can't be said.

    No override takes a project's registry credential away. With it CodeBuild refuses its curated images and ECR's, and
    would send Docker Hub's credentials to any other registry.
    https://docs.aws.amazon.com/codebuild/latest/APIReference/API_RegistryCredential.html
    """
    if takes_registry_credential(mine):
        return _with({"credential": sign_in.secret_arn, "credentialProvider": SECRETS_MANAGER})
    if theirs.get("registryCredential") or takes_registry_credential(theirs):
        return None
    return {"imagePullCredentialsTypeOverride": _pull_type(mine)}


def _with(credential: Mapping[str, Any]) -> dict[str, Any] | None:
    """Pull with this credential, which CodeBuild takes with SERVICE_ROLE only."""
    if not _can_say("registryCredential", credential):
        return None
    return {"registryCredentialOverride": credential, "imagePullCredentialsTypeOverride": "SERVICE_ROLE"}


def _pull_type(environment: Mapping[str, Any]) -> str:
    return str(environment.get("imagePullCredentialsType") or "CODEBUILD")


def _variables(mine: Mapping[str, Any], theirs: Mapping[str, Any], sign_in: SignIn) -> Iterator[_Difference]:
    ours = {**sign_in.references, sign_in.auth_config_variable: sign_in.auth_config_reference}
    had, has = _by_name(mine), _by_name(theirs)
    others = {name for name, variable in had.items() if not refers(variable, ours)}
    given = {name: had[name] for name in had if name in others and had[name] != has.get(name)}
    pair = set(sign_in.references)
    if given:
        yield _Difference(VARIABLES, {"environmentVariablesOverride": list(given.values())})
    # No override takes a variable away, so the project was given it since.
    added = any(not refers(variable, ours) for name, variable in has.items() if name not in had)
    # Half a pair would be mixed with the repair's other half, and every login with it counts towards a lockout.
    halved = bool(pair & given.keys()) and not pair <= others
    sayable = all(_can_say("environmentVariables", v) for v in _listed(mine) if v.get("name") in given)
    if added or halved or not sayable:
        yield _Difference(VARIABLES)


def _by_name(environment: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The variables by name, as a request says them; names that CodeBuild reserves for its own are left out."""
    return {
        str(v["name"]): {"name": v["name"], "value": v.get("value") or "", "type": v.get("type") or "PLAINTEXT"}
        for v in _listed(environment)
        if not str(v["name"]).startswith("CODEBUILD_")
    }


def _listed(environment: Mapping[str, Any]) -> list[dict[str, Any]]:
    return environment.get("environmentVariables") or []


def _source(build: Build, snapshot: Snapshot) -> Iterator[_Difference]:
    mine, theirs = build.document.get("source") or {}, snapshot.project.get("source") or {}
    # No override takes the source's authorization away: where a record has none, it does not tell.
    absent = {"auth"} if not mine.get("auth") else set()
    overrides = {name: override for name, override in _SOURCE.items() if name not in absent}
    yield from _members("source", mine, theirs, overrides, {"buildspec"} | absent)


def _buildspec(
    build: Build, snapshot: Snapshot, sign_in: SignIn, ran: BuildspecText | None, buildspec: BuildspecText | None
) -> Iterator[_Difference]:
    """A buildspec that lacks only the login of a repair is no difference."""
    ran, buildspec = ran or BuildspecText(build.buildspec), buildspec or BuildspecText(snapshot.buildspec)
    if not same_buildspec(ran, buildspec, snapshot.environment, sign_in):
        yield _Difference(BUILDSPEC, {"buildspecOverride": ran.text} if ran.text else None)


def _settings(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[_Difference]:
    for name, override in _BUILD.items():
        value = _value(mine, name)
        # A record that lacks one of these does not tell it.
        if mine.get(name) and value != _value(theirs, name):
            yield _Difference(name, {override: value} if _can_say(name, value) else None)
    versions, project_versions = _versions(mine), _versions(theirs)
    if versions != project_versions:
        request = [{"sourceIdentifier": name, "sourceVersion": version} for name, version in versions.items()]
        whole = versions.keys() >= project_versions.keys()
        yield _Difference("secondarySourceVersions", {"secondarySourcesVersionOverride": request} if whole else None)


def _never_given(build: Build, project: Mapping[str, Any]) -> Iterator[_Difference]:
    """What no request from here may say (a role, a key), and what a record tells too little of."""
    mine = build.document
    # A record may hold a role's name alone. Names are unique in an account, whatever their path.
    if mine.get("serviceRole") and role_name(mine) != role_name(project):
        yield _Difference("serviceRole")
    if _contradicts(mine.get("artifacts") or {}, project.get("artifacts") or {}):
        yield _Difference("artifacts")
    if "secondarySources" in mine and _sources(mine) != _sources(project):
        yield _Difference("secondarySources")
    if mine.get("encryptionKey") and not _same_key(mine["encryptionKey"], project.get("encryptionKey")):
        yield _Difference("encryptionKey")
    if (mine.get("debugSession") or {}).get("sessionEnabled"):
        yield _Difference("debugSession")


def _contradicts(built: Mapping[str, Any], artifacts: Mapping[str, Any]) -> bool:
    """A build shows where its artifacts went (`arn:aws:s3:::bucket/path`), not with which settings."""
    location = str(built.get("location") or "")
    if artifacts.get("type") == "S3":
        return bool(location) and _bucket(location) != _bucket(str(artifacts.get("location") or ""))
    return artifacts.get("type") == "NO_ARTIFACTS" and bool(location)


def _bucket(location: str) -> str:
    return location.rpartition(":::")[2].partition("/")[0]


def _same_key(mine: str, theirs: str | None) -> bool:
    """A record names a key by its ARN or by its alias, and a project without one uses the account's own for S3."""
    theirs = theirs or "alias/aws/s3"
    return mine.endswith(theirs) or theirs.endswith(mine)


def _sources(document: Mapping[str, Any]) -> dict[str, Any]:
    return {source.get("sourceIdentifier", ""): _plain(source) for source in document.get("secondarySources") or []}


def _versions(document: Mapping[str, Any]) -> dict[str, str]:
    versions = document.get("secondarySourceVersions") or []
    return {v.get("sourceIdentifier", ""): v["sourceVersion"] for v in versions if v.get("sourceVersion")}


def _can_say(name: str, value: Any) -> bool:
    """May a request say the whole of this value?"""
    return name not in _STRUCTURES or set(_plain(value) or {}) <= _STRUCTURES[name]


def _value(document: Mapping[str, Any], name: str) -> Any:
    return _plain(document.get(name)) or _DEFAULTS.get(name)


def _plain(value: Any) -> Any:
    """A value without its empty parts, however deep: absent, null, false, zero and empty mean the same."""
    if isinstance(value, Mapping):
        members = {name: _plain(member) for name, member in value.items()}
        return {name: member for name, member in members.items() if member is not None} or None
    if isinstance(value, list):
        return [_plain(item) for item in value] or None
    return value or None
