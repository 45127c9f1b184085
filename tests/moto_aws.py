"""moto as these tests use it: what boto3 asks is answered, and nothing is prepared for clients that nobody has here."""

from __future__ import annotations

from functools import cache
from typing import Any

from moto.core import responses
from moto.core.model_instances import reset_model_data
from moto.core.models import MockAWS, botocore_stubber

# A class's methods, for each request that it answers.
responses.method_names_from_class = cache(responses.method_names_from_class)  # type: ignore[attr-defined]


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
