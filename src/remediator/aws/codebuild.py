"""Reads and updates CodeBuild's projects without losing a setting, and starts and reads builds and batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from remediator.core.codebuild.batch import Batch
from remediator.core.codebuild.build import Build
from remediator.core.codebuild.failure import BuildArn
from remediator.core.codebuild.project import Document


class CodeBuild:
    """Projects and builds as raw JSON, as CodeBuild sends them.

    botocore drops response members that its model does not know, and refuses them in requests. So answers are taken
    from the raw body (`before-parse`), and an update's body, which botocore has made and validated from the members it
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
        self._client.batch_get_projects(names=[name])
        projects: list[Document] = self._answer.get("projects") or []
        return projects[0] if projects else None

    def projects(self, covers: Callable[[str], bool]) -> Iterator[Document]:
        """All projects whose names are covered and may be read: two calls for each hundred."""
        for page in self._client.get_paginator("list_projects").paginate():
            names = [name for name in page["projects"] if covers(name)]
            if names:
                self._client.batch_get_projects(names=names)
                yield from self._answer.get("projects") or []

    def update(self, project: Document, *, with_source: bool = False) -> Document:
        """Send the environment and the tags of this document back, and nothing else; returns the updated project.

        `with_source` sends the source too, which only a plan that edits the buildspec needs.

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
        """The build's own record, None when there is no such build.

        CodeBuild is asked by an id, without region and account, so the record has to be that of this very ARN: one of
        another account's build would be taken for one of this account's.
        """
        self._client.batch_get_builds(ids=[build.id])
        builds: list[Document] = self._answer.get("builds") or []
        return next((Build(found) for found in builds if found.get("arn") == str(build)), None)

    def latest_builds(self, project: str) -> list[Build]:
        """The project's newest builds, newest first, at most 100."""
        ids = self._client.list_builds_for_project(projectName=project, sortOrder="DESCENDING")["ids"][:100]
        if not ids:
            return []
        self._client.batch_get_builds(ids=ids)
        by_id = {document["id"]: Build(document) for document in self._answer.get("builds") or []}
        return [by_id[id_] for id_ in ids if id_ in by_id]

    def start_build(self, project: str, source_version: str | None, token: str, overrides: Document) -> Build:
        """Start a build with the project's settings and these overrides, members of StartBuild's request.

        CodeBuild remembers the idempotency `token` for five minutes.
        """
        version = {"sourceVersion": source_version} if source_version else {}
        self._client.start_build(projectName=project, idempotencyToken=token, **version, **overrides)
        return Build(self._answer["build"])

    def retry_build(self, build: BuildArn, token: str) -> Build:
        """Run a build again. Whether with its own settings or with the project's is documented nowhere: its answer
        tells. https://docs.aws.amazon.com/codebuild/latest/APIReference/API_RetryBuild.html
        """
        self._client.retry_build(id=build.id, idempotencyToken=token)
        return Build(self._answer["build"])

    def stop_build(self, build: BuildArn) -> None:
        """Stopping a build that has ended changes nothing."""
        self._client.stop_build(id=build.id)

    def batch(self, batch_id: str) -> Batch | None:
        """The record of a batch, None when there is no such batch."""
        self._client.batch_get_build_batches(ids=[batch_id])
        batches: list[Document] = self._answer.get("buildBatches") or []
        return Batch(batches[0]) if batches else None

    def retry_batch(self, batch_id: str, token: str) -> Batch:
        """Run the failed builds of a batch again; only of one that has finished failing.

        Whether that is the same batch or a new one is documented nowhere: its answer tells.
        https://docs.aws.amazon.com/codebuild/latest/APIReference/API_RetryBuildBatch.html
        """
        self._client.retry_build_batch(id=batch_id, idempotencyToken=token, retryType="RETRY_FAILED_BUILDS")
        return Batch(self._answer["buildBatch"])

    def builds(self, arns: tuple[str, ...]) -> list[Build]:
        """The records of several builds, at most 100."""
        if not arns:
            return []
        self._client.batch_get_builds(ids=[arn.rpartition("/")[2] for arn in arns])
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
