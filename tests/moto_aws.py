"""moto as these tests use it: what boto3 asks is answered, and nothing is prepared for clients that nobody has here."""

from __future__ import annotations

from functools import cache
from typing import Any

from moto.core import responses
from moto.core.model_instances import reset_model_data
from moto.core.models import MockAWS, botocore_stubber
from moto.dynamodb.parsing import ast_nodes, expressions

_PARSER: Any = expressions.UpdateExpressionParser  # type: ignore[attr-defined]
_TRAVERSER: Any = ast_nodes.DepthFirstTraverser  # type: ignore[attr-defined]
_kinds: dict[type, tuple[type, ...]] = {}


def _kinds_of(traverser: Any) -> tuple[type, ...]:
    """Its `nodes_to_be_processed`, which depend on its class alone."""
    kind = type(traverser)
    if kind not in _kinds:
        _kinds[kind] = tuple(traverser._processing_map())
    return _kinds[kind]


# What moto works out anew for each request, or for each part of an expression in it; it changes none of these.
responses.method_names_from_class = cache(responses.method_names_from_class)  # type: ignore[attr-defined]
_PARSER.make = cache(_PARSER.make)
_TRAVERSER.nodes_to_be_processed = _kinds_of


class _ForBotocore(MockAWS):
    """Without the answers for the library `requests`: to lay them out takes longer than most tests."""

    def _enable_patching(self, reset: bool = True) -> None:
        botocore_stubber.enabled = True
        if reset:
            self.reset()

    def _disable_patching(self, remove_data: bool) -> None:
        botocore_stubber.enabled = False
        if remove_data:
            self.reset()
            reset_model_data()


def mock_aws(**config: Any) -> MockAWS:
    """An empty AWS for as long as this lasts; `config` is moto's."""
    return _ForBotocore(config or None)  # type: ignore[arg-type]
