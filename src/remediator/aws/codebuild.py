"""Reads and updates CodeBuild's projects without losing a setting, and starts and reads builds and batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from remediator.core.codebuild.batch import Batch
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import BuildArn
from remediator.core.codebuild.project import Document

_MOST_LISTED = 1000
"""Builds of a project that are looked through for a newer one."""


class CodeBuild:
    """Projects and builds as raw JSON, as CodeBuild sends them.

    botocore drops response members that its model does not know, and refuses them in requests. So answers are taken
    from the raw body (`before-parse`). An update's body, which botocore makes and validates from the members that it
    knows, is replaced by the whole document just before it is signed (`before-call`).
    """

    def __init__(self, codebuild: Any) -> None:
        self._client = codebuild
        self._answer: Document = {}
        self._whole_request: Document = {}
        events = self._client.meta.events
        events.register("before-parse.codebuild", self._keep_answer)
        events.register("before-call.codebuild.UpdateProject", self._send_whole_request)

    def project(self, name: str) -> Document | None:
        """The project's document, None when there is no such project."""
        return next(self._projects([name]), None)

    def projects(self, covers: Callable[[str], bool]) -> Iterator[Document]:
        """All projects whose names are covered and may be read: two calls for each hundred."""
        for page in self._client.get_paginator("list_projects").paginate():
            names = [name for name in page["projects"] if covers(name)]
            if names:
                yield from self._projects(names)

    def update(self, project: Document, *, with_source: bool = False) -> Document:
        """Send this document's environment and tags back, `with_source` its source too; returns the updated project.

        Each member that UpdateProject gets replaces the old one whole, and tags that are not sent are removed
        (terraform-provider-aws, internal/service/codebuild/project.go). `dockerServer.status` is output only.
        """
        environment = _without_output(project["environment"])
        request: Document = {"name": project["name"], "environment": environment, "tags": project.get("tags") or []}
        if with_source:
            request["source"] = project["source"]
        self._whole_request = request
        shape = self._client.meta.service_model.operation_model("UpdateProject").input_shape
        self._client.update_project(**_known(request, shape))
        updated: Document = self._answer["project"]
        return updated

    def build(self, build: BuildArn) -> Build | None:
        """The build's own record, None when there is no such build. CodeBuild is asked by an id, without region and
        account: the ARN tells that it is not another account's build."""
        return next((found for found in self._builds([build.id]) if found.document.get("arn") == str(build)), None)

    def latest_builds(self, project: str) -> list[Build]:
        """The project's newest builds, newest first, at most 100."""
        ids = self._client.list_builds_for_project(projectName=project, sortOrder="DESCENDING")["ids"][:100]
        return self._in_order(ids)

    def builds_since(self, project: str, build_id: str, started_at: float | None = None) -> list[Build]:
        """A project's builds that were listed after this one, newest first, and then the build itself; nothing where it
        is the newest. With `started_at` at least all that started since then, for one that began later than that. At
        most _MOST_LISTED are looked at."""
        found: list[Build] = []
        pages = self._client.get_paginator("list_builds_for_project")
        for page in pages.paginate(projectName=project, sortOrder="DESCENDING"):
            ids = page["ids"]
            if started_at is None and build_id in ids:
                newer = ids[: ids.index(build_id) + 1]
                return found + self._in_order(newer) if found or len(newer) > 1 else []
            found += self._in_order(ids)
            enough = started_at is not None and found and found[-1].started_at < started_at
            if enough or len(found) >= _MOST_LISTED:
                break
        known = any(build.document["id"] == build_id for build in found)
        return found if known else found + self._builds([build_id])

    def _in_order(self, ids: list[str]) -> list[Build]:
        by_id = {b.document["id"]: b for at in range(0, len(ids), 100) for b in self._builds(ids[at : at + 100])}
        return [by_id[id_] for id_ in ids if id_ in by_id]

    def start_build(self, project: str, source_version: str | None, token: str, overrides: Document) -> Build:
        """Start a build with the project's settings and these overrides, members of StartBuild's request. CodeBuild
        remembers the idempotency `token` for five minutes."""
        version = {"sourceVersion": source_version} if source_version else {}
        self._client.start_build(projectName=project, idempotencyToken=token, **version, **overrides)
        return Build(self._answer["build"])

    def retry_build(self, build: BuildArn, token: str) -> Build:
        """Run a build again, with its own settings or the project's: that is documented nowhere, its answer tells.
        https://docs.aws.amazon.com/codebuild/latest/APIReference/API_RetryBuild.html"""
        self._client.retry_build(id=build.id, idempotencyToken=token)
        return Build(self._answer["build"])

    def stop_build(self, build: BuildArn) -> None:
        """Stopping a build that has ended changes nothing."""
        self._client.stop_build(id=build.id)

    def batch(self, batch_id: str) -> Batch | None:
        """The record of a batch, None when there is no such batch."""
        return next(iter(self.batches([batch_id])), None)

    def batches(self, ids: Sequence[str]) -> list[Batch]:
        """The records of several batches, at most 100."""
        if not ids:
            return []
        self._client.batch_get_build_batches(ids=ids)
        return [Batch(document) for document in self._answer.get("buildBatches") or []]

    def retry_batch(self, batch_id: str, token: str) -> Batch:
        """Run the failed builds of a batch that has ended as failed again. Whether that is the same batch or a new one
        is documented nowhere: its answer tells.
        https://docs.aws.amazon.com/codebuild/latest/APIReference/API_RetryBuildBatch.html
        """
        self._client.retry_build_batch(id=batch_id, idempotencyToken=token, retryType="RETRY_FAILED_BUILDS")
        return Batch(self._answer["buildBatch"])

    def builds(self, arns: tuple[str, ...]) -> list[Build]:
        """The records of several builds, at most 100."""
        return self._builds([arn.rpartition("/")[2] for arn in arns])

    def _projects(self, names: list[str]) -> Iterator[Document]:
        self._client.batch_get_projects(names=names)
        return iter(self._answer.get("projects") or [])

    def _builds(self, ids: list[str]) -> list[Build]:
        if not ids:
            return []
        self._client.batch_get_builds(ids=ids)
        return [Build(document) for document in self._answer.get("builds") or []]

    def _keep_answer(self, response_dict: dict[str, Any], **_: Any) -> None:
        if response_dict["status_code"] < 300:
            self._answer = json.loads(response_dict["body"])

    def _send_whole_request(self, params: dict[str, Any], **_: Any) -> None:
        params["body"] = json.dumps(self._whole_request).encode()


def _without_output(environment: Document) -> Document:
    server = environment.get("dockerServer")
    if not isinstance(server, dict) or "status" not in server:
        return environment
    return {**environment, "dockerServer": {k: v for k, v in server.items() if k != "status"}}


def _known(value: Any, shape: Any) -> Any:
    """`value` without the members that botocore's `shape` does not know."""
    if shape.type_name == "structure":
        return {k: _known(v, shape.members[k]) for k, v in value.items() if k in shape.members and v is not None}
    if shape.type_name == "list":
        return [_known(item, shape.member) for item in value]
    return value
