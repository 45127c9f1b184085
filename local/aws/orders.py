"""What tests and the demo may tell local AWS beyond AWS's own API: `POST /_local/<order>` with a JSON object.

    hold                  {service, operation, principal?, after?}   the next such request waits until released
    release               {hold?}                     let one held request go on, or all
    holds                 {}                          every hold: who fell into it, whether it is released
    grant-delay           {least, most?}              seconds until a new attachment counts; 0 for at once
    credentials           {role_arn, session?}        a session of that role, as environment variables
    account               {user, password, pulls?, read_only?}
                                                      an account of Docker Hub; pulls left, null for no limit
    account-pulls         {user?, pulls}              pulls left; without a user those of the anonymous
    account-lock          {user, locked}              refuse every login, as after too many failed ones
    throttle              {registry, text?}           other registries: `toomanyrequests` with that text; null ends it
    publish               {event}                     put an event on the bus as its service would
    deliver-again         {build, times}              a build's last event once more, as EventBridge may
    retry-build           {uses: snapshot|project}    what RetryBuild takes (the open question)
    unreadable-credential {phase}                     where a build fails that can't read its registry credential
    build-seconds         {seconds}                   about how long a build takes
    start-build           {request, initiator}        a build that a pipeline or webhook starts
    start-batch           {project, builds, initiator}
                                                      a batch of builds: [identifier, overrides] for each
    batch-retry           {uses: same|new}            the batch that RetryBuildBatch makes (the open question)
    pipeline              {name, stages}              a pipeline; a stage is {name, actions, on_failure?}, actions
                                                      have the project of each, null for one that builds nothing
    start-pipeline        {name}                      a new execution of a pipeline
    pipeline-lag          {refusals}                  retries that are refused before a failed build is noticed
    repository            {location, files}           a source's files (path: text), buildspec.yml among them
    plant-project         {project}                   a project with members that no model knows
    stored-project        {name}                      a project as it is stored, without a request on record
    interrupt             {function}                  kill the processes in which this function runs now

An order that cannot be carried out is answered with 400 and `{"error": why}`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ministack.core import lambda_runtime

from local.agent import Agent
from local.aws.codebuild import MEAN_BUILD_SECONDS, World
from local.aws.grants import Grants
from local.aws.holds import Holds
from local.aws.principals import role_session
from local.registry import Registry
from local.simulator import CodeBuild, CodePipeline, ServiceError, Stage

Document = dict[str, Any]


class OrderError(Exception):
    """There is no such order, or what it names is not there."""


@dataclass
class Orders:
    """The parts of a server that can be told something."""

    holds: Holds
    grants: Grants
    registry: Registry
    world: World
    simulator: CodeBuild
    pipelines: CodePipeline
    agent: Agent

    async def carry_out(self, order: str, given: Document) -> Document:
        """The order's answer; OrderError when it cannot be carried out."""
        name = order.replace("-", "_")
        found: Callable[..., Document] | None = getattr(self, f"_order_{name}", None)
        if found is None:
            raise OrderError(f"there is no order {order}")
        on_the_loop = name in ("hold", "release", "holds")
        try:
            return found(**given) if on_the_loop else await asyncio.to_thread(found, **given)
        except (TypeError, KeyError, ValueError, PermissionError, ServiceError) as error:
            raise OrderError(f"{order}: {error}") from error

    def _order_hold(self, service: str, operation: str, principal: str = "", after: bool = False) -> Document:
        return self.holds.add(service, operation, principal, after).state()

    def _order_release(self, hold: int | None = None) -> Document:
        return {"holds": [one.state() for one in self.holds.release(hold)]}

    def _order_holds(self) -> Document:
        return {"holds": [one.state() for one in self.holds.all.values()]}

    def _order_grant_delay(self, least: float, most: float | None = None) -> Document:
        self.grants.least, self.grants.most = least, least if most is None else most
        return {"least": self.grants.least, "most": self.grants.most}

    def _order_credentials(self, role_arn: str, session: str = "somebody") -> Document:
        return {"credentials": role_session(role_arn, session)}

    def _order_account(self, user: str, password: str, pulls: int | None = None, read_only: bool = False) -> Document:
        self.registry.add_account(user, password, pulls, read_only=read_only)
        return {"user": user, "pulls": pulls, "read_only": read_only}

    def _order_account_pulls(self, pulls: int | None, user: str | None = None) -> Document:
        self.registry.accounts.set_pulls(user, pulls)
        return {"user": user, "pulls": pulls}

    def _order_account_lock(self, user: str, locked: bool) -> Document:
        self.registry.accounts.lock(user, locked=locked)
        return {"user": user, "locked": locked}

    def _order_throttle(self, registry: str, text: str | None = None) -> Document:
        if text is None:
            self.world.throttled_registries.pop(registry, None)
        else:
            self.world.throttled_registries[registry] = text
        return {"throttled": dict(self.world.throttled_registries)}

    def _order_publish(self, event: Document) -> Document:
        self.world.publish(event)
        return {"published": event.get("id")}

    def _order_deliver_again(self, build: str, times: int = 1) -> Document:
        event = self.world.last_events[build]
        for _ in range(times):
            self.world.publish(event)
        return {"delivered": event["id"], "times": times}

    def _order_retry_build(self, uses: str) -> Document:
        if uses not in ("snapshot", "project"):
            raise ValueError(f"uses is snapshot or project, not {uses}")
        self.simulator.retry_uses = uses  # type: ignore[assignment]
        return {"uses": uses}

    def _order_unreadable_credential(self, phase: str) -> Document:
        if phase not in ("PROVISIONING", "DOWNLOAD_SOURCE"):
            raise ValueError(f"phase is PROVISIONING or DOWNLOAD_SOURCE, not {phase}")
        self._change(unreadable_credential=phase)
        return {"phase": phase}

    def _order_build_seconds(self, seconds: float) -> Document:
        self._change(pace=seconds / MEAN_BUILD_SECONDS)
        return {"seconds": seconds}

    def _change(self, **conditions: Any) -> None:
        """Other conditions for the builds that start from now on."""
        self.simulator._conditions = replace(self.simulator._conditions, **conditions)

    def _order_start_build(self, request: Document, initiator: str) -> Document:
        return {"build": self.simulator.start_build(request, initiator)}

    def _order_start_batch(self, project: str, builds: list[tuple[str, Document]], initiator: str) -> Document:
        return {"buildBatch": self.simulator.start_batch(project, builds, initiator)}

    def _order_batch_retry(self, uses: str) -> Document:
        if uses not in ("same", "new"):
            raise ValueError(f"uses is same or new, not {uses}")
        self.simulator.batch_retry = uses  # type: ignore[assignment]
        return {"uses": uses}

    def _order_pipeline(self, name: str, stages: list[Document]) -> Document:
        self.pipelines.plant_pipeline(name, [Stage(**stage) for stage in stages])
        return {"name": name}

    def _order_start_pipeline(self, name: str) -> Document:
        return {"execution": self.pipelines.start(name)}

    def _order_pipeline_lag(self, refusals: int) -> Document:
        self.pipelines.lag = refusals
        return {"refusals": refusals}

    def _order_repository(self, location: str, files: dict[str, str]) -> Document:
        self.agent.repositories[location] = dict(files)
        return {"location": location, "files": sorted(files)}

    def _order_plant_project(self, project: Document) -> Document:
        self.simulator.plant_project(project)
        return {"name": project["name"]}

    def _order_stored_project(self, name: str) -> Document:
        return {"project": self.simulator.project(name)}

    def _order_interrupt(self, function: str) -> Document:
        with lambda_runtime._lock:
            busy = [
                w for pool in lambda_runtime._workers.values() for w in pool if w.in_use and w.func_name == function
            ]
        for worker in busy:
            if worker._proc is not None:
                worker._proc.kill()
        return {"killed": len(busy)}
