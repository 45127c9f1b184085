"""How EventBridge delivers an event to a function that a rule names.

What cannot be delivered at all goes to the target's `DeadLetterConfig` with attributes that say why: the whole event,
because AWS does not say whether a dead letter is what an InputTransformer makes of it. A durable function starts an
execution, and its unqualified ARN is refused. MiniStack matches patterns as AWS's event-ruler does (arrays of objects,
one element for all fields, `$or`); that is kept.
"""

from __future__ import annotations

import contextvars
import json
import logging
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, lambda_svc

from local.aws.durable import Durable, durable_config, record_of
from local.aws.functions import Functions, send

log = logging.getLogger("local.aws.delivery")

Document = dict[str, Any]

_under_way: contextvars.ContextVar[tuple[Document, Document, str]] = contextvars.ContextVar("rule, target and event")


class Delivery:
    """EventBridge's way to the functions of one server."""

    def __init__(self, functions: Functions, durable: Durable) -> None:
        self.functions = functions
        self.durable = durable

    def install(self) -> None:
        eventbridge._invoke_target = self._remember(eventbridge._invoke_target)
        eventbridge._dispatch_to_lambda = self.deliver

    @staticmethod
    def _remember(original: Callable[..., Any]) -> Callable[..., Any]:
        def invoke(target: Document, event: Document, rule: Document, view: Any = None) -> Any:
            view = view or eventbridge._pattern_event_view(event)
            token = _under_way.set((rule, target, json.dumps(view.event_with_detail())))
            try:
                return original(target, event, rule, view)
            finally:
                _under_way.reset(token)

        return invoke

    def deliver(self, arn: str, payload: str) -> None:
        """Stands in for `eventbridge._dispatch_to_lambda`."""
        rule, target, whole_event = _under_way.get()
        try:
            event = json.loads(payload)
        except ValueError:
            event = payload
        reason = self._hand_over(arn, event, rule)
        if reason is not None:
            code, message = reason
            log.warning("rule %s cannot deliver to %s: %s", rule.get("Name"), arn, message)
            queue = (target.get("DeadLetterConfig") or {}).get("Arn")
            if queue:
                attributes = {"ERROR_CODE": code, "ERROR_MESSAGE": message, "TARGET_ARN": arn}
                send(queue, whole_event, {**attributes, "RULE_ARN": str(rule.get("Arn"))})

    def _hand_over(self, arn: str, event: Any, rule: Document) -> tuple[str, str] | None:
        """Invoke the function; why not, if not: EventBridge's error code and a message."""
        name, _, qualifier = arn.partition(":function:")[2].partition(":")
        function = lambda_svc._functions.get(name)
        record = record_of(function, name, qualifier or None)
        if record is None:
            return "RESOURCE_NOT_FOUND", f"Function not found: {arn}"
        if not may_invoke(arn, str(rule.get("Arn"))):
            return "NO_PERMISSIONS", f"{arn} does not let events.amazonaws.com invoke it for {rule.get('Arn')}"
        if durable_config(function) is None:
            self.functions.invoke_asynchronously(record, event)
        elif not qualifier:
            return "SDK_CLIENT_ERROR", "You cannot invoke a durable function using an unqualified ARN."
        else:
            self.durable.start(record, json.dumps(event), None)
        return None


def may_invoke(function_arn: str, rule_arn: str) -> bool:
    """Whether the function's resource policy lets EventBridge invoke it for this rule."""
    found = lambda_svc.function_policy_for_arn(function_arn)
    context = iam_evaluator.EvalContext(
        principal_arn="events.amazonaws.com",
        principal_type="Service",
        principal_account=get_account_id(),
        action="lambda:InvokeFunction",
        resource_arn=function_arn,
        region=get_region(),
        service_context={"aws:sourcearn": rule_arn, "aws:sourceaccount": get_account_id()},
    )
    policy = found[0] if found else None
    decision: str = iam_evaluator.evaluate_resource_policy(policy, context, service="events.amazonaws.com").decision
    return decision == "Allow"
