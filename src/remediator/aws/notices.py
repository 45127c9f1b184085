"""Publishes a short notice of each outcome that somebody should see: project, build, how it ended, where the rest is.

A notice leaves the account, by mail or into a chat. So it holds only names and words that are known beforehand.
Reason, changes and advice stay in the journal: a build, an image, a buildspec or a log may have put words into them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from remediator.core.outcome import FAILED_BY_ITSELF, Ending
from remediator.core.value import value

_NO_NEWS = (Ending.SKIPPED, Ending.PLANNED)
_SUBJECT = 100
"""Characters: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

_MEANS = {
    Ending.REMEDIATED: "The project was repaired, and its build got past the pull with the credentials.",
    Ending.UNPROVEN: "The project was repaired, and its build got past the pull; nothing shows with what.",
    Ending.PATCHED: "The project is signed in; its build was not run again from here, or was stopped.",
    Ending.ADVISED: "A person has something to do.",
    Ending.REJECTED: "The build or the credentials did not stand up to the check.",
    Ending.GAVE_UP: "The repair did not help, or did not become possible.",
    Ending.FAILED: "A step broke off; the journal lists what was changed until then.",
}
_UNCHANGED = "Nothing was changed."
_CHANGED = {
    "attach the policy": "the role may read the secret",
    "name the role": "the role may read the secret",
    "put an inline policy": "the role may read the secret",
    "pull the image": "registry credential",
    "set the environment variables": "environment variables",
    "add a command": "login in the inline buildspec",
}
"""What a change begins with, and what a notice says of it: the rest of a change may be somebody's words."""
_FAILED_AGAIN = "The build then failed by itself, for another reason: it is still red."


@value
class Notice:
    """A notice's `subject`, one line of ASCII, and its `message`."""

    subject: str
    message: str


def notice_of(entry: Mapping[str, Any], table: str) -> Notice | None:
    """The notice of an outcome's entry; None where nobody has to see it. `table` is the journal's name."""
    ending = Ending(entry["outcome"])
    if entry["quiet"] or ending in _NO_NEWS:
        return None
    key = json.dumps({"pk": {"S": f"build#{entry['build'].rpartition('/')[2]}"}})
    failed_again = entry.get("retry_result") == FAILED_BY_ITSELF
    changed = [kind for text in entry["changes"] for begins, kind in _CHANGED.items() if text.startswith(begins)]
    means = f"{_MEANS[ending]} {_FAILED_AGAIN}" if failed_again else _MEANS[ending]
    if ending in (Ending.ADVISED, Ending.REJECTED) and not entry["changes"]:
        means = f"{means} {_UNCHANGED}"
    message = f"""\
{means}

project: {entry["project"]}
build: {entry["build"]}
outcome: {ending.value}
retried build: {entry.get("retry_result") or "none"}
cause: {entry["cause"] or "none"}
changes: {len(entry["changes"])}{f" ({', '.join(changed)})" if changed else ""}
advice: {len(entry["advice"])}

Reason, changes and advice:
aws dynamodb get-item --table-name {table} --key '{key}' --query Item.report.S --output text"""
    subject = f"{ending.value}, build failed by itself" if failed_again else ending.value
    return Notice(f"{subject}: {entry['project']}"[:_SUBJECT], message)


class Notices:
    """`connect` makes SNS's client, with the first notice, since most failures need none. `table`: as `notice_of`."""

    def __init__(self, connect: Callable[[], Any], topic_arn: str, table: str) -> None:
        self._connect = connect
        self._topic = topic_arn
        self._table = table

    def publish(self, entry: Mapping[str, Any]) -> None:
        """Publish the notice of this entry, if it has one."""
        notice = notice_of(entry, self._table)
        if notice:
            self._connect().publish(TopicArn=self._topic, Subject=notice.subject, Message=notice.message)
