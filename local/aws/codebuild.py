"""CodeBuild in this AWS: every call goes to the simulator, and the simulator's builds act in this AWS.

Secrets are read over HTTP with a session of the project's service role (which has to trust CodeBuild) and IAM's
consent, images of Docker Hub are pulled from the registry on loopback, events go onto the default bus, logs to
CloudWatch Logs. The commands of a buildspec are run by `local.agent`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from ministack import app
from ministack.services import cloudwatch_logs, eventbridge
from ministack.services.cloudformation import provisioners

from local import image_name
from local.aws.principals import principal, service_session
from local.aws.scope import in_scope
from local.registry import Registry, pull
from local.simulator import CodeBuild, Credentials, Document, PullAnswer, SecretUnreadable, Service, wire

log = logging.getLogger("local.aws.codebuild")

MEAN_BUILD_SECONDS = 10.0
"""What a build takes at pace 1, about."""

ECR_PUBLIC = "public.ecr.aws"
ECR_PUBLIC_THROTTLED = "toomanyrequests: Rate exceeded"


class World:
    """The simulator's world inside MiniStack; called from the builds' threads."""

    partition = "aws"

    def __init__(self, *, account: str, region: str, endpoint: str, registry: Registry) -> None:
        self.account = account
        self.region = region
        self.endpoint = endpoint
        self.registry = registry
        self.throttled_registries = {ECR_PUBLIC: ECR_PUBLIC_THROTTLED}
        self.last_events: dict[str, Document] = {}
        self._session = botocore.session.Session()
        self._making_clients = threading.Lock()

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def read_secret(self, role_arn: str, secret_id: str) -> str:
        try:
            session = service_session(role_arn, "codebuild.amazonaws.com")
        except (KeyError, PermissionError) as error:
            raise SecretUnreadable(f"AccessDeniedException: {error}") from error
        with self._making_clients:
            client = self._session.create_client(
                "secretsmanager",
                region_name=self.region,
                endpoint_url=self.endpoint,
                aws_access_key_id=session["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=session["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=session["AWS_SESSION_TOKEN"],
                config=Config(retries={"total_max_attempts": 1}, proxies={}),
            )
        try:
            return str(client.get_secret_value(SecretId=secret_id)["SecretString"])  # type: ignore[attr-defined]
        except ClientError as error:
            answer = error.response["Error"]
            raise SecretUnreadable(f"{answer['Code']}: {answer['Message']}") from error
        except BotoCoreError as error:
            raise SecretUnreadable(str(error)) from error

    def pull(self, image: str, credentials: Credentials | None) -> PullAnswer:
        parsed = image_name.split(image)
        if parsed.on_docker_hub:
            return pull(self.registry.url, parsed.repository, parsed.reference, credentials)
        if throttled := self.throttled_registries.get(parsed.registry):
            return PullAnswer(429, throttled.removeprefix("toomanyrequests: "))
        return PullAnswer(200)

    def publish(self, event: Document) -> None:
        if event["detail-type"] == "CodeBuild Build State Change":
            # the last one of each build, for an order to deliver it again as CodeBuild's bus may
            self.last_events[event["detail"]["build-id"]] = event
        entry = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": event.get("resources", []),
        }
        with in_scope(self.account, self.region):
            eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)

    def write_log(self, group: str, stream: str, lines: Sequence[str]) -> None:
        now = int(time.time() * 1000)
        with in_scope(self.account, self.region):
            groups = cloudwatch_logs._log_groups
            if group not in groups:
                groups[group] = {
                    "arn": cloudwatch_logs._make_group_arn(group),
                    "creationTime": now,
                    "retentionInDays": None,
                    "tags": {},
                    "subscriptionFilters": {},
                    "streams": {},
                }
            streams = groups[group]["streams"]
            if stream not in streams:
                streams[stream] = {
                    "events": [],
                    "uploadSequenceToken": "1",
                    "creationTime": now,
                    "firstEventTimestamp": None,
                    "lastEventTimestamp": None,
                    "lastIngestionTime": None,
                }
            events = [{"timestamp": now, "message": line, "ingestionTime": now} for line in lines]
            cloudwatch_logs._append_log_events(streams[stream], events)

    def start(self, run: Any) -> None:
        threading.Thread(target=self._carry_out, args=(run,), daemon=True, name=f"build {run.build_id}").start()

    def _carry_out(self, run: Any) -> None:
        try:
            run()
        except Exception:
            log.exception("the build %s cannot go on", run.build_id)


def handler(service: Service) -> Callable[..., Awaitable[Any]]:
    """What MiniStack calls for a request to a service of `local.simulator`."""

    async def handle(_method: str, _path: str, headers: Any, body: bytes, query: Any) -> Any:
        caller = principal(headers, query)
        target = headers.get("x-amz-target", "")
        answer = await asyncio.to_thread(wire.answer, service, target, body, caller)
        return answer.status, dict(answer.headers), answer.body

    return handle


def install(simulator: CodeBuild, world: World) -> None:
    """Send CodeBuild's requests and CloudFormation's projects to the simulator."""
    app.SERVICE_HANDLERS["codebuild"] = handler(simulator)
    creator = f"arn:aws:iam::{world.account}:root"

    def request(properties: Document) -> Document:
        made: Document = {}
        for name, value in properties.items():
            converted = provisioners._codebuild_cfn_to_api(value) if isinstance(value, (dict, list)) else value
            made[name[0].lower() + name[1:]] = converted
        made["tags"] = [{"key": tag["Key"], "value": tag["Value"]} for tag in properties.get("Tags") or []]
        return made

    def create(logical_id: str, properties: Document, stack_name: str) -> Any:
        name = properties.get("Name") or provisioners._physical_name(stack_name, logical_id, max_len=255)
        made = simulator.call("CreateProject", {**request(properties), "name": name}, creator)["project"]
        return name, {"Arn": made["arn"]}

    def update(name: str, _old: Document, new: Document, _stack_name: str) -> Any:
        changed = simulator.call("UpdateProject", {**request(new), "name": name}, creator)["project"]
        return name, {"Arn": changed["arn"]}

    def delete(name: str, _properties: Document) -> None:
        simulator.call("DeleteProject", {"name": name}, creator)

    provisioners._RESOURCE_HANDLERS["AWS::CodeBuild::Project"] = {"create": create, "update": update, "delete": delete}
