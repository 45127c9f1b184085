"""What a build was started with besides its project's settings, and what of that StartBuild can be told again."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import event, reject
from hypothesis import given as randomly
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from local.simulator.composition import KNOWN_OVERRIDES, compose
from local.simulator.errors import ServiceError
from remediator.core.buildspec.edit import add_login
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.project import Snapshot
from remediator.core.reading import Overrides
from remediator.core.repair.plan import make_plan
from remediator.core.repair.sign_in import takes_registry_credential
from remediator.core.retry import overrides as module
from remediator.core.retry.overrides import overrides_of
from tests.unit import given

CURATED = given.STANDARD_IMAGE
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tools:1"
GHCR = "ghcr.io/acme/tools:1"
OURS = {"credential": given.SECRET, "credentialProvider": "SECRETS_MANAGER"}
OTHERS = {"credential": given.OTHER_SECRET, "credentialProvider": "SECRETS_MANAGER"}
SOURCE = given.project()["source"]
AUTH_CONFIG = {"name": "DOCKER_AUTH_CONFIG", "value": f"{given.SECRET}:docker_auth_config", "type": "SECRETS_MANAGER"}
MODEL: Any = botocore.session.get_session().get_service_model("codebuild")
START_BUILD = MODEL.operation_model("StartBuild").input_shape


def between(build: dict[str, Any] | None = None, project: dict[str, Any] | None = None) -> Overrides:
    """The overrides of a build whose record and whose project differ from one another as told."""
    found = overrides_of(given.build(**(build or {})), given.snapshot(**(project or {})), given.SIGN_IN)
    assert refusal(found) == ""
    assert set(found.lost) <= set(found.names)
    return found


def refusal(found: Overrides) -> str:
    """What botocore has against the request."""
    return str(ParamValidator().validate({"projectName": "x", **found.request}, START_BUILD).generate_report())


def variable(name: str = "STAGE", value: str = "test", kind: str = "PLAINTEXT") -> dict[str, str]:
    return {"name": name, "value": value, "type": kind}


STAGE = variable()


@pytest.mark.parametrize("env", [{}, given.repaired_environment()])
def test_a_build_with_its_projects_settings_has_none_before_and_after_the_repair(env: dict[str, Any]) -> None:
    assert between(project={"env": env}) == Overrides({}, (), ())


@pytest.mark.parametrize(
    ("build", "name", "request_"),
    [
        ({"env": {"type": "ARM_CONTAINER"}}, "environment.type", {"environmentTypeOverride": "ARM_CONTAINER"}),
        (
            {"env": {"computeType": "BUILD_GENERAL1_LARGE"}},
            "environment.computeType",
            {"computeTypeOverride": "BUILD_GENERAL1_LARGE"},
        ),
        ({"env": {"privilegedMode": True}}, "environment.privilegedMode", {"privilegedModeOverride": True}),
        ({"env": {"certificate": "b/cert.pem"}}, "environment.certificate", {"certificateOverride": "b/cert.pem"}),
        ({"env": {"fleet": {"fleetArn": "arn:x"}}}, "environment.fleet", {"fleetOverride": {"fleetArn": "arn:x"}}),
        (
            {"env": {"hostKernel": "LINUX_KERNEL_6"}},
            "environment.hostKernel",
            {"hostKernelOverride": "LINUX_KERNEL_6"},
        ),
        ({"source": {**SOURCE, "type": "BITBUCKET"}}, "source.type", {"sourceTypeOverride": "BITBUCKET"}),
        (
            {"source": {**SOURCE, "location": "https://x.example"}},
            "source.location",
            {"sourceLocationOverride": "https://x.example"},
        ),
        (
            {"source": {**SOURCE, "auth": {"type": "OAUTH", "resource": None}}},
            "source.auth",
            {"sourceAuthOverride": {"type": "OAUTH"}},
        ),
        ({"source": {**SOURCE, "gitCloneDepth": 5}}, "source.gitCloneDepth", {"gitCloneDepthOverride": 5}),
        (
            {"source": {**SOURCE, "gitSubmodulesConfig": {"fetchSubmodules": True}}},
            "source.gitSubmodulesConfig",
            {"gitSubmodulesConfigOverride": {"fetchSubmodules": True}},
        ),
        ({"source": {**SOURCE, "insecureSsl": True}}, "source.insecureSsl", {"insecureSslOverride": True}),
        (
            {"source": {**SOURCE, "reportBuildStatus": True}},
            "source.reportBuildStatus",
            {"reportBuildStatusOverride": True},
        ),
        (
            {"source": {**SOURCE, "buildStatusConfig": {"context": "nightly"}}},
            "source.buildStatusConfig",
            {"buildStatusConfigOverride": {"context": "nightly"}},
        ),
        ({"source": {**SOURCE, "buildspec": "other.yml"}}, "source.buildspec", {"buildspecOverride": "other.yml"}),
        ({"timeoutInMinutes": 5}, "timeoutInMinutes", {"timeoutInMinutesOverride": 5}),
        ({"queuedTimeoutInMinutes": 5}, "queuedTimeoutInMinutes", {"queuedTimeoutInMinutesOverride": 5}),
        (
            {"cache": {"type": "LOCAL", "location": None, "modes": ["LOCAL_SOURCE_CACHE"]}},
            "cache",
            {"cacheOverride": {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE"]}},
        ),
        (
            {"secondarySourceVersions": [{"sourceIdentifier": "x", "sourceVersion": "v1"}]},
            "secondarySourceVersions",
            {"secondarySourcesVersionOverride": [{"sourceIdentifier": "x", "sourceVersion": "v1"}]},
        ),
    ],
)
def test_an_override_is_named_and_given_again(build: dict[str, Any], name: str, request_: dict[str, Any]) -> None:
    assert between(build) == Overrides(request_, (name,), ())


@pytest.mark.parametrize(
    ("project", "request_"),
    [
        ({"env": {"privilegedMode": True}}, {"privilegedModeOverride": False}),
        ({"source": {**SOURCE, "gitCloneDepth": 5}}, {"gitCloneDepthOverride": 0}),
        (
            {"source": {**SOURCE, "gitSubmodulesConfig": {"fetchSubmodules": True}}},
            {"gitSubmodulesConfigOverride": {"fetchSubmodules": False}},
        ),
        ({"source": {**SOURCE, "insecureSsl": True}}, {"insecureSslOverride": False}),
        ({"source": {**SOURCE, "reportBuildStatus": True}}, {"reportBuildStatusOverride": False}),
        ({"cache": {"type": "S3", "location": "b/cache"}}, {"cacheOverride": {"type": "NO_CACHE"}}),
        ({"timeoutInMinutes": 90}, {"timeoutInMinutesOverride": 60}),
    ],
)
def test_what_a_build_went_without_is_said_where_a_request_can_say_so(
    project: dict[str, Any], request_: dict[str, Any]
) -> None:
    found = between(project=project)

    assert (found.request, found.lost) == (request_, ())


@pytest.mark.parametrize(
    ("build", "project"),
    [
        ({"env": {"privilegedMode": False}}, {"env": {"privilegedMode": None}}),
        ({"env": {"environmentVariables": []}}, {"env": {"environmentVariables": None}}),
        (
            {"env": {"environmentVariables": [STAGE]}},
            {"env": {"environmentVariables": [{"name": "STAGE", "value": "test"}]}},
        ),
        ({"env": {"fleet": {"fleetArn": None}, "computeConfiguration": {"vCpu": 0, "memory": 0}}}, {}),
        ({"env": {"imagePullCredentialsType": None}}, {}),
        ({"env": {"image": CURATED, "imagePullCredentialsType": None}}, {"env": {"image": CURATED}}),
        ({}, {"env": {"dockerServer": {"computeType": "BUILD_GENERAL1_SMALL"}}}),
        ({"env": {"dockerServer": {"status": {"status": "AVAILABLE"}}}}, {}),
        ({"source": {"type": "NO_SOURCE"}}, {"source": {"type": "NO_SOURCE", "buildspec": "", "location": ""}}),
        (
            {"source": {**SOURCE, "gitSubmodulesConfig": {"fetchSubmodules": False}, "gitCloneDepth": 0}},
            {"source": SOURCE},
        ),
        ({"source": SOURCE}, {"source": {**SOURCE, "auth": {"type": "OAUTH"}}}),
        ({}, {"timeoutInMinutes": None, "queuedTimeoutInMinutes": None, "cache": None, "encryptionKey": None}),
        ({"cache": None, "encryptionKey": None, "timeoutInMinutes": None}, {"timeoutInMinutes": 90}),
        ({}, {"encryptionKey": "alias/aws/s3"}),
        ({}, {"secondarySourceVersions": []}),
        (
            {"secondarySources": [{"type": "S3", "location": "b/x", "sourceIdentifier": "x", "insecureSsl": False}]},
            {"secondarySources": [{"type": "S3", "location": "b/x", "sourceIdentifier": "x"}]},
        ),
        ({}, {"secondarySources": [{"type": "S3", "location": "b/x", "sourceIdentifier": "x"}]}),
        (
            {"env": {"image": GHCR}},
            {"env": {"image": GHCR, "registryCredential": OTHERS, "imagePullCredentialsType": "SERVICE_ROLE"}},
        ),
        ({"serviceRole": given.ROLE_NAME}, {}),
        ({"debugSession": {"sessionEnabled": False}}, {}),
    ],
)
def test_what_the_record_fills_in_or_does_not_tell_is_no_difference(build: Any, project: Any) -> None:
    assert between(build, project) == Overrides({}, (), ())


@pytest.mark.parametrize(
    ("build", "project", "name"),
    [
        ({"serviceRole": f"{given.ROLE}-other"}, {}, "serviceRole"),
        ({"encryptionKey": "arn:aws:kms:eu-west-1:1:key/other"}, {}, "encryptionKey"),
        ({"artifacts": {"location": "arn:aws:s3:::b/x.zip"}}, {}, "artifacts"),
        (
            {"artifacts": {"location": "arn:aws:s3:::other/x.zip"}},
            {"artifacts": {"type": "S3", "location": "b"}},
            "artifacts",
        ),
        ({"secondarySources": [{"type": "S3", "sourceIdentifier": "x"}]}, {}, "secondarySources"),
        ({"debugSession": {"sessionEnabled": True}}, {}, "debugSession"),
        (
            {"env": {"computeConfiguration": {"vCpu": 4}}},
            {"env": {"computeConfiguration": {"vCpu": 2}}},
            "environment.computeConfiguration",
        ),
        ({"env": {"newerThanTheModel": {"x": 1}}}, {}, "environment.newerThanTheModel"),
        ({}, {"env": {"newerThanTheModel": {"x": 1}}}, "environment.newerThanTheModel"),
        ({}, {"env": {"certificate": "b/cert.pem"}}, "environment.certificate"),
        ({}, {"env": {"fleet": {"fleetArn": "arn:x"}}}, "environment.fleet"),
        (
            {"env": {"fleet": {"fleetArn": "arn:x", "newerThanTheModel": 1}}},
            {},
            "environment.fleet",
        ),
        ({"cache": {"type": "S3", "newerThanTheModel": 1}}, {}, "cache"),
        ({}, {"source": {**SOURCE, "buildspec": "ci.yml"}}, "source.buildspec"),
        (
            {},
            {"secondarySourceVersions": [{"sourceIdentifier": "x", "sourceVersion": "v1"}]},
            "secondarySourceVersions",
        ),
        ({"env": {"environmentVariables": []}}, {}, "environment.environmentVariables"),
    ],
)
def test_what_no_request_from_here_can_say_is_lost(build: dict[str, Any], project: dict[str, Any], name: str) -> None:
    assert between(build, project) == Overrides({}, (name,), (name,))


@pytest.mark.parametrize("location", ["", "arn:aws:s3:::b/path/x.zip", "arn:aws-cn:s3:::b/x"])
def test_artifacts_in_the_projects_bucket_or_nowhere_contradict_nothing(location: str) -> None:
    found = between({"artifacts": {"location": location}}, {"artifacts": {"type": "S3", "location": "b"}})

    assert found.names == ()


def test_only_the_variables_that_the_project_has_otherwise_or_not_at_all_are_given_again() -> None:
    project = [STAGE, variable("KEPT"), variable("KIND", "/x")]
    build = [variable(value=""), variable("KEPT"), variable("KIND", "/x", "PARAMETER_STORE"), variable("NEW")]

    found = between({"env": {"environmentVariables": build}}, {"env": {"environmentVariables": project}})

    assert found.request == {"environmentVariablesOverride": [build[0], build[2], build[3]]}
    assert (found.names, found.lost) == (("environment.environmentVariables",), ())


def test_a_variable_whose_name_codebuild_reserves_is_left_out() -> None:
    reserved = variable("CODEBUILD_WEBHOOK_TRIGGER", "pr/1")

    assert between({"env": {"environmentVariables": [STAGE, reserved]}}).names == ()
    assert between(project={"env": {"environmentVariables": [STAGE, reserved]}}).names == ()


def test_the_repairs_variables_are_no_difference_on_either_side() -> None:
    repaired = given.repaired_environment()["environmentVariables"]

    assert between(project={"env": {"environmentVariables": [*repaired, AUTH_CONFIG]}}).names == ()
    assert between({"env": {"environmentVariables": [*repaired, AUTH_CONFIG]}}).names == ()


def test_a_variable_that_only_the_project_has_is_lost_beside_one_that_is_given_again() -> None:
    found = between({"env": {"environmentVariables": [variable("NEW")]}})

    assert found.request == {"environmentVariablesOverride": [variable("NEW")]}
    assert found.lost == ("environment.environmentVariables",)


def test_both_credentials_of_a_builds_own_are_given_again_and_one_alone_is_lost() -> None:
    username, password = variable("DOCKERHUB_USERNAME", "me"), variable("DOCKERHUB_PASSWORD", "p")
    repaired = {"env": given.repaired_environment()}

    both = between({"env": {"environmentVariables": [STAGE, username, password]}}, repaired)
    half = between({"env": {"environmentVariables": [STAGE, username]}}, repaired)

    assert (both.request, both.lost) == ({"environmentVariablesOverride": [username, password]}, ())
    assert half.lost == ("environment.environmentVariables",)


def test_a_variable_with_a_setting_that_no_request_knows_is_lost() -> None:
    found = between({"env": {"environmentVariables": [STAGE, {**variable("NEW"), "maskedInLogs": True}]}})

    assert found.lost == ("environment.environmentVariables",)


def test_no_value_is_in_what_is_shown() -> None:
    found = between({"env": {"environmentVariables": [variable(value="hunter2")]}})

    assert "hunter2" in str(found.request)
    assert "hunter2" not in repr(found)


def test_versions_of_secondary_sources_are_given_again_together() -> None:
    versions = [{"sourceIdentifier": name, "sourceVersion": f"v{name}"} for name in "abc"]

    more = between({"secondarySourceVersions": versions}, {"secondarySourceVersions": versions[:1]})
    fewer = between({"secondarySourceVersions": versions[:2]}, {"secondarySourceVersions": versions})

    assert more.request == {"secondarySourcesVersionOverride": versions}
    assert (fewer.request, fewer.lost) == ({}, ("secondarySourceVersions",))


def test_a_buildspec_that_lacks_only_the_repairs_login_is_no_difference() -> None:
    signed_in = add_login(given.BUILDSPEC)
    record = {"source": {**SOURCE, "buildspec": given.BUILDSPEC}}

    assert between(record, {"source": {**SOURCE, "buildspec": signed_in}}).names == ()
    edited = between(record, {"source": {**SOURCE, "buildspec": f"{signed_in}      - true\n"}})
    assert edited.request == {"buildspecOverride": given.BUILDSPEC}


PROJECTS = [{"env": {"image": CURATED}}, {"env": {"image": ECR}}, {}, {"env": given.repaired_environment()}]


@pytest.mark.parametrize("project", PROJECTS)
def test_an_image_of_docker_hub_is_pulled_with_the_repairs_credential(project: dict[str, Any]) -> None:
    found = between({"env": {"image": "python:3.12"}}, project)

    assert (found.names, found.lost) == (("environment.image",), ())
    assert found.request == {
        "imageOverride": "python:3.12",
        "registryCredentialOverride": OURS,
        "imagePullCredentialsTypeOverride": "SERVICE_ROLE",
    }


@pytest.mark.parametrize("image", ["python:3.12", GHCR])
@pytest.mark.parametrize("project", PROJECTS)
def test_an_image_that_had_a_credential_of_its_own_is_pulled_with_that(image: str, project: dict[str, Any]) -> None:
    pulled = {"image": image, "registryCredential": OTHERS, "imagePullCredentialsType": "SERVICE_ROLE"}

    found = between({"env": pulled}, project)

    assert found.lost == ()
    assert found.request == {
        "imageOverride": image,
        "registryCredentialOverride": OTHERS,
        "imagePullCredentialsTypeOverride": "SERVICE_ROLE",
    }


@pytest.mark.parametrize(
    ("image", "pull_type"), [(CURATED, None), (CURATED, "CODEBUILD"), (ECR, "SERVICE_ROLE"), (ECR, "CODEBUILD")]
)
def test_any_other_image_is_pulled_as_it_was(image: str, pull_type: str | None) -> None:
    found = between(
        {"env": {"image": image, "imagePullCredentialsType": pull_type}},
        {"env": {"image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"}},
    )

    expected = {"imageOverride": image, "imagePullCredentialsTypeOverride": pull_type or "CODEBUILD"}
    assert (found.request, found.lost) == (expected, ())


@pytest.mark.parametrize("image", [CURATED, ECR, GHCR, "${IMAGE}"])
@pytest.mark.parametrize(
    "env",
    [
        {},
        given.repaired_environment(),
        {"image": "ghcr.io/acme/other:1", "registryCredential": OTHERS, "imagePullCredentialsType": "SERVICE_ROLE"},
    ],
)
def test_any_other_image_is_lost_where_the_project_has_a_credential_or_gets_one(
    image: str, env: dict[str, Any]
) -> None:
    found = between({"env": {"image": image}}, {"env": env})

    assert found == Overrides({}, ("environment.image",), ("environment.image",))


def test_a_builds_own_credential_is_given_again_with_the_projects_image_too() -> None:
    own = {"env": {"registryCredential": OTHERS, "imagePullCredentialsType": "SERVICE_ROLE"}}

    found = between(own, {"env": given.repaired_environment()})

    assert found.names == ("environment.registryCredential",)
    assert found.request["registryCredentialOverride"] == OTHERS
    assert between(own, own).names == ()


def test_the_repairs_credential_in_a_build_is_no_difference() -> None:
    assert between({"env": given.repaired_environment()}).names == ()


def test_how_the_projects_own_ecr_image_was_pulled_is_given_again() -> None:
    found = between({"env": {"image": ECR, "imagePullCredentialsType": "SERVICE_ROLE"}}, {"env": {"image": ECR}})

    assert found.request == {"imagePullCredentialsTypeOverride": "SERVICE_ROLE"}


def test_a_credential_that_no_request_can_say_whole_is_lost() -> None:
    found = between({"env": {"registryCredential": {**OTHERS, "newerThanTheModel": 1}}})

    assert found == Overrides({}, ("environment.registryCredential",), ("environment.registryCredential",))


def test_differences_are_told_in_a_steady_order() -> None:
    build = given.build(env={"image": CURATED, "privilegedMode": True}, timeoutInMinutes=5)

    found = overrides_of(build, given.snapshot(), given.SIGN_IN)

    assert found.names == ("environment.privilegedMode", "environment.image", "timeoutInMinutes")
    assert found.lost == ("environment.image",)


def test_an_environment_that_is_not_told_is_read_as_empty() -> None:
    assert overrides_of(given.build(), Snapshot({"source": SOURCE}), given.SIGN_IN).names != ()


def test_every_member_that_is_given_again_is_one_of_start_builds() -> None:
    given_again = [*module._ENVIRONMENT.values(), *module._SOURCE.values(), *module._BUILD.values()]

    assert set(given_again) <= set(START_BUILD.members) & KNOWN_OVERRIDES


def test_a_request_says_exactly_the_members_of_structures_that_botocore_knows() -> None:
    shapes = {
        "auth": "SourceAuth",
        "buildStatusConfig": "BuildStatusConfig",
        "cache": "ProjectCache",
        "environmentVariables": "EnvironmentVariable",
        "fleet": "ProjectFleet",
        "gitSubmodulesConfig": "GitSubmodulesConfig",
        "registryCredential": "RegistryCredential",
    }

    known = {name: set(MODEL.shape_for(shape).members) for name, shape in shapes.items()}
    assert known == module._STRUCTURES


# How an image may be pulled, by what CodeBuild takes.
PULLS: list[dict[str, Any]] = [
    {"image": given.IMAGE},
    {"image": "python:3.12"},
    {"image": given.IMAGE, "registryCredential": OTHERS, "imagePullCredentialsType": "SERVICE_ROLE"},
    {"image": GHCR, "registryCredential": OTHERS, "imagePullCredentialsType": "SERVICE_ROLE"},
    {"image": GHCR},
    {"image": CURATED, "imagePullCredentialsType": "CODEBUILD"},
    {"image": ECR, "imagePullCredentialsType": "CODEBUILD"},
    {"image": ECR, "imagePullCredentialsType": "SERVICE_ROLE"},
]
NAMES = ["STAGE", "REGION", "DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD", "DOCKER_AUTH_CONFIG"]
VARIABLE = st.builds(
    variable, st.sampled_from(NAMES), st.sampled_from(["", "a", "b"]), st.sampled_from(["PLAINTEXT", "PARAMETER_STORE"])
)
VARIABLES = st.lists(VARIABLE, max_size=4, unique_by=lambda v: v["name"])
OTHER_BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - make\n"
BUILDSPECS = st.sampled_from([given.BUILDSPEC, OTHER_BUILDSPEC, "ci.yml"])
FLAG = st.booleans()
SUBMODULES = st.builds(lambda flag: {"fetchSubmodules": flag}, FLAG)
STATUS = st.sampled_from([{"context": "a"}, {"context": "b", "targetUrl": "https://x.example"}])
AUTH = st.sampled_from([{"type": "OAUTH"}, {"type": "CODECONNECTIONS", "resource": "arn:x"}])
CACHE = st.sampled_from(
    [{"type": "NO_CACHE"}, {"type": "S3", "location": "b/c"}, {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE"]}]
)
FLEET = st.sampled_from([{"fleetArn": "arn:a"}, {"fleetArn": "arn:b"}])
VERSIONS = st.builds(lambda v: [{"sourceIdentifier": "lib", "sourceVersion": v}], st.sampled_from(["v1", "v2"]))
COMPUTE = st.sampled_from(["BUILD_GENERAL1_SMALL", "BUILD_GENERAL1_LARGE"])
TYPES = st.sampled_from(["LINUX_CONTAINER", "ARM_CONTAINER", "LINUX_EC2"])
KERNEL = st.sampled_from(["LINUX_KERNEL_4", "LINUX_KERNEL_LATEST"])


def part(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


@st.composite
def projects(draw: st.DrawFn) -> dict[str, Any]:
    environment = draw(
        part(
            {"type": TYPES, "computeType": COMPUTE},
            privilegedMode=FLAG,
            certificate=st.just("b/cert.pem"),
            fleet=FLEET,
            hostKernel=KERNEL,
            environmentVariables=VARIABLES,
        )
    )
    source = draw(
        part(
            {"type": st.just("GITHUB"), "location": st.just("https://a.example"), "buildspec": BUILDSPECS},
            auth=AUTH,
            gitCloneDepth=st.integers(0, 3),
            gitSubmodulesConfig=SUBMODULES,
            insecureSsl=FLAG,
            reportBuildStatus=FLAG,
            buildStatusConfig=STATUS,
        )
    )
    rest = draw(part({}, cache=CACHE, timeoutInMinutes=st.integers(5, 90), secondarySourceVersions=VERSIONS))
    return {
        "name": given.PROJECT,
        "serviceRole": given.ROLE,
        "artifacts": {"type": "S3", "location": "b", "name": "x.zip"},
        "environment": {**environment, **draw(st.sampled_from(PULLS))},
        "source": source,
        **rest,
    }


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    pull: dict[str, Any] = draw(st.sampled_from([{}, *PULLS]))
    settings = draw(
        part(
            {},
            environmentTypeOverride=TYPES,
            computeTypeOverride=COMPUTE,
            privilegedModeOverride=FLAG,
            certificateOverride=st.just("b/other.pem"),
            fleetOverride=FLEET,
            hostKernelOverride=KERNEL,
            environmentVariablesOverride=VARIABLES,
            sourceTypeOverride=st.sampled_from(["GITHUB", "BITBUCKET"]),
            sourceLocationOverride=st.just("https://b.example"),
            sourceAuthOverride=AUTH,
            gitCloneDepthOverride=st.integers(0, 3),
            gitSubmodulesConfigOverride=SUBMODULES,
            insecureSslOverride=FLAG,
            reportBuildStatusOverride=FLAG,
            buildStatusConfigOverride=STATUS,
            buildspecOverride=BUILDSPECS,
            timeoutInMinutesOverride=st.integers(5, 90),
            queuedTimeoutInMinutesOverride=st.integers(5, 90),
            cacheOverride=CACHE,
            secondarySourcesVersionOverride=VERSIONS,
        )
    )
    return {**{f"{name}Override": value for name, value in pull.items()}, **settings}


@hypothesis_settings(deadline=None, max_examples=300)
@randomly(projects(), requests(), st.booleans())
def test_a_repaired_project_and_the_request_make_the_same_build_again(
    project: dict[str, Any], request: dict[str, Any], read_before_the_repair: bool
) -> None:
    try:
        first = compose(project, request, given.ACCOUNT)
    except ServiceError:
        reject()
    repaired = make_plan(Snapshot(project), given.SIGN_IN).apply(project)
    repaired["source"] = {**project["source"], "buildspec": with_login(project["source"]["buildspec"])}
    read = project if read_before_the_repair else repaired

    found = overrides_of(Build(first), Snapshot(read), given.SIGN_IN)

    assert refusal(found) == ""
    event(f"lost: {', '.join(found.lost) or 'nothing'}")
    if found.lost:
        assert set(found.lost) <= lost_for_a_reason(first["environment"], project["environment"])
        return
    again = compose(repaired, found.request, given.ACCOUNT)
    assert without_the_repair(again) == without_the_repair(first)
    assert again["source"]["buildspec"] in (first["source"]["buildspec"], with_login(first["source"]["buildspec"]))
    assert pulled_with(again["environment"]) == expected_pull(first["environment"])


@hypothesis_settings(deadline=None)
@randomly(projects())
def test_a_build_without_overrides_shows_none_whatever_its_project(project: dict[str, Any]) -> None:
    repaired = make_plan(Snapshot(project), given.SIGN_IN).apply(project)

    for read in (project, repaired):
        found = overrides_of(Build(compose(project, {}, given.ACCOUNT)), Snapshot(read), given.SIGN_IN)
        assert found == Overrides({}, (), ())


def with_login(buildspec: str) -> str:
    return add_login(buildspec) if "\n" in buildspec else buildspec


def lost_for_a_reason(first: dict[str, Any], project: dict[str, Any]) -> set[str]:
    reasons = set()
    if not takes_registry_credential(first) and not first.get("registryCredential"):
        reasons.add("environment.image")
    if len({v["name"] for v in first["environmentVariables"]} & given.REFERENCES.keys()) == 1:
        reasons.add("environment.environmentVariables")
    return reasons


def without_the_repair(settings: dict[str, Any]) -> dict[str, Any]:
    """A build's settings, what means nothing left out, without what a repair sets."""
    ours = [variable(name, value, "SECRETS_MANAGER") for name, value in given.REFERENCES.items()]
    hidden = ("registryCredential", "imagePullCredentialsType", "environmentVariables")
    environment = {name: value for name, value in settings["environment"].items() if name not in hidden}
    variables = [v for v in settings["environment"]["environmentVariables"] if v not in ours]
    return {
        **{name: value for name, value in settings.items() if name != "cache"},
        "environment": meant(environment),
        "source": meant({name: value for name, value in settings["source"].items() if name != "buildspec"}),
        "variables": sorted(variables, key=lambda v: str(v["name"])),
        "cache": settings.get("cache") or {"type": "NO_CACHE"},
        "timeoutInMinutes": settings.get("timeoutInMinutes", 60),
        "queuedTimeoutInMinutes": settings.get("queuedTimeoutInMinutes", 480),
    }


def meant(members: dict[str, Any]) -> dict[str, Any]:
    nothing = (None, False, 0, {"fetchSubmodules": False})
    return {name: value for name, value in members.items() if value not in nothing}


def pulled_with(environment: dict[str, Any]) -> tuple[Any, str]:
    return environment.get("registryCredential"), environment.get("imagePullCredentialsType", "CODEBUILD")


def expected_pull(first: dict[str, Any]) -> tuple[Any, str]:
    if takes_registry_credential(first) and not first.get("registryCredential"):
        return OURS, "SERVICE_ROLE"
    return pulled_with(first)
