"""How a build was started: for which version of its source, and by whom, as far as its starter can't choose that.

Whoever may start builds names the version, and may have a role or a session of any name. So an initiator claims; what
proves it is read elsewhere: a pipeline shows the build as its own, or no role of the account has a webhook's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from remediator.core.codebuild.build import COMMIT, PULL_REQUEST, REFERENCE_AND_COMMIT, Build
from remediator.core.codebuild.project import Document
from remediator.core.codebuild.webhook import PULL_REQUESTS, webhook_events
from remediator.core.value import value

_HOSTS = ("GitHub-Hookshot", "Bitbucket-Webhooks", "GitLab")
"""The initiator of a webhook's build up to its slash: the name by which the host's requests call themselves. Seen for
GitHub (`GitHub-Hookshot/1cdf727`); of the others' builds no record is public, and another name is a person's."""

_PART = r"(?!\.)[\w.@+=,#%-]+(?<!\.lock)(?<!\.)"
_REFERENCE = rf"(?!.*\.\.)refs/(?:heads|tags)/{_PART}(?:/{_PART})*"
"""A branch or a tag by its full name, in plain characters. https://git-scm.com/docs/git-check-ref-format"""
_OF_COMMIT = rf"\^\{{{COMMIT}\}}"


class Starter(StrEnum):
    """Who started a build. ANYBODY is whoever may start builds, and whatever is not known to be something else."""

    ANYBODY = "anybody"
    WEBHOOK = "webhook"
    PIPELINE = "pipeline"


@value
class Start:
    """The source `version` that was asked for, empty for none, `by` whom."""

    version: str
    by: Starter = Starter.ANYBODY

    @property
    def chosen_by_starter(self) -> bool:
        """Could whoever started it choose its version and its variables?"""
        return self.by is Starter.ANYBODY

    def of_project(self, project: Document) -> bool:
        """Is the version one whose commands only people write who may push to the project's repository?

        That is none, the project's own, and a branch or a tag by its full name. A commit alone is also found in forks,
        and a short name may be any reference (`pull/7/head`). With a branch in front of the commit, CodeBuild looks for
        it in that branch only.
        https://docs.aws.amazon.com/codebuild/latest/userguide/sample-source-version-github-ref.html
        """
        if not self.chosen_by_starter or self.version in ("", project.get("sourceVersion")):
            return True
        exact = (project.get("source") or {}).get("type") in REFERENCE_AND_COMMIT
        return re.fullmatch(_REFERENCE + rf"(?:{_OF_COMMIT})?" * exact, self.version, re.ASCII) is not None


def host_named(initiator: str, version: str, webhook: Mapping[str, Any] | None) -> str:
    """The host whose request started the build, if it was this webhook of its project; empty where it was not.

    Its events have to fit the version: a commit or a reference for each of them, `pr/7` for a pull request's.
    https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
    """
    host, slash, _ = initiator.partition("/")
    events = webhook_events(webhook)
    if re.fullmatch(PULL_REQUEST, version):
        events &= PULL_REQUESTS
    elif not re.fullmatch(rf"|{COMMIT}|{_REFERENCE}(?:{_OF_COMMIT})?", version, re.ASCII):
        return ""
    return host if slash and host in _HOSTS and events else ""


def start_claimed(build: Build, project: Document) -> Start:
    """How a build was started by its own record, where nothing else is read. What a batch was started for is in the
    batch's record only."""
    if build.pipeline:
        return Start(build.asked_version, Starter.PIPELINE)
    version = "" if build.batch else build.asked_version
    hooked = host_named(build.initiator, version, project.get("webhook"))
    return Start(version, Starter.WEBHOOK if hooked else Starter.ANYBODY)
