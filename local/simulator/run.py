"""How a build goes: phase by phase, with the service role's own rights, to a result that nobody scripted."""

import copy
import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from local import image_name
from local.simulator import events, texts
from local.simulator.buildlog import BuildLog
from local.simulator.composition import resolved_version
from local.simulator.reference import SecretReference
from local.simulator.world import (
    BuildAgent,
    Credentials,
    Document,
    RunCommands,
    SecretUnreadable,
    SourceAnswer,
    World,
)

PHASES = (
    "SUBMITTED",
    "QUEUED",
    "PROVISIONING",
    "DOWNLOAD_SOURCE",
    "INSTALL",
    "PRE_BUILD",
    "BUILD",
    "POST_BUILD",
    "UPLOAD_ARTIFACTS",
    "FINALIZING",
    "COMPLETED",
)
_COMMAND_PHASES = ("INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD")
# A failure in one of these is followed by what comes next; in any other by FINALIZING.
_GO_ON_AFTER_FAILURE = ("BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS", "FINALIZING")
_OK = 200
# Seconds that a phase takes, from and to, before the pace is applied.
_SECONDS = {
    "QUEUED": (0.2, 1.0),
    "PROVISIONING": (2.0, 8.0),
    "DOWNLOAD_SOURCE": (0.5, 3.0),
    "FINALIZING": (0.2, 2.0),
}
_OTHER_SECONDS = (0.05, 0.5)


@dataclass(frozen=True)
class Outcome:
    """How a phase ended; a failed one has a status code and a message."""

    status: str = "SUCCEEDED"
    code: str = ""
    message: str = ""


@dataclass(frozen=True)
class Conditions:
    """What every run of a simulator shares.

    `unreadable_credential`: the phase that fails when the registry credential can't be read. Reports say
    PROVISIONING (https://github.com/aws/aws-cdk/issues/8845); with DOWNLOAD_SOURCE the image is taken as
    pulled and the build fails where the container's own secrets are read.
    """

    pace: float
    unreadable_credential: Literal["PROVISIONING", "DOWNLOAD_SOURCE"]
    run_commands: RunCommands

    @property
    def agent(self) -> BuildAgent | None:
        """Who runs the commands, where that is more than a function."""
        return self.run_commands if isinstance(self.run_commands, BuildAgent) else None


