"""What is known of one durable execution: its operations, when it is due again, and how it ended.

Shapes are those of Lambda's API of 2025-12-01 (botocore's lambda model): an operation is a JSON object with
`Id`, `Type`, `Status` and the details of its type; timestamps are epoch seconds here and in API answers and
milliseconds in the event that a function gets. Standard library only, no threads, no clock: `now` is given.
"""

from __future__ import annotations

import base64
import copy
import secrets
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]

MAX_OPERATIONS = 3000
FINISHED = {"SUCCEED": "SUCCEEDED", "FAIL": "FAILED", "CANCEL": "CANCELLED"}
ACTIONS = {
    "EXECUTION": ("SUCCEED", "FAIL"),
    "CONTEXT": ("START", "SUCCEED", "FAIL"),
    "STEP": ("START", "RETRY", "SUCCEED", "FAIL"),
    "WAIT": ("START", "CANCEL"),
    "CALLBACK": ("START",),
}
DETAILS = {"STEP": "StepDetails", "CONTEXT": "ContextDetails", "WAIT": "WaitDetails", "CALLBACK": "CallbackDetails"}


class Refused(Exception):
    """InvalidParameterValueException with this message."""


def new_token() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass
class Execution:
    """One durable execution. `payload` is the invocation's event as JSON text."""

    arn: str
    name: str
    function_arn: str
    version: str
    payload: str
    started: float
    timeout: int
    retention_days: int
    status: str = "RUNNING"
    ended: float | None = None
    result: str | None = None
    error: Document | None = None
    token: str = field(default_factory=new_token)
    operations: dict[str, Document] = field(default_factory=dict)
    history: list[Document] = field(default_factory=list)
    invocations: int = 0
    answered: tuple[str, str, Document] | None = None
    fresh: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        identifier = self.arn.rpartition("/")[2]
        self.operations[identifier] = {
            "Id": identifier,
            "Type": "EXECUTION",
            "Name": self.name,
            "Status": "STARTED",
            "StartTimestamp": self.started,
            "ExecutionDetails": {"InputPayload": self.payload},
        }
        self.note(self.started, "ExecutionStarted", {"Input": {"Payload": self.payload, "Truncated": False}})

    @property
    def deadline(self) -> float:
        return self.started + self.timeout

    def begin_invocation(self) -> Document:
        """The event for the next invocation; every earlier checkpoint token is void from here on."""
        self.token = new_token()
        self.invocations += 1
        updated = sorted(self.fresh)
        self.fresh.clear()
        return {
            "DurableExecutionArn": self.arn,
            "CheckpointToken": self.token,
            "UpdatedOperationIds": updated,
            "InitialExecutionState": {
                "Operations": [_in_milliseconds(operation) for operation in self.operations.values()],
                "NextMarker": "",
            },
        }

    def checkpoint(self, request: Document, now: float) -> Document:
        """Take over updates; the answer names the next token and what has changed since the last one."""
        token, client_token = request.get("CheckpointToken", ""), request.get("ClientToken") or ""
        if self.answered is not None and client_token and self.answered[:2] == (token, client_token):
            return self.answered[2]
        if self.status != "RUNNING" or token != self.token:
            raise Refused("Invalid checkpoint token")
        for update in request.get("Updates") or []:
            self._update(update, now)
        changed = [copy.deepcopy(self.operations[name]) for name in self.operations if name in self.fresh]
        self.fresh.clear()
        self.token = new_token()
        answer: Document = {
            "CheckpointToken": self.token,
            "NewExecutionState": {"Operations": changed, "NextMarker": None},
        }
        if self.status != "RUNNING":
            del answer["CheckpointToken"]
        self.answered = (token, client_token, answer)
        return answer

    def _update(self, update: Document, now: float) -> None:
        identifier, kind, action = update.get("Id"), update.get("Type"), update.get("Action")
        if not identifier or kind not in ACTIONS or action not in ACTIONS[str(kind)]:
            raise Refused(f"Invalid {action} action for operation type {kind}")
        if kind == "EXECUTION":
            self.finish(FINISHED[action], update.get("Payload"), update.get("Error"), now)
            return
        operation = self.operations.get(identifier)
        if operation is None:
            if len(self.operations) >= MAX_OPERATIONS:
                raise Refused("Maximum number of operations reached")
            operation = self.operations[identifier] = {
                "Id": identifier,
                "Type": kind,
                **{name: update[name] for name in ("ParentId", "Name", "SubType") if update.get(name)},
                "StartTimestamp": now,
            }
        elif operation["Status"] in ("SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT"):
            raise Refused("Cannot update an operation that has already completed")
        operation["Status"] = "STARTED" if action == "START" else FINISHED.get(action, "PENDING")
        if action in FINISHED:
            operation["EndTimestamp"] = now
        details = operation.setdefault(DETAILS[kind], {})
        if action != "START":
            details.pop("Result", None)
            details.pop("Error", None)
            details.update({k: update[n] for k, n in (("Result", "Payload"), ("Error", "Error")) if n in update})
        if kind == "STEP":
            self._step(action, update, details, now)
        elif kind == "CONTEXT" and (update.get("ContextOptions") or {}).get("ReplayChildren"):
            details["ReplayChildren"] = True
        elif kind == "WAIT" and action == "START":
            seconds = (update.get("WaitOptions") or {}).get("WaitSeconds", 1)
            details["ScheduledEndTimestamp"] = now + seconds
        elif kind == "CALLBACK":
            self._callback(update, details, now)
        self.fresh.add(identifier)
        self._note_operation(operation, str(action), update, now)

    @staticmethod
    def _step(action: str, update: Document, details: Document, now: float) -> None:
        if action == "START":
            details.pop("NextAttemptTimestamp", None)
            details.setdefault("Attempt", 0)
            return
        details["Attempt"] = details.get("Attempt", 0) + 1
        if action == "RETRY":
            details["NextAttemptTimestamp"] = now + (update.get("StepOptions") or {}).get("NextAttemptDelaySeconds", 0)

    @staticmethod
    def _callback(update: Document, details: Document, now: float) -> None:
        options = update.get("CallbackOptions") or {}
        details["CallbackId"] = new_token().replace("/", "a")
        if options.get("TimeoutSeconds"):
            details["_timeout"] = now + options["TimeoutSeconds"]
        if options.get("HeartbeatTimeoutSeconds"):
            details["_heartbeat_seconds"] = options["HeartbeatTimeoutSeconds"]
            details["_heartbeat"] = now + options["HeartbeatTimeoutSeconds"]

    def due(self) -> float | None:
        """When something happens by itself next, in epoch seconds; None when nothing will."""
        times: list[float] = []
        for operation in self.operations.values():
            details = operation.get(DETAILS.get(operation["Type"], ""), {})
            if operation["Status"] == "PENDING":
                times.append(details.get("NextAttemptTimestamp", 0.0))
            elif operation["Status"] == "STARTED" and operation["Type"] == "WAIT":
                times.append(details["ScheduledEndTimestamp"])
            elif operation["Status"] == "STARTED" and operation["Type"] == "CALLBACK":
                times += [details[name] for name in ("_timeout", "_heartbeat") if name in details]
        return min(times, default=None)

    def settle(self, now: float) -> bool:
        """Let everything happen whose time has come; whether the function has to be invoked for it."""
        for operation in self.operations.values():
            details = operation.get(DETAILS.get(operation["Type"], ""), {})
            if operation["Status"] == "PENDING" and details.get("NextAttemptTimestamp", 0.0) <= now:
                operation["Status"] = "READY"
                self.fresh.add(operation["Id"])
            elif operation["Status"] != "STARTED":
                continue
            elif operation["Type"] == "WAIT" and details["ScheduledEndTimestamp"] <= now:
                operation.update(Status="SUCCEEDED", EndTimestamp=now)
                self.fresh.add(operation["Id"])
                self._note_operation(operation, "SUCCEED", {}, now)
            elif operation["Type"] == "CALLBACK":
                late = [n for n in ("_timeout", "_heartbeat") if details.get(n, now + 1) <= now]
                if late:
                    kind = "Callback.Timeout" if late[0] == "_timeout" else "Callback.Heartbeat"
                    details["Error"] = {"ErrorType": kind, "ErrorMessage": "Callback timed out"}
                    operation.update(Status="TIMED_OUT", EndTimestamp=now)
                    self.fresh.add(operation["Id"])
        return bool(self.fresh) and self.status == "RUNNING"

    def callback(self, callback_id: str) -> Document | None:
        """The operation that waits for this callback."""
        for operation in self.operations.values():
            if operation.get("CallbackDetails", {}).get("CallbackId") == callback_id:
                return operation
        return None

    def answer_callback(self, operation: Document, result: str | None, error: Document | None, now: float) -> None:
        if operation["Status"] != "STARTED":
            raise Refused("Callback has already been completed")
        details = operation["CallbackDetails"]
        if error is None:
            operation.update(Status="SUCCEEDED", EndTimestamp=now)
            details["Result"] = result
        else:
            operation.update(Status="FAILED", EndTimestamp=now)
            details["Error"] = error
        self.fresh.add(operation["Id"])

    def finish(self, status: str, result: str | None, error: Document | None, now: float) -> None:
        if self.status == "RUNNING":
            self.status, self.ended, self.result, self.error = status, now, result, error
            kind = {"TIMED_OUT": "TimedOut", "STOPPED": "Stopped"}.get(status, status.capitalize())
            shown = {"Result": {"Payload": result or "", "Truncated": False}} if error is None else _error(error)
            self.note(now, f"Execution{kind}", shown)

    def summary(self) -> Document:
        document: Document = {
            "DurableExecutionArn": self.arn,
            "DurableExecutionName": self.name,
            "FunctionArn": self.function_arn,
            "StartTimestamp": self.started,
            "Status": self.status,
        }
        if self.ended is not None:
            document["EndTimestamp"] = self.ended
        return document

    def document(self, with_data: bool) -> Document:
        """GetDurableExecution's answer."""
        document = {
            **self.summary(),
            "Version": self.version,
            "ExecutionDataIncluded": with_data,
            "DurableConfig": {"ExecutionTimeout": self.timeout, "RetentionPeriodInDays": self.retention_days},
        }
        if with_data:
            document["InputPayload"] = self.payload
            document.update({"Result": self.result} if self.result is not None else {})
            document.update({"Error": self.error} if self.error is not None else {})
        return document

    def shown_operations(self) -> list[Document]:
        """Operations as API answers carry them."""
        return [_public(operation) for operation in self.operations.values()]

    def note(self, now: float, kind: str, details: Document, operation: Document | None = None) -> None:
        event: Document = {"EventType": kind, "EventId": len(self.history) + 1, "EventTimestamp": now}
        event.update(
            {n: operation[n] for n in ("SubType", "Id", "Name", "ParentId") if n in operation} if operation else {}
        )
        self.history.append({**event, f"{kind}Details": details})

    def _note_operation(self, operation: Document, action: str, update: Document, now: float) -> None:
        name = {"STEP": "Step", "WAIT": "Wait", "CONTEXT": "Context", "CALLBACK": "Callback"}[operation["Type"]]
        details: Document = {}
        if action in ("FAIL", "RETRY"):
            details = _error(update.get("Error") or {})
        elif action == "SUCCEED" and operation["Type"] != "WAIT":
            details = {"Result": {"Payload": update.get("Payload") or "", "Truncated": False}}
        if operation["Type"] == "STEP" and action != "START":
            details["RetryDetails"] = {"CurrentAttempt": operation["StepDetails"]["Attempt"]}
        kind = {"START": "Started", "SUCCEED": "Succeeded", "FAIL": "Failed", "RETRY": "Failed", "CANCEL": "Cancelled"}
        self.note(now, f"{name}{kind[action]}", details, operation)


def _error(error: Document) -> Document:
    return {"Error": {"Payload": error, "Truncated": False}}


def _public(operation: Document) -> Document:
    shown = copy.deepcopy(operation)
    for name in [n for n in shown.get("CallbackDetails", {}) if n.startswith("_")]:
        del shown["CallbackDetails"][name]
    return shown


def _in_milliseconds(operation: Document) -> Document:
    shown = _public(operation)
    places = [(shown, "StartTimestamp"), (shown, "EndTimestamp")]
    places.append((shown.get("StepDetails", {}), "NextAttemptTimestamp"))
    places.append((shown.get("WaitDetails", {}), "ScheduledEndTimestamp"))
    for place, name in places:
        if name in place:
            place[name] = int(place[name] * 1000)
    return shown