class BuildRun:
    """One build on its way. Advanced by one thread, stopped by any; the lock guards the document."""

    def __init__(
        self,
        world: World,
        document: Document,
        log: BuildLog,
        rng: random.Random,
        lock: threading.RLock,
        conditions: Conditions,
        ended: Callable[[Document], Callable[[], None] | None],
    ) -> None:
        self._world = world
        self._document = document
        self._log = log
        self._rng = rng
        self._lock = lock
        self._conditions = conditions
        self._ended = ended
        self._floats = rng.random() < 1 / 2
        self._failure: Outcome | None = None
        self._deferred: Outcome | None = None
        self._variables: dict[str, str] = {}

    @property
    def build_id(self) -> str:
        return str(self._document["id"])

    def announce(self) -> None:
        """Tell the bus that the build is in progress."""
        with self._lock:
            event = events.state_change(self._world, self._document, floats=self._floats)
        self._world.publish(event)

    def __call__(self) -> None:
        while self.advance():
            pass

    def advance(self) -> bool:
        """Run the phase that the build is in; False when the build has ended."""
        with self._lock:
            if self._document["buildComplete"]:
                return False
            phase = str(self._document["currentPhase"])
        outcome = self._act(phase)
        return self._leave(phase, outcome, self._following(phase, outcome))

    def stop(self) -> None:
        """End the build as STOPPED, in whatever phase it is."""
        self._leave(str(self._document["currentPhase"]), Outcome(status="STOPPED"), "COMPLETED")

    def _leave(self, phase: str, outcome: Outcome, following: str) -> bool:
        sequel: Callable[[], None] | None = None
        with self._lock:
            document = self._document
            if document["buildComplete"]:
                self._let_go()
                return False
            now = self._world.now()
            left = document["phases"][-1]
            left |= {
                "phaseStatus": outcome.status,
                "endTime": now,
                "durationInSeconds": int(now - left["startTime"]),
            }
            if phase not in PHASES[:2] or outcome.code:
                left["contexts"] = [{"statusCode": outcome.code, "message": outcome.message}]
            if outcome.status != "SUCCEEDED" and self._failure is None:
                self._failure = outcome
            document["phases"].append({"phaseType": following, "startTime": now})
            document["currentPhase"] = following
            if following == "COMPLETED":
                document["endTime"] = now
                document["buildStatus"] = (self._failure or outcome).status
                document["buildComplete"] = True
                sequel = self._ended(document)
            world, floats = self._world, self._floats
            told = [events.phase_change(world, document, left, floats=floats)]
            if following == "COMPLETED":
                told.append(events.state_change(world, document, floats=floats))
        for event in told:
            self._world.publish(event)
        if following == "COMPLETED":
            self._let_go()
        if sequel is not None:
            sequel()
        return following != "COMPLETED"

    def _let_go(self) -> None:
        """Tell the agent that the build is over; again where a stop came before its container was there."""
        if self._conditions.agent is not None:
            self._conditions.agent.end(self.build_id)

    def _following(self, phase: str, outcome: Outcome) -> str:
        if outcome.status == "SUCCEEDED" or phase in _GO_ON_AFTER_FAILURE:
            return PHASES[PHASES.index(phase) + 1]
        # Nobody has published whether FINALIZING follows a failed PROVISIONING.
        if phase == "PROVISIONING" and self._rng.random() < 1 / 2:
            return "COMPLETED"
        return "FINALIZING"

    def _act(self, phase: str) -> Outcome:
        low, high = _SECONDS.get(phase, _OTHER_SECONDS)
        self._world.sleep(self._rng.uniform(low, high) * self._conditions.pace)
        if phase == "QUEUED":
            self._resolve_source()
            return Outcome()
        if phase == "PROVISIONING":
            return self._provision()
        outcome = Outcome()
        if phase == "DOWNLOAD_SOURCE":
            outcome = self._deferred or self._download_source()
        elif phase in _COMMAND_PHASES:
            outcome = self._run_commands(phase)
        if phase not in PHASES[:2]:
            self._log.phase_complete(phase, outcome.status, outcome.code, outcome.message)
        return outcome

    def _resolve_source(self) -> None:
        with self._lock:
            commit = resolved_version(self._document["source"], self._document.get("sourceVersion") or "")
            if commit is not None:
                self._document["resolvedSourceVersion"] = commit

    def _provision(self) -> Outcome:
        environment = self._document["environment"]
        image = image_name.split(environment["image"])
        if not image.curated:
            outcome = self._pull(image, environment)
            if outcome.status != "SUCCEEDED":
                return outcome
        with self._lock:
            self._document["logs"] = {**self._document["logs"], **self._log.open()}
        self._log.agent("Running on CodeBuild On-demand", "Waiting for agent ping", "Waiting for DOWNLOAD_SOURCE")
        return Outcome()

    def _pull(self, image: image_name.Name, environment: Document) -> Outcome:
        credential = environment.get("registryCredential")
        credentials = None
        if credential is not None:
            secret_id = credential["credential"]
            try:
                credentials = _credentials(self._world.read_secret(self._document["serviceRole"], secret_id))
            except SecretUnreadable as error:
                return self._without_credential(secret_id, str(error))
        answer = self._world.pull(environment["image"], credentials)
        if answer.status == _OK:
            return Outcome()
        return Outcome("FAILED", texts.UNABLE_TO_PULL, texts.unable_to_pull(image, answer, self._rng))

    def _without_credential(self, secret_id: str, reason: str) -> Outcome:
        if self._conditions.unreadable_credential == "PROVISIONING":
            message = texts.credential_unreadable(secret_id, reason, self._rng)
            return Outcome("FAILED", texts.UNABLE_TO_PULL, message)
        self._deferred = Outcome("FAILED", texts.SECRETS_MANAGER_ERROR, reason)
        return Outcome()

    def _download_source(self) -> Outcome:
        source = SourceAnswer()
        if self._conditions.agent is not None:
            with self._lock:
                build = copy.deepcopy(self._document)
            source = self._conditions.agent.download_source(build)
        self._log.plain(source.lines)
        if source.status_code:
            return Outcome("FAILED", source.status_code, source.message)
        return self._read_variables(source)

    def _read_variables(self, source: SourceAnswer) -> Outcome:
        project = self._document["environment"]["environmentVariables"]
        named = {variable["name"] for variable in project}
        self._variables = {name: value for name, value in source.variables.items() if name not in named}
        buildspec = [
            {"name": name, "type": "SECRETS_MANAGER", "value": reference}
            for name, reference in source.secrets.items()
            if name not in named
        ]
        for variable in [*buildspec, *project]:
            value = variable["value"]
            if variable.get("type") == "SECRETS_MANAGER":
                reference = SecretReference.parse(value)
                try:
                    text = self._world.read_secret(self._document["serviceRole"], reference.secret_id)
                    value = reference.pick(text)
                except SecretUnreadable as error:
                    return Outcome("FAILED", texts.SECRETS_MANAGER_ERROR, str(error))
            self._variables[variable["name"]] = value
        return Outcome()

    def _run_commands(self, phase: str) -> Outcome:
        with self._lock:
            build = copy.deepcopy(self._document)
        answer = self._conditions.run_commands(build, phase, self._variables)
        self._log.plain(answer.lines)
        outcome = Outcome(code=answer.status_code, message=answer.message)
        return replace(outcome, status="FAILED") if answer.status_code else outcome


def _credentials(text: str) -> Credentials:
    """The user name and password of a registry credential's secret."""
    try:
        document = json.loads(text)
        return Credentials(str(document["username"]), str(document["password"]))
    except (ValueError, KeyError, TypeError) as error:
        raise SecretUnreadable("the secret must be a JSON object with the keys username and password") from error
